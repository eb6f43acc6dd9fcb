//! What moto does not do: pages, tokens that expire, lists that lie, clocks that are wrong.

use super::{fake, noise};
use flr_provider::aws::{Client, EbsSnapshot, SnapshotOptions};
use flr_provider::remote::{ChunkRun, ChunkState, ChunkStore, block_on};
use flr_provider::{Fault, FaultKind};
use flr_tests::aws_fake::{BLOCK_LEN, Blocks, Call, Fake, FakeFault, Snapshot, When};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const ID: &str = "snap-0123456789abcdef0";
const OLDER: &str = "snap-0123456789abcdef1";

/// Whether a block is stored: 7 of 8 are, but for a long hole.
fn is_stored(index: u64) -> bool {
    !(3000..9000).contains(&index) && index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 != 0
}

/// What is in a block. Listing asks for each, so it must not take long.
fn written(index: u64) -> Vec<u8> {
    noise(index, 64)
}

/// A whole block with this at its beginning.
fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(BLOCK_LEN, 0);
    bytes
}

/// 10 GiB with holes.
fn blocks() -> Blocks {
    Blocks::from_fn(10 * 2048, |index| is_stored(index).then(|| written(index)))
}

fn with_snapshot(blocks: Blocks) -> (Fake, Client) {
    let (fake, client) = fake();
    fake.state().add_snapshot(Snapshot::new(ID, blocks));
    (fake, client)
}

fn open(client: &Client) -> Result<Arc<EbsSnapshot>, Fault> {
    block_on(EbsSnapshot::open(client, ID))
}

/// The indexes of what is stored, of runs that cover `from..` without gaps.
fn stored(runs: &[ChunkRun], from: u64) -> (u64, Vec<u64>) {
    let mut at = from;
    let mut found = Vec::new();
    for run in runs {
        assert_eq!(run.chunks.start, at);
        at = run.chunks.end;
        if run.state == ChunkState::Present {
            found.extend(run.chunks.clone());
        }
    }
    (at, found)
}

fn check_map(snapshot: &EbsSnapshot, from: u64, to: u64) {
    let runs = block_on(snapshot.map(from..to)).unwrap();
    let (end, found) = stored(&runs, from);
    assert_eq!(end, to);
    let truth: Vec<u64> = (from..to).filter(|index| is_stored(*index)).collect();
    assert!(found == truth, "{from}..{to}");
}

#[test]
fn every_chunk_is_what_was_written_however_pages_come() {
    for (max, empty_every) in [
        (None, None),
        (Some(700), None),
        (Some(999), Some(2)),
        (None, Some(3)),
    ] {
        let (fake, client) = with_snapshot(blocks());
        fake.state().settings.pages.max = max;
        fake.state().settings.pages.empty_every = empty_every;
        let snapshot = open(&client).unwrap();
        assert_eq!(snapshot.size(), 10 << 30);
        let count = 10 * 2048;
        for (from, to) in [
            (5000, 5001),
            (count - 1, count),
            (12_345, 17_000),
            (0, count),
            (2990, 9010),
        ] {
            check_map(&snapshot, from, to);
        }
        for index in [0, 1, 2999, 9001, count - 1] {
            let block = block_on(snapshot.fetch(index..index + 1));
            match is_stored(index) {
                true => assert!(block.unwrap() == padded(written(index)), "{index}"),
                false => drop(block.unwrap_err()),
            }
        }
        // All that was asked twice was known.
        let lists = fake.count("ListSnapshotBlocks");
        check_map(&snapshot, 0, count);
        assert_eq!(fake.count("ListSnapshotBlocks"), lists);
        if max.is_none() && empty_every.is_none() {
            assert!(lists <= 4, "{lists}");
        }
    }
}

#[test]
fn holes_are_not_fetched_and_nothing_lies_behind_the_end() {
    let (fake, client) = with_snapshot(blocks());
    let snapshot = open(&client).unwrap();
    block_on(snapshot.fetch(5000..5001)).unwrap_err();
    for bad in [
        10 * 2048..10 * 2048 + 1,
        0..10 * 2048 + 1,
        u64::MAX - 1..u64::MAX,
    ] {
        assert_eq!(
            block_on(snapshot.map(bad)).unwrap_err().kind,
            FaultKind::Refused
        );
    }
    block_on(snapshot.fetch(10 * 2048..10 * 2048 + 1)).unwrap_err();
    assert_eq!(fake.count("GetSnapshotBlock"), 0);
}

