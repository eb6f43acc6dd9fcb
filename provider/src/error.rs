//! Why a source cannot be opened.
//!
//! A message has four parts: what failed, on which object, why, and what to try next. `Display` gives
//! the first three, [`Error::hint`] the last.

use crate::engine::{self, Cleanup};
use crate::fault::Fault;
use std::borrow::Cow;
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
    /// A provider or server refused, or cannot be reached.
    Remote {
        /// What was done, on what: `list the snapshots of vol-1`.
        doing: String,
        /// What it said.
        fault: Fault,
        /// What to try next.
        hint: Option<String>,
    },
    /// There is no such object or point.
    NoSuch {
        /// What there is none of, in words.
        what: String,
        /// What to try next.
        hint: Option<String>,
    },
    /// It cannot be read, or not in the way that was asked for: a state, a tier, a feature.
    Refused {
        /// What, and why.
        what: String,
        /// What to try next.
        hint: Option<String>,
    },
    /// The configuration, an option or an address makes no sense.
    Usage {
        /// What does not.
        what: String,
        /// What to try next.
        hint: Option<String>,
    },
    /// It would cost more than was allowed, or has a lasting effect that was not agreed to.
    Cost {
        /// What it would do.
        what: String,
        /// What to try next.
        hint: Option<String>,
    },
    /// Something temporary could not be made.
    Engine(engine::Error),
    /// It failed, and something temporary that was made on the way may remain.
    Leftover {
        /// Why it failed.
        error: Box<Self>,
        /// What is gone, and what may remain.
        cleanup: Box<Cleanup>,
    },
}

impl Error {
    /// A call that failed.
    #[must_use]
    pub fn remote(doing: impl Into<String>, fault: Fault) -> Self {
        Self::Remote {
            doing: doing.into(),
            fault,
            hint: None,
        }
    }

    /// The same, if nothing remains of what was made on the way; else with what does.
    #[must_use]
    pub fn with_leftovers(self, cleanup: Cleanup) -> Self {
        let error = Box::new(self);
        match cleanup.is_clean() {
            true => *error,
            false => Self::Leftover {
                error,
                cleanup: Box::new(cleanup),
            },
        }
    }

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
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        let fixed = match self {
            Self::Fs(_) | Self::Io { .. } | Self::Engine(_) => None,
            Self::Remote { hint, .. }
            | Self::NoSuch { hint, .. }
            | Self::Refused { hint, .. }
            | Self::Usage { hint, .. }
            | Self::Cost { hint, .. } => return hint.as_deref().map(Cow::Borrowed),
            Self::Leftover { .. } => Some("settle that, then run flr gc"),
            Self::NotFound { .. } => Some("check the name; a relative one starts where you are"),
            Self::Denied { .. } => {
                Some("run it as a user who may read the image, or as root for a block device")
            }
            Self::Busy { .. } => Some(
                "read a snapshot of it, unmount it or mount it read-only, or accept a moving image with --live",
            ),
            Self::Unsupported { .. } => Some("name an image file or a block device"),
        };
        fixed.map(Cow::Borrowed)
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
            Self::Remote { doing, fault, .. } => write!(f, "cannot {doing}: {fault}"),
            Self::NoSuch { what, .. }
            | Self::Refused { what, .. }
            | Self::Usage { what, .. }
            | Self::Cost { what, .. } => f.write_str(what),
            Self::Engine(error) => error.fmt(f),
            Self::Leftover { error, cleanup } => {
                write!(f, "{error}; what was made for it may remain:")?;
                for (item, why) in &cleanup.left {
                    write!(f, " {item} ({why})")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fs(error) => Some(error),
            Self::Denied { source, .. } | Self::Io { source, .. } => Some(source),
            Self::Remote { fault, .. } => Some(fault),
            Self::Engine(error) => Some(error),
            Self::Leftover { error, .. } => Some(error),
            Self::NotFound { .. }
            | Self::Busy { .. }
            | Self::Unsupported { .. }
            | Self::NoSuch { .. }
            | Self::Refused { .. }
            | Self::Usage { .. }
            | Self::Cost { .. } => None,
        }
    }
}

impl From<flr_fs::Error> for Error {
    fn from(error: flr_fs::Error) -> Self {
        Self::Fs(error)
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        Self::Engine(error)
    }
}
