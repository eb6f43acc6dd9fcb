//! What stand-ins for services on loopback have in common: HTTP by hand, a ledger of calls, faults at
//! will, clocks that tests set, blocks of snapshots, and devices of a host that is none.
//!
//! A stand-in is a type that is a [`Cloud`]; it runs as a [`Fake`] of that type.

mod blocks;
mod call;
pub(crate) mod clock;
mod context;
pub(crate) mod device;
pub mod drive;
pub(crate) mod encoding;
pub mod error;
mod fault;
pub mod hash;
pub mod history;
mod http;
pub mod ids;
mod key;
pub mod rate;
mod running;
pub mod serve;
mod server;

pub use blocks::{BLOCK_LEN, Blocks};
pub use call::{Call, Outcome};
pub use context::Context;
pub use device::Disk;
pub use error::{Caller, ServiceError};
pub use fault::{FakeFault, When};
pub use http::{Answer, Request};
pub use key::AccessKey;
pub use rate::Rate;
pub use running::Fake;

use error::Result;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// Service, operation and parameters of a request.
pub type Route<S> = (S, String, Vec<(String, String)>);

/// The times that a signature is judged by, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// That of the wire.
    pub wire: i64,
    /// That of the model.
    pub model: i64,
}

/// What a running stand-in is made of.
#[derive(Clone, Default)]
pub struct Setup {
    /// Name of its threads.
    pub name: &'static str,
    /// Port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// Where devices of attached disks appear, below `dev` and `sys`; none: nowhere.
    pub dev_root: Option<PathBuf>,
    /// With it, every connection is TLS.
    pub tls: Option<TlsAcceptor>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Setup");
        f.field("name", &self.name).field("port", &self.port);
        f.finish_non_exhaustive()
    }
}

/// What answers requests.
pub trait Cloud: Sized + Send + Sync + 'static {
    /// What it starts with.
    type Config: Clone + fmt::Debug + Send + Sync;
    /// All that it knows, behind one lock.
    type State: fmt::Debug + Send;
    /// Its services.
    type Service: Copy + fmt::Debug + Send + Sync;

    /// How it runs.
    fn setup(config: &Self::Config) -> Setup;

    /// The model at first.
    fn state(config: &Self::Config) -> Self::State;

    /// Which operation of which service a request is for.
    fn route(request: &Request) -> Route<Self::Service>;

    /// Who has signed a request. It is asked once for each request, in the order they come.
    ///
    /// # Errors
    /// If it is signed by nobody, or wrongly.
    fn caller(
        state: &mut Self::State,
        request: &Request,
        call: &Route<Self::Service>,
        times: Times,
    ) -> Result<Caller>;

    /// Makes what time has brought about, in milliseconds since 1970 of the model.
    fn settle(_state: &mut Self::State, _now: i64) {}

    /// The disks that the kernel of the host shows at a time of the model.
    fn disks(_state: &Self::State, _now: i64) -> Vec<Disk> {
        Vec::new()
    }

    /// How far reads of an operation are behind.
    fn lag(_state: &Self::State, _operation: &str) -> Duration {
        Duration::ZERO
    }

    /// An id for the next request.
    fn request_id(state: &mut Self::State) -> String;

    /// The error that a fault makes, if it makes one. `now` is the time of the wire.
    fn of_fault(fault: &FakeFault, service: Self::Service, now: i64) -> Option<ServiceError>;

    /// Does what was asked.
    ///
    /// # Errors
    /// Those of the service.
    fn answer(asked: &Asked<'_, Self>, caller: Caller) -> Result;

    /// Judges what was done when the stand-in ends: it may fail the test that used it.
    fn ended(_state: &Self::State) {}

    /// An error as the service writes it.
    fn refuse(service: Self::Service, error: &ServiceError, request_id: &str) -> Answer;
}

/// A call that is worked on.
#[derive(Debug)]
pub struct Asked<'a, C: Cloud> {
    /// All that the stand-in knows.
    pub state: &'a Mutex<C::State>,
    /// The call, as it was noted.
    pub call: &'a Call<C::Service>,
    /// The request, as it came.
    pub request: &'a Request,
    /// The model's time, in milliseconds since 1970.
    pub now: i64,
    /// How far this call is behind, if a fault says so.
    pub stale: Option<Duration>,
    /// The id of this request.
    pub request_id: String,
}

/// Locks what a panic elsewhere has left locked, too. A test that failed with the lock does not matter here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
