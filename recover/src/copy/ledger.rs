//! What a copy has finished, written down while it runs, so that it can be gone on with.
//!
//! | bytes | record                                                                    |
//! |-------|---------------------------------------------------------------------------|
//! | 16    | which file: SHA-256 of size, modification time and destination, cut       |
//! | 32    | SHA-256 of its content                                                    |
//! | 8     | SHA-256 of the 48 bytes above, cut: what was torn is no record            |
//!
//! Nothing rests on the ledger but that less is read: a file is compared with the source where it has no
//! record.

use super::resume::Recorded;
use super::run::write_error;
use super::verify::{Digest, Hasher};
use crate::error::Result;
use flr_fs::bytes::len_u64;
use flr_fs::{Metadata, Timestamp};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const KEY_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;
const CHECK_BYTES: usize = 8;
const RECORD_BYTES: usize = KEY_BYTES + DIGEST_BYTES + CHECK_BYTES;

type Key = [u8; KEY_BYTES];

/// A ledger that is being written. Only one process has it open.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    path: PathBuf,
}

/// What a ledger said when it was opened. Takes 8 bytes a file; the records are read when they are asked for.
#[derive(Debug, Default)]
pub struct Records {
    file: Option<File>,
    /// The first half of a number is the beginning of a key, the second where its record stands. In order.
    places: Vec<u64>,
}

impl Ledger {
    /// Opens the ledger at `path`, whose folder must exist, and reads what is in it. `None`: another
    /// process has it open.
    ///
    /// # Errors
    /// [`crate::Error::Write`].
    pub fn open(path: &Path) -> Result<Option<(Self, Records)>> {
        let failed = |error: io::Error| write_error(path, error);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| failed(errno.into()))?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(failed(errno.into())),
        }
        let mut file = File::from(fd);
        let records = Records::read(&mut file).map_err(failed)?;
        // What is torn at the end would shift all that follows.
        let whole = u64::try_from(RECORD_BYTES).unwrap_or(u64::MAX);
        let len = file.metadata().map_err(failed)?.len();
        let torn = len.checked_rem(whole).unwrap_or(0);
        if torn > 0 {
            file.set_len(len.saturating_sub(torn)).map_err(failed)?;
        }
        let path = path.to_path_buf();
        Ok(Some((Self { file, path }, records)))
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// [`crate::Error::Write`].
    pub fn clear(&self) -> Result<()> {
        self.file
            .set_len(0)
            .map_err(|error| write_error(&self.path, error))
    }

    /// Writes down that a file is finished.
    ///
    /// # Errors
    /// [`crate::Error::Write`].
    pub fn add(
        &mut self,
        destination: &Path,
        size: u64,
        modified: Timestamp,
        digest: &Digest,
    ) -> Result<()> {
        let mut record = Vec::with_capacity(RECORD_BYTES);
        record.extend(key(destination, size, modified));
        record.extend(digest.bytes());
        let check = cut::<CHECK_BYTES>(&record);
        record.extend(check);
        self.file
            .write_all(&record)
            .map_err(|error| write_error(&self.path, error))
    }

    /// Removes the file: everything it was for is done.
    ///
    /// # Errors
    /// [`crate::Error::Write`].
    pub fn remove(self) -> Result<()> {
        match rustix::fs::unlink(&self.path) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(write_error(&self.path, errno.into())),
        }
    }
}

impl Records {
    fn read(file: &mut File) -> io::Result<Self> {
        let mut places = Vec::new();
        let mut reader = BufReader::with_capacity(1 << 16, &mut *file);
        let mut record = [0; RECORD_BYTES];
        let mut number = 0_u32;
        while fill(&mut reader, &mut record)? {
            if let Some((key, _)) = parse(&record) {
                places.push(place(&key, number));
            }
            let Some(next) = number.checked_add(1) else {
                break;
            };
            number = next;
        }
        places.shrink_to_fit();
        places.sort_unstable();
        Ok(Self {
            file: Some(file.try_clone()?),
            places,
        })
    }

    /// Whether this file is among them. Reads from the disk.
    #[must_use]
    pub fn has(&self, destination: &Path, size: u64, modified: Timestamp) -> bool {
        self.find(&key(destination, size, modified)).is_some()
    }

