//! Compressed streams of NTFS: units of every sort and size, holes, ends, and damage.

use flr_fs::filesystem::ntfs::Ntfs;
use flr_fs::filesystem::ntfs::attribute::AttributeFlags;
use flr_fs::filesystem::ntfs::{codes, compressed};
use flr_fs::format::FilesystemDriver;
use flr_fs::source::{Memory, ReadRequest, SegmentKind};
use flr_fs::{ByteSource, Error, OpenContext, RawName, StreamName};
use flr_tests::Golden;
use flr_tests::compressed_stream::{Made, UNIT};
use flr_tests::content::sha256;
use flr_tests::fuzz::mutate::Random;
use flr_tests::image::image_bytes;
use flr_tests::vectors::vectors;
use std::sync::Arc;

/// Compressed pieces of `len` bytes, without the mark of their end, and what they stand for.
fn pieces(len: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = vectors("lznt1")
        .into_iter()
        .filter(|vector| vector.plain.len() == len);
    let all = all.map(|vector| {
        let end = vector.packed.len()
            - if vector.packed.ends_with(&[0, 0]) {
                2
            } else {
                0
            };
        (vector.packed[..end].to_vec(), vector.plain)
    });
    all.collect()
}

/// Compressed units of `len` bytes: 8 KiB, 64 KiB or several of those.
fn units(len: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pieces = pieces(len.min(65_536));
    let count = len.div_ceil(65_536);
    let unit = |first: usize| {
        let parts = (first..first + count).map(|index| &pieces[index % pieces.len()]);
        let (packed, plain): (Vec<_>, Vec<_>) = parts.cloned().unzip();
        (packed.concat(), plain.concat())
    };
    (0..pieces.len()).map(unit).collect()
}

/// A stream with units of every sort that ends inside of a compressed one.
fn made(cluster_size: usize, is_scattered: bool) -> Made {
    let mut made = Made::new(cluster_size, is_scattered);
    let units = units(made.unit_len());
    let saves = |packed: &[u8]| packed.len() <= made.unit_len() - made.cluster_size;
    let units: Vec<_> = units.iter().filter(|(packed, _)| saves(packed)).collect();
    assert!(units.len() >= 3, "{} units of {cluster_size}", units.len());
    for (packed, plain) in &units {
        made.packed(packed, plain);
        made.packed(packed, plain);
        made.stored(plain);
    }
    made.hole(3);
    made.stored(&units[0].1);
    made.stored(&units[1].1);
    made.hole(1);
    let (packed, plain) = units[2];
    made.packed(packed, &plain[..plain.len() - 5000]);
    made
}

fn read(source: &dyn ByteSource, from: usize, len: usize) -> Result<Vec<u8>, Error> {
    let mut buf = vec![0x55; len];
    source.read_at(u64::try_from(from).unwrap(), &mut buf)?;
    Ok(buf)
}

const CLUSTER_SIZES: [usize; 4] = [512, 4096, 8192, 65_536];

#[test]
fn units_of_every_sort_come_back_however_they_are_read() {
    let mut random = Random::new(1);
    for (cluster_size, is_scattered) in CLUSTER_SIZES
        .iter()
        .flat_map(|size| [(*size, false), (*size, true)])
    {
        let made = made(cluster_size, is_scattered);
        let source = made.open().unwrap();
        assert!(read(source.as_ref(), 0, made.plain.len()).unwrap() == made.plain);
        for _ in 0..200 {
            let from = random.below(made.plain.len());
            let len = random
                .below(3 * made.unit_len())
                .min(made.plain.len() - from);
            let part = read(source.as_ref(), from, len).unwrap();
            assert!(
                part == made.plain[from..from + len],
                "{cluster_size}: {len} bytes at {from}"
            );
        }
        assert!(read(source.as_ref(), made.plain.len() - 1, 2).is_err());
        // Many reads at once, one of them outside.
        let mut bufs = vec![vec![0; made.unit_len() / 2]; 12];
        let offsets = (0..12).map(|index| index * made.unit_len() / 2 + 100);
        let mut reads: Vec<_> = (bufs.iter_mut().zip(offsets))
            .map(|(buf, offset)| ReadRequest::new(u64::try_from(offset).unwrap(), buf))
            .collect();
        reads[5].offset = source.size();
        source.read_many(&mut reads);
        for (index, read) in reads.iter().enumerate() {
            assert_eq!(read.result.is_ok(), index != 5);
            let from = usize::try_from(read.offset).unwrap();
            assert!(index == 5 || *read.buf == made.plain[from..from + read.buf.len()]);
        }
    }
}

