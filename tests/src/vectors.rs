//! Compressed data by other programs, and what it stands for: the fixture `ntfs-codecs`.

use crate::image::image_bytes;
use flr_fs::filesystem::ntfs::codec::{Malformed, lznt1, lzx, xpress_huffman};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;

/// A piece of content and its compressed form.
#[derive(Clone, Debug)]
pub struct Vector {
    /// `lznt1`, `xpress` or `lzx`.
    pub format: String,
    /// Which content it is of.
    pub content: String,
    /// What it stands for.
    pub plain: Vec<u8>,
    /// The compressed form.
    pub packed: Vec<u8>,
}

#[derive(Deserialize)]
struct Index {
    plain: BTreeMap<String, (usize, usize)>,
    vectors: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    format: String,
    plain: String,
    from: usize,
    length: usize,
    at: usize,
    packed: usize,
}

/// All vectors of a format.
///
/// # Panics
/// If the fixture is not there or is not what it should be.
#[must_use]
pub fn vectors(format: &str) -> Vec<Vector> {
    let bytes = image_bytes("ntfs-codecs");
    let (len, rest) = bytes.split_first_chunk().expect("a length");
    let len = usize::try_from(u32::from_le_bytes(*len)).expect("a small number");
    let (text, blob) = rest.split_at(len);
    let index: Index = serde_json::from_slice(text).expect("an index");
    let part = |range: Range<usize>| blob[range].to_vec();
    let rows = index.vectors.into_iter().filter(|row| row.format == format);
    rows.map(|row| {
        let from = index.plain[&row.plain].0 + row.from;
        Vector {
            plain: part(from..from + row.length),
            packed: part(row.at..row.at + row.packed),
            format: row.format,
            content: row.plain,
        }
    })
    .collect()
}

/// Decompresses into exactly `output`. What LZNT1 leaves out at the end is refused.
///
/// # Errors
/// As the decoder of the format.
///
/// # Panics
/// If there is no such format.
pub fn unpack(format: &str, packed: &[u8], output: &mut [u8]) -> Result<(), Malformed> {
    match format {
        "lznt1" => {
            let done = lznt1::decompress(packed, output)?;
            let (at, what) = (packed.len(), "an end before its time");
            (done == output.len())
                .then_some(())
                .ok_or(Malformed { at, what })
        }
        "xpress" => xpress_huffman::decompress(packed, output),
        "lzx" => lzx::decompress(packed, output),
        _ => panic!("{format}"),
    }
}
