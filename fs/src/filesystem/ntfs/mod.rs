//! NTFS.
//!
//! Written from the public descriptions of the format (the documentation of the Linux-NTFS project,
//! MS-FSCC, MS-DTYP, MS-XCA) and checked against ntfs-3g; each file names the part it reads.

pub mod codec;
pub mod codes;
pub mod run_list;
