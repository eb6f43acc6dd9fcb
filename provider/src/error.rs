//! Why a source cannot be opened.
//!
//! A message has four parts: what failed, on which object, why, and what to try next. `Display` gives
//! the first three, [`Error::hint`] the last.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// Exhaustive on purpose: the table of exit codes must not compile when a case is added and forgotten.
#[derive(Debug)]
pub enum Error {
    /// The bytes, or what they mean.
    Fs(flr_fs::Error),
    /// There is nothing of this name.
    NotFound {
        /// The name that was asked for.
        path: PathBuf,
    },
    /// The user may not read it.
    Denied {
        /// What was to be opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody may write to it. Reading it would mix states of different times.
    Busy {
        /// What was to be opened.
        path: PathBuf,
        /// Who uses it, and how: `mounted read-write at /srv`.
        by: String,
    },
    /// It is nothing that bytes can be read from at any place.
    Unsupported {
        /// What was to be opened.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The system failed in some other way.
    Io {
        /// What was to be opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Sorts what the system said on opening `path`.
    pub(crate) fn from_open(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path, source },
            _ => Self::Io { path, source },
        }
    }

    /// What to try next, as a sentence without a full stop.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Fs(_) | Self::Io { .. } => None,
            Self::NotFound { .. } => Some("check the name; a relative one starts where you are"),
            Self::Denied { .. } => {
                Some("run it as a user who may read the image, or as root for a block device")
            }
            Self::Busy { .. } => Some(
                "read a snapshot of it, unmount it or mount it read-only, or accept a moving image with --live",
            ),
            Self::Unsupported { .. } => Some("name an image file or a block device"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fs(error) => error.fmt(f),
            Self::NotFound { path } => {
                write!(f, "cannot open {}: no such file or device", path.display())
            }
            Self::Denied { path, source } | Self::Io { path, source } => {
                write!(f, "cannot open {}: {source}", path.display())
            }
            Self::Busy { path, by } => write!(f, "refused to open {}: {by}", path.display()),
            Self::Unsupported { path, what } => {
                write!(f, "cannot open {}: it is {what}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fs(error) => Some(error),
            Self::Denied { source, .. } | Self::Io { source, .. } => Some(source),
            Self::NotFound { .. } | Self::Busy { .. } | Self::Unsupported { .. } => None,
        }
    }
}

impl From<flr_fs::Error> for Error {
    fn from(error: flr_fs::Error) -> Self {
        Self::Fs(error)
    }
}
