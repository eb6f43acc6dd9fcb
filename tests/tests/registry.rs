//! Hives of the Windows registry against what hivex reads in them, and hives that are damaged.

use base64::Engine;
use flr_fs::{ByteSource, Error, Memory, Result};
use flr_recover::registry::{Hive, Key, codes};
use flr_tests::Counting;
use flr_tests::content::sha256;
use flr_tests::image::{fixtures, hive};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use std::sync::Arc;

fn open(bytes: Vec<u8>) -> Result<Hive> {
    Hive::open(Arc::new(Memory::new(bytes)))
}

/// What a walk gives: a line for each key, and every error.
#[derive(Default)]
struct Walked {
    rows: Vec<Value>,
    errors: Vec<Error>,
}

/// Walks a hive, a key before its subkeys, as far as `keys_max` allows.
fn walk(hive: &Hive, keys_max: usize) -> Walked {
    let mut all = Walked::default();
    let mut todo = match hive.root() {
        Ok(root) => vec![(String::new(), root)],
        Err(error) => {
            all.errors.push(error);
            Vec::new()
        }
    };
    while let Some((path, key)) = todo.pop()
        && all.rows.len() < keys_max
    {
        all.rows
            .push(json!({"path": path, "values": values(&key, &mut all.errors)}));
        let mut below = Vec::new();
        match key.subkeys() {
            Err(error) => all.errors.push(error),
            Ok(subkeys) => {
                for subkey in subkeys.take(keys_max) {
                    match subkey {
                        Ok(subkey) => below.push((format!("{path}\\{}", subkey.name()), subkey)),
                        Err(error) => all.errors.push(error),
                    }
                }
            }
        }
        todo.extend(below.into_iter().rev());
    }
    all
}

fn values(key: &Key<'_>, errors: &mut Vec<Error>) -> Map<String, Value> {
    let mut found = Map::new();
    let values = match key.values() {
        Ok(values) => values,
        Err(error) => {
            errors.push(error);
            return found;
        }
    };
    for value in values {
        let read = value.and_then(|value| Ok((value.data()?, value)));
        match read {
            Err(error) => errors.push(error),
            Ok((data, value)) => {
                let shown = if data.len() <= 256 {
                    base64::engine::general_purpose::STANDARD.encode(&data)
                } else {
                    let len = u64::try_from(data.len()).expect("a length");
                    sha256(&Memory::new(data), &[(0, len)]).expect("a digest")
                };
                found.insert(value.name().to_owned(), json!([value.kind(), shown]));
            }
        }
    }
    found
}

/// What hivex says.
fn truth(name: &str) -> Vec<Value> {
    let path = fixtures()
        .join("trees")
        .join(format!("registry.{name}.jsonl"));
    let text = std::fs::read_to_string(path).expect("a golden tree");
    let rows = text.lines().skip(1);
    rows.map(|row| serde_json::from_str(row).expect("a row"))
        .collect()
}

