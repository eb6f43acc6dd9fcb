//! Attributes: everything a record holds is one, its times, its names, its content.
//!
//! | at   | field                        |    | resident         |    | non-resident              |
//! |------|------------------------------|----|------------------|----|---------------------------|
//! | 0x00 | type                         | 10 | length of value  | 10 | lowest VCN                |
//! | 0x04 | length of the attribute      | 14 | offset of value  | 18 | highest VCN               |
//! | 0x08 | 0 resident, 1 non-resident   |    |                  | 20 | offset of mapping pairs   |
//! | 0x09 | length of the name in words  |    |                  | 22 | compression unit, log2    |
//! | 0x0a | offset of the name           |    |                  | 28 | allocated size            |
//! | 0x0c | flags                        |    |                  | 30 | data size                 |
//! | 0x0e | instance                     |    |                  | 38 | initialised size          |
//! |      |                              |    |                  | 40 | total allocated size (sparse, compressed) |
//!
//! The sizes of a stream in several pieces stand in its first piece, the one with lowest VCN 0; those
//! of the others mean nothing (Linux-NTFS documentation, "Attribute Header").

use super::codes;
use crate::bytes::{get_le_u16, get_le_u32, get_le_u64, len_u64};
use crate::error::{Error, Result};

/// Types of attributes.
pub mod types {
    /// `$STANDARD_INFORMATION`: times and flags.
    pub const STANDARD_INFORMATION: u32 = 0x10;
    /// `$ATTRIBUTE_LIST`: where the attributes are that did not fit.
    pub const ATTRIBUTE_LIST: u32 = 0x20;
    /// `$FILE_NAME`: a name, with the directory it stands in.
    pub const FILE_NAME: u32 = 0x30;
    /// `$OBJECT_ID`.
    pub const OBJECT_ID: u32 = 0x40;
    /// `$SECURITY_DESCRIPTOR`.
    pub const SECURITY_DESCRIPTOR: u32 = 0x50;
    /// `$VOLUME_NAME`.
    pub const VOLUME_NAME: u32 = 0x60;
    /// `$VOLUME_INFORMATION`: version and dirty flag.
    pub const VOLUME_INFORMATION: u32 = 0x70;
    /// `$DATA`: content.
    pub const DATA: u32 = 0x80;
    /// `$INDEX_ROOT`: a directory's first node.
    pub const INDEX_ROOT: u32 = 0x90;
    /// `$INDEX_ALLOCATION`: a directory's other nodes.
    pub const INDEX_ALLOCATION: u32 = 0xa0;
    /// `$BITMAP`: which nodes or records are in use.
    pub const BITMAP: u32 = 0xb0;
    /// `$REPARSE_POINT`.
    pub const REPARSE_POINT: u32 = 0xc0;
    /// `$EA_INFORMATION`.
    pub const EA_INFORMATION: u32 = 0xd0;
    /// `$EA`: extended attributes of OS/2 and WSL.
    pub const EA: u32 = 0xe0;
    /// `$LOGGED_UTILITY_STREAM`: `$EFS` and others.
    pub const LOGGED_UTILITY_STREAM: u32 = 0x100;
    /// Stands behind the last attribute of a record.
    pub const END: u32 = 0xffff_ffff;
}

/// Flags of an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttributeFlags(u16);

impl AttributeFlags {
    const COMPRESSION_MASK: u16 = 0x00ff;
    const ENCRYPTED: u16 = 0x4000;
    const SPARSE: u16 = 0x8000;

    /// Flags from their stored form.
    #[must_use]
    pub const fn new(raw: u16) -> Self {
        Self(raw)
    }

    /// Method of compression: 0 is none, 1 is LZNT1, others are not defined.
    #[must_use]
    pub const fn compression(self) -> u16 {
        self.0 & Self::COMPRESSION_MASK
    }

    /// Whether the content is encrypted (EFS).
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        self.0 & Self::ENCRYPTED != 0
    }

    /// Whether the content may have holes.
    #[must_use]
    pub const fn is_sparse(self) -> bool {
        self.0 & Self::SPARSE != 0
    }
}

/// One attribute of a record.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// One of [`types`], or a type that is not known.
    pub type_code: u32,
    /// The name, UTF-16 little-endian as stored; empty for most.
    pub name: &'a [u8],
    /// Flags.
    pub flags: AttributeFlags,
    /// Tells attributes of one record apart.
    pub instance: u16,
    /// Byte offset of the attribute on the volume, for messages.
    pub at: u64,
    /// The value, or where it lies.
    pub form: Form<'a>,
}

