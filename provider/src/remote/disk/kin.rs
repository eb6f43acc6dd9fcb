//! Which snapshots of a volume were read through a cache: what did not change since need not be fetched.
//!
//! One small file for each volume, with the snapshots' ids, the last one first. Only a hint: who follows it asks
//! the provider what changed. Two processes that write at once may lose one of their ids.

use super::folder::Folder;
use crate::engine::{Rand, SystemRand};
use crate::remote::settings::DiskSettings;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// Older ones have less in common.
const MEMBERS_MAX: usize = 8;
/// Ids are short.
const BYTES_MAX: u64 = 4096;

/// The snapshots that were read of this volume, the last one first. What cannot be read is as good as nothing.
/// Blocks on the disk.
#[must_use]
pub fn kin(settings: &DiskSettings, volume: &str) -> Vec<String> {
    let folder = Folder::open(&settings.folder);
    folder
        .and_then(|folder| read(&folder, volume))
        .unwrap_or_else(|error| {
            tracing::debug!(%error, volume, "what was read before is not known");
            Vec::new()
        })
}

/// Notes that a snapshot of this volume is read. Blocks on the disk; what fails costs fetches later.
pub fn remember(settings: &DiskSettings, volume: &str, snapshot: &str) {
    let noted = Folder::open(&settings.folder).and_then(|folder| {
        let mut members = read(&folder, volume).unwrap_or_default();
        members.retain(|member| member != snapshot);
        members.insert(0, snapshot.to_owned());
        members.truncate(MEMBERS_MAX);
        let (inner, file) = name(volume);
        folder.write((&inner, &file), SystemRand.next_u64(), |mut file| {
            file.write_all(members.join("\n").as_bytes())
        })
    });
    if let Err(error) = noted {
        tracing::debug!(%error, volume, "that it is read cannot be noted");
    }
}

fn read(folder: &Folder, volume: &str) -> io::Result<Vec<String>> {
    let (inner, file) = name(volume);
    let Some(file) = folder.read(&inner, &file)? else {
        return Ok(Vec::new());
    };
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    let members = text.lines().filter(|line| !line.is_empty());
    Ok(members.take(MEMBERS_MAX).map(str::to_owned).collect())
}

/// Folder and name of a volume's file: no name of a provider is a path.
fn name(volume: &str) -> (String, String) {
    let mut hex = String::new();
    for byte in Sha256::digest(volume.as_bytes()) {
        // Writing to text does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    let inner = hex.chars().take(2).collect();
    (inner, format!("kin-{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_last_one_comes_first_and_old_ones_are_forgotten() {
        let folder = tempfile::TempDir::new().unwrap();
        let settings = DiskSettings {
            folder: folder.path().join("cache"),
            bytes_max: 1 << 20,
        };
        assert!(kin(&settings, "vol-1").is_empty());
        for number in 0..20 {
            remember(&settings, "vol-1", &format!("snap-{number}"));
        }
        remember(&settings, "vol-1", "snap-15");
        remember(&settings, "vol-2", "snap-x");
        let members = kin(&settings, "vol-1");
        assert_eq!(members.len(), MEMBERS_MAX);
        assert_eq!(&members[..3], ["snap-15", "snap-19", "snap-18"]);
        assert_eq!(kin(&settings, "vol-2"), ["snap-x"]);
    }

    #[test]
    fn a_folder_that_others_may_read_is_not_used() {
        let folder = tempfile::TempDir::new().unwrap();
        let opened = std::fs::File::open(folder.path()).unwrap();
        opened
            .set_permissions(PermissionsExt::from_mode(0o755))
            .unwrap();
        let settings = DiskSettings {
            folder: folder.path().to_owned(),
            bytes_max: 1 << 20,
        };
        remember(&settings, "vol-1", "snap-1");
        assert!(kin(&settings, "vol-1").is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
