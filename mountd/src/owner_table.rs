//! A table of owners, in the form that ntfs-3g reads from `.NTFS-3G/UserMapping`.
//!
//! | line          | meaning                                              |
//! |---------------|------------------------------------------------------|
//! | `uid:gid:SID` | files that `SID` owns are `uid`'s, its group is `gid` |
//! | `uid::SID`    | a user                                               |
//! | `:gid:SID`    | a group                                              |
//! | `# …`         | a comment; empty lines mean nothing either           |
//!
//! Source: ntfs-3g's manual, "User Mapping". Names in place of numbers and a last line `::SID`, a pattern for
//! users that are not listed, are refused: names would be those of this machine, and what a pattern gives
//! would be numbers that nobody chose.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// Bytes of a table, at most. One line is some 60 bytes.
const TABLE_BYTES_MAX: usize = 1 << 20;
/// Sub-authorities of an identifier, at most (MS-DTYP 2.4.2).
const SUB_AUTHORITY_COUNT_MAX: usize = 15;
/// An authority has 48 bits.
const AUTHORITY_MAX: u64 = (1 << 48) - 1;

/// Numbers for security identifiers of Windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerTable {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
}

/// Why a text is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTable {
    /// Which line, from 1 on; 0 if it is the table as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for BadTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

impl std::error::Error for BadTable {}

impl OwnerTable {
    /// Most bytes that a table can have.
    pub const BYTES_MAX: usize = TABLE_BYTES_MAX;

    /// Takes the text of a table apart.
    ///
    /// # Errors
    /// A line that is not of one of the forms, or that gives an identifier another number than one before;
    /// a table without a line, or of more than [`Self::BYTES_MAX`] bytes.
    pub fn parse(text: &[u8]) -> Result<Self, BadTable> {
        let whole = |what| BadTable { line: 0, what };
        if text.len() > TABLE_BYTES_MAX {
            return Err(whole("larger than 1 MiB"));
        }
        let text = std::str::from_utf8(text).map_err(|_| whole("not text in UTF-8"))?;
        let mut table = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if !text.is_empty() && !text.starts_with('#') {
                table.add(text).map_err(|what| BadTable { line, what })?;
            }
        }
        if table == Self::default() {
            return Err(whole("no line with an owner"));
        }
        Ok(table)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let mut fields = line.split(':').map(str::trim);
        let (Some(uid), Some(gid), Some(sid), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err("expected uid:gid:SID");
        };
        let sid = canonical(sid).ok_or("expected an identifier such as S-1-5-21-1-2-3-1001")?;
        let (uid, gid) = (number(uid)?, number(gid)?);
        if uid.is_none() && gid.is_none() {
            return Err(
                "neither uid nor gid: patterns for users that are not listed are not taken",
            );
        }
        put(&mut self.users, &sid, uid)?;
        put(&mut self.groups, &sid, gid)
    }

    /// The number of the user with this identifier.
    #[must_use]
    pub fn uid(&self, sid: &str) -> Option<u32> {
        self.users.get(sid).copied()
    }

    /// The number of the group with this identifier.
    #[must_use]
    pub fn gid(&self, sid: &str) -> Option<u32> {
        self.groups.get(sid).copied()
    }
}

fn put(map: &mut BTreeMap<String, u32>, sid: &str, id: Option<u32>) -> Result<(), &'static str> {
    let Some(id) = id else { return Ok(()) };
    match map.entry(sid.to_owned()) {
        Entry::Vacant(entry) => {
            entry.insert(id);
            Ok(())
        }
        Entry::Occupied(entry) if *entry.get() == id => Ok(()),
        Entry::Occupied(_) => Err("a line before gives this identifier another number"),
    }
}

/// A number of this machine; `None` for an empty field.
fn number(field: &str) -> Result<Option<u32>, &'static str> {
    if field.is_empty() {
        return Ok(None);
    }
    if !field.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("names of users and groups are not taken, only their numbers (id -u, id -g)");
    }
    // The last one means "none" to Linux.
    let number = field.parse().ok().filter(|number| *number != u32::MAX);
    number.map(Some).ok_or("a number that no owner can have")
}

