//! Changing the bytes of an NTFS volume by hand: just enough of the format to find the place.
//!
//! Update sequences are left alone: they stand in the last two bytes of each 512, where nothing that is
//! changed here lies.

use crate::Patch;
use flr_fs::ByteSource;
use std::sync::Arc;

/// Attribute types, as `$AttrDef` numbers them.
pub mod types {
    #![expect(missing_docs, reason = "their names are those of the format")]
    pub const STANDARD_INFORMATION: u32 = 0x10;
    pub const ATTRIBUTE_LIST: u32 = 0x20;
    pub const FILE_NAME: u32 = 0x30;
    pub const OBJECT_ID: u32 = 0x40;
    pub const SECURITY_DESCRIPTOR: u32 = 0x50;
    pub const VOLUME_NAME: u32 = 0x60;
    pub const VOLUME_INFORMATION: u32 = 0x70;
    pub const DATA: u32 = 0x80;
    pub const INDEX_ROOT: u32 = 0x90;
    pub const INDEX_ALLOCATION: u32 = 0xa0;
    pub const BITMAP: u32 = 0xb0;
    pub const REPARSE_POINT: u32 = 0xc0;
    pub const EA: u32 = 0xe0;
}

const INDEX_BLOCK_LEN: usize = 4096;

/// The bytes of a volume.
#[derive(Clone, Debug)]
pub struct NtfsPatch {
    /// All of them.
    pub patch: Patch,
}

