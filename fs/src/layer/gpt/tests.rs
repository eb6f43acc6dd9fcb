//! Tables made by hand, one oddity each. Those made by `sfdisk` and `sgdisk` are in
//! `tests/tests/partitions.rs`.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests place bytes by plain sums"
)]

use super::*;
use crate::limits::Limits;
use crate::source::Memory;
use crc::crc32;

const LINUX: guid::Guid = [
    0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4,
];
const SECTORS: usize = 256;
const ENTRIES: usize = 8;

/// A disk with a table of eight entries in sector 2, and its copy in the last two sectors.
struct Disk {
    bytes: Vec<u8>,
    sector: usize,
}

impl Disk {
    fn new(sector: usize) -> Self {
        let mut bytes = vec![0; SECTORS * sector];
        bytes[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        bytes[0x1be + 4] = 0xee;
        bytes[0x1be + 12] = 0xff;
        let mut disk = Self { bytes, sector };
        let last = SECTORS - 1;
        disk.header(1, last, 2);
        disk.header(last, 1, last - entry_sectors(sector));
        disk.seal();
        disk
    }

    fn header(&mut self, lba: usize, other: usize, entries: usize) {
        let at = lba * self.sector;
        self.bytes[at..at + 8].copy_from_slice(b"EFI PART");
        self.u32(at + 0x08, 0x0001_0000).u32(at + 0x0c, 92);
        self.u64(at + 0x18, lba).u64(at + 0x20, other);
        self.u64(at + 0x28, 8).u64(at + 0x30, SECTORS - 8);
        self.bytes[at + 0x38..at + 0x48].fill(0x11);
        self.u64(at + 0x48, entries);
        self.u32(at + 0x50, 8).u32(at + 0x54, 128);
    }

    fn u32(&mut self, at: usize, value: u32) -> &mut Self {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(&mut self, at: usize, value: usize) -> &mut Self {
        self.bytes[at..at + 8].copy_from_slice(&len_u64(value).to_le_bytes());
        self
    }

    /// Byte offsets of the two arrays.
    fn arrays(&self) -> [usize; 2] {
        let last = SECTORS - 1 - entry_sectors(self.sector);
        [2 * self.sector, last * self.sector]
    }

    /// Byte offsets of the two headers.
    fn headers(&self) -> [usize; 2] {
        [self.sector, (SECTORS - 1) * self.sector]
    }

    /// Writes an entry into one array.
    fn entry_in(&mut self, array: usize, index: usize, first: usize, last: usize) -> &mut Self {
        let at = self.arrays()[array] + index * 128;
        self.bytes[at..at + 16].copy_from_slice(&LINUX);
        self.bytes[at + 16..at + 32].fill(0xa0 + u8::try_from(index).unwrap());
        self.u64(at + 0x20, first).u64(at + 0x28, last);
        self.bytes[at + 0x38] = b'p';
        self
    }

    /// Writes an entry into both arrays and makes all checksums fit.
    fn entry(&mut self, index: usize, first: usize, last: usize) -> &mut Self {
        self.entry_in(0, index, first, last);
        self.entry_in(1, index, first, last);
        self.seal()
    }

    /// Makes the checksum of one header fit.
    fn seal_header(&mut self, copy: usize) -> &mut Self {
        let at = self.headers()[copy];
        self.u32(at + 0x10, 0);
        let crc = crc32(&self.bytes[at..at + 92]);
        self.u32(at + 0x10, crc)
    }

    fn seal(&mut self) -> &mut Self {
        for copy in 0..2 {
            let (array, header) = (self.arrays()[copy], self.headers()[copy]);
            let crc = crc32(&self.bytes[array..array + ENTRIES * 128]);
            self.u32(header + 0x58, crc).seal_header(copy);
        }
        self
    }

    /// Sets a field of both headers and makes their checksums fit.
    fn field(&mut self, offset: usize, value: u32) -> &mut Self {
        for copy in 0..2 {
            let at = self.headers()[copy];
            self.u32(at + offset, value).seal_header(copy);
        }
        self
    }

    fn source(&self) -> Arc<dyn ByteSource> {
        Arc::new(Memory::new(self.bytes.clone()))
    }

    fn confidence(&self) -> Option<Confidence> {
        let matched = Gpt.probe(self.source().as_ref()).unwrap();
        matched.map(|matched| matched.confidence)
    }

    fn open(&self) -> Opened {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Opened> {
        Gpt.open(&[self.source()], &OpenContext::default())
    }
}

const fn entry_sectors(sector: usize) -> usize {
    (ENTRIES * 128).div_ceil(sector)
}

fn one_partition() -> Disk {
    let mut disk = Disk::new(512);
    disk.entry(0, 16, 31);
    disk
}

fn note_codes(opened: &Opened) -> Vec<Code> {
    opened.notes.iter().map(|note| note.code).collect()
}

fn error_code(volume: &Volume) -> Code {
    volume.source.as_ref().unwrap_err().code()
}

#[test]
fn a_whole_table_is_certain_with_both_sizes_of_sector() {
    for sector in [512, 4096] {
        let mut disk = Disk::new(sector);
        disk.entry(0, 16, 31).entry(3, 40, 40);
        disk.bytes[16 * sector] = 7;
        assert_eq!(disk.confidence(), Some(Confidence::Certain));
        let opened = disk.open();
        assert_eq!(note_codes(&opened), []);
        let names: Vec<_> = (opened.volumes.iter())
            .map(|volume| &*volume.name)
            .collect();
        assert_eq!(names, ["part/1", "part/4"]);
        let first = &opened.volumes[0];
        assert_eq!(first.size, len_u64(16 * sector));
        assert_eq!(first.offset, Some(len_u64(16 * sector)));
        assert_eq!(
            first.uuid.as_deref(),
            Some("a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0")
        );
        assert_eq!(first.label.as_deref(), Some("p"));
        assert_eq!(first.type_name.as_deref(), Some("Linux filesystem"));
        let mut byte = [0];
        let source = first.source.as_ref().unwrap();
        source.read_at(0, &mut byte).unwrap();
        assert_eq!((byte, source.size()), ([7], first.size));
    }
}

#[test]
fn no_signature_is_no_match() {
    assert_eq!(Gpt.probe(&Memory::new([0_u8; 16384])).unwrap(), None);
    assert_eq!(Gpt.probe(&Memory::new([])).unwrap(), None);
    let empty: Arc<dyn ByteSource> = Arc::new(Memory::new([0_u8; 16384]));
    let error = Gpt.open(&[empty], &OpenContext::default()).unwrap_err();
    assert_eq!(error.code(), codes::SIGNATURE);
}

#[test]
fn sector_0_decides_how_far_a_header_is_believed() {
    let mut disk = one_partition();
    let (primary, backup) = (512, 255 * 512);
    let rows = [
        // Type in sector 0, and with which headers: both, backup, none whole.
        (
            0xee,
            [Confidence::Certain, Confidence::Certain, Confidence::Likely].map(Some),
        ),
        (
            0x00,
            [
                Some(Confidence::Likely),
                Some(Confidence::Weak),
                Some(Confidence::Weak),
            ],
        ),
        (0x83, [Some(Confidence::Weak), Some(Confidence::Weak), None]),
    ];
    for damaged in 0..3 {
        if let Some(header) = [None, Some(primary), Some(backup)][damaged] {
            disk.bytes[header + 0x40] ^= 1;
        }
        for (kind, expected) in rows {
            disk.bytes[0x1be + 4] = kind;
            // An entry of type 0 that has a size is an entry.
            disk.bytes[0x1be + 12] = if kind == 0 { 0 } else { 1 };
            assert_eq!(disk.confidence(), expected[damaged], "{kind:#x} {damaged}");
        }
    }
    disk.bytes[0x1be + 4] = 0xee;
    assert_eq!(disk.try_open().unwrap_err().code(), codes::HEADER_CHECKSUM);
}

#[test]
fn an_unprotected_table_is_noted() {
    let mut disk = one_partition();
    disk.bytes[..512].fill(0);
    assert_eq!(note_codes(&disk.open()), [codes::NOT_PROTECTED]);
}

#[test]
fn a_hybrid_is_noted_and_the_gpt_is_shown() {
    let mut disk = one_partition();
    disk.bytes[0x1ce + 4] = 0x83;
    disk.bytes[0x1ce + 12] = 1;
    assert_eq!(disk.confidence(), Some(Confidence::Certain));
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::HYBRID]);
    assert_eq!(opened.volumes.len(), 1);
}

#[test]
fn a_damaged_primary_is_replaced_by_the_backup() {
    for sector in [512, 4096] {
        let mut disk = Disk::new(sector);
        disk.entry(0, 16, 31);
        disk.bytes[sector + 0x28] ^= 1;
        let opened = disk.open();
        assert_eq!(note_codes(&opened), [codes::PRIMARY_DAMAGED]);
        assert!(opened.volumes[0].source.is_ok());
        disk.bytes[sector..3 * sector].fill(0);
        assert_eq!(disk.confidence(), Some(Confidence::Certain));
        let opened = disk.open();
        assert_eq!(note_codes(&opened), [codes::PRIMARY_DAMAGED]);
        assert_eq!(opened.volumes[0].offset, Some(len_u64(16 * sector)));
    }
}

#[test]
fn a_damaged_backup_is_noted() {
    let mut disk = one_partition();
    let backup = disk.headers()[1];
    disk.bytes[backup + 0x28] ^= 1;
    assert_eq!(note_codes(&disk.open()), [codes::BACKUP_DAMAGED]);
    disk.bytes[backup..].fill(0);
    assert_eq!(note_codes(&disk.open()), [codes::BACKUP_DAMAGED]);
}

#[test]
fn a_backup_that_differs_is_noted_and_the_primary_is_used() {
    let mut disk = one_partition();
    disk.entry_in(1, 0, 17, 31).seal();
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::BACKUP_DIFFERS]);
    assert_eq!(opened.volumes[0].offset, Some(16 * 512));
}

