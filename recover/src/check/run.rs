//! A check in progress: the walk, and what is read of each node.

use super::Options;
use super::content::{Told, read_all};
use super::inside::{Frame, Inside, below, inside_of, raw_names};
use super::report::{Counts, Event, add};
use super::second::{Ours, Second};
use super::seen::Seen;
use crate::copy::stretches::Buffer;
use crate::error::Result;
use crate::view::{Resolved, View, ViewNode};
use crate::walk::{Next, Step, walk};
use flr_fs::{ByteSource, Code, FileKind, Metadata};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// A check in progress.
pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    pub(super) report: &'a mut dyn FnMut(Event<'_>),
    pub(super) counts: Counts,
    buffer: Buffer,
    pub(super) told: HashSet<(Code, u64)>,
}

/// A filesystem of the view that is being walked.
#[derive(Default)]
pub(super) struct Place {
    pub(super) seen: Seen,
    pub(super) second: Option<Second>,
    /// Where its root was met.
    pub(super) root_at: Option<Vec<u8>>,
    pub(super) refusal_told: bool,
}

/// One walk.
struct Tree<'v> {
    view: &'v View,
    places: BTreeMap<u16, Place>,
}

/// A node being checked.
pub(super) struct Item<'i> {
    pub(super) path: &'i [u8],
    pub(super) node: ViewNode,
    pub(super) metadata: Metadata,
    pub(super) inside: &'i Inside,
}

