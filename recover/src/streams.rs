//! Named streams of NTFS: as files of their own (`file:stream`), and as extended attributes.
//!
//! Where a path leads nowhere and its last component has a `:`, what stands before the `:` may be a file
//! and what stands behind it a stream of that, as in Windows ("Naming Files, Paths, and Namespaces",
//! "File Streams", Microsoft). A name that is stored with its `:` is found before that. The type of a
//! stream may stand behind it (`file:stream:$DATA`), and `file::$DATA` is the file itself.
//!
//! As attributes they are called `user.DosStream.NAME`, as Samba's `streams_xattr` calls them, without
//! the type and the NUL that it adds.

use crate::error::{Error, NotFound, Result};
use crate::view::{Resolved, View, ViewNode};
use flr_fs::bytes::clamp_usize;
use flr_fs::{
    ByteSource, DirCursor, DirItem, FileKind, Filesystem, FsInfo, Metadata, NodeId, RawName,
    Request, StreamInfo, StreamName, Want, XattrName,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What the name of a stream is put behind.
const XATTR_PREFIX: &[u8] = b"user.DosStream.";

/// Longest name of an attribute in Linux (`XATTR_NAME_MAX`), in bytes.
const XATTR_NAME_BYTES_MAX: usize = 255;

/// Largest value of an attribute in Linux (`XATTR_SIZE_MAX`), in bytes.
const XATTR_VALUE_BYTES_MAX: u64 = 65536;

/// Streams that are offered where the one that was asked for is not there.
const OFFERED_COUNT_MAX: usize = 8;

/// The type behind the name of a stream; Windows folds its case.
const DATA_TYPE: &[u8] = b":$DATA";

/// The last component of a path, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Named<'a> {
    /// The path of the file.
    file: &'a [u8],
    /// The stream; empty for the main one.
    stream: &'a [u8],
}

impl<'a> Named<'a> {
    /// `None`: the path says nothing of a stream.
    fn split(path: &'a [u8]) -> Option<Self> {
        let name_at = path.iter().rposition(|byte| *byte == b'/').map_or(0, after);
        let (without_type, typed) = match strip_type(path) {
            // `file:$DATA` is a stream that is called `$DATA`.
            Some(stripped) if last_colon(stripped, name_at).is_some() => (stripped, true),
            _ => (path, false),
        };
        let colon = last_colon(without_type, name_at)?;
        let file = without_type.get(..colon)?;
        let stream = without_type.get(after(colon)..)?;
        let has_file = file.len() > name_at;
        (has_file && (typed || !stream.is_empty())).then_some(Self { file, stream })
    }
}

const fn after(at: usize) -> usize {
    at.saturating_add(1)
}

fn strip_type(path: &[u8]) -> Option<&[u8]> {
    let (rest, end) = path.split_at_checked(path.len().checked_sub(DATA_TYPE.len())?)?;
    end.eq_ignore_ascii_case(DATA_TYPE).then_some(rest)
}

fn last_colon(path: &[u8], name_at: usize) -> Option<usize> {
    let colon = path.iter().rposition(|byte| *byte == b':')?;
    (colon >= name_at).then_some(colon)
}

/// What a path leads to that names a stream of a file, with the view in which that is a file of its own.
/// `None`: the path names no stream, or the filesystem has none.
///
/// `missing` is why the path leads nowhere without that.
///
/// # Errors
/// [`Error::NotFound`] with the file's streams, if it has no such stream; as [`View::resolve`].
pub(crate) fn resolve(
    view: &Arc<View>,
    path: &[u8],
    missing: &Error,
) -> Result<Option<(Arc<View>, Resolved)>> {
    let (Error::NotFound(_), Some(named)) = (missing, Named::split(path)) else {
        return Ok(None);
    };
    // A link that is stored with its `:` and leads nowhere.
    if view.resolve(path, false).is_ok() {
        return Ok(None);
    }
    let entry = match view.resolve(named.file, false) {
        Err(Error::NotFound(_)) => return Ok(None),
        entry => entry?,
    };
    if !view.filesystem(entry.node)?.has_streams() {
        return Ok(None);
    }
    if named.stream.is_empty() {
        let file = view.resolve(named.file, true)?;
        return match file.metadata.kind {
            FileKind::Directory => Ok(None),
            _ => Ok(Some((Arc::clone(view), file))),
        };
    }
    let is_link = entry.metadata.kind == FileKind::Symlink;
    match stream_of(view, &entry, named.stream)? {
        Some(found) => Ok(Some(found)),
        // As in Windows, where a link is followed before its streams are looked for.
        None if is_link => {
            let file = view.resolve(named.file, true)?;
            let found = match view.filesystem(file.node)?.has_streams() {
                true => stream_of(view, &file, named.stream)?,
                false => None,
            };
            found.map_or_else(|| Err(no_such_stream(view, path, &file)), |it| Ok(Some(it)))
        }
        None => Err(no_such_stream(view, path, &entry)),
    }
}

