//! A stand-in for AWS on loopback, for what no emulator has: paging, lazy reads, throttling, faults at will.
//!
//! EBS direct, EC2, STS, Lightsail and the metadata of an instance answer on one port. Signatures are
//! checked. It is written from what the services document, and held against boto3, so that it does
//! not share the mistakes of our client.

mod config;
mod context;
mod device;
mod ebs;
mod ec2;
mod error;
mod identity;
mod lightsail;
mod metadata;
mod model;
mod route;
mod service;
mod sigv4;
mod state;
mod sts;

pub use crate::stand_in::{Answer, BLOCK_LEN, Blocks, FakeFault, Outcome, Rate, When};
pub use config::{ACCOUNT, AccessKey, Config, OTHER_ACCOUNT, Pages, REGION, Settings};
pub use lightsail::{
    AutoSnapshot, Lightsail, LightsailDisk, LightsailRecord, LightsailResource, LightsailSnapshot,
};
pub use metadata::Metadata;
pub use model::{Attachment, Image, ImageDisk, Instance, Snapshot, Tables, Tags, Volume};
pub use service::{Call, Service};
pub use state::State;

use crate::stand_in::error::{Result, ServiceError};
use crate::stand_in::{self, Asked, Caller, Cloud, Disk, Request, Route, Setup, Times};
use context::Context;
use std::path::PathBuf;
use std::time::Duration;

/// A running stand-in. It ends when this is dropped.
pub type Fake = stand_in::Fake<Aws>;

/// AWS, as far as it is stood in for.
#[derive(Debug)]
pub struct Aws;

impl Cloud for Aws {
    type Config = Config;
    type State = State;
    type Service = Service;

    fn setup(config: &Config) -> Setup {
        Setup {
            name: "aws-fake",
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
        (service, ..): &Route<Service>,
        times: Times,
    ) -> Result<Caller> {
        match service.signing_name() {
            None => Ok(Caller::default()),
            Some(_) => identity::verify(request, *service, &state.keys, &state.regions, times),
        }
    }

    fn settle(state: &mut State, now: i64) {
        lightsail::settle(state, now);
    }

    fn disks(state: &State, now: i64) -> Vec<Disk> {
        device::disks(state, now)
    }

    fn lag(state: &State, operation: &str) -> Duration {
        state.lag(operation)
    }

    fn request_id(state: &mut State) -> String {
        state.uuid()
    }

    fn of_fault(fault: &FakeFault, service: Service, now: i64) -> Option<ServiceError> {
        error::of_fault(fault, service, &stand_in::clock::iso(now))
    }

    fn answer(asked: &Asked<'_, Self>, caller: Caller) -> Result {
        let context = Context::new(asked, caller);
        route::dispatch(&context, asked.call, asked.request)
    }

    fn refuse(service: Service, error: &ServiceError, request_id: &str) -> Answer {
        error::answer(service, error, request_id)
    }
}

impl Fake {
    /// The variables that lead an SDK and flr here, with the first key.
    ///
    /// # Panics
    /// If the stand-in has no key.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let config = self.config();
        let key = config.keys.first().expect("a key");
        let region = config.regions.first().map_or(REGION, String::as_str);
        let mut variables = vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", self.url()),
            ("AWS_ACCESS_KEY_ID", key.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", key.secret.clone()),
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
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
}
