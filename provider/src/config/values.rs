//! Values by their keys, and what each is used as.

use super::keys::Key;
use super::value::{Origin, Setting, Value};
use crate::error::Result;
use crate::point::AccessMode;
use crate::secret::{Secret, Whence};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Values by their keys. A getter gives `None` for what nobody has set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    map: BTreeMap<Key, Setting>,
}

impl Values {
    /// The value of a key, and where it comes from.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Setting> {
        self.map.get(&key)
    }

    /// All that are set, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Setting)> {
        self.map.iter().map(|(key, setting)| (*key, setting))
    }

    pub(super) fn set(&mut self, key: Key, value: Value, origin: Origin) {
        self.map.insert(key, Setting { value, origin });
    }

    /// Takes those of `others` that `wanted` says; they win.
    pub(super) fn overlay(&mut self, others: &Self, wanted: impl Fn(Key) -> bool) {
        for (key, setting) in others.iter().filter(|(key, _)| wanted(*key)) {
            self.map.insert(key, setting.clone());
        }
    }

    fn text(&self, key: Key) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn path_of(&self, key: Key) -> Option<&Path> {
        match &self.get(key)?.value {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    fn bytes(&self, key: Key) -> Option<u64> {
        match self.get(key)?.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Profile of the provider's own configuration.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.text(Key::Profile)
    }

    /// Region.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.text(Key::Region)
    }

    /// Address of the provider's interface.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.text(Key::Endpoint)
    }

    /// URL that names are appended to.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.text(Key::Url)
    }

    /// Bucket.
    #[must_use]
    pub fn bucket(&self) -> Option<&str> {
        self.text(Key::Bucket)
    }

    /// Folder that names are looked up in.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path_of(Key::Path)
    }

    /// Storage virtual machine.
    #[must_use]
    pub fn svm(&self) -> Option<&str> {
        self.text(Key::Svm)
    }

    /// Client certificate and its key, in one PEM file.
    #[must_use]
    pub fn client_cert(&self) -> Option<&Path> {
        self.path_of(Key::ClientCert)
    }

    /// User. Without one the password of an HTTP server is a bearer token.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.text(Key::Username)
    }

    /// How snapshots are read; `auto` if nobody says.
    #[must_use]
    pub fn access(&self) -> AccessMode {
        match self.get(Key::Access) {
            Some(Setting {
                value: Value::Access(mode),
                ..
            }) => *mode,
            _ => AccessMode::default(),
        }
    }

    /// How long others leave alone what was made.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        match self.get(Key::Ttl)?.value {
            Value::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    /// Dollars that reading may cost: finite, from 0.
    #[must_use]
    pub fn max_cost_usd(&self) -> Option<f64> {
        match self.get(Key::MaxCostUsd)?.value {
            Value::Dollars(dollars) => Some(dollars),
            _ => None,
        }
    }

    /// More tags for what is made, in order; never ours, and at most 40.
    #[must_use]
    pub fn tags(&self) -> Vec<(String, String)> {
        match self.get(Key::Tags) {
            Some(Setting {
                value: Value::Tags(tags),
                ..
            }) => tags.clone().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Folder of the disk cache.
    #[must_use]
    pub fn cache_dir(&self) -> Option<&Path> {
        self.path_of(Key::CacheDir)
    }

    /// Bytes of the cache in memory.
    #[must_use]
    pub fn cache_bytes(&self) -> Option<u64> {
        self.bytes(Key::CacheBytes)
    }

    /// Bytes of the disk cache.
    #[must_use]
    pub fn disk_cache_bytes(&self) -> Option<u64> {
        self.bytes(Key::DiskCacheBytes)
    }

    /// The password, from where the configuration says it is; nothing is remembered. May run a command
    /// and blocks for as long as that takes, two minutes at most.
    ///
    /// # Errors
    /// The command fails, the file is not there, is not the user's alone, or does not hold one line.
    pub fn password(&self) -> Result<Option<Secret>> {
        let whence = if let Some(command) = self.text(Key::PasswordCommand) {
            Whence::Command(command)
        } else if let Some(path) = self.path_of(Key::PasswordFile) {
            Whence::File(path)
        } else if let Some(name) = self.text(Key::PasswordCredential) {
            Whence::Credential(name)
        } else {
            return Ok(None);
        };
        whence.read(&|name| std::env::var_os(name)).map(Some)
    }
}
