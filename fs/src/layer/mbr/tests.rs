//! Tables made by hand, one oddity each. Those made by `sfdisk` are in `tests/tests/partitions.rs`.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests place bytes by plain sums"
)]

use super::*;
use crate::limits::Limits;
use crate::source::Memory;

const SECTOR: usize = 512;

/// A disk of zeros with an empty table in sector 0.
struct Disk(Vec<u8>);

impl Disk {
    fn new(sectors: usize) -> Self {
        let mut disk = Self(vec![0; sectors * SECTOR]);
        disk.sign(0);
        disk
    }

    fn sign(&mut self, at: usize) -> &mut Self {
        self.0[at + 0x1fe..at + 0x200].copy_from_slice(&[0x55, 0xaa]);
        self
    }

    /// Writes entry `index` of the record at byte `at`.
    fn entry(&mut self, at: usize, index: usize, kind: u8, start: u32, count: u32) -> &mut Self {
        let entry = &mut self.0[at + entry_offset(index)..][..entry::LEN];
        entry[4] = kind;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..16].copy_from_slice(&count.to_le_bytes());
        self
    }

    fn primary(&mut self, index: usize, kind: u8, start: u32, count: u32) -> &mut Self {
        self.entry(0, index, kind, start, count)
    }

    /// A record of a chain: a logical partition and perhaps a link.
    fn link(&mut self, sector: usize, logical: (u32, u32), link: Option<(u32, u32)>) -> &mut Self {
        let at = sector * SECTOR;
        self.sign(at).entry(at, 0, 0x83, logical.0, logical.1);
        if let Some((start, count)) = link {
            self.entry(at, 1, 0x05, start, count);
        }
        self
    }

    fn source(&self) -> Arc<dyn ByteSource> {
        Arc::new(Memory::new(self.0.clone()))
    }

    fn confidence(&self) -> Option<Confidence> {
        let matched = Mbr.probe(self.source().as_ref()).unwrap();
        matched.map(|matched| matched.confidence)
    }

    fn open(&self) -> Opened {
        Mbr.open(&[self.source()], &OpenContext::default()).unwrap()
    }
}

fn names(opened: &Opened) -> Vec<&str> {
    (opened.volumes.iter())
        .map(|volume| volume.name.as_str())
        .collect()
}

fn note_codes(opened: &Opened) -> Vec<Code> {
    opened.notes.iter().map(|note| note.code).collect()
}

fn error_code(volume: &Volume) -> Code {
    volume.source.as_ref().unwrap_err().code()
}

#[test]
fn primary_partitions_keep_the_numbers_of_their_entries() {
    let mut disk = Disk::new(64);
    disk.0[0x1b8..0x1bc].copy_from_slice(&0x0012_34ab_u32.to_le_bytes());
    disk.0[10 * SECTOR] = 7;
    disk.primary(0, 0x83, 10, 4).primary(2, 0x07, 20, 4);
    assert_eq!(disk.confidence(), Some(Confidence::Likely));
    let opened = disk.open();
    assert_eq!(names(&opened), ["part/1", "part/3"]);
    assert!(opened.notes.is_empty());
    let first = &opened.volumes[0];
    assert_eq!((first.offset, first.size), (Some(5120), 2048));
    assert_eq!(first.uuid.as_deref(), Some("001234ab-01"));
    assert_eq!(first.type_name.as_deref(), Some("Linux"));
    assert_eq!(first.kind, "partition");
    let mut byte = [0];
    first
        .source
        .as_ref()
        .unwrap()
        .read_at(0, &mut byte)
        .unwrap();
    assert_eq!(byte, [7]);
}

#[test]
fn an_empty_table_and_a_disk_too_small_are_no_match() {
    assert_eq!(Disk::new(64).confidence(), None);
    assert_eq!(Mbr.probe(&Memory::new([0_u8; 511])).unwrap(), None);
    assert_eq!(Mbr.probe(&Memory::new([0_u8; 512])).unwrap(), None);
}

#[test]
fn open_names_what_is_not_a_table() {
    let open = |source: Memory| Mbr.open(&[Arc::new(source)], &OpenContext::default());
    let unsigned = open(Memory::new([0_u8; 4096])).unwrap_err();
    assert_eq!(unsigned.code(), codes::SIGNATURE);
    assert_eq!(
        open(Memory::new([0_u8; 1])).unwrap_err().code(),
        codes::SIGNATURE
    );
    let mut disk = Disk::new(64);
    disk.primary(0, 0x83, 10, 4).0[entry_offset(1)] = 0x20;
    assert_eq!(disk.confidence(), None);
    assert_eq!(open(Memory::new(disk.0)).unwrap_err().code(), codes::FLAG);
}

