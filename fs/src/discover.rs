//! From disks to filesystems: a worklist that probes every volume with every format until nothing
//! new appears.
//!
//! Every probe runs and the most confident wins; what else looked likely is reported. Where a
//! filesystem and a partition table, or two filesystems, both look right, both are opened and listed:
//! which of them is meant is for the user to say, never for us to guess.

use crate::error::{Error, Fault};
use crate::filesystem::Filesystem;
use crate::format::{Confidence, FilesystemDriver, Layer, OpenContext, Volume};
use crate::signature;
use crate::source::ByteSource;
use std::collections::VecDeque;
use std::sync::Arc;

/// Codes of discovery itself.
pub mod codes {
    use crate::error::Code;

    /// A second format was recognised in a volume with less confidence.
    pub const ALSO_LOOKS_LIKE: Code = Code::new("discover.also");
    /// Volumes nest deeper than [`crate::Limits::layer_depth_max`].
    pub const DEPTH: Code = Code::new("discover.depth");
    /// More volumes than [`crate::Limits::volume_count_max`].
    pub const COUNT: Code = Code::new("discover.count");

    /// All of them.
    pub const ALL: &[Code] = &[ALSO_LOOKS_LIKE, DEPTH, COUNT];
}

/// Index of a volume in its [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeId(usize);

/// Everything found on a set of disks.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<VolumeNode>,
}

/// A volume and what is on it.
#[derive(Debug)]
pub struct VolumeNode {
    /// Its index.
    pub id: VolumeId,
    /// The volume it was found in; `None` for a disk.
    pub parent: Option<VolumeId>,
    /// What stands behind `::` in its address: `raw` for the only disk, `part/2`, `disk/1/part/2`.
    pub address: String,
    /// The volume itself.
    pub volume: Volume,
    /// What was recognised on it. Empty: nothing. More than one: the user must choose.
    pub contents: Vec<Content>,
    /// Oddities found on the way.
    pub notes: Vec<Fault>,
    depth: u32,
    child_prefix: String,
}

/// Something recognised on a volume.
#[derive(Debug)]
pub struct Content {
    /// Name of the format: `gpt`, `ext`.
    pub format: &'static str,
    /// What came of opening it.
    pub opened: Opened,
}

/// What came of opening a format.
#[derive(Debug)]
pub enum Opened {
    /// A filesystem.
    Filesystem(Arc<dyn Filesystem>),
    /// A layer with these volumes.
    Layer(Vec<VolumeId>),
    /// It was recognised, and this stands in its way.
    Failed(Error),
    /// Nothing that files could be in, such as swap space.
    Empty,
}

impl Tree {
    /// All volumes, a volume before those found in it.
    #[must_use]
    pub fn volumes(&self) -> &[VolumeNode] {
        &self.nodes
    }

    /// One volume of this tree.
    #[must_use]
    pub fn volume(&self, id: VolumeId) -> Option<&VolumeNode> {
        self.nodes.get(id.0)
    }
}

impl VolumeNode {
    /// The filesystems that could be opened on this volume.
    pub fn filesystems(&self) -> impl Iterator<Item = &Arc<dyn Filesystem>> {
        self.contents
            .iter()
            .filter_map(|content| match &content.opened {
                Opened::Filesystem(filesystem) => Some(filesystem),
                Opened::Layer(_) | Opened::Failed(_) | Opened::Empty => None,
            })
    }

    /// What stood in the way of reading this volume, if nothing on it could be opened.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        if let Err(error) = &self.volume.source {
            return Some(error);
        }
        let failed = |content: &Content| match content.opened {
            Opened::Failed(_) => true,
            Opened::Filesystem(_) | Opened::Layer(_) | Opened::Empty => false,
        };
        if !self.contents.iter().all(failed) {
            return None;
        }
        self.contents
            .iter()
            .find_map(|content| match &content.opened {
                Opened::Failed(error) => Some(error),
                Opened::Filesystem(_) | Opened::Layer(_) | Opened::Empty => None,
            })
    }
}

/// Finds everything on `disks`. Never fails: what cannot be read is in the tree with its reason.
///
/// Blocks on the sources; the work is bounded by [`crate::Limits`].
#[must_use]
pub fn discover(
    disks: Vec<Volume>,
    layers: &[&dyn Layer],
    drivers: &[&dyn FilesystemDriver],
    ctx: &OpenContext<'_>,
) -> Tree {
    let mut tree = Tree::default();
    let mut todo = VecDeque::new();
    let single = disks.len() == 1;
    for (index, disk) in disks.into_iter().enumerate() {
        let prefix = if single {
            String::new()
        } else {
            format!("disk/{}/", index.saturating_add(1))
        };
        let address = format!("{prefix}raw");
        todo.push_back(tree.push(disk, None, address, Some(prefix), 0));
    }
    while let Some(id) = todo.pop_front() {
        if (ctx.cancelled)() {
            break;
        }
        let children = identify(&mut tree, id, layers, drivers, ctx);
        todo.extend(children);
    }
    retry_with_others(&mut tree, drivers, ctx);
    tree
}

