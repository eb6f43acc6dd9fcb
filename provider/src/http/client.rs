//! The HTTP client that everything uses: one set of rules for TLS, roots, redirects and waiting.
//!
//! Plain HTTP is for loopback only, and a redirect is an answer like any other: whoever asked judges
//! it, so that neither credentials nor trust follow a server's word to somewhere else.

use crate::error::{Error, Result};
use reqwest::Url;
use reqwest::redirect::Policy;
use std::net::IpAddr;
use std::time::Duration;

/// How long a connection may take to come about. Retries are worth more than patience here.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may pause, its beginning included. Whoever asks has deadlines besides.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How many requests one host may be asked at once over connections that are kept.
const IN_FLIGHT_MAX: usize = 64;

/// Servers drop idle connections after 20 to 60 seconds; one that is dropped while a request is on its
/// way costs that request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// What may be on its way in one HTTP/2 stream, and in all streams of a connection. The usual 64 KiB
/// make a stream wait for an acknowledgement sixteen times in a chunk of 1 MiB.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;

/// A client for `url` and everything else on its host.
///
/// Roots are those of the system, or of `SSL_CERT_FILE`; the cryptography is `ring`. Redirects are not
/// followed, and there is no bound on the whole time of a call: whoever calls has a deadline. Proxies
/// that the environment names are used, except for loopback. Costs a few milliseconds when TLS is
/// wanted (the roots are read), and does not block otherwise; keep it.
///
/// # Errors
/// [`check_url`] refuses the URL, or the system has no roots.
pub fn client(url: &Url) -> Result<reqwest::Client> {
    client_as(url, None)
}

/// The same with a client certificate.
pub(crate) fn client_as(url: &Url, identity: Option<reqwest::Identity>) -> Result<reqwest::Client> {
    check_url(url)?;
    use_ring();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("flr/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .pool_max_idle_per_host(IN_FLIGHT_MAX)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW);
    if let Some(identity) = identity {
        builder = builder.identity(identity);
    }
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        // Nothing here will speak TLS, so a machine without roots must not be in the way.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| Error::Refused {
        what: format!(
            "cannot prepare TLS for {}: {}",
            shown(url),
            super::fault::reasons(&error.without_url())
        ),
        hint: Some("install ca-certificates, or name a file of roots in SSL_CERT_FILE".to_owned()),
    })
}

/// A client for servers on loopback, and for the metadata of the machine: no proxy, no TLS.
pub(crate) fn loopback() -> Result<reqwest::Client> {
    let url = Url::parse("http://127.0.0.1").map_err(|error| Error::Refused {
        what: format!("cannot prepare a client: {error}"),
        hint: None,
    })?;
    client(&url)
}

/// Makes `ring` the cryptography of every TLS connection of this process that does not choose for
/// itself. Later calls do nothing.
pub fn use_ring() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread came first, with the same provider: no other is built in.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

/// Whether this program talks to `url`: HTTPS anywhere, plain HTTP on loopback only.
///
/// # Errors
/// It does not, or the URL holds a user or a password.
pub fn check_url(url: &Url) -> Result<()> {
    let usage = |what: String, hint: &str| {
        let hint = Some(hint.to_owned());
        Err(Error::Usage { what, hint })
    };
    if !url.username().is_empty() || url.password().is_some() {
        return usage(
            format!("expected no user name or password in {}", shown(url)),
            "leave it out; credentials come from the configuration, never from a URL",
        );
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => usage(
            format!("expected https, since {} is not on loopback", shown(url)),
            "use https; plain http is accepted for 127.0.0.1, ::1 and localhost only",
        ),
        _ => usage(
            format!("expected a URL with https, not {}", shown(url)),
            "write https://HOST/PATH",
        ),
    }
}

/// Whether the host of `url` is loopback by its name: `localhost`, 127.0.0.0/8 or `::1`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// `url` for people and logs: without query (a signature there is as good as a password), fragment,
/// user and password.
#[must_use]
pub fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    format!(
        "{}://{host}{}{}",
        url.scheme(),
        port.unwrap_or_default(),
        url.path()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn plain_http_is_for_loopback() {
        for good in [
            "https://example.com/x",
            "https://10.0.0.1:8443",
            "http://127.0.0.1:5000/",
            "http://127.1/",
            "http://[::1]:80/x",
            "http://LOCALHOST/x",
        ] {
            check_url(&url(good)).unwrap();
        }
        for bad in [
            "http://example.com/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://0.0.0.0/",
            "http://169.254.169.254/",
            "http://[::ffff:127.0.0.1]/",
            "http://10.0.0.1/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
        ] {
            let error = check_url(&url(bad)).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{bad}: {error}");
            assert!(error.hint().is_some());
            assert!(client(&url(bad)).is_err());
        }
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        for (text, expected) in [
            (
                "https://h/a%20b?X-Amz-Signature=s3cret#f",
                "https://h/a%20b",
            ),
            ("https://u:s3cret@h:8443/x", "https://h:8443/x"),
            ("http://[::1]:1/x?s3cret", "http://[::1]:1/x"),
        ] {
            assert_eq!(shown(&url(text)), expected);
        }
        let error = check_url(&url("https://u:s3cret@h/x?s3cret")).unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("s3cret"));
    }
}
