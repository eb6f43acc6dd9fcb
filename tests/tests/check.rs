//! `flr check`: what is damaged is found and told with its place, what is sound is not accused, and
//! the second reader agrees wherever it can be asked.

use flr_fs::filesystem::ext::codes::*;
use flr_fs::source::check_range;
use flr_fs::{ByteSource, Code, Result, Volume};
use flr_recover::check::{
    Counts, Event, Finding, Options, Severity, check_point, check_target, codes as check_codes,
};
use flr_recover::walk::codes::DIRECTORY_TWICE;
use flr_recover::{OpenOptions, Point, address, follow};
use flr_tests::golden::{Golden, exists};
use flr_tests::image::{image, names};
use flr_tests::patch::SUPERBLOCK;
use flr_tests::{Flaky, Patch};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Four groups and more, all checksums, a journal.
const SEED: &str = "ext4-seed";
const SEED_GROUP: usize = 1024 * 1024;

fn options(second_reader: bool) -> Options {
    Options {
        second_reader,
        ..Options::default()
    }
}

fn check(source: Arc<dyn ByteSource>, second_reader: bool) -> (Counts, Vec<Finding>) {
    let point = Point::open(vec![Volume::disk(source)], &OpenOptions::default());
    let mut findings = Vec::new();
    let counts = check_point(&point, &options(second_reader), &mut |event| {
        if let Event::Found(finding) = event {
            findings.push(finding.clone());
        }
    });
    (counts.expect("a check that nobody ends"), findings)
}

/// Code, place, and path inside of the only filesystem, of everything that is damaged.
fn damage(source: Arc<dyn ByteSource>) -> Vec<(Code, u64, String)> {
    let (counts, findings) = check(source, false);
    let damaged = findings.iter().filter(|f| f.severity == Severity::Damaged);
    let told: Vec<_> = damaged
        .map(|finding| {
            let path = finding.path.escape_ascii().to_string();
            let inside = path.splitn(4, '/').nth(3).unwrap_or_default();
            (finding.code, finding.at.unwrap_or(0), inside.to_owned())
        })
        .collect();
    assert_eq!(counts.damaged, u64::try_from(told.len()).expect("a count"));
    told
}