/// Opens filesystems that failed once more, now that all volumes are known: what they lack may lie on
/// another one.
fn retry_with_others(tree: &mut Tree, drivers: &[&dyn FilesystemDriver], ctx: &OpenContext<'_>) {
    if tree.nodes.len() < 2 {
        return;
    }
    let sources = tree
        .nodes
        .iter()
        .map(|node| node.volume.source.as_ref().ok().cloned());
    let sources: Vec<_> = sources.collect();
    for (index, node) in tree.nodes.iter_mut().enumerate() {
        let Ok(source) = &node.volume.source else {
            continue;
        };
        let others = sources
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let others: Vec<_> = others.filter_map(|(_, source)| source.clone()).collect();
        let ctx = OpenContext {
            others: &others,
            ..ctx.clone()
        };
        for content in &mut node.contents {
            let driver = drivers
                .iter()
                .find(|driver| driver.name() == content.format);
            let (Some(driver), Opened::Failed(_)) = (driver, &content.opened) else {
                continue;
            };
            content.opened = match driver.open(std::slice::from_ref(source), &ctx) {
                Ok(filesystem) => Opened::Filesystem(filesystem),
                Err(error) => Opened::Failed(error),
            };
        }
    }
}

impl Tree {
    fn push(
        &mut self,
        volume: Volume,
        parent: Option<VolumeId>,
        address: String,
        child_prefix: Option<String>,
        depth: u32,
    ) -> VolumeId {
        let id = VolumeId(self.nodes.len());
        // Two tables on one disk may both have a first partition.
        let taken = |address: &String| self.nodes.iter().any(|node| node.address == *address);
        let mut numbered = (2_u32..).map(|n| format!("{address}~{n}"));
        let address = match taken(&address) {
            true => numbered.find(|address| !taken(address)).unwrap_or(address),
            false => address,
        };
        let child_prefix = child_prefix.unwrap_or_else(|| format!("{address}/"));
        self.nodes.push(VolumeNode {
            id,
            parent,
            address,
            volume,
            contents: Vec::new(),
            notes: Vec::new(),
            depth,
            child_prefix,
        });
        id
    }
}

/// A format that recognised a volume.
enum Candidate<'a> {
    Layer(&'a dyn Layer),
    Driver(&'a dyn FilesystemDriver),
}

impl Candidate<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Layer(layer) => layer.name(),
            Self::Driver(driver) => driver.name(),
        }
    }
}

