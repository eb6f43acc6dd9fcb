//! Windows: its drives as one tree, and which version it is.
//!
//! | file | what |
//! |---|---|
//! | `mounted_devices` | which partition has which letter, as the registry says |
//! | `letters` | who gets which letter, also where the registry says nothing |
//! | `drives` | the view that comes of it: `/C:/Users` |

mod drives;
mod letters;
mod mounted_devices;

pub(crate) use drives::guest;

use crate::error::Result;
use crate::registry::{Hive, Key};
use crate::view::View;
use flr_fs::{FileKind, Filesystem, RawName};
use std::sync::Arc;

/// Filesystems that Windows starts from.
const KINDS: &[&str] = &["ntfs"];

/// The first build of Windows 11, which calls itself Windows 10 in its registry.
const FIRST_BUILD_OF_11: u32 = 22_000;

/// Whether a filesystem is the one that a Windows starts from, by what it holds.
pub(crate) fn is_system(filesystem: &dyn Filesystem) -> bool {
    let mut dir = filesystem.root();
    if !KINDS.contains(&filesystem.info().kind) {
        return false;
    }
    for name in ["Windows", "System32"] {
        // A name that cannot be looked up is no sign of anything.
        match filesystem.lookup(dir, RawName::new(name.as_bytes())) {
            Ok(Some(found)) if found.metadata.kind == FileKind::Directory => dir = found.node,
            Ok(_) | Err(_) => return false,
        }
    }
    true
}

/// Whether a path in a guest's view begins with a drive: `/C:/Users`.
pub(crate) fn begins_with_drive(path: &[u8]) -> bool {
    let names = path.split(|byte| *byte == b'/');
    let first = names.into_iter().find(|name| !name.is_empty());
    matches!(first, Some([letter, b':']) if letter.is_ascii_alphabetic())
}

/// A hive of the system on this filesystem.
fn hive(filesystem: &Arc<dyn Filesystem>, name: &str) -> Result<Hive> {
    let view = View::new(Arc::clone(filesystem));
    let path = format!("/Windows/System32/config/{name}");
    let node = view.resolve(path.as_bytes(), true)?.node;
    Ok(Hive::open(view.open(node)?)?)
}

/// What the Windows on this filesystem calls itself, and its build. `Windows` if its registry does
/// not say it.
pub(crate) fn product(filesystem: &Arc<dyn Filesystem>) -> String {
    let read = || -> Result<Option<String>> {
        let software = hive(filesystem, "SOFTWARE")?;
        let path = r"Microsoft\Windows NT\CurrentVersion";
        let Some(version) = software.root()?.descendant(path)? else {
            return Ok(None);
        };
        Ok(product_in(&version)?)
    };
    // A guess for a listing: what cannot be read there is told by the commands that read it.
    let product = read().ok().flatten();
    product.unwrap_or_else(|| "Windows".to_owned())
}

fn product_in(version: &Key<'_>) -> flr_fs::Result<Option<String>> {
    let text = |name| -> flr_fs::Result<Option<String>> {
        let value = version.value(name)?;
        let text = value.map(|value| value.text()).transpose()?.flatten();
        Ok(text.filter(|text| !text.is_empty()))
    };
    let build = match text("CurrentBuild")? {
        Some(build) => Some(build),
        None => text("CurrentBuildNumber")?,
    };
    let number = build.as_ref().and_then(|build| build.parse::<u32>().ok());
    let Some(mut product) = text("ProductName")? else {
        return Ok(None);
    };
    if let Some(edition) = product.strip_prefix("Windows 10")
        && number.is_some_and(|number| number >= FIRST_BUILD_OF_11)
    {
        product = format!("Windows 11{edition}");
    }
    if let Some(release) = text("DisplayVersion")? {
        product = format!("{product} {release}");
    }
    Ok(Some(match build {
        Some(build) => format!("{product} (build {build})"),
        None => product,
    }))
}
