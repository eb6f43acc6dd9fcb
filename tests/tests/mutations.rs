//! Fixtures with bytes flipped, blocks swapped, zeroed and cut off: reading everything ends, never
//! panics, and what comes out is right or is told to be damaged.

use flr_fs::bytes::{get_le_u16, get_le_u32};
use flr_fs::{ByteSource, ChecksumPolicy, OpenContext};
use flr_tests::exercise::{Outcome, driver, exercise_as};
use flr_tests::heap::{assert_counted, peak_of};
use flr_tests::image::image_bytes;
use flr_tests::{Heap, Overlaid};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::ops::Range;
use std::sync::Arc;

#[global_allocator]
static HEAP: Heap = Heap;

/// Bytes of heap that reading one image may take.
const HEAP_MAX: usize = 64 << 20;

/// Unit in which an image is swapped, zeroed and looked at for content.
const BLOCK_LEN: usize = 1024;

/// One change of an image. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { place: usize, bit: u8 },
    Set { place: usize, bytes: Vec<u8> },
    Swap { a: usize, b: usize },
    Zero { block: usize },
    Cut { place: usize },
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    // Fields of 1, 2, 4 and 8 bytes with the values at which sums and signs turn over, in both orders.
    let value = prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1 << 63),
        Just(u64::MAX >> 1),
        any::<u64>()
    ];
    let edge = (value, 0..4_u32, any::<bool>()).prop_map(|(value, width, big)| {
        let len = 1 << width;
        let big_end = value.to_be_bytes();
        let mut bytes = if value <= 1 {
            big_end[8 - len..].to_vec()
        } else {
            big_end[..len].to_vec()
        };
        if !big {
            bytes.reverse();
        }
        bytes
    });
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
    bytes: Arc<[u8]>,
    pristine: Outcome,
    used: Vec<usize>,
    /// Where the log lies.
    log: Vec<Range<u64>>,
}

impl Subject {
    fn new(name: &'static str) -> Self {
        assert_counted();
        let bytes: Arc<[u8]> = image_bytes(name).into();
        let used = bytes
            .chunks(BLOCK_LEN)
            .enumerate()
            .filter(|(_, block)| block.iter().any(|byte| *byte != 0))
            .map(|(index, _)| index)
            .collect();
        let pristine = read(
            name,
            Overlaid::new(Arc::clone(&bytes)),
            ChecksumPolicy::Strict,
        );
        Self {
            name,
            log: log_of(&bytes),
            bytes,
            pristine,
            used,
        }
    }

    /// Whether a block of the log and one from elsewhere change places. The log holds older copies of
    /// blocks, each sound in itself and with its right checksum: nobody can tell them from the newest.
    fn brings_back_the_past(&self, mutations: &[Mutation]) -> bool {
        let is_log = |n: usize| {
            let block = range(self.used[n % self.used.len()] * BLOCK_LEN, BLOCK_LEN);
            let log = &self.log;
            log.iter().any(|part| part.contains(&block.start))
        };
        mutations
            .iter()
            .any(|mutation| matches!(mutation, Mutation::Swap { a, b } if is_log(*a) != is_log(*b)))
    }

    /// The changed image, and the places that were changed.
    fn changed(&self, mutations: &[Mutation]) -> (Overlaid, Vec<Range<u64>>) {
        let mut image = Overlaid::new(Arc::clone(&self.bytes));
        let mut places = Vec::new();
        let used = |n: usize| self.used[n % self.used.len()] * BLOCK_LEN;
        let inside = |place: usize| used(place / BLOCK_LEN) + place % (BLOCK_LEN - 8);
        let mut cut = image.len();
        for mutation in mutations {
            match mutation.clone() {
                Mutation::Flip { place, bit } => {
                    let [byte] = image.array(inside(place));
                    image.put(inside(place), &[byte ^ (1 << bit)]);
                    places.push(range(inside(place), 1));
                }
                Mutation::Set { place, bytes: new } => {
                    image.put(inside(place), &new);
                    places.push(range(inside(place), new.len()));
                }
                Mutation::Swap { a, b } => {
                    let (a, b) = (used(a), used(b));
                    let (first, second) =
                        (image.array::<BLOCK_LEN>(a), image.array::<BLOCK_LEN>(b));
                    image.put(a, &second);
                    image.put(b, &first);
                    places.extend([range(a, BLOCK_LEN), range(b, BLOCK_LEN)]);
                }
                Mutation::Zero { block } => {
                    image.put(used(block), &[0; BLOCK_LEN]);
                    places.push(range(used(block), BLOCK_LEN));
                }
                Mutation::Cut { place } => cut = place % image.len(),
            }
        }
        image.truncate(cut);
        (image, places)
    }
}

