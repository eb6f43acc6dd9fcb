//! What is written down while a restore runs, so that `--resume` need not read the source again.

use super::job::Job;
use crate::commands::Context;
use crate::copying::Line;
use crate::exit::Exit;
use crate::open::describe;
use crate::output::{Failure, Outcome, without_number};
use flr_provider::engine::state_dir;
use flr_recover::copy::{DestinationDir, Ledger, NothingRecorded, Recorded, Records};
use flr_recover::shown::for_terminal;
use sha2::Digest;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The ledger of one job. Without a place for it there is none, and `--resume` compares with the source.
pub(crate) struct Record {
    ledger: Option<(Ledger, Arc<Records>)>,
}

impl Record {
    /// Opens the ledger of the job; an earlier one is read if it is gone on with, and cleared if not.
    pub(crate) fn open(ctx: &mut Context<'_>, job: &Job, resume: bool) -> Result<Self, Failure> {
        let path = match place(job) {
            Ok(path) => path,
            Err(why) => {
                ctx.out
                    .note(&format!("nothing is written down for --resume: {why}"));
                return Ok(Self { ledger: None });
            }
        };
        let shown = for_terminal(path.as_os_str().as_bytes());
        let opened = match Ledger::open(&path) {
            Ok(opened) => opened,
            Err(error) => {
                let why = without_number(error.to_string());
                ctx.out
                    .note(&format!("nothing is written down for --resume: {why}"));
                return Ok(Self { ledger: None });
            }
        };
        let Some((ledger, records)) = opened else {
            let to = for_terminal(job.to.as_os_str().as_bytes());
            let what = format!("{to}: the same is being restored there by another process");
            return Err(Failure::new(Exit::Busy, what).hint("wait for it, or end it"));
        };
        if !resume {
            ledger.clear().map_err(|error| describe(&error, &shown))?;
        }
        let records = Arc::new(records);
        Ok(Self {
            ledger: Some((ledger, records)),
        })
    }

    /// What an earlier run finished.
    pub(crate) fn known(&self) -> Arc<dyn Recorded> {
        match &self.ledger {
            Some((_, records)) => Arc::<Records>::clone(records),
            None => Arc::new(NothingRecorded),
        }
    }

    /// Writes down a file that is finished.
    pub(crate) fn add(&mut self, line: &Line) -> Outcome<()> {
        let (Some((ledger, records)), Some(content)) = (&mut self.ledger, &line.content) else {
            return Ok(());
        };
        let (destination, size) = (&content.destination, content.size);
        if !content.whole || (content.kept && records.has(destination, size, content.modified)) {
            return Ok(());
        }
        let added = ledger.add(destination, size, content.modified, &content.digest);
        Ok(added.map_err(|error| describe(&error, "the record for --resume"))?)
    }

    /// Forgets it all if nothing is left to go on with.
    pub(crate) fn close(self, forget: bool) -> Result<(), Failure> {
        match self.ledger {
            Some((ledger, _)) if forget => ledger
                .remove()
                .map_err(|error| describe(&error, "the record for --resume")),
            _ => Ok(()),
        }
    }
}

/// The ledger's path: one for each destination and what goes there.
fn place(job: &Job) -> Result<PathBuf, String> {
    let state = state_dir().map_err(|error| error.to_string())?;
    let folder = state.join("restores");
    for closed in [&state, &folder] {
        DestinationDir::create_all(closed, true)
            .map_err(|error| without_number(error.to_string()))?;
    }
    let to = std::fs::canonicalize(&job.to).map_err(|error| without_number(error.to_string()))?;
    let mut hash = sha2::Sha256::new();
    let names = std::iter::once(to.as_os_str()).chain(job.from.iter().map(|it| it.as_os_str()));
    for name in names {
        hash.update(name.as_bytes());
        hash.update([0]);
    }
    let digits = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    Ok(folder.join(digits))
}
