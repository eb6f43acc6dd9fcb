//! Reading everything there is, within a budget: a hostile tree may be larger than its image.

use flr_fs::{
    ByteSource, DirCursor, DirItem, FileKind, Filesystem, NodeId, SegmentKind, StreamName, Want,
};
use flr_recover::View;
use flr_recover::walk::{Next, Step, walk};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

thread_local! {
    static REACHED: Cell<u64> = const { Cell::new(0) };
}

/// Counts an execution that got as far as its target aims.
pub fn reached_if(yes: bool) {
    REACHED.set(REACHED.get() + u64::from(yes));
}

/// Executions of this thread that were counted since the last call.
#[must_use]
pub fn take_reached() -> u64 {
    REACHED.replace(0)
}

/// Bytes of one read.
const READ_LEN: usize = 4096;

/// What is left to be spent on one input.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Steps of the walk.
    pub steps: usize,
    /// Pieces of content.
    pub pieces: usize,
}

impl Default for Budget {
    fn default() -> Self {
        let (steps, pieces) = (400, 400);
        Self { steps, pieces }
    }
}

/// Walks the tree and reads metadata, attributes, links and content. Tells how many nodes it met.
pub fn all(filesystem: &Arc<dyn Filesystem>, image: &dyn ByteSource, budget: Budget) -> usize {
    let Budget {
        mut steps,
        mut pieces,
    } = budget;
    let view = View::new(Arc::clone(filesystem));
    let mut nodes = 0;
    // OK to ignore: that an error is the answer to damage is what is wanted here.
    let _ = walk(&view, view.root(), None, &mut |step| {
        if let Step::Node { node, metadata, .. } = &step {
            nodes += 1;
            attributes(filesystem.as_ref(), node.node);
            match metadata.kind {
                FileKind::Symlink => drop(filesystem.read_link(node.node)),
                FileKind::File => {
                    content(filesystem.as_ref(), node.node, image, &mut pieces);
                }
                _ => {}
            }
        }
        steps = steps.saturating_sub(1);
        if steps == 0 {
            Next::Stop
        } else {
            Next::Continue
        }
    });
    nodes
}

/// Reads names and values of attributes, and tells how many there are.
pub fn attributes(filesystem: &dyn Filesystem, node: NodeId) -> usize {
    let names = filesystem.xattr_names(node).unwrap_or_default();
    for name in names.iter().take(64) {
        drop(filesystem.xattr(node, name));
    }
    names.len()
}

/// Reads the beginning and the end of every segment, and sees that they are what the segment says.
/// Tells whether the content could be opened.
///
/// # Panics
/// If they are not.
pub fn content(
    fs: &dyn Filesystem,
    node: NodeId,
    image: &dyn ByteSource,
    pieces: &mut usize,
) -> bool {
    let Ok(source) = fs.open(node, StreamName::Main) else {
        return false;
    };
    let size = source.size();
    let mut at = 0;
    while at < size && *pieces > 0 {
        *pieces -= 1;
        let Ok(segment) = source.segment_at(at..size) else {
            return true;
        };
        assert!(
            segment.len > 0 && segment.len <= size - at,
            "{segment:?} at {at} of {size}"
        );
        let len = segment.len.min(4096);
        let last = segment.len - len;
        for from in [0, last] {
            let mut buf = vec![0xaa; usize::try_from(len).unwrap_or(READ_LEN)];
            if source.read_at(at + from, &mut buf).is_err() {
                continue;
            }
            match segment.kind {
                SegmentKind::Hole | SegmentKind::Unwritten => {
                    assert!(
                        buf.iter().all(|byte| *byte == 0),
                        "a hole that is not empty"
                    );
                }
                SegmentKind::Stored(location) => {
                    let mut raw = vec![0; buf.len()];
                    if image.read_at(location.offset + from, &mut raw).is_ok() {
                        assert!(raw == buf, "not the bytes at {location:?}");
                    }
                }
                _ => {}
            }
        }
        at += segment.len;
    }
    true
}

/// Lists a directory in one go and again from its middle, and looks names up. Tells how many
/// entries it has.
///
/// # Panics
/// If both listings differ.
pub fn directory(filesystem: &dyn Filesystem, dir: NodeId) -> usize {
    let mut entries = Vec::new();
    let listed = list(filesystem, dir, DirCursor(0), &mut entries);
    let middle = entries.len() / 2;
    for (name, _) in entries
        .iter()
        .take(8)
        .chain(&entries[middle..(middle + 8).min(entries.len())])
    {
        drop(filesystem.lookup(dir, flr_fs::RawName::new(name)));
    }
    drop(filesystem.lookup(dir, flr_fs::RawName::new(b"not there")));
    if let (true, Some((_, cursor))) = (listed, entries.get(middle)) {
        let mut rest = Vec::new();
        if list(filesystem, dir, *cursor, &mut rest) {
            assert!(
                rest == entries[middle + 1..],
                "a listing that goes on elsewhere"
            );
        }
    }
    entries.len()
}

/// Whether the end was reached.
fn list(
    fs: &dyn Filesystem,
    dir: NodeId,
    from: DirCursor,
    to: &mut Vec<(Vec<u8>, DirCursor)>,
) -> bool {
    let mut ended = true;
    let mut items = 0;
    let done = fs.read_dir(dir, from, Want::Names, &mut |item| {
        if let DirItem::Entry(entry) = item {
            to.push((entry.name.as_bytes().to_vec(), entry.next));
        }
        items += 1;
        ended = items < 20_000;
        if ended {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    done.is_ok() && ended
}