#[test]
fn sound_images_are_sound_and_wholly_read() {
    for name in names().iter().filter(|name| name.starts_with("ext")) {
        // Their other half is missing.
        if name.contains("external") {
            continue;
        }
        let (counts, findings) = check(image(name), false);
        assert_eq!(counts.damaged, 0, "{name}: {findings:#?}");
        assert!(exists(name), "{name} has no golden tree");
        let golden = Golden::load(name);
        let of = |kinds: &[&str]| {
            let nodes = golden.nodes.values();
            let count = nodes.filter(|n| kinds.contains(&n.r#type.as_str())).count();
            u64::try_from(count).expect("a count")
        };
        assert_eq!(counts.filesystems, 1, "{name}");
        assert_eq!(counts.directories, of(&["dir"]), "{name}");
        assert_eq!(counts.files, of(&["file"]), "{name}");
        assert_eq!(counts.links, of(&["symlink", "link"]), "{name}");
        let all = counts.directories + counts.files + counts.links + counts.others;
        assert_eq!(all, of_all(&golden), "{name}");
        let encrypted = name == "ext4-encrypt";
        assert_eq!(counts.unreadable > 0, encrypted, "{name}: {findings:#?}");
    }
}

fn of_all(golden: &Golden) -> u64 {
    u64::try_from(golden.nodes.len()).expect("a count")
}

#[test]
fn every_damaged_image_is_told_with_path_and_code() {
    let told = |name| {
        let told = damage(image(name)).into_iter();
        told.map(|(code, _, path)| (path, code)).collect::<Vec<_>>()
    };
    let at = |path: &str, code| (path.to_owned(), code);
    assert_eq!(told("damaged-dirblock"), [at("d", DIRECTORY_ENTRY)]);
    assert_eq!(told("damaged-htree"), [at("d", DIRECTORY_CHECKSUM)]);
    let loops = ["d/root", "e/self", "e/sub/deeper/up"];
    assert_eq!(
        told("damaged-dirloop"),
        loops.map(|p| at(p, DIRECTORY_TWICE))
    );
    let files = ["e/AAAA", "e/frag"];
    assert_eq!(told("damaged-extent"), files.map(|p| at(p, EXTENT_HEADER)));
    assert_eq!(told("damaged-inode-csum"), [at("e/BBBB", INODE_CHECKSUM)]);
    assert_eq!(told("damaged-symlink"), [at("e/link", SYMLINK_SIZE)]);
    // Names that no path can hold are shown under others: odd, and no damage.
    assert_eq!(told("damaged-names"), []);
    let six = vec![at("", GROUP_CHECKSUM); 6];
    assert_eq!(told("damaged-descriptors"), six);
    let superblock = told("damaged-superblock");
    assert_eq!(superblock[0], at("", SUPERBLOCK_FIELD));
    assert_eq!(superblock[1..], six);
    let codes = |name| {
        damage(image(name))
            .into_iter()
            .map(|(code, ..)| code.as_str())
    };
    let codes = |name| codes(name).collect::<Vec<_>>();
    assert_eq!(codes("gpt-backup"), ["gpt.primary.damaged"]);
    assert_eq!(codes("mbr-ebr-loop"), ["mbr.ebr.loop"]);
    assert_eq!(
        codes("gpt-past-end"),
        ["gpt.backup.outside", "gpt.entry.cut", "gpt.entry.cut"]
    );
}

#[test]
fn a_flipped_byte_is_found_in_every_kind_of_metadata() {
    let sound = Patch::new(SEED);
    let descriptor = sound.descriptor();
    let block = |at: usize| sound.word(descriptor + at) * sound.block_size();
    let journal = {
        // The journal's superblock is the first block of inode 8.
        sound.content(8)
    };
    let cases = [
        (descriptor + 0x1e, descriptor, GROUP_CHECKSUM, ""),
        (block(0) + 100, block(0), BITMAP_CHECKSUM, ""),
        (block(4) + 3, block(4), BITMAP_CHECKSUM, ""),
        (
            sound.inode(14) + 4,
            sound.inode(14),
            INODE_CHECKSUM,
            "small",
        ),
        (
            SUPERBLOCK + SEED_GROUP + 0x78,
            SUPERBLOCK + SEED_GROUP,
            SUPERBLOCK_COPY,
            "",
        ),
        (
            descriptor + SEED_GROUP + 64,
            descriptor + SEED_GROUP,
            GROUP_COPY,
            "",
        ),
        (
            sound.content(11) + 1,
            sound.content(11),
            DIRECTORY_CHECKSUM,
            "lost+found",
        ),
        (journal + 0x50, journal, JOURNAL_CHECKSUM, ""),
    ];
    for (flipped, place, code, path) in cases {
        let mut patch = sound.clone();
        patch.flip(flipped);
        let told = damage(patch.source());
        let place = u64::try_from(place).expect("a place");
        let found = told.iter().any(|(c, at, p)| {
            let at = *at == place || code == JOURNAL_CHECKSUM;
            *c == code && at && p == path
        });
        assert!(found, "{code} at {place:#x}: {told:?}");
    }
}

#[test]
fn an_inode_that_no_name_leads_to_is_checked_and_remarked() {
    let (_, findings) = check(image("damaged-dirblock"), false);
    let remark = findings.iter().find(|f| f.code == INODE_UNREACHABLE);
    assert_eq!(remark.expect("a remark").severity, Severity::Remark);
}

#[test]
fn what_cannot_be_read_is_narrowed_down() {
    let sound = Patch::new(SEED);
    let bad = |at: usize, len: usize| {
        let at = u64::try_from(at).expect("a place");
        let end = at + u64::try_from(len).expect("a length");
        let sector = std::iter::once(at..end).collect();
        let flaky = Flaky::new(sound.clone().source(), sector);
        check(Arc::new(flaky), false).1
    };
    // One sector in the middle of a file of 9000 bytes. Its unit is the block.
    let findings = bad(sound.content(15) + 1024, 512);
    let lost: Vec<_> = findings.iter().filter_map(|f| f.range.clone()).collect();
    assert!(
        matches!(lost.as_slice(), [lost] if *lost == (1024..2048)),
        "{lost:?}"
    );
    assert!(findings.iter().any(|f| f.path.ends_with(b"/two-blocks")));
    let descriptor = sound.descriptor();
    let bitmap = sound.word(descriptor + 4) * sound.block_size();
    assert!(bad(bitmap, 1).iter().any(|f| f.code == BITMAP_READ));
    // The journal's inode has no name.
    assert!(bad(sound.inode(8), 1).iter().any(|f| f.code == INODE_READ));
}

#[test]
fn the_second_reader_agrees_with_everything_it_can_read() {
    let mut compared = 0;
    let mut reasons = BTreeMap::<&str, u64>::new();
    let mut mismatches = Vec::new();
    for name in names() {
        let (counts, findings) = check(image(&name), true);
        let differ = findings.iter().filter(|f| f.severity == Severity::Mismatch);
        let told = differ.map(|f| format!("{name} {}: {}", f.path.escape_ascii(), f.detail));
        mismatches.extend(told);
        compared += counts.compared;
        for (reason, count) in counts.not_comparable {
            *reasons.entry(reason).or_default() += count;
        }
    }
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
    println!("{compared} compared, left out: {reasons:#?}");
    assert!(compared > 1000, "{compared}");
    // A1 and A2 of the recipes, and A6: known to be wrong there, so left out and named.
    for reason in [
        "unwritten extent",
        "date outside of 1970 to 2038",
        "feature that it does not read",
        "hole in a block map",
        "encrypted",
        "name that no path can hold",
        "compressed",
        "initialised size below its size",
        "attribute list",
        "reparse point",
        "MFT with an attribute list",
    ] {
        assert!(reasons.contains_key(reason), "{reason}: {reasons:?}");
    }
    let (counts, _) = check(image("ext4-unwritten"), true);
    assert!(counts.not_comparable["unwritten extent"] > 0 && counts.compared > 0);
    let (counts, _) = check(image("ext4-times"), true);
    assert!(counts.not_comparable["date outside of 1970 to 2038"] > 0 && counts.compared > 0);
}

/// A disk that says something else the third time it is asked for a byte.
#[derive(Debug)]
struct Fickle {
    below: Arc<dyn ByteSource>,
    at: u64,
    reads: AtomicU64,
}

impl ByteSource for Fickle {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = check_range(offset, buf.len(), self.size())?;
        self.below.read_at(offset, buf)?;
        if (offset..end).contains(&self.at) && self.reads.fetch_add(1, Ordering::Relaxed) == 2 {
            let index = usize::try_from(self.at - offset).expect("an index");
            buf[index] ^= 1;
        }
        Ok(())
    }
}

#[test]
fn a_difference_between_the_readers_is_told_with_its_place() {
    // We read once to check and once to compare; the third read is the second reader's.
    let sound = Patch::new(SEED);
    let at = u64::try_from(sound.content(15) + 700).expect("a place");
    let fickle = Fickle {
        below: sound.source(),
        at,
        reads: AtomicU64::new(0),
    };
    let (counts, findings) = check(Arc::new(fickle), true);
    let differ = findings.iter().find(|f| f.severity == Severity::Mismatch);
    let differ = differ.unwrap_or_else(|| panic!("{findings:#?}"));
    assert_eq!(differ.code, check_codes::SECOND_READER);
    assert!(differ.path.ends_with(b"/two-blocks"), "{differ:?}");
    assert_eq!(differ.at, Some(700));
    assert_eq!((counts.mismatches, counts.damaged), (1, 0));
}

#[test]
fn a_path_is_checked_alone() {
    let point = Point::open(
        vec![Volume::disk(image("damaged-extent"))],
        &OpenOptions::default(),
    );
    let of = |path: &str| {
        let locator = address::Locator::guest(OsStr::new(path));
        let target = follow(&point, &locator, &OpenOptions::default(), true).expect(path);
        check_target(&target, &options(true), &mut |_| {}).expect(path)
    };
    assert_eq!(of("/e").damaged, 2);
    assert_eq!(of("/e/AAAA").damaged, 1);
    let d = of("/d");
    assert_eq!((d.damaged, d.mismatches), (0, 0));
    assert!(d.compared > 10);
}

#[test]
fn a_check_can_be_ended() {
    let point = Point::open(vec![Volume::disk(image(SEED))], &OpenOptions::default());
    let options = options(true);
    options.cancel.store(true, Ordering::Relaxed);
    let ended = check_point(&point, &options, &mut |_| {});
    assert!(ended.expect_err("an end").to_string().contains("cancelled"));
}
