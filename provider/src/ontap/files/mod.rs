//! Files of a volume as they were at a snapshot, read over REST below `.snapshot`, and where that is refused
//! through clones of single files.
//!
//! | module | |
//! |---|---|
//! | `tree` | a filesystem of it |
//! | [`opening`] | how it comes to one |
//! | `wire` | typed calls |
//! | `under` | a snapshot by its id, under whatever name it has |
//! | `nodes` | what nodes are called, and where they are |
//! | `data` | bytes of one file |
//! | `making` | a clone of one file from end to end |
//! | `clones` | those that there are at a time |
//! | `through` | which way bytes come |
//! | `by_name` | files that are found by their clones |
//! | `codes` | what is refused, and under which code |
//!
//! Source: "Manage files and directories" in the reference.

mod by_name;
mod clones;
pub(super) mod codes;
mod data;
mod making;
mod nodes;
pub(super) mod opening;
mod through;
mod tree;
mod under;
pub(super) mod wire;
