//! The configuration: sources, and what holds for all of them.
//!
//! | first wins | |
//! |---|---|
//! | an option | [`Config::set_option`] |
//! | a variable `FLR_*` | [`Key::variable`] |
//! | `$XDG_CONFIG_HOME/flr/config.toml` | `~/.config` if that is not set |
//! | `/etc/flr/conf.d/*.toml` | the last by name first |
//! | `/etc/flr/config.toml` | |
//!
//! `FLR_CONFIG=FILE` stands for all files. A file that wins does so key by key, also within a source;
//! a value keeps its file and line. What a source says wins over what stands outside of sources, and
//! options and variables win over both. No file holds a secret: it names where one is.
//!
//! | module | |
//! |---|---|
//! | `keys` | which keys there are |
//! | `value`, `values` | what they may be set to |
//! | `file` | where the files are |
//! | `layer` | one file, read |
//! | [`mod@edit`] | adding and removing sources |
//! | `replace` | writing a file whole |

pub mod edit;
mod file;
mod keys;
mod layer;
mod near;
mod replace;
mod value;
mod values;

#[cfg(test)]
mod tests;

pub use self::file::{Env, Places};
pub use self::keys::{Form, Key, SourceType};
pub use self::value::{Origin, Setting, Value, access_word, duration, duration_text};
pub use self::values::Values;

use self::layer::{Layer, mistake};
use crate::error::{Error, Result};
use crate::point::AccessMode;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

const NAME_HINT: &str = "a name has letters, digits, '.', '_' and '-', and is not that of a provider, \
     a URL scheme or a cloud's identifier";

const SECRET_HINT: &str = "no secret stands in a configuration: use password_command, \
     password_credential (a file in $CREDENTIALS_DIRECTORY) or password_file (mode 0600); \
     a cloud's keys stay with its own tools, and profile names them";

/// A source: a name for a provider, with how to get to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name, before the colon of an address.
    pub name: String,
    /// What it is.
    pub kind: SourceType,
    /// What it says itself, without what holds for all.
    pub own: Values,
    /// Where its type is said.
    pub origin: Origin,
}

/// The configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    top: Values,
    sources: BTreeMap<String, Source>,
    /// Variables, then options.
    over: Values,
    files: Vec<PathBuf>,
}

impl Config {
    /// Reads the configuration. `is_source_name` says what a source may be called: what it refuses,
    /// no address could name. Blocks on the disk only.
    ///
    /// # Errors
    /// A file cannot be read or must not be trusted, a key or value makes no sense, a source lacks
    /// something; the message names file, line and key.
    pub fn load(env: Env<'_>, is_source_name: fn(&str) -> bool) -> Result<Self> {
        Self::load_from(Places::of(env), env, is_source_name)
    }

