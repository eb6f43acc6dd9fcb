//! One file of the configuration, read and checked as far as it can be alone.

use super::keys::{self, Key, SourceType};
use super::value::{Origin, Value, word};
use super::values::Values;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How many sources a file may have.
const SOURCE_COUNT_MAX: usize = 10_000;

/// What one file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    pub(super) top: Values,
    pub(super) sources: BTreeMap<String, LayerSource>,
}

/// What one file says of one source.
#[derive(Clone, Debug)]
pub(super) struct LayerSource {
    pub(super) kind: Option<(SourceType, Origin)>,
    pub(super) values: Values,
    /// Where it is first named in this file.
    pub(super) origin: Origin,
}

/// An error about a place in the configuration.
pub(super) fn mistake(origin: &Origin, what: &str, hint: impl Into<String>) -> Error {
    Error::Usage {
        what: format!("{origin}: {what}"),
        hint: Some(hint.into()),
    }
}

/// A name from a file, fit to be shown.
pub(super) fn shown(name: &str) -> String {
    const CHARS_MAX: usize = 64;
    let short: String = name.chars().take(CHARS_MAX).collect();
    let more = if short.len() < name.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug())
}

/// Reads the text of a file.
pub(super) fn parse(path: &Arc<Path>, text: &str, is_name: fn(&str) -> bool) -> Result<Layer> {
    let reader = Reader {
        path,
        text,
        is_name,
    };
    let document = DeTable::parse(text).map_err(|error| {
        // Not the error's own text, which quotes the line: there may be a secret in it.
        let origin = reader.origin(error.span().as_ref());
        let message = error.message().to_lowercase();
        mistake(&origin, &message, "the form is TOML: https://toml.io")
    })?;
    reader.document(document.get_ref())
}

struct Reader<'a> {
    path: &'a Arc<Path>,
    text: &'a str,
    is_name: fn(&str) -> bool,
}

type Entry<'a, 'i> = (
    &'a Spanned<toml::de::DeString<'i>>,
    &'a Spanned<DeValue<'i>>,
);

