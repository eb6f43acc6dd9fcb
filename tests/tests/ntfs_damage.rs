//! Volumes that mkntfs and ntfs-3g made, with one thing broken in each: what is lost, what is told, and
//! what is still there.

use flr_fs::bytes::{get_le_u16, get_le_u32, get_le_u64, len_u64};
use flr_fs::filesystem::ntfs::{Ntfs, codes};
use flr_fs::format::{FilesystemDriver, Format};
use flr_fs::{
    ByteSource, Code, Error, FileKind, Filesystem, FsState, Memory, NodeId, OpenContext, RawName,
    Request, SegmentKind, StreamName,
};
use flr_recover::View;
use flr_recover::walk::{Next, Step, walk};
use flr_tests::image::image_bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All of these volumes have records of 1 KiB.
const RECORD_LEN: u64 = 1024;

const STANDARD_INFORMATION: u32 = 0x10;
const VOLUME_INFORMATION: u32 = 0x70;
const DATA: u32 = 0x80;

/// A volume and where its records lie.
struct Volume {
    bytes: Vec<u8>,
}

impl Volume {
    fn new(name: &str) -> Self {
        let bytes = image_bytes(name);
        Self { bytes }
    }

    fn try_open(&self) -> Result<Arc<dyn Filesystem>, Error> {
        let source: Arc<dyn ByteSource> = Arc::new(Memory::new(self.bytes.clone()));
        Ntfs.open(&[source], &OpenContext::default())
    }

    fn open(&self) -> Arc<dyn Filesystem> {
        self.try_open().expect("a volume")
    }

    /// Byte at which a record begins, from the map of the `$MFT`.
    fn record(&self, number: u64) -> usize {
        let filesystem = self.open();
        let mft = filesystem.open(NodeId(0), StreamName::Main).unwrap();
        let len = RECORD_LEN;
        let segment = mft.segment_at(number * len..(number + 1) * len).unwrap();
        match segment.kind {
            SegmentKind::Stored(location) => usize::try_from(location.offset).unwrap(),
            other => panic!("record {number} is {other:?}"),
        }
    }

    fn number(&self, name: &str) -> u64 {
        node(self.open().as_ref(), name).0
    }