#[test]
fn a_filesystem_boot_sector_is_weak_at_most() {
    let mut disk = Disk::new(64);
    disk.0[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
    assert_eq!(disk.confidence(), None);
    disk.primary(0, 0x07, 10, 4);
    assert_eq!(disk.confidence(), Some(Confidence::Weak));
    assert_eq!(note_codes(&disk.open()), [codes::BOOT_SECTOR]);
    disk.primary(1, 0x65, 0x7473_6567, 0x2e64);
    assert_eq!(disk.confidence(), None);
}

#[test]
fn a_protective_entry_is_weak_and_gives_no_bytes() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0xee, 1, u32::MAX);
    assert_eq!(disk.confidence(), Some(Confidence::Weak));
    disk.primary(1, 0x83, 10, 4);
    assert_eq!(disk.confidence(), Some(Confidence::Weak));
    let opened = disk.open();
    assert_eq!(error_code(&opened.volumes[0]), codes::PROTECTIVE);
    assert!(opened.volumes[1].source.is_ok());
    assert!(opened.notes.is_empty());
}

#[test]
fn entries_past_the_end_are_listed_and_give_no_bytes() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0x83, 10, 4).primary(1, 0x83, 64, 4);
    assert_eq!(disk.confidence(), Some(Confidence::Weak));
    let opened = disk.open();
    assert!(opened.volumes[0].source.is_ok());
    assert_eq!(error_code(&opened.volumes[1]), codes::ENTRY_OUTSIDE);
    let far = disk.primary(1, 0x83, u32::MAX, u32::MAX).open();
    assert_eq!(error_code(&far.volumes[1]), codes::ENTRY_OUTSIDE);
}

#[test]
fn a_partition_cut_short_is_readable_up_to_the_end() {
    let mut disk = Disk::new(64);
    disk.0[63 * SECTOR] = 9;
    disk.primary(0, 0x83, 60, 100);
    assert_eq!(disk.confidence(), Some(Confidence::Likely));
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::ENTRY_CUT]);
    let source = opened.volumes[0].source.as_ref().unwrap();
    assert_eq!(source.size(), 51200);
    let mut buf = [0; SECTOR];
    source.read_at(3 * 512, &mut buf).unwrap();
    assert_eq!(buf[0], 9);
    assert_eq!(
        source.read_at(3 * 512 + 1, &mut buf).unwrap_err().code(),
        codes::ENTRY_CUT
    );
    assert_eq!(
        source.read_at(50 * 512, &mut buf).unwrap_err().code(),
        codes::ENTRY_CUT
    );
}

#[test]
fn a_partition_at_its_own_table_gives_no_bytes() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0x17, 0, 64).primary(1, 0xef, 10, 4);
    assert_eq!(disk.confidence(), Some(Confidence::Weak));
    let opened = disk.open();
    assert_eq!(error_code(&opened.volumes[0]), codes::ENTRY_START);
    assert_eq!(note_codes(&opened), [codes::ENTRY_OVERLAP]);
    assert!(opened.volumes[1].source.is_ok());
}

#[test]
fn overlaps_are_noted_and_make_the_table_weak() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0x83, 10, 10)
        .primary(1, 0x83, 11, 1)
        .primary(2, 0x83, 15, 10);
    assert_eq!(disk.confidence(), Some(Confidence::Weak));
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::ENTRY_OVERLAP; 2]);
    assert!(opened.volumes.iter().all(|volume| volume.source.is_ok()));
}

#[test]
fn logical_partitions_count_from_five() {
    for kind in [0x05, 0x0f, 0x85] {
        let mut disk = Disk::new(64);
        disk.primary(0, 0x83, 4, 4).primary(1, kind, 10, 50);
        disk.link(10, (2, 4), Some((20, 10))).link(30, (3, 5), None);
        let opened = disk.open();
        assert_eq!(names(&opened), ["part/1", "part/5", "part/6"]);
        assert!(opened.notes.is_empty());
        let offsets: Vec<_> = (opened.volumes.iter())
            .map(|volume| volume.offset)
            .collect();
        assert_eq!(offsets, [Some(4 * 512), Some(12 * 512), Some(33 * 512)]);
    }
}

#[test]
fn records_with_a_link_first_or_four_partitions_are_read_as_the_kernel_does() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0x05, 10, 40);
    // DR-DOS: the link comes first. OS/2: all four entries; garbage in the last is passed over.
    disk.sign(5120).entry(5120, 0, 0x05, 20, 20);
    let second = 30 * SECTOR;
    disk.sign(second)
        .entry(second, 0, 0x83, 1, 2)
        .entry(second, 1, 0x83, 4, 2)
        .entry(second, 2, 0x83, 8, 2)
        .entry(second, 3, 0x83, 0x7473, 2);
    assert_eq!(names(&disk.open()), ["part/5", "part/6", "part/7"]);
}

