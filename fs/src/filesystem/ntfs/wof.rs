//! The Windows Overlay Filter: files that CompactOS or `compact /exe` keeps compressed in a stream of their own.
//!
//! The reparse point ([`super::reparse::WOF`]) says how, the unnamed `$DATA` only how long: it is a hole.
//!
//! | at  | field of the reparse data                                            |
//! |-----|----------------------------------------------------------------------|
//! | 0x0 | version, 1                                                           |
//! | 0x4 | provider: 1 a WIM archive, 2 this file                               |
//! | 0x8 | version of what follows, 1                                           |
//! | 0xc | algorithm: 0 XPRESS in 4 KiB, 1 LZX, 2 and 3 XPRESS in 8 and 16 KiB  |
//!
//! The stream `WofCompressedData` begins with a table: where the second and every later chunk begins, counted
//! from the end of the table; in 64 bits if the file has 4 GiB or more, else in 32. A chunk that is as long as
//! what it stands for is stored as it is. The last one ends with the stream.
//!
//! Source: `WOF_EXTERNAL_INFO` and `FILE_PROVIDER_EXTERNAL_INFO_V1` (wofapi.h, ntifs.h); libwim's
//! documentation of chunks in streams. Not supported: content in a WIM archive, which is another file.

use super::codec::{Malformed, lzx, xpress_huffman};
use super::codes;
use crate::bytes::{clamp_usize, get_le_u32, get_le_u64, len_u64};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::source::{ByteSource, check_range};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

/// The stream that holds the content.
pub const STREAM_NAME: &str = "WofCompressedData";

/// Content that is decompressed in one go, in bytes.
const BATCH_LEN: u64 = 1 << 20;
/// Decompressed bytes kept of a file.
const CACHE_LEN: usize = 256 << 10;

/// How the content is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// XPRESS with Huffman codes in chunks of so many bytes: 4, 8 or 16 KiB.
    Xpress(u32),
    /// LZX in chunks of 32 KiB.
    Lzx,
}

impl Algorithm {
    /// Takes the data of the reparse point apart. `at` is where the file's record lies.
    ///
    /// # Errors
    /// [`codes::WOF`] if it is cut; [`codes::WOF_PROVIDER`] for content in a WIM archive or what is not known.
    pub fn parse(data: &[u8], at: u64) -> Result<Self> {
        let field = |offset| {
            let detail = || format!("reparse data of {} bytes", data.len());
            get_le_u32(data, offset).ok_or_else(|| Error::corrupt(codes::WOF, at, detail()))
        };
        let unsupported = |detail: String| Error::unsupported(codes::WOF_PROVIDER, at, detail);
        match (field(0x0)?, field(0x4)?) {
            (1, 2) => {}
            (1, 1) => {
                let detail = "content in a WIM archive (WIMBoot), which is another file";
                return Err(unsupported(detail.to_owned()));
            }
            (version, provider) => {
                return Err(unsupported(format!(
                    "provider {provider} of the overlay filter, version {version}"
                )));
            }
        }
        match (field(0x8)?, field(0xc)?) {
            (1, 0) => Ok(Self::Xpress(4 << 10)),
            (1, 1) => Ok(Self::Lzx),
            (1, 2) => Ok(Self::Xpress(8 << 10)),
            (1, 3) => Ok(Self::Xpress(16 << 10)),
            (version, algorithm) => Err(unsupported(format!(
                "algorithm {algorithm} of the overlay filter, version {version}"
            ))),
        }
    }

    /// Bytes of content in a chunk.
    #[must_use]
    pub fn chunk_len(self) -> u32 {
        match self {
            Self::Xpress(len) => len,
            Self::Lzx => 32 << 10,
        }
    }

    fn decompress(self, input: &[u8], output: &mut [u8]) -> Result<(), Malformed> {
        match self {
            Self::Xpress(_) => xpress_huffman::decompress(input, output),
            Self::Lzx => lzx::decompress(input, output),
        }
    }
}