    /// Of several records of one file the last one counts. One that cannot be read is none.
    fn find(&self, wanted: &Key) -> Option<Digest> {
        let file = self.file.as_ref()?;
        let (first, last) = (place(wanted, 0), place(wanted, u32::MAX));
        let start = self.places.partition_point(|place| *place < first);
        let end = self.places.partition_point(|place| *place <= last);
        let mut alike = self.places.get(start..end)?.iter().rev();
        alike.find_map(|place| {
            let number = *place & u64::from(u32::MAX);
            let mut record = [0; RECORD_BYTES];
            let at = number.checked_mul(len_u64(RECORD_BYTES))?;
            file.read_exact_at(&mut record, at).ok()?;
            let (key, digest) = parse(&record)?;
            (key == *wanted).then(|| Digest::new(digest))
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

impl Recorded for Records {
    fn digest_of(&self, destination: &Path, source: &Metadata) -> Option<Digest> {
        self.find(&key(destination, source.size, source.mtime))
    }
}

fn key(destination: &Path, size: u64, modified: Timestamp) -> Key {
    let mut text = Vec::new();
    text.extend(size.to_le_bytes());
    text.extend(modified.seconds.to_le_bytes());
    text.extend(modified.nanoseconds.to_le_bytes());
    text.extend(destination.as_os_str().as_bytes());
    cut(&text)
}

/// The first bytes of the SHA-256 of `bytes`.
fn cut<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    let mut first = [0; N];
    for (to, from) in first.iter_mut().zip(hasher.finish().bytes()) {
        *to = *from;
    }
    first
}

/// The key and the digest of a record; `None` if it is torn.
fn parse(record: &[u8; RECORD_BYTES]) -> Option<(Key, [u8; DIGEST_BYTES])> {
    let (body, check) = record.split_at_checked(KEY_BYTES.saturating_add(DIGEST_BYTES))?;
    let (key, digest) = body.split_at_checked(KEY_BYTES)?;
    if cut::<CHECK_BYTES>(body) != check {
        return None;
    }
    Some((key.try_into().ok()?, digest.try_into().ok()?))
}

/// Where the record of this number stands, in the list.
fn place(key: &Key, number: u32) -> u64 {
    let [a, b, c, d, ..] = *key;
    u64::from(u32::from_be_bytes([a, b, c, d])) << 32 | u64::from(number)
}

/// Fills `record`; `false` at the end, also in the middle of a record.
fn fill(reader: &mut impl Read, record: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(record) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp {
            seconds,
            nanoseconds: 5,
        }
    }

    fn digest(byte: u8) -> Digest {
        Digest::new([byte; 32])
    }

    fn lookup(records: &Records, name: &str) -> Option<Digest> {
        records.find(&key(Path::new(name), 3, time(1)))
    }

    #[test]
    fn records_survive_a_torn_end_and_flipped_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, records) = Ledger::open(&path).unwrap().unwrap();
        assert!(records.is_empty());
        for (name, byte) in [("a", 1), ("b", 2), ("a", 3)] {
            (ledger.add(Path::new(name), 3, time(1), &digest(byte))).unwrap();
        }
        assert!(Ledger::open(&path).unwrap().is_none(), "one at a time");
        ledger.file.write_all(b"torn").unwrap();
        // The lock goes with the last of both.
        drop((ledger, records));
        let (mut ledger, records) = Ledger::open(&path).unwrap().unwrap();
        assert_eq!(lookup(&records, "a"), Some(digest(3)));
        assert_eq!(lookup(&records, "b"), Some(digest(2)));
        assert_eq!(lookup(&records, "c"), None);
        (ledger.add(Path::new("c"), 3, time(1), &digest(4))).unwrap();
        // One bit of the record of `b`.
        let mut all = std::fs::read(&path).unwrap();
        all[60] ^= 1;
        ledger.clear().unwrap();
        ledger.file.write_all(&all).unwrap();
        // The lock goes with the last of both.
        drop((ledger, records));
        let (ledger, records) = Ledger::open(&path).unwrap().unwrap();
        assert_eq!(lookup(&records, "b"), None);
        assert_eq!(lookup(&records, "c"), Some(digest(4)));
        assert_eq!(records.len(), 3);
        ledger.remove().unwrap();
        assert!(!path.exists());
    }
}
