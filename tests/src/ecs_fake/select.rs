//! What describing calls have in common: tags and pages.

use super::context::Context;
use super::model::Tags;
use super::params::Params;
use super::state::State;
use crate::stand_in::encoding::hex;
use crate::stand_in::error::{Result, bad};
use serde_json::{Value, json};

/// How many things a page has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging {
    /// Fewer are as many as this.
    pub(crate) min: u64,
    /// More are as many as this, or refused.
    pub(crate) max: u64,
    pub(crate) is_strict: bool,
}

/// One page of a listing.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    next: Option<String>,
    /// Number and size, if that is how it was asked for.
    place: Option<(usize, usize)>,
    total: usize,
    is_empty_next: bool,
}

impl<T> Page<T> {
    /// The answer, with things under both of their names, as in `Disks.Disk`.
    pub(crate) fn write(&self, plural: &str, name: &str, write: impl Fn(&T) -> Value) -> Value {
        let items: Vec<_> = self.items.iter().map(write).collect();
        let mut body = json!({ plural: { name: items } });
        match self.place {
            Some((number, size)) => {
                body["PageNumber"] = json!(number);
                body["PageSize"] = json!(size);
                body["TotalCount"] = json!(self.total);
            }
            // What is documented to be invalid with tokens.
            None => body["TotalCount"] = json!(0),
        }
        match &self.next {
            Some(next) => body["NextToken"] = json!(next),
            None if self.is_empty_next => body["NextToken"] = json!(""),
            None => {}
        }
        body
    }
}

/// Whether a thing has all the tags that are asked for.
pub(crate) fn has_tags(params: &Params<'_>, tags: &Tags) -> bool {
    params.wanted_tags().iter().all(|(key, value)| {
        let known = tags.get(*key);
        known.is_some_and(|known| value.is_none_or(|value| value == known))
    })
}

/// One page of what was found, by token or by number.
pub(crate) fn page<T: Clone>(
    context: &Context<'_>,
    params: &Params<'_>,
    state: &mut State,
    found: &[T],
    paging: Paging,
) -> Result<Page<T>> {
    let invalid = |name: &str| {
        let message = format!("The specified parameter {name} is not valid.");
        bad(&format!("InvalidParameter.{name}"), message)
    };
    let small = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (max, token) = (params.number("MaxResults")?, params.get("NextToken"));
    let of = format!("{}:{}", context.caller.account, context.call.operation);
    if max.is_none() && token.is_none() {
        let number = params.number("PageNumber")?.unwrap_or(1).max(1);
        let size = params.number("PageSize")?.unwrap_or(10);
        if !(1..=100).contains(&size) {
            return Err(invalid("PageSize"));
        }
        let (number, size) = (small(number), small(size).min(state.settings.page_max));
        let from = (number - 1).saturating_mul(size).min(found.len());
        let to = found.len().min(from + size);
        return Ok(Page {
            items: found[from..to].to_vec(),
            next: None,
            place: Some((number, size)),
            total: found.len(),
            is_empty_next: state.settings.empty_next_token,
        });
    }
    let max = max.unwrap_or(10);
    if paging.is_strict && !(1..=paging.max).contains(&max) {
        return Err(invalid("MaxResults"));
    }
    let max = small(max.clamp(paging.min, paging.max)).min(state.settings.page_max);
    let from = match token {
        None => 0,
        Some(token) => {
            let page = state.pages.get(token).filter(|(known, _)| *known == of);
            page.ok_or_else(|| invalid("NextToken"))?.1
        }
    };
    let from = from.min(found.len());
    let to = found.len().min(from + max);
    let next = (to < found.len()).then(|| {
        // Every one has what a query must encode.
        let token = format!("caeba0bb+/{}==", hex(&state.ids.random()));
        state.pages.insert(token.clone(), (of, to));
        token
    });
    Ok(Page {
        items: found[from..to].to_vec(),
        next,
        place: None,
        total: found.len(),
        is_empty_next: state.settings.empty_next_token,
    })
}

/// Tags of a resource, as most calls write them.
pub(crate) fn write_tags(tags: &Tags) -> Value {
    let tag = |(key, value): (&String, &String)| json!({"TagKey": key, "TagValue": value});
    json!({ "Tag": tags.iter().map(tag).collect::<Vec<_>>() })
}

/// Tags of a resource, as those calls write them that are about groups of snapshots.
pub(crate) fn write_group_tags(tags: &Tags) -> Value {
    let tag = |(key, value): (&String, &String)| json!({"Key": key, "Value": value});
    json!({ "Tag": tags.iter().map(tag).collect::<Vec<_>>() })
}
