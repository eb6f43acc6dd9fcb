//! Pages of a listing, put together to what is certainly known.

use super::coverage::{Held, Stretch};
use super::ebs::{Page, Position, Volume};
use crate::fault::{Fault, FaultKind};
use std::collections::HashSet;

/// Pages in a row that may be empty and yet say that there are more.
const EMPTY_MAX: u32 = 100;

/// Pages of one listing. Each brings a block at least, or is one of the empty ones.
const PAGES_MAX: usize = 8192;

/// Something that is listed in pages.
pub(super) trait Lister: Sync {
    /// What is listed with each index.
    type Item: Held + Send;

    /// What is listed, for messages.
    fn name(&self) -> String;

    /// A page.
    fn page(
        &self,
        position: Position<'_>,
    ) -> impl Future<Output = Result<Page<Self::Item>, Fault>> + Send;
}

/// Lists from `start` on, until everything is known up to `through` at least.
///
/// What is given begins with `start`. It ends behind the last index that was listed or, if the listing
/// ended, with the volume: an index is known to be absent only if one behind it was listed, or nothing is.
///
/// # Errors
/// A call fails; pages are not in order, do not end or do not agree on the volume.
pub(super) async fn list<L: Lister>(
    lister: &L,
    start: u64,
    through: u64,
) -> Result<(Stretch<L::Item>, Volume), Fault> {
    let mut walk = Walk::new(start);
    let mut token: Option<String> = None;
    loop {
        let position = token
            .as_deref()
            .map_or(Position::Block(start), Position::Token);
        let page = lister.page(position).await?;
        let volume = page.volume;
        match walk.add(page, through) {
            Ok(Some(next)) => token = Some(next),
            Ok(None) => return Ok((walk.stretch, volume)),
            Err(why) => {
                let words = format!("the listing of {}: {why}", lister.name());
                return Err(Fault::new(FaultKind::Refused, words));
            }
        }
    }
}

/// What the pages so far have given.
struct Walk<T> {
    stretch: Stretch<T>,
    volume: Option<Volume>,
    /// Behind the last index that was listed, before `start` or not.
    seen: u64,
    tokens: HashSet<String>,
    empty: u32,
}

impl<T: Held> Walk<T> {
    fn new(start: u64) -> Self {
        Self {
            stretch: Stretch {
                range: start..start,
                entries: Vec::new(),
                expires: None,
            },
            volume: None,
            seen: 0,
            tokens: HashSet::new(),
            empty: 0,
        }
    }

    /// Adds a page. Gives the token of the next one, if one is needed.
    fn add(&mut self, page: Page<T>, through: u64) -> Result<Option<String>, String> {
        let first = self.volume.is_none();
        if *self.volume.get_or_insert(page.volume) != page.volume {
            return Err("its pages do not agree on the size".to_owned());
        }
        let mut entries = page.entries;
        let last = entries.last().map(|(index, _)| u64::from(*index));
        if !self.follows(&entries) {
            // Without order nothing follows from what is not there, unless this is all there is.
            if !first || page.next.is_some() {
                return Err("its pages are not in ascending order".to_owned());
            }
            entries.sort_unstable_by_key(|(index, _)| *index);
        }
        self.stretch.expires = match (self.stretch.expires, page.expires) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let start = self.stretch.range.start;
        entries.retain(|(index, _)| u64::from(*index) >= start);
        self.stretch.entries.append(&mut entries);
        let Some(next) = page.next else {
            self.stretch.range.end = page.volume.blocks.max(start);
            return Ok(None);
        };
        self.empty = match last {
            Some(last) => {
                self.seen = last.saturating_add(1);
                0
            }
            None => self.empty.saturating_add(1),
        };
        if self.seen > through {
            self.stretch.range.end = self.seen;
            return Ok(None);
        }
        if self.empty >= EMPTY_MAX || self.tokens.len() >= PAGES_MAX {
            return Err(format!("it does not end ({} pages)", self.tokens.len()));
        }
        if !self.tokens.insert(next.clone()) {
            return Err("its pages go in a circle".to_owned());
        }
        Ok(Some(next))
    }

    /// Whether these are in ascending order, behind all others.
    fn follows(&self, entries: &[(u32, T)]) -> bool {
        let ascending = entries.is_sorted_by(|(one, _), (other, _)| one < other);
        let first = entries.first().map(|(index, _)| u64::from(*index));
        ascending && first.is_none_or(|first| first >= self.seen)
    }
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
