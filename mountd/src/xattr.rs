//! Extended attributes, within what the kernel can carry.

use crate::mounted::Failure;
use flr_fs::XattrName;
use flr_recover::{View, ViewNode, streams};
use fuser::Errno;

/// Longest value and longest list of names that Linux hands to a program (`XATTR_SIZE_MAX`,
/// `XATTR_LIST_MAX`). What is longer is `E2BIG` here and can be read by address.
pub(crate) const BYTES_MAX: u64 = 65536;

/// The value of one attribute.
pub(crate) fn value(view: &View, node: ViewNode, name: &[u8]) -> Result<Vec<u8>, Failure> {
    let value = view
        .xattr(node, &XattrName::new(name))
        .map_err(Failure::Xattr)?;
    match value {
        Some(value) => Ok(value),
        None => stream(view, node, name),
    }
}

/// The stream that is shown as this attribute.
fn stream(view: &View, node: ViewNode, name: &[u8]) -> Result<Vec<u8>, Failure> {
    match streams::xattr(view, node, name).map_err(Failure::Xattr)? {
        Some(streams::Value::Bytes(value)) => Ok(value),
        Some(streams::Value::TooLarge(_)) => Err(Failure::Errno(Errno::E2BIG)),
        None => Err(Failure::Errno(Errno::ENODATA)),
    }
}

/// The names of all attributes, each with a NUL behind it, and of the streams that are shown as such.
///
/// Names that are empty or hold a NUL cannot be told to the kernel, which would refuse the whole
/// list, or take one name for two; they are left out here and shown by `flr stat`.
pub(crate) fn names(view: &View, node: ViewNode) -> Result<Vec<u8>, Failure> {
    let mut list = Vec::new();
    let mut all = view.xattr_names(node).map_err(Failure::Xattr)?;
    let streams = streams::xattrs(view, node, &all).map_err(Failure::Xattr)?;
    all.extend(streams.into_iter().filter_map(|(_, name)| name));
    for name in all {
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
