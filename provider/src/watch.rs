//! Whether a file is still the one that was opened.
//!
//! After each read the file's size and time of change are looked at. Reads are positioned and hold no
//! lock, so whatever changed before the read ended is seen:
//!
//! | seen | answer |
//! |---|---|
//! | shorter | reads past the new end fail, for ever: what is there after it grows again are not the old bytes |
//! | anything else | every read fails, unless the user asked for a live source |
//!
//! What this cannot see: a write that leaves the time as it was. Kernels before 6.13 count it in ticks
//! of 1 to 10 ms, so a write in the same tick as the last one before the opening; a tool that sets the
//! time back. A file system on a block device writes past the device's node, which is why a mounted
//! device is refused when it is opened.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Size as the inode has it: 0 for a block device.
    pub(crate) size: u64,
    /// Time of the last change, seconds and nanoseconds.
    pub(crate) mtime: (i64, i64),
}

/// The state of one open file.
#[derive(Debug)]
pub(crate) struct Watch {
    opened: Stamp,
    live: bool,
    /// Whether `state` differs from what was opened.
    disturbed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The smallest size seen: bytes behind it are lost.
    end: u64,
    last: Stamp,
    changed: bool,
}

impl Watch {
    pub(crate) const fn new(size: u64, opened: Stamp, live: bool) -> Self {
        Self {
            opened,
            live,
            disturbed: AtomicBool::new(false),
            state: Mutex::new(State {
                end: size,
                last: opened,
                changed: false,
            }),
        }
    }

    /// Whether everything read before this call can be believed, at the cost of one `stat`. `false`
    /// asks for [`Watch::check`].
    pub(crate) fn is_quiet(&self, stat: impl Fn() -> io::Result<Stamp>) -> bool {
        !self.disturbed.load(Ordering::Acquire) && stat().is_ok_and(|now| now == self.opened)
    }

    /// Whether bytes up to `end` that were read before this call can be believed.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file has been shorter, `StaleNetworkFileHandle` with [`ImageChanged`]
    /// if it has been written to, or what `stat` says.
    pub(crate) fn check(
        &self,
        end: u64,
        stat: impl Fn() -> io::Result<Stamp>,
    ) -> Result<(), io::Error> {
        if self.is_quiet(&stat) {
            return Ok(());
        }
        // Once more under the lock: two threads must not see the file's history in different orders.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stat()?;
        if now.size < state.last.size {
            state.end = state.end.min(now.size);
            state.last = now;
        } else if now != state.last {
            state.changed = true;
            state.last = now;
        }
        self.disturbed.store(true, Ordering::Release);
        if end > state.end {
            return Err(ended(state.end));
        }
        if state.changed && !self.live {
            return Err(io::Error::new(
                io::ErrorKind::StaleNetworkFileHandle,
                ImageChanged,
            ));
        }
        Ok(())
    }
}

/// The error for bytes that are no longer there.
pub(crate) fn ended(end: u64) -> io::Error {
    let detail = format!("the image ends at byte {end:#x}, it has become shorter");
    io::Error::new(io::ErrorKind::UnexpectedEof, detail)
}

/// The image was written to while it was open. Found inside of an [`io::Error`] of the kind
/// `StaleNetworkFileHandle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageChanged;

impl fmt::Display for ImageChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the image has changed while it was open")
    }
}

impl std::error::Error for ImageChanged {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const fn stamp(size: u64, seconds: i64) -> Stamp {
        Stamp {
            size,
            mtime: (seconds, 0),
        }
    }

    /// The kinds of errors of reads up to byte 10 and up to byte 100, as the file changes.
    fn history(live: bool, stamps: &[Stamp]) -> Vec<[Option<io::ErrorKind>; 2]> {
        let watch = Watch::new(100, stamp(100, 1), live);
        let now = Cell::new(stamp(100, 1));
        let kind = |end| {
            let checked = watch.check(end, || Ok(now.get()));
            checked.err().map(|error| error.kind())
        };
        (stamps.iter())
            .map(|stamp| {
                now.set(*stamp);
                [kind(10), kind(100)]
            })
            .collect()
    }

    const EOF: Option<io::ErrorKind> = Some(io::ErrorKind::UnexpectedEof);
    const STALE: Option<io::ErrorKind> = Some(io::ErrorKind::StaleNetworkFileHandle);

    #[test]
    fn a_file_that_stays_as_it_is_is_read() {
        assert_eq!(history(false, &[stamp(100, 1); 2]), [[None, None]; 2]);
    }

    #[test]
    fn a_shorter_file_is_read_up_to_its_end() {
        let stamps = [stamp(50, 2), stamp(50, 2), stamp(5, 3)];
        assert_eq!(
            history(false, &stamps),
            [[None, EOF], [None, EOF], [EOF, EOF]]
        );
    }

    #[test]
    fn what_grows_again_is_not_what_was_there() {
        let stamps = [stamp(50, 2), stamp(100, 3), stamp(100, 1)];
        assert_eq!(
            history(false, &stamps),
            [[None, EOF], [STALE, EOF], [STALE, EOF]]
        );
        assert_eq!(history(true, &stamps), [[None, EOF]; 3]);
    }

    #[test]
    fn a_file_that_is_written_to_is_refused_unless_live() {
        let stamps = [stamp(100, 2), stamp(100, 1), stamp(200, 3)];
        assert_eq!(history(false, &stamps), [[STALE, STALE]; 3]);
        assert_eq!(history(true, &stamps), [[None, None]; 3]);
    }

    #[test]
    fn a_stat_that_fails_is_no_permission() {
        let watch = Watch::new(100, stamp(100, 1), true);
        let failed = watch.check(1, || Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
