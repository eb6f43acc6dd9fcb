//! Values of keys, and where they come from.

use super::keys::{Form, Key};
use crate::point::AccessMode;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeValue;

/// Text longer than this is no name, path or command.
const TEXT_BYTES_MAX: usize = 4096;
/// What AWS allows, less than which every provider does, without the tags of the engine.
const TAG_COUNT_MAX: usize = 40;
const TAG_KEY_CHARS_MAX: usize = 128;
const TAG_VALUE_CHARS_MAX: usize = 256;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text or a URL.
    Text(String),
    /// An absolute path.
    Path(PathBuf),
    /// How snapshots are read.
    Access(AccessMode),
    /// A length of time.
    Duration(Duration),
    /// Dollars, from 0.
    Dollars(f64),
    /// Bytes.
    Bytes(u64),
    /// Tags.
    Tags(BTreeMap<String, String>),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything else.
    Default,
    /// A line of a file, the first being 1.
    File {
        /// The file.
        path: Arc<Path>,
        /// The line.
        line: usize,
    },
    /// A variable of the environment.
    Variable(&'static str),
    /// An option of the command line.
    Option(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Option(name) => f.write_str(name),
        }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

impl Value {
    /// Reads the value of `key` from a file.
    ///
    /// # Errors
    /// What is wrong with it, in words that never repeat it: it may be a secret at the wrong place.
    pub(super) fn from_toml(key: Key, value: &DeValue<'_>) -> Result<Self, String> {
        let form = key.form();
        let wrong = || format!("expected {}, found {}", form.expected(), word(value));
        match (form, value) {
            (Form::Bytes, DeValue::Integer(_)) => integer(value).map(Self::Bytes).ok_or_else(wrong),
            (Form::Dollars, DeValue::Integer(_)) => {
                let number = integer(value).and_then(|number| u32::try_from(number).ok());
                number.map(f64::from).ok_or_else(wrong).and_then(dollars)
            }
            (Form::Dollars, DeValue::Float(number)) => number
                .as_str()
                .parse()
                .map_err(|_| wrong())
                .and_then(dollars),
            (Form::Tags, DeValue::Table(table)) => {
                let mut tags = BTreeMap::new();
                for (name, value) in table {
                    let value = value.get_ref();
                    let text = value.as_str().ok_or_else(|| {
                        format!("expected text in every tag, found {}", word(value))
                    })?;
                    tags.insert(name.get_ref().to_string(), text.to_owned());
                }
                checked_tags(tags)
            }
            (Form::Tags | Form::Dollars, _) => Err(wrong()),
            (_, DeValue::String(text)) => Self::from_text(key, text),
            _ => Err(wrong()),
        }
    }

    /// Reads the value of `key` from the environment or the command line.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml).
    pub fn from_text(key: Key, text: &str) -> Result<Self, String> {
        let form = key.form();
        let expected = || format!("expected {}", form.expected());
        match form {
            Form::Text => checked_text(text).map(|text| Self::Text(text.to_owned())),
            Form::Url => {
                checked_text(text)?;
                checked_url(text)?;
                Ok(Self::Text(text.to_owned()))
            }
            Form::Path => {
                let path = PathBuf::from(checked_text(text)?);
                let path = path.is_absolute().then_some(path).ok_or_else(expected)?;
                Ok(Self::Path(path))
            }
            Form::Access => match text {
                "auto" => Ok(Self::Access(AccessMode::Auto)),
                "direct" => Ok(Self::Access(AccessMode::Direct)),
                "clone" => Ok(Self::Access(AccessMode::Clone)),
                _ => Err(expected()),
            },
            Form::Duration => duration(text).map(Self::Duration).ok_or_else(expected),
            Form::Dollars => dollars(text.parse().map_err(|_| expected())?),
            Form::Bytes => bytes(text).map(Self::Bytes).ok_or_else(expected),
            Form::Tags => Err("tags stand in a configuration file only".to_owned()),
        }
    }

    /// Tags.
    ///
    /// # Errors
    /// Too many, too long, or of a prefix that is taken.
    pub(super) fn from_tags(tags: BTreeMap<String, String>) -> Result<Self, String> {
        checked_tags(tags)
    }
}

/// As it would stand in a file.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => quoted(f, text),
            // Only what was text can have become a path.
            Self::Path(path) => quoted(f, &path.to_string_lossy()),
            Self::Access(mode) => quoted(f, access_word(*mode)),
            Self::Duration(duration) => quoted(f, &duration_text(*duration)),
            Self::Dollars(dollars) => write!(f, "{dollars:?}"),
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Tags(tags) if tags.is_empty() => f.write_str("{}"),
            Self::Tags(tags) => {
                for (index, (name, value)) in tags.iter().enumerate() {
                    f.write_str(if index == 0 { "{ " } else { ", " })?;
                    key_text(f, name)?;
                    f.write_str(" = ")?;
                    quoted(f, value)?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// The word for a mode.
#[must_use]
pub const fn access_word(mode: AccessMode) -> &'static str {
    match mode {
        AccessMode::Auto => "auto",
        AccessMode::Direct => "direct",
        AccessMode::Clone => "clone",
    }
}

/// A length of time in the largest unit of which it is a whole number.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400_u64, 'd'), (3600, 'h'), (60, 'm')];
    let fits = |(unit, _): &(u64, char)| seconds > 0 && seconds.checked_rem(*unit) == Some(0);
    match units.into_iter().find(fits) {
        Some((unit, letter)) => format!("{}{letter}", seconds.checked_div(unit).unwrap_or(0)),
        None => format!("{seconds}s"),
    }
}

/// Reads a length of time: `90s 15m 2h 3d 4w`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    // No sign: `+1h` is no length.
    let number = number.starts_with(|first: char| first.is_ascii_digit());
    let number = number.then(|| text.get(..text.len().saturating_sub(1)));
    let number = number??.parse::<u64>().ok()?.checked_mul(seconds)?;
    i64::try_from(number).ok()?;
    Some(Duration::from_secs(number))
}

