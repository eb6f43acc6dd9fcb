//! Errors of mounting and unmounting: what failed, on which mount point, and what to do next.

use std::fmt;
use std::path::Path;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why mounting or unmounting failed.
#[derive(Debug)]
pub struct Error {
    /// What kind of failure it is. Exhaustive, for the table of exit codes.
    pub kind: ErrorKind,
    /// What failed, on which object, and why; lower case, no period.
    pub message: String,
    /// What to try next.
    pub hint: Option<String>,
    /// What the system said, where the message does not repeat it.
    pub source: Option<std::io::Error>,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request makes no sense: a mount point that does not exist, one that hides the image.
    Usage,
    /// Permission is missing.
    Denied,
    /// Something is in use.
    Busy,
    /// There is no such mount.
    NotMounted,
    /// Something did not end in time.
    Timeout,
    /// This machine cannot mount: no FUSE, no helper.
    Unavailable,
    /// Everything else.
    Failed,
}

impl Error {
    /// An error of this kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// With what to try next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A call of the system failed while doing `what` with `path`.
    #[must_use]
    pub fn system(what: &str, path: &Path, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            std::io::ErrorKind::ResourceBusy => ErrorKind::Busy,
            _ => ErrorKind::Failed,
        };
        Self {
            kind,
            message: format!("{what} {}", path.display()),
            hint: None,
            source: Some(source),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| -> &(dyn std::error::Error + 'static) { source })
    }
}
