//! Regular files and block devices as byte sources.

use crate::error::{Error, Result};
use crate::watch::{self, Stamp, Watch};
use crate::{device, locks};
use flr_fs::source::{
    ByteSource, Location, ReadRequest, Segment, SegmentKind, check_nonempty, check_range,
};
use rustix::fs::{Advice, Mode, OFlags, SeekFrom, fadvise, fstat, ioctl_blksszget, seek};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io;
use std::num::{NonZeroU32, NonZeroU64};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How a file is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Read it although somebody may write to it. What is read may then mix states of different times.
    pub live: bool,
}

/// A regular file or a block device, open for reading.
///
/// Reads are positioned and never mapped: a file that becomes shorter is an error, not a signal. After
/// each read the file is checked for changes.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    path: PathBuf,
    size: u64,
    granule: NonZeroU32,
    regular: bool,
    watch: Watch,
}

/// What the page cache reads at once: the smallest piece of a regular file that fails alone.
const PAGE: u32 = 4096;

impl FileSource {
    /// Opens the file or block device at `path`. Nothing is written to it, and its time of access
    /// stays as it was where the user may ask for that.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody may write to it and `options` do not allow for that: it, a part of
    /// it or something built from it is mounted read-write or swapped to, a virtual machine has it locked,
    /// or the kernel has given the device to somebody whom this process cannot see.
    /// [`Error::Unsupported`] for directories, FIFOs, sockets and character devices; they are not opened,
    /// since opening can already have an effect. Otherwise what the system says.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self> {
        let (file, metadata) = open_for_reading(path)?;
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let regular = metadata.is_file();
        let (size, granule) = if regular {
            (metadata.len(), PAGE)
        } else {
            let size = seek(&file, SeekFrom::End(0)).map_err(|error| io(error.into()))?;
            (size, ioctl_blksszget(&file).unwrap_or(PAGE))
        };
        if !regular && size == 0 {
            return Err(Error::Unsupported {
                path: path.to_owned(),
                what: "a block device without a medium",
            });
        }
        // Before the question who may write: what changes in between is noticed.
        let opened = stamp(&file).map_err(io)?;
        if !options.live
            && let Some(by) = writer(&file, &metadata)
        {
            let path = path.to_owned();
            return Err(Error::Busy { path, by });
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            size,
            granule: NonZeroU32::new(granule).unwrap_or(NonZeroU32::MIN),
            regular,
            watch: Watch::new(size, opened, options.live),
        })
    }

    /// The name it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills `buf` with bytes that still have to be checked; returns where they end.
    fn fill(&self, offset: u64, buf: &mut [u8]) -> flr_fs::Result<u64> {
        let end = check_range(offset, buf.len(), self.size)?;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            match self.file.read_at(rest, at) {
                Ok(0) => {
                    // Says why, where it is known: the file has become shorter.
                    self.check(at, end)?;
                    return Err(flr_fs::Error::io(at, watch::ended(at)));
                }
                Ok(count) => {
                    rest = rest.get_mut(count..).unwrap_or(&mut []);
                    at = at.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(flr_fs::Error::io(at, error)),
            }
        }
        Ok(end)
    }

    /// Whether bytes read up to `end` can be believed.
    fn check(&self, at: u64, end: u64) -> flr_fs::Result<()> {
        let checked = self.watch.check(end, || stamp(&self.file));
        checked.map_err(|error| flr_fs::Error::io(at, error))
    }

    /// The end of the data or hole that `range` begins in, and whether it is a hole.
    fn stretch(&self, range: &Range<u64>) -> Result<(u64, bool), Errno> {
        let data = match seek(&self.file, SeekFrom::Data(range.start)) {
            Ok(data) => data,
            // No more data up to the end of the file.
            Err(Errno::NXIO) => return Ok((range.end, true)),
            Err(error) => return Err(error),
        };
        if data > range.start {
            return Ok((data.min(range.end), true));
        }
        let hole = seek(&self.file, SeekFrom::Hole(range.start))?;
        Ok((hole.min(range.end), false))
    }
}