/// Where the value of an attribute is.
#[derive(Clone, Copy, Debug)]
pub enum Form<'a> {
    /// In the record itself.
    Resident(&'a [u8]),
    /// In clusters.
    NonResident(NonResident<'a>),
}

/// An attribute, or a piece of one, whose value lies in clusters. Sizes are in bytes and as stored:
/// [`super::stream`] checks them.
#[derive(Clone, Copy, Debug)]
pub struct NonResident<'a> {
    /// First cluster of this piece, counted from the start of the stream.
    pub lowest_vcn: u64,
    /// Last cluster of this piece. `None` if there is none: an empty stream has -1 here.
    pub highest_vcn: Option<u64>,
    /// Clusters of one compression unit, as a power of two. 0: not compressed.
    pub compression_unit: u8,
    /// Bytes of the clusters from the first to the last, holes included.
    pub allocated_size: u64,
    /// Length of the content.
    pub data_size: u64,
    /// Length of what has been written; zeros follow.
    pub initialized_size: u64,
    /// Bytes of the clusters that are really in use, for sparse and compressed streams.
    pub total_allocated: Option<u64>,
    /// The runs as stored, for [`super::run_list::RunList::push_pairs`].
    pub mapping_pairs: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The attribute at the start of `bytes`, which hold all that is left of the record, and its
    /// length. `None` at the end mark. `at` is the place of `bytes` on the volume.
    ///
    /// # Errors
    /// [`codes::ATTRIBUTE`] for lengths and offsets that do not fit.
    pub fn parse(bytes: &'a [u8], at: u64) -> Result<Option<(Self, usize)>> {
        let bad = |detail: String| Error::corrupt(codes::ATTRIBUTE, at, detail);
        let short = || bad(format!("an attribute cut after {} bytes", bytes.len()));
        let type_code = get_le_u32(bytes, 0x0).ok_or_else(short)?;
        if type_code == types::END {
            return Ok(None);
        }
        let stored_len = get_le_u32(bytes, 0x4).ok_or_else(short)?;
        let len = usize::try_from(stored_len).unwrap_or(usize::MAX);
        let raw = bytes.get(..len).filter(|_| len >= 0x18).ok_or_else(|| {
            bad(format!(
                "an attribute of {stored_len} bytes in {} bytes of a record",
                bytes.len()
            ))
        })?;
        if type_code == 0 || !len.is_multiple_of(8) {
            let detail = format!("an attribute of type {type_code:#x} and {len} bytes");
            return Err(bad(detail));
        }
        let name_len = usize::from(raw.get(0x9).copied().unwrap_or(0)).saturating_mul(2);
        let word = |offset| get_le_u16(raw, offset).unwrap_or(0);
        let name = match name_len {
            0 => &[][..],
            _ => part(raw, word(0xa).into(), name_len)
                .ok_or_else(|| bad(format!("a name of {name_len} bytes at {:#x}", word(0xa))))?,
        };
        let form = match raw.get(0x8).copied().unwrap_or(0) {
            0 => Form::Resident(resident(raw).ok_or_else(|| {
                let value_length = get_le_u32(raw, 0x10).unwrap_or(0);
                bad(format!(
                    "a value of {value_length} bytes at {:#x} of an attribute of {len}",
                    word(0x14)
                ))
            })?),
            1 => Form::NonResident(NonResident::parse(raw, at)?),
            other => return Err(bad(format!("an attribute of form {other}"))),
        };
        let attribute = Self {
            type_code,
            name,
            flags: AttributeFlags::new(word(0xc)),
            instance: word(0xe),
            at,
            form,
        };
        Ok(Some((attribute, len)))
    }

    /// The value, if it is in the record.
    #[must_use]
    pub const fn resident(&self) -> Option<&'a [u8]> {
        match self.form {
            Form::Resident(value) => Some(value),
            Form::NonResident(_) => None,
        }
    }

    /// First cluster that this piece describes; 0 for a resident one.
    #[must_use]
    pub const fn lowest_vcn(&self) -> u64 {
        match self.form {
            Form::Resident(_) => 0,
            Form::NonResident(piece) => piece.lowest_vcn,
        }
    }
}

impl<'a> NonResident<'a> {
    fn parse(raw: &'a [u8], at: u64) -> Result<Self> {
        let bad = |detail: String| Error::corrupt(codes::ATTRIBUTE, at, detail);
        let (Some(initialized_size), Some(mapping_offset)) =
            (get_le_u64(raw, 0x38), get_le_u16(raw, 0x20))
        else {
            let detail = format!("a non-resident attribute of {} bytes", raw.len());
            return Err(bad(detail));
        };
        let long = |offset| get_le_u64(raw, offset).unwrap_or(0);
        let mapping_offset = usize::from(mapping_offset);
        // Behind the fields: pairs that overlap them would be read from the sizes.
        let mapping_pairs = (raw.get(mapping_offset..))
            .filter(|_| mapping_offset >= 0x40)
            .ok_or_else(|| bad(format!("mapping pairs at {mapping_offset:#x}")))?;
        let lowest_vcn = long(0x10);
        let highest_vcn = long(0x18);
        let signed_max = u64::MAX >> 1;
        let sizes = [long(0x28), long(0x30), initialized_size];
        if lowest_vcn > signed_max || sizes.iter().any(|size| *size > signed_max) {
            let detail = format!("sizes of {sizes:x?} bytes from cluster {lowest_vcn:#x} on");
            return Err(bad(detail));
        }
        let has_total = get_le_u16(raw, 0xc).unwrap_or(0) & 0x80ff != 0 && mapping_offset >= 0x48;
        Ok(Self {
            lowest_vcn,
            highest_vcn: (highest_vcn <= signed_max).then_some(highest_vcn),
            compression_unit: raw.get(0x22).copied().unwrap_or(0),
            allocated_size: long(0x28),
            data_size: long(0x30),
            initialized_size,
            total_allocated: has_total.then(|| long(0x40)),
            mapping_pairs,
        })
    }
}

