//! Compressed streams on a volume made by hand: units of every sort, from what others compressed.

use flr_fs::filesystem::ntfs::attribute::AttributeFlags;
use flr_fs::filesystem::ntfs::boot::BootSector;
use flr_fs::filesystem::ntfs::compressed;
use flr_fs::filesystem::ntfs::disk::Disk;
use flr_fs::filesystem::ntfs::run_list::RunList;
use flr_fs::filesystem::ntfs::stream::{Stream, Value};
use flr_fs::source::Memory;
use flr_fs::{ByteSource, Limits, Result};
use std::sync::Arc;

/// Clusters of a unit as a power of two, as Windows has them.
pub const UNIT: u8 = 4;

/// A stream and the volume that it lies on.
#[derive(Clone, Debug)]
pub struct Made {
    /// Bytes of a cluster.
    pub cluster_size: usize,
    /// The volume.
    pub volume: Vec<u8>,
    /// What must be read.
    pub plain: Vec<u8>,
    /// Clusters and where they lie; none is a hole.
    pub runs: Vec<(Option<usize>, usize)>,
    /// Whether no two clusters are neighbours.
    pub is_scattered: bool,
    /// Bytes that are written; all of `plain` without it.
    pub initialized: Option<usize>,
}

fn number(n: usize) -> u64 {
    u64::try_from(n).expect("a small number")
}

impl Made {
    /// An empty stream.
    #[must_use]
    pub fn new(cluster_size: usize, is_scattered: bool) -> Self {
        Self {
            cluster_size,
            // Cluster 0 is not a stream's.
            volume: vec![0xee; cluster_size],
            plain: Vec::new(),
            runs: Vec::new(),
            is_scattered,
            initialized: None,
        }
    }

    /// Bytes of a unit.
    #[must_use]
    pub fn unit_len(&self) -> usize {
        self.cluster_size << UNIT
    }

    fn store(&mut self, bytes: &[u8]) -> usize {
        let chunks = bytes.chunks(self.cluster_size);
        let count = chunks.len();
        for cluster in chunks {
            let at = self.volume.len() / self.cluster_size;
            self.volume.extend(cluster);
            // What stands behind the end of the compressed bytes is left over from others.
            self.volume.resize((at + 1) * self.cluster_size, 0);
            let gap = if self.is_scattered {
                self.cluster_size
            } else {
                0
            };
            self.volume.resize(self.volume.len() + gap, 0xee);
            self.runs.push((Some(at), 1));
        }
        count
    }

    /// Adds a unit that is stored as it is.
    pub fn stored(&mut self, plain: &[u8]) {
        assert_eq!(plain.len(), self.unit_len());
        self.store(plain);
        self.plain.extend(plain);
    }

    /// Adds a compressed unit. What it lacks of a whole one does not belong to the stream.
    pub fn packed(&mut self, packed: &[u8], plain: &[u8]) {
        assert!(plain.len() <= self.unit_len());
        let count = self.store(packed);
        assert!(count < 1 << UNIT, "it does not save a cluster");
        self.runs.push((None, (1 << UNIT) - count));
        self.plain.extend(plain);
    }

    /// Adds units of nothing.
    pub fn hole(&mut self, units: usize) {
        self.runs.push((None, units << UNIT));
        self.plain
            .resize(self.plain.len() + units * self.unit_len(), 0);
    }

    /// The stream as its attribute would tell it, with so many clusters as a power of two in a unit.
    ///
    /// # Panics
    /// If the runs make no sense.
    #[must_use]
    pub fn stream(&self, disk: &Disk, unit: u8) -> Stream {
        let (mut pairs, mut last) = (Vec::new(), 0);
        for (lcn, clusters) in &self.runs {
            pairs.push(if lcn.is_some() { 0x88 } else { 0x08 });
            pairs.extend(number(*clusters).to_le_bytes());
            if let Some(lcn) = lcn {
                let lcn = i64::try_from(*lcn).expect("a small number");
                pairs.extend((lcn - last).to_le_bytes());
                last = lcn;
            }
        }
        pairs.push(0);
        let mut runs = RunList::default();
        runs.push_pairs(&pairs, 0, None, &disk.run_bounds(), 0)
            .expect("runs");
        let data_size = number(self.plain.len());
        Stream {
            flags: AttributeFlags::new(1),
            at: 0x1000,
            data_size,
            initialized_size: self.initialized.map_or(data_size, number),
            allocated_size: 0,
            compression_unit: unit,
            value: Value::Mapped(runs),
            missing: None,
        }
    }

    /// The volume.
    #[must_use]
    pub fn disk(&self) -> Disk {
        self.disk_on(Arc::new(Memory::new(self.volume.clone())))
    }

    /// The volume, on another source of its bytes.
    #[must_use]
    pub fn disk_on(&self, source: Arc<dyn ByteSource>) -> Disk {
        let size = number(self.volume.len());
        let boot = BootSector {
            sector_size: 512,
            cluster_size: u32::try_from(self.cluster_size).expect("a cluster"),
            volume_size: size,
            clusters: size / number(self.cluster_size),
            mft_lcn: 0,
            mirror_lcn: 0,
            record_size: 1024,
            index_block_size: 4096,
            serial: 0,
        };
        let limits = Limits::default();
        Disk {
            source,
            boot,
            limits,
        }
    }

    /// The content of the stream.
    ///
    /// # Errors
    /// As [`compressed::open`].
    pub fn open(&self) -> Result<Arc<dyn ByteSource>> {
        self.open_on(Arc::new(Memory::new(self.volume.clone())))
    }

    /// The content of the stream, on another source of the volume's bytes.
    ///
    /// # Errors
    /// As [`compressed::open`].
    pub fn open_on(&self, source: Arc<dyn ByteSource>) -> Result<Arc<dyn ByteSource>> {
        let disk = Arc::new(self.disk_on(source));
        let stream = Arc::new(self.stream(&disk, UNIT));
        compressed::open(&disk, &stream)
    }
}
