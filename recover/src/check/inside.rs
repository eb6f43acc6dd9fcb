//! Paths for the second reader: stored names from the root of one filesystem.

use super::second::Ours;
use crate::view::{View, ViewNode};
use flr_fs::{DirCursor, DirItem, RawName, Want};
use std::ops::ControlFlow;

/// Path of stored names inside of the filesystem, or why there is none that a second reader can take.
pub(super) type Inside = Result<Vec<u8>, &'static str>;

/// A directory on the way to the node that a walk is at.
#[derive(Debug)]
pub(super) struct Frame {
    /// Length of its path below the start of the walk.
    pub(super) path_len: usize,
    pub(super) node: ViewNode,
    pub(super) inside: Inside,
}

/// The path of the node `child`, which the view shows in `parent` as `name`.
pub(super) fn below(view: &View, parent: &Frame, name: &[u8], child: ViewNode) -> Inside {
    const NAME: &str = "name that no path can hold";
    let filesystem = view.filesystem(child).map_err(|_| NAME)?;
    if child.filesystem != parent.node.filesystem {
        return match child.node == filesystem.root() {
            true => Ok(Vec::new()),
            false => Err("directory that is joined elsewhere"),
        };
    }
    let mut path = parent.inside.clone()?;
    // A shown name may be an escaped one, or have a suffix that tells it apart.
    match filesystem.lookup(parent.node.node, RawName::new(name)) {
        Ok(Some(found)) if found.node == child.node && found.stored_name == name => {
            path.push(b'/');
            path.extend_from_slice(name);
            Ok(path)
        }
        _ => Err(NAME),
    }
}

/// The path inside of its filesystem of what `path`, a resolved path of the view, leads to.
pub(super) fn inside_of(view: &View, path: &[u8]) -> Inside {
    let mut frame = Frame {
        path_len: 0,
        node: view.root(),
        inside: Ok(Vec::new()),
    };
    for name in path.split(|byte| *byte == b'/').filter(|n| !n.is_empty()) {
        let found = view.lookup(frame.node, name).ok().flatten();
        let (node, _) = found.ok_or("path that leads nowhere")?;
        frame = Frame {
            path_len: 0,
            node,
            inside: below(view, &frame, name, node),
        };
    }
    frame.inside
}

/// All names in a directory as they are stored. `None` if not all of it can be read.
pub(super) fn raw_names(view: &View, dir: ViewNode) -> Option<Ours> {
    let mut names = Vec::new();
    let mut whole = true;
    let filesystem = view.filesystem(dir).ok()?;
    let read = filesystem.read_dir(dir.node, DirCursor::default(), Want::Names, &mut |item| {
        match item {
            DirItem::Entry(entry) => names.push(entry.name.as_bytes().to_vec()),
            DirItem::Damaged(_) => whole = false,
        }
        ControlFlow::Continue(())
    });
    (read.is_ok() && whole).then_some(Ours::Directory(names))
}
