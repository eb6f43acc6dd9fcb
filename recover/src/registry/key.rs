//! A key, and the key node it is kept in.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x00 | signature | `nk` |
//! | 0x02 | flags | 0x20: the name is Latin-1, not UTF-16 |
//! | 0x14 | count of subkeys | without those that were never written to a disk |
//! | 0x1c | offset of the [list of subkeys](super::subkeys) | |
//! | 0x24 | count of values | |
//! | 0x28 | offset of the list of values | a cell of offsets |
//! | 0x48 | length of the name in bytes | |
//! | 0x4c | name | |
//!
//! Source: Maxim Suhanov, "Windows registry file format specification", section "Key node".

use super::value::Value;
use super::{Hive, cell, codes, same_name, stored_name, subkeys};
use flr_fs::bytes::{get_le_u16, get_le_u32};
use flr_fs::{Error, Result};

/// Bytes before the name.
const NAME_AT: usize = 0x4c;
/// Values of one key that are read.
const VALUE_COUNT_MAX: u32 = 1 << 16;

/// A key of a hive.
#[derive(Clone, Debug)]
pub struct Key<'h> {
    hive: &'h Hive,
    name: String,
    subkey_count: u32,
    subkeys_at: u32,
    value_count: u32,
    values_at: u32,
}

impl<'h> Key<'h> {
    pub(super) fn read(hive: &'h Hive, at: u32) -> Result<Self> {
        let raw = cell::read(hive, at)?;
        let parsed = Self::parse(hive, &raw);
        let corrupt = || Error::corrupt(codes::KEY, Hive::place(at.into()), "a key node expected");
        parsed.ok_or_else(corrupt)
    }

    fn parse(hive: &'h Hive, raw: &[u8]) -> Option<Self> {
        if !raw.starts_with(b"nk") {
            return None;
        }
        let is_latin = get_le_u16(raw, 0x2)? & 0x20 != 0;
        let name_len = usize::from(get_le_u16(raw, 0x48)?);
        let name = raw.get(NAME_AT..)?.get(..name_len)?;
        Some(Self {
            hive,
            name: stored_name(name, is_latin),
            subkey_count: get_le_u32(raw, 0x14)?,
            subkeys_at: get_le_u32(raw, 0x1c)?,
            value_count: get_le_u32(raw, 0x24)?,
            values_at: get_le_u32(raw, 0x28)?,
        })
    }

    /// Its name. What is no UTF-16 in it is replaced.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its subkeys in stored order, each with what stands in its way.
    ///
    /// # Errors
    /// Damage of the list, and more subkeys than are read ([`codes::COUNT`]).
    pub fn subkeys(&self) -> Result<impl Iterator<Item = Result<Key<'h>>> + use<'h>> {
        let offsets = match self.subkey_count {
            0 => Vec::new(),
            count => subkeys::offsets(self.hive, self.subkeys_at, count)?,
        };
        let hive = self.hive;
        Ok(offsets.into_iter().map(move |at| Key::read(hive, at)))
    }

    /// The subkey of this name, in any case. Takes time in proportion to the subkeys.
    ///
    /// # Errors
    /// As [`Key::subkeys`]; damage of a subkey, if none of the others is the one.
    pub fn subkey(&self, name: &str) -> Result<Option<Key<'h>>> {
        first(self.subkeys()?, |key| same_name(&key.name, name))
    }

    /// The key below this one with these names, with `\` between them.
    ///
    /// # Errors
    /// As [`Key::subkey`].
    pub fn descendant(&self, path: &str) -> Result<Option<Key<'h>>> {
        let mut key = self.clone();
        for name in path.split('\\') {
            match key.subkey(name)? {
                Some(below) => key = below,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    /// Its values in stored order, each with what stands in its way.
    ///
    /// # Errors
    /// Damage of the list, and more values than are read ([`codes::COUNT`]).
    pub fn values(&self) -> Result<impl Iterator<Item = Result<Value<'h>>> + use<'h>> {
        let mut offsets = Vec::new();
        if self.value_count > 0 {
            let place = Hive::place(self.values_at.into());
            if self.value_count > VALUE_COUNT_MAX {
                let detail = format!("more than {VALUE_COUNT_MAX} values of one key");
                return Err(Error::limit(codes::COUNT, place, detail));
            }
            let raw = cell::read(self.hive, self.values_at)?;
            for index in 0..usize::try_from(self.value_count).unwrap_or(usize::MAX) {
                let offset = get_le_u32(&raw, index.saturating_mul(4)).ok_or_else(|| {
                    let detail = "more values than the list has room for";
                    Error::corrupt(codes::VALUE, place, detail)
                })?;
                offsets.push(offset);
            }
        }
        let hive = self.hive;
        Ok(offsets.into_iter().map(move |at| Value::read(hive, at)))
    }

    /// The value of this name, in any case; the empty name is the key's own value.
    ///
    /// # Errors
    /// As [`Key::values`]; damage of a value, if none of the others is the one.
    pub fn value(&self, name: &str) -> Result<Option<Value<'h>>> {
        first(self.values()?, |value| same_name(value.name(), name))
    }
}

/// The first item that is wanted. If there is none and one could not be read, that may have been it.
fn first<T>(
    items: impl Iterator<Item = Result<T>>,
    wanted: impl Fn(&T) -> bool,
) -> Result<Option<T>> {
    let mut unread = None;
    for item in items {
        match item {
            Ok(item) if wanted(&item) => return Ok(Some(item)),
            Ok(_) => {}
            Err(error) => unread = unread.or(Some(error)),
        }
    }
    unread.map_or(Ok(None), Err)
}
