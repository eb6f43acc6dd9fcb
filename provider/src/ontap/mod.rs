//! NetApp ONTAP over its REST interface: LUNs and files in snapshots of volumes.
//!
//! A LUN in a snapshot cannot be read where it is. It is cloned inside its volume, which copies nothing; the
//! clone is read over REST, in the management's own way, and deleted. It is never mapped, so there is
//! no initiator group, and no host ever sees it.
//!
//! ```text
//!  snapshot ──POST /storage/luns──► /vol/VOL/flr_… ──GET ?data.offset=&data.size=──► bytes
//!  (yours)    comment flr:session=…  (ours, no map)   (multipart, 512 KiB each)
//! ```
//!
//! A volume that SnapMirror writes to takes no clone of a LUN: there a FlexClone volume is made of the
//! snapshot, and the LUN in it read.
//!
//! Files of a volume are read where they are, below `.snapshot`, and nothing is made for that. Where that is
//! refused, a file is cloned out of the snapshot into the root of its volume, read there, and deleted.
//!
//! | module | |
//! |---|---|
//! | [`settings`] | which cluster, as whom |
//! | [`catalog`] | points, cost, opening |
//! | [`cloud`] | the same for the clone engine |
//! | [`policy`], [`access`] | what a role must allow, and whether it does |
//! | `place` | what a name in an address means |
//! | `points` | snapshots as points |
//! | `making` | one clone from end to end |
//! | `lun`, `volume`, `file` | the three kinds of things that are made |
//! | `comment`, `parameters` | tags in a comment, and what the journal keeps of a plan |
//! | `data`, `multipart` | bytes of a LUN |
//! | `files` | files of a snapshot |
//! | `api`, `client`, `pages`, `job`, `text`, `fault` | typed calls |
//!
//! Source: NetApp, "ONTAP REST API reference" (9.12.1 and later), and the embedded documentation of NetApp's own
//! client library `netapp-ontap` 9.19.1.

pub mod access;
mod api;
pub mod catalog;
pub mod client;
pub mod cloud;
mod comment;
mod data;
pub mod fault;
mod file;
mod files;
mod job;
mod lun;
mod making;
mod multipart;
mod pages;
mod parameters;
mod place;
mod points;
pub mod policy;
pub mod settings;
mod text;
mod volume;

pub use access::check_access;
pub use catalog::Ontap;
pub use client::Client;
pub use cloud::OntapCloud;
pub use files::codes::ALL as FILE_CODES;
pub use place::svm_of;
pub use settings::{Credentials, OntapSettings};