/// The bytes can be had by others as well: to clone them on the same file system, for example.
impl AsFd for FileSource {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl ByteSource for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        let end = self.fill(offset, buf)?;
        self.check(offset, end)
    }

    /// One look at the file's state answers for all reads before it.
    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        for read in &mut *reads {
            read.result = self.fill(read.offset, read.buf).map(drop);
        }
        if self.watch.is_quiet(|| stamp(&self.file)) {
            return;
        }
        for read in reads.iter_mut().filter(|read| read.result.is_ok()) {
            let end = check_range(read.offset, read.buf.len(), self.size);
            read.result = end.and_then(|end| self.check(read.offset, end));
        }
    }

    /// Where the bytes lie: `Stored` is the file itself, at the same offset.
    fn segment_at(&self, range: Range<u64>) -> flr_fs::Result<Segment> {
        let len = check_nonempty(&range, self.size)?;
        let offset = range.start;
        let stored = SegmentKind::Stored(Location { member: 0, offset });
        let (end, hole) = if self.regular {
            // A file system that keeps no map has no holes.
            self.stretch(&range).unwrap_or((range.end, false))
        } else {
            (range.end, false)
        };
        // A file that has become shorter looks like a hole behind its end.
        self.check(offset, end)?;
        Ok(Segment {
            len: end.saturating_sub(offset).clamp(1, len),
            kind: if hole { SegmentKind::Hole } else { stored },
        })
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        for range in ranges {
            let len = range.end.min(self.size).saturating_sub(range.start);
            if let Some(len) = NonZeroU64::new(len) {
                // Only a hint: what fails here will be said by the read.
                let _ = fadvise(&self.file, range.start, Some(len), Advice::WillNeed);
            }
        }
    }

    fn granule(&self) -> NonZeroU32 {
        self.granule
    }
}

/// The state of the file now. Not by `File::metadata`, which asks for more than is compared and takes
/// longer.
fn stamp(file: &File) -> io::Result<Stamp> {
    let stat = fstat(file)?;
    Ok(Stamp {
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: (
            stat.st_mtime,
            i64::try_from(stat.st_mtime_nsec).unwrap_or(i64::MAX),
        ),
    })
}

/// Opens without effect first, and for reading only what is known to be a file or block device: a
/// FIFO would wait for a writer, a tape would rewind, a watchdog would start to run.
fn open_for_reading(path: &Path) -> Result<(File, Metadata)> {
    let failed = |error: Errno| Error::from_open(path, error.into());
    let handle = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let handle = File::from(handle.map_err(failed)?);
    let metadata = |file: &File| {
        let metadata = file.metadata();
        metadata.map_err(|source| Error::from_open(path, source))
    };
    check_kind(path, &metadata(&handle)?)?;
    let file = File::from(reopen(path, &handle).map_err(failed)?);
    let opened = metadata(&file)?;
    // Where `/proc` is missing the name was looked up twice.
    check_kind(path, &opened)?;
    Ok((file, opened))
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<()> {
    let kind = metadata.file_type();
    let what = if kind.is_file() || kind.is_block_device() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() {
        "a character device"
    } else {
        "neither a file nor a block device"
    };
    let path = path.to_owned();
    Err(Error::Unsupported { path, what })
}

fn reopen(path: &Path, handle: &File) -> Result<OwnedFd, Errno> {
    // Without blocking: a drive may be empty, and the name may have become a FIFO.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let same = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    let name = if same.exists() { same.as_path() } else { path };
    // Only the owner may ask that the time of access stays.
    match rustix::fs::open(name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::open(name, flags, Mode::empty()),
        opened => opened,
    }
}

/// Somebody who may write to the file or device, in words.
fn writer(file: &File, metadata: &Metadata) -> Option<String> {
    if let Some(by) = locks::writer(file) {
        return Some(by);
    }
    if metadata.is_file() {
        return device::file_writer(metadata);
    }
    let node = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    device::writer(device::split(metadata.rdev()), &node)
}
