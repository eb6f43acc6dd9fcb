//! Judging what a power cut, or a snapshot of a running machine, left of a filesystem: after its log is
//! replayed every block and the whole tree must be what e2fsprogs leave of a copy.

use crate::e2fsprogs::{Oracle, replayed_by_kernel};
use crate::exercise;
use crate::image::scratch;
use crate::jbd2::Image;
use crate::kernels_tree::differences;
use flr_fs::{Memory, OpenContext};
use std::fmt;
use std::sync::Arc;

/// Judges states of one filesystem, and counts what they were.
#[derive(Debug)]
pub struct Judge {
    name: String,
    image: Image,
    /// States judged.
    pub states: u64,
    /// Those whose log held something.
    pub dirty: u64,
    /// Those whose log went on at its beginning.
    pub wrapped: u64,
    /// Those that the kernel refuses to mount, and so do we.
    pub refused: u64,
    /// Those that the kernel refuses to mount, and in which we find damage.
    pub ruined: u64,
    /// Those that Linux replays further than e2fsprogs do, and so do we.
    pub by_kernel: u64,
    /// Whether the kernel is asked of every state whether it would mount it; otherwise only of those
    /// that are refused.
    pub kernel_always: bool,
}

impl Judge {
    /// A judge of the filesystem that `image` holds before anything happened to it.
    #[must_use]
    pub fn new(name: &str, image: Image) -> Self {
        Self {
            name: name.to_owned(),
            image,
            states: 0,
            dirty: 0,
            wrapped: 0,
            refused: 0,
            ruined: 0,
            by_kernel: 0,
            kernel_always: false,
        }
    }

    /// Judges a state; `what` describes it. `walk` compares the tree as well. The answer is the state
    /// after its replay, `None` if it is refused or e2fsprogs do not have it.
    ///
    /// # Panics
    /// If anything differs. The state is kept in a file.
    pub fn state(
        &mut self,
        bytes: Vec<u8>,
        what: &dyn fmt::Display,
        walk: bool,
    ) -> Option<Vec<u8>> {
        self.count(bytes);
        let replayed = Oracle::Debugfs.answer(&self.image.bytes);
        let told = self
            .image
            .judge_against(|| replayed.clone().unwrap_or_default());
        let refused = matches!(told, Err(flr_fs::Error::Corrupt(_)));
        let is_same = matches!(&told, Ok(told) if told.is_empty());
        // e2fsprogs drop what has a wrong checksum of version 1 and say nothing; what counts is whether
        // the machine itself would come up again.
        let is_doubtful = !is_same || replayed.is_none() || self.kernel_always;
        let mounts = !is_doubtful || replayed_by_kernel(&self.image.bytes).is_some();
        if refused && !mounts {
            self.refused += 1;
            return None;
        }
        if !refused && !mounts && !self.kernel_always && self.is_damaged() {
            // A log without checksums was replayed as it is, and put rubbish where the kernel looks
            // when it mounts.
            self.ruined += 1;
            return None;
        }
        if refused || !mounts {
            self.differs(what, &format!("the kernel does not agree with {told:?}"));
        }
        if !is_same {
            // e2fsprogs 1.47.0 end the log at a commit of which only the first sector was written. All
            // that counts is there, so Linux goes on.
            let theirs = differences(self.image.source(), &self.image.bytes, false);
            if theirs.as_ref().is_none_or(|theirs| !theirs.is_empty()) {
                self.differs(what, &(told, theirs));
            }
            self.by_kernel += 1;
            return None;
        }
        let replayed = replayed?;
        if walk {
            let ctx = OpenContext::default();
            let ours = exercise(self.image.source(), &ctx);
            let theirs = exercise(Arc::new(Memory::new(replayed.clone())), &ctx);
            assert!(!ours.nodes.is_empty(), "{}, {what}", self.name);
            assert_eq!(ours.nodes, theirs.nodes, "{}, {what}", self.name);
        }
        Some(replayed)
    }

    /// Whether opening and reading everything tells of damage.
    fn is_damaged(&self) -> bool {
        let read = exercise(self.image.source(), &OpenContext::default());
        let states = ["ext4.journal.replayed", "ext4.orphans", "ext4.state"];
        let mut codes = read.codes.iter();
        codes.any(|code| !states.contains(&code.as_str()))
    }

    /// Counts a state that somebody else judges.
    pub fn count(&mut self, bytes: Vec<u8>) {
        self.image.bytes = bytes;
        self.states += 1;
        self.dirty += u64::from(self.image.get(0, 0x1c) != 0);
        self.wrapped += u64::from(self.image.wraps());
    }

    /// The kernel's own timing is in the state: a seed alone does not bring it back.
    fn differs(&self, what: &dyn fmt::Display, told: &dyn fmt::Debug) -> ! {
        let kept = scratch().join(format!("crash-{}.img", self.name));
        self.image.save(&kept);
        panic!(
            "{}, {what}, kept as {}: {told:#?}",
            self.name,
            kept.display()
        );
    }
}

/// What was judged.
impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} states, {} to be replayed, {} around the end of the log, {} refused, \
             {} ruined, {} as the kernel alone has it",
            self.name,
            self.states,
            self.dirty,
            self.wrapped,
            self.refused,
            self.ruined,
            self.by_kernel
        )
    }
}

/// A number that an environment variable holds.
///
/// # Panics
/// If it holds something else.
#[must_use]
pub fn number(variable: &str, otherwise: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(otherwise, |value| value.parse().expect("a number"))
}
