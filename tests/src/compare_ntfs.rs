//! What `ntfs-3g` tells of a node beyond what every filesystem has: streams, and attributes of NTFS.

use crate::compare::Differs;
use crate::content::sha256;
use crate::golden::{Node, Stream, from_base64};
use flr_fs::{ByteSource, StreamName, XattrName};
use flr_recover::{View, ViewNode};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Bytes at both ends of a large file that are compared.
const END_LEN: u64 = 1 << 20;

/// Digits of a hash of a security descriptor that are kept.
const DIGIT_COUNT: usize = 16;

pub(crate) fn differences(view: &View, node: ViewNode, expected: &Node, differs: &mut Differs<'_>) {
    // Only the trees of NTFS have it, and there every node.
    let Some(attrib) = &expected.attrib else {
        return;
    };
    streams(view, node, expected, differs);
    let attrib = attrib.strip_prefix("0x").expect("hexadecimal attributes");
    let attrib = u32::from_str_radix(attrib, 16).expect("hexadecimal attributes");
    let wanted = [
        ("attrib_be", Some(attrib.to_be_bytes().to_vec())),
        ("reparse_data", expected.reparse.as_deref().map(from_base64)),
        ("ea", expected.ea.as_deref().map(from_base64)),
        ("object_id", expected.object_id.as_deref().map(from_base64)),
    ];
    for (name, wanted) in wanted {
        if let (_, Err(what)) = value(view, node, name, wanted.as_deref()) {
            differs(name, what, format!("{wanted:02x?}"));
        }
    }
    if let Some(dos_name) = &expected.dos_name {
        let wanted = from_base64(dos_name);
        if let (_, Err(what)) = value(view, node, "dos_name", Some(&wanted)) {
            differs("dos_name", what, wanted.escape_ascii().to_string());
        }
    }
    if let Some(acl) = &expected.acl_sha256 {
        let (found, _) = value(view, node, "acl", None);
        let digest = found.as_deref().map(digits);
        if digest.as_ref() != Some(acl) {
            differs("acl", format!("{digest:?} of {found:02x?}"), acl.clone());
        }
    }
}

/// The value of an attribute, and whether it is as wanted.
fn value(
    view: &View,
    node: ViewNode,
    name: &str,
    wanted: Option<&[u8]>,
) -> (Option<Vec<u8>>, Result<(), String>) {
    let name = XattrName::new(format!("system.ntfs_{name}").into_bytes());
    match view.xattr(node, &name) {
        Ok(found) if found.as_deref() == wanted => (found, Ok(())),
        Ok(found) => {
            let what = format!("{found:02x?}");
            (found, Err(what))
        }
        Err(error) => (None, Err(error.to_string())),
    }
}

fn digits(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    text[..DIGIT_COUNT].to_owned()
}

fn streams(view: &View, node: ViewNode, expected: &Node, differs: &mut Differs<'_>) {
    let none = BTreeMap::new();
    let expected = expected.streams.as_ref().unwrap_or(&none);
    let found = match view.streams(node) {
        Ok(found) => found,
        Err(error) => return differs("streams", error.to_string(), "a list".into()),
    };
    let shown = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let mut names: Vec<_> = found.iter().map(|stream| shown(&stream.name)).collect();
    names.sort();
    if !names.iter().eq(expected.keys()) {
        let keys: Vec<_> = expected.keys().collect();
        differs("streams", format!("{names:?}"), format!("{keys:?}"));
    }
    for stream in found {
        let name = shown(&stream.name);
        let Some(expected) = expected.get(&name) else {
            continue;
        };
        if stream.size != expected.size {
            let (found, wanted) = (stream.size.to_string(), expected.size.to_string());
            differs(&format!("size of {name}"), found, wanted);
        }
        let filesystem = view.filesystem(node).expect("a filesystem of the view");
        match filesystem.open(node.node, StreamName::Named(&stream.name)) {
            Ok(source) => {
                let Stream {
                    sha256,
                    ends_sha256,
                    ..
                } = expected;
                hashes(
                    source.as_ref(),
                    sha256.as_ref(),
                    ends_sha256.as_ref(),
                    &name,
                    differs,
                );
            }
            Err(error) => differs(&name, error.to_string(), "readable".into()),
        }
    }
}

/// Compares content as far as the oracle hashed it.
pub(crate) fn hashes(
    source: &dyn ByteSource,
    whole: Option<&String>,
    ends: Option<&String>,
    what: &str,
    differs: &mut Differs<'_>,
) {
    let size = source.size();
    let both = [(0, END_LEN.min(size)), (size.saturating_sub(END_LEN), size)];
    for (expected, ranges) in [(whole, &[(0, size)][..]), (ends, &both[..])] {
        let Some(expected) = expected else {
            continue;
        };
        match sha256(source, ranges) {
            Ok(found) if found == *expected => {}
            Ok(found) => differs(&format!("sha256 of {what}"), found, expected.clone()),
            Err(error) => differs(
                &format!("sha256 of {what}"),
                error.to_string(),
                expected.clone(),
            ),
        }
    }
}
