//! PAX records: `LENGTH KEY=VALUE\n`, the length in decimal and of itself too.

use crate::archive::acl;
use crate::archive::entry::Entry;
use flr_fs::Timestamp;
use flr_fs::bytes::len_u64;

/// Records of one entry.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) bytes: Vec<u8>,
    /// Whether a name is no UTF-8, which has to be said.
    binary: bool,
}

impl Records {
    /// Adds a record.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        // A blank, `=` and the newline.
        let rest = len_u64(key.len())
            .saturating_add(len_u64(value.len()))
            .saturating_add(3);
        let mut len = rest.saturating_add(1);
        // The length counts its own digits: one more may need one more.
        while rest.saturating_add(digits(len)) != len {
            len = rest.saturating_add(digits(len));
        }
        self.bytes.extend_from_slice(len.to_string().as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(key);
        self.bytes.push(b'=');
        self.bytes.extend_from_slice(value);
        self.bytes.push(b'\n');
    }

    /// Adds a name, which should be UTF-8 but need not be.
    pub(super) fn push_name(&mut self, key: &[u8], name: &[u8]) {
        self.binary |= std::str::from_utf8(name).is_err();
        self.push(key, name);
    }

    /// Adds a time.
    pub(super) fn push_time(&mut self, key: &[u8], time: Timestamp) {
        self.push(key, seconds(time).as_bytes());
    }

    /// Adds the attributes of an entry.
    pub(super) fn push_xattrs(&mut self, entry: &Entry<'_>) {
        for (name, value) in &entry.xattrs {
            let list = match name.as_slice() {
                b"system.posix_acl_access" => acl::text(value).map(|text| ("access", text)),
                b"system.posix_acl_default" => acl::text(value).map(|text| ("default", text)),
                b"security.selinux" => {
                    let label = value.strip_suffix(b"\0").unwrap_or(value);
                    self.push(b"RHT.security.selinux", label);
                    None
                }
                _ => None,
            };
            match list {
                Some((which, text)) => {
                    self.push(format!("SCHILY.acl.{which}").as_bytes(), text.as_bytes());
                }
                None => self.push(
                    &[b"SCHILY.xattr.", keyword(name).as_slice()].concat(),
                    value,
                ),
            }
        }
    }

    /// The records in their order: what says how to read names comes first.
    pub(super) fn finish(self) -> Vec<u8> {
        if !self.binary {
            return self.bytes;
        }
        let mut first = Self::default();
        first.push(b"hdrcharset", b"BINARY");
        [first.bytes, self.bytes].concat()
    }
}

/// A name as part of a key, in which `=` would be its end: percent signs as GNU tar writes them.
fn keyword(name: &[u8]) -> Vec<u8> {
    let mut keyword = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'%' => keyword.extend_from_slice(b"%25"),
            b'=' => keyword.extend_from_slice(b"%3D"),
            byte => keyword.push(*byte),
        }
    }
    keyword
}

fn digits(mut number: u64) -> u64 {
    let mut digits = 1_u64;
    while let Some(rest @ 1..) = number.checked_div(10) {
        digits = digits.saturating_add(1);
        number = rest;
    }
    digits
}

/// Seconds in decimal, with nine digits behind the point where there are any.
fn seconds(time: Timestamp) -> String {
    let (seconds, nanoseconds) = (time.seconds, time.nanoseconds.min(999_999_999));
    if nanoseconds == 0 {
        return seconds.to_string();
    }
    if seconds >= 0 {
        return format!("{seconds}.{nanoseconds:09}");
    }
    // Nanoseconds count forward, digits behind the point away from zero.
    let whole = seconds.saturating_add(1).unsigned_abs();
    let rest = 1_000_000_000_u32.saturating_sub(nanoseconds);
    format!("-{whole}.{rest:09}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_themselves() {
        for len in [
            0, 1, 2, 80, 88, 89, 90, 91, 92, 984, 985, 986, 987, 988, 9_980, 99_990,
        ] {
            let mut records = Records::default();
            records.push(b"key", &vec![b'x'; len]);
            let text = String::from_utf8(records.bytes).unwrap();
            let (said, _) = text.split_once(' ').unwrap();
            assert_eq!(said, text.len().to_string(), "{len}");
        }
        let mut records = Records::default();
        records.push(b"mtime", b"1350244992.023960108");
        // The example of the manual of GNU tar.
        assert_eq!(records.bytes, b"30 mtime=1350244992.023960108\n");
    }

    #[test]
    fn times_before_1970_count_away_from_zero() {
        for (seconds, nanoseconds, text) in [
            (0, 0, "0"),
            (5, 7, "5.000000007"),
            (-1, 0, "-1"),
            (-1, 500_000_000, "-0.500000000"),
            (-2, 1, "-1.999999999"),
        ] {
            let time = Timestamp {
                seconds,
                nanoseconds,
            };
            assert_eq!(super::seconds(time), text);
        }
    }

    #[test]
    fn names_that_would_end_a_key_are_escaped() {
        assert_eq!(keyword(b"user.a=b%c"), b"user.a%3Db%25c");
    }
}
