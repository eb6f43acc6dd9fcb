//! Time and chance, as traits: the engine runs the same under a simulated clock.

use super::cloud::BoxFuture;
use super::time::UnixTime;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Two clocks and a way to wait.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day, which somebody may set, forwards or backwards, at any moment.
    fn wall(&self) -> UnixTime;
    /// Time since this machine started, sleep included. Never goes back, and is the same for all
    /// processes of a boot.
    fn since_boot(&self) -> Duration;
    /// Ready after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// Where chance comes from: ids, and the jitter of waits.
pub trait Rand: fmt::Debug + Send + Sync {
    /// 64 bits that nobody can guess.
    fn next_u64(&self) -> u64;
}

/// The kernel's.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRand;

impl Rand for SystemRand {
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        loop {
            let flags = rustix::rand::GetRandomFlags::empty();
            // Eight bytes come whole or not at all; the call fails only where a signal arrives first.
            if rustix::rand::getrandom(&mut bytes, flags) == Ok(bytes.len()) {
                return u64::from_ne_bytes(bytes);
            }
        }
    }
}

/// The machine's clocks. A wait that is polled has a thread of its own, so this works under any
/// executor; whoever waits thousands of times at once brings the clock of their runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> UnixTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        UnixTime(since.unwrap_or_default().as_secs())
    }

    fn since_boot(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let over = Arc::new(AtomicBool::new(duration.is_zero()));
        let mut started = false;
        Box::pin(std::future::poll_fn(move |context| {
            if over.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            // Polled again only by whoever waits for several things, with the same waker.
            if !started {
                started = true;
                let (waker, over) = (context.waker().clone(), Arc::clone(&over));
                thread::spawn(move || {
                    thread::sleep(duration);
                    over.store(true, Ordering::Release);
                    waker.wake();
                });
            }
            Poll::Pending
        }))
    }
}

/// Runs a future on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let unparker = Arc::new(Unparker {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unparker));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        while !unparker.woken.swap(false, Ordering::AcqRel) {
            thread::park();
        }
    }
}

struct Unparker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// What `future` gives, or `None` once `limit` has passed.
pub(super) async fn timeout<T>(
    clock: &dyn Clock,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut expiry = clock.sleep(limit);
    std::future::poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        Pin::new(&mut expiry).poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_waits_for_another_thread_is_run() {
        let mut waiting = None;
        let done = Arc::new(AtomicBool::new(false));
        let value = block_on(std::future::poll_fn(|context| {
            if done.load(Ordering::Acquire) {
                return Poll::Ready(7);
            }
            let (waker, done) = (context.waker().clone(), Arc::clone(&done));
            waiting.get_or_insert_with(|| {
                thread::spawn(move || {
                    done.store(true, Ordering::Release);
                    waker.wake();
                })
            });
            Poll::Pending
        }));
        assert_eq!(value, 7);
    }

    #[test]
    fn clocks_go_forward() {
        let before = SystemClock.since_boot();
        block_on(SystemClock.sleep(Duration::from_millis(2)));
        assert!(SystemClock.since_boot() > before);
        assert!(SystemClock.wall() > UnixTime(1_700_000_000));
        assert_ne!(SystemRand.next_u64(), SystemRand.next_u64());
    }
}