/// Where the journal of an ext4 image lies, by the copy of its extents in the superblock
/// (`s_jnl_blocks`); nowhere for other formats.
fn log_of(bytes: &[u8]) -> Vec<Range<u64>> {
    const SUPERBLOCK: usize = 1024;
    const EXTENTS: usize = SUPERBLOCK + 0x10c;
    let word = |at| u64::from(get_le_u16(bytes, at).unwrap_or(0));
    if word(SUPERBLOCK + 0x38) != 0xef53 || word(EXTENTS) != 0xf30a || word(EXTENTS + 6) != 0 {
        return Vec::new();
    }
    let block_len = 1024 << word(SUPERBLOCK + 0x18);
    let count = usize::from(get_le_u16(bytes, EXTENTS + 2).unwrap_or(0));
    let parts = (0..count.min(4)).map(|n| {
        let at = EXTENTS + 12 * (n + 1);
        let low = u64::from(get_le_u32(bytes, at + 8).unwrap_or(0));
        let start = (word(at + 6) << 32 | low) * block_len;
        start..start + word(at + 4) * block_len
    });
    parts.collect()
}

fn range(at: usize, len: usize) -> Range<u64> {
    let at = u64::try_from(at).expect("a place");
    at..at + u64::try_from(len).expect("a length")
}

fn read(name: &str, image: Overlaid, checksums: ChecksumPolicy) -> Outcome {
    let source: Arc<dyn ByteSource> = Arc::new(image);
    let ctx = OpenContext {
        checksums,
        ..OpenContext::default()
    };
    let (outcome, peak) = peak_of(|| exercise_as(driver(name), source, &ctx));
    assert!(peak <= HEAP_MAX, "{peak} bytes of heap");
    outcome
}

fn run(
    name: &'static str,
    cases: u32,
    property: impl Fn(&Subject, &[Mutation]) -> Result<(), String>,
) {
    let subject = Subject::new(name);
    let start = std::time::Instant::now();
    let cases = cases * factor();
    let config = Config {
        cases,
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
    println!("{name}: {cases} images in {:?}", start.elapsed());
}

/// How many times the usual number of cases are tried, for long runs by hand.
fn factor() -> u32 {
    std::env::var("FLR_MUTATIONS").map_or(1, |text| text.parse().expect("a number"))
}

/// With checksums on metadata, whatever is not an error, and has no note, is what it was; only the
/// content of files has no checksum.
fn told_or_equal(subject: &Subject, mutations: &[Mutation]) -> Result<(), String> {
    if subject.brings_back_the_past(mutations) {
        return ends(subject, mutations);
    }
    let (bytes, places) = subject.changed(mutations);
    let found = read(subject.name, bytes, ChecksumPolicy::Strict);
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
    let found = read(subject.name, bytes, ChecksumPolicy::Ignore);
    if found.nodes.len() > 100 * (subject.pristine.nodes.len() + 10) {
        return Err(format!("{} nodes in {}", found.nodes.len(), subject.name));
    }
    Ok(())
}

/// Many of the small ones, few of the large ones: with those below 10^5 images.
#[test]
fn damage_under_checksums_is_told() {
    // As `debugfs -R 'stat <8>'` has them.
    let log = [9..19, 21..35, 51..1051].map(|part| part.start * 4096..part.end * 4096);
    assert_eq!(Subject::new("ext4-4k").log, log);
    for (name, count) in [
        ("ext4-128", 12_000),
        ("ext4-inline", 6_000),
        ("ext4-xattr", 1_500),
        ("ext4-32bit", 16_500),
        ("ext4-dirs", 1_000),
        ("ext4-4k", 8_000),
    ] {
        run(name, count, told_or_equal);
    }
}

#[test]
fn reading_damaged_images_ends() {
    for (name, count) in [
        ("ext2-nofiletype", 8_000),
        ("ext2-rev0", 1_500),
        ("ext2-1k", 1_500),
        ("ext3", 1_000),
        ("ext4-2k", 11_500),
        ("ext4-times", 8_000),
        ("ext4-128", 6_000),
        ("ext4-inline", 2_000),
        ("ext4-xattr", 500),
        ("ext4-inline-wide", 6_000),
        ("ext4-bigalloc", 6_000),
        ("ext4-hash-unsigned", 1_500),
        ("ext4-nodes", 500),
        ("damaged-names", 500),
        ("damaged-dirloop", 500),
    ] {
        run(name, count, ends);
    }
}

/// NTFS keeps no checksums: nobody can tell, but it ends.
#[test]
fn reading_damaged_ntfs_volumes_ends() {
    for (name, count) in [
        ("ntfs-hibernated", 3_000),
        ("ntfs-special", 2_000),
        ("ntfs-reparse", 2_000),
        ("ntfs-names", 1_000),
        ("ntfs-initialized", 500),
        ("ntfs-links", 500),
        ("ntfs-512", 500),
        ("ntfs-streams", 300),
        ("ntfs-old", 500),
        ("damaged-ntfs-index-loop", 500),
        ("damaged-ntfs-records", 1_000),
        ("damaged-ntfs-attribute-list", 100),
    ] {
        run(name, count, ends);
    }
}