#[test]
fn tokens_that_expired_are_renewed() {
    let (fake, client) = with_snapshot(blocks());
    let snapshot = open(&client).unwrap();
    check_map(&snapshot, 0, 2048);
    let lists = fake.count("ListSnapshotBlocks");
    // The server knows that they have expired; we do not.
    fake.advance(Duration::from_secs(8 * 24 * 3600));
    for index in 9..30 {
        if is_stored(index) {
            let block = block_on(snapshot.fetch(index..index + 1)).unwrap();
            assert!(block == padded(written(index)));
        }
    }
    assert_eq!(
        fake.count("ListSnapshotBlocks"),
        lists + 1,
        "a hundred at once"
    );
    check_map(&snapshot, 0, 2048);
    // Now we know it, too, and do not try.
    let (fake, client) = with_snapshot(blocks());
    fake.state().settings.block_token_life = Duration::from_secs(30);
    let snapshot = open(&client).unwrap();
    fake.clear_requests();
    block_on(snapshot.fetch(1..2)).unwrap();
    assert_eq!(fake.count("GetSnapshotBlock"), 1);
    assert_eq!(fake.count("ListSnapshotBlocks"), 1);
    // Each listing ends the tokens of the one before it.
    fake.state().settings.block_token_life = Duration::from_secs(3600);
    fake.state().settings.listing_ends_tokens = true;
    let snapshot = open(&client).unwrap();
    check_map(&snapshot, 12_000, 12_001);
    for index in [1, 12_000, 2, 12_001]
        .into_iter()
        .filter(|index| is_stored(*index))
    {
        let block = block_on(snapshot.fetch(index..index + 1)).unwrap();
        assert!(block == padded(written(index)));
    }
}

#[test]
fn a_token_that_is_refused_for_ever_is_no_circle() {
    let (fake, client) = with_snapshot(blocks());
    let snapshot = open(&client).unwrap();
    fake.set_rule(|call: &Call| {
        (call.operation == "GetSnapshotBlock").then(|| FakeFault::Error {
            when: When::BeforeEffect,
            status: 400,
            code: "ValidationException".to_owned(),
            reason: Some("INVALID_BLOCK_TOKEN".to_owned()),
        })
    });
    fake.clear_requests();
    let fault = block_on(snapshot.fetch(1..2)).unwrap_err();
    assert!(fault.is("ValidationException.INVALID_BLOCK_TOKEN"));
    assert_eq!(fake.count("GetSnapshotBlock"), 2);
    assert_eq!(fake.count("ListSnapshotBlocks"), 1);
}

/// Changes every listing that is answered.
fn lie(fake: &Fake, lie: impl Fn(&mut Value, &Call) + Send + 'static) {
    fake.set_change(move |call, answer| {
        if call.operation == "ListSnapshotBlocks" && answer.status == 200 {
            let mut page = serde_json::from_slice(&answer.body).unwrap();
            lie(&mut page, call);
            answer.body = page.to_string().into_bytes();
        }
    });
}

#[test]
fn a_listing_that_lies_is_no_map() {
    type Lie = fn(&mut Value, &Call);
    let lies: [(&str, Lie); 7] = [
        ("order", |page, _| {
            let blocks = page["Blocks"].as_array_mut().unwrap();
            blocks.swap(0, 1);
        }),
        ("twice", |page, _| {
            let blocks = page["Blocks"].as_array_mut().unwrap();
            let first = blocks[0].clone();
            blocks.push(first);
        }),
        ("index below", |page, _| {
            page["Blocks"][0]["BlockIndex"] = json!(10 * 2048)
        }),
        ("no list", |page, _| {
            page.as_object_mut().unwrap().remove("Blocks");
            page.as_object_mut().unwrap().remove("NextToken");
        }),
        ("size", |page, _| page["VolumeSize"] = json!(0)),
        ("token", |page, _| {
            page["Blocks"][0]["BlockToken"] = json!("a b")
        }),
        ("token", |page, _| page["NextToken"] = json!("")),
    ];
    for (why, how) in lies {
        let (fake, client) = with_snapshot(blocks());
        fake.state().settings.pages.max = Some(500);
        lie(&fake, how);
        let fault = open(&client).map(|_| why).unwrap_err();
        assert!(fault.message.contains(why), "{why}: {fault}");
    }
}