impl NtfsPatch {
    /// A small volume of the fixtures.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let patch = Patch::new(name);
        Self { patch }
    }

    /// The volume as a source.
    #[must_use]
    pub fn source(self) -> Arc<dyn ByteSource> {
        self.patch.source()
    }

    /// Bytes of a cluster, for those below 64 KiB.
    #[must_use]
    pub fn cluster(&self) -> usize {
        usize::from(self.patch.u16(0xb)) * usize::from(self.patch.bytes[0xd])
    }

    /// Bytes of a record.
    #[must_use]
    pub fn record_size(&self) -> usize {
        match self.patch.bytes[0x40] {
            clusters @ 1..0x80 => usize::from(clusters) * self.cluster(),
            power => 1 << (256 - usize::from(power)),
        }
    }

    /// Byte of a record.
    ///
    /// # Panics
    /// If the first pieces of the MFT do not hold it.
    #[must_use]
    pub fn record(&self, number: usize) -> usize {
        let first = self.patch.word(0x30) * self.cluster();
        let byte = number * self.record_size();
        let data = self.attribute_in(first, types::DATA).expect("the MFT");
        let mut start = 0;
        for (lcn, count) in self.runs(data) {
            let len = count * self.cluster();
            if (start..start + len).contains(&byte) {
                return lcn.expect("a sound MFT") * self.cluster() + byte - start;
            }
            start += len;
        }
        panic!("no record {number}");
    }

    /// Byte of the first attribute of this type in a record.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn attribute(&self, number: usize, type_code: u32) -> usize {
        let found = self.attribute_in(self.record(number), type_code);
        found.unwrap_or_else(|| panic!("no attribute {type_code:#x} in record {number}"))
    }

    /// The same, if there is one.
    #[must_use]
    pub fn find(&self, number: usize, type_code: u32) -> Option<usize> {
        self.attribute_in(self.record(number), type_code)
    }

    fn attribute_in(&self, record: usize, type_code: u32) -> Option<usize> {
        let mut at = record + usize::from(self.patch.u16(record + 0x14));
        let end = record + self.record_size() - 8;
        // A length that its update sequence stands in makes no step, or leads out of the record.
        while at < end {
            match (self.patch.u32(at), self.patch.word(at + 4)) {
                (found, _) if found == type_code => return Some(at),
                (u32::MAX, _) | (_, 0) => return None,
                (_, len) => at += len,
            }
        }
        None
    }

    /// Byte of a resident value.
    #[must_use]
    pub fn value(&self, attribute: usize) -> usize {
        attribute + usize::from(self.patch.u16(attribute + 0x14))
    }

    /// Clusters of a non-resident attribute: (logical cluster or hole, count).
    #[must_use]
    pub fn runs(&self, attribute: usize) -> Vec<(Option<usize>, usize)> {
        let mut at = attribute + usize::from(self.patch.u16(attribute + 0x20));
        let (mut runs, mut lcn) = (Vec::new(), 0_i64);
        while self.patch.bytes[at] != 0 {
            let (len, step) = (self.patch.bytes[at] & 15, self.patch.bytes[at] >> 4);
            let (len, step) = (usize::from(len), usize::from(step));
            let count = usize::try_from(self.number(at + 1, len)).expect("a count");
            lcn += self.number(at + 1 + len, step);
            let place = usize::try_from(lcn).expect("a cluster");
            runs.push(((step > 0).then_some(place), count));
            at += 1 + len + step;
        }
        runs
    }

    /// A number with a sign in so many bytes.
    fn number(&self, at: usize, len: usize) -> i64 {
        let bytes = &self.patch.bytes[at..at + len];
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..len].copy_from_slice(bytes);
        i64::from_le_bytes(wide)
    }

    /// Bytes of the index blocks of a directory.
    #[must_use]
    pub fn index_blocks(&self, number: usize) -> Vec<usize> {
        let Some(allocation) = self.find(number, types::INDEX_ALLOCATION) else {
            return Vec::new();
        };
        let clusters = self.runs(allocation);
        let bytes = clusters.iter().flat_map(|(lcn, count)| {
            let start = lcn.expect("a sound index") * self.cluster();
            (0..count * self.cluster())
                .step_by(INDEX_BLOCK_LEN)
                .map(move |at| start + at)
        });
        bytes
            .filter(|at| self.patch.bytes[*at..].starts_with(b"INDX"))
            .collect()
    }

    /// A record or an index block of so many bytes, with its update sequence applied.
    #[must_use]
    pub fn structure(&self, at: usize, len: usize) -> Vec<u8> {
        let mut bytes = self.patch.bytes[at..at + len].to_vec();
        let array = usize::from(self.patch.u16(at + 4)) + 2;
        for (index, stride) in bytes.chunks_exact_mut(512).enumerate() {
            let kept = at + array + index * 2;
            stride[510..].copy_from_slice(&self.patch.bytes[kept..kept + 2]);
        }
        bytes
    }

    /// Puts a structure back, with its update sequence.
    pub fn put_structure(&mut self, at: usize, mut bytes: Vec<u8>) {
        let array = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        let number = [bytes[array], bytes[array + 1]];
        for start in (0..bytes.len()).step_by(512) {
            let kept = array + 2 + start / 512 * 2;
            let end = [bytes[start + 510], bytes[start + 511]];
            bytes[kept..kept + 2].copy_from_slice(&end);
            bytes[start + 510..start + 512].copy_from_slice(&number);
        }
        self.patch.put(at, &bytes);
    }

    /// Byte of the bitmap in record `number`, of this attribute, that has the bit.
    #[must_use]
    pub fn bit(&self, number: usize, type_code: u32, bit: usize) -> usize {
        let attribute = self.attribute(number, type_code);
        if self.patch.bytes[attribute + 8] == 0 {
            return self.value(attribute) + bit / 8;
        }
        let mut start = 0;
        for (lcn, count) in self.runs(attribute) {
            let len = count * self.cluster();
            if bit / 8 < start + len {
                return lcn.expect("a sound bitmap") * self.cluster() + bit / 8 - start;
            }
            start += len;
        }
        panic!("no bit {bit}");
    }

    /// Takes an entry out of the leaves of a directory's index: the file is there, and nothing leads to
    /// it.
    ///
    /// # Panics
    /// If no index block without children has the name.
    pub fn unlist(&mut self, directory: usize, name: &str) {
        let wanted: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for at in self.index_blocks(directory) {
            let mut block = self.structure(at, INDEX_BLOCK_LEN);
            let word = |block: &[u8], at: usize| {
                usize::from(u16::from_le_bytes([block[at], block[at + 1]]))
            };
            let end = 0x18 + word(&block, 0x1c);
            let mut entry = 0x18 + word(&block, 0x18);
            while entry < end && block[entry + 0xc] & 3 == 0 {
                let (len, name_at) = (word(&block, entry + 8), entry + 0x52);
                let name_len = usize::from(block[entry + 0x50]) * 2;
                if block[name_at..name_at + name_len] == wanted {
                    block.copy_within(entry + len..end, entry);
                    let used = u16::try_from(end - len - 0x18).expect("a length");
                    block[0x1c..0x1e].copy_from_slice(&used.to_le_bytes());
                    return self.put_structure(at, block);
                }
                entry += len;
            }
        }
        panic!("no leaf of record {directory} has {name}");
    }
}
