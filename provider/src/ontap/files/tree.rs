//! The files of a snapshot as a filesystem.

use super::super::client::Client;
use super::data::FileStore;
use super::nodes::{Nodes, ROOT};
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
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Bytes of listings that are kept.
const LISTINGS_MAX: usize = 16 << 20;
/// What an entry of a listing takes, about.
const ENTRY_BYTES: usize = 400;

/// What tells a snapshot from all others.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Which<'a> {
    /// Id of the cluster.
    pub(in super::super) cluster: &'a str,
    /// Id of the volume.
    pub(in super::super) volume: &'a str,
    /// Its name, which is shown.
    pub(in super::super) label: &'a str,
    /// Id of the snapshot.
    pub(in super::super) snapshot: &'a str,
    /// The name that it has now.
    pub(in super::super) name: &'a str,
}

/// Files of a volume at a snapshot. Every call asks the cluster, but for what was asked lately.
#[derive(Debug)]
pub(in super::super) struct FileTree {
    under: Arc<Under>,
    cluster: String,
    reading: remote::Settings,
    info: FsInfo,
    root: Metadata,
    nodes: Nodes,
    listings: Cache<NodeId, Arc<Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    node: NodeId,
    metadata: Metadata,
}

impl FileTree {
    /// Looks at the root. Blocks.
    ///
    /// # Errors
    /// The cluster does not let files below `.snapshot` be seen.
    pub(in super::super) fn open(
        client: &Client,
        which: &Which<'_>,
        reading: &remote::Settings,
    ) -> Result<Arc<Self>, Fault> {
        let under = Under::new(client, which.volume, which.snapshot, which.name);
        let root = block_on(retry_calls(|| stat(&under, "")))?;
        let root = root.and_then(|root| root.metadata());
        let root = root.filter(|root| root.kind == FileKind::Directory);
        let root = root.ok_or_else(|| {
            let message = "the cluster shows no directory of the snapshot";
            Fault::new(FaultKind::Refused, message)
        })?;
        Ok(Arc::new(Self {
            under: Arc::new(under),
            cluster: which.cluster.to_owned(),
            reading: reading.clone(),
            info: info(which),
            root,
            nodes: Nodes::default(),
            listings: Cache::with_shards(LISTINGS_MAX, 1),
        }))
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

    /// The size of what a listing shows without bytes. One that is not told is no file of none.
    fn told_size(&self, path: &str) -> flr_fs::Result<u64> {
        let record = self.ask(|| stat(&self.under, path))?;
        let size = record.as_ref().and_then(Record::size);
        size.ok_or_else(|| refused("the server does not say how large the file is"))
    }

    fn listing(&self, dir: NodeId) -> flr_fs::Result<Arc<Vec<Entry>>> {
        if let Some(listing) = self.listings.get(&dir) {
            return Ok(listing);
        }
        let path = self.directory(dir)?;
        let records = self.ask(|| list(&self.under, &path))?;
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            // Streams have no place in a directory.
            let Some(metadata) = record.metadata() else {
                continue;
            };
            if !wire::is_name(&record.name) {
                return Err(refused("the server lists a name that no file can have"));
            }
            let node = (self.nodes).add(dir, &record.name, &metadata, record.is_lun())?;
            let name = record.name;
            entries.push(Entry {
                name,
                node,
                metadata,
            });
        }
        let entries = Arc::new(entries);
        let bytes = entries.len().saturating_mul(ENTRY_BYTES);
        self.listings.insert(dir, Arc::clone(&entries), bytes);
        Ok(entries)
    }
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
        size: 0,
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

/// A fault of the server as the error of a filesystem.
fn failed(fault: Fault) -> flr_fs::Error {
    let kind = match fault.kind {
        FaultKind::Denied => io::ErrorKind::PermissionDenied,
        FaultKind::Unknown | FaultKind::Throttled => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    flr_fs::Error::io(0, io::Error::new(kind, fault))
}

pub(super) fn refused(message: &str) -> flr_fs::Error {
    failed(Fault::new(FaultKind::Refused, message))
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
            node => Ok(self.nodes.get(node)?.0),
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
        let Some(record) = self.ask(|| stat(&self.under, &full))? else {
            return Ok(None);
        };
        let Some(metadata) = record.metadata() else {
            return Ok(None);
        };
        let node = self.nodes.add(dir, name, &metadata, record.is_lun())?;
        Ok(Some(Found {
            node,
            stored_name: name.as_bytes().to_vec(),
            metadata,
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
            let metadata = match want {
                Want::Names => None,
                Want::Metadata => Some(Ok(entry.metadata.clone())),
            };
            let item = DirItem::Entry(DirEntry {
                name: RawName::new(entry.name.as_bytes()),
                node: entry.node,
                kind: Some(entry.metadata.kind),
                next: DirCursor(next),
                metadata,
                hidden: false,
            });
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
        let metadata = self.metadata(node)?;
        match metadata.kind {
            FileKind::File => {}
            FileKind::Directory => return Err(Request::IsADirectory.into()),
            _ => return Err(Request::NoContent.into()),
        }
        let path = self.nodes.path(node)?;
        if self.nodes.get(node)?.1 {
            return Err(refused("it is a LUN: read it as one, ontap:SVM/VOLUME/LUN"));
        }
        let size = match metadata.size {
            0 => self.told_size(&path)?,
            size => size,
        };
        if size == 0 {
            return Ok(Arc::new(Memory::new(Vec::new())));
        }
        let store = FileStore::new(&self.under, &self.cluster, path, size);
        Ok(Chunked::new(store, &self.reading))
    }
}
