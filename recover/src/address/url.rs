//! URL objects: `SCHEME://[USER@]HOST[:PORT][/PATH][?QUERY]`.
//!
//! Split, not decoded: percent escapes stay as they were typed, for the provider to judge.
//! A password is refused here already, since addresses stand in argv, in logs and in output.

use std::fmt;

use super::AddressError;

/// Schemes that make an address a URL. `http` is here so that the refusal comes from the provider
/// that knows about loopback, not from "no such file".
const SCHEMES: [&str; 10] = [
    "https",
    "http",
    "nbd",
    "nbds",
    "nbd+unix",
    "nbds+unix",
    "s3",
    "gs",
    "az",
    "ssh",
];

/// A URL, split at the marks RFC 3986 gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// Lower case, without the colon: `https http nbd nbds nbd+unix nbds+unix s3 gs az ssh`.
    pub scheme: String,
    /// What stands before the `@` of the authority.
    pub user: Option<String>,
    /// Host and port as typed, IPv6 in its brackets; empty only for a Unix socket.
    pub host: String,
    /// Everything after the host: empty, or beginning with `/`, `?` or `#`.
    pub path: String,
}

impl Url {
    /// The URL without what follows its `?`: a signature there is as good as a password, so logs
    /// and messages use this form. The address itself keeps it.
    #[must_use]
    pub fn without_query(&self) -> String {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
        .to_string()
    }

    /// `text` begins with a scheme that [`scheme_at_start`] knows, and has no point or locator.
    pub(super) fn parse(text: &[u8]) -> Result<Self, AddressError> {
        let text = str::from_utf8(text).map_err(|error| {
            let hint = "write other bytes as percent escapes, %ff";
            AddressError::new("expected UTF-8 in a URL", error.valid_up_to(), hint)
        })?;
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let start = scheme.len().saturating_add(3);
        if let Some(colon) = user.and_then(|user| user.find(':')) {
            return Err(AddressError::new(
                "expected no password in a URL",
                start.saturating_add(colon),
                "leave it out; keys and passwords come from the configuration, never from argv",
            ));
        }
        let scheme = scheme.to_ascii_lowercase();
        if host.is_empty() && !scheme.ends_with("+unix") {
            let hint = format!("{scheme}://HOST/PATH, or ./{scheme}:… for a local file");
            return Err(AddressError::new("expected a host", start, hint));
        }
        Ok(Self {
            scheme,
            user: user.map(str::to_owned),
            host: host.to_owned(),
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            user,
            host,
            path,
        } = self;
        match user {
            Some(user) => write!(f, "{scheme}://{user}@{host}{path}"),
            None => write!(f, "{scheme}://{host}{path}"),
        }
    }
}

/// Whether a word is the scheme of a URL object, in any case.
pub(super) fn is_scheme(word: &str) -> bool {
    SCHEMES
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case(word))
}

/// The offset behind `SCHEME://` if the text begins with a scheme we know.
pub(super) fn scheme_at_start(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(|byte| *byte == b':')?;
    let (word, rest) = text.split_at_checked(end)?;
    let known = rest.starts_with(b"://") && str::from_utf8(word).is_ok_and(is_scheme);
    known.then(|| end.saturating_add(3))
}

/// The offset of the `@` before a URL's point: one after the last `/` of its path. Earlier ones
/// are a user name or part of a directory's name. `from` is what [`scheme_at_start`] gave.
pub(super) fn point_mark(text: &[u8], from: usize) -> Option<usize> {
    let slash = text
        .iter()
        .rposition(|byte| *byte == b'/')
        .filter(|slash| *slash >= from)?;
    let mark = text.iter().rposition(|byte| *byte == b'@')?;
    (mark > slash).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Url {
        Url::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn parts_are_split_and_print_back() {
        let url = parse("ssh://root@[::1]:22/var/a@b/x.qcow2");
        assert_eq!(
            (url.user.as_deref(), url.host.as_str()),
            (Some("root"), "[::1]:22")
        );
        assert_eq!(url.path, "/var/a@b/x.qcow2");
        for text in [
            "https://h",
            "s3://b/k",
            "nbd+unix:///e?socket=/s",
            "https://h?a=b",
            "nbd://h#x",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("HTTPS://H/x").to_string(), "https://H/x");
    }

    #[test]
    fn a_password_or_a_missing_host_is_refused() {
        let error = Url::parse(b"https://bob:secret@h/x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected no password in a URL at byte 11"
        );
        assert!(!error.hint().contains("secret"));
        assert!(Url::parse(b"https:///x").is_err());
        assert!(Url::parse(b"s3://").is_err());
        assert!(Url::parse(b"https://h/\xff").is_err());
    }

    #[test]
    fn signatures_stay_out_of_messages() {
        assert_eq!(
            parse("https://h/x?X-Amz-Signature=1").without_query(),
            "https://h/x"
        );
    }

    #[test]
    fn schemes_are_ours_only() {
        assert_eq!(scheme_at_start(b"nbd://x"), Some(6));
        assert_eq!(scheme_at_start(b"Https://x"), Some(8));
        assert_eq!(scheme_at_start(b"nbd:/x"), None);
        assert_eq!(scheme_at_start(b"gopher://x"), None);
        assert_eq!(scheme_at_start(b"\xff://x"), None);
    }

    #[test]
    fn points_follow_the_last_slash() {
        assert_eq!(point_mark(b"ssh://root@host", 6), None);
        assert_eq!(point_mark(b"ssh://root@host/x@y", 6), Some(17));
        assert_eq!(point_mark(b"ssh://root@host/x@y/z", 6), None);
    }
}
