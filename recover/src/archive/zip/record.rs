//! What is said of an entry: before it, behind it, and in the directory (APPNOTE 4.3.7, 4.3.9, 4.3.12).

use crate::archive::entry::Entry;
use crate::archive::owners::number;
use flr_fs::{FileKind, Timestamp};

/// A field that a larger one stands for.
const IN_64_BITS: u32 = u32::MAX;
/// General purpose bit 3: sizes and checksum stand behind the content. Bit 11: the name is UTF-8.
const BEHIND: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;
/// Version 4.5: sizes of 64 bits.
const VERSION: u16 = 45;
/// Made by a Unix: the mode stands in the upper half of the attributes.
const MADE_BY: u16 = (3 << 8) | VERSION;
/// MS-DOS's bit of directories.
const DOS_DIRECTORY: u32 = 0x10;

/// How content is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// As it is; its size is known before.
    Stored,
    /// Deflated (RFC 1951); its size is known behind.
    Deflated,
}

impl Method {
    const fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}

/// An entry.
#[derive(Debug)]
pub(super) struct Record {
    name: Vec<u8>,
    method: Method,
    /// Sizes behind the content have 64 bits.
    pub(super) large: bool,
    pub(super) crc: u32,
    pub(super) size: u64,
    pub(super) packed: u64,
    offset: u64,
    attributes: u32,
    uid: u32,
    gid: u32,
    mtime: Timestamp,
    atime: Timestamp,
}

impl Record {
    pub(super) fn new(entry: &Entry<'_>, offset: u64, method: Method) -> Self {
        let metadata = entry.metadata;
        let (kind, dos, slash): (u32, u32, &[u8]) = match metadata.kind {
            FileKind::Directory => (0o040_000, DOS_DIRECTORY, b"/"),
            FileKind::Symlink => (0o120_000, 0, b""),
            _ => (0o100_000, 0, b""),
        };
        let mode = kind | (metadata.mode & 0o7777);
        Self {
            name: [entry.name, slash].concat(),
            method,
            large: false,
            crc: 0,
            size: 0,
            packed: 0,
            offset,
            attributes: (mode << 16) | dos,
            uid: number(metadata.uid),
            gid: number(metadata.gid),
            mtime: metadata.mtime,
            atime: metadata.atime,
        }
    }

    const fn flags(&self, is_utf8: bool) -> u16 {
        let behind = match self.method {
            Method::Stored => 0,
            Method::Deflated => BEHIND,
        };
        behind | if is_utf8 { UTF8 } else { 0 }
    }

    /// What both headers have in common, from the version on.
    fn common(&self, fields: &mut Fields, [crc, packed, size]: [u32; 3]) {
        let is_utf8 = std::str::from_utf8(&self.name).is_ok();
        let (date, time) = dos_time(self.mtime);
        fields.short(VERSION);
        fields.short(self.flags(is_utf8));
        fields.short(self.method.number());
        fields.short(time);
        fields.short(date);
        for value in [crc, packed, size] {
            fields.long(value);
        }
        fields.short(u16::try_from(self.name.len()).unwrap_or(u16::MAX));
    }

    /// The header before the content.
    pub(super) fn local(&self) -> Vec<u8> {
        let mut extra = Fields::default();
        if self.large {
            extra.short(0x0001);
            extra.short(16);
            extra.quad(0);
            extra.quad(0);
        }
        self.unix_fields(&mut extra, true);
        let sizes = match (self.method, self.large) {
            (Method::Deflated, true) => [0, IN_64_BITS, IN_64_BITS],
            (Method::Deflated, false) => [0, 0, 0],
            // A target of a link: at most some thousand bytes.
            (Method::Stored, _) => [self.crc, clamp(self.packed), clamp(self.size)],
        };
        let mut fields = Fields::default();
        fields.long(0x0403_4b50);
        self.common(&mut fields, sizes);
        fields.rest(&extra, &self.name)
    }

    /// What stands behind the content.
    pub(super) fn descriptor(&self) -> Vec<u8> {
        let mut fields = Fields::default();
        fields.long(0x0807_4b50);
        fields.long(self.crc);
        for size in [self.packed, self.size] {
            match self.large {
                true => fields.quad(size),
                false => fields.long(clamp(size)),
            }
        }
        fields.0
    }

