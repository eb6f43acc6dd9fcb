//! Owner and group of a file as security identifiers, read once for all files that share a descriptor.

use super::attribute::types;
use super::descriptor;
use super::file::File;
use super::secure::Secure;
use super::sid;
use super::special;
use super::xattr;
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::filesystem::{OwnerSids, Sids};

/// What one entry takes in the cache, with its texts of at most 186 bytes each: 15 sub-authorities of
/// eleven characters and the authority before them.
const ENTRY_BYTES: usize = 512;

/// Identifiers by number of the descriptor in `$Secure`, damage among them.
pub type Known = Cache<u32, Result<Sids>>;

/// The identifiers of `file`. Those in place of which WSL keeps both numbers are not looked for.
///
/// # Errors
/// Damage of the attributes in which WSL keeps numbers. A descriptor that cannot be read is told inside.
pub fn of<'s>(
    file: &File<'_>,
    known: &Known,
    secure: impl FnOnce() -> Result<&'s Secure>,
) -> Result<OwnerSids> {
    let lx = special::lx_of(file)?;
    let (has_uid, has_gid) = (lx.uid.is_some(), lx.gid.is_some());
    let sids = match has_uid && has_gid {
        true => Ok(Sids::default()),
        false => sids(file, known, secure),
    };
    Ok(OwnerSids {
        has_uid,
        has_gid,
        sids,
    })
}

fn sids<'s>(
    file: &File<'_>,
    known: &Known,
    secure: impl FnOnce() -> Result<&'s Secure>,
) -> Result<Sids> {
    let at = file.base.at;
    let own = file.value(types::SECURITY_DESCRIPTOR, &[], xattr::VALUE_BYTES_MAX)?;
    if let Some(own) = own {
        return parse(&own, at);
    }
    let extended = file.standard_information()?.extended;
    let id = extended.map_or(0, |extended| extended.security_id);
    if id == 0 {
        return Ok(Sids::default());
    }
    if let Some(found) = known.get(&id) {
        return found;
    }
    let found = secure()
        .and_then(|secure| secure.descriptor(id))
        .and_then(|bytes| parse(&bytes, at));
    // Damage stays where it is; what may pass must not be kept.
    if let Ok(_) | Err(Error::Corrupt(_) | Error::Limit(_)) = &found {
        known.insert(id, found.clone(), ENTRY_BYTES);
    }
    found
}

fn parse(bytes: &[u8], at: u64) -> Result<Sids> {
    let descriptor = descriptor::parse(bytes, at)?;
    let text = |sid: Option<&[u8]>| sid.and_then(sid::text).map(Into::into);
    Ok(Sids {
        user: text(descriptor.owner),
        group: text(descriptor.group),
    })
}