#[test]
fn keys_and_values_are_what_hivex_says() {
    for (name, count) in [("forms", 42), ("old", 42), ("hivex", 305)] {
        let hive = open(hive(&format!("registry-{name}"))).expect(name);
        let walked = walk(&hive, usize::MAX);
        assert!(walked.errors.is_empty(), "{name}: {:?}", walked.errors);
        let truth = truth(name);
        for (found, expected) in walked.rows.iter().zip(&truth) {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!((walked.rows.len(), truth.len()), (count, count), "{name}");
        assert_eq!(hive.is_dirty(), name == "hivex", "{name}");
    }
}

#[test]
fn what_is_asked_for_is_read_and_no_more() {
    let counting = Counting::new(Arc::new(Memory::new(hive("registry-hivex"))));
    let source: Arc<dyn ByteSource> = counting.clone();
    let hive = Hive::open(source).expect("a hive");
    let key = hive.root().expect("a root").descendant("A\\B\\C");
    let value = key.expect("an answer").expect("a key").value("x");
    assert_eq!(value.expect("an answer").expect("a value").kind(), 4);
    let (reads, bytes) = counting.take();
    println!("{reads} reads, {bytes} of {} bytes", counting.size());
    assert!(bytes <= 32 << 10, "{reads} reads, {bytes} bytes");
}

#[test]
fn names_are_found_in_any_case() {
    let hive = open(hive("registry-forms")).expect("a hive");
    let root = hive.root().expect("a root");
    let key = |path: &str| root.descendant(path).expect(path);
    let found = |path: &str| key(path).map(|key| key.name().to_owned());
    assert_eq!(found("DEEP\\Deeper\\deepest").as_deref(), Some("deepest"));
    assert_eq!(found("über\\木É").as_deref(), Some("木é"));
    assert_eq!(found("RI\\ROOT 07").as_deref(), Some("root 07"));
    assert_eq!(found("deep\\deeper\\none"), None);
    let values = key("values").expect("a key");
    let text = |name: &str| values.value(name).expect(name)?.text().expect(name);
    assert_eq!(text("").as_deref(), Some("the key's own"));
    assert_eq!(text("TEXT").as_deref(), Some("café 🐘"));
    assert_eq!(text("wÉ").as_deref(), Some("%SystemRoot%\\x"));
    assert_eq!(text("number"), None);
    assert!(values.value("nothing").expect("an answer").is_none());
}

/// Where a hive's cell with this beginning lies.
fn find(bytes: &[u8], beginning: &[u8]) -> usize {
    let mut windows = bytes.windows(beginning.len());
    windows
        .position(|window| window == beginning)
        .expect("a cell")
}

/// Where the cell lies whose content begins so: its size field.
fn cell(bytes: &[u8], beginning: &[u8]) -> usize {
    find(bytes, beginning) - 4
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

/// The key node of this name.
fn node(bytes: &[u8], name: &str) -> usize {
    let mut at = 0x1000;
    loop {
        at += find(&bytes[at..], b"nk");
        if bytes[at + 0x4c..].starts_with(name.as_bytes())
            && usize::from(bytes[at + 0x48]) == name.len()
        {
            return at;
        }
        at += 2;
    }
}

/// The value of this name.
fn value(bytes: &[u8], name: &str) -> usize {
    let mut at = 0x1000;
    loop {
        at += find(&bytes[at..], b"vk");
        if bytes[at + 0x14..].starts_with(name.as_bytes())
            && usize::from(bytes[at + 2]) == name.len()
        {
            return at;
        }
        at += 2;
    }
}

type Damage = fn(&mut Vec<u8>);

/// One way to damage the hive for each code, and the keys that are still read (of 42).
const DAMAGES: &[(&str, flr_fs::Code, usize, Damage)] = &[
    ("a base block cut off", codes::BASE, 0, |bytes| {
        bytes.truncate(0xfff)
    }),
    ("a base block overwritten", codes::BASE, 0, |bytes| {
        bytes[..4].fill(0)
    }),
    (
        "a bit of the base block",
        codes::BASE_CHECKSUM,
        0,
        |bytes| bytes[0x40] ^= 1,
    ),
    ("a version of the future", codes::VERSION, 0, |bytes| {
        // The checksum is a sum by XOR: two changes that cancel each other keep it.
        bytes[0x18] ^= 8;
        bytes[0x40] ^= 8;
    }),
    ("bins without a head", codes::BIN, 0, |bytes| {
        for page in (0x1000..bytes.len()).step_by(0x1000) {
            bytes[page] = 0;
        }
    }),
    ("bins that end early", codes::CELL, 0, |bytes| {
        bytes.truncate(0x1100)
    }),
    ("a free cell", codes::CELL, 41, |bytes| {
        let at = node(bytes, "leaf 02") - 4;
        bytes[at + 3] = 0;
    }),
    ("a cell that leaves its bin", codes::CELL, 41, |bytes| {
        let at = node(bytes, "leaf 02") - 4;
        put(bytes, at, &(-0x10_0000_i32).to_le_bytes());
    }),
    ("an offset that is odd", codes::CELL, 37, |bytes| {
        let at = node(bytes, "lf") + 0x1c;
        bytes[at] |= 1;
    }),
    ("a cell of gigabytes", codes::CELL_SIZE, 41, |bytes| {
        let at = node(bytes, "leaf 02") - 4;
        put(bytes, at, &(-0x7000_0000_i32).to_le_bytes());
        // Bins and file claim to be as large.
        for page in (0x1000..bytes.len()).step_by(0x1000) {
            if bytes[page..].starts_with(b"hbin") {
                put(bytes, page + 8, &0x7fff_f000_u32.to_le_bytes());
            }
        }
    }),
    ("a key node overwritten", codes::KEY, 41, |bytes| {
        let at = node(bytes, "leaf 02");
        put(bytes, at, b"kn");
    }),
    ("a name longer than its cell", codes::KEY, 41, |bytes| {
        let at = node(bytes, "leaf 02") + 0x48;
        put(bytes, at, &[0xff, 0xff]);
    }),
    ("a list overwritten", codes::SUBKEYS, 37, |bytes| {
        let at = cell(bytes, b"lf\x05\0") + 4;
        put(bytes, at, b"fl");
    }),
    ("a list longer than its cell", codes::SUBKEYS, 37, |bytes| {
        let at = cell(bytes, b"lf\x05\0") + 6;
        put(bytes, at, &[0xff, 0xff]);
    }),
    (
        "a list shorter than the key says",
        codes::SUBKEYS,
        37,
        |bytes| {
            let at = cell(bytes, b"lf\x05\0") + 6;
            bytes[at] = 4;
        },
    ),
    ("a list that is listed twice", codes::SUBKEYS, 34, |bytes| {
        let at = cell(bytes, b"ri\x03\0") + 8;
        bytes.copy_within(at..at + 4, at + 4);
    }),
    (
        "a list of lists that lists itself",
        codes::SUBKEYS,
        34,
        |bytes| {
            let at = cell(bytes, b"ri\x03\0");
            let offset = u32::try_from(at - 0x1000).expect("a small hive");
            put(bytes, at + 8, &offset.to_le_bytes());
        },
    ),
    ("a count of values of millions", codes::COUNT, 42, |bytes| {
        let at = node(bytes, "values") + 0x24;
        put(bytes, at, &[0xff; 4]);
    }),
    ("a value overwritten", codes::VALUE, 42, |bytes| {
        let at = value(bytes, "Number");
        put(bytes, at, b"kv");
    }),
    ("more values than are listed", codes::VALUE, 42, |bytes| {
        let at = node(bytes, "values") + 0x24;
        put(bytes, at, &[0, 1]);
    }),
    ("five bytes where four fit", codes::VALUE, 42, |bytes| {
        let at = value(bytes, "Number") + 4;
        bytes[at] = 5;
    }),
    ("a value longer than its cell", codes::VALUE, 42, |bytes| {
        let at = value(bytes, "Text") + 4;
        put(bytes, at, &[0, 0x10]);
    }),
    ("a value of gigabytes", codes::VALUE_SIZE, 42, |bytes| {
        let at = value(bytes, "Text") + 4;
        put(bytes, at, &0x7fff_ffff_u32.to_le_bytes());
    }),
    (
        "a list of segments overwritten",
        codes::BIG_DATA,
        42,
        |bytes| {
            let at = cell(bytes, b"db\x03\0") + 4;
            put(bytes, at, b"bd");
        },
    ),
    ("a segment too few", codes::BIG_DATA, 42, |bytes| {
        let at = cell(bytes, b"db\x03\0") + 6;
        bytes[at] = 2;
    }),
];

#[test]
fn damage_costs_itself_and_is_told() {
    let sound = hive("registry-forms");
    for (what, code, keys, damage) in DAMAGES {
        let mut bytes = sound.clone();
        damage(&mut bytes);
        let (rows, errors) = match open(bytes) {
            Ok(hive) => {
                let walked = walk(&hive, usize::MAX);
                (walked.rows.len(), walked.errors)
            }
            Err(error) => (0, vec![error]),
        };
        assert!(!errors.is_empty(), "{what}");
        for error in &errors {
            assert_eq!(error.code(), *code, "{what}: {error}");
        }
        assert_eq!(rows, *keys, "{what}");
    }
    let told = |code| DAMAGES.iter().any(|(_, told, ..)| *told == code);
    assert!(codes::ALL.iter().all(|code| told(*code)));
}

#[test]
fn a_damaged_neighbour_hides_no_key_and_denies_none() {
    let mut bytes = hive("registry-forms");
    let at = node(&bytes, "leaf 02");
    put(&mut bytes, at, b"kn");
    let hive = open(bytes).expect("a hive");
    let lf = hive.root().expect("a root").subkey("lf");
    let lf = lf.expect("a list").expect("a key");
    assert!(lf.subkey("leaf 04").expect("an answer").is_some());
    // It may have been the damaged one: "not there" would be a guess.
    let error = lf.subkey("leaf 07").expect_err("no answer");
    assert_eq!(error.code(), codes::KEY);
}

#[test]
fn reading_any_bytes_ends() {
    let sound = [hive("registry-forms"), hive("registry-hivex")];
    let flips = prop::collection::vec((any::<usize>(), any::<u32>(), 1..=4_usize), 1..8);
    let strategy = (0..sound.len(), flips);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config {
        cases: 3000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut told = 0;
    let run = TestRunner::new_with_rng(config, rng).run(&strategy, |(which, flips)| {
        let mut bytes = sound[which].clone();
        for (place, value, len) in flips {
            // Fields lie at even places; the base block is left alone, or its checksum would tell.
            let place = 0x1000 + place % (bytes.len() - 0x1004) / 2 * 2;
            put(&mut bytes, place, &value.to_le_bytes()[..len]);
        }
        let hive = open(bytes).expect("the base block is sound");
        let walked = walk(&hive, 5000);
        prop_assert!(walked.rows.len() <= 5000);
        Ok(())
    });
    run.expect("no panic");
    for at in 0..0x200 {
        let mut bytes = sound[0].clone();
        bytes[at] ^= 0x81;
        told += usize::from(open(bytes).is_err());
    }
    assert_eq!(told, 0x200, "changes of the base block that were told");
}
