//! Adding sources to the user's file and taking them out again. The file is changed as text, so that
//! its comments, its order and everything else in it stay; the result is read back before it is written.

use super::file::{self, Env, Places};
use super::keys::{self, Key, SourceType};
use super::layer::{kind_of, shown};
use super::replace::Locked;
use super::value::{Value, key_text};
use super::{Config, NAME_HINT, SECRET_HINT};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A source to be added.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSource {
    name: String,
    kind: SourceType,
    values: BTreeMap<Key, Value>,
    tags: BTreeMap<String, String>,
}

fn usage(what: String, hint: impl Into<String>) -> Error {
    Error::Usage {
        what,
        hint: Some(hint.into()),
    }
}

impl NewSource {
    /// A source that says nothing yet but its type.
    ///
    /// # Errors
    /// No source can be called so, or there is no such type.
    pub fn new(name: &str, kind: &str, is_source_name: fn(&str) -> bool) -> Result<Self> {
        if !is_source_name(name) {
            let what = format!("no source can be called {}", shown(name));
            return Err(usage(what, NAME_HINT));
        }
        let kind = kind_of(kind).map_err(|(what, hint)| usage(what, hint))?;
        Ok(Self {
            name: name.to_owned(),
            kind,
            values: BTreeMap::new(),
            tags: BTreeMap::new(),
        })
    }

    /// Sets a key by its name, a tag as `tags.NAME`.
    ///
    /// # Errors
    /// A source of this type has no such key, it was set before, or the value makes no sense. No
    /// message holds the value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let twice = || usage(format!("{} is set twice", shown(name)), "set it once");
        if let Some(tag) = name.strip_prefix("tags.") {
            let earlier = self.tags.insert(tag.to_owned(), value.to_owned());
            return earlier.map_or(Ok(()), |_| Err(twice()));
        }
        if keys::is_secret(name) {
            let what = format!("the key {} would hold a secret", shown(name));
            return Err(usage(what, SECRET_HINT));
        }
        let key = Key::of(name).filter(|key| key.types().contains(&self.kind));
        let Some(key) = key else {
            let what = format!(
                "a source of type {} has no key {}",
                self.kind.name(),
                shown(name)
            );
            return Err(usage(
                what,
                keys::instead(name, self.kind.keys().map(Key::name)),
            ));
        };
        let read = Value::from_text(key, value).map_err(|what| match key {
            Key::Tags => usage(
                format!("{name}: expected tags one by one"),
                "tags.NAME=VALUE",
            ),
            _ => usage(
                format!("{name}: {what}"),
                format!("{name} is {}", key.form().expected()),
            ),
        })?;
        self.values
            .insert(key, read)
            .map_or(Ok(()), |_| Err(twice()))
    }

    /// Writes it down; gives the file. The folder is made if need be.
    ///
    /// # Errors
    /// There is a source of this name, one that is needed lacks a key, or the file cannot be written.
    pub fn add(self, env: Env<'_>, is_source_name: fn(&str) -> bool) -> Result<PathBuf> {
        if let Some(key) = self
            .kind
            .needs()
            .filter(|key| !self.values.contains_key(key))
        {
            let what = format!("a source of type {} needs {}", self.kind.name(), key.name());
            return Err(usage(
                what,
                format!("{} is {}", key.name(), key.form().expected()),
            ));
        }
        let table = self.table()?;
        let own = Own::open(env)?;
        let config = own.config(&own.text, env, is_source_name)?;
        if let Some(there) = config.source(&self.name) {
            let what = format!("there is a source {} already: {}", self.name, there.origin);
            return Err(usage(
                what,
                format!("take that out: flr source rm {}", self.name),
            ));
        }
        let text = appended(&own.text, &table);
        let config = own.config(&text, env, is_source_name)?;
        let added = config.source(&self.name).is_some_and(|added| {
            added.kind == self.kind && added.own.iter().count() == self.count()
        });
        if !added {
            let what = format!(
                "{}: no source can be added to this file",
                own.path().display()
            );
            return Err(usage(what, format!("write it by hand:\n{table}")));
        }
        own.locked.replace(&text)?;
        Ok(own.path().to_owned())
    }

    fn count(&self) -> usize {
        self.values
            .len()
            .saturating_add(usize::from(!self.tags.is_empty()))
    }

    /// As a table of TOML.
    fn table(&self) -> Result<String> {
        let mut values = self.values.clone();
        if !self.tags.is_empty() {
            let tags = Value::from_tags(self.tags.clone());
            let tags = tags.map_err(|what| usage(format!("tags: {what}"), "tags.NAME=VALUE"))?;
            values.insert(Key::Tags, tags);
        }
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = write!(
            text,
            "[source.{}]\ntype = \"{}\"\n",
            Bare(&self.name),
            self.kind.name()
        );
        for (key, value) in values {
            let _ = writeln!(text, "{} = {value}", key.name());
        }
        Ok(text)
    }
}

