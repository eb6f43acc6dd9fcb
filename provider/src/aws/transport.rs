//! What the client needs of HTTP.

use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use reqwest::Url;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::error::Error as StdError;
use std::time::Duration;

pub(super) fn client(_url: &Url) -> crate::Result<reqwest::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| crate::Error::remote("prepare TLS", from_error(error)))
}

pub(super) fn from_error(error: reqwest::Error) -> Fault {
    Fault::new(FaultKind::Unknown, reasons(&error.without_url()))
}

pub(super) fn reasons(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..8 {
        let Some(error) = source else { break };
        let reason = error.to_string();
        if !text.contains(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        source = error.source();
    }
    text
}

pub(super) fn date(text: &str) -> Option<UnixTime> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let timestamp = parser.parse_timestamp(text.trim()).ok()?;
    u64::try_from(timestamp.as_second()).ok().map(UnixTime)
}

pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    text.parse().ok().map(Duration::from_secs)
}
