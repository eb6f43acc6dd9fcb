//! What the targets of compressed data do with an input.

use super::read;
use crate::vectors::{unpack, vectors};
use flr_fs::ByteSource;
use flr_fs::filesystem::ntfs::wof::{Algorithm, Overlay};
use flr_fs::source::Memory;
use std::sync::Arc;

/// Longest output that is asked for.
const OUTPUT_MAX: usize = 65_536;

/// Two bytes of length, then what stands for so many bytes.
fn run(format: &str, input: &[u8]) {
    let Some(([low, high], packed)) = input.split_first_chunk() else {
        return;
    };
    let len = usize::from(u16::from_le_bytes([*low, *high])).min(OUTPUT_MAX) + 1;
    let mut output = vec![0xaa; len];
    let mut again = vec![0x55; len];
    let done = unpack(format, packed, &mut output);
    let same = unpack(format, packed, &mut again);
    assert_eq!(done, same, "not the same twice");
    // Every byte that is handed out comes from the input: none is left as it was.
    assert!(done.is_err() || output == again, "bytes that nobody wrote");
    // A changed literal is seldom noticed; a code that makes no sense is.
    read::reached_if(done.is_ok() || done.is_err_and(|bad| bad.at > 8));
}

fn seeds(format: &str) -> Vec<Vec<u8>> {
    let mut all = vectors(format);
    all.sort_by_key(|vector| vector.packed.len());
    // Most of a small chunk of XPRESS is its code lengths, and a changed one makes no code.
    let small = (all.into_iter().filter(|vector| vector.packed.len() > 1500)).take(24);
    small
        .map(|vector| {
            let len = u16::try_from(vector.plain.len() - 1).expect("at most 64 KiB");
            [&len.to_le_bytes()[..], &vector.packed].concat()
        })
        .collect()
}

/// Chunks of LZNT1.
pub fn lznt1(input: &[u8]) {
    run("lznt1", input);
}

/// What the encoder of the fixtures compressed.
#[must_use]
pub fn lznt1_seeds() -> Vec<Vec<u8>> {
    seeds("lznt1")
}

/// A chunk of XPRESS.
pub fn xpress(input: &[u8]) {
    run("xpress", input);
}

/// What libwim compressed.
#[must_use]
pub fn xpress_seeds() -> Vec<Vec<u8>> {
    seeds("xpress")
}

/// A chunk of LZX.
pub fn lzx(input: &[u8]) {
    run("lzx", input);
}

/// What libwim compressed.
#[must_use]
pub fn lzx_seeds() -> Vec<Vec<u8>> {
    seeds("lzx")
}

/// The reparse data (16 bytes), the size of the file (8), and the stream of the Windows Overlay Filter.
///
/// # Panics
/// If a part reads in another way than the whole.
pub fn wof(input: &[u8]) {
    let Some((data, rest)) = input.split_at_checked(16) else {
        return;
    };
    let Some((size, stream)) = rest.split_first_chunk() else {
        return;
    };
    let Ok(algorithm) = Algorithm::parse(data, 0) else {
        return;
    };
    let size = u64::from_le_bytes(*size);
    let stream = Arc::new(Memory::new(stream));
    let Ok(source) = Overlay::new(stream, size, algorithm, 0) else {
        return;
    };
    let chunk = u64::from(algorithm.chunk_len());
    let last = size.saturating_sub(1) / chunk * chunk;
    let mut reached = false;
    for start in [0, chunk, 2 * chunk, last] {
        let len = size.saturating_sub(start).min(chunk);
        let mut whole = vec![0; usize::try_from(len).expect("a chunk")];
        let read = source.read_at(start, &mut whole);
        reached |= read.is_ok() && len > 0;
        let mut part = vec![0; whole.len() / 2];
        let half = source.read_at(start, &mut part);
        assert!(part.is_empty() || read.is_ok() == half.is_ok());
        assert!(
            read.is_err() || whole[..part.len()] == part[..],
            "a part is not like the whole"
        );
    }
    read::reached_if(reached);
}

/// Whole streams, cut to their first 20,000 bytes.
#[must_use]
pub fn wof_seeds() -> Vec<Vec<u8>> {
    let seed = |number: u32| {
        let vector = vectors(&format!("wof{number}")).pop().expect("a stream");
        let words = [1, 2, 1, number].map(u32::to_le_bytes).concat();
        let size = u64::try_from(vector.plain.len()).expect("a length");
        let stream = vector.packed.get(..20_000).unwrap_or(&vector.packed);
        [&words[..], &size.to_le_bytes(), stream].concat()
    };
    (0..4).map(seed).collect()
}
