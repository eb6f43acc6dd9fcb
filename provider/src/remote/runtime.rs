//! The one runtime of a process. Whoever is not a future waits with [`block_on`].

use crate::engine::{BoxFuture, Clock, SystemClock, UnixTime};
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

/// Calls wait for the network most of the time; checksums are what takes a processor.
const THREADS: usize = 2;

/// The runtime, started by its first user.
///
/// # Panics
/// The system has no threads left at the very start.
pub fn handle() -> &'static Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let built = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("flr-remote")
            .enable_all()
            .build();
        #[expect(
            clippy::expect_used,
            reason = "without threads nothing can be done, or undone"
        )]
        built.expect("threads for the network")
    });
    runtime.handle()
}

/// Runs a future on the runtime and waits for it. Not from within a future.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    handle().block_on(future)
}

/// The machine's clocks, with waits that cost no thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn wall(&self) -> UnixTime {
        SystemClock.wall()
    }

    fn since_boot(&self) -> Duration {
        SystemClock.since_boot()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
