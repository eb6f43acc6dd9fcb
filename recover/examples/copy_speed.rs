//! Measures the copier: a directory of the host, served as a filesystem, is copied into another one.
//!
//! `copy_speed [--archive] [--threads N] SOURCE DESTINATION` prints one line of numbers. What it
//! reads goes through `pread` as with a raw image, so the rest is the copier's own work.

use flr_fs::{
    ByteSource, CaseRule, DirCursor, DirEntry, DirItem, Error, FileKind, Filesystem, Found, FsInfo,
    FsState, Metadata, NodeFlags, NodeId, RawName, Request, Result, StreamName, Timestamp, Want,
    XattrName,
};
use flr_recover::View;
use flr_recover::copy::{Copier, CopyOptions, DestinationDir, Silent};
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A directory tree of the host, its paths read once. Files and directories only.
#[derive(Debug)]
struct Host {
    info: FsInfo,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    path: PathBuf,
    metadata: Metadata,
    entries: Vec<(Vec<u8>, NodeId)>,
}

#[derive(Debug)]
struct HostFile(File, u64);

impl ByteSource for HostFile {
    fn size(&self) -> u64 {
        self.1
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let read = self.0.read_exact_at(buf, offset);
        read.map_err(|error| Error::io(offset, error))
    }
}

impl Host {
    fn load(top: &Path) -> io::Result<Self> {
        let mut host = Self {
            info: FsInfo {
                kind: "host",
                label: Vec::new(),
                uuid: None,
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
            },
            nodes: Vec::new(),
        };
        host.add(top.to_path_buf())?;
        let mut done = 0;
        while let Some(node) = host.nodes.get(done) {
            if node.metadata.kind == FileKind::Directory {
                let mut entries = Vec::new();
                for entry in std::fs::read_dir(node.path.clone())? {
                    let entry = entry?;
                    let name = entry.file_name().as_bytes().to_vec();
                    entries.push((name, host.add(entry.path())?));
                }
                if let Some(node) = host.nodes.get_mut(done) {
                    node.entries = entries;
                }
            }
            done = done.saturating_add(1);
        }
        Ok(host)
    }

    fn add(&mut self, path: PathBuf) -> io::Result<NodeId> {
        let stat = std::fs::symlink_metadata(&path)?;
        let id = NodeId(flr_fs::bytes::len_u64(self.nodes.len()));
        let time = |seconds, nanoseconds| Timestamp {
            seconds,
            nanoseconds: u32::try_from(nanoseconds).unwrap_or(0),
        };
        let metadata = Metadata {
            kind: if stat.is_dir() {
                FileKind::Directory
            } else {
                FileKind::File
            },
            mode: stat.mode() & 0o7777,
            uid: stat.uid(),
            gid: stat.gid(),
            size: stat.len(),
            nlink: 1,
            inode: stat.ino(),
            blocks: stat.blocks(),
            rdev: None,
            atime: time(stat.atime(), stat.atime_nsec()),
            mtime: time(stat.mtime(), stat.mtime_nsec()),
            ctime: time(stat.ctime(), stat.ctime_nsec()),
            btime: None,
            flags: NodeFlags::default(),
            generation: 0,
            project: None,
        };
        self.nodes.push(Node {
            path,
            metadata,
            entries: Vec::new(),
        });
        Ok(id)
    }

    fn node(&self, id: NodeId) -> Result<&Node> {
        let index = usize::try_from(id.0).ok();
        let node = index.and_then(|index| self.nodes.get(index));
        node.ok_or_else(|| Request::NoSuchNode.into())
    }
}

impl Filesystem for Host {
    fn info(&self) -> &FsInfo {
        &self.info
    }
    fn root(&self) -> NodeId {
        NodeId(0)
    }
    fn metadata(&self, node: NodeId) -> Result<Metadata> {
        Ok(self.node(node)?.metadata.clone())
    }
    fn lookup(&self, _: NodeId, _: RawName<'_>) -> Result<Option<Found>> {
        Err(Request::NotOffered.into())
    }
    fn read_dir(
        &self,
        dir: NodeId,
        _: DirCursor,
        _: Want,
        visit: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        for (name, node) in &self.node(dir)?.entries {
            let entry = DirEntry {
                name: RawName::new(name),
                node: *node,
                kind: None,
                next: DirCursor::default(),
                metadata: None,
                hidden: false,
            };
            if visit(DirItem::Entry(entry)).is_break() {
                break;
            }
        }
        Ok(())
    }
    fn read_link(&self, _: NodeId) -> Result<Vec<u8>> {
        Err(Request::NotALink.into())
    }
    fn xattr_names(&self, _: NodeId) -> Result<Vec<XattrName>> {
        Ok(Vec::new())
    }
    fn xattr(&self, _: NodeId, _: &XattrName) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn open(&self, node: NodeId, _: StreamName<'_>) -> Result<Arc<dyn ByteSource>> {
        let node = self.node(node)?;
        let file = File::open(&node.path).map_err(|error| Error::io(0, error))?;
        Ok(Arc::new(HostFile(file, node.metadata.size)))
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut options = CopyOptions::plain();
    let mut paths = Vec::new();
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--archive") => {
                let threads = options.threads;
                options = CopyOptions::archive();
                options.threads = threads;
            }
            Some("--threads") => {
                let count = arguments.next().and_then(|count| count.into_string().ok());
                options.threads = count.ok_or("--threads N")?.parse()?;
            }
            _ => paths.push(PathBuf::from(argument)),
        }
    }
    let [source, destination] = paths.as_slice() else {
        return Err("usage: copy_speed [--archive] [--threads N] SOURCE DESTINATION".into());
    };
    let view = View::new(Arc::new(Host::load(source)?));
    let root = view.resolve(b"/", true)?;
    let destination = DestinationDir::create(destination)?;
    let cancel = AtomicBool::new(false);
    let start = Instant::now();
    let report = Copier::new(options, &Silent, &cancel).copy_contents(&view, &root, &destination);
    let seconds = start.elapsed().as_secs_f64();
    let mut out = io::stdout();
    writeln!(
        out,
        "{seconds:.3} s, {} files, {} directories, {} bytes, {} failed",
        report.files, report.dirs, report.bytes, report.failed
    )?;
    if let Some(error) = report.first_error {
        return Err(error.into());
    }
    Ok(())
}
