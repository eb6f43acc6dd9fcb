//! What `stat` shows of a file.
//!
//! Everything comes from the file's own record. The copies of sizes and times in a directory's index are
//! brought up to date when Windows likes; they are not used.

use super::attribute::{Attribute, Form, types};
use super::codes;
use super::file::File;
use super::file_name::{FileName, Namespace};
use super::standard_information::{StandardInformation, flags};
use super::stream::Sizes;
use crate::error::{Error, Result};
use crate::node::{FileKind, Metadata, NodeFlags};

/// Name of a directory's index, `$I30` in UTF-16.
pub const INDEX_NAME: &[u8] = b"$\0I\x003\x000\0";

/// Permissions of a directory. NTFS keeps lists of access rights instead; a copy should not end up
/// writable for everybody.
const DIRECTORY_MODE: u32 = 0o755;
/// Permissions of a file.
const FILE_MODE: u32 = 0o644;
/// Permissions of a file that programs may not write to. On a directory the flag means something else:
/// that the Explorer shows it in its own way.
const READ_ONLY_MODE: u32 = 0o444;

/// What the attributes of a file say.
#[derive(Clone, Debug)]
pub struct Node {
    /// Times and flags.
    pub info: StandardInformation,
    /// Metadata, of a plain file or directory.
    pub metadata: Metadata,
    /// Whether there is a `$REPARSE_POINT`, which may make something else of the file.
    pub has_reparse_point: bool,
    /// Whether there are extended attributes.
    pub has_ea: bool,
    /// Whether there is an unnamed `$DATA`.
    pub has_data: bool,
}

impl Node {
    /// Reads all of the attributes that matter, once.
    ///
    /// # Errors
    /// Damage that leaves kind or size open.
    pub fn read(file: &File<'_>) -> Result<Self> {
        let info = file.standard_information()?;
        let mut seen = Seen::default();
        let is_directory = file.base.is_directory();
        file.each(
            &|type_code, name, lowest_vcn| lowest_vcn == 0 && is_wanted(type_code, name),
            &mut |found| seen.take(found),
        );
        if let Some(error) = seen.damage {
            return Err(error);
        }
        // Only links and the like, and indexes of other things than names, have no content. Anywhere else
        // it is lost, which is not the same as empty.
        let needs_data = !is_directory && !file.base.is_index() && !seen.has_reparse_point;
        if needs_data && seen.data.is_none() {
            let detail = format!("record {} has no data attribute", file.base.number);
            return Err(Error::corrupt(codes::STREAM, file.base.at, detail));
        }
        let content = match is_directory {
            true => seen.allocation.or(seen.root),
            false => seen.data,
        };
        let (size, allocated) = content.map_or((0, 0), |sizes| (sizes.data, sizes.allocated));
        let metadata = Metadata {
            kind: match is_directory {
                true => FileKind::Directory,
                false => FileKind::File,
            },
            mode: match is_directory {
                true => DIRECTORY_MODE,
                false if info.has(flags::READ_ONLY) => READ_ONLY_MODE,
                false => FILE_MODE,
            },
            uid: 0,
            gid: 0,
            size,
            nlink: seen.name_count.max(1),
            inode: file.base.number,
            blocks: allocated.div_ceil(512),
            rdev: None,
            atime: info.accessed,
            mtime: info.modified,
            ctime: info.record_changed,
            btime: Some(info.created),
            flags: node_flags(&info, is_directory),
            generation: file.base.sequence.into(),
            project: None,
        };
        Ok(Self {
            info,
            metadata,
            has_reparse_point: seen.has_reparse_point,
            has_ea: seen.has_ea,
            has_data: seen.data.is_some(),
        })
    }
}

fn is_wanted(type_code: u32, name: &[u8]) -> bool {
    match type_code {
        types::FILE_NAME | types::REPARSE_POINT | types::EA => true,
        types::DATA => name.is_empty(),
        types::INDEX_ROOT | types::INDEX_ALLOCATION => name == INDEX_NAME,
        _ => false,
    }
}

fn node_flags(info: &StandardInformation, is_directory: bool) -> NodeFlags {
    let known = [
        (flags::COMPRESSED, NodeFlags::COMPRESSED),
        (flags::ENCRYPTED, NodeFlags::ENCRYPTED),
        (flags::READ_ONLY, NodeFlags::READ_ONLY),
        (flags::HIDDEN, NodeFlags::HIDDEN),
        (flags::SYSTEM, NodeFlags::SYSTEM),
        (flags::ARCHIVE, NodeFlags::ARCHIVE),
        (flags::OFFLINE, NodeFlags::OFFLINE),
        (flags::SPARSE, NodeFlags::SPARSE),
        (flags::TEMPORARY, NodeFlags::TEMPORARY),
        (flags::NOT_CONTENT_INDEXED, NodeFlags::NOT_INDEXED),
        (flags::REPARSE_POINT, NodeFlags::REPARSE),
    ];
    let set = known.iter().filter(|(flag, _)| info.has(*flag));
    let flags = set.fold(NodeFlags::default(), |all, (_, flag)| all.with(*flag));
    match is_directory && info.case_sensitive {
        true => flags.with(NodeFlags::CASE_SENSITIVE),
        false => flags,
    }
}

/// What has been seen of a file's attributes so far.
#[derive(Default)]
struct Seen {
    /// Names without those for DOS, each of which belongs to another one.
    name_count: u32,
    data: Option<Sizes>,
    root: Option<Sizes>,
    allocation: Option<Sizes>,
    has_reparse_point: bool,
    has_ea: bool,
    damage: Option<Error>,
}

impl Seen {
    fn take(&mut self, found: Result<Attribute<'_>>) {
        if let Err(error) = found.and_then(|attribute| self.add(&attribute)) {
            self.damage.get_or_insert(error);
        }
    }

    fn add(&mut self, attribute: &Attribute<'_>) -> Result<()> {
        match attribute.type_code {
            types::FILE_NAME => {
                if let Form::Resident(value) = attribute.form
                    && FileName::parse(value, attribute.at)?.namespace != Namespace::Dos
                {
                    self.name_count = self.name_count.saturating_add(1);
                }
            }
            types::DATA => self.data = Some(Sizes::of(attribute)?),
            types::INDEX_ROOT => self.root = Some(Sizes::of(attribute)?),
            types::INDEX_ALLOCATION => self.allocation = Some(Sizes::of(attribute)?),
            types::REPARSE_POINT => self.has_reparse_point = true,
            types::EA => self.has_ea = true,
            _ => {}
        }
        Ok(())
    }
}
