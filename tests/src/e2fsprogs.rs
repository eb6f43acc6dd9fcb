//! Logs made and replayed by others: e2fsprogs and the kernel.

#![expect(
    clippy::disallowed_methods,
    reason = "images that are made here, and copies of them"
)]

use crate::image::scratch;
use crate::jbd2::{Image, MAGIC, S_SEQUENCE};
use crate::mounted::{Loop, Mount};
use std::path::Path;
use std::process::Command;

/// Who replays the copy.
#[derive(Clone, Copy, Debug)]
pub enum Oracle {
    /// `e2fsck -E journal_only`, which clears orphans besides.
    E2fsck,
    /// `debugfs -R jr`, which does nothing else.
    Debugfs,
}

impl Oracle {
    /// The image after its log was replayed.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn replayed(self, image: &[u8]) -> Vec<u8> {
        self.answer(image).expect("a sound log")
    }

    /// As [`Oracle::replayed`]; `None` if the log is refused.
    ///
    /// # Panics
    /// If it fails otherwise.
    #[must_use]
    pub fn answer(self, image: &[u8]) -> Option<Vec<u8>> {
        let copy = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
        std::fs::write(copy.path(), image).expect("room");
        let mut command = match self {
            Self::E2fsck => Command::new("e2fsck"),
            Self::Debugfs => Command::new("debugfs"),
        };
        match self {
            Self::E2fsck => command.args(["-E", "journal_only", "-y"]),
            // Before the replay bitmaps need not fit their checksums: -n.
            Self::Debugfs => command.args(["-n", "-w", "-R", "jr"]),
        };
        let done = command.arg(copy.path()).output().expect("e2fsprogs");
        if matches!(self, Self::Debugfs) {
            // It ends with 0 in any case, and tells its version.
            let told = String::from_utf8_lossy(&done.stderr);
            // A checksum or the log's own superblock is not there, or a log without checksums
            // replayed rubbish over the superblock or the log's inode.
            let refusals = [
                "Bad CRC",
                "Bad magic number in super-block while recovering",
                "Journal must be at least 1024 blocks while recovering",
            ];
            if refusals.iter().any(|refusal| told.contains(refusal)) {
                return None;
            }
            assert!(told.lines().count() <= 1, "{told}");
        }
        let code = done.status.code();
        // e2fsck ends with 1 when it changed something.
        assert!(code.is_some_and(|code| code <= 1), "{done:?}");
        Some(std::fs::read(copy.path()).expect("the copy"))
    }
}

/// The image after the kernel mounted it read-only and with that replayed its log; `None` if it would
/// not. Wants root.
///
/// # Panics
/// If there is no room.
#[must_use]
pub fn replayed_by_kernel(image: &[u8]) -> Option<Vec<u8>> {
    mounted_by_kernel(image, "ro")
}

/// As [`replayed_by_kernel`], mounted with `options`. Linux 6.18 replays fast commits only where it may
/// write: read-only it warns of itself and refuses.
///
/// # Panics
/// If there is no room.
#[must_use]
pub fn mounted_by_kernel(image: &[u8], options: &str) -> Option<Vec<u8>> {
    let copy = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    std::fs::write(copy.path(), image).expect("room");
    let on = tempfile::tempdir().expect("a folder");
    // Not by the option `loop`: a device that cannot be written to is not replayed.
    let device = Loop::new(copy.path());
    drop(Mount::new(&device, "ext4", on.path(), options)?);
    drop(device);
    Some(std::fs::read(copy.path()).expect("the copy"))
}

