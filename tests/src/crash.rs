//! States that a power cut leaves: a load for a recorded disk, and how it is cut.

#![expect(
    clippy::disallowed_methods,
    reason = "the load of a disk that is thrown away"
)]

use crate::jbd2::{Image, S_START};
use crate::recorder::{Event, Recording, SECTOR};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Numbers that look random and are the same every time (xorshift).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// A sequence; every seed has its own.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end.max(1)
    }
}

/// Changes a mounted filesystem: files made, appended to, cut, renamed, linked, deleted (some while
/// open), folders made and deleted, attributes, and every few steps something is brought to the disk.
///
/// # Panics
/// If the filesystem refuses, other than for want of room.
pub fn load(root: &Path, steps: usize, seed: u64) {
    load_while(root, steps, seed, &mut |_| true);
}

/// As [`load`], and asks before every step whether to go on.
///
/// # Panics
/// As [`load`].
pub fn load_while(root: &Path, steps: usize, seed: u64, go_on: &mut dyn FnMut(usize) -> bool) {
    let mut numbers = Numbers::new(seed);
    let mut files: Vec<PathBuf> = Vec::new();
    let mut dirs = vec![root.to_path_buf()];
    let mut open: Vec<File> = Vec::new();
    for step in 0..steps {
        if !go_on(step) {
            return;
        }
        let dir = dirs[numbers.below(dirs.len())].clone();
        let some = numbers.below(files.len());
        let file = files.get(some).cloned();
        match (numbers.below(14), file) {
            (0..=3, _) | (_, None) => {
                let path = dir.join(format!("file-{step:04}-{}", "n".repeat(numbers.below(90))));
                if fs::write(&path, content(&mut numbers, 30_000)).is_ok() {
                    files.push(path);
                }
            }
            (4, Some(file)) => {
                append(&file, &content(&mut numbers, 20_000));
            }
            (5, Some(file)) => {
                let len = u64::try_from(numbers.below(9000)).expect("a length");
                let file = OpenOptions::new().write(true).open(file).expect("a file");
                file.set_len(len).expect("a shorter file");
            }
            (6, Some(file)) => {
                let to = dir.join(format!("renamed-{step:04}"));
                fs::rename(&file, &to).expect("another name");
                files[some] = to;
            }
            (7, Some(file)) => {
                let to = dir.join(format!("link-{step:04}"));
                if fs::hard_link(&file, &to).is_ok() {
                    files.push(to);
                }
            }
            (8, Some(file)) => {
                let value = content(&mut numbers, 600);
                let flags = rustix::fs::XattrFlags::empty();
                // OK to ignore: there may be no room.
                let _ = rustix::fs::setxattr(&file, "user.load", &value, flags);
            }
            (9, Some(file)) => {
                open.push(File::open(&file).expect("a file"));
                fs::remove_file(files.swap_remove(some)).expect("a file");
                if open.len() > 3 {
                    open.remove(0);
                }
            }
            (10, Some(_)) if dirs.len() < 12 => {
                let path = dir.join(format!("dir-{step:04}"));
                if fs::create_dir(&path).is_ok() {
                    dirs.push(path);
                }
            }
            (11, Some(_)) if dirs.len() > 6 => {
                let path = dirs.swap_remove(1 + numbers.below(dirs.len() - 1));
                // Whatever lies in it goes too.
                files.retain(|file| !file.starts_with(&path));
                dirs.retain(|dir| !dir.starts_with(&path));
                fs::remove_dir_all(&path).expect("a folder");
            }
            (_, Some(_)) => fs::remove_file(files.swap_remove(some)).expect("a file"),
        }
        settle(&mut numbers, &files);
    }
}

fn append(file: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(file).expect("a file");
    // OK to ignore: there may be no room.
    let _ = file.write_all(bytes);
}

/// Brings a file or everything to the disk, or nothing.
fn settle(numbers: &mut Numbers, files: &[PathBuf]) {
    let all = numbers.below(10);
    let Some(file) = files.get(numbers.below(files.len())) else {
        return;
    };
    match all {
        0..=2 => File::open(file)
            .and_then(|file| file.sync_all())
            .expect("room"),
        3 => {
            let file = File::open(file).expect("a file");
            rustix::fs::syncfs(file).expect("room");
        }
        _ => {}
    }
}

