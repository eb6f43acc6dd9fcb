//! All that the stand-in knows, behind one lock.

use super::config::{AccessKey, Config, Settings};
use super::lightsail::Lightsail;
use super::metadata::Metadata;
use super::model::Tables;
use crate::stand_in::Rate;
use crate::stand_in::clock::ms;
use crate::stand_in::encoding::hex;
use crate::stand_in::history::History;
use crate::stand_in::ids::Ids;
use crate::stand_in::rate::Buckets;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// Where a listing goes on.
#[derive(Clone, Debug)]
pub(crate) struct PageToken {
    /// What it is a listing of.
    pub(crate) of: String,
    pub(crate) next: u64,
    pub(crate) expires: i64,
}

/// What a client token was used for.
#[derive(Clone, Debug)]
pub(crate) struct TokenUse {
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) volume_id: String,
}

/// The model of the stand-in, and how it behaves. The tables of EC2 are reached through it directly.
#[derive(Debug)]
pub struct State {
    /// What EC2 has.
    pub tables: Tables,
    /// What Lightsail has.
    pub lightsail: Lightsail,
    /// What the metadata say.
    pub metadata: Metadata,
    /// Keys that signatures are checked with.
    pub keys: Vec<AccessKey>,
    /// How it behaves.
    pub settings: Settings,
    pub(crate) regions: Vec<String>,
    pub(crate) pages: BTreeMap<String, PageToken>,
    /// By account, region, zone and token.
    pub(crate) client_tokens: BTreeMap<[String; 4], TokenUse>,
    /// Pages of EBS direct so far.
    pub(crate) pages_sent: usize,
    /// What was there, and until when.
    history: History<Tables>,
    buckets: Buckets,
    pub(crate) ids: Ids,
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
            lightsail: Lightsail::default(),
            metadata: Metadata::new(config),
            keys: config.keys.clone(),
            settings: Settings::default(),
            regions: config.regions.clone(),
            pages: BTreeMap::new(),
            client_tokens: BTreeMap::new(),
            pages_sent: 0,
            history: History::default(),
            buckets: Buckets::default(),
            ids: Ids::new(config.seed),
        }
    }

    /// 32 bytes that look random and never come again.
    pub(crate) fn random(&mut self) -> [u8; 32] {
        self.ids.random()
    }

    /// A new id, as long as those of today: `vol-0…` with 17 digits.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", &hex(&self.random())[..16])
    }

    /// Like a UUID.
    pub(crate) fn uuid(&mut self) -> String {
        self.ids.uuid()
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

    /// A token for the next page of a listing.
    pub(crate) fn page_token(&mut self, of: String, next: u64, now: i64, life: Duration) -> String {
        use base64::Engine as _;
        let expires = now + ms(life);
        let random = self.random();
        let token = base64::engine::general_purpose::STANDARD.encode(random);
        // Every one has what a query must encode.
        let token = format!("AAABA+/{token}");
        self.pages
            .insert(token.clone(), PageToken { of, next, expires });
        token
    }

    /// Whether there may be one more request of this kind now.
    pub(crate) fn take(&mut self, what: &str, rate: Option<Rate>, now: i64) -> bool {
        self.buckets.take(what, rate, now)
    }
}
