//! What an address opens: a file, something of a cloud's, a provider's or source's name, a URL.
//!
//! Which of them a text is, `head` tells; here is what each holds. `~` is not expanded, that is
//! the shell's work.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::head::{Head, is_plainly_local};
use super::{AddressError, Url, cloud, url};

/// The thing an address opens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Object {
    /// A file or device of this machine.
    Local(OsString),
    /// An identifier that names its cloud by its form.
    Cloud {
        /// [`Provider::Aws`] or [`Provider::Ecs`].
        provider: Provider,
        /// With its prefix, as `snap-0123456789abcdef0`.
        id: String,
    },
    /// A whole ARN.
    Arn(String),
    /// `PROVIDER:name[,key=value]*`.
    Provider {
        /// The word before the colon.
        provider: Provider,
        /// Not empty. For [`Provider::File`] a path, which need not be UTF-8.
        name: OsString,
        /// In order, no key twice. What is before the first `,key=` belongs to the name.
        keys: Vec<(String, String)>,
    },
    /// `SOURCE:name`.
    Source {
        /// A `[source.NAME]` of the configuration.
        source: String,
        /// Not empty.
        name: OsString,
    },
    /// A URL of a scheme we know.
    Url(Url),
}

/// Where objects come from. Names are lower case and closed: a source cannot take one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// A local file, with keys or a point inside the file.
    File,
    /// EC2 instances, EBS volumes and snapshots.
    Aws,
    /// Lightsail.
    Lightsail,
    /// Alibaba Cloud ECS.
    Ecs,
    /// NetApp ONTAP.
    Ontap,
    /// An NBD server.
    Nbd,
    /// An HTTPS server; only as a URL.
    Https,
    /// An S3 bucket.
    S3,
    /// A file on another machine.
    Ssh,
}

impl Provider {
    /// All of them, in the order they are documented.
    pub const ALL: [Self; 9] = [
        Self::File,
        Self::Aws,
        Self::Lightsail,
        Self::Ecs,
        Self::Ontap,
        Self::Nbd,
        Self::Https,
        Self::S3,
        Self::Ssh,
    ];

    /// As before the colon of an address.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Aws => "aws",
            Self::Lightsail => "lightsail",
            Self::Ecs => "ecs",
            Self::Ontap => "ontap",
            Self::Nbd => "nbd",
            Self::Https => "https",
            Self::S3 => "s3",
            Self::Ssh => "ssh",
        }
    }
}

/// Whether the configuration may call a source so: letters, digits, `.`, `_`, `-`, the first a
/// letter or digit; not a provider, a URL scheme, `arn`, or a cloud identifier.
#[must_use]
pub fn is_source_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    name.bytes().all(plain)
        && name
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
        && Provider::ALL.iter().all(|provider| provider.name() != name)
        && !url::is_scheme(name)
        && name != "arn"
        && cloud::provider_of(name.as_bytes()).is_none()
}

impl Object {
    /// Reads an object alone, as for `--from`: no point, no locator, so that `./a::b:/c@d` is all
    /// file name. `sources` are the configuration's names.
    ///
    /// # Errors
    /// An empty text, a NUL byte, or a form that breaks its own rules, as `aws:` without a name.
    pub fn parse(text: &OsStr, sources: &[String]) -> Result<Self, AddressError> {
        let text = text.as_bytes();
        refuse_unusable(text)?;
        Self::build(&Head::of(text, sources)?, text)
    }

    /// `text` begins as `head` says and has neither point nor locator.
    pub(super) fn build(head: &Head<'_>, text: &[u8]) -> Result<Self, AddressError> {
        match head {
            Head::Local => Ok(Self::Local(owned(text))),
            Head::Cloud(provider, end) if *end == text.len() => Ok(Self::Cloud {
                provider: *provider,
                id: utf8(text)?,
            }),
            Head::Cloud(_, end) => Err(AddressError::new(
                "expected '@POINT', ':/PATH' or '::' behind the identifier",
                *end,
                "paths are absolute: ID:/etc/hosts; for a local file begin with ./",
            )),
            Head::Arn(_) => Ok(Self::Arn(utf8(text)?)),
            Head::Url(_) => Ok(Self::Url(Url::parse(text)?)),
            Head::Provider(Provider::Https, start) => Err(AddressError::new(
                "expected '//'",
                *start,
                "https://HOST/PATH, or ./https:… for a local file",
            )),
            Head::Provider(provider, start) => {
                let (name, keys) = split_keys(text.get(*start..).unwrap_or_default())
                    .map_err(|error| error.shifted(*start))?;
                let name = named(provider.name(), *start, name)?;
                Ok(Self::Provider {
                    provider: *provider,
                    name,
                    keys,
                })
            }
            Head::Source(source, start) => {
                let name = named(source, *start, text.get(*start..).unwrap_or_default())?;
                Ok(Self::Source {
                    source: (*source).to_owned(),
                    name,
                })
            }
        }
    }

