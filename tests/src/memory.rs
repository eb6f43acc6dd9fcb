//! A filesystem held in memory, with every oddity a real one can have.

use flr_fs::source::ByteSource;
use flr_fs::{
    CaseRule, Code, DeviceNumber, DirCursor, DirEntry, DirItem, Error, Fault, FileKind, Filesystem,
    Found, FsInfo, FsState, Memory, Metadata, NodeFlags, NodeId, RawName, Request, Result,
    StreamName, Timestamp, Want, XattrName,
};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Damage made on purpose.
pub const DAMAGE: Code = Code::new("test.damage");

/// What reading a node's metadata does.
#[derive(Clone, Debug)]
pub enum Health {
    /// It works.
    Good,
    /// It fails.
    Broken,
    /// It panics.
    Panics,
}

/// What opening a file gives.
#[derive(Clone, Debug)]
pub enum Content {
    /// This source.
    Source(Arc<dyn ByteSource>),
    /// This error.
    Error(Error),
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// What `stat` shows; inode number and size are set by [`MemoryFs`].
    pub metadata: Metadata,
    /// Whether that can be read.
    pub health: Health,
    /// What a file holds.
    pub content: Option<Content>,
    /// Where a link leads.
    pub target: Vec<u8>,
    /// What a directory holds; `Err` is a damaged part.
    pub entries: Vec<Result<Entry, Fault>>,
    /// Extended attributes.
    pub xattrs: Vec<(XattrName, Vec<u8>)>,
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name as stored.
    pub name: Vec<u8>,
    /// What it names.
    pub node: NodeId,
    /// The kind that the directory claims.
    pub kind: Option<FileKind>,
}

/// The filesystem. Nodes are numbered from 2 on, which is the root; there is no node 1.
#[derive(Debug)]
pub struct MemoryFs {
    info: FsInfo,
    nodes: Vec<Node>,
    /// The first entry of each name in each directory.
    found: HashMap<(NodeId, Vec<u8>), NodeId>,
}

/// A node of this kind with plain metadata.
#[must_use]
pub fn node(kind: FileKind) -> Node {
    let time = Timestamp {
        seconds: 1_700_000_000,
        nanoseconds: 123_456_789,
    };
    Node {
        metadata: Metadata {
            kind,
            mode: match kind {
                FileKind::Directory => 0o755,
                FileKind::Symlink => 0o777,
                _ => 0o644,
            },
            uid: 0,
            gid: 0,
            size: 0,
            nlink: 1,
            inode: 0,
            blocks: 0,
            rdev: None,
            atime: time,
            mtime: time,
            ctime: time,
            btime: None,
            flags: NodeFlags::default(),
            generation: 7,
            project: None,
        },
        health: Health::Good,
        content: None,
        target: Vec::new(),
        entries: Vec::new(),
        xattrs: Vec::new(),
    }
}

/// A file that holds `source`.
#[must_use]
pub fn file_of(source: impl ByteSource + 'static) -> Node {
    let mut file = node(FileKind::File);
    file.metadata.size = source.size();
    file.metadata.blocks = source.size().div_ceil(512);
    file.content = Some(Content::Source(Arc::new(source)));
    file
}

/// A file that holds these bytes.
#[must_use]
pub fn file(bytes: &[u8]) -> Node {
    file_of(Memory::new(bytes))
}

/// A file that cannot be opened.
#[must_use]
pub fn unopenable(error: Error) -> Node {
    let mut file = node(FileKind::File);
    file.metadata.size = 100;
    file.content = Some(Content::Error(error));
    file
}

/// A symbolic link.
#[must_use]
pub fn link(target: &[u8]) -> Node {
    let mut link = node(FileKind::Symlink);
    link.target = target.to_vec();
    link.metadata.size = u64::try_from(target.len()).unwrap_or(0);
    link
}

/// A device node.
#[must_use]
pub fn device(kind: FileKind, major: u32, minor: u32) -> Node {
    let mut device = node(kind);
    device.metadata.rdev = Some(DeviceNumber { major, minor });
    device
}

impl Default for MemoryFs {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryFs {
    /// An empty root.
    #[must_use]
    pub fn new() -> Self {
        let info = FsInfo {
            kind: "memory",
            label: b"sample".to_vec(),
            uuid: None,
            size: 64 << 20,
            block_size: 4096,
            blocks_free: 1000,
            nodes: 100_000,
            nodes_free: 5000,
            case_rule: CaseRule::Sensitive,
            state: FsState::Clean,
            notes: Vec::new(),
            features: Vec::new(),
            last_mounted: Vec::new(),
        };
        let mut root = node(FileKind::Directory);
        root.metadata.inode = 2;
        Self {
            info,
            nodes: vec![root],
            found: HashMap::new(),
        }
    }

    /// Adds a node without a name.
    pub fn add(&mut self, mut node: Node) -> NodeId {
        let id = u64::try_from(self.nodes.len())
            .unwrap_or(0)
            .saturating_add(2);
        node.metadata.inode = id;
        self.nodes.push(node);
        NodeId(id)
    }

