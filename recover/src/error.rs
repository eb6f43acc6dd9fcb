//! Errors of an opened point: those of the image, of the provider, and of asking and writing.
//!
//! Exhaustive on purpose, like the enum it wraps: one table maps it to exit codes, one to errno.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Clone, Debug)]
pub enum Error {
    /// The image, or the filesystem on it.
    Fs(flr_fs::Error),
    /// The source of the bytes.
    Provider(Arc<flr_provider::Error>),
    /// A path does not exist.
    NotFound(NotFound),
    /// The address names several things and the user must choose one.
    Ambiguous(Ambiguous),
    /// More than [`crate::view::LINK_COUNT_MAX`] symbolic links, or images in images too deep.
    TooDeep(String),
    /// Writing failed. `path` is the destination.
    Write {
        /// The file or directory that was being written.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// What was read differs from what it should be.
    Verify(String),
    /// The request makes no sense for this object; in words, with what to do instead.
    Usage(String),
}

/// A path that does not exist, and what does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// The path asked for, as shown, absolute inside the view.
    pub path: Vec<u8>,
    /// Length of the part of `path` that does exist, in bytes.
    pub found_len: usize,
    /// Names in the last existing directory that are near the missing one, best first.
    pub nearest: Vec<Vec<u8>>,
}

/// Several filesystems, none of which is meant more than the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    /// Why there is no single answer.
    pub reason: String,
    /// What may stand behind `::` to choose one.
    pub volumes: Vec<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fs(error) => error.fmt(f),
            Self::Provider(error) => error.fmt(f),
            Self::NotFound(missing) => {
                write!(
                    f,
                    "{}: no such file or directory",
                    crate::shown::for_terminal(&missing.path)
                )
            }
            Self::Ambiguous(ambiguous) => f.write_str(&ambiguous.reason),
            Self::TooDeep(what) | Self::Verify(what) | Self::Usage(what) => f.write_str(what),
            Self::Write { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fs(error) => Some(error),
            Self::Provider(error) => Some(error.as_ref()),
            Self::Write { source, .. } => Some(source.as_ref()),
            Self::NotFound(_)
            | Self::Ambiguous(_)
            | Self::TooDeep(_)
            | Self::Verify(_)
            | Self::Usage(_) => None,
        }
    }
}

impl From<flr_fs::Error> for Error {
    fn from(error: flr_fs::Error) -> Self {
        Self::Fs(error)
    }
}

impl From<flr_fs::Request> for Error {
    fn from(request: flr_fs::Request) -> Self {
        Self::Fs(request.into())
    }
}

impl From<flr_provider::Error> for Error {
    fn from(error: flr_provider::Error) -> Self {
        Self::Provider(Arc::new(error))
    }
}