#[test]
fn segments_say_what_is_read() {
    for (cluster_size, is_scattered) in [(512, true), (4096, false), (4096, true), (65_536, false)]
    {
        let mut made = made(cluster_size, is_scattered);
        made.initialized = Some(made.plain.len() - 3 * made.unit_len() - 7);
        let end = made.initialized.unwrap();
        made.plain[end..].fill(0);
        let source = made.open().unwrap();
        assert!(read(source.as_ref(), 0, made.plain.len()).unwrap() == made.plain);
        let (mut at, mut kinds) = (0, Vec::new());
        while at < source.size() {
            let segment = source.segment_at(at..source.size()).unwrap();
            let from = usize::try_from(at).unwrap();
            let plain = &made.plain[from..][..usize::try_from(segment.len).unwrap()];
            match segment.kind {
                SegmentKind::Stored(location) => {
                    let there = usize::try_from(location.offset).unwrap();
                    assert!(made.volume[there..][..plain.len()] == *plain);
                    kinds.push('s');
                }
                SegmentKind::Hole => kinds.push('h'),
                SegmentKind::Unwritten => kinds.push('u'),
                SegmentKind::Opaque => kinds.push('o'),
                SegmentKind::Missing(code) => panic!("{code}"),
            }
            if matches!(kinds.last(), Some('h' | 'u')) {
                assert!(plain.iter().all(|byte| *byte == 0));
            }
            at += segment.len;
        }
        kinds.dedup();
        let kinds: String = kinds.into_iter().collect();
        assert!(kinds.ends_with("oshsuhu"), "{kinds}");
    }
}

