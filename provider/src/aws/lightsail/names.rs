//! The name of a copy: Lightsail copies a snapshot without tags and without a client token, so the name
//! carries both. It is part of the call that makes the copy, and by it the copy, and whatever was
//! exported from it, is known to be ours from any host and without a journal.
//!
//! ```text
//! flr_<operation>_<session>_<created>_<expires>_<owner>
//!     32 hex      32 hex    seconds   seconds   letters and digits, all else as -xx
//! ```
//!
//! At most 255 characters of `[a-z0-9_-]`, with a letter or digit at either end: what Lightsail takes as a name.
//! Tags that are put on the copy later (a new expiry, a mark) go before what the name says.

use crate::engine::{OpId, Tags, UnixTime, tags};
use std::collections::BTreeMap;

/// What every name of ours begins with.
const PREFIX: &str = "flr";
/// Characters of user and of host that are kept. Encoded, and with all else, the name stays below 255.
const OWNER_PART_MAX: usize = 20;

/// The name that says what these tags say.
pub(super) fn name_of(tags: &Tags) -> String {
    let Tags {
        session,
        op,
        created,
        expires,
        ..
    } = tags;
    let owner = encode(&short(&tags.owner));
    format!(
        "{PREFIX}_{op}_{session}_{}_{}_{owner}",
        created.0, expires.0
    )
}

/// The tags that a name stands for. `None`: it is somebody else's.
pub(super) fn tags_of(name: &str) -> Option<Tags> {
    let mut parts = name.split('_');
    let mut next = || parts.next();
    if next()? != PREFIX {
        return None;
    }
    let tags = Tags {
        op: next()?.parse().ok()?,
        session: next()?.parse().ok()?,
        created: UnixTime(next()?.parse().ok()?),
        expires: UnixTime(next()?.parse().ok()?),
        owner: decode(next()?)?,
        marked: None,
    };
    // What prints back is what we would have written: no further parts, no `+1`, no other letters.
    (name_of(&tags) == name).then_some(tags)
}

/// The name's tags as a map, with those of `later` (tags that the resource carries) put over them.
pub(super) fn tags_with(name: &str, later: &BTreeMap<String, String>) -> Option<Tags> {
    let pairs = tags_of(name)?.pairs().into_iter();
    let mut map: BTreeMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value)).collect();
    for key in [tags::EXPIRES, tags::MARKED] {
        if let Some(value) = later.get(key) {
            map.insert(key.to_owned(), value.clone());
        }
    }
    Tags::read(&map)
}

/// An export, which has no id of its own: the operation, and the snapshot that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExportId {
    pub(super) op: OpId,
    pub(super) source: String,
}

impl ExportId {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (op, source) = text.split_once('/')?;
        let op = op.parse().ok()?;
        let source = source.to_owned();
        Some(Self { op, source })
    }
}

impl std::fmt::Display for ExportId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { op, source } = self;
        write!(f, "{op}/{source}")
    }
}

/// `user@host`, each part cut to what the name has room for.
fn short(owner: &str) -> String {
    let cut = |part: &str| part.chars().take(OWNER_PART_MAX).collect::<String>();
    match owner.split_once('@') {
        Some((user, host)) => format!("{}@{}", cut(user), cut(host)),
        None => cut(owner),
    }
}

fn encode(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("-{other:02x}"),
    };
    text.bytes().map(one).collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'-' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Tags {
        Tags {
            session: "00000000000000000000000000000001".parse().unwrap(),
            op: "00000000000000000000000000000002".parse().unwrap(),
            owner: "alice@web-1.example".into(),
            created: UnixTime(1_800_000_000),
            expires: UnixTime(1_800_001_800),
            marked: None,
        }
    }

    #[test]
    fn a_name_says_what_the_tags_say() {
        let tags = ours();
        let name = name_of(&tags);
        let zeros = "0".repeat(31);
        let expected =
            format!("flr_{zeros}2_{zeros}1_1800000000_1800001800_alice-40web-2d1-2eexample");
        assert_eq!(name, expected);
        assert_eq!(tags_of(&name), Some(tags));
    }

    #[test]
    fn a_name_fits_whoever_the_owner_is() {
        let mut tags = ours();
        tags.owner = format!("{}@{}", "_".repeat(63), ".".repeat(63));
        tags.created = UnixTime(253_402_300_799);
        tags.expires = tags.created;
        let name = name_of(&tags);
        assert!(name.len() <= 255, "{}", name.len());
        let word = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
        assert!(name.chars().all(word) && name.ends_with(|char: char| char != '-'));
        // The owner is cut; operation and session, which decide, are not.
        let read = tags_of(&name).unwrap();
        assert_eq!((read.op, read.session), (tags.op, tags.session));
        assert!(read.owner.contains('@'));
    }

    #[test]
    fn other_names_are_not_ours() {
        let name = name_of(&ours());
        for other in [
            "web-1700000000",
            "flr",
            "flr_00000000000000000000000000000002",
            &format!("{name}_x"),
            &format!("{name}-2"),
            &name.replace("_1800000000_", "_+1800000000_"),
            &name.replace("_1800000000_", "_01800000000_"),
            &name.to_uppercase(),
            &name.replace("-2e", "-2E"),
        ] {
            assert_eq!(tags_of(other), None, "{other}");
        }
    }

    #[test]
    fn later_tags_go_before_the_name() {
        let name = name_of(&ours());
        let later = [
            (tags::EXPIRES, "2030-01-01T00:00:00Z"),
            (tags::MARKED, "2030-01-02T00:00:00Z"),
            (tags::SESSION, "prod"),
        ];
        let later = later.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let read = tags_with(&name, &BTreeMap::from(later.clone())).unwrap();
        assert_eq!(read.expires.to_string(), "2030-01-01T00:00:00Z");
        assert_eq!(read.marked.unwrap().to_string(), "2030-01-02T00:00:00Z");
        assert_eq!(read.session, ours().session);
        let broken = [(tags::EXPIRES.to_owned(), "soon".to_owned())];
        assert_eq!(tags_with(&name, &BTreeMap::from(broken)), None);
    }

    #[test]
    fn an_export_is_an_operation_and_a_name() {
        let text = "00000000000000000000000000000002/flr_x";
        assert_eq!(ExportId::parse(text).unwrap().to_string(), text);
        assert_eq!(ExportId::parse("2/flr_x"), None);
        assert_eq!(ExportId::parse("flr_x"), None);
    }
}
