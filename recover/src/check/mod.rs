//! Reading everything and saying what is damaged.
//!
//! Every byte of every file, every directory, every link's target and every attribute below an address
//! is read, which verifies the checksums on the way; filesystems that are checked from their root also
//! verify what no reading does ([`flr_fs::Filesystem::check`]). Nothing stops a check but its caller.
//!
//! With a second reader, every file, listing and link is compared with what an independent
//! implementation sees. What that one is known to get wrong is left out, and counted by its reason.
//!
//! Memory is bounded by the listings of one path of directories, as for any walk, and by one bit per
//! inode met. Findings are handed out as they are met, not kept.

mod content;
mod findings;
mod inside;
mod report;
mod run;
mod second;
mod seen;
#[cfg(test)]
mod tests;
mod volumes;

pub use report::{Counts, Event, Finding, Severity};
pub use second::THREAD_NAME;

use crate::error::Result;
use crate::point::{Point, Target};
use run::Run;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Codes of the check itself.
pub mod codes {
    use flr_fs::Code;

    /// The second reader sees something else.
    pub const SECOND_READER: Code = Code::new("check.second-reader");
    /// Left out of the comparison with the second reader.
    pub const NOT_COMPARABLE: Code = Code::new("check.not-comparable");

    /// All of them.
    pub const ALL: &[Code] = &[SECOND_READER, NOT_COMPARABLE];
}

/// How to check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Compare with the format's second reader, where there is one.
    pub second_reader: bool,
    /// Raised to end the check.
    pub cancel: Arc<AtomicBool>,
}

/// Checks every filesystem of every volume, and says which volumes cannot be read.
///
/// # Errors
/// [`flr_fs::Request::Cancelled`] only.
pub fn check_point(
    point: &Point,
    options: &Options,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Counts> {
    let mut run = Run::new(options, report);
    volumes::check(&mut run, point)?;
    Ok(run.finish())
}

/// Checks what is below a node: a tree with the filesystems joined in it, or a single file.
///
/// # Errors
/// [`flr_fs::Request::Cancelled`] only.
pub fn check_target(
    target: &Target,
    options: &Options,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Counts> {
    let mut run = Run::new(options, report);
    run.target(&target.opened.view, &target.resolved)?;
    Ok(run.finish())
}
