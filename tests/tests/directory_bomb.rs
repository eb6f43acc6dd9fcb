//! A small disk that claims a directory of 17 million names: every extent of it leads to one block.

use flr_fs::filesystem::ext::codes::{DIRECTORY_SHARED, RUN_COUNT};
use flr_fs::{Code, OpenContext};
use flr_tests::heap::{assert_counted, peak_of};
use flr_tests::patch::I_BLOCK;
use flr_tests::{Heap, Patch, exercise};

#[global_allocator]
static HEAP: Heap = Heap;

const BLOCK: usize = 2048;
/// Entries of an extent node that fills a block.
const PER_NODE: usize = 169;
const DIR: usize = 16;
const HEAP_MAX: usize = 64 << 20;

fn node(p: &mut Patch, at: usize, depth: u8, entries: &[[u32; 3]]) {
    let count = u8::try_from(entries.len()).expect("a count");
    let max = if at.is_multiple_of(BLOCK) { 169 } else { 4 };
    p.put(at, &[0x0a, 0xf3, count, 0, max, 0, depth, 0, 0, 0, 0, 0]);
    for (index, words) in entries.iter().enumerate() {
        for (word, value) in words.iter().enumerate() {
            p.put_u32(at + 12 + 12 * index + 4 * word, *value);
        }
    }
}

fn word(number: usize) -> u32 {
    u32::try_from(number).expect("a small number")
}

/// `leaves` nodes full of extents of one block each, all of them the same.
fn bomb(leaves: usize) -> Patch {
    let mut p = Patch::new("ext4-2k");
    let inner = leaves.div_ceil(PER_NODE);
    let block = p.bytes.len() / BLOCK - 1 - leaves - inner;
    for index in 0..170 {
        let len = if index == 169 { 20 } else { 12 };
        let name = b'a' + u8::try_from(index % 26).expect("a letter");
        let entry = [13, 0, 0, 0, len, 0, 1, 1, name, 0, 0, 0];
        p.put(
            block * BLOCK + 12 * index,
            &entry[..if index == 169 { 9 } else { 12 }],
        );
    }
    for leaf in 0..leaves {
        let extents: Vec<_> = (0..PER_NODE)
            .map(|index| [word(leaf * PER_NODE + index), 1, word(block)])
            .collect();
        node(&mut p, (block + 1 + leaf) * BLOCK, 0, &extents);
    }
    let first = block + 1 + leaves;
    for index in 0..inner {
        let below = index * PER_NODE..leaves.min((index + 1) * PER_NODE);
        let pointers: Vec<_> = below
            .map(|leaf| [word(leaf * PER_NODE), word(block + 1 + leaf), 0])
            .collect();
        node(&mut p, (first + index) * BLOCK, 1, &pointers);
    }
    let inode = p.inode(DIR);
    let pointers: Vec<_> = (0..inner)
        .map(|index| [word(index * PER_NODE * PER_NODE), word(first + index), 0])
        .collect();
    node(&mut p, inode + I_BLOCK, 2, &pointers);
    p.put_u32(inode + 4, word(leaves * PER_NODE * BLOCK));
    p
}

fn told(leaves: usize, code: Code) {
    let source = bomb(leaves).source();
    let (outcome, peak) = peak_of(|| exercise(source, &OpenContext::default()));
    assert!(outcome.codes.contains(&code), "{:?}", outcome.codes);
    assert!(outcome.nodes.contains_key(&b"/small"[..]), "its neighbours");
    assert!(peak < HEAP_MAX, "{peak} bytes");
}

#[test]
fn a_directory_of_one_block_seventeen_million_times_over_is_refused() {
    assert_counted();
    // More pieces than the disk has blocks, and fewer.
    told(600, RUN_COUNT);
    told(11, DIRECTORY_SHARED);
}
