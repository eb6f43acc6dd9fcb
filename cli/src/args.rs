//! The command line: what may be typed. Nothing is done here.
//!
//! Help, manual pages and completions are all made from these definitions.

use crate::args_config::{Config, Policy, Source};
use crate::args_restore::Restore;
use crate::args_snapshot::Snapshot;
use crate::args_trees::{Diff, Dump, Versions};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const AFTER_HELP: &str = "\
Addresses:
  IMAGE:/path         a path in the guest's own view (root filesystem and what its fstab mounts)
  IMAGE::             the volumes;  IMAGE::part/2/etc/fstab  a path in one of them
  IMAGE:/disk.img//p  a path in a disk image inside of the image

Examples:
  flr volumes web01.img
  flr cp web01.img:/etc/fstab .
  flr ls -l web01.img::part/2/
  flr mount web01.img /mnt/w && ls /mnt/w && flr umount /mnt/w

Exit codes: 0 done, 1 failed, 2 usage, 3 partial, 4 no such path, 6 verification mismatch,
7 not supported, 9 damaged, 10 no such source, 11 busy, 12 permission, 13 needs --yes,
20/21 done/partial and temporary resources may remain, 130/143 interrupted";

/// Single files out of snapshots and disk images.
///
/// flr reads a point in time where it lies, shows it read-only, and copies files out of it. The image
/// is never written to.
#[derive(Debug, Parser)]
#[command(name = "flr", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten, next_help_heading = "Options of all commands")]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command knows.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// One JSON object per line on standard output; the last one is the summary.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; twice for traces.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Show progress of long work.
    #[arg(long, global = true, value_name = "HOW", default_value = "auto")]
    pub(crate) progress: ProgressMode,
    /// The same as --progress none.
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// Colour names by their kind.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorMode,
    /// Write the log to this file instead of standard error; it is appended to.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Form of the log.
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Show filesystems as they lie on the disk, without what is still in their journals.
    #[arg(long, global = true)]
    pub(crate) no_replay: bool,
    /// Read on although metadata checksums do not fit.
    #[arg(long, global = true)]
    pub(crate) ignore_checksums: bool,
    /// Read a source that may change while it is read.
    #[arg(long, global = true)]
    pub(crate) live: bool,
    /// Another disk of the same object: the other half of an array, an external journal.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) with: Vec<PathBuf>,
    /// The object, taken literally; what follows `--` are paths in it.
    #[arg(long, global = true, value_name = "OBJECT")]
    pub(crate) from: Option<OsString>,
    /// With --from: the point in time.
    #[arg(long, global = true, value_name = "POINT")]
    pub(crate) at: Option<String>,
    /// With --from: the volume, as behind `::`.
    #[arg(long, global = true, value_name = "VOLUME")]
    pub(crate) volume: Option<OsString>,
    /// With --from: a path in base64, for names that no argument can hold.
    #[arg(long, global = true, value_name = "BASE64")]
    pub(crate) path_b64: Vec<String>,
    /// Read more addresses, or with --from paths, from this file, each ended by a NUL; `-` is
    /// standard input.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) files_from0: Option<PathBuf>,
    /// Time zone for what is shown and for times without one.
    #[arg(long, global = true, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Options about providers and servers.
#[derive(Clone, Debug, Args)]
pub(crate) struct Remote {
    /// How snapshots are read: directly, through something temporary, or as it goes.
    #[arg(long, global = true, value_name = "HOW")]
    pub(crate) access: Option<Access>,
    /// How long others leave alone what was made, if this command does not end.
    #[arg(long, global = true, value_name = "TIME", value_parser = crate::when::duration)]
    pub(crate) ttl: Option<Duration>,
    /// Leave what was made until its time is over, instead of deleting it at the end.
    #[arg(long, global = true)]
    pub(crate) keep: bool,
    /// Dollars that reading may cost.
    #[arg(long, global = true, value_name = "USD")]
    pub(crate) max_cost: Option<f64>,
    /// Agree to costs and side effects.
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// What for: shown by `flr session ls`.
    #[arg(long, global = true, value_name = "TEXT", env = "FLR_REASON")]
    pub(crate) reason: Option<String>,
    /// Profile of the provider's own configuration.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Region.
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Talk to servers of other machines in clear.
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
    /// Address of the provider's interface, instead of its usual one.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

/// How snapshots are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Access {
    /// Directly where that is possible, else through something temporary.
    Auto,
    /// Directly, or not at all.
    Direct,
    /// Through something temporary.
    Clone,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar if standard error is a terminal.
    Auto,
    /// JSON lines on standard error.
    Json,
    /// Nothing.
    None,
}