/// The identifier as a view tells it.
fn canonical(sid: &str) -> Option<String> {
    let rest = sid.strip_prefix("S-1-").or(sid.strip_prefix("s-1-"))?;
    let mut parts = rest.split('-');
    let authority = parts.next()?;
    let authority = match authority
        .strip_prefix("0x")
        .or(authority.strip_prefix("0X"))
    {
        Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16).ok()?,
        Some(_) => return None,
        None => digits(authority)?,
    };
    if authority > AUTHORITY_MAX {
        return None;
    }
    let mut text = match u32::try_from(authority) {
        Ok(authority) => format!("S-1-{authority}"),
        Err(_) => format!("S-1-{authority:#014x}"),
    };
    for (index, part) in parts.enumerate() {
        if index >= SUB_AUTHORITY_COUNT_MAX {
            return None;
        }
        let part = u32::try_from(digits(part)?).ok()?;
        text.push('-');
        text.push_str(&part.to_string());
    }
    Some(text)
}

fn digits(text: &str) -> Option<u64> {
    let all = text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "S-1-5-21-3141592653-589793238-462843383-12006";

    #[test]
    fn users_groups_and_both() {
        let text = format!(
            "# made by hand\r\n\n 1003:1004:{SID}\r\n1000::S-1-5-32-544\n:0:s-1-5-018\n7::S-1-0x010000000005"
        );
        let table = OwnerTable::parse(text.as_bytes()).unwrap();
        assert_eq!((table.uid(SID), table.gid(SID)), (Some(1003), Some(1004)));
        let administrators = "S-1-5-32-544";
        assert_eq!(table.uid(administrators), Some(1000));
        assert_eq!(table.gid(administrators), None);
        assert_eq!(
            (table.uid("S-1-5-18"), table.gid("S-1-5-18")),
            (None, Some(0))
        );
        assert_eq!(table.uid("S-1-0x010000000005"), Some(7));
        assert_eq!(table.uid("S-1-5-21"), None);
    }

    #[test]
    fn a_bad_line_is_named() {
        let many = format!("1:1:S-1-5{}", "-1".repeat(16));
        for (line, what) in [
            ("bob:1000:S-1-5-18", "names of users"),
            ("1000:users:S-1-5-18", "names of users"),
            ("-1:0:S-1-5-18", "names of users"),
            ("4294967295:0:S-1-5-18", "no owner can have"),
            ("4294967296:0:S-1-5-18", "no owner can have"),
            ("::S-1-5-21-1-2-3-10000", "patterns"),
            ("1000:S-1-5-18", "expected uid:gid:SID"),
            ("1:1:S-1-5-18:1", "expected uid:gid:SID"),
            ("1:1:", "expected an identifier"),
            ("1:1:S-2-5-18", "expected an identifier"),
            ("1:1:S-1-5-", "expected an identifier"),
            ("1:1:S-1-5-+18", "expected an identifier"),
            ("1:1:S-1-5-4294967296", "expected an identifier"),
            ("1:1:S-1-0x1000000000000-1", "expected an identifier"),
            ("1:1:S-1-0x+5", "expected an identifier"),
            (&many, "expected an identifier"),
            ("2:1:S-1-1-0", "another number"),
            ("1:2:S-1-1-0", "another number"),
        ] {
            let text = format!("1:1:S-1-1-0\n# and\n{line}\n");
            let error = OwnerTable::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, 3, "{line}");
            assert!(error.what.contains(what), "{line}: {error}");
        }
        // Said twice, but the same.
        assert!(OwnerTable::parse(b"1:1:S-1-1-0\n1::S-1-1-0").is_ok());
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (text, what) in [
            (&b""[..], "no line with an owner"),
            (b"# nobody\n", "no line with an owner"),
            (b"1:1:S-1-1-0\xff", "not text in UTF-8"),
            (&vec![b'#'; TABLE_BYTES_MAX + 1], "larger than 1 MiB"),
        ] {
            let error = OwnerTable::parse(text).unwrap_err();
            assert_eq!((error.line, error.what), (0, what));
        }
    }
}
