//! Lists in pages: `{"records":[…],"num_records":1,"_links":{"next":{"href":"/api/…"}}}`.

use crate::fault::{Fault, FaultKind};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Pages of one list that are read at most.
const PAGES_MAX: usize = 1000;
/// Entries of one list that are kept at most.
const ENTRIES_MAX: usize = 100_000;
/// Longest link.
const LINK_MAX: usize = 8 << 10;

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct Page<T> {
    #[serde(default = "Vec::new")]
    pub(super) records: Vec<T>,
    #[serde(default, rename = "_links")]
    links: Links,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Links {
    next: Option<Link>,
}

#[derive(Debug, Deserialize)]
struct Link {
    href: String,
}

impl<T> Page<T> {
    /// Where the next page is.
    pub(super) fn next(&self) -> Option<&str> {
        self.links.next.as_ref().map(|next| next.href.as_str())
    }
}

/// What of a list was read so far.
#[derive(Debug)]
pub(super) struct Pages<T> {
    pub(super) records: Vec<T>,
    seen: BTreeSet<String>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            seen: BTreeSet::new(),
        }
    }
}

impl<T> Pages<T> {
    /// Takes a page, and says where the next one is.
    ///
    /// # Errors
    /// It leads elsewhere, back to where it came from, or to no end.
    pub(super) fn add(&mut self, page: Page<T>) -> Result<Option<String>, Fault> {
        let next = page.next().map(str::to_owned);
        self.records.extend(page.records);
        let refused = |message: &str| Err(Fault::new(FaultKind::Refused, message));
        if self.records.len() > ENTRIES_MAX || self.seen.len() >= PAGES_MAX {
            return refused("the list is too long");
        }
        let Some(next) = next else { return Ok(None) };
        if !is_link(&next) {
            return refused("the next page of the list is at another place");
        }
        if !self.seen.insert(next.clone()) {
            return refused("the pages of the list lead in a circle");
        }
        Ok(Some(next))
    }
}

/// Whether a link stays on this server, below its interface.
fn is_link(link: &str) -> bool {
    let path = link.split('?').next().unwrap_or_default();
    link.len() <= LINK_MAX
        && link.starts_with("/api/")
        && !path.contains("..")
        && !path.to_ascii_lowercase().contains("%2e%2e")
        && !link.contains(|c: char| c.is_control() || c == '\\' || c == '#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(next: Option<&str>) -> Page<u32> {
        let links = next.map(|next| serde_json::json!({"next": {"href": next}}));
        let json = serde_json::json!({"records": [1], "_links": links.unwrap_or_default()});
        match next {
            Some(_) => serde_json::from_value(json).unwrap(),
            None => serde_json::from_str(r#"{"records":[1],"num_records":1}"#).unwrap(),
        }
    }

    #[test]
    fn pages_follow_each_other() {
        let mut pages = Pages::default();
        let next = "/api/storage/luns?start.uuid=1&max_records=1";
        assert_eq!(pages.add(page(Some(next))).unwrap().as_deref(), Some(next));
        assert_eq!(pages.add(page(None)).unwrap(), None);
        assert_eq!(pages.records, [1, 1]);
    }

    #[test]
    fn circles_and_other_places_are_refused() {
        let mut pages = Pages::default();
        pages.add(page(Some("/api/x?1"))).unwrap();
        pages.add(page(Some("/api/x?2"))).unwrap();
        pages.add(page(Some("/api/x?1"))).unwrap_err();
        for link in [
            "https://elsewhere/api/x",
            "//elsewhere/api/x",
            "/other/x",
            "/api/../x",
            "/api/%2E%2e/x",
            "/api/x\r\ny",
            "/api/\\x",
        ] {
            Pages::default().add(page(Some(link))).unwrap_err();
        }
    }
}
