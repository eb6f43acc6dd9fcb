//! A tree as one stream of bytes: tar with PAX headers, packed or not, and zip.
//!
//! ```text
//! walker ── entry, content ──> tar or zip ──> gzip or zstd ──> writer
//! ```
//!
//! Nothing is kept in memory but the piece in work, the names of files that have further ones, and the listings
//! of the directories that the walk is in. What a header promises is what follows it: content that cannot be read
//! ends the archive in the middle, so that whoever unpacks it fails, or is zeros and said so (`salvage`). What of
//! a file is kept is written in `docs/archives.md`.

mod acl;
mod content;
mod entry;
mod links;
mod owners;
mod packed;
mod report;
mod run;
mod tar;
#[cfg(test)]
mod tests;
mod zip;

pub use report::{ArchiveReport, Event, Item, Lack, LeftOut};

use crate::error::{Error, Result};
use crate::view::{Resolved, View};
use packed::Packed;
use run::Run;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The form of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// POSIX tar with PAX headers (IEEE Std 1003.1, pax).
    Tar,
    /// The same, packed by Zstandard (RFC 8878).
    TarZstd,
    /// The same, packed by gzip (RFC 1952).
    TarGzip,
    /// Zip with the extensions for large files (PKWARE APPNOTE 6.3.10).
    Zip,
}

/// What is archived, and how.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveOptions {
    /// The form.
    pub format: Format,
    /// Content that cannot be read is zeros, and said so, instead of the end of the archive.
    pub salvage: bool,
}

/// Writes an archive of `source` to `out`: under `name`, or, without one, the entries of that directory.
///
/// What goes wrong with single entries is told to `events` and counted; those are left out.
///
/// # Errors
/// [`Error::Write`] with the path `-` if `out` takes no more (look at its kind: a broken pipe is success);
/// [`flr_fs::Request::Cancelled`]; the directory itself cannot be listed; content that could not be read behind a
/// header that promised it. What was written by then is no whole archive, and no reader takes it for one.
pub fn archive(
    view: &View,
    source: &Resolved,
    name: Option<&[u8]>,
    options: ArchiveOptions,
    out: &mut dyn Write,
    events: &mut dyn FnMut(Event<'_>),
    cancel: &AtomicBool,
) -> Result<ArchiveReport> {
    match options.format {
        Format::Zip => {
            let mut sink = zip::Zip::new(out);
            Run::new(view, options, events, cancel).whole(source, name, &mut sink)
        }
        Format::Tar | Format::TarZstd | Format::TarGzip => {
            let packed = Packed::new(options.format, out).map_err(write_failed)?;
            let mut sink = tar::Tar::new(packed);
            let done = Run::new(view, options, events, cancel).whole(source, name, &mut sink);
            match done {
                Ok(report) => {
                    let finished = sink.into_inner().finish();
                    finished.map_err(write_failed).map(|()| report)
                }
                Err(error) => {
                    // That nobody takes any more is what ended it, or does not matter any more.
                    if let Err(late) = sink.cut() {
                        tracing::debug!(error = %late, "an archive that ends early");
                    }
                    sink.into_inner().abandon();
                    Err(error)
                }
            }
        }
    }
}

/// The stream takes no more.
pub(crate) fn write_failed(source: std::io::Error) -> Error {
    Error::Write {
        path: Path::new("-").to_path_buf(),
        source: Arc::new(source),
    }
}
