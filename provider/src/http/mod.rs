//! HTTP: the client that everything uses, and images behind a URL, read by ranges.
//!
//! What is asked of a server is what RFC 9110 calls a conditional range request: `Range` together with
//! `If-Match`. It must know ranges, name one version of the image, and stay with it; what it answers is
//! compared with what was asked, header by header and byte by byte.
//!
//! | module | |
//! |---|---|
//! | [`mod@client`] | the client: TLS, roots, bounds on time; which URLs may be talked to |
//! | [`fault`] | how a call fails, without what is secret in its URL |
//! | [`options`] | what may be said about an image, and credentials |
//! | `pin` | which version of it was opened |
//! | `range` | one range: asked for, and its answer checked |
//! | `open`, `repeat` | the first request, its redirects and repetitions |
//! | [`store`] | the image as chunks |

pub mod client;
pub mod fault;
mod open;
pub mod options;
mod pin;
pub(crate) mod range;
pub(crate) mod repeat;
pub mod store;

pub(crate) use client::client_as;
pub use client::{check_url, client, is_loopback, shown, use_ring};
pub use fault::{date, from_error, retry_after};
pub use options::{Authorization, HttpOptions};
pub use store::HttpStore;
