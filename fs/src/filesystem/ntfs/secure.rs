//! `$Secure`: the security descriptors of all files, each kept once, found by number.
//!
//! The stream `$SDS` holds them in blocks of 256 KiB, each followed by a copy of itself:
//!
//! | at   | field                                                     |
//! |------|-----------------------------------------------------------|
//! | 0x00 | hash of the descriptor                                    |
//! | 0x04 | security id, as in `$STANDARD_INFORMATION`                |
//! | 0x08 | offset of this entry in the stream; in a copy the original's |
//! | 0x10 | length of the entry                                       |
//! | 0x14 | descriptor, see [`super::descriptor`]                     |
//!
//! Entries begin at multiples of 16 and do not cross a block. Source: Linux-NTFS documentation,
//! "$Secure"; ntfs-3g, `layout.h` and `security.c`. The indexes `$SII` and `$SDH` are not used: they can
//! be made anew from the stream, and so is ours, when the first descriptor is asked for.

use super::attribute::types;
use super::codes;
use super::content;
use super::descriptor::{self, DESCRIPTOR_BYTES_MAX};
use super::file::File;
use super::mft::Mft;
use crate::bytes::{clamp_usize, get_le_u32, get_le_u64, len_u64};
use crate::error::{Error, Result};
use crate::source::ByteSource;
use std::sync::{Arc, OnceLock};

/// Record of `$Secure`.
const SECURE_RECORD: u64 = 9;
/// `$SDS` in UTF-16.
const SDS_NAME: &[u8] = b"$\0S\0D\0S\0";
const BLOCK_LEN: u64 = 0x4_0000;
const ENTRY_HEADER_LEN: usize = 0x14;
const ENTRY_ALIGN: usize = 16;

/// Longest stream that is searched. File servers with millions of files have some ten MiB.
const STREAM_BYTES_MAX: u64 = 512 << 20;
/// Most entries that are kept in memory, 16 bytes each.
const ENTRY_COUNT_MAX: usize = 1 << 20;

/// Where an entry lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    id: u32,
    len: u32,
    offset: u64,
}

/// The security descriptors of a volume.
#[derive(Debug)]
pub struct Secure {
    /// The stream `$SDS`.
    sds: Arc<dyn ByteSource>,
    /// Where the record of `$Secure` lies.
    at: u64,
    originals: OnceLock<Result<Vec<Place>>>,
    copies: OnceLock<Result<Vec<Place>>>,
}

impl Secure {
    /// Descriptors from the stream `$SDS`. Reads nothing yet.
    #[must_use]
    pub fn new(sds: Arc<dyn ByteSource>, at: u64) -> Self {
        Self {
            sds,
            at,
            originals: OnceLock::new(),
            copies: OnceLock::new(),
        }
    }

    /// The stream of `$Secure`, record 9. Reads none of it yet.
    ///
    /// # Errors
    /// [`codes::SECURE`] if there is none, as before Windows 2000; damage of the record.
    pub fn open(mft: &Mft) -> Result<Self> {
        let file = File::new(mft, mft.record(SECURE_RECORD)?);
        let at = file.base.at;
        let Some(stream) = file.stream(types::DATA, SDS_NAME)? else {
            let detail = "$Secure has no stream $SDS";
            return Err(Error::corrupt(codes::SECURE, at, detail));
        };
        Ok(Self::new(content::open(&mft.disk, &Arc::new(stream)), at))
    }

    /// The descriptor with this number: self-relative, checked.
    ///
    /// # Errors
    /// [`codes::SECURE`] for a number that is not there, a hash that fits neither the original nor the
    /// copy; [`codes::SECURITY_DESCRIPTOR`].
    pub fn descriptor(&self, id: u32) -> Result<Vec<u8>> {
        let mut failed = None;
        // What is damaged in the originals may be whole in the copies.
        for (places, shift) in [(&self.originals, 0), (&self.copies, BLOCK_LEN)] {
            let places = self.searched(places, shift)?;
            let start = places.partition_point(|place| place.id < id);
            let same = places.get(start..).unwrap_or_default().iter();
            for place in same.take_while(|place| place.id == id) {
                match self.entry(*place, place.offset.saturating_add(shift)) {
                    Ok(descriptor) => return Ok(descriptor),
                    Err(error) => failed = Some(error),
                }
            }
        }
        Err(failed.unwrap_or_else(|| {
            let detail = format!("security id {id:#x} is not in $Secure");
            Error::corrupt(codes::SECURE, self.at, detail)
        }))
    }