#[test]
fn a_second_extended_partition_goes_on_counting() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0x05, 10, 10).primary(1, 0x0f, 30, 10);
    disk.link(10, (1, 2), None).link(30, (1, 2), None);
    assert_eq!(names(&disk.open()), ["part/5", "part/6"]);
}

#[test]
fn a_chain_that_breaks_off_is_noted_and_keeps_what_it_had() {
    let chain = |link: Option<(u32, u32)>| {
        let mut disk = Disk::new(64);
        disk.primary(0, 0x83, 4, 4).primary(1, 0x05, 10, 50);
        disk.link(10, (2, 4), link);
        disk
    };
    let cases = [
        (chain(Some((0, 10))), codes::EBR_LOOP),
        (chain(Some((20, 10))), codes::EBR_SIGNATURE),
        (chain(Some((54, 10))), codes::EBR_OUTSIDE),
        (chain(Some((u32::MAX, 10))), codes::EBR_OUTSIDE),
    ];
    for (disk, code) in cases {
        let opened = disk.open();
        assert_eq!(names(&opened), ["part/1", "part/5"]);
        assert_eq!(note_codes(&opened), [code]);
    }
}

#[test]
fn a_loop_over_several_records_ends() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0x05, 10, 50);
    disk.link(10, (1, 2), Some((10, 10)))
        .link(20, (1, 2), Some((20, 10)))
        .link(30, (1, 2), Some((10, 10)));
    let opened = disk.open();
    assert_eq!(names(&opened), ["part/5", "part/6", "part/7"]);
    assert_eq!(note_codes(&opened), [codes::EBR_LOOP]);
    assert_eq!(opened.notes[0].at, 20 * 512);
}

#[test]
fn a_chain_is_no_longer_than_the_limit() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0x05, 10, 50);
    for (index, sector) in (10..50).step_by(4).enumerate() {
        let next = u32::try_from((index + 1) * 4).unwrap();
        disk.link(sector, (1, 2), Some((next, 4)));
    }
    let ctx = OpenContext {
        limits: Limits {
            ebr_count_max: 3,
            ..Limits::default()
        },
        ..OpenContext::default()
    };
    let opened = Mbr.open(&[disk.source()], &ctx).unwrap();
    assert_eq!(names(&opened), ["part/5", "part/6", "part/7"]);
    assert_eq!(note_codes(&opened), [codes::EBR_COUNT]);
}

/// Fails reads at and past a byte.
#[derive(Debug)]
struct BadFrom(Memory, u64);

impl ByteSource for BadFrom {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if offset >= self.1 {
            return Err(Error::io(offset, std::io::Error::other("bad sector")));
        }
        self.0.read_at(offset, buf)
    }
}

#[test]
fn an_unreadable_record_is_not_an_absent_one() {
    let mut disk = Disk::new(64);
    disk.primary(0, 0x83, 4, 4).primary(1, 0x05, 10, 50);
    disk.link(10, (2, 4), None);
    let bad =
        |from| -> Arc<dyn ByteSource> { Arc::new(BadFrom(Memory::new(disk.0.clone()), from)) };
    let opened = Mbr.open(&[bad(4096)], &OpenContext::default()).unwrap();
    assert_eq!(names(&opened), ["part/1"]);
    assert_eq!(note_codes(&opened), [codes::EBR_UNREADABLE]);
    assert!(matches!(Mbr.probe(bad(0).as_ref()), Err(Error::Io { .. })));
}

#[test]
fn large_sectors_are_seen_by_what_is_stored() {
    let mut disk = Disk::new(1024);
    disk.primary(0, 0x83, 16, 16);
    assert_eq!(disk.open().volumes[0].offset, Some(16 * 512));
    disk.0[16 * 4096 + 1024] = 1;
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::SECTOR_SIZE]);
    assert_eq!(opened.volumes[0].offset, Some(16 * 4096));
    assert_eq!(opened.volumes[0].size, 16 * 4096);
    // Something at the small offset, and the usual size is believed again.
    disk.0[16 * 512 + 1024] = 1;
    assert_eq!(disk.open().volumes[0].offset, Some(16 * 512));
}

#[test]
fn large_sectors_are_seen_by_the_chain() {
    let mut disk = Disk::new(1024);
    disk.primary(0, 0x05, 16, 16);
    disk.link(16 * 8, (2, 4), None);
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::SECTOR_SIZE]);
    assert_eq!(opened.volumes[0].offset, Some(18 * 4096));
}
