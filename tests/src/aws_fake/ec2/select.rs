//! What describing calls have in common: ids, filters, pages.

use super::params::{Filter, Params};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::model::Tags;
use crate::aws_fake::state::State;
use crate::stand_in::encoding::Xml;
use std::time::Duration;

const MAX_RESULTS_MIN: u64 = 5;
const MAX_RESULTS_MAX: u64 = 1000;
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A thing that is described.
pub(super) trait Described: Clone {
    /// The code for one that is not there, such as `InvalidVolume.NotFound`.
    const NOT_FOUND: &'static str;
    /// The parameter that lists ids.
    const IDS: &'static str;

    fn id(&self) -> &str;

    fn tags(&self) -> &Tags;

    /// Values that a filter may name, at a time; none if there is no such filter.
    fn values(&self, filter: &str, at: i64) -> Option<Vec<String>>;
}

/// Those of the visible things that are asked for.
pub(super) fn select<'a, T: Described + 'a>(
    params: &Params<'_>,
    visible: impl Iterator<Item = &'a T>,
    at: i64,
) -> Result<Vec<T>> {
    let ids = params.list(T::IDS);
    let filters = params.filters();
    let mut found = Vec::new();
    let mut known = Vec::new();
    for thing in visible {
        if !ids.is_empty() && !ids.contains(&thing.id()) {
            continue;
        }
        known.push(thing.id());
        let mut matches = true;
        for filter in &filters {
            matches &= matches_filter(thing, filter, at)?;
        }
        if matches {
            found.push(thing.clone());
        }
    }
    match ids.iter().find(|id| !known.contains(id)) {
        Some(id) => Err(bad(T::NOT_FOUND, format!("The ID '{id}' does not exist"))),
        None => Ok(found),
    }
}

fn matches_filter<T: Described>(thing: &T, filter: &Filter, at: i64) -> Result<bool> {
    let tags = thing.tags();
    let values = match filter.name.as_str() {
        "tag-key" => tags.keys().cloned().collect(),
        name => match name.strip_prefix("tag:") {
            Some(key) => tags.get(key).cloned().into_iter().collect(),
            None => thing.values(name, at).ok_or_else(|| {
                bad(
                    "InvalidParameterValue",
                    format!("The filter '{name}' is invalid"),
                )
            })?,
        },
    };
    let is_wanted = |value: &String| filter.values.iter().any(|wanted| is_like(value, wanted));
    Ok(values.iter().any(is_wanted))
}

/// Whether a text is as a pattern with `*` and `?` says.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return text.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    let mut shorter = text.char_indices().map(|(at, _)| &text[at..]);
    match (first, text.chars().next()) {
        ('*', _) => is_like("", rest) || shorter.any(|tail| is_like(tail, rest)),
        (_, None) => false,
        (_, Some(letter)) => {
            (first == '?' || first == letter) && is_like(&text[letter.len_utf8()..], rest)
        }
    }
}

/// One page of what was found, and the token of the next.
pub(super) fn page<T: Described>(
    context: &Context<'_>,
    params: &Params<'_>,
    state: &mut State,
    found: Vec<T>,
) -> Result<(Vec<T>, Option<String>)> {
    let max = params.number("MaxResults")?;
    if max.is_some() && !params.list(T::IDS).is_empty() {
        let message = format!("The parameter {} cannot be used with MaxResults", T::IDS);
        return Err(bad("InvalidParameterCombination", message));
    }
    if let Some(max) = max.filter(|max| *max < MAX_RESULTS_MIN) {
        let message = format!(
            "Value ( {max} ) for parameter maxResults is invalid. Expecting a value greater than or equal to 5."
        );
        return Err(bad("InvalidParameterValue", message));
    }
    let max = max.map(|max| max.min(MAX_RESULTS_MAX));
    let max = max.map_or(usize::MAX, |max| usize::try_from(max).expect("small"));
    let max = max.min(state.settings.page_max);
    let of = context.call.operation.clone();
    let from = match params.get("NextToken") {
        None => 0,
        Some(token) => {
            let page = state.pages.get(token).filter(|page| page.of == of);
            let page = page.filter(|page| page.expires > context.now);
            let message = "The token is invalid.";
            page.ok_or_else(|| bad("InvalidNextToken", message))?.next
        }
    };
    let from = usize::try_from(from).expect("small").min(found.len());
    let to = found.len().min(from + max);
    let next = (to < found.len()).then(|| {
        let to = u64::try_from(to).expect("small");
        state.page_token(of, to, context.now, TOKEN_LIFE)
    });
    Ok((found[from..to].to_vec(), next))
}

pub(super) fn write_tags(xml: &mut Xml, tags: &Tags) {
    if !tags.is_empty() {
        xml.set("tagSet", tags, |xml, (key, value)| {
            xml.text("key", key).text("value", value);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn patterns_are_matched() {
        for (text, pattern) in [
            ("", ""),
            ("", "*"),
            ("äbc", "?b*"),
            ("abc", "*c"),
            ("a*", "a*"),
        ] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("", "?"), ("abc", "b*"), ("abc", "*b"), ("abc", "ab")] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }
}
