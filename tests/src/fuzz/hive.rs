//! What the target of registry hives does with an input.

use super::read;
use crate::image::hive;
use flr_fs::Memory;
use flr_recover::registry::{Hive, Key};
use std::sync::Arc;

/// Keys that are read of one hive, and subkeys and values of one key.
const KEY_COUNT_MAX: usize = 500;

/// A hive whose base block's checksum is made right: keys and values, root to leaves.
pub fn registry(input: &[u8]) {
    let mut bytes = input.to_vec();
    if let Some(base) = bytes.first_chunk_mut::<0x200>() {
        let (words, _) = base[..0x1fc].as_chunks::<4>();
        let sum = words
            .iter()
            .fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
        let sum = match sum {
            0 => 1,
            u32::MAX => u32::MAX - 1,
            sum => sum,
        };
        base[0x1fc..].copy_from_slice(&sum.to_le_bytes());
    }
    let Ok(hive) = Hive::open(Arc::new(Memory::new(bytes))) else {
        return;
    };
    let mut todo: Vec<Key<'_>> = hive.root().into_iter().collect();
    let mut count = 0;
    while let Some(key) = todo.pop()
        && count < KEY_COUNT_MAX
    {
        count += 1;
        for value in key
            .values()
            .into_iter()
            .flatten()
            .take(KEY_COUNT_MAX)
            .flatten()
        {
            drop(value.data());
            drop(value.text());
        }
        let subkeys = key.subkeys().into_iter().flatten().take(KEY_COUNT_MAX);
        todo.extend(subkeys.flatten());
    }
    read::reached_if(count > 1);
}

/// A hive with every form of list and value in it, short ones.
#[must_use]
pub fn registry_seeds() -> Vec<Vec<u8>> {
    vec![hive("registry-small")]
}
