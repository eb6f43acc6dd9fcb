//! A small tree of folders and files in memory: what holds the filesystems of a view together.

use flr_fs::{
    ByteSource, CaseRule, DirCursor, DirEntry, DirItem, Error, FileKind, Filesystem, Found, FsInfo,
    FsState, Metadata, NodeFlags, NodeId, RawName, Request, StreamName, Timestamp, Want, XattrName,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A small tree of folders and files in memory.
#[derive(Debug)]
pub(crate) struct Folders {
    nodes: Vec<Node>,
    /// Names of the root that are found and not listed.
    aliases: Vec<(String, NodeId)>,
    info: FsInfo,
}

#[derive(Debug, Default)]
struct Node {
    children: Vec<(String, NodeId)>,
    content: Option<Arc<dyn ByteSource>>,
}

impl Folders {
    /// Nothing but a root. Without regard to case only ASCII letters are alike.
    pub(crate) fn new(kind: &'static str, case_rule: CaseRule) -> Self {
        let info = FsInfo {
            kind,
            label: Vec::new(),
            uuid: None,
            size: 0,
            block_size: 512,
            blocks_free: 0,
            nodes: 0,
            nodes_free: 0,
            case_rule,
            state: FsState::Clean,
            notes: Vec::new(),
            features: Vec::new(),
            last_mounted: Vec::new(),
        };
        // Numbers start at 1: an inode 0 means "none" to everyone.
        Self {
            nodes: vec![Node::default(), Node::default()],
            aliases: Vec::new(),
            info,
        }
    }

    fn node(&self, id: NodeId) -> Result<&Node, Error> {
        let index = usize::try_from(id.0).ok().filter(|index| *index > 0);
        let node = index.and_then(|index| self.nodes.get(index));
        node.ok_or_else(|| Request::NoSuchNode.into())
    }

    /// The folder with this path, made if need be.
    pub(crate) fn folder(&mut self, path: &str) -> NodeId {
        let mut at = NodeId(1);
        for name in path.split('/') {
            let known = self.node(at).ok().and_then(|node| {
                node.children
                    .iter()
                    .find(|(child, _)| child == name)
                    .map(|(_, id)| *id)
            });
            at = known.unwrap_or_else(|| self.add(at, name));
        }
        at
    }

    /// A folder that the root does not list.
    pub(crate) fn hidden_folder(&mut self) -> NodeId {
        let id = NodeId(flr_fs::bytes::len_u64(self.nodes.len()));
        self.nodes.push(Node::default());
        id
    }

    /// A further name in the root, which is found and not listed.
    pub(crate) fn alias(&mut self, name: String, node: NodeId) {
        self.aliases.push((name, node));
    }

    fn is_same(&self, one: &[u8], other: &[u8]) -> bool {
        match self.info.case_rule {
            CaseRule::Insensitive => one.eq_ignore_ascii_case(other),
            CaseRule::Sensitive | CaseRule::PerDirectory => one == other,
        }
    }

    fn add(&mut self, parent: NodeId, name: &str) -> NodeId {
        let id = self.hidden_folder();
        let parent = usize::try_from(parent.0)
            .ok()
            .and_then(|index| self.nodes.get_mut(index));
        if let Some(parent) = parent {
            parent.children.push((name.to_owned(), id));
        }
        id
    }

    /// A file with this path.
    pub(crate) fn file(&mut self, path: &str, source: Arc<dyn ByteSource>) {
        let id = self.folder(path);
        let node = usize::try_from(id.0)
            .ok()
            .and_then(|index| self.nodes.get_mut(index));
        if let Some(node) = node {
            node.content = Some(source);
        }
    }
}

impl Filesystem for Folders {
    fn info(&self) -> &FsInfo {
        &self.info
    }

    fn root(&self) -> NodeId {
        NodeId(1)
    }

    fn metadata(&self, node: NodeId) -> Result<Metadata, Error> {
        let content = &self.node(node)?.content;
        let size = content.as_ref().map_or(0, |source| source.size());
        Ok(Metadata {
            kind: if content.is_some() {
                FileKind::File
            } else {
                FileKind::Directory
            },
            mode: if content.is_some() { 0o400 } else { 0o555 },
            uid: 0,
            gid: 0,
            size,
            nlink: 1,
            inode: node.0,
            blocks: size.div_ceil(512),
            rdev: None,
            atime: Timestamp::default(),
            mtime: Timestamp::default(),
            ctime: Timestamp::default(),
            btime: None,
            flags: NodeFlags::default(),
            generation: 0,
            project: None,
        })
    }

    fn lookup(&self, dir: NodeId, name: RawName<'_>) -> Result<Option<Found>, Error> {
        let aliases = if dir == self.root() {
            self.aliases.as_slice()
        } else {
            &[]
        };
        let names = self.node(dir)?.children.iter().chain(aliases);
        let mut names = names.map(|(child, node)| (child, node));
        let found = names.find(|(child, _)| self.is_same(child.as_bytes(), name.as_bytes()));
        let Some((stored, node)) = found else {
            return Ok(None);
        };
        let stored_name = stored.clone().into_bytes();
        Ok(Some(Found {
            node: *node,
            stored_name,
            metadata: self.metadata(*node)?,
        }))
    }

    fn read_dir(
        &self,
        dir: NodeId,
        from: DirCursor,
        want: Want,
        visit: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let node = self.node(dir)?;
        if node.content.is_some() {
            return Err(Request::NotADirectory.into());
        }
        for (next, (name, child)) in (1_u64..).zip(&node.children) {
            if next <= from.0 {
                continue;
            }
            let metadata = (want == Want::Metadata).then(|| self.metadata(*child));
            let name = RawName::new(name.as_bytes());
            let next = DirCursor(next);
            let entry = DirEntry {
                name,
                node: *child,
                kind: None,
                next,
                metadata,
                hidden: false,
            };
            if visit(DirItem::Entry(entry)).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read_link(&self, _node: NodeId) -> Result<Vec<u8>, Error> {
        Err(Request::NotALink.into())
    }

    fn xattr_names(&self, _node: NodeId) -> Result<Vec<XattrName>, Error> {
        Ok(Vec::new())
    }

    fn xattr(&self, _node: NodeId, _name: &XattrName) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    fn open(&self, node: NodeId, stream: StreamName<'_>) -> Result<Arc<dyn ByteSource>, Error> {
        match (&self.node(node)?.content, stream) {
            (_, StreamName::Named(_)) => Err(Request::NoSuchStream.into()),
            (Some(source), StreamName::Main) => Ok(Arc::clone(source)),
            (None, StreamName::Main) => Err(Request::IsADirectory.into()),
        }
    }
}
