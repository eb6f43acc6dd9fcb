//! Files that are found by their whole path alone, where the cluster shows nothing below `.snapshot`.
//!
//! Nothing but a clone says whether there was a file of a name, and that only of files. So a name is
//! looked up among the files of now first: what is a directory now is taken for one then.

use super::clones::Clones;
use super::codes::{LINK, NOWHERE, failed, not_cloned, refused, says_directory};
use super::nodes::Known;
use super::under::Under;
use super::wire::{self, Record};
use crate::fault::{Fault, FaultKind};
use crate::remote::{block_on, retry_calls};
use flr_fs::{Error, FileKind};
use std::sync::Arc;

/// What is at a path now. The root is `.`.
pub(super) async fn now(under: &Under, path: &str) -> Result<Option<Record>, Fault> {
    wire::stat(&under.client, &under.volume, path).await
}

/// What was at a path of the snapshot. `None`: no file was. Blocks; may make a clone.
///
/// # Errors
/// It cannot be told: it is a link or a LUN now, or no clone can be made.
pub(super) fn look(
    under: &Under,
    clones: &Arc<Clones>,
    path: &str,
) -> flr_fs::Result<Option<Known>> {
    let there = block_on(retry_calls(|| now(under, path))).map_err(failed)?;
    let there = there.as_ref().and_then(Known::of);
    match there {
        Some(known) if known.metadata.kind == FileKind::Directory => return Ok(Some(known)),
        Some(known) if known.metadata.kind == FileKind::Symlink => {
            let detail = "it is a link now, and where it led then is not told below .snapshot";
            return Err(Error::unsupported(LINK, NOWHERE, detail));
        }
        Some(known) if known.is_lun => {
            return Err(refused("it is a LUN: read it as one, ontap:SVM/VOLUME/LUN"));
        }
        _ => {}
    }
    match block_on(clones.clone_of(path)) {
        Ok(cloned) => Ok(Known::of(&cloned.record)),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        // It was one then.
        Err(fault) if says_directory(&fault) => Ok(Some(Known::directory())),
        Err(fault) => Err(not_cloned(fault)),
    }
}
