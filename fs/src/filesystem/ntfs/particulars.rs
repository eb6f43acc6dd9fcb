//! What only NTFS knows of a file, in words.
//!
//! | name          | text                                                              |
//! |---------------|-------------------------------------------------------------------|
//! | `owner_sid`   | the owner, `S-1-5-…`                                              |
//! | `group_sid`   | the group                                                         |
//! | `security_id` | number of the security descriptor in `$Secure`                     |
//! | `reparse_tag` | name of the reparse tag in MS-FSCC, or its number                  |
//! | `dos_name`    | the short name                                                    |
//! | `object_id`   | the object identifier                                             |

use super::attribute::types;
use super::descriptor;
use super::file::File;
use super::object_id;
use super::reparse::{self, ATTRIBUTE_BYTES_MAX};
use super::secure::Secure;
use super::sid;
use super::xattr;
use crate::error::Result;
use crate::filesystem::Particular;

/// Longest `$OBJECT_ID`.
const OBJECT_ID_BYTES_MAX: u64 = 1024;

/// All that is known of `file`.
///
/// # Errors
/// Damage of any of it.
pub fn of<'s>(
    file: &File<'_>,
    secure: impl FnOnce() -> Result<&'s Secure>,
) -> Result<Vec<Particular>> {
    let mut all = Vec::new();
    let mut push = |name, text: Option<Vec<u8>>| {
        all.extend(text.map(|text| Particular { name, text }));
    };
    if let Some(bytes) = xattr::descriptor(file, secure)? {
        let descriptor = descriptor::parse(&bytes, file.base.at)?;
        let text = |sid| sid::text(sid).map(String::into_bytes);
        push("owner_sid", descriptor.owner.and_then(text));
        push("group_sid", descriptor.group.and_then(text));
    }
    let extended = file.standard_information()?.extended;
    let security_id = extended.map(|extended| extended.security_id);
    let security_id = security_id.filter(|id| *id != 0);
    push(
        "security_id",
        security_id.map(|id| id.to_string().into_bytes()),
    );
    if let Some(value) = file.value(types::REPARSE_POINT, &[], ATTRIBUTE_BYTES_MAX)? {
        let tag = reparse::parse(&value, file.base.at)?.tag;
        push(
            "reparse_tag",
            Some(reparse::tag_name(tag).as_bytes().to_vec()),
        );
    }
    push("dos_name", xattr::dos_name(file)?);
    if let Some(value) = file.value(types::OBJECT_ID, &[], OBJECT_ID_BYTES_MAX)? {
        push("object_id", object_id::text(&value).map(String::into_bytes));
    }
    Ok(all)
}
