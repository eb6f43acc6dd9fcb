//! The comment of a clone: ONTAP has no tags for what is made here, so all of them stand in the comment of the call
//! that makes it.
//!
//! ```text
//! flr:session=32 hex,op=32 hex,owner=user@host,created=seconds,expires=seconds[,marked=seconds]
//! ```
//!
//! A comment of a LUN has at most 254 characters. The name says the operation too: what has only one of
//! both is somebody else's.

use crate::engine::{OpId, Tags, UnixTime, tags};
use std::collections::BTreeMap;

/// What every name of ours begins with.
pub(super) const PREFIX: &str = "flr_";
/// Characters of user and of host that are kept.
const OWNER_PART_MAX: usize = 48;

/// The comment that says what these tags say.
pub(super) fn comment_of(tags: &Tags) -> String {
    let Tags {
        session,
        op,
        created,
        expires,
        ..
    } = tags;
    let owner = short(&tags.owner);
    let mut text = format!(
        "{}={session},op={op},owner={owner},created={},expires={}",
        tags::SESSION,
        created.0,
        expires.0
    );
    if let Some(marked) = tags.marked {
        text.push_str(&format!(",marked={}", marked.0));
    }
    text
}

/// The tags that a comment stands for. `None`: it is somebody else's.
pub(super) fn tags_of(comment: &str) -> Option<Tags> {
    let mut parts = comment.split(',');
    let mut next = |key: &str| {
        let (name, value) = parts.next()?.split_once('=')?;
        (name == key).then_some(value)
    };
    let time = |text: &str| text.parse().ok().map(UnixTime);
    let mut tags = Tags {
        session: next(tags::SESSION)?.parse().ok()?,
        op: next("op")?.parse().ok()?,
        owner: next("owner")?.to_owned(),
        created: time(next("created")?)?,
        expires: time(next("expires")?)?,
        marked: None,
    };
    tags.marked = match next("marked") {
        Some(text) => Some(time(text)?),
        None => None,
    };
    // What prints back is what we would have written: no further parts, no `+1`, no other letters.
    (tags.owner.contains('@') && comment_of(&tags) == comment).then_some(tags)
}

/// The name of what an operation makes.
pub(super) fn name_of(op: OpId) -> String {
    format!("{PREFIX}{op}")
}

/// The tags of what has this name and this comment, if it is ours: both have to say the same operation.
pub(super) fn ours(name: &str, comment: &str) -> Option<Tags> {
    let last = name.rsplit('/').next()?;
    tags_of(comment).filter(|tags| name_of(tags.op) == last)
}

/// As the engine wants them; empty if they are not ours.
pub(super) fn map_of(name: &str, comment: &str) -> BTreeMap<String, String> {
    let pairs = ours(name, comment).map(|tags| tags.pairs());
    let pairs = pairs.into_iter().flatten();
    pairs.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The comment with some tags changed. `None`: it was not ours, or would not be.
pub(super) fn changed(
    name: &str,
    comment: &str,
    change: &[(&'static str, String)],
) -> Option<String> {
    let mut map = map_of(name, comment);
    for (key, value) in change {
        map.insert((*key).to_owned(), value.clone());
    }
    let tags = Tags::read(&map)?;
    ours(name, comment).filter(|old| old.op == tags.op)?;
    Some(comment_of(&tags))
}

/// `user@host`, each part cut to what the comment has room for.
fn short(owner: &str) -> String {
    let cut = |part: &str| part.chars().take(OWNER_PART_MAX).collect::<String>();
    match owner.split_once('@') {
        Some((user, host)) => format!("{}@{}", cut(user), cut(host)),
        None => cut(owner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tags {
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
    fn a_comment_says_what_the_tags_say() {
        let mut tags = sample();
        let zeros = "0".repeat(31);
        let expected = format!(
            "flr:session={zeros}1,op={zeros}2,owner=alice@web-1.example,created=1800000000,\
             expires=1800001800"
        );
        assert_eq!(comment_of(&tags), expected);
        assert_eq!(tags_of(&expected), Some(tags.clone()));
        tags.marked = Some(UnixTime(1_800_009_000));
        assert_eq!(tags_of(&comment_of(&tags)), Some(tags));
    }

    #[test]
    fn a_comment_fits_whoever_the_owner_is() {
        let mut tags = sample();
        tags.owner = format!("{}@{}", "u".repeat(63), "h".repeat(63));
        tags.created = UnixTime(253_402_300_799);
        tags.expires = tags.created;
        tags.marked = Some(tags.created);
        let comment = comment_of(&tags);
        assert!(comment.len() <= 254, "{}", comment.len());
        // The owner is cut; operation and session, which decide, are not.
        let read = tags_of(&comment).unwrap();
        assert_eq!((read.op, read.session), (tags.op, tags.session));
    }

    #[test]
    fn other_comments_are_not_ours() {
        let comment = comment_of(&sample());
        for other in [
            "",
            "flr:session",
            "nightly",
            &format!("{comment},x=1"),
            &format!(" {comment}"),
            &comment.replace("=1800000000", "=+1800000000"),
            &comment.replace("=1800000000", "=01800000000"),
            &comment.replace("owner", "Owner"),
            &comment.replace("@", ""),
        ] {
            assert_eq!(tags_of(other), None, "{other}");
        }
    }

    #[test]
    fn name_and_comment_must_agree() {
        let comment = comment_of(&sample());
        let zeros = "0".repeat(31);
        let name = format!("/vol/vol1/flr_{zeros}2");
        assert_eq!(ours(&name, &comment), Some(sample()));
        assert!(ours(&format!("/vol/vol1/flr_{zeros}3"), &comment).is_none());
        assert!(ours("/vol/vol1/lun0", &comment).is_none());
        assert!(map_of(&name, "mine").is_empty());
        let later = [(tags::EXPIRES, "2030-01-01T00:00:00Z".to_owned())];
        let renewed = changed(&name, &comment, &later).unwrap();
        let renewed = tags_of(&renewed).unwrap();
        assert_eq!(renewed.expires.to_string(), "2030-01-01T00:00:00Z");
        assert_eq!(changed(&name, "mine", &later), None);
    }
}