#[test]
fn another_length_of_blocks_is_believed_only_as_it_comes() {
    // As moto: it says 512 and sends 524,288.
    let (fake, client) = with_snapshot(blocks());
    lie(&fake, |page, _| page["BlockSize"] = json!(512));
    let snapshot = open(&client).unwrap();
    assert_eq!(fake.count("GetSnapshotBlock"), 1);
    check_map(&snapshot, 0, 4096);
    // A server that means it.
    for (announced, len) in [(1 << 20, 1 << 20), (512, 512), (524_288, 512)] {
        let (fake, client) = with_snapshot(blocks());
        fake.set_change(move |call, answer| match call.operation.as_str() {
            "ListSnapshotBlocks" => {
                let mut page: Value = serde_json::from_slice(&answer.body).unwrap();
                page["BlockSize"] = json!(announced);
                answer.body = page.to_string().into_bytes();
            }
            _ => {
                answer.body = vec![7; len];
                let sum = base64_sha256(&answer.body);
                for (name, value) in &mut answer.headers {
                    match name.to_lowercase().as_str() {
                        "x-amz-data-length" => *value = len.to_string(),
                        "x-amz-checksum" => value.clone_from(&sum),
                        _ => {}
                    }
                }
            }
        });
        let fetched = open(&client).and_then(|snapshot| block_on(snapshot.fetch(1..2)));
        let fault = fetched.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.message.contains("expected 524288 bytes"), "{fault}");
    }
}

fn base64_sha256(bytes: &[u8]) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(bytes))
}

#[test]
fn a_snapshot_that_changes_its_size_or_blocks_is_refused() {
    let (fake, client) = with_snapshot(blocks());
    let snapshot = open(&client).unwrap();
    lie(&fake, |page, _| page["VolumeSize"] = json!(11));
    let fault = block_on(snapshot.map(19_000..19_001)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    fake.clear_change();
    check_map(&snapshot, 19_000, 19_001);
    // Tokens are renewed, and the block is not in the list any more.
    fake.advance(Duration::from_secs(8 * 24 * 3600));
    lie(&fake, |page, _| {
        page["Blocks"].as_array_mut().unwrap().remove(0);
    });
    let fault = block_on(snapshot.fetch(1..2)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    check_map(&snapshot, 0, 2048);
}

#[test]
fn a_later_snapshot_shares_what_has_not_changed() {
    let (fake, client) = with_snapshot(Blocks::from_fn(0, |_| None));
    let changes = [(5, Some(written(99))), (7, None), (3500, Some(written(98)))];
    let mut older = Snapshot::new(OLDER, blocks());
    let mut newer = Snapshot::new(ID, blocks().changed(BTreeMap::from(changes)));
    older.volume_id = "vol-1".to_owned();
    newer.volume_id = "vol-1".to_owned();
    fake.state().add_snapshot(older);
    fake.state().add_snapshot(newer);
    let options = SnapshotOptions {
        account: Some("111122223333".to_owned()),
        relative: Some(OLDER.to_owned()),
    };
    let snapshot = block_on(EbsSnapshot::open_with(&client, ID, options)).unwrap();
    let url = fake.url();
    let own = format!("ebs/111122223333/{ID}@{url}");
    let shared = format!("ebs/111122223333/{OLDER}@{url}");
    for (index, same) in [
        (1, true),
        (5, false),
        (6, true),
        (7, false),
        (3500, false),
        (20_479, true),
    ] {
        let names = block_on(snapshot.cache_names(index));
        let expected = if same {
            vec![&own, &shared]
        } else {
            vec![&own]
        };
        assert_eq!(names.iter().collect::<Vec<_>>(), expected, "{index}");
    }
    assert_eq!(fake.count("ListChangedBlocks"), 1);
    // Of another volume: found out once.
    fake.state().snapshots.get_mut(OLDER).unwrap().volume_id = "vol-2".to_owned();
    let options = SnapshotOptions {
        account: None,
        relative: Some(OLDER.to_owned()),
    };
    let snapshot = block_on(EbsSnapshot::open_with(&client, ID, options)).unwrap();
    fake.clear_requests();
    for index in 0..9 {
        assert_eq!(
            block_on(snapshot.cache_names(index)),
            [format!("ebs//{ID}@{url}")]
        );
    }
    assert_eq!(fake.count("ListChangedBlocks"), 1);
}

#[test]
fn many_at_once_make_one_listing() {
    let (fake, client) = with_snapshot(blocks());
    let snapshot = open(&client).unwrap();
    fake.clear_requests();
    let asked: Vec<_> = (0..32)
        .map(|at| {
            let snapshot = Arc::clone(&snapshot);
            flr_provider::remote::runtime::handle()
                .spawn(async move { snapshot.map(18_000 + at..18_001 + at).await })
        })
        .collect();
    for answer in asked {
        block_on(answer).unwrap().unwrap();
    }
    assert_eq!(fake.count("ListSnapshotBlocks"), 1);
}
