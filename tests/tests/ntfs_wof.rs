//! Files of the Windows Overlay Filter: whole streams that libwim compressed, their table, and damage.

use flr_fs::filesystem::ntfs::wof::{Algorithm, Overlay};
use flr_fs::filesystem::ntfs::{Ntfs, codes};
use flr_fs::format::FilesystemDriver;
use flr_fs::source::Memory;
use flr_fs::{ByteSource, Code, Error, OpenContext, RawName, StreamName};
use flr_tests::fuzz::mutate::Random;
use flr_tests::image::image_bytes;
use flr_tests::vectors::{Vector, vectors};
use std::sync::Arc;

/// Reparse data as Windows writes it.
fn reparse_data(version: u32, provider: u32, file_version: u32, algorithm: u32) -> Vec<u8> {
    let words = [version, provider, file_version, algorithm];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// One whole stream for each algorithm.
fn streams() -> Vec<(Algorithm, Vector)> {
    let stream = |number: u32| {
        let algorithm = Algorithm::parse(&reparse_data(1, 2, 1, number), 0).unwrap();
        let vector = vectors(&format!("wof{number}")).pop().unwrap();
        (algorithm, vector)
    };
    (0..4).map(stream).collect()
}

fn open(algorithm: Algorithm, stream: &[u8], size: usize) -> Result<Overlay, Error> {
    let size = u64::try_from(size).unwrap();
    Overlay::new(Arc::new(Memory::new(stream)), size, algorithm, 0x4400)
}

fn read(source: &dyn ByteSource, from: usize, len: usize) -> Result<Vec<u8>, Error> {
    let mut buf = vec![0x55; len];
    source.read_at(u64::try_from(from).unwrap(), &mut buf)?;
    Ok(buf)
}

#[test]
fn streams_come_back_however_they_are_read() {
    let mut random = Random::new(2);
    for (algorithm, vector) in streams() {
        let source = open(algorithm, &vector.packed, vector.plain.len()).unwrap();
        assert!(
            read(&source, 0, vector.plain.len()).unwrap() == vector.plain,
            "{algorithm:?}"
        );
        for _ in 0..100 {
            let from = random.below(vector.plain.len());
            let len = random.below(70_000).min(vector.plain.len() - from);
            let part = read(&source, from, len).unwrap();
            assert!(
                part == vector.plain[from..from + len],
                "{algorithm:?}: {len} bytes at {from}"
            );
        }
        assert!(read(&source, vector.plain.len() - 1, 2).is_err());
    }
}

/// With 4 GiB and more, the table has 64 bits an entry. Below that, it has 32.
#[test]
fn the_table_is_as_wide_as_the_file_needs() {
    let chunk = vectors("lzx").into_iter();
    let mut chunks =
        chunk.filter(|vector| vector.plain.len() == 32_768 && vector.content == "zeros");
    let chunk = chunks.next().unwrap().packed;
    for (size, width) in [(1_u64 << 32, 8), ((1 << 32) + 1, 8), ((1 << 32) - 1, 4)] {
        let count = usize::try_from(size.div_ceil(32_768)).unwrap();
        let mut stream = Vec::new();
        for index in 1..count {
            let start = u64::try_from(index * chunk.len()).unwrap();
            stream.extend(&start.to_le_bytes()[..width]);
        }
        // The last chunk is stored as it is: it may be one byte.
        let last = usize::try_from(size - u64::try_from(count - 1).unwrap() * 32_768).unwrap();
        for _ in 1..count {
            stream.extend(&chunk);
        }
        stream.extend(vec![7; last]);
        let source = Overlay::new(Arc::new(Memory::new(stream)), size, Algorithm::Lzx, 0).unwrap();
        let mut buf = vec![1; 100_000];
        let end = size - 100_000;
        source.read_at(end, &mut buf).unwrap();
        assert!(
            buf[..100_000 - last.min(100_000)]
                .iter()
                .all(|byte| *byte == 0)
        );
        assert_eq!(buf.last(), Some(&7));
        source.read_at(1 << 31, &mut buf).unwrap();
        assert!(buf.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn small_files() {
    let empty = open(Algorithm::Lzx, &[], 0).unwrap();
    assert_eq!(empty.size(), 0);
    read(&empty, 0, 0).unwrap();
    let one = open(Algorithm::Xpress(4096), b"x", 1).unwrap();
    assert_eq!(read(&one, 0, 1).unwrap(), b"x");
    for stream in [&b""[..], b"xy"] {
        let wrong = open(Algorithm::Xpress(4096), stream, 1).unwrap();
        assert_eq!(read(&wrong, 0, 1).unwrap_err().code(), codes::WOF);
    }
}

#[test]
fn a_bad_table_or_chunk_is_an_error_of_its_chunks() {
    for (algorithm, vector) in streams() {
        let size = vector.plain.len();
        let chunk_len = usize::try_from(algorithm.chunk_len()).unwrap();
        let table = size.div_ceil(chunk_len) * 4 - 4;
        let error = open(algorithm, &vector.packed[..table - 1], size).unwrap_err();
        assert_eq!(error.code(), codes::WOF);
        // The second chunk begins behind the end, before the first, or leaves the first too long.
        for entry in [
            u32::MAX,
            0,
            u32::try_from(vector.packed.len()).unwrap(),
            1 << 31,
        ] {
            let mut packed = vector.packed.clone();
            packed[..4].copy_from_slice(&entry.to_le_bytes());
            let source = open(algorithm, &packed, size).unwrap();
            let error = read(&source, chunk_len - 1, 2).unwrap_err();
            assert_eq!(error.code(), codes::WOF, "{algorithm:?} {entry:x}");
            assert_eq!(error.fault().map(|fault| fault.at), Some(0x4400));
            // The third chunk does not begin there.
            let rest = read(&source, 2 * chunk_len, size - 2 * chunk_len).unwrap();
            assert!(rest == vector.plain[2 * chunk_len..]);
        }
        // The code lengths at the head of the first chunk, or the kind of its first block.
        let mut packed = vector.packed.clone();
        packed[table..table + 40].fill(0xff);
        let source = open(algorithm, &packed, size).unwrap();
        assert_eq!(read(&source, 5, 1).unwrap_err().code(), codes::WOF_CHUNK);
        let rest = read(&source, chunk_len, size - chunk_len).unwrap();
        assert!(rest == vector.plain[chunk_len..], "{algorithm:?}");
    }
}

#[test]
fn providers_and_algorithms_that_are_not_known_are_named() {
    let refused = |data: &[u8]| -> (Code, String) {
        let error = Algorithm::parse(data, 0x4400).unwrap_err();
        (error.code(), error.to_string())
    };
    let (code, text) = refused(&reparse_data(1, 1, 1, 0));
    assert!(
        code == codes::WOF_PROVIDER && text.contains("WIM"),
        "{text}"
    );
    for words in [(1, 3, 1, 0), (2, 2, 1, 0), (1, 2, 2, 0), (1, 2, 1, 4)] {
        let (code, _) = refused(&reparse_data(words.0, words.1, words.2, words.3));
        assert_eq!(code, codes::WOF_PROVIDER, "{words:?}");
    }
    for len in [0, 7, 15] {
        assert_eq!(refused(&reparse_data(1, 2, 1, 0)[..len]).0, codes::WOF);
    }
    assert_eq!(
        Algorithm::parse(&reparse_data(1, 2, 1, 1), 0).unwrap(),
        Algorithm::Lzx
    );
}

/// A volume with a file of each sort, as ntfs-3g stored it.
#[test]
fn files_on_a_volume() {
    let volume: Arc<dyn ByteSource> = Arc::new(Memory::new(image_bytes("ntfs-wof")));
    let filesystem = Ntfs.open(&[volume], &OpenContext::default()).unwrap();
    let open = |name: &str| {
        let found = filesystem.lookup(filesystem.root(), RawName::new(name.as_bytes()));
        let found = found.unwrap().expect("an entry");
        (
            found.metadata,
            filesystem.open(found.node, StreamName::Main),
        )
    };
    let plain = vectors("wof0").pop().unwrap().plain;
    for name in ["xpress4k", "lzx", "xpress8k", "xpress16k"] {
        let (metadata, source) = open(name);
        assert_eq!(metadata.size, u64::try_from(plain.len()).unwrap());
        assert!(
            read(source.unwrap().as_ref(), 0, plain.len()).unwrap() == plain,
            "{name}"
        );
    }
    for (name, code) in [
        ("wim", codes::WOF_PROVIDER),
        ("unknown", codes::WOF_PROVIDER),
        ("lost", codes::WOF),
        ("short", codes::WOF),
    ] {
        assert_eq!(open(name).1.unwrap_err().code(), code, "{name}");
    }
    assert_eq!(
        read(open("plain").1.unwrap().as_ref(), 0, 6).unwrap(),
        b"plain\n"
    );
}
