//! Lists that come in pages.

use crate::aws::client::{Client, Params};
use crate::fault::{Fault, FaultKind};
use serde::de::DeserializeOwned;

/// The most that a page may be asked to hold.
const PAGE_ITEMS: &str = "1000";
/// Above any list that an account can have, and far below what fills the memory.
const ITEMS_MAX: usize = 2_000_000;
const PAGES_MAX: usize = 20_000;

/// One page.
pub(super) trait Page: DeserializeOwned {
    /// What is listed.
    type Item;

    /// The items of this page, and what asks for the next one. A page may be short, or empty.
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

/// All pages of a list. `whole`: ids were given, with which no size of a page may be.
pub(super) async fn all<P: Page>(
    client: &Client,
    action: &str,
    params: Params,
    whole: bool,
) -> Result<Vec<P::Item>, Fault> {
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut params = params.clone();
        if !whole {
            params.push(super::pair("MaxResults", PAGE_ITEMS));
        }
        params.extend(token.clone().map(|token| super::pair("NextToken", token)));
        let page: P = client.ec2(action, params).await?;
        let (items, next) = page.split();
        all.extend(items);
        match next {
            None => return Ok(all),
            Some(next) if token.as_ref() == Some(&next) => break,
            Some(_) if all.len() > ITEMS_MAX => break,
            Some(next) => token = Some(next),
        }
    }
    // A list that was cut short must not be taken for the whole.
    let message = format!("{action}: the list has no end");
    Err(Fault::new(FaultKind::Refused, message))
}
