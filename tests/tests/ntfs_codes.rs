//! Codes of the NTFS reader, and the bytes that bring them about.

use flr_fs::filesystem::ntfs::codes::*;
use flr_fs::{ByteSource, Code, Limits, OpenContext};
use flr_tests::exercise::{Outcome, driver, exercise_as};
use flr_tests::ntfs_patch::types;
use flr_tests::{Flaky, NtfsPatch, Truncated};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is done to the volume.
type Change = fn(&mut NtfsPatch);
/// What is put around the source of the volume.
type Wrap = fn(&NtfsPatch, Arc<dyn ByteSource>) -> Arc<dyn ByteSource>;

/// What is bounded.
type Bound = fn(&mut Limits);

const NONE: Change = |_| {};

/// Records of `ntfs-4k`.
const ROOT: usize = 5;
const EMPTY: usize = 64;
const RESIDENT: usize = 65;
const CLUSTERS: usize = 66;
const MANY: usize = 74;

/// A code, a volume, and what is changed in it.
const RECIPES: &[(Code, &str, Change)] = &[
    (RUN_LIST, "damaged-ntfs-runs", NONE),
    (FIXUP, "damaged-ntfs-records", NONE),
    (RECORD, "damaged-ntfs-records", NONE),
    (ATTRIBUTE, "damaged-ntfs-records", NONE),
    (STREAM, "damaged-ntfs-records", NONE),
    (BOOT_COPY, "damaged-ntfs-boot", NONE),
    (BOOT, "ntfs-4k", |p| {
        let copy = p.patch.bytes.len() - 512;
        p.patch.put(0xb, &[1, 0]);
        p.patch.put(copy + 0xb, &[1, 0]);
    }),
    (MIRROR, "damaged-ntfs-mft", NONE),
    (ATTRIBUTE_LIST, "damaged-ntfs-attribute-list", NONE),
    (MISSING_PIECE, "damaged-ntfs-attribute-list", NONE),
    (STANDARD_INFORMATION, "ntfs-4k", |p| {
        let at = p.attribute(EMPTY, types::STANDARD_INFORMATION);
        p.patch.put_u32(at + 0x10, 8);
    }),
    (ENCRYPTED, "ntfs-4k", |p| {
        let at = p.attribute(CLUSTERS, types::DATA);
        p.patch.put(at + 0xc, &[0, 0x40]);
    }),
    (COMPRESSED, "ntfs-lznt1", |p| {
        // A method that nobody knows.
        let at = (64..90).find_map(|n| {
            p.find(n, types::DATA)
                .filter(|at| p.patch.bytes[at + 0xc] == 1)
        });
        p.patch.put(at.expect("compressed content") + 0xc, &[2]);
    }),
    (UPCASE, "ntfs-4k", |p| {
        let at = p.record(10);
        p.patch.put(at, b"XXXX");
    }),
    (INDEX_ROOT, "ntfs-4k", |p| {
        let value = p.value(p.attribute(MANY, types::INDEX_ROOT));
        p.patch.put_u32(value + 0x10, 0xfff8);
    }),
    (INDEX_BLOCK, "ntfs-4k", |p| {
        let at = p.index_blocks(MANY)[1];
        p.patch.put(at, b"XXXX");
    }),
    (DIRECTORY_REBUILT, "damaged-ntfs-index", NONE),
    (DIRECTORY_STALE, "ntfs-4k", |p| {
        let at = p.record(RESIDENT);
        p.patch.flip(at + 0x10);
    }),
];

/// Codes that come from the source below rather than from the volume's bytes.
const WRAPPED: &[(Code, &str, Wrap)] = &[
    (VOLUME_SIZE, "ntfs-4k", |_, source| {
        Arc::new(Truncated::new(source, 2 << 20))
    }),
    (INDEX_READ, "ntfs-4k", |p, source| {
        let at = u64::try_from(p.index_blocks(MANY)[1]).expect("a place");
        let sector = std::iter::once(at..at + 512).collect();
        Arc::new(Flaky::new(source, sector))
    }),
];

/// Codes that come from bounds.
const LIMITED: &[(Code, &str, Bound)] = &[
    (RUN_COUNT, "ntfs-fragmented", |limits| {
        limits.run_count_max = 2
    }),
    (INDEX_SIZE, "ntfs-4k", |limits| {
        limits.directory_bytes_max = 4096
    }),
];

fn look(name: &str, source: Arc<dyn ByteSource>, limits: Limits) -> Outcome {
    let ctx = OpenContext {
        limits,
        ..OpenContext::default()
    };
    exercise_as(driver(name), source, &ctx)
}

fn brought_about(told: &mut Vec<String>, code: Code, name: &str, found: &Outcome) {
    if !found.codes.contains(&code) {
        told.push(format!("{code} on {name}: {:?}", found.codes));
    }
}

#[test]
fn every_code_is_brought_about_by_its_recipe() {
    let mut told = Vec::new();
    for (code, name, change) in RECIPES {
        let mut volume = NtfsPatch::new(name);
        change(&mut volume);
        let found = look(name, volume.source(), Limits::default());
        brought_about(&mut told, *code, name, &found);
    }
    for (code, name, wrap) in WRAPPED {
        let volume = NtfsPatch::new(name);
        let source = wrap(&volume, volume.clone().source());
        brought_about(
            &mut told,
            *code,
            name,
            &look(name, source, Limits::default()),
        );
    }
    for (code, name, limit) in LIMITED {
        let mut limits = Limits::default();
        limit(&mut limits);
        let found = look(name, NtfsPatch::new(name).source(), limits);
        brought_about(&mut told, *code, name, &found);
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn what_is_changed_is_sound_before() {
    let names: BTreeSet<_> = RECIPES.iter().map(|(_, name, _)| *name).collect();
    for name in names.iter().filter(|name| !name.starts_with("damaged-")) {
        let found = look(name, NtfsPatch::new(name).source(), Limits::default());
        assert!(found.codes.is_empty(), "{name}: {:?}", found.codes);
    }
}

#[test]
fn records_are_the_ones_that_are_meant() {
    let volume = NtfsPatch::new("ntfs-4k");
    assert!(volume.find(ROOT, types::INDEX_ROOT).is_some());
    assert!(volume.index_blocks(MANY).len() > 2);
}
