//! What kind of object a text begins with, and so where the locator and the point may begin.
//!
//! In this order: a leading `./ ../ / ~` is a local file; then a cloud identifier or an ARN; then
//! `SCHEME://`, `PROVIDER:` or `SOURCE:`; then a local file. Nothing is looked up.

use super::object::Provider;
use super::{AddressError, cloud, url};

/// What the beginning of a text says it is. The numbers are offsets: where the search for a
/// locator may begin, or where a cloud identifier ends.
pub(super) enum Head<'a> {
    Local,
    Cloud(Provider, usize),
    Arn(usize),
    Url(usize),
    Provider(Provider, usize),
    Source(&'a str, usize),
}

impl<'a> Head<'a> {
    pub(super) fn of(text: &[u8], sources: &'a [String]) -> Result<Self, AddressError> {
        if is_plainly_local(text) {
            return Ok(Self::Local);
        }
        if let Some((provider, end)) = cloud::id_at_start(text) {
            return Ok(Self::Cloud(provider, end));
        }
        if let Some(resource) = cloud::arn_resource(text)? {
            return Ok(Self::Arn(resource));
        }
        if let Some(start) = url::scheme_at_start(text) {
            return Ok(Self::Url(start));
        }
        let Some(colon) = text.iter().position(|byte| *byte == b':') else {
            return Ok(Self::Local);
        };
        let word = text.get(..colon).unwrap_or_default();
        let start = colon.saturating_add(1);
        for provider in Provider::ALL {
            if word == provider.name().as_bytes() {
                return Ok(Self::Provider(provider, start));
            }
        }
        let source = sources.iter().find(|source| word == source.as_bytes());
        Ok(source.map_or(Self::Local, |source| Self::Source(source, start)))
    }

    /// No locator begins before this offset.
    pub(super) fn search_from(&self) -> usize {
        match self {
            Self::Local => 0,
            Self::Cloud(_, from)
            | Self::Arn(from)
            | Self::Url(from)
            | Self::Provider(_, from)
            | Self::Source(_, from) => *from,
        }
    }

    /// The offset of the `@` before the point in an address without its locator.
    ///
    /// A cloud identifier ends at its first `@`. The path of a URL or of `file:` may have them in
    /// its directories. Elsewhere names with an `@` are more common than points with one.
    pub(super) fn point_mark(&self, text: &[u8]) -> Option<usize> {
        let last = || text.iter().rposition(|byte| *byte == b'@');
        match self {
            Self::Local => None,
            Self::Cloud(_, end) => (text.get(*end) == Some(&b'@')).then_some(*end),
            Self::Url(from) => url::point_mark(text, *from),
            Self::Provider(Provider::File, _) => {
                let slash = text.iter().rposition(|byte| *byte == b'/');
                last().filter(|mark| Some(*mark) > slash)
            }
            Self::Arn(from) | Self::Provider(_, from) | Self::Source(_, from) => {
                last().filter(|mark| mark >= from)
            }
        }
    }
}

/// Whether a text is a local file by its first bytes.
pub(super) fn is_plainly_local(text: &[u8]) -> bool {
    let starts: [&[u8]; 4] = [b"./", b"../", b"/", b"~"];
    starts.iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(text: &str) -> (usize, Option<usize>) {
        let sources = ["prod".to_owned()];
        let head = Head::of(text.as_bytes(), &sources).unwrap();
        (head.search_from(), head.point_mark(text.as_bytes()))
    }

    #[test]
    fn locators_and_points_begin_behind_the_head() {
        for (text, expected) in [
            ("disk@x", (0, None)),
            ("./aws:a@x", (0, None)),
            ("prods:a@x", (0, None)),
            ("vol-01234567@a@b", (12, Some(12))),
            ("vol-01234567", (12, None)),
            ("aws:a@b@x", (4, Some(7))),
            ("aws:@x", (4, Some(4))),
            ("file:/a@b/c", (5, None)),
            ("file:/a@b/c@x", (5, Some(11))),
            ("file:c@x", (5, Some(6))),
            ("prod:a/b@x/y", (5, Some(8))),
            ("nbd:h@x", (4, Some(5))),
            ("nbd://u@h/e@x", (6, Some(11))),
            ("arn:aws:ec2:::volume/v@x", (14, Some(22))),
        ] {
            assert_eq!(marks(text), expected, "{text}");
        }
    }
}