/// When names are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorMode {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON lines.
    Json,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the points in time of an object: snapshots of a volume, an instance, a disk.
    Points(Points),
    /// Disks, partitions and filesystems, and what of them cannot be read, and why.
    Volumes(Volumes),
    /// List directories.
    Ls(Ls),
    /// Show a tree of directories.
    Tree(Tree),
    /// Show everything about files: owner, mode, times, attributes, extents.
    Stat(Addresses),
    /// Write files to standard output.
    Cat(Cat),
    /// Hash files.
    Hash(Hash),
    /// Read everything, verify every checksum, and list what is damaged.
    Check(Check),
    /// Find files.
    Find(Find),
    /// Copy files and directories out.
    Cp(Cp),
    /// Write a tree to standard output as an archive.
    Dump(Dump),
    /// Show which files changed from one point to another.
    Diff(Diff),
    /// Show the versions of a file over all points in time.
    Versions(Versions),
    /// Restore files and directories with all they have, verified.
    Restore(Box<Restore>),
    /// Mount a view read-only.
    Mount(Mount),
    /// Take mounts away; returns when the image is free.
    Umount(Umount),
    /// Show what commands have made for a while and not yet deleted.
    Session(Session),
    /// Delete what was left behind.
    Gc(Gc),
    /// Take snapshots of an instance's disks now; they are yours, and nothing deletes them.
    Snapshot(Snapshot),
    /// Requests, bytes and money that reading would take; nothing is made.
    Cost(Addresses),
    /// Look at what commands need of this machine and of providers.
    Doctor,
    /// Name providers, accounts and servers.
    Source(Source),
    /// Show the configuration.
    Config(Config),
    /// Print the permissions that are needed, as a policy.
    Policy(Policy),
    /// Show the version and what can be read.
    Version,
    /// Write completions for a shell to standard output.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages to a directory.
    Man {
        /// The directory.
        dir: PathBuf,
    },
}

/// What most commands are given.
#[derive(Clone, Debug, Args)]
pub(crate) struct Addresses {
    /// What to read: IMAGE, IMAGE:/path or IMAGE::volume/path.
    #[arg(value_name = "ADDRESS")]
    pub(crate) addresses: Vec<OsString>,
}

/// `points`.
#[derive(Debug, Args)]
pub(crate) struct Points {
    /// The object: vol-…, i-…, snap-…, aws:NAME, SOURCE:NAME.
    #[arg(value_name = "OBJECT")]
    pub(crate) addresses: Vec<OsString>,
    /// Taken at or after this time: `2026-11-18`, `2026-11-18T03:00`, `3d`, `2h`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Taken before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only points with this tag; several must all be there.
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub(crate) tag: Vec<String>,
}

/// `volumes`.
#[derive(Debug, Args)]
pub(crate) struct Volumes {
    /// The image or device; several are the disks of one object.
    #[arg(value_name = "ADDRESS")]
    pub(crate) addresses: Vec<OsString>,
}

/// `ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) addresses: Addresses,
    /// Kind, mode, links, owner, size and time.
    #[arg(short)]
    pub(crate) long: bool,
    /// Everything below, one path a line, directories before their entries.
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
    /// Also a filesystem's own files, such as $MFT.
    #[arg(short, long)]
    pub(crate) all: bool,
    /// End each name with a NUL, and print it as it is stored.
    #[arg(short = '0', long = "null")]
    pub(crate) null: bool,
    /// Order within a directory.
    #[arg(long, value_name = "BY", default_value = "name")]
    pub(crate) sort: SortBy,
    /// Reverse the order.
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Like -R, but only this many levels down.
    #[arg(long, value_name = "N", value_parser = levels)]
    pub(crate) depth: Option<usize>,
    /// With --json: extended attributes of every node.
    #[arg(long)]
    pub(crate) xattrs: bool,
    /// Hash of every regular file.
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) hash: Option<Algorithm>,
}

