//! The bytes below an NTFS volume and what is read against them.

use super::boot::BootSector;
use super::codes;
use super::run_list::RunBounds;
use crate::bytes::len_u64;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::source::ByteSource;
use std::sync::Arc;

/// What every part of the reader needs: the bytes, the geometry, the bounds.
#[derive(Debug)]
pub struct Disk {
    /// The volume's bytes.
    pub source: Arc<dyn ByteSource>,
    /// Its geometry.
    pub boot: BootSector,
    /// Bounds.
    pub limits: Limits,
}

impl Disk {
    /// Reads bytes of the volume, content or metadata.
    ///
    /// # Errors
    /// [`codes::VOLUME_SIZE`] behind the end of an image that was cut short; those of the source.
    pub fn read(&self, at: u64, buf: &mut [u8]) -> Result<()> {
        self.check(at, buf.len())?;
        self.source.read_at(at, buf)
    }

    /// Checks that the image has these bytes.
    ///
    /// # Errors
    /// [`codes::VOLUME_SIZE`].
    pub fn check(&self, at: u64, len: usize) -> Result<()> {
        let size = self.source.size();
        if at.saturating_add(len_u64(len)) > size {
            let detail = format!("bytes that are missing: the image ends at {size:#x}");
            return Err(Error::corrupt(codes::VOLUME_SIZE, at, detail));
        }
        Ok(())
    }

    /// What run lists are checked against.
    #[must_use]
    pub fn run_bounds(&self) -> RunBounds {
        let positions = u64::MAX >> 1;
        RunBounds {
            volume_clusters: self.boot.clusters,
            stream_clusters_max: positions
                .checked_div(self.boot.cluster_size.into())
                .unwrap_or(0),
            run_count_max: self.limits.run_count_max,
        }
    }
}