impl Reader<'_> {
    fn origin(&self, span: Option<&Range<usize>>) -> Origin {
        let before = span.and_then(|span| self.text.get(..span.start));
        let before = before.unwrap_or_default().bytes();
        let breaks = before.filter(|byte| *byte == b'\n').count();
        Origin::File {
            path: Arc::clone(self.path),
            line: breaks.saturating_add(1),
        }
    }

    fn document(&self, document: &DeTable<'_>) -> Result<Layer> {
        let mut layer = Layer::default();
        for (name, value) in document {
            if name.get_ref() == "source" {
                layer.sources = self.sources((name, value))?;
                continue;
            }
            let key = self.top_key((name, value))?;
            let origin = self.origin(Some(&name.span()));
            let value = self.value(key, value.get_ref(), &origin)?;
            layer.top.set(key, value, origin);
        }
        Ok(layer)
    }

    fn top_key(&self, (name, value): Entry<'_, '_>) -> Result<Key> {
        let origin = self.origin(Some(&name.span()));
        let name = name.get_ref();
        self.refuse_secret(name, &origin)?;
        let top = Key::ALL.into_iter().filter(|key| key.is_top());
        match Key::of(name) {
            Some(key) if key.is_top() => Ok(key),
            Some(_) => {
                let what = format!("the key {name} belongs to a source");
                Err(mistake(&origin, &what, "put it below a line [source.NAME]"))
            }
            None if value.get_ref().is_table() => {
                let what = format!("unknown table {}", shown(name));
                Err(mistake(&origin, &what, "tables are called [source.NAME]"))
            }
            None => {
                let what = format!("unknown key {}", shown(name));
                let instead = keys::instead(name, top.map(Key::name));
                Err(mistake(&origin, &what, instead))
            }
        }
    }

    fn sources(&self, (name, value): Entry<'_, '_>) -> Result<BTreeMap<String, LayerSource>> {
        const HINT: &str = "tables are called [source.NAME]";
        let origin = self.origin(Some(&name.span()));
        let Some(table) = value.get_ref().as_table() else {
            let what = format!("source: expected a table, found {}", word(value.get_ref()));
            return Err(mistake(&origin, &what, HINT));
        };
        if table.len() > SOURCE_COUNT_MAX {
            let what = format!("expected at most {SOURCE_COUNT_MAX} sources");
            return Err(mistake(&origin, &what, "take out what is not used"));
        }
        let mut sources = BTreeMap::new();
        for (name, value) in table {
            let origin = self.origin(Some(&name.span()));
            let name = name.get_ref();
            let Some(table) = value.get_ref().as_table() else {
                let (name, found) = (shown(name), word(value.get_ref()));
                let what = format!("source.{name}: expected a table, found {found}");
                return Err(mistake(&origin, &what, HINT));
            };
            if !(self.is_name)(name) {
                let what = format!("no source can be called {}", shown(name));
                return Err(mistake(&origin, &what, super::NAME_HINT));
            }
            sources.insert(name.to_string(), self.source(name, table, origin)?);
        }
        Ok(sources)
    }

    fn source(&self, source: &str, table: &DeTable<'_>, origin: Origin) -> Result<LayerSource> {
        let mut read = LayerSource {
            kind: None,
            values: Values::default(),
            origin,
        };
        for (name, value) in table {
            let origin = self.origin(Some(&name.span()));
            let (name, value) = (name.get_ref(), value.get_ref());
            if name == "type" {
                read.kind = Some((self.kind(value, &origin)?, origin));
                continue;
            }
            self.refuse_secret(name, &origin)?;
            let key = match Key::of(name) {
                Some(key) if !key.types().is_empty() => key,
                Some(_) => {
                    let what = format!("the key {name} is not of a source");
                    return Err(mistake(&origin, &what, "put it above all tables"));
                }
                None => {
                    let what = format!("unknown key {} of the source {source}", shown(name));
                    let known = self.known(table);
                    return Err(mistake(
                        &origin,
                        &what,
                        keys::instead(name, known.into_iter()),
                    ));
                }
            };
            let value = self.value(key, value, &origin)?;
            read.values.set(key, value, origin);
        }
        Ok(read)
    }

    /// The keys of a source, as far as its type is known here.
    fn known(&self, table: &DeTable<'_>) -> Vec<&'static str> {
        let kind = table.get("type").and_then(|kind| kind.get_ref().as_str());
        match kind.and_then(SourceType::of) {
            Some(kind) => ["type"]
                .into_iter()
                .chain(kind.keys().map(Key::name))
                .collect(),
            None => {
                let keys = Key::ALL.into_iter().filter(|key| !key.types().is_empty());
                ["type"].into_iter().chain(keys.map(Key::name)).collect()
            }
        }
    }

    fn kind(&self, value: &DeValue<'_>, origin: &Origin) -> Result<SourceType> {
        let Some(text) = value.as_str() else {
            let what = format!("type: expected text, found {}", word(value));
            return Err(mistake(origin, &what, "type = \"aws\""));
        };
        kind_of(text).map_err(|(what, hint)| mistake(origin, &what, hint))
    }

    fn value(&self, key: Key, value: &DeValue<'_>, origin: &Origin) -> Result<Value> {
        Value::from_toml(key, value).map_err(|what| {
            let what = format!("{}: {what}", key.name());
            mistake(origin, &what, "flr config show tells what is set")
        })
    }

    fn refuse_secret(&self, name: &str, origin: &Origin) -> Result<()> {
        match keys::is_secret(name) {
            true => {
                let what = format!("the key {} would hold a secret", shown(name));
                Err(mistake(origin, &what, super::SECRET_HINT))
            }
            false => Ok(()),
        }
    }
}

/// The type of this name, or what is wrong and what to try.
pub(super) fn kind_of(name: &str) -> std::result::Result<SourceType, (String, String)> {
    SourceType::of(name).ok_or_else(|| {
        let names: Vec<_> = SourceType::ALL.iter().map(|kind| kind.name()).collect();
        let what = format!("unknown type {}", shown(name));
        (what, format!("types are {}", names.join(", ")))
    })
}
