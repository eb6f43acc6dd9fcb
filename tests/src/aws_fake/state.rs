//! All that the stand-in knows, behind one lock.

use super::clock::ms;
use super::config::{AccessKey, Config, Rate, Settings};
use super::encoding::hex;
use super::lightsail::Lightsail;
use super::metadata::Metadata;
use super::model::Tables;
use super::sigv4::{hmac, sha256};
use std::collections::{BTreeMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// What is older than this nobody asks for.
const HISTORY_MS: i64 = 180_000;
const HISTORY_MAX: usize = 2000;

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

#[derive(Debug)]
struct Bucket {
    /// Thousandths of requests.
    level: i64,
    at: i64,
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
    pub(crate) secret: [u8; 32],
    /// What was there, and until when.
    history: VecDeque<(i64, Tables)>,
    buckets: BTreeMap<String, Bucket>,
    ids: u64,
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
            secret: sha256(&config.seed.to_be_bytes()),
            history: VecDeque::new(),
            buckets: BTreeMap::new(),
            ids: 0,
        }
    }

    /// 32 bytes that look random and never come again.
    pub(crate) fn random(&mut self) -> [u8; 32] {
        self.ids += 1;
        hmac(&self.secret, &self.ids.to_be_bytes())
    }

    /// A new id, as long as those of today: `vol-0…` with 17 digits.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", &hex(&self.random())[..16])
    }

    /// Like a UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let digits = hex(&self.random());
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
        parts.join("-")
    }

    /// The tables, to be changed: what was there is remembered for those who are behind.
    pub(crate) fn change(&mut self, now: i64) -> &mut Tables {
        self.history.push_back((now, self.tables.clone()));
        while self.history.len() > HISTORY_MAX
            || (self.history.front()).is_some_and(|(until, _)| *until < now - HISTORY_MS)
        {
            self.history.pop_front();
        }
        &mut self.tables
    }

    /// The tables as they were at a time.
    pub(crate) fn at(&self, at: i64) -> &Tables {
        let mut history = self.history.iter();
        let then = history.find(|(until, _)| *until > at);
        then.map_or(&self.tables, |(_, tables)| tables)
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
        let Some(Rate { per_second, burst }) = rate else {
            return true;
        };
        let full = burst.max(1) * 1000;
        let bucket = self.buckets.entry(what.to_owned());
        let bucket = bucket.or_insert(Bucket {
            level: full,
            at: now,
        });
        // So many requests a second are as many thousandths a millisecond.
        let level = bucket.level + (now - bucket.at).max(0) * per_second;
        bucket.at = now;
        bucket.level = level.min(full);
        let is_enough = bucket.level >= 1000;
        if is_enough {
            bucket.level -= 1000;
        }
        is_enough
    }
}
