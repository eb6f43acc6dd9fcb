//! The files of a snapshot as a filesystem.

use super::by_name;
use super::codes::{LISTING, NOWHERE, failed, refused};
use super::data::{FileStore, Way};
use super::nodes::{Known, Nodes, ROOT};
use super::through::Through;
use super::under::Under;
use super::wire::{self, Record};
use crate::fault::{Fault, FaultKind};
use crate::remote::{self, Chunked, block_on, retry_calls};
use flr_fs::cache::Cache;
use flr_fs::node::{CaseRule, FsInfo, FsState};
use flr_fs::{
    ByteSource, DirCursor, DirEntry, DirItem, FileKind, Filesystem, Found, Memory, Metadata,
    NodeId, RawName, Request, StreamName, Want, XattrName,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Bytes of listings that are kept.
const LISTINGS_MAX: usize = 16 << 20;
/// What an entry of a listing takes, about.
const ENTRY_BYTES: usize = 400;

/// What tells a snapshot from all others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Which<'a> {
    /// Id of the cluster.
    pub(super) cluster: &'a str,
    /// The volume's name, which is shown.
    pub(super) label: &'a str,
    /// Id of the snapshot.
    pub(super) snapshot: &'a str,
    /// Bytes that the volume has room for now; 0 if that is not told.
    pub(super) size: u64,
}

/// How names are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Directories below `.snapshot` are listed.
    Listed,
    /// They are not: only a whole path leads to a file.
    Guessed,
}

/// Files of a volume at a snapshot. Every call asks the cluster, but for what was asked lately.
#[derive(Debug)]
pub(super) struct FileTree {
    under: Arc<Under>,
    cluster: String,
    reading: remote::Settings,
    through: Through,
    names: Names,
    info: FsInfo,
    root: Metadata,
    nodes: Nodes,
    listings: Cache<NodeId, Arc<Vec<Entry>>>,
}

/// What a listing has.
#[derive(Debug)]
enum Entry {
    Node {
        name: String,
        node: NodeId,
        known: Known,
    },
    /// Something that is there, and cannot be shown.
    Odd(flr_fs::Fault),
}

impl FileTree {
    /// Looks at the root. Blocks.
    ///
    /// # Errors
    /// The cluster does not let files below `.snapshot` be seen, and no clones of them be made.
    pub(super) fn open(
        under: Arc<Under>,
        which: &Which<'_>,
        through: Through,
        reading: &remote::Settings,
    ) -> Result<Arc<Self>, Fault> {
        let (names, root) = match root(block_on(retry_calls(|| stat(&under, "")))) {
            Ok(root) => (Names::Listed, root),
            Err(fault) if through.may_guess(&fault) => {
                let now = block_on(retry_calls(|| by_name::now(&under, ".")));
                // What was refused first says more.
                let now = root(now).map_err(|_| fault)?;
                (Names::Guessed, now)
            }
            Err(fault) => return Err(fault),
        };
        Ok(Arc::new(Self {
            under,
            cluster: which.cluster.to_owned(),
            reading: reading.clone(),
            through,
            names,
            info: info(which),
            root,
            nodes: Nodes::default(),
            listings: Cache::with_shards(LISTINGS_MAX, 1),
        }))
    }

    /// Whether only whole paths lead to files.
    pub(super) fn is_guessed(&self) -> bool {
        self.names == Names::Guessed
    }

