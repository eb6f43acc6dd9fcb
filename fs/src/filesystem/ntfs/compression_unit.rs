//! Compression units: where the clusters of one lie, and what that says about its bytes.

use super::codes;
use super::disk::Disk;
use super::run_list::RunList;
use super::stream::{Stream, Value};
use crate::error::{Error, Result};

/// Bytes of a unit at most: 16 clusters of 64 KiB. Windows compresses clusters of up to 4 KiB only.
const UNIT_LEN_MAX: u64 = 1 << 20;

/// How a stream is cut into units.
#[derive(Clone, Copy, Debug)]
pub struct Units {
    cluster_size: u64,
    unit_clusters: u64,
}

/// One unit.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its first byte in the stream.
    pub start: u64,
    /// The first byte behind it.
    pub end: u64,
    /// What its clusters say. For one that is stored or a hole: about the byte that was asked for.
    pub layout: Layout,
}

/// What the clusters of a unit say about it.
#[derive(Clone, Debug)]
pub enum Layout {
    /// Zeros, up to byte `end` of the stream, which may lie in a later unit.
    Hole {
        /// First byte that may be something else.
        end: u64,
    },
    /// Stored as they are, up to byte `end` of the stream, which may lie in a later unit.
    Stored {
        /// Byte offset on the volume.
        at: u64,
        /// First byte that may lie elsewhere.
        end: u64,
    },
    /// Compressed.
    Packed(Vec<Extent>),
    /// It cannot be read.
    Missing(Error),
}

/// Bytes of a packed unit that lie one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Byte offset on the volume.
    pub at: u64,
    /// Bytes, at least 1 and at most those of a unit.
    pub len: usize,
}

impl Unit {
    /// Where the compressed bytes lie; nothing for other units.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        match &self.layout {
            Layout::Packed(extents) => extents,
            _ => &[],
        }
    }

    /// Compressed bytes.
    #[must_use]
    pub fn stored_len(&self) -> usize {
        let extents = self.extents().iter();
        extents.fold(0, |sum: usize, extent| sum.saturating_add(extent.len))
    }

    /// The error for a unit that does not give its bytes.
    #[must_use]
    pub fn damaged(&self, why: String) -> Error {
        let at = self.extents().first().map_or(0, |extent| extent.at);
        let detail = format!(
            "compression unit of bytes {:#x} to {:#x}: {why}",
            self.start, self.end
        );
        Error::corrupt(codes::COMPRESSED_UNIT, at, detail)
    }
}

impl Units {
    /// The units of `stream`.
    ///
    /// # Errors
    /// [`codes::COMPRESSED`].
    pub fn new(disk: &Disk, stream: &Stream) -> Result<Self> {
        let cluster_size = u64::from(disk.boot.cluster_size);
        let unit_clusters = 1_u64
            .checked_shl(stream.compression_unit.into())
            .unwrap_or(0);
        let unit_len = unit_clusters.checked_mul(cluster_size).unwrap_or(0);
        if stream.compression_unit == 0 || unit_len == 0 || unit_len > UNIT_LEN_MAX {
            let unit = stream.compression_unit;
            let detail =
                format!("compression units of 2^{unit} clusters of {cluster_size:#x} bytes");
            return Err(Error::unsupported(codes::COMPRESSED, stream.at, detail));
        }
        Ok(Self {
            cluster_size,
            unit_clusters,
        })
    }

    /// Bytes of a unit, at most 1 MiB.
    #[must_use]
    pub const fn unit_len(&self) -> u64 {
        self.unit_clusters.saturating_mul(self.cluster_size)
    }

    /// The unit that holds byte `offset` of `stream`.
    #[must_use]
    pub fn at(&self, stream: &Stream, offset: u64) -> Unit {
        // Neither is 0, and streams end below 2^63 bytes (`RunBounds`).
        let index = offset.checked_div(self.unit_len()).unwrap_or(0);
        let start = index.saturating_mul(self.unit_len());
        Unit {
            start,
            end: start.saturating_add(self.unit_len()),
            layout: match &stream.value {
                Value::Mapped(runs) => self.layout(stream, runs, start, offset),
                Value::Resident(_) => Layout::Missing(contradiction(stream, start)),
            },
        }
    }

    fn layout(&self, stream: &Stream, runs: &RunList, start: u64, offset: u64) -> Layout {
        let first = start.checked_div(self.cluster_size).unwrap_or(0);
        let end = first.saturating_add(self.unit_clusters);
        let mut vcn = first;
        let mut holes = 0_u64;
        let mut extents: Vec<Extent> = Vec::new();
        let runs_from = runs.runs().get(runs.index_at(first)..).unwrap_or_default();
        for run in runs_from.iter().take_while(|run| run.vcn < end) {
            if run.vcn > vcn {
                break;
            }
            let clusters = run.end().min(end).saturating_sub(vcn);
            match run.lcn {
                None => holes = holes.saturating_add(clusters),
                Some(_) if holes > 0 => return Layout::Missing(contradiction(stream, start)),
                Some(lcn) => {
                    let lcn = lcn.saturating_add(vcn.saturating_sub(run.vcn));
                    let len = clusters.saturating_mul(self.cluster_size);
                    extents.push(Extent {
                        at: lcn.saturating_mul(self.cluster_size),
                        // At most those of a unit.
                        len: usize::try_from(len).unwrap_or(0),
                    });
                }
            }
            vcn = vcn.saturating_add(clusters);
        }
        if vcn < end {
            return Layout::Missing(missing(stream, vcn.saturating_mul(self.cluster_size)));
        }
        if !extents.is_empty() && holes > 0 {
            return Layout::Packed(extents);
        }
        self.long(runs, end, offset)
            .unwrap_or_else(|| Layout::Missing(contradiction(stream, start)))
    }

    /// What the run at `offset` says about it, in a unit that is not packed and ends with cluster `end`.
    fn long(&self, runs: &RunList, end: u64, offset: u64) -> Option<Layout> {
        let run = runs.run_at(offset.checked_div(self.cluster_size)?)?;
        // A run that goes on fills the following units, up to one that it shares.
        let whole = run
            .end()
            .checked_div(self.unit_clusters)?
            .checked_mul(self.unit_clusters)?;
        let end = if run.end() < end {
            run.end()
        } else {
            whole.max(end)
        };
        let end = end.checked_mul(self.cluster_size)?;
        let run_start = run.vcn.checked_mul(self.cluster_size)?;
        Some(match run.lcn {
            None => Layout::Hole { end },
            Some(lcn) => Layout::Stored {
                at: lcn
                    .checked_mul(self.cluster_size)?
                    .checked_add(offset.checked_sub(run_start)?)?,
                end,
            },
        })
    }
}

fn missing(stream: &Stream, offset: u64) -> Error {
    match &stream.missing {
        Some(fault) => Error::Corrupt(fault.clone()),
        None => {
            let detail = format!("no run for byte {offset:#x} of the stream");
            Error::corrupt(codes::STREAM, stream.at, detail)
        }
    }
}

fn contradiction(stream: &Stream, start: u64) -> Error {
    let detail = format!("stored clusters behind a hole in the compression unit at {start:#x}");
    Error::corrupt(codes::COMPRESSED_UNIT, stream.at, detail)
}
