//! A stand-in for Alibaba Cloud on loopback, for which there is no emulator at all.
//!
//! ECS with Cloud Assistant, Cloud Backup, STS and the metadata of an instance answer on one port.
//! Signatures of version 3 are checked. It is written from what the services document, and held against
//! the vendor's own client, so that it does not share the mistakes of ours. What no client of ours may
//! ever do is written down, and fails the test that did it when the stand-in ends.

mod acs3;
mod assistant;
mod config;
mod context;
mod device;
mod ecs;
mod error;
mod hbr;
mod identity;
mod metadata;
mod model;
mod params;
mod plugin;
mod route;
mod select;
mod service;
mod state;
mod sts;

pub use crate::stand_in::device::Bus;
pub use crate::stand_in::{Answer, BLOCK_LEN, Blocks, FakeFault, Outcome, Rate, When};
pub use assistant::Invocation;
pub use config::{
    ACCOUNT, AccessKey, Assistant, Config, INSTANCE, Money, OTHER_ACCOUNT, REGION, ROLE, Settings,
    ZONE,
};
pub use hbr::BackupPoint;
pub use metadata::{Metadata, MetadataMode};
pub use model::{
    Attachment, Disk, Image, ImageDisk, Instance, Snapshot, SnapshotGroup, Tables, Tags,
};
pub use service::{Call, Service};
pub use state::{State, Violation};

use crate::stand_in::error::{Result, ServiceError};
use crate::stand_in::{self, Asked, Caller, Cloud, Request, Route, Setup, Times};
use context::Context;
use std::path::PathBuf;
use std::time::Duration;

/// A running stand-in. It ends when this is dropped.
pub type Fake = stand_in::Fake<Alibaba>;

/// Alibaba Cloud, as far as it is stood in for.
#[derive(Debug)]
pub struct Alibaba;

impl Cloud for Alibaba {
    type Config = Config;
    type State = State;
    type Service = Service;

    fn setup(config: &Config) -> Setup {
        Setup {
            name: "ecs-fake",
            port: config.port,
            dev_root: config.dev_root.clone(),
            tls: None,
        }
    }

    fn state(config: &Config) -> State {
        State::new(config)
    }

    fn route(request: &Request) -> Route<Service> {
        route::route(request)
    }

    fn caller(
        state: &mut State,
        request: &Request,
        (service, operation, _): &Route<Service>,
        times: Times,
    ) -> Result<Caller> {
        match service {
            Service::Metadata => Ok(Caller::default()),
            Service::Sts if sts::is_anonymous(operation) => {
                identity::watch_secrets(state, request);
                Ok(Caller::default())
            }
            _ => identity::verify(state, request, times),
        }
    }

    fn disks(state: &State, now: i64) -> Vec<stand_in::Disk> {
        device::disks(state, now)
    }

    fn lag(state: &State, operation: &str) -> Duration {
        state.lag(operation)
    }

    fn request_id(state: &mut State) -> String {
        state.ids.uuid().to_uppercase()
    }

    fn of_fault(fault: &FakeFault, _: Service, _: i64) -> Option<ServiceError> {
        error::of_fault(fault)
    }

    fn answer(asked: &Asked<'_, Self>, caller: Caller) -> Result {
        let context = Context::new(asked, caller);
        route::dispatch(&context, asked.request)
    }

    fn ended(state: &State) {
        let violations = &state.violations;
        assert!(violations.is_empty(), "never to be done: {violations:#?}");
    }

    fn refuse(service: Service, error: &ServiceError, request_id: &str) -> Answer {
        error::answer(service, error, request_id)
    }
}

impl Fake {
    /// The variables that lead flr here, with the first key.
    ///
    /// # Panics
    /// If the stand-in has no key.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let config = self.config();
        let key = config.keys.first().expect("a key");
        let region = config.regions.first().map_or(REGION, String::as_str);
        let mut variables = vec![
            ("FLR_ECS_ENDPOINT", self.url()),
            ("FLR_HBR_ENDPOINT", self.url()),
            ("FLR_STS_ENDPOINT", self.url()),
            ("FLR_ECS_METADATA_ENDPOINT", self.url()),
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.clone()),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret.clone()),
            ("ALIBABA_CLOUD_REGION_ID", region.to_owned()),
        ];
        let root = config.dev_root.as_ref();
        variables.extend(root.map(|root| ("FLR_DEV_ROOT", root.display().to_string())));
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        variables.into_iter().map(owned).collect()
    }

    /// Where devices appear.
    #[must_use]
    pub fn dev_root(&self) -> Option<&PathBuf> {
        self.config().dev_root.as_ref()
    }

    /// What must never be done, and was: it is forgotten, and does not fail the test any more.
    #[must_use]
    pub fn take_violations(&self) -> Vec<Violation> {
        std::mem::take(&mut self.state().violations)
    }

    /// Disks and snapshots that are there and that a client has made, by id.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let now = self.now();
        let state = self.state();
        let prefix = &state.settings.tag_prefix;
        let has_ours = |tags: &Tags| tags.keys().any(|key| key.starts_with(prefix));
        let disks = state.disks.values().filter(|disk| {
            let is_there = disk.gone.is_none() && disk.status(now).is_some();
            is_there && (disk.by_client || has_ours(&disk.tags))
        });
        let snapshots = state.snapshots.values();
        let snapshots = snapshots.filter(|one| one.by_client || has_ours(&one.tags));
        let disks = disks.map(|disk| disk.id.clone());
        disks.chain(snapshots.map(|one| one.id.clone())).collect()
    }

    /// Calls of an operation so far.
    #[must_use]
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        let mut calls = self.requests();
        calls.retain(|call| call.operation == operation);
        calls
    }

    /// Backup points that Cloud Backup does not manage any more, because a disk was made from them.
    #[must_use]
    pub fn left_lifecycle(&self) -> Vec<String> {
        let state = self.state();
        let left = state.backups.iter().filter(|point| point.left_lifecycle);
        left.map(|point| point.id.clone()).collect()
    }
}
