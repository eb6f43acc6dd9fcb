//! Lists that come in pages.

use super::{Query, in_region, pair};
use crate::ecs::client::{Client, Service};
use crate::fault::{Fault, FaultKind};
use crate::remote::retry_calls;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::marker::PhantomData;

/// Above any list that an account can have, and far below what fills the memory.
const ITEMS_MAX: usize = 500_000;
const PAGES_MAX: usize = 20_000;

/// One page.
pub(in crate::ecs) trait Page: DeserializeOwned {
    /// What is listed.
    type Item;
    /// The call.
    const ACTION: &'static str;
    /// The most that a page may be asked to hold.
    const ITEMS: &'static str;

    /// The items of this page, and what asks for the next one. A page may be short, or empty.
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

/// A list that is read page by page. Of a page only its items are given, and none of it is kept here.
#[derive(Debug)]
pub(in crate::ecs) struct Pages<'c, P> {
    client: &'c Client,
    query: Query,
    place: Place,
    known: BTreeSet<String>,
    pages: usize,
    items: usize,
    page: PhantomData<P>,
}

/// Which page comes next.
#[derive(Debug)]
enum Place {
    First,
    After(String),
    End,
}

impl<'c, P: Page> Pages<'c, P> {
    /// Nothing is asked yet.
    pub(super) const fn new(client: &'c Client, query: Query) -> Self {
        Self {
            client,
            query,
            place: Place::First,
            known: BTreeSet::new(),
            pages: 0,
            items: 0,
            page: PhantomData,
        }
    }

    /// The items of the next page, which may be none; `None` after the last one.
    ///
    /// # Errors
    /// As [`Client::call`], or the list has no end.
    pub(in crate::ecs) async fn next(&mut self) -> Result<Option<Vec<P::Item>>, Fault> {
        let mut params = in_region(self.client);
        params.extend(self.query.params.iter().cloned());
        params.push(pair("MaxResults", P::ITEMS));
        match &self.place {
            Place::First => {}
            Place::After(token) => params.push(pair("NextToken", token)),
            Place::End => return Ok(None),
        }
        let call = || self.client.call::<P>(Service::Ecs, P::ACTION, &params);
        let page = match self.query.again {
            true => retry_calls(call).await?,
            false => call().await?,
        };
        let (items, next) = page.split();
        self.pages = self.pages.saturating_add(1);
        self.items = self.items.saturating_add(items.len());
        let is_long = self.items > ITEMS_MAX || self.pages >= PAGES_MAX;
        self.place = match next.filter(|next| !next.is_empty()) {
            None => Place::End,
            Some(next) if !is_long && self.known.insert(next.clone()) => Place::After(next),
            // A list that was cut short must not be taken for the whole.
            Some(_) => {
                let message = format!("{}: the list has no end", P::ACTION);
                return Err(Fault::new(FaultKind::Refused, message));
            }
        };
        Ok(Some(items))
    }
}

/// All pages of a list that is known to be short.
pub(super) async fn all<P: Page>(client: &Client, query: &Query) -> Result<Vec<P::Item>, Fault> {
    let mut pages = Pages::<P>::new(client, query.clone());
    let mut all = Vec::new();
    while let Some(items) = pages.next().await? {
        all.extend(items);
    }
    Ok(all)
}
