//! The tags that every resource carries from the call on that makes it.
//!
//! | tag | value |
//! |---|---|
//! | `flr:session` | the session's id |
//! | `flr:op` | the operation's id: one resource has it, and by it a lost reply is found again |
//! | `flr:owner` | user and host, `alice@web-1` |
//! | `flr:created`, `flr:expires` | times, `2026-11-18T03:00:00Z` |
//! | `flr:marked` | put on later, by who found it left behind: when |
//!
//! A provider without tags writes the same into a comment or a name.

use super::id::{OpId, SessionId};
use super::time::UnixTime;
use std::collections::BTreeMap;

/// The session's id.
pub const SESSION: &str = "flr:session";
/// The operation's id.
pub const OP: &str = "flr:op";
/// User and host.
pub const OWNER: &str = "flr:owner";
/// When it was made.
pub const CREATED: &str = "flr:created";
/// When it may be deleted by anybody.
pub const EXPIRES: &str = "flr:expires";
/// When it was found left behind.
pub const MARKED: &str = "flr:marked";

/// The tags of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// The session.
    pub session: SessionId,
    /// The operation.
    pub op: OpId,
    /// User and host.
    pub owner: String,
    /// When it was made.
    pub created: UnixTime,
    /// When it may be deleted by anybody.
    pub expires: UnixTime,
    /// When it was found left behind.
    pub marked: Option<UnixTime>,
}

impl Tags {
    /// Reads the tags of a resource. `None` if one is missing or is not exactly as we write it: such a
    /// resource is somebody else's, whatever its other tags say.
    #[must_use]
    pub fn read(tags: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key| tags.get(key).map(String::as_str);
        let owner = get(OWNER)?;
        if !owner.contains('@') {
            return None;
        }
        let marked = match get(MARKED) {
            None => None,
            Some(time) => Some(time.parse().ok()?),
        };
        Some(Self {
            session: get(SESSION)?.parse().ok()?,
            op: get(OP)?.parse().ok()?,
            owner: owner.to_owned(),
            created: get(CREATED)?.parse().ok()?,
            expires: get(EXPIRES)?.parse().ok()?,
            marked,
        })
    }

    /// As keys and values.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            (SESSION, self.session.to_string()),
            (OP, self.op.to_string()),
            (OWNER, self.owner.clone()),
            (CREATED, self.created.to_string()),
            (EXPIRES, self.expires.to_string()),
        ];
        pairs.extend(self.marked.map(|time| (MARKED, time.to_string())));
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Tags {
        Tags {
            session: "00000000000000000000000000000001".parse().unwrap(),
            op: "00000000000000000000000000000002".parse().unwrap(),
            owner: "alice@web-1".into(),
            created: UnixTime(1_800_000_000),
            expires: UnixTime(1_800_001_800),
            marked: None,
        }
    }

    fn map(tags: &Tags) -> BTreeMap<String, String> {
        let pairs = tags.pairs().into_iter();
        pairs.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn tags_read_back() {
        let mut tags = ours();
        assert_eq!(Tags::read(&map(&tags)), Some(tags.clone()));
        tags.marked = Some(UnixTime(1_800_009_000));
        assert_eq!(Tags::read(&map(&tags)), Some(tags));
    }

    #[test]
    fn with_one_missing_or_changed_it_is_not_ours() {
        let mut tags = ours();
        tags.marked = Some(UnixTime(1_800_009_000));
        let all = map(&tags);
        for key in all.keys() {
            let mut changed = all.clone();
            changed.insert(key.clone(), "prod".into());
            assert_eq!(Tags::read(&changed), None, "{key}");
            if key != MARKED {
                let mut missing = all.clone();
                missing.remove(key);
                assert_eq!(Tags::read(&missing), None, "{key}");
            }
        }
    }
}
