//! NTFS.
//!
//! Written from the public descriptions of the format (the documentation of the Linux-NTFS project,
//! MS-FSCC, MS-DTYP, MS-XCA) and checked against ntfs-3g; each file names the part it reads.

pub mod attribute;
pub mod attribute_list;
pub mod boot;
mod check;
pub mod codec;
pub mod codes;
pub mod compressed;
pub mod compression_unit;
pub mod content;
pub mod descriptor;
pub mod directory;
pub mod disk;
pub mod ea;
mod efs;
pub mod file;
pub mod file_name;
mod filesystem;
pub mod fixup;
pub mod free_space;
pub mod hibernation;
pub mod index;
pub mod interix;
pub mod link_target;
pub mod log_file;
pub mod mft;
pub mod node;
pub mod object_id;
pub mod owner;
pub mod particulars;
pub mod rebuild;
pub mod record;
pub mod reference;
pub mod reparse;
pub mod restart_page;
pub mod run_list;
mod second_reader;
pub mod secure;
pub mod sid;
pub mod special;
pub mod standard_information;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod time;
pub mod upcase;
mod upcase_table;
pub mod utf16;
pub mod volume_information;
pub mod volume_state;
pub mod wof;
pub mod xattr;

use self::boot::{BootSector, SIZE};
use crate::error::{Code, Result};
use crate::filesystem::Filesystem;
use crate::format::{Confidence, FilesystemDriver, Format, Match, OpenContext, only_member};
use crate::source::ByteSource;
use std::sync::Arc;

/// The driver of NTFS.
#[derive(Debug)]
pub struct Ntfs;

impl Format for Ntfs {
    fn name(&self) -> &'static str {
        "ntfs"
    }

    fn codes(&self) -> &'static [Code] {
        codes::ALL
    }

    fn probe(&self, source: &dyn ByteSource) -> Result<Option<Match>> {
        let mut raw = [0; SIZE];
        if source.size() < crate::bytes::len_u64(SIZE) {
            return Ok(None);
        }
        source.read_at(0, &mut raw)?;
        if !BootSector::has_signature(&raw) {
            return Ok(None);
        }
        let confidence = match BootSector::parse(&raw, 0) {
            Ok(_) => Confidence::Certain,
            Err(_) => Confidence::Likely,
        };
        Ok(Some(Match { confidence }))
    }

    fn probe_copies(&self, source: &dyn ByteSource) -> Option<Match> {
        let confidence = Confidence::Certain;
        BootSector::find_copy(source).map(|_| Match { confidence })
    }
}

impl FilesystemDriver for Ntfs {
    fn open(
        &self,
        members: &[Arc<dyn ByteSource>],
        ctx: &OpenContext<'_>,
    ) -> Result<Arc<dyn Filesystem>> {
        let filesystem = filesystem::NtfsFilesystem::open(only_member(members)?, ctx)?;
        Ok(Arc::new(filesystem))
    }
}
