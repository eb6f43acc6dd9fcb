//! `flr check` of NTFS: what is sound is not accused, and of what is changed exactly that is told. ntfsresize
//! and ntfsfix, which look at some of the same, say the same.

use flr_fs::filesystem::check::{CheckContext, CheckItem};
use flr_fs::filesystem::ntfs::Ntfs;
use flr_fs::filesystem::ntfs::codes::*;
use flr_fs::format::FilesystemDriver;
use flr_fs::{ByteSource, Code, Limits, NodeId, OpenContext, Volume};
use flr_recover::check::{Event, Finding, Options, Severity, check_point};
use flr_recover::{OpenOptions, Point};
use flr_tests::fuzz::mutate::Random;
use flr_tests::heap::{Heap, assert_counted, peak_of};
use flr_tests::image::{image, image_path, names, scratch};
use flr_tests::ntfs_patch::types;
use flr_tests::require::require;
use flr_tests::{Flaky, NtfsPatch};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

#[global_allocator]
static HEAP: Heap = Heap;

/// Records of `ntfs-4k`.
const RESIDENT: usize = 65;
const CLUSTERS: usize = 66;
const MANY: usize = 74;
/// Records of the volume itself.
const MFT: usize = 0;
const UPCASE_FILE: usize = 10;
const BITMAP_FILE: usize = 6;

fn check(source: Arc<dyn ByteSource>) -> Vec<Finding> {
    let point = Point::open(vec![Volume::disk(source)], &OpenOptions::default());
    let mut findings = Vec::new();
    let counts = check_point(&point, &Options::default(), &mut |event| {
        if let Event::Found(finding) = event {
            findings.push(finding.clone());
        }
    });
    counts.expect("a check that nobody ends");
    findings
}

fn codes_of(findings: &[Finding], severity: Severity) -> Vec<Code> {
    let meant = findings.iter().filter(|f| f.severity == severity);
    meant.map(|finding| finding.code).collect()
}

/// First cluster of a file's content.
fn cluster_of(volume: &NtfsPatch, record: usize) -> usize {
    let runs = volume.runs(volume.attribute(record, types::DATA));
    runs[0].0.expect("a stored cluster")
}

fn set_bit(volume: &mut NtfsPatch, record: usize, type_code: u32, bit: usize, to: bool) {
    let at = volume.bit(record, type_code, bit);
    let mask = 1 << (bit % 8);
    let byte = &mut volume.patch.bytes[at];
    *byte = if to { *byte | mask } else { *byte & !mask };
}

fn is_set(volume: &NtfsPatch, record: usize, type_code: u32, bit: usize) -> bool {
    let byte = volume.patch.bytes[volume.bit(record, type_code, bit)];
    byte >> (bit % 8) & 1 != 0
}

/// A record that is formatted and not in use.
fn free_record(volume: &NtfsPatch) -> usize {
    let is_free = |number: &usize| {
        let at = volume.record(*number);
        volume.patch.bytes[at..].starts_with(b"FILE") && volume.patch.bytes[at + 0x16] & 1 == 0
    };
    (24..200).find(is_free).expect("a free record")
}

/// What is changed, and what must be told: damage, remarks.
type Case = (
    &'static str,
    fn(&mut NtfsPatch),
    &'static [Code],
    &'static [Code],
);

