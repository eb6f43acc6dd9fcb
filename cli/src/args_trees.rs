//! What may be typed for whole trees and for several points of them: archives, differences, versions.

use crate::args::Algorithm;
use clap::{Args, ValueEnum};
use std::ffi::OsString;

/// What GNU tar has to be told, since it sets only what it is asked to set.
const DUMP_HELP: &str = "\
To unpack all that is in a tar, as root:
  flr dump ADDRESS | ssh HOST \"tar -C DIR --acls --xattrs --xattrs-include='*' --numeric-owner -xpf -\"";

/// `dump`.
#[derive(Debug, Args)]
#[command(after_help = DUMP_HELP)]
pub(crate) struct Dump {
    /// What to archive: a directory, or a single file. A directory's address with a slash at the end
    /// stands for its contents.
    #[arg(value_name = "ADDRESS")]
    pub(crate) addresses: Vec<OsString>,
    /// Form of the archive.
    #[arg(long, value_name = "FORM", default_value = "tar")]
    pub(crate) format: ArchiveForm,
    /// Go on behind content that cannot be read, with zeros in its place, and say which.
    #[arg(long)]
    pub(crate) salvage: bool,
}

/// Form of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchiveForm {
    /// POSIX tar with everything that the tree has: owners, ACLs, attributes, links, holes.
    Tar,
    /// The same, packed by Zstandard.
    #[value(name = "tar.zst")]
    TarZst,
    /// The same, packed by gzip.
    #[value(name = "tar.gz")]
    TarGz,
    /// Zip: content, modes, owners, times and symbolic links.
    Zip,
}

/// `diff`.
#[derive(Debug, Args)]
#[command(override_usage = "flr diff [OPTIONS] <BEFORE> <AFTER>")]
pub(crate) struct Diff {
    /// Two addresses, the older one first.
    #[arg(value_name = "ADDRESS")]
    pub(crate) addresses: Vec<OsString>,
    /// Read and compare all files of the same size, whatever inodes, times and the provider say.
    #[arg(long)]
    pub(crate) checksum: bool,
    /// Show as one change what has gone from one path and come to another with the same inode.
    #[arg(short = 'M', long)]
    pub(crate) renames: bool,
}

/// `versions`.
#[derive(Debug, Args)]
pub(crate) struct Versions {
    /// The file in an object that has points in time; or several addresses, each of which is a point
    /// of its own, the oldest first.
    #[arg(value_name = "ADDRESS")]
    pub(crate) addresses: Vec<OsString>,
    /// The file's path in each object, for addresses without one.
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<OsString>,
    /// Tell versions apart by their content instead of size and time.
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) hash: Option<Algorithm>,
    /// Only points taken at or after this time: `2026-11-18`, `2026-11-18T03:00`, `3d`, `2h`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only points taken before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Show the lines that changed from version N to version M.
    #[arg(long, num_args = 2, value_names = ["N", "M"], conflicts_with = "restore")]
    pub(crate) diff: Vec<usize>,
    /// Copy version N, with all that it has, to the place that --to names, and read the copy again.
    #[arg(long, value_name = "N", requires = "to")]
    pub(crate) restore: Option<usize>,
    /// Where --restore copies to: a directory, or a new name for the file.
    #[arg(long, value_name = "DEST", requires = "restore")]
    pub(crate) to: Option<OsString>,
}