    /// Asks, some times if need be.
    fn ask<T, F>(&self, call: impl FnMut() -> F) -> flr_fs::Result<T>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        if self.reading.cancel.is_cancelled() {
            return Err(Request::Cancelled.into());
        }
        block_on(retry_calls(call)).map_err(failed)
    }

    fn directory(&self, dir: NodeId) -> flr_fs::Result<String> {
        match self.metadata(dir)?.kind {
            FileKind::Directory => self.nodes.path(dir),
            _ => Err(Request::NotADirectory.into()),
        }
    }

    /// What is known of a node; one whose size was not told is asked for again. One that is still not
    /// told is no file of none.
    fn known(&self, node: NodeId) -> flr_fs::Result<Known> {
        let known = self.nodes.get(node)?;
        if known.is_sized {
            return Ok(known);
        }
        let path = self.nodes.path(node)?;
        let record = self.ask(|| stat(&self.under, &path))?;
        let known = record.as_ref().and_then(Known::of);
        let known = known.filter(|known| known.is_sized);
        let known =
            known.ok_or_else(|| refused("the server does not say how large the file is"))?;
        self.nodes.put(node, &known)?;
        Ok(known)
    }

    /// A name in a directory, where that can be looked into.
    fn seen(&self, full: &str) -> flr_fs::Result<Option<Known>> {
        let Some(record) = self.ask(|| stat(&self.under, full))? else {
            return Ok(None);
        };
        let name = full.rsplit('/').next().unwrap_or_default();
        Known::of_name(&record, name).map_err(flr_fs::Error::Unsupported)
    }

    fn listing(&self, dir: NodeId) -> flr_fs::Result<Arc<Vec<Entry>>> {
        if let Some(listing) = self.listings.get(&dir) {
            return Ok(listing);
        }
        let path = self.directory(dir)?;
        if self.is_guessed() {
            let detail = "what was in this directory cannot be told: the cluster lists nothing below .snapshot";
            return Err(flr_fs::Error::unsupported(LISTING, NOWHERE, detail));
        }
        let records = self.ask(|| list(&self.under, &path))?;
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let known = match Known::of_name(&record, &record.name) {
                Ok(Some(known)) => known,
                // A stream.
                Ok(None) => continue,
                Err(fault) => {
                    entries.push(Entry::Odd(fault));
                    continue;
                }
            };
            if !wire::is_name(&record.name) {
                return Err(refused("the server lists a name that no file can have"));
            }
            let node = (self.nodes).add(dir, &record.name, &known)?;
            entries.push(Entry::Node {
                name: record.name,
                node,
                known,
            });
        }
        let entries = Arc::new(entries);
        let bytes = entries.len().saturating_mul(ENTRY_BYTES);
        self.listings.insert(dir, Arc::clone(&entries), bytes);
        Ok(entries)
    }
}

/// The root, which is a directory.
fn root(answer: Result<Option<Record>, Fault>) -> Result<Metadata, Fault> {
    let root = answer?.and_then(|root| root.metadata());
    let root = root.filter(|root| root.kind == FileKind::Directory);
    root.ok_or_else(|| {
        let message = "the cluster shows no directory of the snapshot";
        Fault::new(FaultKind::Refused, message)
    })
}

async fn list(under: &Under, path: &str) -> Result<Vec<Record>, Fault> {
    let Under { client, volume, .. } = under;
    let call = |path: String| async move { wire::list(client, volume, &path).await };
    under.call(path, call).await
}

async fn stat(under: &Under, path: &str) -> Result<Option<Record>, Fault> {
    let Under { client, volume, .. } = under;
    let call = |path: String| async move { wire::stat(client, volume, &path).await };
    under.call(path, call).await
}

fn info(which: &Which<'_>) -> FsInfo {
    FsInfo {
        kind: "ontap",
        label: which.label.as_bytes().to_vec(),
        uuid: Some(which.snapshot.to_owned()),
        size: which.size,
        block_size: 4096,
        blocks_free: 0,
        nodes: 0,
        nodes_free: 0,
        case_rule: CaseRule::Sensitive,
        state: FsState::Clean,
        notes: Vec::new(),
        features: Vec::new(),
        last_mounted: Vec::new(),
    }
}

impl Filesystem for FileTree {
    fn info(&self) -> &FsInfo {
        &self.info
    }

    fn root(&self) -> NodeId {
        ROOT
    }

    fn metadata(&self, node: NodeId) -> flr_fs::Result<Metadata> {
        match node {
            ROOT => Ok(self.root.clone()),
            node => Ok(self.known(node)?.metadata),
        }
    }

