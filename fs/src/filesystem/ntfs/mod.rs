//! NTFS.
//!
//! Written from the public descriptions of the format (the documentation of the Linux-NTFS project,
//! MS-FSCC, MS-DTYP, MS-XCA) and checked against ntfs-3g; each file names the part it reads.

pub mod attribute;
pub mod attribute_list;
pub mod boot;
pub mod codec;
pub mod codes;
pub mod content;
pub mod descriptor;
pub mod directory;
pub mod disk;
pub mod ea;
pub mod file;
pub mod file_name;
pub mod fixup;
pub mod hibernation;
pub mod index;
pub mod interix;
pub mod link_target;
pub mod log_file;
pub mod mft;
pub mod object_id;
pub mod particulars;
pub mod rebuild;
pub mod record;
pub mod reference;
pub mod reparse;
pub mod restart_page;
pub mod run_list;
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
pub mod xattr;