#[test]
fn on_a_grown_disk_the_backup_is_where_the_primary_names_it() {
    let mut disk = one_partition();
    disk.bytes.extend_from_slice(&[0; 64 * 512]);
    assert_eq!(note_codes(&disk.open()), [codes::BACKUP_NOT_LAST]);
    // Even by a header whose checksum does not fit.
    disk.bytes[512 + 0x28] ^= 1;
    assert_eq!(disk.confidence(), Some(Confidence::Certain));
    let codes = note_codes(&disk.open());
    assert_eq!(codes, [codes::PRIMARY_DAMAGED, codes::BACKUP_NOT_LAST]);
}

#[test]
fn a_cut_image_is_readable_up_to_its_end() {
    let mut disk = one_partition();
    disk.entry(1, 40, 60).entry(2, 100, 120);
    disk.bytes.truncate(50 * 512);
    disk.bytes[49 * 512] = 9;
    assert_eq!(disk.confidence(), Some(Confidence::Certain));
    let opened = disk.open();
    assert_eq!(
        note_codes(&opened),
        [codes::BACKUP_OUTSIDE, codes::ENTRY_CUT]
    );
    assert!(opened.volumes[0].source.is_ok());
    assert_eq!(error_code(&opened.volumes[2]), codes::ENTRY_OUTSIDE);
    let source = opened.volumes[1].source.as_ref().unwrap();
    assert_eq!(source.size(), 21 * 512);
    let mut buf = [0; 512];
    source.read_at(9 * 512, &mut buf).unwrap();
    assert_eq!(buf[0], 9);
    let error = source.read_at(10 * 512, &mut buf).unwrap_err();
    assert_eq!(error.code(), codes::ENTRY_CUT);
}

