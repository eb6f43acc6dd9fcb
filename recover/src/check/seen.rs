//! Which nodes of a filesystem have been met: one bit each, in chunks.

use flr_fs::NodeId;
use std::collections::BTreeMap;

/// Words of a chunk: 4 KiB for 32 768 nodes with numbers near each other.
const WORDS: usize = 512;

/// A set of nodes.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<u64, Box<[u64; WORDS]>>);

impl Seen {
    /// Adds a node; whether it is new.
    pub(super) fn insert(&mut self, node: NodeId) -> bool {
        let (chunk, word, bit) = place(node);
        let chunk = self.0.entry(chunk).or_insert_with(|| Box::new([0; WORDS]));
        match chunk.get_mut(word) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether the node is in the set.
    pub(super) fn contains(&self, node: NodeId) -> bool {
        let (chunk, word, bit) = place(node);
        let chunk = self.0.get(&chunk);
        chunk
            .and_then(|chunk| chunk.get(word))
            .is_some_and(|word| word & bit != 0)
    }
}

fn place(node: NodeId) -> (u64, usize, u64) {
    let word = usize::try_from((node.0 >> 6) & 511).unwrap_or(0);
    (node.0 >> 15, word, 1 << (node.0 & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_a_bit_of_its_own() {
        let mut seen = Seen::default();
        for number in [0, 1, 63, 64, 32_767, 32_768, 65_536, u64::MAX] {
            assert!(!seen.contains(NodeId(number)), "{number}");
            assert!(seen.insert(NodeId(number)), "{number}");
            assert!(!seen.insert(NodeId(number)), "{number}");
            assert!(seen.contains(NodeId(number)), "{number}");
        }
    }
}
