//! Checking a whole point: every volume, whether or not the guest's own view shows it.

use super::report::Severity;
use super::run::Run;
use crate::error::Result;
use crate::point::Point;
use crate::view::View;
use flr_fs::{Fault, Opened};
use std::sync::Arc;

/// Notes of layers that say how a disk was made or grown, not that something is broken. Every other
/// note of a layer is damage.
const NO_DAMAGE: &[&str] = &[
    "discover.also",
    "gpt.backup.not_last",
    "gpt.entry.overlap",
    "gpt.entry.unusable",
    "gpt.mbr.hybrid",
    "gpt.mbr.unprotected",
    "mbr.entry.overlap",
    "mbr.flag",
    "mbr.sector_size",
];

pub(super) fn check(run: &mut Run<'_>, point: &Point) -> Result<()> {
    for volume in point.tree().volumes() {
        let path = format!("/{}", volume.address).into_bytes();
        for note in &volume.notes {
            run.fault(severity_of(note), &path, note);
        }
        if let Some(error) = volume.failure() {
            run.failed(&path, &error.clone().into())?;
        } else {
            // Beside what could be opened, something looked like a format and is none.
            for content in &volume.contents {
                if let Opened::Failed(error) = &content.opened
                    && let Some(fault) = error.fault()
                {
                    run.fault(Severity::Remark, &path, fault);
                }
            }
        }
        let here = point.places().iter();
        for place in here.filter(|place| place.volume == volume.id) {
            let view = View::new(Arc::clone(&place.filesystem)).with_hidden();
            run.root(&view, format!("/{}", place.address).as_bytes())?;
        }
    }
    if point.places().is_empty()
        && run.is_clean()
        && let Err(error) = point.guest()
    {
        run.failed(b"/", &error)?;
    }
    Ok(())
}

fn severity_of(note: &Fault) -> Severity {
    match NO_DAMAGE.contains(&note.code.as_str()) {
        true => Severity::Remark,
        false => Severity::Damaged,
    }
}
