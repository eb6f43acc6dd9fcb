//! Names of copies and exports. Lightsail copies a snapshot without tags and without a client token, so
//! the name carries both ([`named`](crate::engine::named)). It is part of the call that makes the copy,
//! and by it the copy, and whatever was exported from it, is known to be ours from any host and without
//! a journal.
//!
//! Tags that are put on the copy later (a new expiry, a mark) go before what the name says.

use crate::engine::{OpId, Tags, tags};
use std::collections::BTreeMap;

pub(super) use crate::engine::named::{name_of, tags_of};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::UnixTime;

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
