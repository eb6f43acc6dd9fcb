//! The metadata service of the machine that this runs on. A proxy never sees it; everything is bounded to
//! seconds, since a machine elsewhere has nobody to answer.

use reqwest::{Client, RequestBuilder};
use std::time::{Duration, Instant};

const CONNECT_LIMIT: Duration = Duration::from_secs(1);
const CALL_LIMIT: Duration = Duration::from_secs(3);
const ANSWER_MAX: usize = 16 << 10;

/// How often everything is asked for, if what goes wrong may pass.
const TRIES: u32 = 3;
const GAP: Duration = Duration::from_millis(200);
/// After so long nothing is begun again: a container out of reach of the metadata waits for nothing.
const AGAIN_WITHIN: Duration = Duration::from_secs(4);

const NOBODY: &str = "its metadata do not answer";

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// In words.
    pub(crate) why: String,
    /// Whether the next try may fare better.
    pub(crate) passes: bool,
}

impl Failure {
    /// Whether nobody is there at all.
    pub(crate) fn unreachable(&self) -> bool {
        self.why == NOBODY
    }

    /// The same, of something in particular.
    pub(crate) fn of(self, what: &str) -> Self {
        Self {
            why: format!("{what}: {}", self.why),
            ..self
        }
    }
}

/// The client for metadata: no proxy, no TLS, no redirects.
pub(crate) fn client() -> reqwest::Result<Client> {
    crate::http::use_ring();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        .connect_timeout(CONNECT_LIMIT)
        .timeout(CALL_LIMIT)
        .build()
}

/// Looks, again while that may help.
pub(crate) async fn patiently<T, F>(mut look: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let begun = Instant::now();
    let mut tries = 1_u32;
    loop {
        match look().await {
            Err(failure) if failure.passes && tries < TRIES && begun.elapsed() < AGAIN_WITHIN => {
                tracing::debug!("the metadata are asked again: {}", failure.why);
            }
            answer => return answer,
        }
        tries = tries.saturating_add(1);
        tokio::time::sleep(GAP).await;
    }
}

/// The text of an answer, or why there is none.
pub(crate) async fn ask(request: RequestBuilder) -> Result<String, Failure> {
    let lost = |error: reqwest::Error| {
        let error = error.without_url();
        let why = match error.is_timeout() || error.is_connect() {
            true => NOBODY.to_owned(),
            false => error.to_string(),
        };
        // Nobody is there, or somebody who is slow.
        let passes = !error.is_connect();
        Failure { why, passes }
    };
    let mut answer = request.send().await.map_err(lost)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(Failure {
            why: format!("its metadata answer with {status}"),
            // 401 is said to a token that has ended; the next try begins with a new one.
            passes: status.is_server_error() || matches!(status.as_u16(), 401 | 429),
        });
    }
    let wrong = |why: &str| Failure {
        why: why.to_owned(),
        passes: true,
    };
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(lost)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > ANSWER_MAX {
            return Err(wrong("the answer is too long"));
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("the answer is no text"))?;
    Ok(text.trim().to_owned())
}

/// Whether it may be the name of a place: a region, a zone.
pub(crate) fn is_place(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=60).contains(&text.len()) && text.bytes().all(plain)
}
