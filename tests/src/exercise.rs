//! Opening a filesystem and reading everything in it, whatever comes of it.

use crate::content::{data_ranges, sha256};
use flr_fs::filesystem::ext::Ext;
use flr_fs::format::FilesystemDriver;
use flr_fs::{ByteSource, Code, Error, FileKind, Filesystem, OpenContext, SegmentKind};
use flr_recover::walk::{Next, Step, walk};
use flr_recover::{View, ViewNode};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Nodes after which a walk of a fixture has gone astray.
const NODE_COUNT_MAX: usize = 100_000;

/// Bytes of one file that are read. A damaged size may claim terabytes of hole.
const CONTENT_LEN_MAX: u64 = 4 << 20;

/// What came of reading everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Codes of all errors and notes.
    pub codes: BTreeSet<Code>,
    /// What was read of each node: metadata, target, attributes, content's hash.
    pub nodes: BTreeMap<Vec<u8>, String>,
    /// Where the content of each file lies in the image.
    pub data: BTreeMap<Vec<u8>, Vec<Range<u64>>>,
}

/// Opens the ext filesystem on `source` and reads everything in it.
///
/// # Panics
/// If that does not end.
#[must_use]
pub fn exercise(source: Arc<dyn ByteSource>, ctx: &OpenContext<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let filesystem = match Ext.open(&[source], ctx) {
        Ok(filesystem) => filesystem,
        Err(error) => {
            outcome.codes.insert(error.code());
            return outcome;
        }
    };
    let notes = filesystem.info().notes.iter();
    outcome.codes.extend(notes.map(|note| note.code));
    let view = View::new(Arc::clone(&filesystem));
    let mut nodes = Vec::new();
    let walked = walk(&view, view.root(), None, &mut |step| {
        match step {
            Step::Node {
                path,
                node,
                metadata,
            } => nodes.push((path.to_vec(), node, metadata)),
            Step::Failed { error, .. } => outcome.failed(&error),
            Step::Leave { .. } => {}
        }
        assert!(nodes.len() < NODE_COUNT_MAX, "a walk without an end");
        Next::Continue
    });
    if let Err(error) = walked {
        outcome.failed(&error);
    }
    for (path, node, metadata) in nodes {
        let mut told = format!("{metadata:?}");
        told += &outcome.attributes(filesystem.as_ref(), node);
        match metadata.kind {
            FileKind::Symlink => {
                let target = outcome.take(filesystem.read_link(node.node));
                // A long target lies in a block without a checksum, as content does.
                if metadata.size < 60 {
                    told += &target;
                }
            }
            FileKind::File => told += &outcome.content(&view, node, &path),
            _ => {}
        }
        outcome.nodes.insert(path, told);
    }
    outcome
}

impl Outcome {
    fn failed(&mut self, error: &flr_recover::Error) {
        match error {
            flr_recover::Error::Fs(error) => self.codes.insert(error.code()),
            other => panic!("{other}"),
        };
    }

    /// A result in words; its error's code is kept.
    fn take<T: std::fmt::Debug>(&mut self, result: Result<T, Error>) -> String {
        match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => {
                self.codes.insert(error.code());
                error.to_string()
            }
        }
    }

    fn attributes(&mut self, filesystem: &dyn Filesystem, node: ViewNode) -> String {
        let names = match filesystem.xattr_names(node.node) {
            Ok(names) => names,
            Err(error) => return self.take::<()>(Err(error)),
        };
        let values = names.iter().map(|name| {
            let value = self.take(filesystem.xattr(node.node, name));
            format!("{name:?} {value} ")
        });
        values.collect()
    }

    fn content(&mut self, view: &View, node: ViewNode, path: &[u8]) -> String {
        let source = match view.open(node) {
            Ok(source) => source,
            Err(error) => {
                self.failed(&error);
                return error.to_string();
            }
        };
        let ranges = data_ranges(source.as_ref());
        let told = self.take(ranges);
        self.data.insert(path.to_vec(), stored(source.as_ref()));
        let end = source.size().min(CONTENT_LEN_MAX);
        told + &self.take(sha256(source.as_ref(), &[(0, end)]))
    }
}

/// Where the bytes of a file lie in the image.
fn stored(source: &dyn ByteSource) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < source.size() {
        let Ok(segment) = source.segment_at(at..source.size()) else {
            break;
        };
        if let SegmentKind::Stored(location) = segment.kind {
            ranges.push(location.offset..location.offset + segment.len);
        }
        at += segment.len;
    }
    ranges
}