/// A key of TOML, in quotes where it needs them.
struct Bare<'a>(&'a str);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        key_text(f, self.0)
    }
}

/// Takes a source out of the user's file; gives the file.
///
/// # Errors
/// There is none, it is in a file of the machine, its lines cannot be told from others, or the file
/// cannot be written.
pub fn remove(name: &str, env: Env<'_>, is_source_name: fn(&str) -> bool) -> Result<PathBuf> {
    let own = Own::open(env)?;
    let config = own.config(&own.text, env, is_source_name)?;
    let source = config.named(name)?;
    let by_hand = |origin: &dyn fmt::Display| {
        let what = format!("{origin}: the source {name} cannot be taken out alone");
        usage(what, format!("edit {origin}"))
    };
    let lines = taken_out(&own.text, name);
    let Some(text) = lines else {
        // Not at all in this file, or written in a way that no lines can be told.
        let here = own.path().display().to_string();
        return Err(match own.has(name) {
            true => by_hand(&here),
            false => usage(
                format!(
                    "the source {name} is not in {here} but in {}",
                    source.origin
                ),
                "only sources of your own file are taken out",
            ),
        });
    };
    own.config(&text, env, is_source_name)?;
    own.locked.replace(&text)?;
    Ok(own.path().to_owned())
}

/// The user's file, locked.
struct Own {
    places: Places,
    locked: Locked,
    text: String,
}

impl Own {
    fn open(env: Env<'_>) -> Result<Self> {
        let places = Places::of(env);
        let Some(path) = places.own() else {
            let what = "there is no place for a configuration".to_owned();
            return Err(usage(what, "set XDG_CONFIG_HOME, HOME or FLR_CONFIG"));
        };
        let locked = Locked::new(path)?;
        // None is there yet: an empty one is added to.
        let text = file::read(&locked.path)?.unwrap_or_default();
        Ok(Self {
            places,
            locked,
            text,
        })
    }

    fn path(&self) -> &Path {
        &self.locked.path
    }

    /// The whole configuration, as if this file had this text.
    fn config(&self, text: &str, env: Env<'_>, is_name: fn(&str) -> bool) -> Result<Config> {
        file::check_len(self.path(), text.len())?;
        let machine = Places {
            only: None,
            user: None,
            system: match self.places.only {
                Some(_) => None,
                None => self.places.system.clone(),
            },
        };
        let mut files = machine.read()?;
        files.push((self.path().to_owned(), text.to_owned()));
        Config::build(&files, env, is_name)
    }

    /// Whether this file says anything of the source.
    fn has(&self, name: &str) -> bool {
        let table = self.text.parse::<toml::Table>();
        table.is_ok_and(|table| {
            let sources = table.get("source").and_then(toml::Value::as_table);
            sources.is_some_and(|sources| sources.contains_key(name))
        })
    }
}

/// The text with a table behind it.
fn appended(text: &str, table: &str) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut new = text.to_owned();
    if !text.is_empty() {
        if !text.ends_with('\n') {
            new.push_str(end);
        }
        new.push_str(end);
    }
    new + &table.replace('\n', end)
}

/// The text without the tables of a source. `None` if there are none, or if more or less than them would
/// go: what remains must read as before but for them.
fn taken_out(text: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let heads: Vec<(usize, Vec<String>)> = (lines.iter().enumerate())
        .filter_map(|(index, line)| Some((index, head_of(line)?)))
        .collect();
    let ends = heads.iter().skip(1).map(|(index, _)| *index);
    let ends = ends.chain([lines.len()]);
    let regions: Vec<Range<usize>> = (heads.iter().zip(ends))
        .filter(|((_, path), _)| path.first().is_some_and(|first| first == "source"))
        .filter(|((_, path), _)| path.get(1).is_some_and(|second| second == name))
        .map(|((start, _), end)| trimmed(&lines, *start..end))
        .collect();
    if regions.is_empty() {
        return None;
    }
    let kept = lines.iter().enumerate();
    let kept = kept.filter(|(index, _)| !regions.iter().any(|region| region.contains(index)));
    let mut new: String = kept.map(|(_, line)| *line).collect();
    // The empty line that stood before the last table goes with it.
    if regions.last().is_some_and(|last| last.end == lines.len()) {
        let len = new.trim_end().len();
        let rest = new.split_off(len);
        new.extend(rest.split_inclusive('\n').next());
    }
    reads_as_before(text, &new, name).then_some(new)
}

/// A table's lines without the comments behind it, which belong to what follows, and with the empty
/// lines behind it.
fn trimmed(lines: &[&str], region: Range<usize>) -> Range<usize> {
    let is_blank = |index: &usize| lines.get(*index).is_none_or(|line| line.trim().is_empty());
    let is_idle = |index: &usize| {
        is_blank(index)
            || lines
                .get(*index)
                .is_some_and(|line| line.trim().starts_with('#'))
    };
    let last = region.clone().rev().find(|index| !is_idle(index));
    let behind = last.unwrap_or(region.start).saturating_add(1);
    let blank = (behind..region.end).take_while(is_blank).count();
    region.start..behind.saturating_add(blank)
}

