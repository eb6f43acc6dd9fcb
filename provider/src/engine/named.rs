//! Tags as a name, for what a provider makes without tags, comment or client token: the name is part of
//! the call that makes it, and by it the thing is known to be ours from any host and without a journal.
//!
//! ```text
//! flr_<operation>_<session>_<created>_<expires>_<owner>
//!     32 hex      32 hex    seconds   seconds   letters and digits, all else as -xx
//! ```
//!
//! At most 255 characters of `[a-zA-Z0-9_-]`, with a letter or digit at either end: what Lightsail takes as a
//! name, and what every filesystem takes as one.

use super::id::OpId;
use super::tags::Tags;
use super::time::UnixTime;

/// What every name of ours begins with.
const PREFIX: &str = "flr";
/// Characters of user and of host that are kept. Encoded, and with all else, the name stays below 255.
const OWNER_PART_MAX: usize = 20;

/// What the names of an operation begin with, whatever else they say.
pub(crate) fn start_of(op: OpId) -> String {
    format!("{PREFIX}_{op}_")
}

/// The name that says what these tags say.
pub(crate) fn name_of(tags: &Tags) -> String {
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
pub(crate) fn tags_of(name: &str) -> Option<Tags> {
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
        assert!(name.starts_with(&start_of(tags.op)));
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
}