    fn lookup(&self, dir: NodeId, name: RawName<'_>) -> flr_fs::Result<Option<Found>> {
        let path = self.directory(dir)?;
        let Ok(name) = str::from_utf8(name.as_bytes()) else {
            return Ok(None);
        };
        if !wire::is_name(name) {
            return Ok(None);
        }
        let full = match path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        };
        let found = match self.names {
            Names::Listed => self.seen(&full)?,
            Names::Guessed => match self.nodes.find(dir, name) {
                // Each look may make a clone.
                Some((_, known)) => Some(known),
                None => by_name::look(&self.under, self.through.clones()?, &full)?,
            },
        };
        let Some(known) = found else {
            return Ok(None);
        };
        let node = self.nodes.add(dir, name, &known)?;
        Ok(Some(Found {
            node,
            stored_name: name.as_bytes().to_vec(),
            metadata: self.known(node)?.metadata,
        }))
    }

    fn read_dir(
        &self,
        dir: NodeId,
        from: DirCursor,
        want: Want,
        visit: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
    ) -> flr_fs::Result<()> {
        let listing = self.listing(dir)?;
        let skipped = usize::try_from(from.0).unwrap_or(usize::MAX);
        for (entry, next) in listing.iter().zip(1..).skip(skipped) {
            let item = match entry {
                Entry::Odd(fault) => DirItem::Damaged(fault.clone()),
                Entry::Node { name, node, known } => DirItem::Entry(DirEntry {
                    name: RawName::new(name.as_bytes()),
                    node: *node,
                    kind: Some(known.metadata.kind),
                    next: DirCursor(next),
                    metadata: match want {
                        Want::Names => None,
                        Want::Metadata if known.is_sized => Some(Ok(known.metadata.clone())),
                        Want::Metadata => Some(self.known(*node).map(|known| known.metadata)),
                    },
                    hidden: false,
                }),
            };
            if visit(item).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read_link(&self, node: NodeId) -> flr_fs::Result<Vec<u8>> {
        if self.metadata(node)?.kind != FileKind::Symlink {
            return Err(Request::NotALink.into());
        }
        let path = self.nodes.path(node)?;
        let record = self.ask(|| stat(&self.under, &path))?;
        let target = record.as_ref().and_then(wire::target);
        let target =
            target.ok_or_else(|| refused("the server does not say where the link leads"))?;
        Ok(target.as_bytes().to_vec())
    }

    fn xattr_names(&self, node: NodeId) -> flr_fs::Result<Vec<XattrName>> {
        self.metadata(node).map(|_| Vec::new())
    }

    fn xattr(&self, node: NodeId, _: &XattrName) -> flr_fs::Result<Option<Vec<u8>>> {
        self.metadata(node).map(|_| None)
    }

    fn open(&self, node: NodeId, stream: StreamName<'_>) -> flr_fs::Result<Arc<dyn ByteSource>> {
        if stream != StreamName::Main {
            return Err(Request::NoSuchStream.into());
        }
        if node == ROOT {
            return Err(Request::IsADirectory.into());
        }
        let Known {
            metadata, is_lun, ..
        } = self.known(node)?;
        match metadata.kind {
            FileKind::File => {}
            FileKind::Directory => return Err(Request::IsADirectory.into()),
            _ => return Err(Request::NoContent.into()),
        }
        if is_lun {
            return Err(refused("it is a LUN: read it as one, ontap:SVM/VOLUME/LUN"));
        }
        if metadata.size == 0 {
            return Ok(Arc::new(Memory::new(Vec::new())));
        }
        let (path, size) = (self.nodes.path(node)?, metadata.size);
        let way = match self.names {
            Names::Guessed => Way::Cloned(Arc::clone(self.through.clones()?)),
            Names::Listed => {
                let ask = |range| self.ask(|| super::data::direct(&self.under, &path, range));
                self.through.way(&path, size, ask)?
            }
        };
        let store = FileStore::new(&self.under, way, &self.cluster, (path, size));
        Ok(Chunked::new(store, &self.reading))
    }
}
