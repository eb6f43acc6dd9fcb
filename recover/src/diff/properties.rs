//! What differs between two nodes of the same kind.

use super::content::{Contents, Failure, Pieces};
use super::{Content, Half, Kept, Side};
use crate::error::Result;
use crate::view::{View, ViewNode};
use flr_fs::{ByteSource, FileKind, StreamName};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Two trees, and what is needed to compare nodes of them.
pub(super) struct Pair<'a> {
    pub(super) before: &'a View,
    pub(super) after: &'a View,
    pub(super) content: Content,
    pub(super) kept: &'a Kept,
    pub(super) cancel: &'a AtomicBool,
    pub(super) pieces: Pieces,
}

/// What differs, and whether that is what a node holds and not only what is said of it.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) names: Vec<&'static str>,
    pub(super) is_content: bool,
}

impl Fields {
    fn add(&mut self, name: &'static str, differs: bool, is_content: bool) {
        if differs {
            self.names.push(name);
            self.is_content |= is_content;
        }
    }
}

impl Pair<'_> {
    pub(super) const fn view(&self, side: Side) -> &View {
        match side {
            Side::Before => self.before,
            Side::After => self.after,
        }
    }

    /// The name of the filesystem that a node belongs to, if it has one that no other has.
    pub(super) fn uuid(&self, side: Side, node: ViewNode) -> Option<&str> {
        let filesystem = self.view(side).filesystem(node).ok()?;
        filesystem.info().uuid.as_deref()
    }

    fn is_one_filesystem(&self, before: &Half, after: &Half) -> bool {
        let before = self.uuid(Side::Before, before.node);
        before.is_some() && before == self.uuid(Side::After, after.node)
    }

    /// What differs between two nodes of the same kind.
    pub(super) fn compare(&mut self, before: &Half, after: &Half) -> Result<Fields, Failure> {
        let one_filesystem = self.is_one_filesystem(before, after);
        let (old, new) = (&before.metadata, &after.metadata);
        let untouched = one_filesystem
            && (old.inode, old.generation, old.size) == (new.inode, new.generation, new.size)
            && (old.mtime, old.ctime) == (new.mtime, new.ctime)
            // Times of whole seconds say nothing of two changes within one.
            && old.ctime.nanoseconds != 0;
        let mut fields = Fields::default();
        let always = self.content == Content::Always;
        if old.kind == FileKind::File {
            let same_size = old.size == new.size;
            let by_rsync = !one_filesystem && same_size && old.mtime == new.mtime;
            let known = (untouched || by_rsync) && !always;
            let differs = !same_size || (!known && !self.same_content(before, after)?);
            fields.add("content", differs, true);
            fields.add("size", !same_size, true);
        }
        if old.kind == FileKind::Symlink && (!untouched || always) {
            let target = |side: Side, half: &Half| {
                let read = self.view(side).read_link(half.node);
                read.map_err(|error| (side, error))
            };
            let differs = target(Side::Before, before)? != target(Side::After, after)?;
            fields.add("target", differs, true);
        }
        fields.add("rdev", old.rdev != new.rdev, true);
        if !untouched || always {
            let differs = !self.same_streams(before, after)?;
            fields.add("streams", differs, true);
        }
        fields.add("mode", old.mode != new.mode, false);
        fields.add("uid", old.uid != new.uid, false);
        fields.add("gid", old.gid != new.gid, false);
        // That of a directory follows from its entries.
        let is_dir = old.kind == FileKind::Directory;
        fields.add("mtime", !is_dir && old.mtime != new.mtime, false);
        fields.add("flags", old.flags != new.flags, false);
        if !untouched || always {
            let xattrs = |side: Side, half: &Half| {
                xattrs(self.view(side), half.node).map_err(|error| (side, error))
            };
            let differs = xattrs(Side::Before, before)? != xattrs(Side::After, after)?;
            fields.add("xattrs", differs, false);
        }
        Ok(fields)
    }

    fn same_content(&mut self, before: &Half, after: &Half) -> Result<bool, Failure> {
        let open = |side: Side, half: &Half| {
            let opened = self.view(side).open(half.node);
            opened.map_err(|error| (side, error))
        };
        let (old, new) = (open(Side::Before, before)?, open(Side::After, after)?);
        self.same(old, new)
    }

    fn same(
        &mut self,
        before: Arc<dyn ByteSource>,
        after: Arc<dyn ByteSource>,
    ) -> Result<bool, Failure> {
        let believed = self.content == Content::Quick && !self.kept.is_empty();
        let contents = Contents {
            before,
            after,
            kept: believed.then_some(self.kept),
            cancel: self.cancel,
        };
        contents.is_same(&mut self.pieces)
    }

    fn same_streams(&mut self, before: &Half, after: &Half) -> Result<bool, Failure> {
        let streams = |side: Side, half: &Half| {
            let mut streams =
                (self.view(side).streams(half.node)).map_err(|error| (side, error))?;
            streams.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(streams)
        };
        let (old, new) = (streams(Side::Before, before)?, streams(Side::After, after)?);
        if old != new {
            return Ok(false);
        }
        for stream in old {
            let open = |side: Side, half: &Half| {
                let filesystem = self.view(side).filesystem(half.node);
                let name = StreamName::Named(&stream.name);
                let opened = filesystem.and_then(|it| Ok(it.open(half.node.node, name)?));
                opened.map_err(|error| (side, error))
            };
            let (old, new) = (open(Side::Before, before)?, open(Side::After, after)?);
            if !self.same(old, new)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Attributes in the order of their names.
fn xattrs(view: &View, node: ViewNode) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut xattrs = Vec::new();
    for name in view.xattr_names(node)? {
        if let Some(value) = view.xattr(node, &name)? {
            xattrs.push((name.as_bytes().to_vec(), value));
        }
    }
    xattrs.sort();
    Ok(xattrs)
}
