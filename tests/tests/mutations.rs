//! Fixtures with bytes flipped, blocks swapped, zeroed and cut off: reading everything ends, never
//! panics, and what comes out is right or is told to be damaged.

use flr_fs::{ByteSource, ChecksumPolicy, Memory, OpenContext};
use flr_tests::exercise::{Outcome, exercise};
use flr_tests::image::image_bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::ops::Range;
use std::sync::Arc;

/// Unit in which an image is swapped, zeroed and looked at for content.
const BLOCK_LEN: usize = 1024;

/// One change of an image. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { place: usize, bit: u8 },
    Set { place: usize, bytes: [u8; 4] },
    Swap { a: usize, b: usize },
    Zero { block: usize },
    Cut { place: usize },
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let edge = prop_oneof![Just([0; 4]), Just([0xff; 4]), any::<[u8; 4]>()];
    let one = prop_oneof![
        6 => (any::<usize>(), 0..8_u8).prop_map(|(place, bit)| Mutation::Flip { place, bit }),
        6 => (any::<usize>(), edge).prop_map(|(place, bytes)| Mutation::Set { place, bytes }),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Mutation::Swap { a, b }),
        2 => any::<usize>().prop_map(|block| Mutation::Zero { block }),
        1 => any::<usize>().prop_map(|place| Mutation::Cut { place }),
    ];
    prop::collection::vec(one, 1..4)
}

/// An image, what reading it gives, and its blocks that hold something.
struct Subject {
    name: &'static str,
    bytes: Vec<u8>,
    pristine: Outcome,
    used: Vec<usize>,
}

impl Subject {
    fn new(name: &'static str) -> Self {
        let bytes = image_bytes(name);
        let used = bytes
            .chunks(BLOCK_LEN)
            .enumerate()
            .filter(|(_, block)| block.iter().any(|byte| *byte != 0))
            .map(|(index, _)| index)
            .collect();
        let pristine = read(bytes.clone(), ChecksumPolicy::Strict);
        Self {
            name,
            bytes,
            pristine,
            used,
        }
    }

    /// The changed image, and the places that were changed.
    fn changed(&self, mutations: &[Mutation]) -> (Vec<u8>, Vec<Range<u64>>) {
        let mut bytes = self.bytes.clone();
        let mut places = Vec::new();
        let used = |n: usize| self.used[n % self.used.len()] * BLOCK_LEN;
        let inside = |place: usize| used(place / BLOCK_LEN) + place % (BLOCK_LEN - 4);
        let mut cut = bytes.len();
        for mutation in mutations {
            match *mutation {
                Mutation::Flip { place, bit } => {
                    bytes[inside(place)] ^= 1 << bit;
                    places.push(range(inside(place), 1));
                }
                Mutation::Set { place, bytes: new } => {
                    bytes[inside(place)..][..4].copy_from_slice(&new);
                    places.push(range(inside(place), 4));
                }
                Mutation::Swap { a, b } => {
                    let (a, b) = (used(a), used(b));
                    let first = bytes[a..][..BLOCK_LEN].to_vec();
                    bytes.copy_within(b..b + BLOCK_LEN, a);
                    bytes[b..][..BLOCK_LEN].copy_from_slice(&first);
                    places.extend([range(a, BLOCK_LEN), range(b, BLOCK_LEN)]);
                }
                Mutation::Zero { block } => {
                    bytes[used(block)..][..BLOCK_LEN].fill(0);
                    places.push(range(used(block), BLOCK_LEN));
                }
                Mutation::Cut { place } => cut = place % bytes.len(),
            }
        }
        bytes.truncate(cut);
        (bytes, places)
    }
}

fn range(at: usize, len: usize) -> Range<u64> {
    let at = u64::try_from(at).expect("a place");
    at..at + u64::try_from(len).expect("a length")
}

fn read(bytes: Vec<u8>, checksums: ChecksumPolicy) -> Outcome {
    let source: Arc<dyn ByteSource> = Arc::new(Memory::new(bytes));
    let ctx = OpenContext {
        checksums,
        ..OpenContext::default()
    };
    exercise(source, &ctx)
}

fn run(
    name: &'static str,
    cases: u32,
    property: impl Fn(&Subject, &[Mutation]) -> Result<(), String>,
) {
    let subject = Subject::new(name);
    let config = Config {
        cases: cases * factor(),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    // The same cases every time: a failure here is found again by whoever looks for it.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let end = runner.run(&mutations(), |mutations| {
        property(&subject, &mutations)
            .map_err(|text| TestCaseError::fail(format!("{name}: {text}")))
    });
    if let Err(error) = end {
        panic!("{error}");
    }
}

/// How many times the usual number of cases are tried, for long runs by hand.
fn factor() -> u32 {
    std::env::var("FLR_MUTATIONS").map_or(1, |text| text.parse().expect("a number"))
}

/// With checksums on metadata, whatever is not an error, and has no note, is what it was; only the
/// content of files has no checksum.
fn told_or_equal(subject: &Subject, mutations: &[Mutation]) -> Result<(), String> {
    let (bytes, places) = subject.changed(mutations);
    let found = read(bytes, ChecksumPolicy::Strict);
    if found.codes != subject.pristine.codes {
        return Ok(());
    }
    let before = &subject.pristine;
    if found.nodes.len() != before.nodes.len() {
        return Err("nodes came or went without a word".into());
    }
    for (path, told) in &before.nodes {
        let data = before.data.get(path).map_or(&[][..], Vec::as_slice);
        let touched = data.iter().any(|data| {
            places
                .iter()
                .any(|place| place.start < data.end && data.start < place.end)
        });
        if !touched && found.nodes.get(path) != Some(told) {
            let path = path.escape_ascii();
            return Err(format!(
                "{path}: {told} became {:?}",
                found.nodes.get(path.to_string().as_bytes())
            ));
        }
    }
    Ok(())
}

/// Without checksums nobody can tell; but it ends, and nothing panics.
fn ends(subject: &Subject, mutations: &[Mutation]) -> Result<(), String> {
    let (bytes, _) = subject.changed(mutations);
    let found = read(bytes, ChecksumPolicy::Ignore);
    if found.nodes.len() > 100 * (subject.pristine.nodes.len() + 10) {
        return Err(format!("{} nodes in {}", found.nodes.len(), subject.name));
    }
    Ok(())
}

#[test]
fn damage_under_checksums_is_told() {
    for name in [
        "ext4-128",
        "ext4-inline",
        "ext4-xattr",
        "ext4-32bit",
        "ext4-dirs",
        "ext4-4k",
    ] {
        run(name, 300, told_or_equal);
    }
}

#[test]
fn reading_damaged_images_ends() {
    for name in [
        "ext2-nofiletype",
        "ext2-rev0",
        "ext2-1k",
        "ext3",
        "ext4-2k",
        "ext4-times",
        "ext4-128",
        "ext4-inline",
        "ext4-xattr",
        "ext4-inline-wide",
        "ext4-bigalloc",
        "ext4-hash-unsigned",
        "ext4-nodes",
        "damaged-names",
        "damaged-dirloop",
    ] {
        run(name, 200, ends);
    }
}
