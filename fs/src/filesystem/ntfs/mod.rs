//! NTFS.
//!
//! Written from the public descriptions of the format (the documentation of the Linux-NTFS project,
//! MS-FSCC, MS-DTYP, MS-XCA) and checked against ntfs-3g; each file names the part it reads.

pub mod attribute;
pub mod codes;
pub mod directory;
pub mod file_name;
pub mod fixup;
pub mod index;
pub mod rebuild;
pub mod record;
pub mod reference;
pub mod run_list;
pub mod standard_information;
#[cfg(test)]
mod testing;
pub mod time;
pub mod upcase;
mod upcase_table;
pub mod utf16;