const CASES: &[Case] = &[
    (
        "ntfs-4k",
        |p| {
            let copy = p.patch.bytes.len() - 512;
            p.patch.flip(copy + 0x48);
        },
        &[BOOT_SPARE],
        &[],
    ),
    (
        "ntfs-4k",
        |p| {
            // A time in the copy of record 3.
            let at = p.patch.word(0x38) * p.cluster() + 3 * p.record_size();
            p.patch.flip(at + 0x60);
        },
        &[MIRROR_SPARE],
        &[],
    ),
    (
        "ntfs-4k",
        |p| {
            let cluster = cluster_of(p, CLUSTERS);
            set_bit(p, BITMAP_FILE, types::DATA, cluster, false);
        },
        &[BITMAP_FREE],
        &[],
    ),
    (
        "ntfs-4k",
        |p| {
            let free = |bit: &usize| !is_set(p, BITMAP_FILE, types::DATA, *bit);
            let bit = (0..1024).find(free).expect("a free cluster");
            set_bit(p, BITMAP_FILE, types::DATA, bit, true);
        },
        &[],
        &[BITMAP_LOST],
    ),
    (
        "ntfs-4k",
        |p| {
            // Behind the three clusters of this file lies one of the next. Its run begins one later.
            let own = cluster_of(p, CLUSTERS);
            let attribute = p.attribute(CLUSTERS, types::DATA);
            let pairs = attribute + usize::from(p.patch.u16(attribute + 0x20));
            let (len, step) = (p.patch.bytes[pairs] & 15, p.patch.bytes[pairs] >> 4);
            let to = (own + 1).to_le_bytes();
            let at = pairs + 1 + usize::from(len);
            p.patch.put(at, &to[..usize::from(step)]);
            set_bit(p, BITMAP_FILE, types::DATA, own, false);
        },
        &[CLUSTER_SHARED],
        &[],
    ),
    (
        "ntfs-4k",
        |p| set_bit(p, MFT, types::BITMAP, RESIDENT, false),
        &[MFT_BITMAP_FREE],
        &[],
    ),
    (
        "ntfs-4k",
        |p| {
            let free = free_record(p);
            set_bit(p, MFT, types::BITMAP, free, true);
        },
        &[],
        &[MFT_BITMAP_LOST],
    ),
    (
        "ntfs-4k",
        |p| {
            let free = free_record(p);
            set_bit(p, MFT, types::BITMAP, free, true);
            let (at, base) = (p.record(free), p.record(RESIDENT));
            p.patch.put(at + 0x16, &[1, 0]);
            p.patch
                .put_u32(at + 0x20, u32::try_from(RESIDENT).expect("a record"));
            let sequence = p.patch.u16(base + 0x10).to_le_bytes();
            p.patch.put(at + 0x26, &sequence);
        },
        &[RECORD_BASE],
        &[],
    ),
    (
        "ntfs-4k",
        |p| {
            let at = p.record(RESIDENT);
            p.patch.flip(at + 0x12);
        },
        &[LINK_COUNT],
        &[],
    ),
    (
        "ntfs-4k",
        |p| {
            let at = p.attribute(UPCASE_FILE, types::DATA);
            p.patch.put_u32(at + 0x30, 131_070);
            p.patch.put_u32(at + 0x38, 131_070);
        },
        &[UPCASE],
        &[],
    ),
    (
        "ntfs-4k",
        |p| {
            let at = p.attribute(BITMAP_FILE, types::DATA);
            p.patch.put_u32(at + 0x30, 16);
            p.patch.put_u32(at + 0x38, 16);
        },
        &[BITMAP],
        &[],
    ),
];

