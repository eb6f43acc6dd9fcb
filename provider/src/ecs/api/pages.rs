//! Lists that come in pages.

use super::{Query, in_region, pair};
use crate::ecs::client::{Client, Service};
use crate::fault::{Fault, FaultKind};
use crate::remote::retry_calls;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// Above any list that an account can have, and far below what fills the memory.
const ITEMS_MAX: usize = 500_000;
const PAGES_MAX: usize = 20_000;

/// One page.
pub(super) trait Page: DeserializeOwned {
    /// What is listed.
    type Item;
    /// The call.
    const ACTION: &'static str;
    /// The most that a page may be asked to hold.
    const ITEMS: &'static str;

    /// The items of this page, and what asks for the next one. A page may be short, or empty.
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

/// All pages of a list. Of each only its items are kept.
pub(super) async fn all<P: Page>(client: &Client, query: &Query) -> Result<Vec<P::Item>, Fault> {
    let mut all = Vec::new();
    let mut known = BTreeSet::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut params = in_region(client);
        params.extend(query.params.iter().cloned());
        params.push(pair("MaxResults", P::ITEMS));
        params.extend(token.take().map(|token| pair("NextToken", token)));
        let call = || client.call::<P>(Service::Ecs, P::ACTION, &params);
        let page = match query.again {
            true => retry_calls(call).await?,
            false => call().await?,
        };
        let (items, next) = page.split();
        all.extend(items);
        match next.filter(|next| !next.is_empty()) {
            None => return Ok(all),
            Some(_) if all.len() > ITEMS_MAX => break,
            Some(next) if !known.insert(next.clone()) => break,
            Some(next) => token = Some(next),
        }
    }
    // A list that was cut short must not be taken for the whole.
    let message = format!("{}: the list has no end", P::ACTION);
    Err(Fault::new(FaultKind::Refused, message))
}
