//! Holes are what the servers' own tools say.

use crate::harness::{Server, holes, map, open, read_all, run, text};
use flr_provider::nbd::NbdStore;
use flr_provider::remote::ChunkStore;
use flr_tests::require::require;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use tempfile::TempDir;

/// Zeros by `nbdinfo --map`, neighbours merged.
fn nbdinfo(uri: &str) -> Vec<Range<u64>> {
    let text = run("nbdinfo", &["--json", "--map", uri]);
    let extents: Vec<Value> = serde_json::from_str(&text).unwrap();
    zeros(extents.iter().map(|extent| {
        let (start, len) = (
            extent["offset"].as_u64().unwrap(),
            extent["length"].as_u64().unwrap(),
        );
        (
            start..start + len,
            extent["type"].as_u64().unwrap() & 2 != 0,
        )
    }))
}

/// Zeros by `qemu-img map`, neighbours merged.
fn qemu_img(uri: &str) -> Vec<Range<u64>> {
    let text = run("qemu-img", &["map", "--output=json", uri]);
    let extents: Vec<Value> = serde_json::from_str(&text).unwrap();
    zeros(extents.iter().map(|extent| {
        let (start, len) = (
            extent["start"].as_u64().unwrap(),
            extent["length"].as_u64().unwrap(),
        );
        (start..start + len, extent["zero"].as_bool().unwrap())
    }))
}

fn zeros(extents: impl Iterator<Item = (Range<u64>, bool)>) -> Vec<Range<u64>> {
    let mut out: Vec<Range<u64>> = Vec::new();
    for (range, _) in extents.filter(|(_, zero)| *zero) {
        match out.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => out.push(range),
        }
    }
    out
}

/// The whole chunks of these zeros.
fn whole_chunks(store: &NbdStore, zeros: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let len = u64::from(store.chunk_len().get());
    let whole = zeros.into_iter().map(|zeros| {
        let end = if zeros.end == store.size() {
            zeros.end
        } else {
            zeros.end / len * len
        };
        zeros.start.div_ceil(len) * len..end
    });
    whole.filter(|range| range.start < range.end).collect()
}

/// Compares the map with another's, and both with the bytes.
fn check(store: &Arc<NbdStore>, expected: Vec<Range<u64>>) -> usize {
    let holes = holes(store);
    assert_eq!(holes, whole_chunks(store, expected));
    let bytes = read_all(store, 1).unwrap();
    for hole in &holes {
        let range = usize::try_from(hole.start).unwrap()..usize::try_from(hole.end).unwrap();
        assert!(bytes[range].iter().all(|byte| *byte == 0), "{hole:?}");
    }
    holes.len()
}

#[test]
fn holes_of_nbdkit() {
    if !require(&["nbdkit", "nbdinfo"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    for size in ["30M", "30000111"] {
        let words = [
            "sparse-random",
            size,
            "seed=3",
            "runlength=100000",
            "percent=30",
        ];
        let server = Server::nbdkit(&dir, &words);
        let store = open(&server.uri(""));
        assert!(check(&store, nbdinfo(&server.uri(""))) > 30);
    }
    // One extent a request, and a map that is larger than one question.
    let server = Server::nbdkit(&dir, &["memory", "9T"]);
    let store = open(&server.uri(""));
    assert_eq!(
        holes(&store).as_slice(),
        std::slice::from_ref(&(0..9 << 40))
    );
}

#[test]
fn holes_of_qemu() {
    if !require(&["qemu-nbd", "qemu-img", "qemu-io"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("disk.qcow2");
    run(
        "qemu-img",
        &["create", "-q", "-f", "qcow2", text(&file), "256M"],
    );
    for at in [0_u64, 3, 64, 65, 100, 254] {
        let command = format!("write -P 0x5a {}k {}k", at * 1024 + 64, (at % 3) * 64 + 128);
        run("qemu-io", &["-f", "qcow2", "-c", &command, text(&file)]);
    }
    let server = Server::qemu(&dir, &["--format=qcow2", text(&file)]);
    let store = open(&server.uri(""));
    assert!(check(&store, qemu_img(&server.uri(""))) > 5);
}

#[test]
fn without_a_map_everything_is_there() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let without = [&["--no-sr"][..], &["--filter=noextents"]];
    for more in without {
        let server = Server::nbdkit(&dir, &[more, &["memory", "10M"]].concat());
        let store = open(&server.uri(""));
        assert_eq!(map(&store).len(), 1);
        assert!(holes(&store).is_empty());
    }
}