/// Damage is an error of its unit with the place of the unit, and of no other.
#[test]
fn a_damaged_unit_is_an_error_of_its_own() {
    type Damage = fn(&mut [u8]);
    let good = made(4096, false);
    let at = good.runs[0].0.unwrap() * good.cluster_size;
    let broken: [(&str, Damage); 4] = [
        ("no signature", |unit| unit[1] ^= 0x40),
        ("an end before its time", |unit| unit[..2].fill(0)),
        ("zeros instead of a cluster", |unit| unit[..4096].fill(0)),
        ("too long a chunk", |unit| {
            unit[..2].copy_from_slice(&[0xff, 0xbf])
        }),
    ];
    for (what, damage) in broken {
        let mut made = good.clone();
        damage(&mut made.volume[at..at + 8192]);
        let source = made.open().unwrap();
        for (from, len) in [(0, 10), (65_535, 1), (0, 65_536), (60_000, 100_000)] {
            match read(source.as_ref(), from, len) {
                Err(Error::Corrupt(fault)) => {
                    assert_eq!(fault.code, codes::COMPRESSED_UNIT, "{what}");
                    assert_eq!(fault.at, u64::try_from(at).unwrap(), "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        let rest = read(source.as_ref(), 65_536, made.plain.len() - 65_536).unwrap();
        assert!(rest == made.plain[65_536..], "{what}");
        let (mut bad, mut fine) = (vec![0; 65_536], vec![0; 65_536]);
        let mut reads = [
            ReadRequest::new(0, &mut bad),
            ReadRequest::new(65_536, &mut fine),
        ];
        source.read_many(&mut reads);
        assert!(reads[0].result.is_err() && reads[1].result.is_ok());
        assert!(fine == made.plain[65_536..131_072]);
    }
}

#[test]
fn units_that_make_no_sense_are_refused() {
    // Stored clusters behind a hole.
    let mut swapped = made(4096, true);
    let hole = swapped.runs.iter().position(|run| run.0.is_none()).unwrap();
    swapped.runs.swap(hole, hole - 1);
    let source = swapped.open().unwrap();
    assert_eq!(
        read(source.as_ref(), 0, 1).unwrap_err().code(),
        codes::COMPRESSED_UNIT
    );
    let segment = source.segment_at(0..10).unwrap();
    assert_eq!(segment.kind, SegmentKind::Missing(codes::COMPRESSED_UNIT));
    assert!(read(source.as_ref(), 65_536, 65_536).unwrap() == swapped.plain[65_536..131_072]);
    // A map that ends inside of a unit: nobody can tell whether that is stored or compressed.
    let mut cut = made(4096, true);
    cut.runs.truncate(cut.runs.len() - 1);
    let source = cut.open().unwrap();
    let last = cut.plain.len() - 1;
    assert_eq!(
        read(source.as_ref(), last, 1).unwrap_err().code(),
        codes::STREAM
    );
    // Behind the initialised size nothing is read, so nothing is missing.
    cut.initialized = Some(last / 65_536 * 65_536);
    cut.plain[last / 65_536 * 65_536..].fill(0);
    assert!(read(cut.open().unwrap().as_ref(), 0, cut.plain.len()).unwrap() == cut.plain);
    // An image that was cut short.
    let mut short = made(4096, false);
    short.volume.truncate(8192);
    let mut disk = short.disk();
    disk.boot.clusters = 1 << 20;
    let (disk, len) = (Arc::new(disk), short.plain.len());
    let stream = Arc::new(short.stream(&disk, UNIT));
    let source = compressed::open(&disk, &stream).unwrap();
    assert_eq!(
        read(source.as_ref(), 0, len).unwrap_err().code(),
        codes::VOLUME_SIZE
    );
}

#[test]
fn units_of_other_sizes_are_refused_by_name() {
    for (cluster_size, unit, works) in [(4096, 4, true), (4096, 8, true), (512, 1, true)] {
        let made = Made::new(cluster_size, false);
        let disk = Arc::new(made.disk());
        let stream = Arc::new(made.stream(&disk, unit));
        assert_eq!(compressed::open(&disk, &stream).is_ok(), works);
    }
    let made = Made::new(4096, false);
    let disk = Arc::new(made.disk());
    let mut stream = made.stream(&disk, UNIT);
    stream.flags = AttributeFlags::new(2);
    let error = compressed::open(&disk, &Arc::new(stream)).unwrap_err();
    assert_eq!(error.code(), codes::COMPRESSED);
    for (cluster_size, unit) in [(4096, 0), (4096, 9), (65_536, 5), (4096, 64), (4096, 255)] {
        let made = Made::new(cluster_size, false);
        let disk = Arc::new(made.disk());
        let stream = Arc::new(made.stream(&disk, unit));
        let error = compressed::open(&disk, &stream).unwrap_err();
        assert_eq!(error.code(), codes::COMPRESSED, "{cluster_size} {unit}");
    }
}

/// Volumes that ntfs-3g wrote, against what it read from them.
#[test]
fn what_ntfs_3g_compressed_comes_back() {
    for name in ["ntfs-lznt1", "ntfs-lznt1-512"] {
        let volume: Arc<dyn ByteSource> = Arc::new(Memory::new(image_bytes(name)));
        let filesystem = Ntfs.open(&[volume], &OpenContext::default()).unwrap();
        let (mut files, mut packed) = (0, 0);
        for (path, node) in &Golden::load(name).nodes {
            let parts = path
                .split(|byte| *byte == b'/')
                .filter(|part| !part.is_empty());
            let id = parts.fold(filesystem.root(), |dir, part| {
                let found = filesystem.lookup(dir, RawName::new(part)).unwrap();
                found.expect("an entry").node
            });
            let main = node.sha256.iter().map(|sum| (StreamName::Main, sum));
            let named = node.streams.iter().flatten().filter_map(|(name, stream)| {
                Some((StreamName::Named(name.as_bytes()), stream.sha256.as_ref()?))
            });
            for (stream, sum) in main.chain(named) {
                let source = filesystem.open(id, stream).unwrap();
                let all = [(0, source.size())];
                assert_eq!(
                    sha256(source.as_ref(), &all).as_ref().unwrap(),
                    sum,
                    "{name} {path:?}"
                );
                files += 1;
                let is_packed = |at| {
                    let segment = source.segment_at(at..source.size()).unwrap();
                    segment.kind == SegmentKind::Opaque
                };
                packed += usize::from(source.size() > 0 && is_packed(0));
            }
        }
        println!("{name}: {files} streams, {packed} of them begin compressed");
        assert!(files >= 10 && packed >= 5, "{name}: {files} {packed}");
    }
}