    /// Byte at which the first attribute of this type begins.
    fn attribute(&self, record: usize, type_code: u32) -> usize {
        let mut at = record + usize::from(get_le_u16(&self.bytes, record + 0x14).unwrap());
        while get_le_u32(&self.bytes, at).unwrap() != type_code {
            at += usize::try_from(get_le_u32(&self.bytes, at + 4).unwrap()).unwrap();
            assert!(at < record + 1024, "no attribute {type_code:#x}");
        }
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Both copies of one of the first four records.
    fn spoil_mirrored(&mut self, number: u64) {
        let place = self.record(number);
        let cluster =
            usize::from(get_le_u16(&self.bytes, 0xb).unwrap()) * usize::from(self.bytes[0xd]);
        let mirror = usize::try_from(get_le_u64(&self.bytes, 0x38).unwrap()).unwrap() * cluster;
        let within = usize::try_from(number).unwrap() * 1024;
        self.put(place, b"BAAD");
        self.put(mirror + within, b"BAAD");
    }
}

fn node(filesystem: &dyn Filesystem, name: &str) -> NodeId {
    let found = filesystem.lookup(filesystem.root(), RawName::new(name.as_bytes()));
    found.unwrap().expect(name).node
}

fn read(filesystem: &dyn Filesystem, name: &str) -> Result<Vec<u8>, Error> {
    let source = filesystem.open(node(filesystem, name), StreamName::Main)?;
    let mut content = vec![0; usize::try_from(source.size()).unwrap()];
    source.read_at(0, &mut content)?;
    Ok(content)
}

fn notes(filesystem: &dyn Filesystem) -> Vec<Code> {
    filesystem
        .info()
        .notes
        .iter()
        .map(|note| note.code)
        .collect()
}

/// Everything that can be read: paths, and files with their content.
fn contents(filesystem: &Arc<dyn Filesystem>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let view = View::new(Arc::clone(filesystem));
    let mut contents = BTreeMap::new();
    walk(&view, view.root(), None, &mut |step| {
        if let Step::Node {
            path,
            node,
            metadata,
        } = step
        {
            let mut content = Vec::new();
            if metadata.kind == FileKind::File {
                let source = view.open(node).unwrap();
                content.resize(usize::try_from(source.size()).unwrap(), 0);
                source.read_at(0, &mut content).unwrap();
            }
            contents.insert(path.to_vec(), content);
        }
        Next::Continue
    })
    .unwrap();
    assert!(contents.len() > 3);
    contents
}

#[test]
fn the_copy_of_the_boot_sector_serves_for_it() {
    let mut volume = Volume::new("ntfs-4k");
    let whole = contents(&volume.open());
    volume.put(0, &[0; 512]);
    let source = Memory::new(volume.bytes.clone());
    assert!(Ntfs.probe(&source).unwrap().is_none());
    assert!(Ntfs.probe_copies(&source).is_some());
    let filesystem = volume.open();
    assert_eq!(notes(filesystem.as_ref()), [codes::BOOT_COPY]);
    assert_eq!(contents(&filesystem), whole);
    let last = volume.bytes.len() - 512;
    volume.put(last, &[0; 512]);
    assert!(
        Ntfs.probe_copies(&Memory::new(volume.bytes.clone()))
            .is_none()
    );
    assert_eq!(volume.try_open().unwrap_err().code(), codes::BOOT);
}

#[test]
fn the_mirror_serves_for_the_first_records() {
    let whole = contents(&Volume::new("ntfs-4k").open());
    for number in [0, 3] {
        let mut volume = Volume::new("ntfs-4k");
        let place = volume.record(number);
        // A torn write.
        volume.bytes[place + 510] ^= 1;
        let filesystem = volume.open();
        assert_eq!(
            notes(filesystem.as_ref()),
            [codes::MIRROR],
            "record {number}"
        );
        assert_eq!(contents(&filesystem), whole);
        assert_eq!(filesystem.info().label, b"ntfs-4k");
    }
    let mut volume = Volume::new("ntfs-4k");
    volume.spoil_mirrored(0);
    assert_eq!(volume.try_open().unwrap_err().code(), codes::RECORD);
}

#[test]
fn what_the_volume_says_of_itself_may_be_missing() {
    let mut volume = Volume::new("ntfs-4k");
    volume.spoil_mirrored(3);
    let filesystem = volume.open();
    assert!(notes(filesystem.as_ref()).contains(&codes::RECORD));
    assert_eq!(filesystem.info().state.words(), "not replayed");
    assert!(filesystem.info().label.is_empty());
    contents(&filesystem);
}

#[test]
fn without_its_table_names_are_found_all_the_same() {
    let name = |volume: &Volume| {
        let names = contents(&volume.open());
        let name = names
            .keys()
            .find(|name| name.iter().any(u8::is_ascii_lowercase));
        String::from_utf8(name.unwrap()[1..].to_vec()).unwrap()
    };
    let mut volume = Volume::new("ntfs-4k");
    let name = name(&volume);
    let first = name.split('/').next().unwrap().to_uppercase();
    let record = volume.record(10);
    let data = volume.attribute(record, DATA);
    // Longer than any table.
    volume.put(data + 0x28, &0x4_0000_u64.to_le_bytes());
    volume.put(data + 0x30, &0x4_0000_u64.to_le_bytes());
    let filesystem = volume.open();
    let note = &filesystem.info().notes[0];
    assert_eq!(note.code, codes::UPCASE);
    assert!(note.detail.contains(codes::VALUE_SIZE.as_str()), "{note}");
    node(filesystem.as_ref(), &first);
}

#[test]
fn a_cut_image_is_read_as_far_as_it_goes() {
    let mut volume = Volume::new("ntfs-initialized");
    // The copies of the first records lie in the middle, and here behind the end.
    let mirror = get_le_u64(&volume.bytes, 0x38).unwrap() * 4096;
    volume.bytes.truncate(usize::try_from(mirror).unwrap());
    let filesystem = volume.open();
    assert_eq!(notes(filesystem.as_ref())[0], codes::VOLUME_SIZE);
    let mft = filesystem.open(NodeId(0), StreamName::Main).unwrap();
    mft.read_at(0, &mut [0; 4096]).unwrap();
    let mut lost = 0;
    for cut in [0, 1, 511, 512, 4095, 4096, 4097, 100_000, 299_999] {
        let file = node(filesystem.as_ref(), &format!("to-{cut:06}"));
        let source = filesystem.open(file, StreamName::Main).unwrap();
        for offset in (0..source.size()).step_by(4096) {
            let mut buf = [0; 16];
            let mut reads = [flr_fs::ReadRequest::new(offset, &mut buf)];
            source.read_many(&mut reads);
            let many = reads[0].result.clone().map_err(|error| error.code());
            let one = source.read_at(offset, &mut buf);
            assert_eq!(many, one.map_err(|error| error.code()), "{cut} at {offset}");
            lost += usize::from(many == Err(codes::VOLUME_SIZE));
        }
    }
    assert!(lost > 0, "all clusters lie before the end");
}

/// A file in three records or more: without one of them the others are read, and the gap is an error.
#[test]
fn a_piece_that_is_gone_leaves_a_gap_and_no_zeros() {
    let mut volume = Volume::new("ntfs-fragmented");
    let whole = read(volume.open().as_ref(), "comb").unwrap();
    let number = volume.number("comb");
    let count = {
        let mft = volume.open().open(NodeId(0), StreamName::Main).unwrap();
        mft.size() / 1024
    };
    // The last of its records, by their own word.
    let parts: Vec<usize> = (24..count)
        .map(|other| volume.record(other))
        .filter(|at| get_le_u16(&volume.bytes, at + 0x16) == Some(1))
        .filter(|at| get_le_u64(&volume.bytes, at + 0x20).unwrap() & 0xffff_ffff == number)
        .collect();
    assert!(parts.len() > 2, "{} records", parts.len());
    // Freed, handed to another file, or used anew.
    for (at, value) in [(0x16, 0), (0x20, 0x55), (0x10, 0x77)] {
        let mut volume = Volume {
            bytes: volume.bytes.clone(),
        };
        volume.bytes[parts[2] + at] = value;
        let filesystem = volume.open();
        let error = read(filesystem.as_ref(), "comb").unwrap_err();
        assert_eq!(error.code(), codes::MISSING_PIECE, "byte {at:#x}");
        let source = filesystem.open(node(filesystem.as_ref(), "comb"), StreamName::Main);
        let source = source.unwrap();
        assert_eq!(source.size(), len_u64(whole.len()));
        let (mut read, mut lost) = (0, 0);
        for (index, expected) in whole.chunks(512).enumerate() {
            let mut cluster = vec![0x55; expected.len()];
            let offset = len_u64(index) * 512;
            let kind = source.segment_at(offset..offset + 1).unwrap().kind;
            match source.read_at(offset, &mut cluster) {
                Ok(()) => {
                    assert_eq!(cluster, expected, "cluster {index}");
                    assert!(matches!(kind, SegmentKind::Stored(_) | SegmentKind::Hole));
                    read += 1;
                }
                Err(error) => {
                    assert_eq!(error.code(), codes::MISSING_PIECE);
                    assert_eq!(kind, SegmentKind::Missing(codes::MISSING_PIECE));
                    lost += 1;
                }
            }
        }
        assert!(
            read > 100 && lost > 100,
            "{read} clusters read, {lost} lost"
        );
    }
    // And the list itself.
    let record = volume.record(number);
    let list = volume.attribute(record, 0x20);
    let resident = volume.bytes[list + 8] == 0;
    if resident {
        let value = list + usize::from(get_le_u16(&volume.bytes, list + 0x14).unwrap());
        let second = value + usize::from(get_le_u16(&volume.bytes, value + 4).unwrap());
        volume.put(second + 4, &[0, 0]);
        let filesystem = volume.open();
        let found = filesystem.metadata(NodeId(number)).unwrap_err();
        assert_eq!(found.code(), codes::ATTRIBUTE_LIST);
    }
}

#[test]
fn one_broken_record_is_one_file() {
    let whole = Volume::new("ntfs-initialized");
    let number = whole.number("to-000511");
    let record = whole.record(number);
    let data = whole.attribute(record, DATA);
    let info = whole.attribute(record, STANDARD_INFORMATION);
    let expected = read(whole.open().as_ref(), "to-004096").unwrap();
    let cases: [(Code, usize, &[u8]); 7] = [
        (codes::FIXUP, record + 510, &[0x99, 0x99]),
        (codes::RECORD, record + 0x2c, &[0x99]),
        (codes::RECORD, record, b"BAAD"),
        (codes::ATTRIBUTE, data + 4, &[0xff, 0xff]),
        (codes::STREAM, data + 0x38, &[0, 0, 0, 1]),
        (codes::STREAM, data + 0x10, &[1]),
        (codes::STANDARD_INFORMATION, info + 0x10, &[1]),
    ];
    for (code, at, bytes) in cases {
        let mut volume = Volume::new("ntfs-initialized");
        volume.put(at, bytes);
        let filesystem = volume.open();
        let error = filesystem.metadata(NodeId(number)).unwrap_err();
        assert_eq!(error.code(), code, "{bytes:x?} at {at:#x}");
        let neighbour = read(filesystem.as_ref(), "to-004096").unwrap();
        assert_eq!(neighbour, expected);
    }
    let mut volume = Volume::new("ntfs-initialized");
    let pairs = usize::from(get_le_u16(&volume.bytes, data + 0x20).unwrap());
    volume.put(data + pairs, &[0x31, 0xff, 0xff, 0xff, 0x7f]);
    let error = read(volume.open().as_ref(), "to-000511").unwrap_err();
    assert_eq!(error.code(), codes::RUN_LIST);
}

#[test]
fn what_is_encrypted_is_listed_and_locked() {
    let mut volume = Volume::new("ntfs-initialized");
    let record = volume.record(volume.number("to-000511"));
    let data = volume.attribute(record, DATA);
    volume.put(data + 0xc, &[0, 0x40]);
    let filesystem = volume.open();
    let found = filesystem.metadata(node(filesystem.as_ref(), "to-000511"));
    assert_eq!(found.unwrap().size, 300_000);
    let error = read(filesystem.as_ref(), "to-000511").unwrap_err();
    assert!(matches!(&error, Error::Locked(fault) if fault.code == codes::ENCRYPTED));
}

#[test]
fn what_is_encrypted_can_be_saved_as_it_is_stored() {
    let mut volume = Volume::new("ntfs-initialized");
    let number = volume.number("to-000511");
    let stream = |filesystem: &dyn Filesystem, name: &str| {
        let source = filesystem.open(NodeId(number), StreamName::Named(name.as_bytes()))?;
        let mut bytes = vec![0; usize::try_from(source.size()).unwrap()];
        source.read_at(0, &mut bytes).map(|()| bytes)
    };
    let plain = read(volume.open().as_ref(), "to-000511").unwrap();
    for name in ["$CIPHERTEXT", "$EFS"] {
        let error = stream(volume.open().as_ref(), name).unwrap_err();
        assert!(matches!(error, Error::Request(Request::NoSuchStream)));
    }
    let source = volume
        .open()
        .open(NodeId(number), StreamName::Main)
        .unwrap();
    let SegmentKind::Stored(place) = source.segment_at(0..1).unwrap().kind else {
        panic!("not stored")
    };
    let record = volume.record(number);
    let data = volume.attribute(record, DATA);
    volume.put(data + 0xc, &[0, 0x40]);
    let stored = stream(volume.open().as_ref(), "$CIPHERTEXT").unwrap();
    assert_eq!(stored.len(), 300_032);
    assert_eq!(stored[..511], plain[..511]);
    // The last byte of the sector is not content, but belongs to what is encrypted.
    let place = usize::try_from(place.offset).unwrap();
    assert_eq!(stored[511], volume.bytes[place + 511]);
    assert_ne!(stored[511], 0, "a test that could not fail");
    assert!(stored[512..].iter().all(|byte| *byte == 0));
    let error = stream(volume.open().as_ref(), "$EFS").unwrap_err();
    assert!(matches!(error, Error::Request(Request::NoSuchStream)));
    // A resident $LOGGED_UTILITY_STREAM of that name, with eight bytes in it.
    let end = volume.attribute(record, 0xffff_ffff);
    let mut keys = vec![0; 0x30];
    for (at, value) in [
        (1, 1),
        (4, 0x28),
        (9, 4),
        (0xa, 0x18),
        (0x10, 8),
        (0x14, 0x20),
    ] {
        keys[at] = value;
    }
    keys[0x18..0x28].copy_from_slice(b"$\0E\0F\0S\0the keys");
    keys[0x28..0x2c].fill(0xff);
    volume.put(end, &keys);
    let used = u32::try_from(end + keys.len() - record).unwrap();
    volume.put(record + 0x18, &used.to_le_bytes());
    let keys = stream(volume.open().as_ref(), "$EFS").unwrap();
    assert_eq!(keys, b"the keys");
}

#[test]
fn a_log_that_the_disk_does_not_give_hides_no_files() {
    let volume = Volume::new("ntfs-4k");
    let log = volume.open().open(NodeId(2), StreamName::Main).unwrap();
    let SegmentKind::Stored(place) = log.segment_at(0..1).unwrap().kind else {
        panic!("not stored")
    };
    let source = Arc::new(Memory::new(volume.bytes.clone()));
    let bad = place.offset..place.offset + 512;
    let source: Arc<dyn ByteSource> = Arc::new(BadSectors { source, bad });
    let filesystem = Ntfs.open(&[source], &OpenContext::default()).unwrap();
    assert_eq!(filesystem.info().state, FsState::NotReplayed);
    assert_eq!(notes(filesystem.as_ref()), [codes::VOLUME_INFORMATION]);
    assert_eq!(contents(&filesystem), contents(&volume.open()));
}

/// A disk of which a part cannot be read.
#[derive(Debug)]
struct BadSectors {
    source: Arc<Memory>,
    bad: std::ops::Range<u64>,
}

impl ByteSource for BadSectors {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        if offset < self.bad.end && offset + len_u64(buf.len()) > self.bad.start {
            return Err(Error::io(
                self.bad.start,
                std::io::Error::other("bad sector"),
            ));
        }
        self.source.read_at(offset, buf)
    }
}

