//! A value, and the cell it is described in.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x00 | signature | `vk` |
//! | 0x02 | length of the name in bytes | 0: the key's own value |
//! | 0x04 | length of the data | highest bit: the data is the next field itself |
//! | 0x08 | offset of the data's cell | |
//! | 0x0c | type | 1 text, 2 text with variables, 3 bytes, 4 a number, 7 several texts … |
//! | 0x10 | flags | 1: the name is Latin-1, not UTF-16 |
//! | 0x14 | name | |
//!
//! Source: Maxim Suhanov, "Windows registry file format specification", section "Key value".

use super::{Hive, big_data, cell, codes, stored_name};
use flr_fs::bytes::{get_array, get_le_u16, get_le_u32};
use flr_fs::{Error, Result};

/// Bytes before the name.
const NAME_AT: usize = 0x14;
/// The data is the offset's field itself.
const IS_INLINE: u32 = 1 << 31;
/// Bytes of the largest value that is read.
const DATA_LEN_MAX: u32 = 1 << 20;

/// A value of a key.
#[derive(Clone, Debug)]
pub struct Value<'h> {
    hive: &'h Hive,
    at: u32,
    name: String,
    kind: u32,
    len: u32,
    data_at: [u8; 4],
}

impl<'h> Value<'h> {
    pub(super) fn read(hive: &'h Hive, at: u32) -> Result<Self> {
        let raw = cell::read(hive, at)?;
        let corrupt = || Error::corrupt(codes::VALUE, Hive::place(at.into()), "a value expected");
        Self::parse(hive, at, &raw).ok_or_else(corrupt)
    }

    fn parse(hive: &'h Hive, at: u32, raw: &[u8]) -> Option<Self> {
        if !raw.starts_with(b"vk") {
            return None;
        }
        let name_len = usize::from(get_le_u16(raw, 0x2)?);
        let is_latin = get_le_u16(raw, 0x10)? & 1 != 0;
        let name = raw.get(NAME_AT..)?.get(..name_len)?;
        Some(Self {
            hive,
            at,
            name: stored_name(name, is_latin),
            kind: get_le_u32(raw, 0xc)?,
            len: get_le_u32(raw, 0x4)?,
            data_at: get_array(raw, 0x8)?,
        })
    }

    /// Its name. What is no UTF-16 in it is replaced.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of its type: 1 `REG_SZ`, 3 `REG_BINARY`, 4 `REG_DWORD` …
    #[must_use]
    pub const fn kind(&self) -> u32 {
        self.kind
    }

    /// Its bytes as they are stored.
    ///
    /// # Errors
    /// Damage; [`codes::VALUE_SIZE`] for more than 1 MiB.
    pub fn data(&self) -> Result<Vec<u8>> {
        let place = Hive::place(self.at.into());
        let corrupt = |detail| Error::corrupt(codes::VALUE, place, detail);
        let len = self.len & !IS_INLINE;
        if len > DATA_LEN_MAX {
            let detail = format!("a value of {len} bytes, at most {DATA_LEN_MAX} are read");
            return Err(Error::limit(codes::VALUE_SIZE, place, detail));
        }
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        if self.len & IS_INLINE != 0 {
            let data = self.data_at.get(..wanted);
            return (data.map(<[u8]>::to_vec)).ok_or_else(|| corrupt("at most 4 bytes fit here"));
        }
        if len == 0 {
            return Ok(Vec::new());
        }
        let data_at = u32::from_le_bytes(self.data_at);
        if self.hive.base.has_big_data && wanted > big_data::SEGMENT_LEN {
            return big_data::read(self.hive, data_at, wanted);
        }
        let mut data = cell::read(self.hive, data_at)?;
        if data.len() < wanted {
            return Err(corrupt("the value is longer than its cell"));
        }
        data.truncate(wanted);
        Ok(data)
    }

    /// Its text up to the first NUL, if it is one (`REG_SZ`, `REG_EXPAND_SZ`). What is no UTF-16 in it
    /// is replaced.
    ///
    /// # Errors
    /// As [`Value::data`].
    pub fn text(&self) -> Result<Option<String>> {
        if !matches!(self.kind, 1 | 2) {
            return Ok(None);
        }
        let mut text = stored_name(&self.data()?, false);
        text.truncate(text.find('\0').unwrap_or(text.len()));
        Ok(Some(text))
    }
}
