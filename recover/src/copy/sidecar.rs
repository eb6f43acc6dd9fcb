//! What stands beside a node: streams and descriptors of NTFS that no attribute holds, and maps of what could
//! not be read of a file.

use super::attributes::proc_path;
use super::content::{ContentCopy, check_cancel};
use super::destination::{Directory, EntryName};
use super::options::Overwrite;
use super::report::{Done, Item, KeepReason, Made, Note, Warning};
use super::resume::open_standing;
use super::run::{DirState, Outcome, Run, Task, Verdict};
use super::stretches::Buffer;
use super::temp::{Publish, TempEntry};
use super::verify::{hash_file, hash_source};
use crate::error::Result;
use crate::streams::{self, Value};
use crate::view::ViewNode;
use flr_fs::{ByteSource, FileKind, Memory, Metadata, StreamName, XattrName};
use rustix::io::Errno;
use std::fmt::Write;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What a map of unreadable ranges is called, behind the name of its file.
const MAP_SUFFIX: &[u8] = b".flr-map";

/// Where what stands beside a node goes.
pub(super) struct Beside<'a> {
    pub(super) dir: &'a DirState,
    pub(super) directory: &'a Directory,
    /// What its name begins with: that of the node, or nothing in the directory that is the node itself.
    pub(super) stem: &'a [u8],
    /// The node.
    pub(super) item: &'a Item,
    pub(super) node: ViewNode,
    pub(super) metadata: &'a Metadata,
}

/// What of a node found no room among the attributes of its copy.
#[derive(Debug, Default)]
pub(super) struct Loose {
    /// Names of streams.
    pub(super) streams: Vec<Vec<u8>>,
    pub(super) descriptors: Vec<Descriptor>,
}

/// What NTFS alone has of a node.
#[derive(Debug)]
pub(super) struct Descriptor {
    /// Of the attribute that it is shown as, `system.ntfs_…`.
    pub(super) name: &'static str,
    pub(super) value: Vec<u8>,
}

impl Descriptor {
    fn short_name(&self) -> &'static str {
        self.name.strip_prefix("system.").unwrap_or(self.name)
    }

    /// Of the attribute where there is no NTFS.
    pub(super) fn foreign_name(&self) -> String {
        format!("user.{}", self.short_name())
    }

    /// What its file is called, behind the name of the node's.
    fn suffix(&self) -> Vec<u8> {
        format!(".flr-{}", self.short_name()).into_bytes()
    }
}

impl<'a> Beside<'a> {
    pub(super) fn of(task: &'a Task) -> Self {
        Self {
            dir: &task.dir,
            directory: &task.directory,
            stem: task.name.as_bytes(),
            item: &task.item,
            node: task.node,
            metadata: &task.metadata,
        }
    }
}