/// How a log is made: its name, arguments of `mke2fs` and of `jo`.
pub type Kind = (&'static str, &'static [&'static str], &'static str);

/// Kinds of logs.
pub const KINDS: &[Kind] = &[
    ("64-bit, v3", &["-t", "ext4", "-b", "1024"], "-c -v 3"),
    ("64-bit, v2", &["-t", "ext4", "-b", "1024"], "-c -v 2"),
    ("64-bit, none", &["-t", "ext4", "-b", "1024"], ""),
    (
        "32-bit, v3",
        &["-t", "ext4", "-b", "1024", "-O", "^64bit"],
        "-c -v 3",
    ),
    (
        "32-bit, v2",
        &["-t", "ext4", "-b", "1024", "-O", "^64bit"],
        "-c -v 2",
    ),
    (
        "32-bit, none",
        &["-t", "ext4", "-b", "1024", "-O", "^64bit,^metadata_csum"],
        "",
    ),
    ("ext3, block map", &["-t", "ext3", "-b", "1024"], ""),
    ("blocks of 4 KiB", &["-t", "ext4", "-b", "4096"], "-c -v 3"),
];

/// Fills blocks of a file; the first word of some is the log's signature.
fn content(dir: &Path, name: &str, blocks: usize, len: usize, seed: u8) -> String {
    let mut bytes = Vec::new();
    for block in 0..blocks {
        let mut one = vec![seed.wrapping_add(u8::try_from(block).expect("few")); len];
        if block % 3 == 1 {
            one[..4].copy_from_slice(&MAGIC.to_be_bytes());
        }
        bytes.append(&mut one);
    }
    let path = dir.join(name);
    std::fs::write(&path, bytes).expect("room");
    path.display().to_string()
}

/// A filesystem whose log, made by `debugfs`, holds several transactions: escaped blocks, blocks logged
/// twice, revoked, revoked and used again, and a transaction without its commit.
///
/// # Panics
/// If there is no room.
#[must_use]
pub fn made(kind: Kind, sequence: Option<u32>) -> Image {
    let (_, mkfs, open) = kind;
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let path = dir.path().join("image");
    let (log, size) = match kind.0.contains("4 KiB") {
        true => ("size=4", "16M"),
        false => ("size=1", "6M"),
    };
    mke2fs(&path, &[mkfs, &["-J", log]].concat(), size);
    let mut image = Image::load(&path);
    if let Some(sequence) = sequence {
        image.put_superblock(S_SEQUENCE, sequence);
        image.save(&path);
    }
    let len = image.block_size;
    let file = content(dir.path(), "file", 40, len, 1);
    debugfs(&path, &[format!("write {file} file")]);
    let blocks: Vec<String> = debugfs_output(&path, "blocks file")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let list = |range: std::ops::Range<usize>| blocks[range].join(",");
    let a = content(dir.path(), "a", 20, len, 0x40);
    let b = content(dir.path(), "b", 10, len, 0x80);
    let c = content(dir.path(), "c", 3, len, 0xc0);
    debugfs(
        &path,
        &[
            format!("jo {open}"),
            format!("jw -b {} {a}", list(0..20)),
            format!("jw -b {} {b}", list(5..15)),
            format!("jw -r {} {b}", list(8..12)),
            format!("jw -b {} {c}", list(10..13)),
            format!("jw -r {} -b {} {c}", list(0..2), list(1..4)),
            format!("jw -c -b {} {c}", list(30..33)),
            "jc".into(),
        ],
    );
    Image::load(&path)
}

/// Runs commands of `debugfs` on an image.
///
/// # Panics
/// If they complain.
pub fn debugfs(path: &Path, commands: &[String]) {
    let script = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    std::fs::write(script.path(), commands.join("\n")).expect("room");
    let mut command = Command::new("debugfs");
    command.arg("-w").arg("-f").arg(script.path()).arg(path);
    let done = command.output().expect("debugfs");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    let told: Vec<_> = told.lines().skip(1).collect();
    assert!(done.status.success() && told.is_empty(), "{told:#?}");
}

/// What `debugfs` answers to a question.
///
/// # Panics
/// If it does not.
#[must_use]
pub fn debugfs_output(path: &Path, question: &str) -> String {
    let mut command = Command::new("debugfs");
    let done = command.args(["-R", question]).arg(path).output();
    String::from_utf8(done.expect("debugfs").stdout).expect("text")
}

/// Makes an ext filesystem.
///
/// # Panics
/// If it cannot be made.
pub fn mke2fs(path: &Path, args: &[&str], size: &str) {
    let mut command = Command::new("mke2fs");
    let made = command.args(["-q", "-F"]).args(args).arg(path).arg(size);
    let made = made.output().expect("mke2fs");
    assert!(made.status.success(), "{made:?}");
}
