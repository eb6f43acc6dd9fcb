//! Opening a filesystem and reading everything in it, whatever comes of it.

use crate::content::data_ranges;
use flr_fs::filesystem::ext::Ext;
use flr_fs::filesystem::ntfs::Ntfs;
use flr_fs::format::FilesystemDriver;
use flr_fs::{ByteSource, Code, Error, FileKind, Filesystem, OpenContext, SegmentKind, StreamName};
use flr_recover::walk::{Next, Step, walk};
use flr_recover::{View, ViewNode};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Nodes after which a walk of a fixture has gone astray.
const NODE_COUNT_MAX: usize = 100_000;

/// Bytes of one file that are read. A damaged size may claim terabytes of hole.
const CONTENT_LEN_MAX: u64 = 1 << 20;

/// Bytes read at once: not a multiple of any block.
const READ_LEN: usize = (64 << 10) - 29;

/// What came of reading everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Codes of all errors and notes.
    pub codes: BTreeSet<Code>,
    /// What was read of each node: metadata, target, attributes, content's hash.
    pub nodes: BTreeMap<Vec<u8>, String>,
    /// Where the content of each file lies in the image.
    pub data: BTreeMap<Vec<u8>, Vec<Range<u64>>>,
    /// Nodes of which something could not be read.
    pub failed: BTreeSet<Vec<u8>>,
    errors_count: usize,
}

/// The driver for an image of the fixtures.
#[must_use]
pub fn driver(name: &str) -> &'static dyn FilesystemDriver {
    if name.contains("ntfs") { &Ntfs } else { &Ext }
}

/// Opens the ext filesystem on `source` and reads everything in it.
///
/// # Panics
/// If that does not end.
#[must_use]
pub fn exercise(source: Arc<dyn ByteSource>, ctx: &OpenContext<'_>) -> Outcome {
    exercise_as(&Ext, source, ctx)
}

/// The same for any format.
///
/// # Panics
/// If that does not end.
#[must_use]
pub fn exercise_as(
    driver: &dyn FilesystemDriver,
    source: Arc<dyn ByteSource>,
    ctx: &OpenContext<'_>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let filesystem = match driver.open(&[source], ctx) {
        Ok(filesystem) => filesystem,
        Err(error) => {
            outcome.codes.insert(error.code());
            return outcome;
        }
    };
    outcome.read(&filesystem);
    outcome
}

/// Reads everything in an opened filesystem.
///
/// # Panics
/// If that does not end.
#[must_use]
pub fn exercise_opened(filesystem: &Arc<dyn Filesystem>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.read(filesystem);
    outcome
}

impl Outcome {
    fn read(&mut self, filesystem: &Arc<dyn Filesystem>) {
        let outcome = self;
        let notes = filesystem.info().notes.iter();
        outcome.codes.extend(notes.map(|note| note.code));
        let view = View::new(Arc::clone(filesystem));
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
            let errors_before = outcome.errors_count;
            let mut told = format!("{metadata:?}");
            told += &outcome.attributes(filesystem.as_ref(), node);
            told += &outcome.streams(filesystem.as_ref(), node);
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
            if outcome.errors_count > errors_before {
                outcome.failed.insert(path.clone());
            }
            outcome.nodes.insert(path, told);
        }
    }

    fn failed(&mut self, error: &flr_recover::Error) {
        match error {
            flr_recover::Error::Fs(error) => self.codes.insert(error.code()),
            other => panic!("{other}"),
        };
        self.errors_count += 1;
    }

    /// A result in words; its error's code is kept.
    fn take<T: std::fmt::Debug>(&mut self, result: Result<T, Error>) -> String {
        match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => {
                self.codes.insert(error.code());
                self.errors_count += 1;
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
            let value = filesystem.xattr(node.node, name);
            // Values are long; their checksum tells changes as well.
            let sum = |value: Vec<u8>| (value.len(), crc32c::crc32c(&value));
            let value = self.take(value.map(|value| value.map(sum)));
            format!("{name:?} {value} ")
        });
        values.collect()
    }

    fn streams(&mut self, filesystem: &dyn Filesystem, node: ViewNode) -> String {
        let streams = match filesystem.streams(node.node) {
            Ok(streams) => streams,
            Err(error) => return self.take::<()>(Err(error)),
        };
        let told = streams.iter().map(|stream| {
            let source = filesystem.open(node.node, StreamName::Named(&stream.name));
            let sum =
                source.and_then(|source| sum(source.as_ref(), source.size().min(CONTENT_LEN_MAX)));
            format!("{stream:?} {} ", self.take(sum))
        });
        told.collect()
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
        let end = source.size().min(CONTENT_LEN_MAX);
        self.data
            .insert(path.to_vec(), stored(source.as_ref(), end));
        told + &self.take(sum(source.as_ref(), end))
    }
}

/// A checksum of the first bytes, which tells changes as well as a hash does, in less time.
fn sum(source: &dyn ByteSource, end: u64) -> flr_fs::Result<u32> {
    let len = |left: u64| usize::try_from(left).map_or(READ_LEN, |left| left.min(READ_LEN));
    let mut buf = vec![0; len(end)];
    let (mut at, mut sum) = (0, 0);
    while at < end {
        let piece = &mut buf[..len(end - at)];
        source.read_at(at, piece)?;
        sum = crc32c::crc32c_append(sum, piece);
        at += u64::try_from(piece.len()).expect("a length");
    }
    Ok(sum)
}

/// Where the first bytes of a file lie in the image.
fn stored(source: &dyn ByteSource, end: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < end {
        let Ok(segment) = source.segment_at(at..end) else {
            break;
        };
        if let SegmentKind::Stored(location) = segment.kind {
            ranges.push(location.offset..location.offset + segment.len);
        }
        at += segment.len;
    }
    ranges
}
