//! One file per command.

pub(crate) mod cat;
pub(crate) mod check;
pub(crate) mod cp;
pub(crate) mod find;
pub(crate) mod hash;
pub(crate) mod ls;
pub(crate) mod mount;
pub(crate) mod stat;
pub(crate) mod tree;
pub(crate) mod version;
pub(crate) mod volumes;

use crate::args::Global;
use crate::exit::{Exit, Tally};
use crate::open::{Opened, Opener, describe};
use crate::output::{Failure, Outcome, Output};
use flr_recover::address::Address;
use jiff::tz::TimeZone;
use serde_json::json;
use std::ffi::OsString;

/// What every command is given.
pub(crate) struct Context<'a> {
    pub(crate) global: &'a Global,
    pub(crate) out: Output,
    pub(crate) zone: TimeZone,
    pub(crate) tally: Tally,
}

impl Context<'_> {
    /// Opens every address and hands it to `each`. One that fails is told and counted; with a single
    /// address its failure is the command's.
    pub(crate) fn for_each(
        &mut self,
        operands: &[OsString],
        follow_last: bool,
        mut each: impl FnMut(&mut Self, &Opened) -> Outcome<()>,
    ) -> Outcome {
        let mut opener = Opener::new(self.global);
        let addresses = opener.addresses(operands)?;
        let single = addresses.len() == 1;
        for address in &addresses {
            match opener.open(
                address,
                follow_last || ends_in_slash(address),
                &mut self.out,
            ) {
                Ok(opened) => each(self, &opened)?,
                Err(failure) if single => return Err(failure.into()),
                Err(failure) => self.fail(&address.to_string(), &failure)?,
            }
        }
        Ok(self.tally.exit())
    }

    /// Tells and counts an item that failed.
    pub(crate) fn fail(&mut self, address: &str, failure: &Failure) -> Outcome<()> {
        self.tally.failed(failure.exit);
        self.out.item_failed(address, failure)
    }

    /// Tells and counts an error of the reader.
    pub(crate) fn fail_with(&mut self, address: &str, error: &flr_recover::Error) -> Outcome<()> {
        self.fail(address, &describe(error, address))
    }

    /// The last JSON line.
    pub(crate) fn summary(&mut self, exit: Exit) -> Outcome<()> {
        if !self.out.json {
            return Ok(());
        }
        let value = json!({
            "items": self.tally.successes(), "errors": self.tally.failures(),
            "exit_code": exit.code(),
        });
        self.out.message("summary", &value)
    }
}

/// Whether the address's path ends in a slash, which stands for the directory behind a link.
pub(crate) fn ends_in_slash(address: &Address) -> bool {
    use std::os::unix::ffi::OsStrExt;
    address
        .locator
        .last()
        .is_none_or(|(_, path)| path.as_bytes().ends_with(b"/"))
}