#[test]
fn entries_with_a_bad_checksum_are_taken_from_the_other_copy() {
    let mut disk = one_partition();
    let [primary, backup] = disk.arrays();
    disk.bytes[primary + 0x20] ^= 1;
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::ENTRIES_CHECKSUM]);
    assert_eq!(opened.notes[0].at, len_u64(primary));
    assert_eq!(opened.volumes[0].offset, Some(16 * 512));
    let mut disk = one_partition();
    disk.bytes[backup + 0x20] ^= 1;
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::ENTRIES_CHECKSUM]);
    assert_eq!(opened.volumes[0].offset, Some(16 * 512));
}

#[test]
fn of_two_damaged_arrays_only_what_agrees_gives_bytes() {
    let mut disk = one_partition();
    disk.entry(1, 40, 50).entry(2, 60, 70);
    let [primary, backup] = disk.arrays();
    // Entry 2 is changed in one copy, entry 3 is gone from the other.
    disk.bytes[primary + 128 + 0x20] ^= 1;
    disk.bytes[backup + 256..backup + 384].fill(0);
    let opened = disk.open();
    assert_eq!(note_codes(&opened), [codes::ENTRIES_CHECKSUM; 2]);
    assert!(opened.volumes[0].source.is_ok());
    assert_eq!(error_code(&opened.volumes[1]), codes::ENTRY_UNCONFIRMED);
    assert_eq!(error_code(&opened.volumes[2]), codes::ENTRY_UNCONFIRMED);
    // Gone from the copy that is listed first: still not taken for absent.
    disk.bytes[primary..primary + 128].fill(0);
    assert_eq!(
        error_code(&disk.open().volumes[0]),
        codes::ENTRY_UNCONFIRMED
    );
    let lenient = OpenContext {
        checksums: ChecksumPolicy::Ignore,
        ..OpenContext::default()
    };
    let opened = Gpt.open(&[disk.source()], &lenient).unwrap();
    assert!(opened.volumes.iter().all(|volume| volume.source.is_ok()));
}

#[test]
fn a_damaged_array_without_a_second_copy_gives_no_bytes() {
    let mut disk = one_partition();
    let ([primary, _], [_, backup]) = (disk.arrays(), disk.headers());
    disk.bytes[primary + 0x38] ^= 1;
    disk.bytes[backup] ^= 1;
    let opened = disk.open();
    let codes = [codes::BACKUP_DAMAGED, codes::ENTRIES_CHECKSUM];
    assert_eq!(note_codes(&opened), codes);
    assert_eq!(error_code(&opened.volumes[0]), codes::ENTRY_UNCONFIRMED);
}