    /// The same from other places.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_from(
        places: Places,
        env: Env<'_>,
        is_source_name: fn(&str) -> bool,
    ) -> Result<Self> {
        let files = places.read()?;
        Self::build(&files, env, is_source_name)
    }

    fn build(
        files: &[(PathBuf, String)],
        env: Env<'_>,
        is_source_name: fn(&str) -> bool,
    ) -> Result<Self> {
        let mut merged = Layer::default();
        for (path, text) in files {
            let layer = layer::parse(&Arc::from(path.as_path()), text, is_source_name)?;
            merged.top.overlay(&layer.top, |_| true);
            for (name, source) in layer.sources {
                match merged.sources.get_mut(&name) {
                    Some(earlier) => {
                        earlier.values.overlay(&source.values, |_| true);
                        earlier.kind = source.kind.or(earlier.kind.take());
                        earlier.origin = source.origin;
                    }
                    None => drop(merged.sources.insert(name, source)),
                }
            }
        }
        let mut sources = BTreeMap::new();
        for (name, source) in merged.sources {
            sources.insert(name.clone(), finished(name, source)?);
        }
        Ok(Self {
            top: merged.top,
            sources,
            over: variables(env)?,
            files: files.iter().map(|(path, _)| path.clone()).collect(),
        })
    }

    /// Sets what an option says; it wins over everything. `text` is what was typed.
    ///
    /// # Errors
    /// It is no value of this key.
    pub fn set_option(&mut self, key: Key, text: &str) -> Result<()> {
        let option = key.option().unwrap_or(key.name());
        let value = Value::from_text(key, text).map_err(|what| Error::Usage {
            what: format!("{option}: {what}"),
            hint: None,
        })?;
        self.over.set(key, value, Origin::Option(option));
        Ok(())
    }

    /// The source of this name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    /// The source of this name.
    ///
    /// # Errors
    /// There is none; the hint has the nearest.
    pub fn named(&self, name: &str) -> Result<&Source> {
        self.source(name).ok_or_else(|| Error::NoSuch {
            what: format!("there is no source {}", layer::shown(name)),
            hint: Some(
                match near::nearest(name, self.sources.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "flr source ls".to_owned(),
                },
            ),
        })
    }

    /// The source that an address of ONTAP without one means: the only one of this SVM, or the only
    /// one that names none, or the only one of all.
    #[must_use]
    pub fn ontap(&self, svm: Option<&str>) -> Option<&Source> {
        let all = || self.sources().filter(|one| one.kind == SourceType::Ontap);
        let of_svm = |one: &&Source| svm.is_some() && one.own.svm() == svm;
        let of_none = |one: &&Source| one.own.svm().is_none();
        only(all().filter(of_svm))
            .or_else(|| only(all().filter(of_none)))
            .or_else(|| only(all()))
    }

    /// All sources, by name.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    /// Their names, as the parser of addresses wants them.
    #[must_use]
    pub fn source_names(&self) -> Vec<String> {
        self.sources.keys().cloned().collect()
    }

    /// What holds for addresses of this source, or for those without one.
    #[must_use]
    pub fn effective(&self, source: Option<&Source>) -> Values {
        let mut values = Values::default();
        match source {
            Some(source) => {
                let of_it = |key: Key| key.types().contains(&source.kind) || key.types().is_empty();
                values.overlay(&self.top, of_it);
                values.overlay(&source.own, of_it);
                values.overlay(&self.over, of_it);
            }
            None => {
                values.overlay(&self.top, |_| true);
                values.overlay(&self.over, |_| true);
            }
        }
        values
    }

    /// What holds where nobody says anything, for keys of which that is a value of its own.
    #[must_use]
    pub fn default_of(key: Key) -> Option<Value> {
        match key {
            Key::Access => Some(Value::Access(AccessMode::default())),
            Key::Ttl => Some(Value::Duration(crate::engine::Settings::default().ttl)),
            Key::CacheBytes => {
                let bytes = crate::remote::Settings::default().cache_bytes;
                u64::try_from(bytes).ok().map(Value::Bytes)
            }
            _ => None,
        }
    }

    /// The files that were read, the one that wins last.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

/// The only one, if there is only one.
fn only<T>(mut of: impl Iterator<Item = T>) -> Option<T> {
    of.next().filter(|_| of.next().is_none())
}

/// What can be checked only when all files were read.
fn finished(name: String, source: layer::LayerSource) -> Result<Source> {
    let Some((kind, origin)) = source.kind else {
        let what = format!("the source {name} has no type");
        return Err(mistake(&source.origin, &what, "type = \"aws\""));
    };
    let type_name = kind.name();
    if let Some((key, setting)) = source
        .values
        .iter()
        .find(|(key, _)| !key.types().contains(&kind))
    {
        let types: Vec<_> = key.types().iter().map(|kind| kind.name()).collect();
        let what = format!(
            "the source {name} is of type {type_name}, and {} is a key of {}",
            key.name(),
            types.join(", ")
        );
        let keys: Vec<_> = kind.keys().map(Key::name).collect();
        let hint = format!("keys of {type_name} are {}", keys.join(", "));
        return Err(mistake(&setting.origin, &what, hint));
    }
    if let Some(key) = kind.needs().filter(|key| source.values.get(*key).is_none()) {
        let what = format!(
            "the source {name} of type {type_name} has no {}",
            key.name()
        );
        let hint = format!("{} is {}", key.name(), key.form().expected());
        return Err(mistake(&origin, &what, hint));
    }
    let passwords = [
        Key::PasswordCommand,
        Key::PasswordFile,
        Key::PasswordCredential,
    ];
    let mut passwords = passwords
        .into_iter()
        .filter_map(|key| source.values.get(key));
    if let (Some(_), Some(second)) = (passwords.next(), passwords.next()) {
        let what = format!("the source {name} says twice where its password is");
        let hint = "keep one of password_command, password_file and password_credential";
        return Err(mistake(&second.origin, &what, hint));
    }
    Ok(Source {
        name,
        kind,
        own: source.values,
        origin,
    })
}

/// What the environment says. A variable that is set to nothing is not set.
fn variables(env: Env<'_>) -> Result<Values> {
    let mut values = Values::default();
    for key in Key::ALL {
        let Some(name) = key.variable() else { continue };
        let Some(text) = env(name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let wrong = |what: String| Error::Usage {
            what: format!("{name}: {what}"),
            hint: Some(format!(
                "unset {name}, or set it to {}",
                key.form().expected()
            )),
        };
        let text = text
            .to_str()
            .ok_or_else(|| wrong("expected UTF-8".to_owned()))?;
        let value = Value::from_text(key, text).map_err(wrong)?;
        values.set(key, value, Origin::Variable(name));
    }
    Ok(values)
}