/// Reads a number of bytes, with `k`, `M`, `G` or `T` behind it for powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let (number, shift) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (number, "k" | "K") => (number, 10),
        (number, "M") => (number, 20),
        (number, "G") => (number, 30),
        (number, "T") => (number, 40),
        _ => (text, 0),
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| number.parse::<u64>().ok())??;
    number.checked_mul(1_u64.checked_shl(shift)?)
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn dollars(number: f64) -> Result<Value, String> {
    match number.is_finite() && number >= 0.0 {
        true => Ok(Value::Dollars(number)),
        false => Err(format!("expected {}", Form::Dollars.expected())),
    }
}

fn checked_text(text: &str) -> Result<&str, String> {
    if text.is_empty() {
        return Err("expected text, found none".to_owned());
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("expected at most {TEXT_BYTES_MAX} bytes of text"));
    }
    match text.chars().any(char::is_control) {
        true => Err("expected no control characters".to_owned()),
        false => Ok(text),
    }
}

/// No part of a URL may be a secret, and names are appended to it.
fn checked_url(url: &str) -> Result<(), String> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| "expected a URL such as https://host/path".to_owned())?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("expected a URL without a user and a password".to_owned());
    }
    if rest.contains('#') || (rest.contains('?') && scheme != "nbd+unix") {
        return Err("expected a URL without '?' and '#'".to_owned());
    }
    Ok(())
}

fn checked_tags(tags: BTreeMap<String, String>) -> Result<Value, String> {
    if tags.len() > TAG_COUNT_MAX {
        return Err(format!(
            "expected at most {TAG_COUNT_MAX} tags, found {}",
            tags.len()
        ));
    }
    for (name, value) in &tags {
        let lower = name.to_ascii_lowercase();
        let taken = ["flr:", "aws:", "acs:", "aliyun"];
        if let Some(prefix) = taken.into_iter().find(|prefix| lower.starts_with(prefix)) {
            return Err(format!("expected no tag that begins with {prefix}"));
        }
        let fits =
            |text: &str, max| text.chars().count() <= max && !text.chars().any(char::is_control);
        if name.is_empty() || !fits(name, TAG_KEY_CHARS_MAX) || !fits(value, TAG_VALUE_CHARS_MAX) {
            return Err(format!(
                "expected tags of at most {TAG_KEY_CHARS_MAX} characters, \
                 and {TAG_VALUE_CHARS_MAX} in their values"
            ));
        }
    }
    Ok(Value::Tags(tags))
}

/// What stands in a file, in words.
pub(super) const fn word(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Text as a basic string of TOML.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for char in text.chars() {
        match char {
            '"' | '\\' => write!(f, "\\{char}")?,
            char if char.is_control() => write!(f, "\\u{:04X}", u32::from(char))?,
            char => write!(f, "{char}")?,
        }
    }
    f.write_str("\"")
}

/// A key of TOML, in quotes where it needs them.
pub(super) fn key_text(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    match is_bare(name) {
        true => f.write_str(name),
        false => quoted(f, name),
    }
}

/// Whether a key of TOML needs no quotes.
fn is_bare(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("2h", 7200),
            ("3d", 259_200),
            ("1w", 604_800),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "1",
            "h",
            "-1h",
            "+1h",
            "1 h",
            "9223372036854775807w",
            "1ü",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        for (seconds, text) in [(90, "90s"), (0, "0s"), (7200, "2h"), (604_800, "7d")] {
            assert_eq!(duration_text(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn numbers_of_bytes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4k", Some(4096)),
            ("512M", Some(512 << 20)),
            ("16777215T", Some(16_777_215 << 40)),
            ("16777216T", None),
            ("+1", None),
            ("-1", None),
            ("1.5G", None),
            ("G", None),
            ("", None),
            ("1ü", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn urls_hold_no_secret() {
        for (url, fine) in [
            ("https://cluster1.example", true),
            ("https://h/a@b/", true),
            ("nbd+unix:///export?socket=/run/nbd", true),
            ("nbd://h:10809", true),
            ("cluster1.example", false),
            ("https://user:hunter2@h/", false),
            ("https://h/a?X-Amz-Signature=hunter2", false),
            ("https://h/#a", false),
        ] {
            let read = Value::from_text(Key::Url, url);
            assert_eq!(read.is_ok(), fine, "{url}");
            assert!(!format!("{read:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        let tags = [("Cost Center", "a\"b\\c"), ("x-y_1", "ü")];
        let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (key, value) in [
            (Key::Username, Value::Text("a\"b\\c\u{feff}ü".into())),
            (Key::Path, Value::Path("/a b".into())),
            (Key::Access, Value::Access(AccessMode::Clone)),
            (Key::Ttl, Value::Duration(Duration::from_secs(5400))),
            (Key::MaxCostUsd, Value::Dollars(2.0)),
            (Key::MaxCostUsd, Value::Dollars(0.1)),
            (Key::CacheBytes, Value::Bytes(1 << 20)),
            (Key::Tags, Value::Tags(BTreeMap::from(tags))),
            (Key::Tags, Value::Tags(BTreeMap::new())),
        ] {
            let text = format!("a = {value}");
            let table = toml::de::DeTable::parse(&text).unwrap();
            let read = Value::from_toml(key, table.get_ref()["a"].get_ref());
            assert_eq!(read, Ok(value), "{text}");
        }
    }
}