fn stream_of(
    view: &Arc<View>,
    file: &Resolved,
    name: &[u8],
) -> Result<Option<(Arc<View>, Resolved)>> {
    let filesystem = view.filesystem(file.node)?;
    let content = match filesystem.open(file.node.node, StreamName::Named(name)) {
        Err(flr_fs::Error::Request(Request::NoSuchStream)) => return Ok(None),
        content => content?,
    };
    let metadata = metadata_of(&file.metadata, content.size());
    let stream = StreamFile {
        info: filesystem.info().clone(),
        node: file.node.node,
        metadata: metadata.clone(),
        content,
    };
    let (view, node) = view.with_node_of(Arc::new(stream))?;
    let path = [&file.path, b":".as_slice(), name].concat();
    let resolved = Resolved {
        node,
        metadata,
        path,
    };
    Ok(Some((Arc::new(view), resolved)))
}

/// A stream as a file: who may read the one may read the other, and the times are those of both.
fn metadata_of(file: &Metadata, size: u64) -> Metadata {
    Metadata {
        kind: FileKind::File,
        mode: file.mode & 0o666,
        size,
        nlink: 1,
        blocks: size.div_ceil(512),
        rdev: None,
        ..file.clone()
    }
}

fn no_such_stream(view: &View, path: &[u8], file: &Resolved) -> Error {
    // The answer is "not found" already; streams that cannot be read only make no hints.
    let streams = view.streams(file.node).unwrap_or_default();
    let name = name_of(&file.path);
    let mut nearest: Vec<_> = streams
        .iter()
        .take(OFFERED_COUNT_MAX)
        .map(|stream| [name, b":", &stream.name].concat())
        .collect();
    if nearest.is_empty() {
        nearest.push(name.to_vec());
    }
    Error::NotFound(NotFound {
        path: path.to_vec(),
        found_len: file.path.len().saturating_sub(after(name.len())),
        nearest,
    })
}

fn name_of(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The path, or a locator's text, of what is named without a type: `file:stream`, and `file` of
/// `file::$DATA`. Unchanged if it has none.
pub(crate) fn without_type(path: &[u8]) -> &[u8] {
    match (strip_type(path), Named::split(path)) {
        (Some(_), Some(named)) if named.stream.is_empty() => named.file,
        (Some(stripped), Some(named)) if stripped.ends_with(named.stream) => stripped,
        _ => path,
    }
}

/// The streams of a node, each with the name of the attribute that it is shown as. `None`: Linux takes no
/// such name, or an attribute of the node (`listed`) has it already.
///
/// # Errors
/// As [`Filesystem::streams`].
pub fn xattrs(
    view: &View,
    node: ViewNode,
    listed: &[XattrName],
) -> Result<Vec<(StreamInfo, Option<XattrName>)>> {
    let streams = view.streams(node)?.into_iter().map(|stream| {
        let name = xattr_name(&stream.name).filter(|name| !listed.contains(name));
        (stream, name)
    });
    Ok(streams.collect())
}

fn xattr_name(stream: &[u8]) -> Option<XattrName> {
    let name = [XATTR_PREFIX, stream].concat();
    let fits = !stream.is_empty() && !stream.contains(&0) && name.len() <= XATTR_NAME_BYTES_MAX;
    fits.then(|| XattrName::new(name))
}

/// A stream as the value of an attribute.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    /// All of it.
    Bytes(Vec<u8>),
    /// More bytes than an attribute holds in Linux; this many.
    TooLarge(u64),
}

/// The stream that is shown as the attribute `name`. `None`: there is none.
///
/// # Errors
/// As [`Filesystem::open`], and of reading the stream.
pub fn xattr(view: &View, node: ViewNode, name: &[u8]) -> Result<Option<Value>> {
    let Some(stream) = name.strip_prefix(XATTR_PREFIX) else {
        return Ok(None);
    };
    let filesystem = view.filesystem(node)?;
    let content = match filesystem.open(node.node, StreamName::Named(stream)) {
        Err(flr_fs::Error::Request(Request::NoSuchStream)) => return Ok(None),
        content => content?,
    };
    let size = content.size();
    if size > XATTR_VALUE_BYTES_MAX {
        return Ok(Some(Value::TooLarge(size)));
    }
    let mut value = vec![0; clamp_usize(size, usize::MAX)];
    content.read_at(0, &mut value)?;
    Ok(Some(Value::Bytes(value)))
}