    /// The descriptor of the entry whose original is at `place`, read at `offset`.
    fn entry(&self, place: Place, offset: u64) -> Result<Vec<u8>> {
        let mut entry = vec![0; usize::try_from(place.len).unwrap_or(0)];
        self.sds.read_at(offset, &mut entry)?;
        let descriptor = entry.get(ENTRY_HEADER_LEN..).unwrap_or_default();
        let header = entry_at(&entry, 0, place.offset);
        let stored = get_le_u32(&entry, 0x0).unwrap_or(0);
        let computed = hash(descriptor);
        if header != Some(place) || stored != computed {
            let detail = format!(
                "the hash of security descriptor {:#x} is {stored:#x}, not {computed:#x}",
                place.id
            );
            return Err(Error::corrupt(codes::SECURE, self.at, detail));
        }
        descriptor::parse(descriptor, self.at)?;
        Ok(descriptor.to_vec())
    }

    fn searched<'a>(
        &self,
        places: &'a OnceLock<Result<Vec<Place>>>,
        first: u64,
    ) -> Result<&'a [Place]> {
        let places = match places.get() {
            Some(places) => places,
            None => match self.search(first) {
                // More than a bound allows it stays; another read that failed may succeed the next time.
                Err(error) if !matches!(error, Error::Limit(_)) => return Err(error),
                found => places.get_or_init(|| found),
            },
        };
        places.as_deref().map_err(Clone::clone)
    }

    /// All entries in every second block from `first` on, sorted by number.
    fn search(&self, first: u64) -> Result<Vec<Place>> {
        let size = self.sds.size();
        if size > STREAM_BYTES_MAX {
            let detail = format!("$Secure has {size} bytes, at most {STREAM_BYTES_MAX}");
            return Err(Error::limit(codes::SECURE, self.at, detail));
        }
        let mut places = Vec::new();
        let mut block = Vec::new();
        let mut start = first;
        while start < size {
            let left = size.saturating_sub(start).min(BLOCK_LEN);
            block.resize(clamp_usize(left, usize::MAX), 0);
            match self.sds.read_at(start, &mut block) {
                Ok(()) => collect(&block, start.saturating_sub(first), &mut places),
                // Damage of the stream's map stays where it is; what may pass must not be kept.
                Err(Error::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
            if places.len() > ENTRY_COUNT_MAX {
                let detail = format!("more than {ENTRY_COUNT_MAX} security descriptors");
                return Err(Error::limit(codes::SECURE, self.at, detail));
            }
            start = start.saturating_add(BLOCK_LEN).saturating_add(BLOCK_LEN);
        }
        places.sort_unstable();
        Ok(places)
    }
}

/// Collects the entries of a block whose original is at byte `original` of the stream.
fn collect(block: &[u8], original: u64, places: &mut Vec<Place>) {
    let mut at: usize = 0;
    while at < block.len() {
        // Behind what makes no sense the search goes on.
        let place = entry_at(block, at, original.saturating_add(len_u64(at)));
        let step = place.map_or(1, |place| clamp_usize(place.len.into(), usize::MAX));
        places.extend(place);
        at = at.saturating_add(step);
        at = at
            .checked_next_multiple_of(ENTRY_ALIGN)
            .unwrap_or(usize::MAX);
    }
}

/// The entry at `at` of `block`, which is at `offset` of the stream in the original, if one begins there.
fn entry_at(block: &[u8], at: usize, offset: u64) -> Option<Place> {
    let rest = block.get(at..)?;
    let (id, len) = (get_le_u32(rest, 0x4)?, get_le_u32(rest, 0x10)?);
    let header_len = u32::try_from(ENTRY_HEADER_LEN).unwrap_or(0);
    let len_max = header_len.saturating_add(DESCRIPTOR_BYTES_MAX);
    let fits = id != 0
        && get_le_u64(rest, 0x8)? == offset
        && len > header_len
        && len <= len_max
        && u64::from(len) <= len_u64(rest.len());
    fits.then_some(Place { id, len, offset })
}

/// The hash of a descriptor: its 32-bit words added up, the sum turned left by three bits before each.
fn hash(descriptor: &[u8]) -> u32 {
    descriptor.chunks_exact(4).fold(0, |sum: u32, word| {
        sum.rotate_left(3)
            .wrapping_add(get_le_u32(word, 0).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::ntfs::testing::bytes;
    use crate::source::Memory;

    /// The first two entries of `$SDS` as mkntfs 2022.10.3 writes them: ids 0x100 and 0x101.
    const OF_MKNTFS: &str = "f01203f8 00010000 0000000000000000 7c000000
        01000480 48000000 58000000 00000000 14000000 02003400 02000000
        00001400 89001200 01010000 00000005 12000000
        00001800 89001200 01020000 00000005 20000000 20020000
        01020000 00000005 20000000 20020000 01020000 00000005 20000000 20020000 00000000
        5124b300 01010000 8000000000000000 7c000000
        01000480 48000000 58000000 00000000 14000000 02003400 02000000
        00001400 9f011200 01010000 00000005 12000000
        00001800 9f011200 01020000 00000005 20000000 20020000
        01020000 00000005 20000000 20020000 01020000 00000005 20000000 20020000";

    const COPY: usize = 0x4_0000;

    /// The stream with its copy.
    fn stream() -> Vec<u8> {
        let entries = bytes(OF_MKNTFS);
        let mut stream = entries.clone();
        stream.resize(COPY, 0);
        [stream, entries].concat()
    }

    fn secure(stream: Vec<u8>) -> Secure {
        Secure::new(Arc::new(Memory::new(stream)), 0x2400)
    }

    #[test]
    fn descriptors_are_found_by_number() {
        let entries = bytes(OF_MKNTFS);
        let secure = secure(stream());
        assert_eq!(secure.descriptor(0x100).unwrap(), entries[0x14..0x7c]);
        assert_eq!(secure.descriptor(0x101).unwrap(), entries[0x94..]);
        let error = secure.descriptor(0x102).unwrap_err();
        assert_eq!(
            (error.code(), error.fault().unwrap().at),
            (codes::SECURE, 0x2400)
        );
    }

    #[test]
    fn further_blocks_are_searched() {
        let mut moved = bytes(OF_MKNTFS)[..0x7c].to_vec();
        moved[4..6].copy_from_slice(&[7, 7]);
        moved[8..12].copy_from_slice(&0x8_0000_u32.to_le_bytes());
        let mut stream = stream();
        stream.resize(2 * COPY, 0);
        stream.extend_from_slice(&moved);
        assert!(secure(stream).descriptor(0x707).is_ok());
    }

    #[test]
    fn the_copy_stands_in_for_a_damaged_original() {
        // The hash, the number, the offset, the length, the descriptor.
        // (Zeros in multiples of 128 bytes behind a descriptor do not change its hash: 0x91 is left out.)
        for at in [0x80, 0x84, 0x88, 0x90, 0x92, 0x9c, 0xf0] {
            let mut damaged = stream();
            damaged[at] ^= 0x55;
            let entries = bytes(OF_MKNTFS);
            let found = secure(damaged.clone()).descriptor(0x101);
            assert!(found.unwrap() == entries[0x94..], "byte {at:#x}");
            damaged[COPY + at] ^= 0x55;
            let error = secure(damaged).descriptor(0x101).unwrap_err();
            assert_eq!(error.code(), codes::SECURE, "byte {at:#x}");
        }
    }

    #[test]
    fn a_descriptor_that_makes_no_sense_is_told_even_if_its_hash_fits() {
        let mut stream = stream();
        stream[0x14] = 9;
        let sum = hash(&stream[0x14..0x7c]).to_le_bytes();
        stream[..4].copy_from_slice(&sum);
        stream.copy_within(..0x7c, COPY);
        let error = secure(stream).descriptor(0x100).unwrap_err();
        assert_eq!(error.code(), codes::SECURITY_DESCRIPTOR);
    }

    #[test]
    fn streams_that_are_cut_or_empty() {
        assert_eq!(
            secure(Vec::new()).descriptor(1).unwrap_err().code(),
            codes::SECURE
        );
        for len in [1, 0x13, 0x14, 0x7b, 0x7c, 0x90, 0xfb] {
            let cut = stream()[..len].to_vec();
            assert!(secure(cut).descriptor(0x101).is_err(), "{len}");
        }
    }
}
