//! A stand-in for AWS on loopback, for what no emulator has: paging, lazy reads, throttling, faults at will.
//!
//! EBS direct, EC2, STS, Lightsail and the metadata of an instance answer on one port. Signatures are
//! checked. It is written from what the services document, and held against boto3, so that it does
//! not share the mistakes of our client.

mod blocks;
mod call;
mod clock;
mod config;
mod context;
mod device;
mod ebs;
mod ec2;
mod encoding;
mod error;
mod fault;
mod http;
mod identity;
mod lightsail;
mod metadata;
mod model;
mod route;
mod server;
mod sigv4;
mod state;
mod sts;

pub use blocks::{BLOCK_LEN, Blocks};
pub use call::{Call, Outcome, Service};
pub use config::{ACCOUNT, AccessKey, Config, OTHER_ACCOUNT, Pages, REGION, Rate, Settings};
pub use fault::{FakeFault, When};
pub use http::Answer;
pub use lightsail::{
    AutoSnapshot, Lightsail, LightsailDisk, LightsailRecord, LightsailResource, LightsailSnapshot,
};
pub use metadata::Metadata;
pub use model::{Attachment, Image, ImageDisk, Instance, Snapshot, Tables, Tags, Volume};
pub use state::State;

use context::lock;
use server::Shared;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// How often devices are made and removed while nobody asks anything.
const SETTLE_EVERY: Duration = Duration::from_millis(10);

/// A running stand-in. It ends when this is dropped.
#[derive(Debug)]
pub struct Fake {
    shared: Arc<Shared>,
    address: SocketAddr,
    config: Config,
    runtime: Option<Runtime>,
}

impl Fake {
    /// Starts one on 127.0.0.1, with a runtime of its own.
    ///
    /// # Panics
    /// If the port is taken.
    #[must_use]
    pub fn start(config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("aws-fake")
            .enable_all()
            .build()
            .expect("a runtime");
        let listen = || -> io::Result<TcpListener> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))?;
            listener.set_nonblocking(true)?;
            let _inside = runtime.enter();
            TcpListener::from_std(listener)
        };
        let listener = listen().expect("a free port on loopback");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::new(&config));
        runtime.spawn(server::run(listener, Arc::clone(&shared)));
        if config.dev_root.is_some() {
            let shared = Arc::clone(&shared);
            runtime.spawn(async move {
                loop {
                    shared.settle();
                    tokio::time::sleep(SETTLE_EVERY).await;
                }
            });
        }
        Self {
            shared,
            address,
            config,
            runtime: Some(runtime),
        }
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The model and its settings, locked: no request is answered while this is held.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }

    /// The model's time, in milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    /// Sets the model's time forward: states come about, tokens and credentials expire.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// Stops the model's time: from now on it only goes by `advance`, so that a test sees each state
    /// however slow the machine is. Others advance it by `POST /fake/advance?ms=N`.
    pub fn freeze(&self) {
        self.shared.clock.freeze();
    }

    /// Sets the clock wrong that signatures are judged by, in seconds: the `Date` of answers has it, too.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.shared.clock.set_skew(seconds);
    }

    /// How long every request takes before it has an effect.
    pub fn set_latency(&self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.shared.latency_us.store(us, Ordering::Relaxed);
    }

    /// Says for each request which fault it has. It runs when the request has come, in the order they come.
    pub fn set_rule(&self, rule: impl FnMut(&Call) -> Option<FakeFault> + Send + 'static) {
        *lock(&self.shared.rule) = Some(Box::new(rule));
    }

    /// From now on nothing goes wrong.
    pub fn clear_rule(&self) {
        *lock(&self.shared.rule) = None;
    }

    /// Changes any answer before it is sent: for servers that lie.
    pub fn set_change(&self, change: impl FnMut(&Call, &mut Answer) + Send + 'static) {
        *lock(&self.shared.change) = Some(Box::new(change));
    }

    /// From now on answers are sent as they are.
    pub fn clear_change(&self) {
        *lock(&self.shared.change) = None;
    }

    /// Every request so far, in the order they came.
    #[must_use]
    pub fn requests(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// Requests for an operation so far.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        lock(&self.shared.counts)
            .get(operation)
            .copied()
            .unwrap_or(0)
    }

    /// The most requests that were worked on at once.
    #[must_use]
    pub fn in_flight_max(&self) -> usize {
        self.shared.in_flight_max.load(Ordering::Relaxed)
    }

    /// Forgets requests and counts.
    pub fn clear_requests(&self) {
        lock(&self.shared.calls).clear();
        lock(&self.shared.counts).clear();
        self.shared.in_flight_max.store(0, Ordering::Relaxed);
    }

    /// The variables that lead an SDK and flr here, with the first key.
    ///
    /// # Panics
    /// If the stand-in has no key.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let key = self.config.keys.first().expect("a key");
        let region = self.config.regions.first().map_or(REGION, String::as_str);
        let mut variables = vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", self.url()),
            ("AWS_ACCESS_KEY_ID", key.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", key.secret.clone()),
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
        ];
        let root = self.config.dev_root.as_ref();
        variables.extend(root.map(|root| ("FLR_DEV_ROOT", root.display().to_string())));
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        variables.into_iter().map(owned).collect()
    }

    /// Where devices appear.
    #[must_use]
    pub fn dev_root(&self) -> Option<&PathBuf> {
        self.config.dev_root.as_ref()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // It may be dropped inside of another runtime, where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
