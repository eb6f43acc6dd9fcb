//! `nbd://HOST[:PORT]/EXPORT`, `nbds://…`, `nbd+unix:///EXPORT?socket=PATH`, `nbds+unix://…`.
//!
//! Follows the protocol's own document about URIs. What it names and this program lacks (keys shared
//! beforehand, anonymous TLS, a peer that is not verified) is refused by name.

use super::wire::STRING_MAX;
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The port that IANA gave to NBD.
const PORT: u16 = 10809;

const FORMS: &str =
    "nbd://HOST[:PORT]/EXPORT, or nbd+unix:///EXPORT?socket=PATH; with TLS nbds://, nbds+unix://";

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Name or address, without brackets.
    Tcp(String, u16),
    /// A socket of this machine.
    Unix(PathBuf),
}

/// What is to be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Where.
    pub(super) endpoint: Endpoint,
    /// TLS, or nothing.
    pub(super) tls: bool,
    /// Whose certificate is expected.
    pub(super) tls_name: String,
    /// The export, of at most 4,096 bytes; may be empty, which is the server's default.
    pub(super) export: String,
}

impl Target {
    /// Takes a URI apart.
    pub(super) fn parse(uri: &str) -> Result<Self> {
        let (scheme, rest) = uri
            .split_once("://")
            .ok_or_else(|| usage("expected a URI"))?;
        let (tls, unix) = match scheme.to_ascii_lowercase().as_str() {
            "nbd" => (false, false),
            "nbds" => (true, false),
            "nbd+unix" => (false, true),
            "nbds+unix" => (true, true),
            _ => return Err(usage("expected a URI of an NBD server")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(usage("expected no user in the URI of an NBD server"));
        }
        let query = Query::parse(query)?;
        let endpoint = match (unix, query.socket) {
            (true, Some(path)) => Endpoint::Unix(path),
            (true, None) => return Err(usage("expected ?socket=PATH in the URI")),
            (false, Some(_)) => return Err(usage("expected nbd+unix:// for a socket")),
            (false, None) => tcp(authority)?,
        };
        if unix && !authority.is_empty() {
            return Err(usage("expected no host beside a socket"));
        }
        let export = String::from_utf8(decode(path)?)
            .ok()
            .filter(|name| name.len() <= STRING_MAX && !name.contains('\0'));
        let export = export.ok_or_else(|| usage("expected the name of an export in UTF-8"))?;
        let tls_name = query.tls_name.unwrap_or_else(|| match &endpoint {
            Endpoint::Tcp(host, _) => host.clone(),
            Endpoint::Unix(_) => "localhost".to_owned(),
        });
        Ok(Self {
            endpoint,
            tls,
            tls_name,
            export,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "nbds" } else { "nbd" };
        let export = encode(self.export.as_bytes());
        match &self.endpoint {
            Endpoint::Tcp(host, port) if host.contains(':') => {
                write!(f, "{scheme}://[{host}]:{port}/{export}")
            }
            Endpoint::Tcp(host, port) => write!(f, "{scheme}://{host}:{port}/{export}"),
            Endpoint::Unix(path) => {
                let path = encode(path.as_os_str().as_encoded_bytes());
                write!(f, "{scheme}+unix:///{export}?socket={path}")
            }
        }
    }
}

/// The URI of another export of a server: `nbd+unix:///?socket=/s` and `disk 1` give
/// `nbd+unix:///disk%201?socket=/s`. A name in `server` becomes the beginning of the export's, before a
/// slash.
///
/// # Errors
/// They come to no URI of an NBD server.
pub fn export_uri(server: &str, export: &str) -> Result<String> {
    let (head, query) = match server.split_once('?') {
        Some((head, query)) => (head, format!("?{query}")),
        None => (server, String::new()),
    };
    let slash = if head.ends_with('/') { "" } else { "/" };
    let uri = format!("{head}{slash}{}{query}", encode(export.as_bytes()));
    Target::parse(&uri).map(|_| uri)
}

#[derive(Default)]
struct Query {
    socket: Option<PathBuf>,
    tls_name: Option<String>,
}

impl Query {
    fn parse(text: &str) -> Result<Self> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)?;
            match key {
                "socket" if !value.is_empty() && !value.contains(&0) => {
                    query.socket = Some(PathBuf::from(OsString::from_vec(value)));
                }
                "socket" => return Err(usage("expected the path of a socket")),
                "tls-hostname" => {
                    let name = String::from_utf8(value).ok();
                    query.tls_name = Some(name.ok_or_else(|| usage("expected a host name"))?);
                }
                "tls-type" if value == b"x509" => {}
                "tls-verify-peer" if value == b"1" => {}
                _ => {
                    let what = format!("expected socket or tls-hostname in the URI, found {key}");
                    return Err(usage(what));
                }
            }
        }
        Ok(query)
    }
}