#[test]
fn records_that_are_no_files_are_no_nodes() {
    let volume = Volume::new("ntfs-fragmented");
    let filesystem = volume.open();
    let number = volume.number("frag");
    let parts = (24..64).filter(|other| {
        let at = volume.record(*other);
        let base = get_le_u64(&volume.bytes, at + 0x20).unwrap() & 0xffff_ffff;
        get_le_u16(&volume.bytes, at + 0x16) == Some(0) || base == number
    });
    for number in parts.chain([12_345_678, 1 << 47, u64::MAX]) {
        let error = filesystem.metadata(NodeId(number)).unwrap_err();
        assert!(
            matches!(error, Error::Request(Request::NoSuchNode)),
            "record {number}: {error}"
        );
    }
}

#[test]
fn the_volumes_own_files_are_there_for_those_who_ask() {
    let volume = Volume::new("ntfs-4k");
    let filesystem = volume.open();
    let view = View::new(Arc::clone(&filesystem));
    let names = |view: &View| -> Vec<Vec<u8>> {
        let listing = view.listing(view.root()).unwrap();
        listing.iter().map(|entry| entry.name.to_vec()).collect()
    };
    let (plain, all) = (names(&view), names(&view.with_hidden()));
    let own = |names: &[Vec<u8>]| names.iter().filter(|name| name.starts_with(b"$")).count();
    assert_eq!((own(&plain), own(&all)), (0, 11));
    assert_eq!(plain.len() + 11, all.len());
    assert!(!all.contains(&b".".to_vec()));
    let mft = view.resolve(b"/$mft", false).unwrap();
    let mut start = [0; 4];
    view.open(mft.node).unwrap().read_at(0, &mut start).unwrap();
    assert_eq!(&start, b"FILE");
}

#[test]
fn a_volume_that_was_in_use_says_so() {
    let mut volume = Volume::new("ntfs-4k");
    assert_eq!(volume.open().info().state.words(), "clean");
    let record = volume.record(3);
    let information = volume.attribute(record, VOLUME_INFORMATION);
    volume.put(information + 0x18 + 0xa, &[1]);
    assert_eq!(volume.open().info().state.words(), "not replayed");
}
