//! One error type for everything that turns bytes into files, sorted by whose fault it is.
//!
//! The enum is exhaustive on purpose: the tables that map it to exit codes and errno values must
//! not compile when a case is added and forgotten.

use std::fmt;
use std::sync::Arc;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A stable, unique name for one kind of damage or missing support, such as `ext4.extent.depth`.
///
/// Scripts may match on it; it never changes its meaning. Codes are declared in the folder of the
/// format they belong to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// Declares a code. Lower-case words with dots between them, the format's name first.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The code as printed and as written to JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What is wrong, where, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The stable name of this kind of fault.
    pub code: Code,
    /// Byte offset of the structure in the source that the reporting format was opened on;
    /// [`NOWHERE`](Self::NOWHERE) if there is no source.
    pub at: u64,
    /// Expected before actual; lower case, no period.
    pub detail: Box<str>,
}

impl Fault {
    /// The place of what is no fault of bytes: a server shows files, and refuses one.
    pub const NOWHERE: u64 = u64::MAX;

    /// A fault of kind `code` in the structure at byte `at`.
    #[must_use]
    pub fn new(code: Code, at: u64, detail: impl Into<Box<str>>) -> Self {
        Self {
            code,
            at,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Self::NOWHERE => write!(f, "{} ({})", self.detail, self.code),
            at => write!(f, "{} ({} at {at:#x})", self.detail, self.code),
        }
    }
}

/// Why a call failed. Cheap to clone, so that it can be cached and reported per item.
#[derive(Clone, Debug)]
pub enum Error {
    /// The source below could not be read. `at` is the byte offset in that source.
    Io {
        /// Byte offset of the failed read in the source that reported it; [`Fault::NOWHERE`] if it was no
        /// read of a source.
        at: u64,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The bytes break the rules of their format.
    Corrupt(Fault),
    /// The bytes are (or may be) fine, this reader does not know the feature.
    Unsupported(Fault),
    /// A key is needed.
    Locked(Fault),
    /// A bound of [`crate::Limits`] was met: the input asks for more work or memory than is allowed.
    Limit(Fault),
    /// The caller asked for something that is not there or does not fit.
    Request(Request),
}

/// What was wrong with a request. None of these says anything about the state of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// No node with this id exists (a free or out-of-range inode number, for example).
    NoSuchNode,
    /// The node has no stream of this name.
    NoSuchStream,
    /// A directory was needed.
    NotADirectory,
    /// The node is a directory and has no content to open.
    IsADirectory,
    /// A symbolic link was needed.
    NotALink,
    /// The node is a device, FIFO or socket and has no content.
    NoContent,
    /// The range lies outside of the source.
    OutOfRange {
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        len: u64,
        /// Size of the source in bytes.
        size: u64,
    },
    /// The format has no such operation.
    NotOffered,
    /// The caller raised its cancel flag.
    Cancelled,
}

impl Error {
    /// Damage of kind `code` in the structure at byte `at`.
    #[must_use]
    pub fn corrupt(code: Code, at: u64, detail: impl Into<Box<str>>) -> Self {
        Self::Corrupt(Fault::new(code, at, detail))
    }

    /// A feature of kind `code` that is not read.
    #[must_use]
    pub fn unsupported(code: Code, at: u64, detail: impl Into<Box<str>>) -> Self {
        Self::Unsupported(Fault::new(code, at, detail))
    }

    /// A bound that the structure at byte `at` would have passed.
    #[must_use]
    pub fn limit(code: Code, at: u64, detail: impl Into<Box<str>>) -> Self {
        Self::Limit(Fault::new(code, at, detail))
    }

    /// An I/O error at byte `at`.
    #[must_use]
    pub fn io(at: u64, source: std::io::Error) -> Self {
        Self::Io {
            at,
            source: Arc::new(source),
        }
    }

    /// The fault behind the error, if its cause lies in the image.
    #[must_use]
    pub const fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Corrupt(fault)
            | Self::Unsupported(fault)
            | Self::Locked(fault)
            | Self::Limit(fault) => Some(fault),
            Self::Io { .. } | Self::Request(_) => None,
        }
    }

    /// The stable code of the fault, or a general one for the other cases.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Corrupt(fault)
            | Self::Unsupported(fault)
            | Self::Locked(fault)
            | Self::Limit(fault) => fault.code,
            Self::Io { .. } => Code::new("io"),
            Self::Request(_) => Code::new("request"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io {
                at: Fault::NOWHERE,
                source,
            } => write!(f, "read error: {source}"),
            Self::Io { at, source } => write!(f, "read error at byte {at:#x}: {source}"),
            Self::Corrupt(fault) => write!(f, "damaged: {fault}"),
            Self::Unsupported(fault) => write!(f, "not supported: {fault}"),
            Self::Locked(fault) => write!(f, "locked: {fault}"),
            Self::Limit(fault) => write!(f, "limit reached: {fault}"),
            Self::Request(request) => request.fmt(f),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchNode => f.write_str("no such node"),
            Self::NoSuchStream => f.write_str("no such stream"),
            Self::NotADirectory => f.write_str("not a directory"),
            Self::IsADirectory => f.write_str("is a directory"),
            Self::NotALink => f.write_str("not a symbolic link"),
            Self::NoContent => f.write_str("a device, FIFO or socket has no content"),
            Self::OutOfRange { offset, len, size } => {
                write!(
                    f,
                    "range {offset:#x}+{len:#x} is outside of {size:#x} bytes"
                )
            }
            Self::NotOffered => f.write_str("the format does not offer this"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}

impl From<Request> for Error {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}