    /// The word before the first colon of a local file's name, if it looks like the name of a
    /// provider or source: where the file is not found, that was perhaps what was meant.
    #[must_use]
    pub fn mistaken_prefix(&self) -> Option<&str> {
        let Self::Local(path) = self else { return None };
        let path = path.as_bytes();
        let colon = path.iter().position(|byte| *byte == b':')?;
        let word = str::from_utf8(path.get(..colon)?).ok()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+._-".contains(&byte);
        let looks_so = !is_plainly_local(path) && !word.is_empty() && word.bytes().all(plain);
        looks_so.then_some(word)
    }

    /// As typed; for a local file the path itself, which may need another spelling.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Local(path) => path.as_bytes().to_vec(),
            Self::Cloud { id: text, .. } | Self::Arn(text) => text.as_bytes().to_vec(),
            Self::Provider {
                provider,
                name,
                keys,
            } => {
                let keys = keys_to_bytes(keys);
                [provider.name().as_bytes(), b":", name.as_bytes(), &keys].concat()
            }
            Self::Source { source, name } => [source.as_bytes(), b":", name.as_bytes()].concat(),
            Self::Url(url) => url.to_string().into_bytes(),
        }
    }
}

/// No name anywhere holds a NUL byte, and nothing is named by nothing.
pub(super) fn refuse_unusable(text: &[u8]) -> Result<(), AddressError> {
    const HINT: &str = "a file, an identifier such as snap-…, PROVIDER:NAME or a URL; \
         then perhaps @POINT and :/PATH or ::";
    if text.is_empty() {
        return Err(AddressError::new("expected an object", 0, HINT));
    }
    match text.iter().position(|byte| *byte == 0) {
        Some(position) => Err(AddressError::new("expected no NUL", position, HINT)),
        None => Ok(()),
    }
}

/// `name`, if it can be one. A colon at its start is what is left of `aws::…`.
fn named(prefix: &str, start: usize, name: &[u8]) -> Result<OsString, AddressError> {
    if name.is_empty() || name.starts_with(b":") {
        let hint = format!("{prefix}:NAME:/PATH, or ./{prefix}:… for a local file");
        return Err(AddressError::new(
            format!("expected a name behind '{prefix}:'"),
            start,
            hint,
        ));
    }
    Ok(owned(name))
}

/// A name and its keys, in order.
type Keyed<'a> = (&'a [u8], Vec<(String, String)>);

/// Takes `,key=value` off the end while there are any; positions are from the start of `text`.
fn split_keys(text: &[u8]) -> Result<Keyed<'_>, AddressError> {
    let mut name = text;
    let mut keys = Vec::new();
    let mut seen = BTreeSet::new();
    while let Some(comma) = name.iter().rposition(|byte| *byte == b',') {
        let Some((left, pair)) = name.split_at_checked(comma) else {
            break;
        };
        let Some((key, value)) = key_value(pair) else {
            break;
        };
        if !seen.insert(key) {
            let hint = "give each key once";
            return Err(AddressError::new(
                format!("expected one '{key}='"),
                comma,
                hint,
            ));
        }
        keys.push((key.to_owned(), value.to_owned()));
        name = left;
    }
    keys.reverse();
    Ok((name, keys))
}

/// `,key=value` for each.
pub(super) fn keys_to_bytes(keys: &[(String, String)]) -> Vec<u8> {
    keys.iter()
        .flat_map(|(key, value)| format!(",{key}={value}").into_bytes())
        .collect()
}

/// Whether a text ends like keys do.
pub(super) fn ends_in_keys(text: &[u8]) -> bool {
    split_keys(text).map_or(true, |(_, keys)| !keys.is_empty())
}

/// Reads `,key=value`.
fn key_value(text: &[u8]) -> Option<(&str, &str)> {
    let (key, value) = str::from_utf8(text)
        .ok()?
        .strip_prefix(',')?
        .split_once('=')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let begins = key
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic());
    (begins && key.bytes().all(plain)).then_some((key, value))
}

fn utf8(text: &[u8]) -> Result<String, AddressError> {
    str::from_utf8(text).map(str::to_owned).map_err(|error| {
        AddressError::new(
            "expected UTF-8",
            error.valid_up_to(),
            "begin with ./ for a local file",
        )
    })
}

fn owned(text: &[u8]) -> OsString {
    OsString::from_vec(text.to_vec())
}