/// The content of a file that the filter compressed.
pub struct Overlay {
    stream: Arc<dyn ByteSource>,
    size: u64,
    algorithm: Algorithm,
    /// Where the file's record lies, for messages.
    at: u64,
    /// Bytes of the table.
    table_len: u64,
    cache: Cache<u64, Arc<[u8]>>,
}

/// A chunk in the stream.
#[derive(Clone, Copy)]
struct Chunk {
    index: u64,
    /// First byte, counted from the end of the table.
    start: u64,
    /// Bytes in the stream, at least 1 and at most `plain_len`.
    stored_len: usize,
    /// Bytes of content.
    plain_len: usize,
}

impl Overlay {
    /// `size` bytes of content (the size of the unnamed stream), kept in `stream`.
    ///
    /// # Errors
    /// [`codes::WOF`] if the stream is too short to hold the table.
    pub fn new(
        stream: Arc<dyn ByteSource>,
        size: u64,
        algorithm: Algorithm,
        at: u64,
    ) -> Result<Self> {
        let mut overlay = Self {
            stream,
            size,
            algorithm,
            at,
            table_len: 0,
            cache: Cache::with_shards(CACHE_LEN, 1),
        };
        // At most 2^52 chunks of 8 bytes each.
        let entries = overlay.chunk_count().saturating_sub(1);
        overlay.table_len = entries.saturating_mul(overlay.entry_len());
        if overlay.table_len > overlay.stream.size() {
            let there = overlay.stream.size();
            let detail = format!("a table of {entries} chunks in a stream of {there:#x} bytes");
            return Err(overlay.bad_table(detail));
        }
        Ok(overlay)
    }

    fn bad_table(&self, detail: String) -> Error {
        Error::corrupt(codes::WOF, self.at, detail)
    }

    fn chunk_len(&self) -> u64 {
        self.algorithm.chunk_len().into()
    }

    fn chunk_count(&self) -> u64 {
        self.size.div_ceil(self.chunk_len())
    }

    fn entry_len(&self) -> u64 {
        if u32::try_from(self.size).is_ok() {
            4
        } else {
            8
        }
    }

    /// The chunks `first..end`, of which there is at least one. One read of a part of the table.
    fn chunks(&self, first: u64, end: u64) -> Result<Vec<Chunk>> {
        // The entry of chunk n is number n - 1; the first chunk has none, the last one's end neither.
        let from = first.saturating_sub(1);
        let to = end.min(self.chunk_count().saturating_sub(1));
        let width = self.entry_len();
        let len = to.saturating_sub(from).saturating_mul(width);
        let mut table = vec![0; clamp_usize(len, usize::MAX)];
        self.stream
            .read_at(from.saturating_mul(width), &mut table)?;
        let data_len = self.stream.size().saturating_sub(self.table_len);
        let start_of = |chunk: u64| -> Option<u64> {
            if chunk == 0 || chunk == self.chunk_count() {
                return Some(if chunk == 0 { 0 } else { data_len });
            }
            let entry = chunk
                .checked_sub(1)?
                .checked_sub(from)?
                .checked_mul(width)?;
            let entry = usize::try_from(entry).ok()?;
            match width {
                4 => get_le_u32(&table, entry).map(u64::from),
                _ => get_le_u64(&table, entry),
            }
        };
        let chunk = |index: u64| {
            let next = index.saturating_add(1);
            let plain = index.saturating_mul(self.chunk_len());
            let plain_len = self.size.saturating_sub(plain).min(self.chunk_len());
            let (start, end) = (start_of(index), start_of(next));
            let bounds = start.zip(end).filter(|(start, end)| {
                start < end && *end <= data_len && end.saturating_sub(*start) <= plain_len
            });
            let Some((start, end)) = bounds else {
                let detail = format!("chunk {index} from {start:x?} to {end:x?} of {data_len:#x}");
                return Err(self.bad_table(detail));
            };
            Ok(Chunk {
                index,
                start,
                stored_len: clamp_usize(end.saturating_sub(start), usize::MAX),
                plain_len: clamp_usize(plain_len, usize::MAX),
            })
        };
        (first..end).map(chunk).collect()
    }

