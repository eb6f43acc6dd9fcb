//! Extended attributes: those of `$EA`, and what ntfs-3g hands out under names of its own.
//!
//! Like ntfs-3g, the latter are handed out when they are asked for and are not listed, so that a copy
//! with all extended attributes does not try to set them (`ntfs-3g(8)`, "system.ntfs_…"; `xattrs.c`).
//!
//! | name                                | value                                                   |
//! |-------------------------------------|---------------------------------------------------------|
//! | `system.ntfs_acl`                   | the security descriptor, self-relative                   |
//! | `system.ntfs_attrib`, `…_be`        | `FILE_ATTRIBUTE_` flags, 32 bits, little- or big-endian   |
//! | `system.ntfs_times`, `…_be`         | four times of 100 ns since 1601: created, modified, accessed, record changed |
//! | `system.ntfs_crtime`, `…_be`        | the first of them                                       |
//! | `system.ntfs_reparse_data`          | `$REPARSE_POINT` as stored                              |
//! | `system.ntfs_object_id`             | `$OBJECT_ID` as stored; ntfs-3g adds what its index has  |
//! | `system.ntfs_dos_name`              | the short name                                          |
//! | `system.ntfs_ea`                    | `$EA` as stored                                         |

use super::attribute::types;
use super::ea;
use super::file::File;
use super::file_name::{FileName, Namespace};
use super::reparse::ATTRIBUTE_BYTES_MAX;
use super::secure::Secure;
use crate::bytes::get_le_u64;
use crate::error::{Error, Result};
use crate::name::XattrName;

/// Largest security descriptor in an attribute of its own, and largest object identifier.
pub const VALUE_BYTES_MAX: u64 = 256 << 10;

const ATTRIBUTE_DIRECTORY: u32 = 0x10;
const ATTRIBUTE_NORMAL: u32 = 0x80;

/// The names that are listed: those of `$EA`, each once, in stored order.
///
/// # Errors
/// [`super::codes::EA`]; those of reading the attributes.
pub fn names(file: &File<'_>) -> Result<Vec<XattrName>> {
    let mut names = Vec::new();
    with_entries(file, |entry| {
        if let Some(name) = ea::shown_name(entry.name)
            && !names.contains(&name)
        {
            names.push(name);
        }
    })?;
    Ok(names)
}

/// The value of an attribute, listed or not. `None`: the file has no such attribute. `secure` is asked
/// only if it is needed.
///
/// # Errors
/// Damage of what it is made of.
pub fn value<'s>(
    file: &File<'_>,
    secure: impl FnOnce() -> Result<&'s Secure>,
    name: &XattrName,
) -> Result<Option<Vec<u8>>> {
    let Some(name_here) = name.as_bytes().strip_prefix(b"system.ntfs_") else {
        let mut value = None;
        with_entries(file, |entry| {
            if value.is_none() && ea::shown_name(entry.name).as_ref() == Some(name) {
                value = Some(entry.value.to_vec());
            }
        })?;
        return Ok(value);
    };
    match name_here {
        b"acl" => descriptor(file, secure),
        b"attrib" => Ok(Some(attributes(file)?.to_le_bytes().to_vec())),
        b"attrib_be" => Ok(Some(attributes(file)?.to_be_bytes().to_vec())),
        b"times" => times(file, 4, u64::to_le_bytes),
        b"times_be" => times(file, 4, u64::to_be_bytes),
        b"crtime" => times(file, 1, u64::to_le_bytes),
        b"crtime_be" => times(file, 1, u64::to_be_bytes),
        b"reparse_data" => file.value(types::REPARSE_POINT, &[], ATTRIBUTE_BYTES_MAX),
        b"object_id" => file.value(types::OBJECT_ID, &[], VALUE_BYTES_MAX),
        b"dos_name" => dos_name(file),
        b"ea" => file.value(types::EA, &[], ea::LIST_BYTES_MAX),
        _ => Ok(None),
    }
}

/// The security descriptor: from `$Secure`, or from the file itself as before Windows 2000.
///
/// # Errors
/// [`super::codes::SECURE`], [`super::codes::SECURITY_DESCRIPTOR`].
pub fn descriptor<'s>(
    file: &File<'_>,
    secure: impl FnOnce() -> Result<&'s Secure>,
) -> Result<Option<Vec<u8>>> {
    let own = file.value(types::SECURITY_DESCRIPTOR, &[], VALUE_BYTES_MAX)?;
    if let Some(own) = own {
        super::descriptor::parse(&own, file.base.at)?;
        return Ok(Some(own));
    }
    match file.standard_information()?.extended {
        Some(extended) if extended.security_id != 0 => {
            secure()?.descriptor(extended.security_id).map(Some)
        }
        _ => Ok(None),
    }
}

/// The short name, in UTF-8. `None` if the file has no name that DOS could use.
///
/// # Errors
/// Damage of the names.
pub fn dos_name(file: &File<'_>) -> Result<Option<Vec<u8>>> {
    let mut name = None;
    let mut damage = None;
    file.each(
        &|type_code, _, _| type_code == types::FILE_NAME,
        &mut |found| {
            let found = found.and_then(|attribute| match attribute.resident() {
                None => Ok(None),
                Some(value) => FileName::parse(value, attribute.at).map(|found| {
                    let is_short =
                        matches!(found.namespace, Namespace::Dos | Namespace::Win32AndDos);
                    is_short.then(|| found.wtf8())
                }),
            });
            match found {
                Ok(found) => name = name.take().or(found),
                Err(error) => damage = damage.take().or(Some(error)),
            }
        },
    );
    match (name, damage) {
        // The root is called `.`, which is no name.
        (Some(name), _) => Ok(Some(name).filter(|name| name != b".")),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// The flags as Windows shows them: directories have theirs in the record's header on disk.
fn attributes(file: &File<'_>) -> Result<u32> {
    let stored = file.standard_information()?.flags;
    let directory = match file.base.is_directory() {
        true => ATTRIBUTE_DIRECTORY,
        false => 0,
    };
    Ok(match stored & !ATTRIBUTE_DIRECTORY | directory {
        0 => ATTRIBUTE_NORMAL,
        flags => flags,
    })
}

fn times(file: &File<'_>, count: usize, bytes: fn(u64) -> [u8; 8]) -> Result<Option<Vec<u8>>> {
    // Checks that they are there.
    file.standard_information()?;
    let found = file.base.attribute(types::STANDARD_INFORMATION, &[])?;
    let value = found.and_then(|found| found.resident()).unwrap_or_default();
    let stored = [0x0, 0x8, 0x18, 0x10].map(|at| get_le_u64(value, at));
    let times = stored.into_iter().take(count).collect::<Option<Vec<_>>>();
    Ok(times.map(|times| times.into_iter().flat_map(bytes).collect()))
}

/// Calls `visit` with each extended attribute.
fn with_entries(file: &File<'_>, mut visit: impl FnMut(&ea::Entry<'_>)) -> Result<()> {
    let Some(list) = file.value(types::EA, &[], ea::LIST_BYTES_MAX)? else {
        return Ok::<(), Error>(());
    };
    let information = file.value(types::EA_INFORMATION, &[], ea::LIST_BYTES_MAX)?;
    for entry in ea::parse(&list, information.as_deref(), file.base.at)? {
        visit(&entry);
    }
    Ok(())
}