/// Probes one volume, opens what it is, and returns the volumes found in it.
fn identify(
    tree: &mut Tree,
    id: VolumeId,
    layers: &[&dyn Layer],
    drivers: &[&dyn FilesystemDriver],
    ctx: &OpenContext<'_>,
) -> Vec<VolumeId> {
    let Some(node) = tree.nodes.get(id.0) else {
        return Vec::new();
    };
    let Ok(source) = node.volume.source.clone() else {
        return Vec::new();
    };
    let (depth, prefix) = (node.depth.saturating_add(1), node.child_prefix.clone());
    let may_be_container = node.volume.may_be_container;
    let (mut candidates, mut notes, mut contents) =
        match may_be_container.then(|| signature::container(source.as_ref())) {
            Some(Ok(Some(error))) => {
                let opened = Opened::Failed(error);
                let format = "unknown";
                (Vec::new(), Vec::new(), vec![Content { format, opened }])
            }
            // What cannot be read there, the probes cannot read either, and say so.
            Some(Ok(None) | Err(_)) | None => probe_all(source.as_ref(), layers, drivers),
        };
    if candidates.is_empty() && contents.is_empty() {
        contents.extend(name_only(source.as_ref(), may_be_container));
    }
    let unknown = |content: &Content| matches!(content.opened, Opened::Failed(Error::Io { .. }));
    if candidates.is_empty() && contents.iter().all(unknown) {
        let mut copies = drivers.iter().copied();
        candidates.extend(
            copies
                .find(|driver| driver.probe_copies(source.as_ref()).is_some())
                .map(Candidate::Driver),
        );
        if !candidates.is_empty() {
            contents.clear();
        }
    }

    let mut children = Vec::new();
    for candidate in candidates {
        let format = candidate.name();
        let opened = match candidate {
            Candidate::Driver(driver) => match driver.open(std::slice::from_ref(&source), ctx) {
                Ok(filesystem) => Opened::Filesystem(filesystem),
                Err(error) => Opened::Failed(error),
            },
            Candidate::Layer(_) if depth > ctx.limits.layer_depth_max => {
                let detail = format!("volumes nest deeper than {}", ctx.limits.layer_depth_max);
                Opened::Failed(Error::limit(codes::DEPTH, 0, detail))
            }
            Candidate::Layer(layer) => match layer.open(std::slice::from_ref(&source), ctx) {
                Ok(mut found) => {
                    notes.append(&mut found.notes);
                    let room = ctx.limits.volume_count_max.saturating_sub(tree.nodes.len());
                    if found.volumes.len() > room {
                        let detail =
                            format!("{} more volumes, room for {room}", found.volumes.len());
                        notes.push(Fault::new(codes::COUNT, 0, detail));
                        found.volumes.truncate(room);
                    }
                    let ids: Vec<_> = found
                        .volumes
                        .into_iter()
                        .map(|volume| {
                            let address = format!("{prefix}{}", volume.name);
                            tree.push(volume, Some(id), address, None, depth)
                        })
                        .collect();
                    children.extend_from_slice(&ids);
                    Opened::Layer(ids)
                }
                Err(error) => Opened::Failed(error),
            },
        };
        contents.push(Content { format, opened });
    }
    if let Some(node) = tree.nodes.get_mut(id.0) {
        node.contents = contents;
        node.notes = notes;
    }
    children
}

/// What a volume that nothing here can read is known to be.
fn name_only(source: &dyn ByteSource, may_be_container: bool) -> Option<Content> {
    let (format, opened) = match signature::name(source, may_be_container) {
        Ok(None) => return None,
        Ok(Some(signature::Named::Empty(words))) => (words, Opened::Empty),
        Ok(Some(signature::Named::Unread(error))) => ("unknown", Opened::Failed(error)),
        Err(error) => ("unknown", Opened::Failed(error)),
    };
    Some(Content { format, opened })
}

/// Runs every probe and picks what is worth opening.
///
/// That is the most confident layer and the most confident filesystems, as long as they are at least
/// likely or nothing better was found. The others become notes; a probe that failed for want of bytes
/// becomes a failed content, so that an unreadable disk does not pass for an empty one.
fn probe_all<'a>(
    source: &dyn ByteSource,
    layers: &[&'a dyn Layer],
    drivers: &[&'a dyn FilesystemDriver],
) -> (Vec<Candidate<'a>>, Vec<Fault>, Vec<Content>) {
    let mut found = Vec::new();
    let mut failed = Vec::new();
    let all = (layers
        .iter()
        .map(|layer| (layer.probe(source), Candidate::Layer(*layer))))
    .chain(
        drivers
            .iter()
            .map(|driver| (driver.probe(source), Candidate::Driver(*driver))),
    );
    for (answer, candidate) in all {
        match answer {
            Ok(Some(matched)) => found.push((matched.confidence, candidate)),
            Ok(None) => {}
            Err(error) => {
                failed.push(Content {
                    format: candidate.name(),
                    opened: Opened::Failed(error),
                });
            }
        }
    }
    let best = found.iter().map(|(confidence, _)| *confidence).max();
    let best_layer = (found.iter())
        .filter(|(_, candidate)| matches!(candidate, Candidate::Layer(_)))
        .map(|(confidence, _)| *confidence)
        .max();
    let mut notes = Vec::new();
    let mut chosen = Vec::new();
    for (confidence, candidate) in found {
        let best_of_its_sort = match candidate {
            Candidate::Layer(_) => best_layer == Some(confidence),
            Candidate::Driver(_) => true,
        };
        let likely = confidence >= Confidence::Likely || best == Some(confidence);
        if likely && best_of_its_sort {
            chosen.push(candidate);
        } else if confidence >= Confidence::Likely {
            let detail = format!("also looks like {}", candidate.name());
            notes.push(Fault::new(codes::ALSO_LOOKS_LIKE, 0, detail));
        }
    }
    // One probe that could not read is enough to say so when nothing was recognised; with something
    // recognised it is only a note in the way of the others.
    if !chosen.is_empty() {
        failed.clear();
    }
    failed.truncate(1);
    (chosen, notes, failed)
}