/// The path of a table, if the line is the head of one.
fn head_of(line: &str) -> Option<Vec<String>> {
    line.trim_start().starts_with('[').then_some(())?;
    let document: toml::Table = line.trim().parse().ok()?;
    let mut path = Vec::new();
    let mut table = Some(&document);
    while let Some((name, value)) = table.and_then(|table| table.iter().next()) {
        path.push(name.clone());
        table = value.as_table();
    }
    (!path.is_empty()).then_some(path)
}

fn reads_as_before(old: &str, new: &str, name: &str) -> bool {
    let without = |text: &str| {
        let mut table: toml::Table = text.parse().ok()?;
        let sources = table.get_mut("source").and_then(toml::Value::as_table_mut);
        let removed = sources.and_then(|sources| sources.remove(name)).is_some();
        let sources = table.get("source").and_then(toml::Value::as_table);
        if sources.is_some_and(toml::Table::is_empty) {
            table.remove("source");
        }
        Some((table, removed))
    };
    match (without(old), without(new)) {
        (Some((old, true)), Some((new, false))) => old == new,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# mine
ttl = \"1h\"   # an hour

# production
[source.prod]
type = \"aws\"
# which
profile = \"prod\"

[source.prod.tags]
a = \"b\"

# below: the filer
[ source . \"filer.1\" ]  # quoted
type = \"ontap\"
endpoint = \"https://filer\"

[source.last]
type = \"ecs\"
";

    #[test]
    fn a_table_goes_and_nothing_else() {
        let out = taken_out(FILE, "prod").unwrap();
        let kept = "# mine\nttl = \"1h\"   # an hour\n\n# production\n# below: the filer\n[ source";
        assert!(out.starts_with(kept), "{out}");
        let out = taken_out(FILE, "filer.1").unwrap();
        assert!(out.contains("# below: the filer\n[source.last]"), "{out}");
        let out = taken_out(FILE, "last").unwrap();
        assert!(out.ends_with("endpoint = \"https://filer\"\n"), "{out}");
        assert_eq!(taken_out(FILE, "filer"), None);
        assert_eq!(taken_out("", "x"), None);
    }

    #[test]
    fn adding_and_taking_out_is_nothing_done() {
        let table = "[source.new]\ntype = \"aws\"\n";
        for text in [
            "",
            "ttl = \"1h\"\n",
            FILE,
            "# only a remark\n",
            "ttl = \"1h\"\r\n",
        ] {
            let added = appended(text, table);
            assert!(added.parse::<toml::Table>().is_ok(), "{added:?}");
            assert_eq!(added.contains("\r\n"), text.contains("\r\n"));
            assert_eq!(taken_out(&added, "new").as_deref(), Some(text));
        }
        assert_eq!(appended("a = 1", table), format!("a = 1\n\n{table}"));
    }

    #[test]
    fn what_cannot_be_told_apart_is_left() {
        for text in [
            "source.x.type = \"aws\"\n",
            "source = { x = { type = \"aws\" } }\n",
            "[source]\nx.type = \"aws\"\n",
            "[source.x]\ntype = '''\n[a]\n'''\n",
            "[source.x]\ntype = \"aws\"\n[other]\ny = '''\n[source.x]\n'''\n",
        ] {
            assert!(text.parse::<toml::Table>().is_ok(), "{text}");
            assert_eq!(taken_out(text, "x"), None, "{text}");
        }
    }

    #[test]
    fn a_new_source_is_checked_before_anything_is_written() {
        let yes = |_: &str| true;
        let mut new = NewSource::new("a.b", "aws", yes).unwrap();
        new.set("profile", "p\"q").unwrap();
        new.set("tags.Cost Center", "it-42").unwrap();
        assert_eq!(
            new.table().unwrap(),
            "[source.\"a.b\"]\ntype = \"aws\"\nprofile = \"p\\\"q\"\ntags = { \"Cost Center\" = \"it-42\" }\n"
        );
        for (name, value, what) in [
            ("profile", "x", "profile is set twice"),
            ("tags.Cost Center", "x", "is set twice"),
            ("svm", "x", "a source of type aws has no key svm"),
            (
                "secret_key",
                "hunter2",
                "the key secret_key would hold a secret",
            ),
            (
                "endpoint",
                "https://a:hunter2@h",
                "endpoint: expected a URL without a user",
            ),
            ("ttl", "hunter2", "ttl: expected a length of time"),
            ("tags", "hunter2", "tags: expected tags one by one"),
        ] {
            let error = new.set(name, value).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
            let all = format!("{error:?} {:?}", error.hint());
            assert!(!all.contains("hunter2"), "{all}");
        }
        assert!(NewSource::new("a", "asw", yes).is_err());
        assert!(NewSource::new("aws", "aws", |_| false).is_err());
    }
}
