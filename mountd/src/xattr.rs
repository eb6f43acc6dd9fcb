//! Extended attributes, within what the kernel can carry.

use crate::mounted::Failure;
use flr_fs::XattrName;
use flr_recover::{View, ViewNode};
use fuser::Errno;

/// Longest value and longest list of names that Linux hands to a program (`XATTR_SIZE_MAX`,
/// `XATTR_LIST_MAX`). What is longer is `E2BIG` here and can be read by address.
pub(crate) const BYTES_MAX: u64 = 65536;

/// The value of one attribute.
pub(crate) fn value(view: &View, node: ViewNode, name: &[u8]) -> Result<Vec<u8>, Failure> {
    let value = view
        .xattr(node, &XattrName::new(name))
        .map_err(Failure::Xattr)?;
    value.ok_or(Failure::Errno(Errno::ENODATA))
}

/// The names of all attributes, each with a NUL behind it.
///
/// Names that are empty or hold a NUL cannot be told to the kernel, which would refuse the whole
/// list, or take one name for two; they are left out here and shown by `flr stat`.
pub(crate) fn names(view: &View, node: ViewNode) -> Result<Vec<u8>, Failure> {
    let mut list = Vec::new();
    for name in view.xattr_names(node).map_err(Failure::Xattr)? {
        let name = name.as_bytes();
        if name.is_empty() || name.contains(&0) {
            tracing::debug!(name = %name.escape_ascii(), "attribute name left out of a list");
            continue;
        }
        list.extend_from_slice(name);
        list.push(0);
    }
    Ok(list)
}
