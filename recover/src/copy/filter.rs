//! What of a tree is copied.

use std::fmt;

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// It is copied; entries of a directory are asked about one by one.
    Take,
    /// It is left out, with all that is below it.
    Leave,
    /// A directory that is made only if something in it is taken.
    Look,
}

/// Says what is copied. Asked by the walker about everything below what was named; what was named itself is
/// always taken.
pub trait Filter: fmt::Debug + Send + Sync {
    /// About one entry. `path` is what leads to it from the directory that was named, without a slash in
    /// front or behind.
    fn judge(&self, path: &[u8], is_dir: bool) -> Filtered;
}
