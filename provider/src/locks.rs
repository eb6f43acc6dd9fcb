//! Virtual machines that have an image open for writing.
//!
//! QEMU and its tools lock single bytes of the image with open file description locks: byte 100 + n
//! while permission n is in use (1 write, 2 write unchanged, 3 resize). Shared locks all of them, so it
//! is asked whether an exclusive one could be had, without ever taking it. Other hypervisors that lock
//! the whole file for writing answer the same question.
//!
//! Source: QEMU `block/file-posix.c`, `RAW_LOCK_PERM_BASE`.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bytes for write, write unchanged and resize.
const WRITERS: std::ops::Range<i64> = 101..104;
/// Where QEMU's bytes begin.
const QEMU: i64 = 100;

/// Who has `file` locked for writing, in words.
pub(crate) fn writer(file: &File) -> Option<String> {
    let mut lock = libc::flock {
        l_type: lock_type(libc::F_WRLCK),
        l_whence: lock_type(libc::SEEK_SET),
        l_start: WRITERS.start,
        l_len: WRITERS.end.saturating_sub(WRITERS.start),
        l_pid: 0,
    };
    // A file system without locks has no locked files.
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock)).ok()?;
    // A shared lock over the whole file is that of another reader.
    let writes = lock.l_type == lock_type(libc::F_WRLCK)
        || (lock.l_type == lock_type(libc::F_RDLCK) && lock.l_start >= QEMU);
    writes.then(|| match holder(file) {
        Some(process) => format!("it is locked for writing by {process}"),
        None => "it is locked for writing by another process, as a running virtual machine does"
            .to_owned(),
    })
}

/// The constants are small and of another type than the field.
fn lock_type(constant: i32) -> i16 {
    i16::try_from(constant).unwrap_or(i16::MAX)
}

/// The process that holds a lock on the file, as far as `/proc` shows it to us.
///
/// The lock itself names no process: an open file description can belong to several.
fn holder(file: &File) -> Option<String> {
    let file = file.metadata().ok()?;
    let processes = fs::read_dir("/proc").ok()?;
    for process in processes.filter_map(Result::ok) {
        let name = process.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if holds(&process.path(), &file) {
            let command = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {id})", command.trim_end()));
        }
    }
    None
}

fn holds(process: &Path, file: &fs::Metadata) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors.filter_map(Result::ok).any(|descriptor| {
        let same = fs::metadata(descriptor.path())
            .is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()));
        let info = || fs::read_to_string(process.join("fdinfo").join(descriptor.file_name()));
        same && info().is_ok_and(|info| info.lines().any(|line| line.starts_with("lock:")))
    })
}
