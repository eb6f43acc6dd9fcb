//! Index blocks: the nodes of an index that lie outside of its file's record.
//!
//! | at   | field                                            |
//! |------|--------------------------------------------------|
//! | 0x00 | `INDX`; `BAAD` where `chkdsk` found a torn write |
//! | 0x04 | update sequence, see [`super::super::fixup`]     |
//! | 0x10 | VCN of the block in its allocation               |
//! | 0x18 | node                                             |
//!
//! Source: Linux-NTFS documentation, "Index Record".

use super::node::Node;
use crate::bytes::get_le_u64;
use crate::error::{Error, Fault};
use crate::filesystem::ntfs::{codes, fixup};

/// Where the node begins.
pub(super) const NODE_OFFSET: usize = 0x18;

const SIGNATURE: &[u8; 4] = b"INDX";

/// Checks a block that was read from byte `at` of the volume, puts the bytes of its update sequence
/// back, and returns its node.
///
/// # Errors
/// The fault that makes all of its entries unknown.
pub(super) fn open(block: &mut [u8], vcn: u64, at: u64) -> Result<Node<'_>, Fault> {
    let bad = |detail: String| Fault::new(codes::INDEX_BLOCK, at, detail);
    if !block.starts_with(SIGNATURE) {
        let found = block.get(..4).unwrap_or_default().escape_ascii();
        return Err(bad(format!(
            "expected an index block, found \"{found}\" at its start"
        )));
    }
    fixup::apply(block, at).map_err(|error| match error {
        Error::Corrupt(fault) => fault,
        other => bad(other.to_string()),
    })?;
    let own = get_le_u64(block, 0x10).unwrap_or(0);
    if own != vcn {
        return Err(bad(format!(
            "index block {vcn:#x} says that it is {own:#x}"
        )));
    }
    let node = block.get(NODE_OFFSET..).unwrap_or_default();
    Node::parse(node).map_err(bad)
}
