//! Printing an address so that reading it gives the same thing.
//!
//! What is printed is read again before it is given out, so a spelling that would mean something
//! else never leaves. Local files have several spellings, tried in this order:
//!
//! | file name | printed | why |
//! |---|---|---|
//! | `disk.img`, `/img/a:bc` | as it is | |
//! | `aws:web`, `vol-01234567` | `./aws:web` | else a provider's, or one day a source's |
//! | `a:/b` (in the directory `a:`) | `./a://b` | `://` begins no locator, `//` is one slash |
//! | `a::b`, `a:C:/b`, `a:C` for a guest path | none | only `--from=./a::b -- /etc/hosts` |
//!
//! In the last row [`Address::to_os_string`] gives [`Unspellable`], whose arguments say the same
//! on a command line. Points and names of providers that hold a mark end there as well. The file
//! name behind `file:` has the same spellings.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::head::is_plainly_local;
use super::object::keys_to_bytes;
use super::{Address, Object, Provider, Url, View};
use crate::shown::for_terminal;

/// No single text spells this address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unspellable {
    arguments: Vec<OsString>,
}

impl Unspellable {
    /// What to give a command instead of the address: `--from=OBJECT [--at=POINT]
    /// [--volume=VOL] [-- PATH]`. [`Address::from_parts`] reads them back.
    #[must_use]
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    fn of(address: &Address) -> Self {
        // A file with a point goes back to what `from_parts` made it of: as a local file its name
        // may even end like keys.
        let object = match &address.object {
            Object::Provider {
                provider: Provider::File,
                name,
                keys,
            } if address.point.is_some() && keys.is_empty() => Object::Local(name.clone()),
            object => object.clone(),
        };
        let sources = object.own_source();
        let spelling = object.spellings().into_iter().find(|spelling| {
            Object::parse(spelling, &sources).is_ok_and(|read| read.is_same(&object))
        });
        let object = spelling.unwrap_or_else(|| OsString::from_vec(object.to_bytes()));
        // With "=", since a value may begin with a dash.
        let flag =
            |flag: &str, value: &[u8]| OsString::from_vec([flag.as_bytes(), b"=", value].concat());
        let mut arguments = vec![flag("--from", object.as_bytes())];
        if let Some(point) = &address.point {
            arguments.push(flag("--at", point.to_string().as_bytes()));
        }
        if let Some((view, steps)) = address.locator.steps() {
            let mut path = steps.path.as_bytes().to_vec();
            if view == View::Volume {
                let rest = path.split_off(volume_len(&path));
                arguments.push(flag("--volume", &path));
                path = rest;
            }
            path.extend_from_slice(&steps.nested_bytes());
            if !path.is_empty() {
                arguments.extend([OsString::from("--"), OsString::from_vec(path)]);
            }
        }
        Self { arguments }
    }
}

impl fmt::Display for Unspellable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no address spells this, use")?;
        self.arguments
            .iter()
            .try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

impl std::error::Error for Unspellable {}

impl Address {
    /// The text that [`Address::parse`] reads as this address. Bytes, as file names are.
    ///
    /// The same comes back, except that a local file may be spelled another way. Costs a few
    /// parses.
    ///
    /// # Errors
    /// [`Unspellable`], with the arguments to use instead.
    pub fn to_os_string(&self) -> Result<OsString, Unspellable> {
        let mut tail = Vec::new();
        if let Some(point) = &self.point {
            tail.extend_from_slice(format!("@{point}").as_bytes());
        }
        tail.extend_from_slice(&self.locator.to_bytes());
        let sources = self.object.own_source();
        for mut text in self.object.spellings() {
            text.push(OsStr::from_bytes(&tail));
            let read = Address::parse(&text, &sources);
            if read.is_ok_and(|read| {
                read.object.is_same(&self.object)
                    && read.point == self.point
                    && read.locator == self.locator
            }) {
                return Ok(text);
            }
        }
        Err(Unspellable::of(self))
    }
}

/// For messages: control characters and bytes that are no UTF-8 are escaped as
/// [`for_terminal`] does; where no address spells it, the escape hatch's arguments. Of a web server's URL
/// the query is not shown: a signature there is as good as a password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(shown) = self.without_query() {
            return shown.fmt(f);
        }
        match self.to_os_string() {
            Ok(text) => f.write_str(&for_terminal(text.as_bytes())),
            Err(Unspellable { arguments }) => {
                let words: Vec<_> = arguments.iter().map(|word| quoted(word)).collect();
                f.write_str(&words.join(" "))
            }
        }
    }
}