    /// The row of the directory.
    pub(super) fn central(&self) -> Vec<u8> {
        let mut large = Fields::default();
        // In this order, and only those whose field says so.
        for value in [self.size, self.packed, self.offset] {
            if clamp(value) == IN_64_BITS {
                large.quad(value);
            }
        }
        let mut extra = Fields::default();
        if !large.0.is_empty() {
            extra.short(0x0001);
            extra.short(u16::try_from(large.0.len()).unwrap_or(0));
            extra.0.append(&mut large.0);
        }
        self.unix_fields(&mut extra, false);
        let mut fields = Fields::default();
        fields.long(0x0201_4b50);
        fields.short(MADE_BY);
        self.common(
            &mut fields,
            [self.crc, clamp(self.packed), clamp(self.size)],
        );
        let name_at = fields.0.len();
        let mut row = fields.rest(&extra, &[]);
        let mut end = Fields::default();
        // No comment, the first disk, no internal attributes.
        for _ in 0..3 {
            end.short(0);
        }
        end.long(self.attributes);
        end.long(clamp(self.offset));
        // Behind the lengths of the name and the extra fields, before both.
        let lengths_end = name_at.saturating_add(2);
        let tail = row.split_off(lengths_end.min(row.len()));
        [row, end.0, self.name.clone(), tail].concat()
    }

    /// Times in seconds since 1970, owner and group.
    fn unix_fields(&self, extra: &mut Fields, local: bool) {
        let seconds = |time: Timestamp| i32::try_from(time.seconds).ok();
        if let (Some(mtime), Some(atime)) = (seconds(self.mtime), seconds(self.atime)) {
            extra.short(0x5455);
            extra.short(if local { 9 } else { 5 });
            // Which times are there: in both places those of the first one.
            extra.0.push(0b11);
            extra.0.extend_from_slice(&mtime.to_le_bytes());
            if local {
                extra.0.extend_from_slice(&atime.to_le_bytes());
            }
        }
        extra.short(0x7875);
        extra.short(11);
        extra.0.push(1);
        for id in [self.uid, self.gid] {
            extra.0.push(4);
            extra.long(id);
        }
    }
}

/// A size as 32 bits, or the sign that it stands elsewhere.
fn clamp(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(IN_64_BITS)
}

/// Date and time of MS-DOS: years from 1980 to 2107, every other second. In UTC: the extra field is what counts.
fn dos_time(time: Timestamp) -> (u16, u16) {
    const FIRST: (u16, u16) = ((1 << 5) | 1, 0);
    let Ok(stamp) = jiff::Timestamp::from_second(time.seconds) else {
        return FIRST;
    };
    let civil = stamp.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let year = u16::try_from(i32::from(civil.year()).saturating_sub(1980));
    let Some(year) = year.ok().filter(|year| *year < 128) else {
        return FIRST;
    };
    let number = |number: i8| u16::try_from(number).unwrap_or(0);
    let date = (year << 9) | (number(civil.month()) << 5) | number(civil.day());
    let seconds = number(civil.second()) >> 1;
    (
        date,
        (number(civil.hour()) << 11) | (number(civil.minute()) << 5) | seconds,
    )
}

/// Bytes of a structure, little-endian.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<u8>);

impl Fields {
    pub(super) fn short(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn long(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn quad(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Adds the length of the extra fields, the name and those fields.
    fn rest(mut self, extra: &Self, name: &[u8]) -> Vec<u8> {
        self.short(u16::try_from(extra.0.len()).unwrap_or(0));
        self.0.extend_from_slice(name);
        self.0.extend_from_slice(&extra.0);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_knows_the_years_from_1980_to_2107() {
        let at = |text: &str| {
            let stamp: jiff::Timestamp = text.parse().unwrap();
            dos_time(Timestamp {
                seconds: stamp.as_second(),
                nanoseconds: 0,
            })
        };
        assert_eq!(at("1979-12-31T23:59:59Z"), (0x21, 0));
        assert_eq!(at("1980-01-01T00:00:00Z"), (0x21, 0));
        // 2026-11-18 03:04:06: the bits as APPNOTE 4.4.6 names them.
        let date = (46 << 9) | (11 << 5) | 18;
        assert_eq!(at("2026-11-18T03:04:06Z"), (date, (3 << 11) | (4 << 5) | 3));
        assert_eq!(at("2108-01-01T00:00:00Z"), (0x21, 0));
    }
}
