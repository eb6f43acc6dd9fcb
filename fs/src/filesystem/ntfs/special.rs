//! What a file is, beyond "file" and "directory": what reparse points, system files of Interix and
//! attributes of the Windows Subsystem for Linux make of it.

use super::attribute::types;
use super::codes;
use super::ea::{self, Lx};
use super::file::File;
use super::file_name::{FileName, Namespace};
use super::interix;
use super::link_target::{self, Target};
use super::reference::FileReference;
use super::reparse::{self, ATTRIBUTE_BYTES_MAX, Content};
use crate::error::{Error, Result};
use crate::node::{DeviceNumber, FileKind, Metadata};

/// Directories between a link and the root that are counted. Windows has paths of at most 32 767
/// characters, half of which can be separators.
pub const DEPTH_MAX: usize = 16_384;

/// What is known of a file before its reparse point is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// The `FILE_ATTRIBUTE_` flags of `$STANDARD_INFORMATION`.
    pub attributes: u32,
    /// Length of the unnamed `$DATA`; `None` if there is none.
    pub data_size: Option<u64>,
    /// Whether there is a `$REPARSE_POINT`.
    pub has_reparse_point: bool,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Special {
    /// What it is; for a plain file or directory what its record says.
    pub kind: FileKind,
    /// Where a link leads.
    pub target: Option<Target>,
    /// Number of a device, if it stands with the kind.
    pub rdev: Option<DeviceNumber>,
    /// Reparse tag.
    pub tag: Option<u32>,
    /// Where the content is. A directory has its entries, and this says nothing.
    pub content: Content,
}

/// Looks at the reparse point, or the content of a system file, if there is one.
///
/// # Errors
/// Damage of what says it, and versions that are not known: the file is not shown as a plain one then.
pub fn of(file: &File<'_>, plain: Plain) -> Result<Special> {
    let mut special = Special {
        kind: match file.base.is_directory() {
            true => FileKind::Directory,
            false => FileKind::File,
        },
        target: None,
        rdev: None,
        tag: None,
        content: Content::Here,
    };
    let at = file.base.at;
    if plain.has_reparse_point
        && let Some(value) = file.value(types::REPARSE_POINT, &[], ATTRIBUTE_BYTES_MAX)?
    {
        let point = reparse::parse(&value, at)?;
        special.tag = Some(point.tag);
        special.content = reparse::content(point.tag, plain.attributes);
        match link_target::special(&point, at)? {
            None => {}
            Some(link_target::Special::Link(target)) => {
                special.kind = FileKind::Symlink;
                special.target = Some(target);
            }
            Some(link_target::Special::Node(kind, rdev)) => {
                special.kind = kind;
                special.rdev = rdev;
            }
        }
    } else if special.kind == FileKind::File
        && let Some(size) = plain.data_size
        && interix::may_be_special(plain.attributes, size)
        && is_plain(file)?
        && let Some(content) = file.value(types::DATA, &[], interix::CONTENT_BYTES_MAX)?
    {
        match interix::special(plain.attributes, &content, at)? {
            None => {}
            Some(interix::Special::Link(target)) => {
                special.kind = FileKind::Symlink;
                special.target = Some(Target::Path(target));
                special.content = Content::None;
            }
            Some(interix::Special::Node(kind, rdev)) => {
                special.kind = kind;
                special.rdev = rdev;
                special.content = Content::None;
            }
        }
    }
    Ok(special)
}

/// Whether the content is neither compressed nor encrypted: nobody writes special files so.
fn is_plain(file: &File<'_>) -> Result<bool> {
    let stream = file.stream(types::DATA, &[])?;
    Ok(
        stream
            .is_some_and(|stream| stream.flags.compression() == 0 && !stream.flags.is_encrypted()),
    )
}

/// The directory of a file's first name that is not only for DOS.
///
/// # Errors
/// [`codes::FILE_NAME`] if there is none; damage of the names.
pub fn parent_of(file: &File<'_>) -> Result<FileReference> {
    let mut parent = None;
    let mut damage = None;
    file.each(
        &|type_code, _, _| type_code == types::FILE_NAME,
        &mut |found| {
            let named = found.and_then(|found| {
                let name = FileName::parse(found.resident().unwrap_or_default(), found.at)?;
                if name.namespace != Namespace::Dos {
                    parent.get_or_insert(name.parent);
                }
                Ok(())
            });
            if let Err(error) = named {
                damage.get_or_insert(error);
            }
        },
    );
    match (parent, damage) {
        (Some(parent), _) => Ok(parent),
        (None, Some(error)) => Err(error),
        (None, None) => {
            let detail = format!("record {} has no name", file.base.number);
            Err(Error::corrupt(codes::FILE_NAME, file.base.at, detail))
        }
    }
}

impl Special {
    /// Puts kind, size and device number into `metadata`. `depth` is called for a link from the root of
    /// the volume: how many directories below the root it stands.
    ///
    /// # Errors
    /// Those of `depth`.
    pub fn apply(
        &self,
        metadata: &mut Metadata,
        depth: impl FnOnce() -> Result<usize>,
    ) -> Result<()> {
        metadata.kind = self.kind;
        metadata.rdev = self.rdev;
        match self.kind {
            FileKind::Symlink => {
                metadata.mode = 0o777;
                let path = self.path(depth)?.unwrap_or_default();
                metadata.size = crate::bytes::len_u64(path.len());
            }
            FileKind::File | FileKind::Directory => {}
            FileKind::CharDevice | FileKind::BlockDevice | FileKind::Fifo | FileKind::Socket => {
                metadata.size = 0;
            }
        }
        Ok(())
    }

    /// Where a link leads, as a path; see [`Special::apply`] for `depth`.
    ///
    /// # Errors
    /// Those of `depth`.
    pub fn path(&self, depth: impl FnOnce() -> Result<usize>) -> Result<Option<Vec<u8>>> {
        match &self.target {
            None => Ok(None),
            Some(Target::Path(path)) => Ok(Some(path.clone())),
            Some(target @ Target::FromRoot(_)) => Ok(Some(target.clone().into_path(depth()?))),
        }
    }
}

/// Owner, permissions and device number of the Windows Subsystem for Linux.
///
/// # Errors
/// [`super::codes::EA`]; those of reading the attributes.
pub fn lx_of(file: &File<'_>) -> Result<Lx> {
    let Some(list) = file.value(types::EA, &[], ea::LIST_BYTES_MAX)? else {
        return Ok(Lx::default());
    };
    let information = file.value(types::EA_INFORMATION, &[], ea::LIST_BYTES_MAX)?;
    let entries = ea::parse(&list, information.as_deref(), file.base.at)?;
    Ok(Lx::from_entries(&entries))
}
