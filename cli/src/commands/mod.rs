//! One file per command.

pub(crate) mod cat;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod cost;
pub(crate) mod cp;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod dump;
pub(crate) mod find;
pub(crate) mod gc;
pub(crate) mod hash;
pub(crate) mod ls;
pub(crate) mod mount;
pub(crate) mod points;
pub(crate) mod policy;
pub(crate) mod restore;
pub(crate) mod session;
pub(crate) mod snapshot;
pub(crate) mod source;
pub(crate) mod stat;
pub(crate) mod tree;
pub(crate) mod version;
pub(crate) mod versions;
pub(crate) mod volumes;

use crate::args::Global;
use crate::exit::{Exit, Tally};
use crate::open::{Opened, Opener, describe, quoted};
use crate::output::{Failure, Outcome, Output, Stop};
use crate::remote::Remote;
use flr_fs::Request;
use flr_recover::Error;
use flr_recover::address::Address;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::rc::Rc;

/// What every command is given.
pub(crate) struct Context<'a> {
    pub(crate) global: &'a Global,
    pub(crate) out: Output,
    pub(crate) zone: TimeZone,
    pub(crate) remote: Rc<Remote>,
    pub(crate) tally: Tally,
    /// What the summary is to say beside the counts.
    pub(crate) totals: Map<String, Value>,
    /// The last failure that was told.
    pub(crate) last: Option<Failure>,
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
        let mut opener = Opener::new(self);
        let addresses = opener.addresses(operands)?;
        let single = addresses.len() == 1;
        for address in &addresses {
            match opener.open(
                address,
                follow_last || ends_in_slash(address),
                &mut self.out,
            ) {
                Ok(opened) => match each(self, &opened) {
                    // What could not be read for the money looks like damage.
                    Err(Stop::Item(failure)) => {
                        let failure = self.remote.over_cost().unwrap_or(failure);
                        if single || failure.exit == Exit::Cost {
                            return Err(failure.into());
                        }
                        let what = opened.text_of(&opened.target.resolved.path);
                        self.fail(&what, &failure)?;
                    }
                    outcome => outcome?,
                },
                Err(failure) if single => return Err(failure.into()),
                Err(failure) => self.fail(&address.to_string(), &failure)?,
            }
        }
        Ok(self.tally.exit())
    }

    /// Tells and counts an item that failed.
    pub(crate) fn fail(&mut self, address: &str, failure: &Failure) -> Outcome<()> {
        self.tally.failed(failure.exit);
        self.last = Some(failure.clone());
        self.out.item_failed(address, failure)
    }

    /// Tells and counts an error of the reader. One that comes of `--max-cost` ends the command: whatever is
    /// read after it would cost more still.
    pub(crate) fn fail_with(&mut self, address: &str, error: &flr_recover::Error) -> Outcome<()> {
        if let Some(failure) = self.remote.over_cost() {
            return Err(failure.into());
        }
        self.fail(address, &describe(error, address))
    }

    /// The same for the content of a file, with what to try instead if it has none. `instead` is
    /// for directories.
    pub(crate) fn fail_content(
        &mut self,
        address: &str,
        error: &Error,
        instead: &str,
    ) -> Outcome<()> {
        let mut failure = describe(error, address);
        failure.hint = match error {
            Error::Fs(flr_fs::Error::Request(Request::IsADirectory)) => {
                Some(format!("{instead} {}", quoted(address)))
            }
            Error::Fs(flr_fs::Error::Request(Request::NoContent)) => {
                Some(format!("flr stat {}", quoted(address)))
            }
            // What a provider does not hand out may be had another way.
            Error::Fs(flr_fs::Error::Unsupported(_)) => failure.hint,
            _ => None,
        };
        self.fail(address, &failure)
    }

    /// For programs: that the command did not do all it was asked for. People have been told.
    pub(crate) fn explain_exit(&mut self, exit: Exit) {
        if self.out.json {
            let (done, failed) = (self.tally.successes(), self.tally.failures());
            if let (0, 1, Some(only)) = (done, failed, &self.last) {
                let only = Failure {
                    exit,
                    ..only.clone()
                };
                return self.out.failed(&only);
            }
            let message = match exit {
                Exit::Interrupted | Exit::Terminated => "interrupted".to_owned(),
                Exit::Mismatch => "hashes differ".to_owned(),
                _ if failed == 0 => format!("{done} done, others were skipped"),
                _ => format!("{done} done, {failed} failed"),
            };
            self.out.failed(&Failure::new(exit, message));
        }
    }

    /// The last JSON line.
    pub(crate) fn summary(&mut self, exit: Exit) -> Outcome<()> {
        if !self.out.json {
            return Ok(());
        }
        let map = self.summary_fields(exit);
        self.out.message("summary", &map)
    }

    /// What stands in it.
    pub(crate) fn summary_fields(&self, exit: Exit) -> Map<String, Value> {
        let mut map = self.totals.clone();
        map.insert("items".into(), self.tally.successes().into());
        map.insert("errors".into(), self.tally.failures().into());
        map.insert("exit_code".into(), exit.code().into());
        map
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