/// Bytes; sometimes with blocks that begin as those of a log do.
fn content(numbers: &mut Numbers, len_max: usize) -> Vec<u8> {
    let mut bytes = vec![0; numbers.below(len_max) + 1];
    let fill = u8::try_from(numbers.below(255)).expect("a byte") + 1;
    bytes.fill(fill);
    if numbers.below(3) == 0 {
        for block in bytes.chunks_exact_mut(1024) {
            block[..4].copy_from_slice(&[0xc0, 0x3b, 0x39, 0x98]);
        }
    }
    bytes
}

/// How a disk was cut off.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Behind this many events.
    pub count: usize,
    /// Whether writes that were not flushed are missing, of which this seed tells.
    pub dropped: Option<u64>,
    /// Whether of some of the writes that are not missing only a part of the sectors was written.
    torn: bool,
}

impl Cut {
    /// A cut at a place of the recording that `numbers` tell of.
    pub fn random(recording: &Recording, numbers: &mut Numbers) -> Self {
        let mut count = 1 + numbers.below(recording.events.len());
        let seed = u64::try_from(numbers.below(1 << 30)).expect("a number");
        let dropped = (numbers.below(3) > 0).then_some(seed);
        if dropped.is_some() && numbers.below(2) == 0 {
            // Just before a flush most is on its way: all of a transaction, its commit as well.
            let rest = recording.events[count..].iter();
            count += rest.take_while(|event| **event != Event::Flush).count();
        }
        let torn = dropped.is_some() && numbers.below(2) == 0;
        Self {
            count,
            dropped,
            torn,
        }
    }

    /// Whether writes are torn.
    #[must_use]
    pub const fn is_torn(self) -> bool {
        self.torn
    }

    /// The disk that is left.
    #[must_use]
    pub fn disk(self, recording: &Recording) -> Vec<u8> {
        let Some(seed) = self.dropped else {
            return recording.prefix(self.count);
        };
        let mut numbers = Numbers::new(seed);
        let share = 1 + numbers.below(9);
        let mut fate = Fate::default();
        recording.state(self.count, |write, sector| {
            if fate.write != Some(write) {
                fate = Fate::of(write, share, self.torn, &mut numbers);
            }
            match fate.sectors {
                Sectors::All => true,
                Sectors::None => false,
                Sectors::First(count) => sector < count,
                Sectors::But(missing) => sector != missing,
                Sectors::Some => numbers.below(2) == 0,
            }
        })
    }
}

/// A disk of which one sector of the log holds what it held before, though the disk claimed to have
/// flushed it: as if the disk were cut off behind `count` events and had lied. `None` if no such sector
/// differs.
#[must_use]
pub fn torn_log(
    recording: &Recording,
    image: &mut Image,
    numbers: &mut Numbers,
) -> Option<Vec<u8>> {
    let count = 1 + numbers.below(recording.events.len());
    image.bytes = recording.prefix(count);
    let start = usize::try_from(image.get(0, S_START)).expect("a block");
    let own: Vec<_> = image.own_blocks().into_iter().map(|own| own.0).collect();
    let last = own.iter().rposition(|block| *block >= start)?;
    let block = start + numbers.below(own[last] + 1 - start);
    let at = image.at(block) + SECTOR * numbers.below(image.block_size / SECTOR);
    let before = recording.prefix(count - numbers.below(count.min(700)));
    let (old, new) = (&before[at..at + SECTOR], &mut image.bytes[at..at + SECTOR]);
    let differs = start > 0 && old != new;
    new.copy_from_slice(old);
    differs.then(|| image.bytes.clone())
}

/// What became of one write.
#[derive(Default)]
struct Fate {
    write: Option<usize>,
    sectors: Sectors,
}

/// Sectors of a write that reached the platter.
#[derive(Default)]
enum Sectors {
    #[default]
    All,
    None,
    First(usize),
    /// All but one: the commit is there, and what it commits is not all there.
    But(usize),
    Some,
}

impl Fate {
    fn of(write: usize, share: usize, torn: bool, numbers: &mut Numbers) -> Self {
        let sectors = match (numbers.below(10) < share, torn, numbers.below(4)) {
            (false, ..) => Sectors::None,
            // The load's transactions have up to 40 sectors.
            (true, true, 0) => Sectors::First(numbers.below(40)),
            (true, true, 1) => Sectors::But(numbers.below(40)),
            (true, true, 2) => Sectors::Some,
            (true, ..) => Sectors::All,
        };
        Self {
            write: Some(write),
            sectors,
        }
    }
}

/// Writes and flushes of a recording.
#[must_use]
pub fn counts(recording: &Recording) -> (usize, usize) {
    let flushes = recording.events.iter();
    let flushes = flushes.filter(|event| **event == Event::Flush).count();
    (recording.events.len() - flushes, flushes)
}