fn tcp(authority: &str) -> Result<Endpoint> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(|| usage("expected a ]"))?;
            let port = after.strip_prefix(':');
            if port.is_none() && !after.is_empty() {
                return Err(usage("expected a port after the address"));
            }
            (host.to_owned(), port)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let host = String::from_utf8(decode(host)?).ok();
            (host.ok_or_else(|| usage("expected a host in UTF-8"))?, port)
        }
    };
    if host.is_empty() {
        return Err(usage("expected a host"));
    }
    let port = match port.filter(|port| !port.is_empty()) {
        None => PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| usage(format!("expected a port from 1 to 65535, found {port}")))?,
    };
    Ok(Endpoint::Tcp(host, port))
}

fn usage(what: impl Into<String>) -> Error {
    Error::Usage {
        what: what.into(),
        hint: Some(FORMS.to_owned()),
    }
}

/// Percent escapes as the bytes they stand for.
fn decode(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit(), digit());
        let value = high.zip(low).and_then(|(high, low)| {
            let value = high.checked_mul(16)?.checked_add(low)?;
            u8::try_from(value).ok()
        });
        out.push(value.ok_or_else(|| usage("expected two hex digits after %"))?);
    }
    Ok(out)
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_document() {
        for (uri, export) in [
            ("nbd://example.com/disk", "disk"),
            ("nbd+unix:///disk?socket=sock", "disk"),
            ("nbd://example.com/", ""),
            ("nbd://example.com", ""),
            ("nbd://example.com//disk", "/disk"),
            ("nbd://example.com/hello%20world", "hello world"),
        ] {
            assert_eq!(Target::parse(uri).unwrap().export, export, "{uri}");
        }
    }

    #[test]
    fn parts() {
        let parts = |uri: &str| {
            let target = Target::parse(uri).unwrap();
            (target.endpoint, target.tls, target.tls_name)
        };
        let tcp = |host: &str, port| Endpoint::Tcp(host.to_owned(), port);
        let unix = |path: &str| Endpoint::Unix(PathBuf::from(path));
        assert_eq!(parts("nbd://h/x"), (tcp("h", 10809), false, "h".into()));
        assert_eq!(
            parts("NBDS://[::1]:7/x"),
            (tcp("::1", 7), true, "::1".into())
        );
        let uri = "nbds://10.0.0.1:7/x?tls-hostname=disk.example";
        assert_eq!(
            parts(uri),
            (tcp("10.0.0.1", 7), true, "disk.example".into())
        );
        let uri = "nbds+unix:///x?socket=/a%20b";
        assert_eq!(parts(uri), (unix("/a b"), true, "localhost".into()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for uri in [
            "nbd",
            "http://h/x",
            "nbd:///x",
            "nbd://h:0/x",
            "nbd://h:70000/x",
            "nbd://h:x/x",
            "nbd://[::1/x",
            "nbd://[::1]7/x",
            "nbd://u@h/x",
            "nbd+unix:///x",
            "nbd://h/x?socket=/s",
            "nbd+unix://h/x?socket=/s",
            "nbd://h/%zz",
            "nbd://h/%f",
            "nbd://h/%00",
            "nbd://h/%ff",
            "nbds://h/x?tls-verify-peer=0",
            "nbds://h/x?tls-type=psk",
            "nbd+unix:///x?socket=",
            "nbds://h/x?tls-certificates=/etc",
        ] {
            assert!(
                matches!(Target::parse(uri), Err(Error::Usage { .. })),
                "{uri}"
            );
        }
    }

    #[test]
    fn exports_of_a_server() {
        for (server, export, uri) in [
            ("nbd://h", "a", "nbd://h/a"),
            ("nbds://h:7/", "a b", "nbds://h:7/a%20b"),
            ("nbd://h/vm", "disk?", "nbd://h/vm/disk%3F"),
            ("nbd+unix:///?socket=/s", "a", "nbd+unix:///a?socket=/s"),
            (
                "nbds+unix:///?socket=/s&tls-hostname=h",
                "",
                "nbds+unix:///?socket=/s&tls-hostname=h",
            ),
        ] {
            assert_eq!(export_uri(server, export).unwrap(), uri);
        }
        assert!(export_uri("http://h", "a").is_err());
    }
}
