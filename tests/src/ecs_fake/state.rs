//! All that the stand-in knows, behind one lock.

use super::assistant::Invocation;
use super::config::{AccessKey, Config, Settings};
use super::hbr::BackupPoint;
use super::metadata::Metadata;
use super::model::Tables;
use crate::stand_in::encoding::hex;
use crate::stand_in::history::History;
use crate::stand_in::ids::Ids;
use crate::stand_in::rate::Buckets;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// What a client token was used for.
#[derive(Clone, Debug)]
pub(crate) struct TokenUse {
    pub(crate) parameters: Vec<(String, String)>,
    /// What the call has made.
    pub(crate) made: String,
    /// The call is not over before.
    pub(crate) over: i64,
}

/// Something that no client of ours may ever do, and that the services let it do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of the request; 0 if it came before it was counted.
    pub call: usize,
    /// What was done.
    pub what: String,
}

/// The model of the stand-in, and how it behaves. The tables of ECS are reached through it directly.
#[derive(Debug)]
pub struct State {
    /// What ECS has.
    pub tables: Tables,
    /// What Cloud Backup has.
    pub backups: Vec<BackupPoint>,
    /// Commands that were run through Cloud Assistant.
    pub invocations: Vec<Invocation>,
    /// What the metadata say.
    pub metadata: Metadata,
    /// Keys that signatures are checked with.
    pub keys: Vec<AccessKey>,
    /// How it behaves.
    pub settings: Settings,
    /// What no client of ours may ever do, and one did.
    pub violations: Vec<Violation>,
    pub(crate) regions: Vec<String>,
    /// What a listing is of, and where it goes on.
    pub(crate) pages: BTreeMap<String, (String, usize)>,
    /// By account, operation and token.
    pub(crate) client_tokens: BTreeMap<[String; 3], TokenUse>,
    /// By key.
    pub(crate) nonces: BTreeSet<(String, String)>,
    pub(crate) ids: Ids,
    pub(crate) buckets: Buckets,
    /// What was there, and until when.
    history: History<Tables>,
}

impl Deref for State {
    type Target = Tables;

    fn deref(&self) -> &Tables {
        &self.tables
    }
}

impl DerefMut for State {
    fn deref_mut(&mut self) -> &mut Tables {
        &mut self.tables
    }
}

impl State {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            tables: Tables::default(),
            backups: Vec::new(),
            invocations: Vec::new(),
            metadata: Metadata::new(config),
            keys: config.keys.clone(),
            settings: Settings::default(),
            violations: Vec::new(),
            regions: config.regions.clone(),
            pages: BTreeMap::new(),
            client_tokens: BTreeMap::new(),
            nonces: BTreeSet::new(),
            ids: Ids::new(config.seed),
            buckets: Buckets::default(),
            history: History::default(),
        }
    }

    /// A new id, as long as those of today: `d-bp…` with 18 letters and digits.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-bp{}", &hex(&self.ids.random())[..18])
    }

    /// The tables, to be changed: what was there is remembered for those who are behind.
    pub(crate) fn change(&mut self, now: i64) -> &mut Tables {
        self.history.keep(now, self.tables.clone());
        &mut self.tables
    }

    /// The tables as they were at a time.
    pub(crate) fn at(&self, at: i64) -> &Tables {
        self.history.at(at).unwrap_or(&self.tables)
    }

    /// How far an operation is behind.
    pub(crate) fn lag(&self, operation: &str) -> Duration {
        let settings = &self.settings;
        let own = settings.lag_of.get(operation).copied();
        own.unwrap_or(settings.lag)
    }

    /// Writes down what must never be done.
    pub(crate) fn violation(&mut self, call: usize, what: impl Into<String>) {
        let what = what.into();
        self.violations.push(Violation { call, what });
    }
}
