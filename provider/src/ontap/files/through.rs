//! Which way bytes of files come: from below `.snapshot`, or through clones where the cluster refuses that.

use super::clones::Clones;
use super::codes::{NoClones, is_refusal, not_cloned};
use super::data::Way;
use crate::fault::Fault;
use crate::point::AccessMode;
use crate::remote::block_on;
use flr_fs::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes that are read first, to see whether the cluster hands out any at all.
const PROBE_LEN: usize = 512;

const UNKNOWN: u8 = 0;
const DIRECT: u8 = 1;
const REFUSED: u8 = 2;

/// Which way bytes come, found out with the first file.
#[derive(Debug)]
pub(super) struct Through {
    access: AccessMode,
    clones: Result<Arc<Clones>, NoClones>,
    found: AtomicU8,
}

impl Through {
    pub(super) const fn new(access: AccessMode, clones: Result<Arc<Clones>, NoClones>) -> Self {
        Self {
            access,
            clones,
            found: AtomicU8::new(UNKNOWN),
        }
    }

    /// Whether files may be looked for by name alone after this fault.
    pub(super) fn may_guess(&self, fault: &Fault) -> bool {
        self.clones.is_ok() && is_refusal(fault)
    }

    /// The clones, if there may be any.
    pub(super) fn clones(&self) -> flr_fs::Result<&Arc<Clones>> {
        let why = || Fault::new(crate::fault::FaultKind::Refused, "no bytes are handed out");
        self.clones.as_ref().map_err(|no| no.error(&why()))
    }

    /// The way of one file of `size` bytes, at least one. `direct` reads offset and length of it below
    /// `.snapshot`. Blocks.
    pub(super) fn way<T>(
        &self,
        path: &str,
        size: u64,
        direct: impl FnOnce((u64, usize)) -> flr_fs::Result<T>,
    ) -> flr_fs::Result<Way> {
        let found = self.found.load(Ordering::Relaxed);
        match (self.access, found) {
            (AccessMode::Clone, _) | (AccessMode::Auto, REFUSED) => return self.cloned(path, size),
            (_, DIRECT) => return Ok(Way::Direct),
            _ => {}
        }
        let len = usize::try_from(size).unwrap_or(PROBE_LEN).min(PROBE_LEN);
        let error = match direct((0, len)) {
            Ok(_) => {
                self.found.store(DIRECT, Ordering::Relaxed);
                return Ok(Way::Direct);
            }
            Err(error) => error,
        };
        let Some(fault) = refusal(&error) else {
            return Err(error);
        };
        if let Err(no) = &self.clones {
            return Err(no.error(fault));
        }
        if self.found.swap(REFUSED, Ordering::Relaxed) != REFUSED {
            tracing::warn!(
                "bytes below .snapshot are refused ({fault}): each file is read through a clone of it, \
                 which is in the root of the volume meanwhile and deleted at the end"
            );
        }
        self.cloned(path, size)
    }

    /// Makes the clone at once, so that what is wrong with it is the error of opening.
    fn cloned(&self, path: &str, size: u64) -> flr_fs::Result<Way> {
        let clones = self.clones()?;
        let cloned = block_on(clones.clone_of(path)).map_err(not_cloned)?;
        match cloned.record.size() {
            Some(found) if found == size => Ok(Way::Cloned(Arc::clone(clones))),
            found => {
                let found = found.unwrap_or(0);
                let what = format!("expected {size} bytes, but the clone of it has {found}");
                Err(super::codes::refused(&what))
            }
        }
    }
}

/// The fault of an error, if it is a refusal.
fn refusal(error: &Error) -> Option<&Fault> {
    let Error::Io { source, .. } = error else {
        return None;
    };
    let fault = source.get_ref()?.downcast_ref::<Fault>()?;
    is_refusal(fault).then_some(fault)
}