impl<'a> Run<'a> {
    pub(super) fn new(options: &'a Options, report: &'a mut dyn FnMut(Event<'_>)) -> Self {
        Self {
            options,
            report,
            counts: Counts::default(),
            buffer: Buffer::default(),
            told: HashSet::new(),
        }
    }

    pub(super) fn finish(self) -> Counts {
        self.counts
    }

    pub(super) const fn is_clean(&self) -> bool {
        self.counts.damaged == 0 && self.counts.unreadable == 0
    }

    /// Checks all of a view that has one filesystem, whose place is called `path`.
    pub(super) fn root(&mut self, view: &View, path: &[u8]) -> Result<()> {
        let node = view.root();
        match view.metadata(node) {
            Ok(metadata) => self.below(view, node, metadata, path, Ok(Vec::new())),
            Err(error) => {
                self.failed(path, &error)?;
                let mut place = Place {
                    root_at: Some(path.to_vec()),
                    ..Place::default()
                };
                add(&mut self.counts.filesystems, 1);
                self.filesystem(view, 0, &mut place)
            }
        }
    }

    /// Checks a node and what is below it.
    pub(super) fn target(&mut self, view: &View, resolved: &Resolved) -> Result<()> {
        let inside = match self.options.second_reader {
            true => inside_of(view, &resolved.path),
            false => Ok(Vec::new()),
        };
        let path = resolved.path.strip_suffix(b"/").unwrap_or(&resolved.path);
        self.below(view, resolved.node, resolved.metadata.clone(), path, inside)
    }

    fn below(
        &mut self,
        view: &View,
        start: ViewNode,
        metadata: Metadata,
        base: &[u8],
        inside: Inside,
    ) -> Result<()> {
        let mut tree = Tree {
            view,
            places: BTreeMap::new(),
        };
        let is_dir = metadata.kind == FileKind::Directory;
        let item = Item {
            path: base,
            node: start,
            metadata,
            inside: &inside,
        };
        let inside = self.node(&mut tree, item)?;
        if is_dir {
            let mut frames = vec![Frame {
                path_len: 0,
                node: start,
                inside,
            }];
            let mut outcome = Ok(());
            let walked = walk(view, start, None, &mut |step| {
                outcome = self.step(&mut tree, &mut frames, base, step);
                if outcome.is_ok() {
                    Next::Continue
                } else {
                    Next::Stop
                }
            });
            outcome?;
            if let Err(error) = walked {
                self.failed(base, &error)?;
            }
        }
        let mut places = std::mem::take(&mut tree.places);
        for (index, place) in &mut places {
            self.filesystem(view, *index, place)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        tree: &mut Tree<'_>,
        frames: &mut Vec<Frame>,
        base: &[u8],
        step: Step<'_>,
    ) -> Result<()> {
        let (path, node, metadata) = match step {
            Step::Node {
                path,
                node,
                metadata,
            } => (path, node, metadata),
            Step::Failed { path, error } => return self.failed(&[base, path].concat(), &error),
            Step::Leave { .. } => return Ok(()),
        };
        // Shown names hold no slash.
        let parent_len = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        while frames.last().is_some_and(|f| f.path_len > parent_len) {
            frames.pop();
        }
        let name = path.get(parent_len.saturating_add(1)..).unwrap_or_default();
        let inside = match frames.last() {
            Some(parent) if self.options.second_reader => below(tree.view, parent, name, node),
            _ => Ok(Vec::new()),
        };
        let is_dir = metadata.kind == FileKind::Directory;
        let full = [base, path].concat();
        let item = Item {
            path: &full,
            node,
            metadata,
            inside: &inside,
        };
        let inside = self.node(tree, item)?;
        if is_dir {
            frames.push(Frame {
                path_len: path.len(),
                node,
                inside,
            });
        }
        Ok(())
    }

    /// Reads everything of one node. Returns its path for what is below it.
    fn node(&mut self, tree: &mut Tree<'_>, item: Item<'_>) -> Result<Inside> {
        let filesystem = Arc::clone(tree.view.filesystem(item.node)?);
        let count = &mut self.counts;
        let place = tree.places.entry(item.node.filesystem).or_insert_with(|| {
            add(&mut count.filesystems, 1);
            Place {
                second: (self
                    .options
                    .second_reader
                    .then(|| filesystem.second_reader()))
                .flatten()
                .and_then(|start| Second::start(start, Arc::clone(&self.options.cancel))),
                ..Place::default()
            }
        });
        add(
            match item.metadata.kind {
                FileKind::Directory => &mut count.directories,
                FileKind::File => &mut count.files,
                FileKind::Symlink => &mut count.links,
                _ => &mut count.others,
            },
            1,
        );
        if item.node.node == filesystem.root() {
            place.root_at.get_or_insert_with(|| item.path.to_vec());
        }
        if !place.seen.insert(item.node.node) {
            return Ok(item.inside.clone());
        }
        self.xattrs(tree.view, &item)?;
        let ours = match item.metadata.kind {
            FileKind::File => self.file(tree.view, &item)?.map(Ours::File),
            FileKind::Symlink => match tree.view.read_link(item.node) {
                Ok(target) => Some(Ours::Link(target)),
                Err(error) => {
                    self.failed(item.path, &error)?;
                    None
                }
            },
            FileKind::Directory if place.second.is_some() => raw_names(tree.view, item.node),
            _ => return Ok(item.inside.clone()),
        };
        self.compare(place, &item, ours)
    }

    fn xattrs(&mut self, view: &View, item: &Item<'_>) -> Result<()> {
        let names = match view.xattr_names(item.node) {
            Ok(names) => names,
            Err(error) => return self.failed(item.path, &error),
        };
        for name in names {
            match view.xattr(item.node, &name) {
                Ok(_) => add(&mut self.counts.xattrs, 1),
                Err(error) => self.failed(item.path, &error)?,
            }
        }
        Ok(())
    }

    /// Reads a file. `None` if not all of it could be read.
    fn file(&mut self, view: &View, item: &Item<'_>) -> Result<Option<Arc<dyn ByteSource>>> {
        let source = match view.open(item.node) {
            Ok(source) => source,
            Err(error) => {
                self.failed(item.path, &error)?;
                return Ok(None);
            }
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut whole = true;
        let options = self.options;
        let read = read_all(
            source.as_ref(),
            &mut buffer,
            &options.cancel,
            &mut |told| match told {
                Told::Read(bytes) => add(&mut self.counts.bytes, bytes),
                Told::Passed(bytes) => (self.report)(Event::Advanced(bytes)),
                Told::Lost(range, error) => {
                    whole = false;
                    self.lost(item.path, range, &error);
                }
            },
        );
        self.buffer = buffer;
        read?;
        Ok(whole.then_some(source))
    }
}