#[test]
fn what_is_changed_is_told_and_nothing_else() {
    let mut told = Vec::new();
    for (number, (name, change, damage, remarks)) in CASES.iter().enumerate() {
        let mut volume = NtfsPatch::new(name);
        change(&mut volume);
        let findings = check(volume.source());
        if codes_of(&findings, Severity::Damaged) != *damage
            || codes_of(&findings, Severity::Remark) != *remarks
        {
            told.push(format!("{number}, {damage:?} {remarks:?}: {findings:#?}"));
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Volumes that were left open, whose notes are told as remarks.
const OPEN: &[&str] = &["ntfs-dirty", "ntfs-hibernated", "ntfs-log"];

#[test]
fn what_is_sound_is_not_accused() {
    let mut told = Vec::new();
    for name in names().iter().filter(|name| name.starts_with("ntfs-")) {
        let mut findings = check(image(name));
        // Some content of this one is broken on purpose, and no structure.
        findings.retain(|f| name != "ntfs-wof" || !f.code.as_str().starts_with("ntfs.wof"));
        let damage = codes_of(&findings, Severity::Damaged);
        let remarks = codes_of(&findings, Severity::Remark);
        if !damage.is_empty() || (!remarks.is_empty() && !OPEN.contains(&name.as_str())) {
            told.push(format!("{name}: {findings:#?}"));
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn files_that_no_index_has_are_told() {
    let mut volume = NtfsPatch::new("ntfs-4k");
    let names = names_in(&volume, MANY);
    volume.unlist(MANY, &names[0]);
    volume.unlist(MANY, &names[1]);
    let findings = check(volume.source());
    assert_eq!(codes_of(&findings, Severity::Damaged), [RECORD_UNREACHABLE]);
    let detail = &findings[0].detail;
    assert!(detail.starts_with("2 records"), "{detail}");
    assert!(detail.contains(&names[0]), "{detail}");
}

#[test]
fn a_name_that_its_directory_does_not_have_is_told_though_others_lead_there() {
    // Record 65 is `b`, one of three directories with names of one file.
    let mut volume = NtfsPatch::new("ntfs-links");
    let name = format!("many-01-{}", "x".repeat(100));
    volume.unlist(65, &name);
    let findings = check(volume.source());
    assert_eq!(codes_of(&findings, Severity::Damaged), [NAME_UNLISTED]);
    let detail = &findings[0].detail;
    assert!(detail.contains(&name), "{detail}");
}

/// Names in the leaves of a directory, as files of the same directory have them.
fn names_in(volume: &NtfsPatch, directory: usize) -> Vec<String> {
    let mut names = Vec::new();
    for number in directory + 1..directory + 40 {
        let Some(at) = volume.find(number, types::FILE_NAME) else {
            continue;
        };
        let value = volume.value(at);
        if volume.patch.word(value) != directory {
            continue;
        }
        let len = usize::from(volume.patch.bytes[value + 0x40]);
        let units = (0..len).map(|n| volume.patch.u16(value + 0x42 + n * 2));
        let name = String::from_utf16(&units.collect::<Vec<_>>()).expect("a name");
        let mut copy = volume.clone();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            copy.unlist(directory, &name);
        }));
        if found.is_ok() {
            names.push(name);
        }
    }
    names
}

#[test]
fn the_owners_of_a_shared_cluster_are_named() {
    let (name, change, ..) = CASES[4];
    let mut volume = NtfsPatch::new(name);
    let cluster = cluster_of(&volume, CLUSTERS) + 3;
    change(&mut volume);
    let findings = check(volume.source());
    let at = u64::try_from(cluster * 4096).expect("a place");
    assert_eq!(findings[0].at, Some(at));
    let detail = &findings[0].detail;
    assert!(detail.contains("record 66 \""), "{detail}");
    assert!(detail.contains(" and to record "), "{detail}");
}

#[test]
fn on_a_volume_that_was_not_closed_only_shared_clusters_are_damage() {
    for (name, change, damage, remarks) in CASES {
        let mut volume = NtfsPatch::new(name);
        change(&mut volume);
        // The dirty flag of `$VOLUME_INFORMATION`, in both places.
        let at = volume.value(volume.attribute(3, types::VOLUME_INFORMATION));
        let record = volume.record(3);
        volume.patch.bytes[at + 10] |= 1;
        let copy = volume.patch.word(0x38) * volume.cluster() + 3 * volume.record_size();
        volume.patch.bytes[copy + at - record + 10] |= 1;
        let findings = check(volume.source());
        let settled = [BOOT_SPARE, CLUSTER_SHARED, UPCASE, BITMAP];
        let (stays, goes): (Vec<_>, Vec<_>) = damage.iter().partition(|c| settled.contains(c));
        let found: BTreeSet<_> = codes_of(&findings, Severity::Damaged).into_iter().collect();
        assert_eq!(found, stays.into_iter().collect(), "{findings:#?}");
        let found: BTreeSet<_> = codes_of(&findings, Severity::Remark).into_iter().collect();
        let wanted = goes.into_iter().chain(remarks.iter().copied());
        let wanted: BTreeSet<_> = wanted.chain([VOLUME_DIRTY]).collect();
        assert_eq!(found, wanted, "{findings:#?}");
    }
}

#[test]
fn bitmaps_that_cannot_be_read_are_told() {
    let volume = NtfsPatch::new("ntfs-4k");
    let at = volume.bit(BITMAP_FILE, types::DATA, 0);
    let at = u64::try_from(at).expect("a place");
    let flaky = Flaky::new(volume.source(), std::iter::once(at..at + 512).collect());
    let findings = check(Arc::new(flaky));
    let damage = codes_of(&findings, Severity::Damaged);
    assert!(damage.contains(&BITMAP), "{findings:#?}");
}

/// The check of the filesystem alone, with nothing reached by a walk.
fn check_alone(source: Arc<dyn ByteSource>, check_bytes: usize) -> (Vec<CheckItem>, usize) {
    let ctx = OpenContext {
        limits: Limits {
            check_bytes,
            ..Limits::default()
        },
        ..OpenContext::default()
    };
    let opened = Ntfs.open(&[source], &ctx).expect("a volume");
    let mut found = Vec::new();
    let ctx = CheckContext {
        reached: &|_: NodeId| false,
        cancelled: &|| false,
    };
    let (done, peak) = peak_of(|| opened.check(&ctx, &mut |item| found.push(item)));
    done.expect("a check that nobody ends");
    (found, peak)
}

#[test]
fn in_many_passes_the_same_is_found() {
    for number in [2, 3, 4] {
        let (name, change, ..) = CASES[number];
        let mut volume = NtfsPatch::new(name);
        change(&mut volume);
        let at_once = check_alone(volume.clone().source(), 64 << 20).0;
        assert_eq!(at_once.len(), 1, "{at_once:?}");
        assert_eq!(at_once, check_alone(volume.clone().source(), 8).0);
        assert_eq!(at_once, check_alone(volume.source(), 24).0);
    }
    // 32 768 clusters of 512 bytes are more than are compared in so small passes.
    let (found, _) = check_alone(image("ntfs-512"), 8);
    let [CheckItem::Remark(fault)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(fault.code, BITMAP_LIMIT);
}

#[test]
fn memory_is_bits_and_no_maps() {
    assert_counted();
    for name in ["ntfs-fragmented", "ntfs-mft-list", "ntfs-dirs", "ntfs-512"] {
        let (found, peak) = check_alone(image(name), 64 << 20);
        assert_eq!(found, [], "{name}");
        // Caches of records and directories included.
        assert!(peak < 6 << 20, "{name}: {peak} bytes");
    }
}

#[test]
fn whatever_a_volume_holds_a_check_of_it_ends() {
    let sound = NtfsPatch::new("ntfs-links");
    let first = sound.record(0);
    let mut kinds = BTreeSet::new();
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut volume = sound.clone();
        for _ in 0..=random.below(4) {
            let len = 1 << random.below(4);
            let number = random.number(len);
            let at = first + random.below(100 * volume.record_size());
            volume.patch.put(at, &number);
        }
        let Ok(opened) = Ntfs.open(&[volume.source()], &OpenContext::default()) else {
            continue;
        };
        let ctx = CheckContext {
            reached: &|_: NodeId| false,
            cancelled: &|| false,
        };
        let (done, peak) = peak_of(|| {
            opened.check(&ctx, &mut |item| {
                let (CheckItem::Damaged(fault) | CheckItem::Remark(fault)) = item;
                kinds.insert(fault.code);
            })
        });
        done.expect("a check that nobody ends");
        assert!(peak < 8 << 20, "seed {seed}: {peak} bytes");
    }
    assert!(kinds.len() > 8, "{kinds:?}");
}

fn run(program: &str, args: &[&str], image: &Path) -> Output {
    let mut command = Command::new(program);
    let output = command.env("LC_ALL", "C").args(args).arg(image).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// The volume under a name, for programs.
fn file_of(volume: &NtfsPatch) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    file.write_all(&volume.patch.bytes).expect("an image");
    file
}

#[test]
fn ntfsresize_counts_the_same_clusters() {
    if !require(&["ntfsresize"]) {
        return;
    }
    let says = |volume: &NtfsPatch| {
        let file = file_of(volume);
        let done = run(
            "ntfsresize",
            &["--info", "--force", "--no-progress-bar"],
            file.path(),
        );
        let text = [done.stdout, done.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    };
    let sound = says(&NtfsPatch::new("ntfs-4k"));
    assert!(!sound.contains("accounting failed"), "{sound}");
    for (code, word) in [
        (BITMAP_FREE, "missing cluster in $Bitmap"),
        (BITMAP_LOST, "extra cluster in $Bitmap"),
        (CLUSTER_SHARED, "referenced multiple times"),
    ] {
        let case = CASES
            .iter()
            .find(|case| [case.2, case.3].concat() == [code]);
        let (name, change, ..) = case.expect("a case");
        let mut volume = NtfsPatch::new(name);
        change(&mut volume);
        let text = says(&volume);
        assert!(text.contains(word), "{code}: {text}");
        // Both name the first cluster that is meant.
        let findings = check(volume.source());
        let first = findings[0].detail.rsplit("0x").next().unwrap_or_default();
        let first = first.split(' ').next().unwrap_or_default();
        let first = u64::from_str_radix(first, 16).expect(first);
        let says = [format!("failed at {first} "), format!("Cluster {first} is")];
        assert!(
            says.iter().any(|says| text.contains(says)),
            "{first}: {text}"
        );
    }
}

#[test]
fn free_clusters_are_those_that_ntfsinfo_counts() {
    if !require(&["ntfsinfo"]) {
        return;
    }
    let mut compared = 0;
    for name in names().iter().filter(|name| name.starts_with("ntfs-")) {
        let done = run("ntfsinfo", &["--mft", "--force"], &image_path(name));
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let line = text.lines().find(|line| line.contains("Free Clusters:"));
        let Some(words) = line else {
            continue;
        };
        let count = words.split_whitespace().nth(2).expect("a count");
        let ctx = OpenContext::default();
        let opened = Ntfs.open(&[image(name)], &ctx).expect("a volume");
        for _ in 0..2 {
            let free = opened.blocks_free().expect("a count");
            assert_eq!(free.to_string(), count, "{name}");
        }
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn ntfsfix_sees_the_same_copies() {
    if !require(&["ntfsfix"]) {
        return;
    }
    let says = |volume: &NtfsPatch| {
        let file = file_of(volume);
        let done = run("ntfsfix", &["--no-action"], file.path());
        let text = [done.stdout, done.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    };
    let sound = says(&NtfsPatch::new("ntfs-4k"));
    for number in [0, 1] {
        let (name, change, ..) = CASES[number];
        let mut volume = NtfsPatch::new(name);
        change(&mut volume);
        assert_ne!(says(&volume), sound, "case {number}");
    }
}