/// Order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    /// By the bytes of the names.
    Name,
    /// Largest first.
    Size,
    /// Newest first.
    Time,
}

/// `tree`.
#[derive(Debug, Args)]
pub(crate) struct Tree {
    #[command(flatten)]
    pub(crate) addresses: Addresses,
    /// How many levels down.
    #[arg(long, value_name = "N", value_parser = levels)]
    pub(crate) depth: Option<usize>,
    /// Also a filesystem's own files, such as $MFT.
    #[arg(short, long)]
    pub(crate) all: bool,
}

/// `cat`.
#[derive(Debug, Args)]
pub(crate) struct Cat {
    #[command(flatten)]
    pub(crate) addresses: Addresses,
    /// Bytes A to B, both included and counted from 0; `A-` to the end, `-N` the last N.
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    pub(crate) range: Option<String>,
}

/// `hash`.
#[derive(Debug, Args)]
pub(crate) struct Hash {
    #[command(flatten)]
    pub(crate) addresses: Addresses,
    /// Which hash; sha256 if nothing else is said. With --check, the length of a hash in the list
    /// tells MD5 from the others.
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algo: Option<Algorithm>,
    /// Compare with the hashes in this file, which has lines as this command and sha256sum print
    /// them; `-` is standard input. With an address, the names in it are paths below that.
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// An object, a volume, a directory or a file. An object alone stands for all its volumes.
    #[command(flatten)]
    pub(crate) addresses: Addresses,
    /// Compare every file, listing and link with what an independent implementation sees.
    #[arg(long)]
    pub(crate) second_reader: bool,
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// SHA-256.
    Sha256,
    /// BLAKE3.
    Blake3,
    /// MD5, for old lists of hashes only.
    Md5,
}

/// `find`.
#[derive(Debug, Args)]
pub(crate) struct Find {
    #[command(flatten)]
    pub(crate) addresses: Addresses,
    /// Names that fit this pattern (`*.conf`).
    #[arg(long, value_name = "GLOB")]
    pub(crate) name: Vec<String>,
    /// The same without regard to case.
    #[arg(long, value_name = "GLOB")]
    pub(crate) iname: Vec<String>,
    /// Paths that fit this pattern; `*` also stands for slashes.
    #[arg(long, value_name = "GLOB")]
    pub(crate) path: Vec<String>,
    /// Paths in which this regular expression fits somewhere.
    #[arg(long, value_name = "REGEX")]
    pub(crate) regex: Vec<String>,
    /// Sizes: `10M`, `+1G` (more than), `-4k` (less than). Units k, M, G, T of 1024.
    #[arg(long, value_name = "[+-]N", allow_hyphen_values = true)]
    pub(crate) size: Vec<String>,
    /// Changed after this time: `2026-11-18`, `2026-11-18T03:00`, `3d`, `2h`.
    #[arg(long, value_name = "TIME")]
    pub(crate) newer: Option<String>,
    /// Changed before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) older: Option<String>,
    /// Kinds: f, d, l, c, b, p, s; several with commas.
    #[arg(long = "type", value_name = "KINDS", value_delimiter = ',')]
    pub(crate) kinds: Vec<String>,
    /// Owner: a number, or a name of the guest's own passwd.
    #[arg(long, value_name = "USER")]
    pub(crate) owner: Option<String>,
    /// How many levels down; 0 is only the address itself.
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// End each address with a NUL, and print it as it is.
    #[arg(short = '0', long = "null")]
    pub(crate) null: bool,
}

