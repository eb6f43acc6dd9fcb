//! An entry of an archive: everything about a node but its content.

use super::report::Lack;
use crate::error::{Error, Result};
use crate::id_names::IdNames;
use crate::streams::{self, Value};
use crate::view::{View, ViewNode};
use flr_fs::{FileKind, Metadata, XattrName};

/// Bytes of attributes of one entry that are kept: they stand in its header, which readers hold in memory.
const XATTR_BYTES_MAX: usize = 8 << 20;

/// See [`add_of_ntfs`].
const OF_NTFS: [&[u8]; 6] = [
    b"system.ntfs_acl",
    b"system.ntfs_attrib",
    b"system.ntfs_crtime",
    b"system.ntfs_dos_name",
    b"system.ntfs_object_id",
    b"system.ntfs_reparse_data",
];

/// An entry.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its name: components with a slash between them, none at the end.
    pub(super) name: &'a [u8],
    pub(super) metadata: &'a Metadata,
    /// The target, if it is a symbolic link.
    pub(super) target: Vec<u8>,
    /// Name of an entry before it that is the same file.
    pub(super) link_to: Option<Vec<u8>>,
    /// Extended attributes as the kernel hands them out.
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) owners: &'a Owners,
}

/// Names of the guest's owners. What has none is stored by number alone: whoever unpacks with names needs
/// those of both machines to agree.
#[derive(Debug, Default)]
pub(super) struct Owners {
    pub(super) users: IdNames,
    pub(super) groups: IdNames,
}

impl Entry<'_> {
    /// Whether it is a regular file with content of its own.
    pub(super) fn has_content(&self) -> bool {
        self.metadata.kind == FileKind::File && self.link_to.is_none()
    }
}

/// The target of a node, if it is a symbolic link.
pub(super) fn target(view: &View, node: ViewNode, metadata: &Metadata) -> Result<Vec<u8>> {
    match metadata.kind {
        FileKind::Symlink => view.read_link(node),
        _ => Ok(Vec::new()),
    }
}

/// All attributes of a node and its named streams; what cannot be had is told.
pub(super) fn xattrs(
    view: &View,
    node: ViewNode,
    lacks: &mut dyn FnMut(Lack<'_>),
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut kept = Kept::default();
    let names = match view.xattr_names(node) {
        Ok(names) => names,
        Err(error) => {
            lacks(Lack::XattrUnreadable {
                name: None,
                error: &error,
            });
            return kept.xattrs;
        }
    };
    for name in &names {
        match view.xattr(node, name) {
            Ok(Some(value)) => kept.add(name.as_bytes(), value, lacks),
            // A name without a value, which no attribute is.
            Ok(None) => {}
            Err(error) => unreadable(name.as_bytes(), &error, lacks),
        }
    }
    add_of_ntfs(view, node, &mut kept, lacks);
    add_streams(view, node, &names, &mut kept, lacks);
    kept.xattrs
}

/// What NTFS has beside streams, by the names of ntfs-3g, which lists none of them: a copy would try to set them, an
/// archive only holds them.
fn add_of_ntfs(view: &View, node: ViewNode, kept: &mut Kept, lacks: &mut dyn FnMut(Lack<'_>)) {
    let has_streams = view.filesystem(node).is_ok_and(|it| it.has_streams());
    for name in OF_NTFS.iter().filter(|_| has_streams) {
        match view.xattr(node, &XattrName::new(*name)) {
            Ok(Some(value)) => kept.add(name, value, lacks),
            Ok(None) => {}
            Err(error) => unreadable(name, &error, lacks),
        }
    }
}

fn add_streams(
    view: &View,
    node: ViewNode,
    listed: &[XattrName],
    kept: &mut Kept,
    lacks: &mut dyn FnMut(Lack<'_>),
) {
    let found = match streams::xattrs(view, node, listed) {
        Ok(found) => found,
        Err(error) => {
            return lacks(Lack::XattrUnreadable {
                name: None,
                error: &error,
            });
        }
    };
    for (stream, name) in found {
        let shown = [b":", stream.name.as_slice()].concat();
        let Some(name) = name else {
            lacks(Lack::Xattr {
                name: &shown,
                why: "no attribute can be called so",
            });
            continue;
        };
        match streams::xattr(view, node, name.as_bytes()) {
            Ok(Some(Value::Bytes(value))) => kept.add(name.as_bytes(), value, lacks),
            Ok(Some(Value::TooLarge(_))) => lacks(Lack::Xattr {
                name: &shown,
                why: "larger than an attribute of Linux, 64 KiB; flr cp copies it by its address",
            }),
            Ok(None) => {}
            Err(error) => unreadable(&shown, &error, lacks),
        }
    }
}

fn unreadable(name: &[u8], error: &Error, lacks: &mut dyn FnMut(Lack<'_>)) {
    lacks(Lack::XattrUnreadable {
        name: Some(name),
        error,
    });
}

/// Attributes, up to a bound.
#[derive(Default)]
struct Kept {
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
}

impl Kept {
    fn add(&mut self, name: &[u8], value: Vec<u8>, lacks: &mut dyn FnMut(Lack<'_>)) {
        let bytes = (self.bytes)
            .saturating_add(name.len())
            .saturating_add(value.len());
        if bytes > XATTR_BYTES_MAX {
            return lacks(Lack::Xattr {
                name,
                why: "the attributes of this file are more than 8 MiB",
            });
        }
        self.bytes = bytes;
        self.xattrs.push((name.to_vec(), value));
    }
}
