//! A stand-in that runs, and what tests may do with it.

use super::call::Call;
use super::fault::FakeFault;
use super::http::Answer;
use super::server::{self, Shared};
use super::{Cloud, lock};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// How often devices are made and removed while nobody asks anything.
const SETTLE_EVERY: Duration = Duration::from_millis(10);

/// A running stand-in. It ends when this is dropped.
pub struct Fake<C: Cloud> {
    shared: Arc<Shared<C>>,
    address: SocketAddr,
    config: C::Config,
    is_tls: bool,
    runtime: Option<Runtime>,
}

impl<C: Cloud> fmt::Debug for Fake<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Fake");
        f.field("address", &self.address).finish_non_exhaustive()
    }
}

impl<C: Cloud> Fake<C> {
    /// Starts one on 127.0.0.1, with a runtime of its own.
    ///
    /// # Panics
    /// If the port is taken.
    #[must_use]
    pub fn start(config: C::Config) -> Self {
        let setup = C::setup(&config);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(setup.name)
            .on_thread_start(crate::heap::leave_out)
            .enable_all()
            .build()
            .expect("a runtime");
        let listen = || -> io::Result<TcpListener> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, setup.port))?;
            listener.set_nonblocking(true)?;
            let _inside = runtime.enter();
            TcpListener::from_std(listener)
        };
        let listener = listen().expect("a free port on loopback");
        let address = listener.local_addr().expect("an address");
        let (is_tls, has_devices) = (setup.tls.is_some(), setup.dev_root.is_some());
        let shared = Arc::new(Shared::new(C::state(&config), setup));
        runtime.spawn(server::run(listener, Arc::clone(&shared)));
        if has_devices {
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
            is_tls,
            runtime: Some(runtime),
        }
    }

    /// `http://127.0.0.1:PORT`, or `https` with TLS.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was started with.
    #[must_use]
    pub const fn config(&self) -> &C::Config {
        &self.config
    }

    /// The model and its settings, locked: no request is answered while this is held.
    pub fn state(&self) -> MutexGuard<'_, C::State> {
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
    pub fn set_rule(
        &self,
        rule: impl FnMut(&Call<C::Service>) -> Option<FakeFault> + Send + 'static,
    ) {
        *lock(&self.shared.rule) = Some(Box::new(rule));
    }

    /// From now on nothing goes wrong.
    pub fn clear_rule(&self) {
        *lock(&self.shared.rule) = None;
    }

    /// Changes any answer before it is sent: for servers that lie.
    pub fn set_change(&self, change: impl FnMut(&Call<C::Service>, &mut Answer) + Send + 'static) {
        *lock(&self.shared.change) = Some(Box::new(change));
    }

    /// From now on answers are sent as they are.
    pub fn clear_change(&self) {
        *lock(&self.shared.change) = None;
    }

    /// Every request so far, in the order they came.
    #[must_use]
    pub fn requests(&self) -> Vec<Call<C::Service>> {
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
}

impl<C: Cloud> Drop for Fake<C> {
    fn drop(&mut self) {
        // It may be dropped inside of another runtime, where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        // A test that has failed already says why.
        if !std::thread::panicking() {
            C::ended(&self.state());
        }
    }
}