    /// Fills `buf` from byte `offset` on, which together touch few chunks. Two reads of the stream.
    fn read_batch(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = offset.saturating_add(len_u64(buf.len()));
        // A chunk is not empty.
        let first = offset.checked_div(self.chunk_len()).unwrap_or(0);
        let chunks = self.chunks(first, end.div_ceil(self.chunk_len()))?;
        let stored_len = chunks
            .iter()
            .fold(0, |sum: usize, chunk| sum.saturating_add(chunk.stored_len));
        // Each begins where the one before it ends, and none is longer than its content.
        let start = chunks.first().map_or(0, |chunk| chunk.start);
        let mut stored = vec![0; stored_len];
        self.stream
            .read_at(self.table_len.saturating_add(start), &mut stored)?;
        let (mut input, mut left) = (stored.as_slice(), buf);
        let mut from = clamp_usize(
            offset.saturating_sub(first.saturating_mul(self.chunk_len())),
            usize::MAX,
        );
        for chunk in chunks {
            let (packed, rest) = input.split_at(chunk.stored_len.min(input.len()));
            input = rest;
            let len = chunk.plain_len.saturating_sub(from).min(left.len());
            let (part, rest) = left.split_at_mut(len);
            left = rest;
            if part.len() == chunk.plain_len {
                self.unpack(&chunk, packed, part)?;
            } else {
                let mut plain = vec![0; chunk.plain_len];
                self.unpack(&chunk, packed, &mut plain)?;
                self.copy(&plain, from, part)?;
                self.cache
                    .insert(chunk.index, Arc::from(plain), chunk.plain_len);
            }
            from = 0;
        }
        Ok(())
    }

    fn copy(&self, plain: &[u8], from: usize, part: &mut [u8]) -> Result<()> {
        let bytes = plain.get(from..from.saturating_add(part.len()));
        let bytes = bytes.ok_or_else(|| self.bad_table("a chunk that is too short".to_owned()))?;
        part.copy_from_slice(bytes);
        Ok(())
    }

    fn unpack(&self, chunk: &Chunk, packed: &[u8], plain: &mut [u8]) -> Result<()> {
        if packed.len() == plain.len() {
            plain.copy_from_slice(packed);
            return Ok(());
        }
        self.algorithm.decompress(packed, plain).map_err(|bad| {
            let detail = format!("chunk {} of compressed content: {bad}", chunk.index);
            Error::corrupt(codes::WOF_CHUNK, self.at, detail)
        })
    }

    /// What a chunk that was kept has of `buf`, as a number of bytes.
    fn copy_kept(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let index = offset.checked_div(self.chunk_len()).unwrap_or(0);
        let Some(plain) = self.cache.get(&index) else {
            return Ok(0);
        };
        let from = offset.saturating_sub(index.saturating_mul(self.chunk_len()));
        let from = clamp_usize(from, usize::MAX);
        let len = plain.len().saturating_sub(from).min(buf.len());
        let (part, _) = buf.split_at_mut(len);
        self.copy(&plain, from, part)?;
        Ok(len)
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay")
            .field("size", &self.size)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl ByteSource for Overlay {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(offset, buf.len(), self.size)?;
        let (mut offset, mut left) = (offset, buf);
        while !left.is_empty() {
            let mut len = self.copy_kept(offset, left)?;
            if len == 0 {
                let to_end =
                    BATCH_LEN.saturating_sub(offset.checked_rem(self.chunk_len()).unwrap_or(0));
                len = clamp_usize(to_end, left.len());
                let (part, _) = left.split_at_mut(len);
                self.read_batch(offset, part)?;
            }
            offset = offset.saturating_add(len_u64(len));
            left = left.get_mut(len..).unwrap_or_default();
        }
        Ok(())
    }

    fn granule(&self) -> NonZeroU32 {
        NonZeroU32::new(self.algorithm.chunk_len()).unwrap_or(self.stream.granule())
    }
}