impl Run<'_> {
    /// Sets the attributes of a directory that has what NTFS alone has, and copies beside it what found no room.
    pub(super) fn windows_beside(&self, beside: &Beside<'_>, directory: &Directory) {
        let loose = self.set_windows_of_directory(beside.item, directory, beside.node);
        self.put_beside(beside, loose, &mut Buffer::default());
    }

    /// Looks at what stands beside a node already.
    pub(super) fn standing_inside(&self, beside: &Beside<'_>) {
        if !self.has_windows(beside.node) {
            return;
        }
        let stands = |suffix: &[u8]| {
            let name = EntryName::new(&[beside.stem, suffix].concat()).ok();
            let name = name.map(|name| beside.directory.fitting_untried(name));
            name.is_some_and(|name| matches!(beside.directory.stat(&name), Ok(Some(_))))
        };
        let mut descriptors = self.descriptors(beside.item, beside.node);
        descriptors.retain(|descriptor| stands(&descriptor.suffix()));
        let listed = self.view.streams(beside.node).unwrap_or_default();
        let mut streams: Vec<_> = listed.into_iter().map(|stream| stream.name).collect();
        streams.retain(|stream| stands(&[b":", stream.as_slice()].concat()));
        let loose = Loose {
            streams,
            descriptors,
        };
        self.put_beside(beside, loose, &mut Buffer::default());
    }

    /// Copies streams into files `NAME:STREAM` beside a node, and descriptors into files `NAME.flr-ntfs_…`.
    pub(super) fn put_beside(&self, beside: &Beside<'_>, loose: Loose, buffer: &mut Buffer) {
        for stream in loose.streams {
            let suffix = [b":", stream.as_slice()].concat();
            let Some((name, mut item)) = self.name_beside(beside, &suffix) else {
                continue;
            };
            item.source.extend(&suffix);
            let opened = self.view.filesystem(beside.node).and_then(|filesystem| {
                let stream = StreamName::Named(&stream);
                Ok(filesystem.open(beside.node.node, stream)?)
            });
            let outcome = opened.and_then(|source| {
                self.copy_beside(beside, source.as_ref(), &name, &mut item, buffer)
            });
            self.settle(&item, outcome);
        }
        for descriptor in loose.descriptors {
            let Some((name, mut item)) = self.name_beside(beside, &descriptor.suffix()) else {
                continue;
            };
            let source = Memory::new(descriptor.value);
            let outcome = self.copy_beside(beside, &source, &name, &mut item, buffer);
            if let Ok(Outcome::Done(_) | Outcome::Kept(KeepReason::Verified(_))) = &outcome {
                let note = Note::Beside {
                    name: descriptor.name.into(),
                    file: name.as_bytes().to_vec(),
                };
                self.tally.events().noted(beside.item, &note);
            }
            self.settle(&item, outcome);
        }
    }

    /// The name of a file beside a node, and that file. `None`: no file can be called so, which is told.
    fn name_beside(&self, beside: &Beside<'_>, suffix: &[u8]) -> Option<(EntryName, Item)> {
        let whole = [beside.stem, suffix].concat();
        let Ok(name) = EntryName::new(&whole) else {
            // A slash.
            let (name, source) = (suffix.to_vec(), "no attribute and no file can be called so");
            let source = io::Error::other(source);
            let lost = Warning::Xattr { name, source };
            self.tally.warning(beside.item, &lost);
            return None;
        };
        let name = beside.directory.fitting(name);
        let mut item = beside.item.clone();
        item.kind = Some(FileKind::File);
        item.destination = beside.dir.item.destination.join(name.as_os_str());
        if name.as_bytes() != whole {
            let shortened = Warning::NameShortened(name.as_bytes().to_vec());
            self.tally.warning(&item, &shortened);
        }
        Some((name, item))
    }

    /// What belongs to a file or link that is kept, and what no attribute of it holds: that stands beside it,
    /// or should.
    pub(super) fn loose_of_kept(&self, task: &Task) -> Loose {
        let mut loose = Loose::default();
        if !self.has_windows(task.node) {
            return loose;
        }
        let holds = |name: &[u8], value: &[u8]| {
            // The directory is the open one; the last component is not followed.
            let mut path = proc_path(&task.directory);
            path.push("/");
            path.push(task.name.as_os_str());
            let mut room = vec![0; value.len().saturating_add(1)];
            let read = rustix::fs::lgetxattr(path, name, &mut room).ok();
            read.and_then(|len| room.get(..len)) == Some(value)
        };
        for descriptor in self.descriptors(&task.item, task.node) {
            let value = &descriptor.value;
            let is_held = holds(descriptor.name.as_bytes(), value)
                || holds(descriptor.foreign_name().as_bytes(), value);
            if !is_held {
                loose.descriptors.push(descriptor);
            }
        }
        let listed = self.view.xattr_names(task.node).unwrap_or_default();
        let found = match streams::xattrs(self.view, task.node, &listed) {
            Ok(found) => found,
            Err(error) => {
                let unreadable = Warning::XattrUnreadable { name: None, error };
                self.tally.warning(&task.item, &unreadable);
                return loose;
            }
        };
        let is_held = |name: &XattrName| {
            let value = streams::xattr(self.view, task.node, name.as_bytes());
            matches!(value, Ok(Some(Value::Bytes(value))) if holds(name.as_bytes(), &value))
        };
        let streams = found
            .into_iter()
            .filter(|(_, name)| !name.as_ref().is_some_and(is_held));
        loose.streams = streams.map(|(stream, _)| stream.name).collect();
        loose
    }

    fn copy_beside(
        &self,
        beside: &Beside<'_>,
        source: &dyn ByteSource,
        name: &EntryName,
        item: &mut Item,
        buffer: &mut Buffer,
    ) -> Result<Outcome> {
        item.size = source.size();
        let failed = |error: io::Error| super::run::write_error(&item.destination, error);
        let directory = beside.directory;
        let replace = match self.standing_beside(beside, source, (name, item), buffer)? {
            Verdict::Keep(reason) => return Ok(Outcome::Kept(reason)),
            verdict => verdict == Verdict::Replace,
        };
        if directory.bytes_free().is_some_and(|free| item.size > free) {
            return Err(failed(io::ErrorKind::StorageFull.into()));
        }
        let made = TempEntry::file(directory, self.names);
        let (mut entry, file) = made.map_err(failed)?;
        let copied = ContentCopy {
            source,
            file: &file,
            path: &item.destination,
            cancel: self.cancel,
            sparse: self.options.sparse,
            salvage: false,
            hash: self.options.hash,
            advanced: &|_| {},
            unreadable: &|_, _| {},
        }
        .run(buffer)?;
        if directory.kind().must_sync {
            rustix::fs::fdatasync(&file).map_err(|errno| failed(errno.into()))?;
        }
        let verified = self.verify(&item.destination, &file, &copied, buffer)?;
        drop(file);
        let backup = self
            .take_name(beside, &mut entry, name, replace)
            .map_err(failed)?;
        let made = Made {
            digest: copied.digest,
            verified,
            backup,
            ..Made::default()
        };
        Ok(Outcome::Done(Done::File { copied, made }))
    }

    /// Looks at what stands in the place of a file beside a node: what has its content is kept.
    fn standing_beside(
        &self,
        beside: &Beside<'_>,
        source: &dyn ByteSource,
        (name, item): (&EntryName, &Item),
        buffer: &mut Buffer,
    ) -> Result<Verdict> {
        let failed = |error: io::Error| super::run::write_error(&item.destination, error);
        // In a directory of our own, nothing may be there before us.
        if beside.dir.fresh {
            return Ok(Verdict::Create);
        }
        let Some(stat) = beside.directory.stat(name).map_err(failed)? else {
            return Ok(Verdict::Create);
        };
        if u64::try_from(stat.st_size) == Ok(item.size)
            && let Some(standing) = open_standing(beside.directory, name)
        {
            let expected = hash_source(source, self.cancel, buffer)?;
            let found = hash_file(&standing, item.size, self.cancel, buffer).map_err(failed)?;
            check_cancel(self.cancel)?;
            if found == Some(expected) {
                return Ok(Verdict::Keep(KeepReason::Verified(expected)));
            }
        }
        let metadata = Metadata {
            size: item.size,
            ..beside.metadata.clone()
        };
        // What an earlier run has made may be made again.
        let is_ours = (self.options.resume.as_ref())
            .is_some_and(|recorded| recorded.digest_of(&item.destination, &metadata).is_some());
        if is_ours || self.options.overwrite != Overwrite::Never {
            return Ok(Verdict::Replace);
        }
        if beside.dir.has_placed(stat.st_ino) {
            return Err(failed(Errno::EXIST.into()));
        }
        Ok(Verdict::Keep(match self.options.conflicts {
            true => KeepReason::Differs,
            false => KeepReason::Exists,
        }))
    }

    /// Writes a map of what could not be read of a file, in the form of GNU ddrescue ("Mapfile structure"
    /// in its manual): `+` is what was read, `-` what was not.
    pub(super) fn damage_map(&self, task: &Task, lost: &[Range<u64>], size: u64) {
        let name = [task.name.as_bytes(), MAP_SUFFIX].concat();
        let written = EntryName::new(&name)
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|name| {
                let (mut entry, file) = TempEntry::file(&task.directory, self.names)?;
                file.write_all_at(map_of(lost, size).as_bytes(), 0)?;
                let replace = self.options.overwrite != Overwrite::Never;
                self.take_name(&Beside::of(task), &mut entry, &name, replace)
            });
        if let Err(error) = written {
            self.tally.warning(&task.item, &Warning::NoDamageMap(error));
        }
    }

    /// Gives an entry beside a node its name. One that is there is replaced only if that is wanted, and never
    /// one that this copy has put there. Returns what that is called from then on, if it is kept.
    fn take_name(
        &self,
        beside: &Beside<'_>,
        entry: &mut TempEntry<'_>,
        name: &EntryName,
        replace: bool,
    ) -> io::Result<Option<Vec<u8>>> {
        let inode = entry.stat()?.st_ino;
        match entry.publish(name, Publish::New) {
            Err(error) if error.raw_os_error() == Some(Errno::EXIST.raw_os_error()) => {}
            published => {
                published?;
                beside.dir.place(inode);
                return Ok(None);
            }
        }
        let standing = beside.directory.stat(name)?.map(|stat| stat.st_ino);
        let ours = standing.is_some_and(|inode| beside.dir.has_placed(inode));
        if !replace || beside.dir.fresh || ours {
            return Err(Errno::EXIST.into());
        }
        let backup = self.back_up(beside.directory, name)?;
        entry.publish(name, Publish::Replace)?;
        beside.dir.place(inode);
        Ok(backup)
    }
}

fn map_of(lost: &[Range<u64>], size: u64) -> String {
    let mut text = format!(
        "# Mapfile. Created by flr {}\n# current_pos  current_status  current_pass\n\
         0x00000000     +               1\n#      pos        size  status\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut at = 0;
    let mut line = |range: Range<u64>, status: char| {
        let len = range.end.saturating_sub(range.start);
        if len > 0 {
            // Writing to a string does not fail.
            let _ = writeln!(text, "0x{:08X}  0x{len:08X}  {status}", range.start);
        }
    };
    for range in lost {
        line(at..range.start, '+');
        line(range.clone(), '-');
        at = range.end;
    }
    line(at..size, '+');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_cover_the_file_without_gaps() {
        let lines = |lost: &[Range<u64>], size| {
            let text = map_of(lost, size);
            let lines = text.lines().skip(4).map(str::to_owned);
            lines.collect::<Vec<_>>()
        };
        assert_eq!(
            lines(&[16..32, 48..64], 64),
            [
                "0x00000000  0x00000010  +",
                "0x00000010  0x00000010  -",
                "0x00000020  0x00000010  +",
                "0x00000030  0x00000010  -",
            ]
        );
        assert_eq!(lines(&[0..5, 5..6], 7).len(), 3);
    }
}
