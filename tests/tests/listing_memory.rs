//! What a large directory takes in memory while it is listed and walked.

use flr_fs::{NodeId, RawName};
use flr_recover::listing::ListingBuilder;
use flr_recover::walk::{Next, walk};
use flr_recover::{View, ViewNode};
use flr_tests::heap::{Heap, assert_counted, peak_of};
use flr_tests::sample;
use std::hint::black_box;
use std::sync::Arc;

#[global_allocator]
static HEAP: Heap = Heap;

const NAME_COUNT: u64 = 250_000;

fn node(number: u64) -> ViewNode {
    ViewNode {
        filesystem: 0,
        node: NodeId(number),
    }
}

/// The peak while a directory of [`NAME_COUNT`] names is listed, and what its listing takes.
fn listed(name: impl Fn(u64) -> String) -> (usize, usize) {
    let (listing, peak) = peak_of(|| {
        let mut builder = ListingBuilder::default();
        for number in 0..NAME_COUNT {
            let name = name(number);
            builder.push(RawName::new(name.as_bytes()), node(number), None);
        }
        builder.finish()
    });
    (peak, listing.bytes())
}

#[test]
fn a_listing_takes_a_few_bytes_beside_each_name() {
    assert_counted();
    let count = usize::try_from(NAME_COUNT).expect("a count");
    let (peak, kept) = listed(|number| format!("file-{number:07}"));
    // Names of 12 bytes. Vectors that grow have up to twice the room.
    assert!(kept <= count * 26, "{} bytes an entry", kept / count);
    assert!(peak <= count * 60, "{} bytes an entry", peak / count);
    // One name twice: only what may be alike is remembered.
    let twice = |number: u64| format!("file-{:07}", number.max(1));
    let (peak, kept) = listed(twice);
    assert!(kept <= count * 26, "{} bytes an entry", kept / count);
    assert!(peak <= count * 110, "{} bytes an entry", peak / count);
}

#[test]
fn a_walk_through_a_large_directory_keeps_its_listing_and_an_order() {
    assert_counted();
    let view = View::new(Arc::new(sample::large()));
    let found = view.lookup(view.root(), b"flat").expect("a look-up");
    let (flat, _) = found.expect("the directory");
    let (count, peak) = peak_of(|| {
        let mut count = 0_usize;
        let done = walk(&view, flat, None, &mut |step| {
            black_box(step);
            count += 1;
            Next::Continue
        });
        done.expect("a directory");
        count
    });
    assert_eq!(count, 100_001);
    assert!(peak <= 7 << 20, "{peak} bytes");
}