impl Address {
    /// The same with dots for the query that a web server is given, if there is one.
    fn without_query(&self) -> Option<Self> {
        let Object::Url(url) = &self.object else {
            return None;
        };
        let (_, query) = url.path.split_once('?')?;
        if !matches!(url.scheme.as_str(), "http" | "https") || query == "…" {
            return None;
        }
        let path = url.path.split(['?', '#']).next().unwrap_or_default();
        let url = Url {
            path: format!("{path}?…"),
            ..url.clone()
        };
        Some(Self {
            object: Object::Url(url),
            ..self.clone()
        })
    }
}

impl Object {
    /// Texts that may name this object, the best first.
    fn spellings(&self) -> Vec<OsString> {
        let (head, path, tail) = match self {
            Self::Local(path) => ("", path, Vec::new()),
            Self::Provider {
                provider: Provider::File,
                name,
                keys,
            } => ("file:", name, keys_to_bytes(keys)),
            _ => return vec![OsString::from_vec(self.to_bytes())],
        };
        let path = path.as_bytes();
        let plain = match self {
            _ if is_plainly_local(path) => true,
            // An identifier needs no colon to be taken for one.
            Self::Local(_) => {
                !path.contains(&b':')
                    && Self::parse(OsStr::from_bytes(path), &[])
                        .is_ok_and(|read| read.is_same(self))
            }
            _ => !path.starts_with(b":"),
        };
        let start: &[u8] = if plain { b"" } else { b"./" };
        let dotted = [start, path].concat();
        let respelled = double_slashes(&dotted);
        [dotted, respelled]
            .into_iter()
            .map(|path| OsString::from_vec([head.as_bytes(), &path, &tail].concat()))
            .collect()
    }

    /// Whether both are the same object, a file in whatever spelling.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Local(left), Self::Local(right)) => same_path(left) == same_path(right),
            (
                Self::Provider {
                    provider: Provider::File,
                    name: left,
                    keys,
                },
                Self::Provider {
                    provider: Provider::File,
                    name: right,
                    keys: other_keys,
                },
            ) => same_path(left) == same_path(right) && keys == other_keys,
            _ => self == other,
        }
    }

    /// The source this object needs to be read back.
    fn own_source(&self) -> Vec<String> {
        match self {
            Self::Source { source, .. } => vec![source.clone()],
            _ => Vec::new(),
        }
    }
}

/// `:/` becomes `://`.
fn double_slashes(path: &[u8]) -> Vec<u8> {
    let mut doubled = Vec::with_capacity(path.len());
    let mut bytes = path.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        doubled.push(byte);
        if byte == b':' && bytes.next_if_eq(&b'/').is_some() {
            doubled.extend_from_slice(b"/");
            if bytes.peek() != Some(&b'/') {
                doubled.push(b'/');
            }
        }
    }
    doubled
}

/// A path in the one spelling that its other spellings here share.
fn same_path(path: &OsStr) -> Vec<u8> {
    let mut bytes = path.as_bytes().to_vec();
    bytes.dedup_by(|next, last| *next == b'/' && *last == b'/');
    match bytes.strip_prefix(b"./") {
        Some(rest) if !rest.is_empty() => rest.to_vec(),
        _ => bytes,
    }
}

/// How much of a volume view's path names the volume: `part/N`, `md/N`, `crypt/UUID`, `fs/LABEL`
/// are two components, `lvm/VG/LV` three, `raw` one, each perhaps behind `disk/K`. Where the cut
/// is matters to readers only, the halves are joined again.
fn volume_len(path: &[u8]) -> usize {
    let mut components = path.split(|byte| *byte == b'/').peekable();
    let mut len = 0_usize;
    let mut take = |count: usize| {
        let mut kind = None;
        for component in components.by_ref().take(count) {
            kind = Some(component);
            len = len.saturating_add(component.len()).saturating_add(1);
        }
        kind
    };
    let mut kind = take(1);
    if kind == Some(b"disk") {
        take(1);
        kind = take(1);
    }
    take(match kind {
        Some(b"raw") | None => 0,
        Some(b"lvm") => 2,
        Some(_) => 1,
    });
    len.saturating_sub(1).min(path.len())
}

/// One argument as a shell takes it, safe on a terminal.
fn quoted(argument: &OsStr) -> String {
    let shown = for_terminal(argument.as_bytes());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_~".contains(&byte);
    if !shown.is_empty() && shown.bytes().all(plain) {
        return shown;
    }
    format!("'{}'", shown.replace('\'', r"'\''"))
}