/// `cp`.
#[derive(Debug, Args)]
#[command(override_usage = "flr cp [OPTIONS] <ADDRESS>... <DEST>")]
pub(crate) struct Cp {
    /// What to copy, then where: a directory, a new name for a single file, or `-` for standard
    /// output. A directory's address with a slash at the end stands for its contents.
    #[arg(value_name = "ADDRESS... DEST")]
    pub(crate) operands: Vec<OsString>,
    /// Also owner, extended attributes, ACLs and hard links; links are copied, never followed.
    #[arg(short, long)]
    pub(crate) archive: bool,
    /// What to do about files that exist.
    #[arg(long, value_name = "WHEN", default_value = "always")]
    pub(crate) overwrite: OverwriteMode,
    /// Also make device nodes and FIFOs.
    #[arg(long)]
    pub(crate) devices: bool,
    /// Keep set-user-ID and set-group-ID bits and file capabilities.
    #[arg(long)]
    pub(crate) setid: bool,
    /// Make holes of stored zeros too.
    #[arg(long)]
    pub(crate) sparse: bool,
    /// Keep files of which a part cannot be read, with that part as a hole, and say which.
    #[arg(long)]
    pub(crate) salvage: bool,
}

/// What to do about files that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OverwriteMode {
    /// Leave them.
    Never,
    /// Replace those whose size or time differs.
    IfChanged,
    /// Replace those that are older.
    IfNewer,
    /// Replace them.
    Always,
}

/// `mount`.
#[derive(Debug, Args)]
#[command(override_usage = "flr mount [OPTIONS] <ADDRESS> <DIR>")]
pub(crate) struct Mount {
    /// What to mount: a view or a directory in one; `IMAGE::` shows the volumes as folders.
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: Option<OsString>,
    /// Where; an existing directory.
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Options: uid=N, gid=N, map=FILE, allow_other; ro and what fstab passes on are accepted.
    #[arg(short = 'o', value_name = "OPTIONS", value_delimiter = ',')]
    pub(crate) options: Vec<String>,
    /// Let other users look; the kernel checks permissions then.
    #[arg(long)]
    pub(crate) allow_other: bool,
    /// Stay in the foreground; ^C unmounts.
    #[arg(long)]
    pub(crate) foreground: bool,
    /// Started by this command itself: report to the parent on standard output.
    #[arg(long, hide = true)]
    pub(crate) child: bool,
}

/// `umount`.
#[derive(Debug, Args)]
pub(crate) struct Umount {
    /// Mount points.
    #[arg(
        value_name = "DIR",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub(crate) dirs: Vec<PathBuf>,
    /// All mounts of this user.
    #[arg(long)]
    pub(crate) all: bool,
    /// Detach mounts that are in use; they end with their last user.
    #[arg(long)]
    pub(crate) lazy: bool,
    /// Do not wait until the image is free.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// `session`.
#[derive(Debug, Args)]
pub(crate) struct Session {
    #[command(subcommand)]
    pub(crate) action: SessionAction,
}

/// What to do about sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionAction {
    /// List the sessions that are not closed.
    Ls,
    /// Show a session and its resources.
    Show {
        /// Its id, or how it begins.
        #[arg(value_name = "SESSION")]
        id: String,
    },
    /// Keep what a session has made for longer; its owner must have ended.
    Extend {
        /// Its id, or how it begins.
        #[arg(value_name = "SESSION")]
        id: String,
        /// For how long from now: 30m, 2h, 3d.
        #[arg(long, value_name = "TIME", value_parser = crate::when::duration, default_value = "30m")]
        ttl: Duration,
    },
    /// Delete what a session has made; its owner must have ended.
    Close {
        /// Its id, or how it begins.
        #[arg(value_name = "SESSION")]
        id: String,
    },
}

/// `gc`.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// Only say what would be deleted.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// How long after its expiry what other hosts left is taken: 1h if nothing else is said.
    #[arg(long, value_name = "TIME", value_parser = crate::when::duration)]
    pub(crate) older_than: Option<Duration>,
    /// Look in all regions, not only in those of the journal and the configuration.
    #[arg(long)]
    pub(crate) all_regions: bool,
}

/// A number of levels, at least one.
fn levels(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1".to_owned()),
        Ok(levels) => Ok(levels),
    }
}