#[test]
fn entries_that_make_no_sense_are_listed_and_give_no_bytes() {
    let mut disk = one_partition();
    disk.entry(1, 50, 49)
        .entry(2, 0, 10)
        .entry(3, 256, 300)
        .entry(4, usize::MAX, usize::MAX);
    let opened = disk.open();
    assert!(opened.volumes[0].source.is_ok());
    let codes: Vec<_> = opened.volumes[1..].iter().map(error_code).collect();
    let expected = [
        codes::ENTRY_REVERSED,
        codes::ENTRY_START,
        codes::ENTRY_OUTSIDE,
        codes::ENTRY_OUTSIDE,
    ];
    assert_eq!(codes, expected);
}

#[test]
fn overlaps_and_unusable_ranges_are_noted() {
    let mut disk = one_partition();
    disk.entry(1, 31, 40).entry(2, 4, 5).entry(3, 240, 249);
    let opened = disk.open();
    let expected = [
        codes::ENTRY_OVERLAP,
        codes::ENTRY_UNUSABLE,
        codes::ENTRY_UNUSABLE,
    ];
    assert_eq!(note_codes(&opened), expected);
    assert!(opened.volumes.iter().all(|volume| volume.source.is_ok()));
}

#[test]
fn fields_of_the_header_are_bounded() {
    let cases = [
        (0x08, 0x0002_0000, codes::REVISION),
        (0x0c, 91, codes::HEADER_SIZE),
        (0x0c, 513, codes::HEADER_SIZE),
        (0x18, 7, codes::MY_LBA),
        (0x28, 255, codes::USABLE),
        (0x54, 64, codes::ENTRY_SIZE),
        (0x54, 0, codes::ENTRY_SIZE),
        (0x54, 384, codes::ENTRY_SIZE),
        (0x54, 8192, codes::ENTRY_SIZE),
        (0x50, 1025, codes::ENTRY_COUNT),
        (0x50, u32::MAX, codes::ENTRY_COUNT),
        (0x48, 255, codes::ENTRIES_OUTSIDE),
        (0x4c, u32::MAX, codes::ENTRIES_OUTSIDE),
    ];
    for (offset, value, code) in cases {
        let error = one_partition().field(offset, value).try_open().unwrap_err();
        assert_eq!(error.code(), code, "{offset:#x} = {value:#x}");
    }
}

#[test]
fn a_limit_is_told_from_damage() {
    let ctx = OpenContext {
        limits: Limits {
            gpt_entry_count_max: 7,
            ..Limits::default()
        },
        ..OpenContext::default()
    };
    let error = Gpt.open(&[one_partition().source()], &ctx).unwrap_err();
    assert!(matches!(error, Error::Limit(fault) if fault.code == codes::ENTRY_COUNT));
}

#[test]
fn larger_entries_are_stepped_over() {
    let mut disk = one_partition();
    disk.entry(2, 40, 50).entry(1, 60, 70);
    disk.field(0x50, 4).field(0x54, 256).seal();
    let names: Vec<_> = (disk.open().volumes.iter())
        .map(|volume| volume.offset)
        .collect();
    assert_eq!(names, [Some(16 * 512), Some(40 * 512)]);
}

/// Fails reads that begin in a range.
#[derive(Debug)]
struct Bad(Memory, std::ops::Range<u64>);

impl ByteSource for Bad {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if self.1.contains(&offset) {
            return Err(Error::io(offset, std::io::Error::other("bad sector")));
        }
        self.0.read_at(offset, buf)
    }
}

#[test]
fn an_unreadable_copy_is_replaced_and_an_unreadable_disk_is_not_empty() {
    let disk = one_partition();
    let bad =
        |range| -> Arc<dyn ByteSource> { Arc::new(Bad(Memory::new(disk.bytes.clone()), range)) };
    let open = |range| Gpt.open(&[bad(range)], &OpenContext::default());
    let headers = open(0..1024).unwrap();
    let expected = [codes::NOT_PROTECTED, codes::PRIMARY_DAMAGED];
    assert_eq!(note_codes(&headers), expected);
    let entries = open(1024..2048).unwrap();
    assert_eq!(note_codes(&entries), [codes::ENTRIES_UNREADABLE]);
    assert!(entries.volumes[0].source.is_ok());
    assert!(matches!(open(512..u64::MAX), Err(Error::Io { .. })));
    let probe = Gpt.probe(bad(0..u64::MAX).as_ref());
    assert!(matches!(probe, Err(Error::Io { .. })));
}