    /// Names a node in a directory.
    pub fn name(&mut self, dir: NodeId, name: &[u8], node: NodeId) {
        let kind = self.node(node).ok().map(|node| node.metadata.kind);
        self.entry(dir, name, node, kind);
    }

    /// Names a node in a directory, which claims a kind of its own or none.
    pub fn entry(&mut self, dir: NodeId, name: &[u8], node: NodeId, kind: Option<FileKind>) {
        self.found.entry((dir, name.to_vec())).or_insert(node);
        if let Some(dir) = self.node_mut(dir) {
            dir.entries.push(Ok(Entry {
                name: name.to_vec(),
                node,
                kind,
            }));
        }
    }

    /// Adds a node with a name.
    pub fn put(&mut self, dir: NodeId, name: &[u8], node: Node) -> NodeId {
        let id = self.add(node);
        self.name(dir, name, id);
        id
    }

    /// Adds a directory.
    pub fn mkdir(&mut self, dir: NodeId, name: &[u8]) -> NodeId {
        self.put(dir, name, node(FileKind::Directory))
    }

    /// Adds a damaged part to a directory.
    pub fn damage(&mut self, dir: NodeId) {
        if let Some(dir) = self.node_mut(dir) {
            let fault = Fault::new(DAMAGE, 0x1000, "expected an entry, found rubbish");
            dir.entries.push(Err(fault));
        }
    }

    fn index(id: NodeId) -> Option<usize> {
        usize::try_from(id.0.checked_sub(2)?).ok()
    }

    fn node(&self, id: NodeId) -> Result<&Node> {
        let node = Self::index(id).and_then(|index| self.nodes.get(index));
        node.ok_or_else(|| Request::NoSuchNode.into())
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(Self::index(id)?)
    }

    fn directory(&self, id: NodeId) -> Result<&Node> {
        let dir = self.node(id)?;
        match dir.metadata.kind {
            FileKind::Directory => Ok(dir),
            _ => Err(Request::NotADirectory.into()),
        }
    }
}

impl Filesystem for MemoryFs {
    fn info(&self) -> &FsInfo {
        &self.info
    }

    fn root(&self) -> NodeId {
        NodeId(2)
    }

    #[expect(clippy::panic, reason = "a panic is what this health is for")]
    fn metadata(&self, id: NodeId) -> Result<Metadata> {
        let node = self.node(id)?;
        match node.health {
            Health::Good => Ok(node.metadata.clone()),
            Health::Broken => Err(Error::corrupt(DAMAGE, 0x2000, "expected a node")),
            Health::Panics => panic!("a panic on purpose in the metadata of {}", id.0),
        }
    }

    fn lookup(&self, dir: NodeId, name: RawName<'_>) -> Result<Option<Found>> {
        let entries = &self.directory(dir)?.entries;
        let stored_name = name.as_bytes().to_vec();
        match self.found.get(&(dir, stored_name.clone())) {
            Some(node) => Ok(Some(Found {
                node: *node,
                stored_name,
                metadata: self.metadata(*node)?,
            })),
            // What the damaged part held is not known.
            None => match entries.iter().find_map(|entry| entry.as_ref().err()) {
                Some(fault) => Err(Error::Corrupt(fault.clone())),
                None => Ok(None),
            },
        }
    }

    fn read_dir(
        &self,
        dir: NodeId,
        from: DirCursor,
        want: Want,
        visit: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let entries = &self.directory(dir)?.entries;
        let start = usize::try_from(from.0).unwrap_or(usize::MAX);
        for (index, entry) in (1..).zip(entries).skip(start) {
            let item = match entry {
                Ok(entry) => DirItem::Entry(DirEntry {
                    name: RawName::new(&entry.name),
                    node: entry.node,
                    kind: entry.kind,
                    next: DirCursor(index),
                    metadata: (want == Want::Metadata).then(|| self.metadata(entry.node)),
                    hidden: false,
                }),
                Err(fault) => DirItem::Damaged(fault.clone()),
            };
            if visit(item).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read_link(&self, id: NodeId) -> Result<Vec<u8>> {
        let node = self.node(id)?;
        match node.metadata.kind {
            FileKind::Symlink => Ok(node.target.clone()),
            _ => Err(Request::NotALink.into()),
        }
    }

    fn xattr_names(&self, id: NodeId) -> Result<Vec<XattrName>> {
        let xattrs = &self.node(id)?.xattrs;
        Ok(xattrs.iter().map(|(name, _)| name.clone()).collect())
    }

    fn xattr(&self, id: NodeId, name: &XattrName) -> Result<Option<Vec<u8>>> {
        let xattrs = &self.node(id)?.xattrs;
        let found = xattrs.iter().find(|(stored, _)| stored == name);
        Ok(found.map(|(_, value)| value.clone()))
    }

    fn open(&self, id: NodeId, _stream: StreamName<'_>) -> Result<Arc<dyn ByteSource>> {
        let node = self.node(id)?;
        match (&node.content, node.metadata.kind) {
            (Some(Content::Source(source)), _) => Ok(Arc::clone(source)),
            (Some(Content::Error(error)), _) => Err(error.clone()),
            (None, FileKind::Directory) => Err(Request::IsADirectory.into()),
            (None, _) => Err(Request::NoContent.into()),
        }
    }
}
