//! A stand-in with snapshots to read and things of others that must stay as they are, and the processes
//! that read there.

use super::harness::Said;
use crate::stand_in::{BLOCK_LEN, Blocks, Call, Cloud, Fake};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test waits longer for anything.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What a victim's cloud is like, where clouds differ.
pub trait Scene: Sized + 'static {
    /// The stand-in.
    type Cloud: Cloud;

    /// The program that is run.
    const VICTIM: &'static str;
    /// Variables that begin so lead a client: none of them is inherited.
    const VARIABLES: &'static [&'static str];
    /// Those of the id and the secret of a key.
    const KEY: [&'static str; 2];
    /// What the journal calls that which is made.
    const KIND: &'static str;
    /// The operation that detaches it.
    const DETACH: &'static str;
    /// The operation that deletes it.
    const DELETE: &'static str;
    /// The operation that makes it.
    const CREATE: &'static str;
    /// The operation that sets tags.
    const TAG: &'static str;
    /// Two snapshots, of [`snapshot_blocks`] with seeds 1 and 2.
    const SNAPSHOTS: [&'static str; 2];
    /// What belongs to others.
    const OTHERS: [Other; 4];

    /// A stand-in's configuration with a root for devices.
    fn config(dev_root: PathBuf) -> <Self::Cloud as Cloud>::Config;

    /// Fills the stand-in.
    fn fill(state: &mut <Self::Cloud as Cloud>::State);

    /// The variables that lead a client there.
    fn environment(fake: &Fake<Self::Cloud>) -> Vec<(String, String)>;

    /// Id and secret of a key of another account.
    fn other_key() -> [String; 2];

    /// Disks that are there at a time of the model.
    fn shown(state: &<Self::Cloud as Cloud>::State, now: i64) -> Vec<Shown>;

    /// What was done that never must be, in words.
    fn violations(state: &<Self::Cloud as Cloud>::State) -> Vec<String>;

    /// Whether a request is for the metadata of the instance.
    fn is_metadata(call: &Call<<Self::Cloud as Cloud>::Service>) -> bool;

    /// Makes every describing call lag behind.
    fn lag(state: &mut <Self::Cloud as Cloud>::State, lag: Duration);

    /// Makes the next creation fail after it was answered.
    fn fail_next(state: &mut <Self::Cloud as Cloud>::State);
}

/// A disk of others: its id, its status, and the instance that it is attached to.
pub type Other = (&'static str, &'static str, Option<&'static str>);

/// A disk, as the stand-in shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// Its status, in the provider's word.
    pub status: String,
    /// What it is attached to.
    pub instance: Option<String>,
    /// Whether it is marked as left behind.
    pub marked: bool,
}

/// The stand-in, and folders of hosts.
#[derive(Debug)]
pub struct Stage<S: Scene> {
    /// The stand-in.
    pub fake: Fake<S::Cloud>,
    folder: TempDir,
}

fn block(seed: u8, index: u64) -> Option<Vec<u8>> {
    let seed = usize::from(seed) + usize::try_from(index).expect("small");
    let byte = |at: usize| u8::try_from((at * 31 + at / 251 + seed) % 256).expect("below 256");
    // The second block was never written.
    (index != 1).then(|| (0..BLOCK_LEN).map(byte).collect())
}

/// The three blocks of a snapshot.
#[must_use]
pub fn snapshot_blocks(seed: u8) -> Blocks {
    Blocks::from_fn(3, move |index| block(seed, index))
}

/// The digest of what a process reads of them.
///
/// # Panics
/// Never.
#[must_use]
pub fn digest(seed: u8) -> String {
    let mut bytes = block(seed, 0).expect("it is stored");
    bytes.resize(1 << 20, 0);
    let digest = Sha256::digest(&bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<S: Scene> Default for Stage<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scene> Stage<S> {
    /// Starts the stand-in.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = Fake::start(S::config(folder.path().join("root")));
        S::fill(&mut fake.state());
        Self { fake, folder }
    }

    /// A path below the folder that goes with this.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A process on the usual host.
    #[must_use]
    pub fn victim(&self, args: &[&str]) -> Command {
        self.victim_on("here", args)
    }

    /// A process with a journal of its own: as if on another host.
    #[must_use]
    pub fn victim_on(&self, host: &str, args: &[&str]) -> Command {
        let mut command = Command::new(S::VICTIM);
        command.args(args).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().into_owned();
            let mut starts = S::VARIABLES.iter().chain(&["FLR_"]);
            if starts.any(|start| text.starts_with(start)) {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path(host))
            .envs(S::environment(&self.fake));
        command
    }

    /// What a process said.
    ///
    /// # Panics
    /// It cannot be run.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Said {
        self.run_with(args, &[])
    }

    /// The same with more variables.
    ///
    /// # Panics
    /// It cannot be run.
    #[must_use]
    pub fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Said {
        let mut command = self.victim(args);
        let output = command.envs(variables.iter().copied()).output();
        Said::of(&output.expect("a process"))
    }

    /// Reads the first snapshot and cleans up.
    #[must_use]
    pub fn read(&self) -> Said {
        self.read_with(&[])
    }

    /// The same with more variables.
    #[must_use]
    pub fn read_with(&self, variables: &[(&str, &str)]) -> Said {
        self.run_with(&["use", "1", S::SNAPSHOTS[0]], variables)
    }

    /// Reads the first snapshot, which has to go well and leave nothing.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn read_right(&self, variables: &[(&str, &str)]) -> Said {
        let said = self.read_with(variables).ended_with(0);
        assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
        self.assert_clean("at the end");
        said
    }

    /// Cleans up.
    #[must_use]
    pub fn gc(&self) -> Said {
        self.run(&["gc"])
    }

    fn shown(&self) -> Vec<Shown> {
        let now = self.fake.now();
        S::shown(&self.fake.state(), now)
    }

    /// Ids of disks that are there and not others'.
    #[must_use]
    pub fn ours(&self) -> Vec<String> {
        let is_others = |disk: &Shown| S::OTHERS.iter().any(|(id, ..)| *id == disk.id);
        let ours = self.shown().into_iter().filter(|disk| !is_others(disk));
        ours.map(|disk| disk.id).collect()
    }

    /// That nothing of ours is there, and everything of others, and that nothing was done that never must
    /// be.
    ///
    /// # Panics
    /// It is not so.
    #[track_caller]
    pub fn assert_clean(&self, when: &str) {
        assert_eq!(self.ours(), [""; 0], "{when}");
        self.assert_others(when);
        let violations = S::violations(&self.fake.state());
        assert!(violations.is_empty(), "{when}: {violations:#?}");
    }

    /// That everything of others is as it was.
    ///
    /// # Panics
    /// It is not.
    #[track_caller]
    pub fn assert_others(&self, when: &str) {
        let shown = self.shown();
        for (id, status, instance) in S::OTHERS {
            let disk = shown.iter().find(|disk| disk.id == id);
            let disk = disk.unwrap_or_else(|| panic!("{id} is gone {when}"));
            let found = (disk.status.as_str(), disk.instance.as_deref());
            assert_eq!(found, (status, instance), "{id} {when}");
            assert!(!disk.marked, "{id} {when}");
        }
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// It takes too long.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut is_so: impl FnMut(&Fake<S::Cloud>) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.fake) {
            assert!(begun.elapsed() < DEADLINE, "{what} did not come about");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// That the first calls of these operations came in this order.
    ///
    /// # Panics
    /// One of them was not called, or earlier.
    #[track_caller]
    pub fn assert_in_order(&self, operations: &[&str]) {
        let place = |operation: &&str| {
            let calls = self.calls(operation);
            let first = calls.first().unwrap_or_else(|| panic!("no {operation}"));
            first.number
        };
        let places: Vec<_> = operations.iter().map(place).collect();
        assert!(places.is_sorted(), "{places:?}");
    }

    /// Calls of an operation so far.
    #[must_use]
    pub fn calls(&self, operation: &str) -> Vec<Call<<S::Cloud as Cloud>::Service>> {
        let mut calls = self.fake.requests();
        calls.retain(|call| call.operation == operation);
        calls
    }
}
