//! What others have in the account, some of it with tags much like ours.

use super::account::{Account, Resource};
use super::world::EPOCH;
use flr_provider::engine::{Attachment, Phase, Seen, UnixTime, tags};
use std::collections::BTreeMap;

/// Tags that are ours in every respect, and expired long ago.
fn ours(number: usize) -> BTreeMap<String, String> {
    let time = |ago| UnixTime(EPOCH - ago).to_string();
    [
        (tags::SESSION, format!("{number:032x}")),
        (tags::OP, format!("{:032x}", number + 1000)),
        (tags::OWNER, "other@elsewhere".to_owned()),
        (tags::CREATED, time(90_000)),
        (tags::EXPIRES, time(86_400)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn with(number: usize, key: &str, value: &str) -> BTreeMap<String, String> {
    let mut tags = ours(number);
    tags.insert(key.to_owned(), value.to_owned());
    tags
}

fn without(number: usize, key: &str) -> BTreeMap<String, String> {
    let mut tags = ours(number);
    tags.remove(key);
    tags
}

/// Each way in which a resource looks like ours and must not be touched.
fn lookalikes() -> Vec<(&'static str, BTreeMap<String, String>, Attachment)> {
    let far = UnixTime(EPOCH + 10_000_000).to_string();
    let early = UnixTime(EPOCH - 80_000).to_string();
    let mut renewed = with(9, tags::EXPIRES, &far);
    renewed.insert(tags::MARKED.into(), early);
    let upper = ours(10).into_iter();
    let upper = upper.map(|(key, value)| (key.to_uppercase(), value));
    let session = BTreeMap::from([(tags::SESSION.to_owned(), "prod".to_owned())]);
    let attached = Attachment::Attached("i-other".into());
    let named = BTreeMap::from([("Name".to_owned(), "database".to_owned())]);
    vec![
        ("volume", BTreeMap::new(), Attachment::Free),
        ("volume", named, attached.clone()),
        ("volume", session, Attachment::Free),
        ("lun", without(1, tags::OWNER), Attachment::Free),
        ("volume", without(2, tags::OP), Attachment::Free),
        ("image", without(3, tags::EXPIRES), Attachment::Free),
        ("volume", with(4, tags::OWNER, "nobody"), Attachment::Free),
        ("volume", with(5, tags::MARKED, "keep"), Attachment::Free),
        ("volume", with(6, tags::EXPIRES, "never"), Attachment::Free),
        ("volume", with(7, tags::EXPIRES, &far), Attachment::Free),
        ("volume", ours(8), attached),
        ("share", renewed, Attachment::Free),
        ("volume", upper.collect(), Attachment::Free),
        // Whoever copies a volume copies its tags; this kind we never make.
        ("backup", ours(11), Attachment::Free),
    ]
}

/// Fills an account.
pub(super) fn fill(account: &mut Account) {
    let mut put = |id: String, kind: &str, tags, attachment, protected| {
        let now = Seen {
            kind: kind.to_owned(),
            id: id.clone(),
            phase: Phase::Ready,
            attachment,
            tags,
        };
        account.resources.insert(id, Resource::old(now, protected));
    };
    for (index, (kind, tags, attachment)) in lookalikes().into_iter().enumerate() {
        put(
            format!("{kind}-other-{index}"),
            kind,
            tags,
            attachment,
            true,
        );
    }
    // Left behind by a host that is no more: to be deleted.
    for (index, kind) in ["volume", "share", "lun"].into_iter().enumerate() {
        let id = format!("{kind}-due-{index}");
        put(id, kind, ours(100 + index), Attachment::Free, false);
    }
}