fn resident(raw: &[u8]) -> Option<&[u8]> {
    let value_length = usize::try_from(get_le_u32(raw, 0x10)?).ok()?;
    part(raw, get_le_u16(raw, 0x14)?.into(), value_length)
}

fn part(raw: &[u8], offset: usize, len: usize) -> Option<&[u8]> {
    raw.get(offset..offset.checked_add(len)?)
}

/// The attributes of a record, in stored order. Ends behind the first one that makes no sense, which
/// is handed out as an error: what stands behind it cannot be found.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    left: &'a [u8],
    at: u64,
    ended: bool,
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`, which start with the first one and lie at byte `at` of the volume.
    #[must_use]
    pub const fn new(bytes: &'a [u8], at: u64) -> Self {
        Self {
            left: bytes,
            at,
            ended: false,
        }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match Attribute::parse(self.left, self.at) {
            Ok(Some((attribute, len))) => {
                self.left = self.left.get(len..).unwrap_or_default();
                self.at = self.at.saturating_add(len_u64(len));
                Some(Ok(attribute))
            }
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident_attribute(value: &[u8]) -> Vec<u8> {
        let mut raw = vec![0; 0x18];
        raw.resize(value.len().next_multiple_of(8).saturating_add(0x18), 0);
        let len = u32::try_from(raw.len()).unwrap();
        raw[..4].copy_from_slice(&types::DATA.to_le_bytes());
        raw[4..8].copy_from_slice(&len.to_le_bytes());
        raw[0x10..0x14].copy_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
        raw[0x14] = 0x18;
        raw[0x18..][..value.len()].copy_from_slice(value);
        raw
    }

    #[test]
    fn attributes_follow_each_other_up_to_the_mark() {
        let mut bytes = resident_attribute(b"one");
        bytes.extend(resident_attribute(b"second value"));
        bytes.extend([0xff; 8]);
        let values: Vec<_> = Attributes::new(&bytes, 0x100)
            .map(|attribute| attribute.unwrap().resident().unwrap().to_vec())
            .collect();
        assert_eq!(values, [b"one".to_vec(), b"second value".to_vec()]);
    }

    #[test]
    fn a_record_without_a_mark_ends_in_an_error() {
        let bytes = resident_attribute(b"one");
        let mut attributes = Attributes::new(&bytes, 0x100);
        assert!(attributes.next().unwrap().is_ok());
        let error = attributes.next().unwrap().unwrap_err();
        assert_eq!(error.code(), codes::ATTRIBUTE);
        assert_eq!(error.fault().unwrap().at, 0x120);
        assert!(attributes.next().is_none());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        // Length 0, too short, not a multiple of 8, past the end; type 0; form; value; name.
        let wrong: [(usize, u8); 9] = [
            (4, 0),
            (4, 0x10),
            (4, 0x1c),
            (5, 1),
            (0, 0),
            (8, 2),
            (0x11, 1),
            (0x15, 1),
            (9, 0x20),
        ];
        for (at, value) in wrong {
            let mut bytes = resident_attribute(b"12345678");
            bytes.extend([0xff; 8]);
            bytes[at] = value;
            let error = Attribute::parse(&bytes, 0).unwrap_err();
            assert_eq!(error.code(), codes::ATTRIBUTE, "byte {at:#x} is {value:#x}");
        }
    }

    #[test]
    fn a_piece_tells_its_sizes() {
        let mut raw = vec![0; 0x50];
        raw[..4].copy_from_slice(&types::DATA.to_le_bytes());
        raw[4] = 0x50;
        raw[8] = 1;
        raw[0x18..0x20].fill(0xff);
        raw[0x20] = 0x40;
        raw[0x28] = 3;
        raw[0x30] = 2;
        raw[0x38] = 1;
        let (attribute, len) = Attribute::parse(&raw, 0).unwrap().unwrap();
        let Form::NonResident(piece) = attribute.form else {
            panic!("resident")
        };
        let sizes = (
            piece.allocated_size,
            piece.data_size,
            piece.initialized_size,
        );
        assert_eq!((len, sizes, piece.highest_vcn), (0x50, (3, 2, 1), None));
        for (at, value) in [
            (0x20, 0x38),
            (0x20, 0x51),
            (0x17, 0x80),
            (0x37, 0x80),
            (4, 0x38),
        ] {
            let mut raw = raw.clone();
            raw[at] = value;
            let error = Attribute::parse(&raw, 0).unwrap_err();
            assert_eq!(error.code(), codes::ATTRIBUTE, "byte {at:#x} is {value:#x}");
        }
    }
}
