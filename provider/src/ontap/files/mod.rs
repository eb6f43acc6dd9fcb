//! Files of a volume as they were at a snapshot, read over REST below `.snapshot`. Nothing is made.
//!
//! | module | |
//! |---|---|
//! | [`tree`] | a filesystem of it |
//! | `wire` | typed calls |
//! | `under` | a snapshot by its id, under whatever name it has |
//! | `nodes` | what nodes are called, and where they are |
//! | `data` | bytes of one file |
//!
//! Source: "Manage files and directories" in the reference.

mod data;
mod nodes;
pub(super) mod tree;
mod under;
mod wire;
