//! The formats that are read. Adding one is one line here.

use crate::filesystem;
use crate::format::{FilesystemDriver, Layer};
use crate::layer;

/// Every layer: containers, encryption, volume managers, partition tables.
pub const LAYERS: &[&dyn Layer] = &[&layer::gpt::Gpt, &layer::mbr::Mbr];

/// Every filesystem.
pub const FILESYSTEMS: &[&dyn FilesystemDriver] = &[&filesystem::ext::Ext, &filesystem::ntfs::Ntfs];
