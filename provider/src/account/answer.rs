//! Answers of services, read whole and bounded.

use crate::account::text::tame;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::http::fault::from_error;
use bytes::{Bytes, BytesMut};
use reqwest::Url;

/// The whole body, or a fault if it is longer than `limit` or cut short.
pub(crate) async fn read_body(mut sent: reqwest::Response, limit: usize) -> Result<Bytes, Fault> {
    let announced = sent.content_length().unwrap_or(0);
    let too_long = || {
        let words = format!("expected an answer of at most {limit} bytes, and it is longer");
        Fault::new(FaultKind::Unknown, words)
    };
    let room = usize::try_from(announced)
        .ok()
        .filter(|room| *room <= limit);
    let mut body = BytesMut::with_capacity(room.ok_or_else(too_long)?);
    while let Some(piece) = sent.chunk().await.map_err(from_error)? {
        if body.len().saturating_add(piece.len()) > limit {
            return Err(too_long());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// An answer that makes no sense: what was done is not known.
pub(crate) fn senseless(doing: &str, why: &str) -> Fault {
    let words = format!("the answer to {doing} makes no sense: {}", tame(why, &[]));
    Fault::new(FaultKind::Unknown, words)
}

/// The client of this program for servers like that of `url`.
///
/// # Errors
/// There is no TLS to be had.
pub(crate) fn http_client(url: &str) -> Result<reqwest::Client> {
    let url = Url::parse(url).map_err(|_| Error::Usage {
        what: format!("{url} is no URL"),
        hint: None,
    })?;
    crate::http::client(&url)
}
