//! The command line of `restore`.

use crate::args::OverwriteMode;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  flr restore web01.img:/srv/app --to /srv/restored
  flr restore web01.img:/srv/app --to / --in-place --overwrite if-changed --backup .pre -n
  flr restore web01.img:/home/ --to /tmp/homes --include '*.odt' --exclude /bob/Trash
  flr restore -f nightly.toml --json

Where things go: /srv/app becomes DIR/app, and /srv/app/ or a root directory DIR itself; with
--in-place everything keeps its path, below DIR.

Exit codes: 0 all is restored and was read back, 1 failed (the destination is full), 2 usage,
3 something is missing: not readable, skipped, or in conflict with what is there, 4 no such path,
5 may work later, 6 a copy read back is not what was read, 7 not supported, 9 damaged, 10 no such
source, 11 busy, 12 permission, 13 costs, 20/21 done/partial and temporary resources may remain,
130/143 interrupted: --resume goes on";

/// `restore`.
#[derive(Debug, Args)]
#[command(
    override_usage = "flr restore [OPTIONS] <ADDRESS>... --to <DIR>\n       flr restore [OPTIONS] -f <MANIFEST>",
    after_help = AFTER_HELP
)]
pub(crate) struct Restore {
    /// What to restore. A directory's address with a slash at the end stands for its contents.
    #[arg(value_name = "ADDRESS")]
    pub(crate) addresses: Vec<OsString>,
    /// Where to; made if it is missing. Nothing is written outside of it.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Jobs to do, in TOML or JSON; RESULT.jsonl and SHA256SUMS are written when they are done.
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with_all = [
        "to", "addresses", "include", "exclude", "overwrite", "backup", "in_place", "owner", "map",
        "numeric", "acl", "xattr", "times", "devices", "setid", "verify", "salvage", "sparse",
    ])]
    pub(crate) manifest: Option<PathBuf>,
    /// Restore only what fits this pattern, and what is below; patterns are those of .gitignore.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include: Vec<String>,
    /// Leave out what fits this pattern, and what is below.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// What to do about files that exist.
    #[arg(long, value_name = "WHEN", default_value = "never")]
    pub(crate) overwrite: OverwriteMode,
    /// Keep what is replaced, with this behind its name.
    #[arg(long, value_name = "SUFFIX")]
    pub(crate) backup: Option<OsString>,
    /// Everything keeps its path, below the directory of --to.
    #[arg(long)]
    pub(crate) in_place: bool,
    /// Owners: those of the image, those of a table, or you.
    #[arg(long, value_name = "HOW", default_value = "keep")]
    pub(crate) owner: OwnerMode,
    /// Table of owners, with --owner map: lines such as `user:alice:bob`, `group:1000:100`, `user:*:backup`,
    /// of NTFS also `user:S-1-5-21-…:bob`.
    #[arg(long, value_name = "FILE")]
    pub(crate) map: Option<PathBuf>,
    /// Owners as numbers; otherwise a name of the image's passwd is looked up in this machine's.
    #[arg(long)]
    pub(crate) numeric: bool,
    /// POSIX ACLs: keep, none.
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_value = "keep",
        default_missing_value = "keep")]
    pub(crate) acl: KeepMode,
    /// Extended attributes, labels and named streams: keep, none.
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_value = "keep",
        default_missing_value = "keep")]
    pub(crate) xattr: KeepMode,
    /// Times: keep, none.
    #[arg(long, value_name = "HOW", default_value = "keep")]
    pub(crate) times: KeepMode,
    /// Also make device nodes and FIFOs.
    #[arg(long)]
    pub(crate) devices: bool,
    /// Keep set-user-ID and set-group-ID bits and file capabilities.
    #[arg(long)]
    pub(crate) setid: bool,
    /// Read every copy again: `read`, `disk` (past the page cache), `none`.
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_value = "read",
        default_missing_value = "read")]
    pub(crate) verify: VerifyMode,
    /// Go on where an earlier restore ended: what stands there is read and kept if it is right.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Keep files of which a part cannot be read, with that part as a hole, and a map of it beside them.
    #[arg(long)]
    pub(crate) salvage: bool,
    /// Make holes of stored zeros too, and take files that unfold to more than there is room for.
    #[arg(long)]
    pub(crate) sparse: bool,
    /// Show what would be done, with sizes, conflicts and cost; restore nothing.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Where RESULT.jsonl and SHA256SUMS go; with --to, they are written only if this is given.
    #[arg(long, value_name = "DIR")]
    pub(crate) results: Option<PathBuf>,
}

/// What becomes of owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OwnerMode {
    /// Those of the image.
    Keep,
    /// What the table says.
    Map,
    /// Whoever restores.
    None,
}

/// Whether something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeepMode {
    /// It is.
    Keep,
    /// It is not.
    None,
}

/// How copies are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum VerifyMode {
    /// As any program would read them.
    Read,
    /// From the disk, past the page cache.
    Disk,
    /// Not at all.
    None,
}
