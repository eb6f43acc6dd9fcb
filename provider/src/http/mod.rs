//! HTTP: the client that everything uses, and images behind a URL, read by ranges.
//!
//! | module | |
//! |---|---|
//! | [`mod@client`] | the client: TLS, roots, bounds on time; which URLs may be talked to |
//! | [`fault`] | how a call fails, without what is secret in its URL |

pub mod client;
pub mod fault;

pub use client::{check_url, client, is_loopback, shown, use_ring};