/// A filesystem of one node: a stream as a file.
#[derive(Debug)]
struct StreamFile {
    info: FsInfo,
    node: NodeId,
    metadata: Metadata,
    content: Arc<dyn ByteSource>,
}

impl StreamFile {
    fn check(&self, node: NodeId) -> flr_fs::Result<()> {
        match node == self.node {
            true => Ok(()),
            false => Err(Request::NoSuchNode.into()),
        }
    }
}

impl Filesystem for StreamFile {
    fn info(&self) -> &FsInfo {
        &self.info
    }

    fn root(&self) -> NodeId {
        self.node
    }

    fn metadata(&self, node: NodeId) -> flr_fs::Result<Metadata> {
        self.check(node)?;
        Ok(self.metadata.clone())
    }

    fn lookup(&self, _: NodeId, _: RawName<'_>) -> flr_fs::Result<Option<flr_fs::Found>> {
        Err(Request::NotADirectory.into())
    }

    fn read_dir(
        &self,
        _: NodeId,
        _: DirCursor,
        _: Want,
        _: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
    ) -> flr_fs::Result<()> {
        Err(Request::NotADirectory.into())
    }

    fn read_link(&self, _: NodeId) -> flr_fs::Result<Vec<u8>> {
        Err(Request::NotALink.into())
    }

    fn xattr_names(&self, node: NodeId) -> flr_fs::Result<Vec<XattrName>> {
        self.check(node).map(|()| Vec::new())
    }

    fn xattr(&self, node: NodeId, _: &XattrName) -> flr_fs::Result<Option<Vec<u8>>> {
        self.check(node).map(|()| None)
    }

    fn open(&self, node: NodeId, stream: StreamName<'_>) -> flr_fs::Result<Arc<dyn ByteSource>> {
        self.check(node)?;
        match stream {
            StreamName::Main => Ok(Arc::clone(&self.content)),
            StreamName::Named(_) => Err(Request::NoSuchStream.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_component_is_taken_apart_at_its_last_colon() {
        let check = |path: &'static str, expected: Option<(&'static str, &'static str)>| {
            let found = Named::split(path.as_bytes());
            let expected = expected.map(|(file, stream)| Named {
                file: file.as_bytes(),
                stream: stream.as_bytes(),
            });
            assert_eq!(found, expected, "{path}");
        };
        check("/a/b:c", Some(("/a/b", "c")));
        check("/a/b:c:$DATA", Some(("/a/b", "c")));
        check("/a/b:c:$data", Some(("/a/b", "c")));
        check("/a/b::$DATA", Some(("/a/b", "")));
        check("/a/b:$DATA", Some(("/a/b", "$DATA")));
        check("/a/b:c:d", Some(("/a/b:c", "d")));
        check("/C:/a/b:c", Some(("/C:/a/b", "c")));
        check("b:c", Some(("b", "c")));
        for path in [
            "",
            "/",
            "/a:b/c",
            "/C:/a",
            "/a/b:",
            "/a/:b",
            "/a/b:c/",
            "/C:/::$DATA",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn types_are_left_out_of_names() {
        for (path, without) in [
            ("/a:b:$DATA", "/a:b"),
            ("/a::$data", "/a"),
            ("/a:b", "/a:b"),
            ("/a:$DATA", "/a:$DATA"),
            ("/$DATA", "/$DATA"),
        ] {
            assert_eq!(without_type(path.as_bytes()), without.as_bytes(), "{path}");
        }
    }

    #[test]
    fn names_that_no_attribute_can_have_are_none() {
        let name = |stream: &[u8]| xattr_name(stream).map(|name| name.as_bytes().to_vec());
        let expected = b"user.DosStream.Zone.Identifier".to_vec();
        assert_eq!(name(b"Zone.Identifier"), Some(expected));
        assert_eq!(name(&[b'x'; 240]).map(|name| name.len()), Some(255));
        for stream in [&[b'x'; 241][..], b"", b"a\0b"] {
            assert_eq!(name(stream), None);
        }
    }
}
