//! An allocator that counts what the thread at hand has allocated, for bounds on memory in tests.
//!
//! A test program opts in: `#[global_allocator] static HEAP: Heap = Heap;`. Without that, every peak
//! is 0, which [`assert_counted`] tells.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

/// The allocator: the system's, with counters per thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heap;

thread_local! {
    /// Bytes allocated and not freed. Below zero where a thread frees what others have allocated.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    /// Whether this thread is left out of what all threads have.
    static IS_LEFT_OUT: Cell<bool> = const { Cell::new(false) };
}

/// What all threads have, while somebody looks.
static IS_WATCHED: AtomicBool = AtomicBool::new(false);
static ALL_LIVE: AtomicIsize = AtomicIsize::new(0);
static ALL_PEAK: AtomicIsize = AtomicIsize::new(0);

fn count(change: isize) {
    if IS_WATCHED.load(Ordering::Relaxed) {
        count_of_all(change);
    }
    // OK to ignore: a thread that is ending has no counters any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

fn count_of_all(change: isize) {
    // A thread that is ending is one of those that count.
    if !IS_LEFT_OUT.try_with(Cell::get).unwrap_or(false) {
        let before = ALL_LIVE.fetch_add(change, Ordering::Relaxed);
        ALL_PEAK.fetch_max(before.saturating_add(change), Ordering::Relaxed);
    }
}

fn signed(len: usize) -> isize {
    isize::try_from(len).unwrap_or(isize::MAX)
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
// SAFETY: every call goes to the system's allocator as it came; the counters do not allocate.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: as in `alloc`; all blocks came from the system's allocator.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(signed(size) - signed(layout.size()));
        // SAFETY: as in `dealloc`.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// Runs `work` and tells by how many bytes the thread's heap grew at most meanwhile.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let done = work();
    let peak = PEAK.get().saturating_sub(before);
    (done, usize::try_from(peak).unwrap_or(0))
}

/// The same of all threads together, but for those of stand-ins: what is read over a network goes from
/// thread to thread. Of use only where no other test runs meanwhile.
pub fn peak_of_all<T>(work: impl FnOnce() -> T) -> (T, usize) {
    ALL_LIVE.store(0, Ordering::Relaxed);
    ALL_PEAK.store(0, Ordering::Relaxed);
    IS_WATCHED.store(true, Ordering::Relaxed);
    let done = work();
    IS_WATCHED.store(false, Ordering::Relaxed);
    let peak = ALL_PEAK.load(Ordering::Relaxed);
    (done, usize::try_from(peak).unwrap_or(0))
}

/// The calling thread is no part of what [`peak_of_all`] tells.
pub fn leave_out() {
    IS_LEFT_OUT.set(true);
}

/// Makes sure that this program counts.
///
/// # Panics
/// If it does not.
pub fn assert_counted() {
    let (_, peak) = peak_of(|| std::hint::black_box(vec![1_u8; 1000]));
    assert!(peak >= 1000, "this program does not use the counting heap");
}
