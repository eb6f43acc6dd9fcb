//! What stands beside a file: streams of NTFS that no attribute holds, and maps of what could not be read.

use super::content::ContentCopy;
use super::destination::EntryName;
use super::options::Overwrite;
use super::report::{Done, Item, KeepReason, Made, Warning};
use super::resume::open_standing;
use super::run::{Outcome, Run, Task};
use super::stretches::Buffer;
use super::temp::{Publish, TempEntry};
use super::verify::{hash_file, hash_source};
use crate::error::Result;
use crate::streams::{self, Value};
use flr_fs::{Metadata, StreamName, XattrName};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fmt::Write;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

/// What a map of unreadable ranges is called, behind the name of its file.
const MAP_SUFFIX: &[u8] = b".flr-map";

impl Run<'_> {
    /// Copies streams of a file into files `NAME:STREAM` beside it.
    pub(super) fn streams_beside(&self, task: &Task, streams: Vec<Vec<u8>>, buffer: &mut Buffer) {
        for stream in streams {
            let suffix = [b":", stream.as_slice()].concat();
            let whole = [task.name.as_bytes(), &suffix].concat();
            let Ok(name) = EntryName::new(&whole) else {
                // A slash: no file can be called so.
                self.not_beside(task, suffix);
                continue;
            };
            let name = task.directory.fitting(name);
            let mut item = beside(task, name.as_bytes());
            item.source = [task.item.source.as_slice(), &suffix].concat();
            if name.as_bytes() != whole {
                let shortened = Warning::NameShortened(name.as_bytes().to_vec());
                self.tally.warning(&item, &shortened);
            }
            let outcome = self.stream_beside(task, &stream, &name, &mut item, buffer);
            self.settle(&item, outcome);
        }
    }

    fn not_beside(&self, task: &Task, name: Vec<u8>) {
        let source = io::Error::other("no attribute and no file can be called so");
        self.tally
            .warning(&task.item, &Warning::Xattr { name, source });
    }

    /// Streams of a file that is kept, which no attribute of what stands there holds: those stand beside it,
    /// or should.
    pub(super) fn streams_of_kept(&self, task: &Task) -> Vec<Vec<u8>> {
        let wanted = self.options.windows && self.options.xattrs;
        let filesystem = self.view.filesystem(task.node);
        if !wanted || !filesystem.is_ok_and(|filesystem| filesystem.has_streams()) {
            return Vec::new();
        }
        let listed = self.view.xattr_names(task.node).unwrap_or_default();
        let found = match streams::xattrs(self.view, task.node, &listed) {
            Ok(found) => found,
            Err(error) => {
                let unreadable = Warning::XattrUnreadable { name: None, error };
                self.tally.warning(&task.item, &unreadable);
                return Vec::new();
            }
        };
        let standing = open_standing(&task.directory, &task.name);
        let is_held = |name: &XattrName| {
            let Ok(Some(Value::Bytes(value))) =
                streams::xattr(self.view, task.node, name.as_bytes())
            else {
                return false;
            };
            let mut room = vec![0; value.len().saturating_add(1)];
            let read = (standing.as_ref())
                .and_then(|file| rustix::fs::fgetxattr(file, name.as_bytes(), &mut room).ok());
            read.and_then(|len| room.get(..len)) == Some(value.as_slice())
        };
        let loose = found
            .into_iter()
            .filter(|(_, name)| !name.as_ref().is_some_and(is_held));
        loose.map(|(stream, _)| stream.name).collect()
    }

    fn stream_beside(
        &self,
        task: &Task,
        stream: &[u8],
        name: &EntryName,
        item: &mut Item,
        buffer: &mut Buffer,
    ) -> Result<Outcome> {
        let failed = |error: io::Error| super::run::write_error(&item.destination, error);
        let filesystem = self.view.filesystem(task.node)?;
        let source = filesystem.open(task.node.node, StreamName::Named(stream))?;
        item.size = source.size();
        let mut replace = self.options.overwrite != Overwrite::Never;
        if let Some(recorded) = &self.options.resume
            && let Some(standing) = open_standing(&task.directory, name)
        {
            let expected = hash_source(source.as_ref(), self.cancel, buffer)?;
            let found = hash_file(&standing, item.size, self.cancel, buffer).map_err(failed)?;
            if found == Some(expected) {
                return Ok(Outcome::Kept(KeepReason::Verified(expected)));
            }
            let metadata = Metadata {
                size: item.size,
                ..task.metadata.clone()
            };
            // What an earlier run has made may be made again.
            replace |= recorded.digest_of(&item.destination, &metadata).is_some();
        }
        if task
            .directory
            .bytes_free()
            .is_some_and(|free| item.size > free)
        {
            return Err(failed(io::ErrorKind::StorageFull.into()));
        }
        let made = TempEntry::file(&task.directory, self.names);
        let (mut entry, file) = made.map_err(failed)?;
        let copied = ContentCopy {
            source: source.as_ref(),
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
        if task.directory.kind().must_sync {
            rustix::fs::fdatasync(&file).map_err(|errno| failed(errno.into()))?;
        }
        let verified = self.verify(&item.destination, &file, &copied, buffer)?;
        drop(file);
        self.take_name(task, &mut entry, name, replace)
            .map_err(failed)?;
        let made = Made {
            digest: copied.digest,
            verified,
            ..Made::default()
        };
        Ok(Outcome::Done(Done::File { copied, made }))
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
                self.take_name(task, &mut entry, &name, replace)
            });
        if let Err(error) = written {
            self.tally.warning(&task.item, &Warning::NoDamageMap(error));
        }
    }

    /// Gives an entry beside a file its name. One that is there is replaced only if that is wanted, and never
    /// one that this copy has put there.
    fn take_name(
        &self,
        task: &Task,
        entry: &mut TempEntry<'_>,
        name: &EntryName,
        replace: bool,
    ) -> io::Result<()> {
        match entry.publish(name, Publish::New) {
            Err(error) if error.raw_os_error() == Some(Errno::EXIST.raw_os_error()) => {}
            published => return published,
        }
        let standing = task.directory.stat(name)?.map(|stat| stat.st_ino);
        let ours = standing.is_some_and(|inode| task.dir.has_placed(inode));
        if !replace || task.dir.fresh || ours {
            return Err(Errno::EXIST.into());
        }
        entry.publish(name, Publish::Replace)
    }
}

fn beside(task: &Task, name: &[u8]) -> Item {
    let mut destination = task.item.destination.clone();
    destination.set_file_name(OsStr::from_bytes(name));
    Item {
        destination,
        ..task.item.clone()
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
