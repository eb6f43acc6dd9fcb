//! The command line of `snapshot`.

use clap::Args;
use std::ffi::OsString;
use std::time::Duration;

/// `snapshot`.
#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// The instance: i-…, ecs:NAME, SOURCE:NAME.
    #[arg(value_name = "INSTANCE")]
    pub(crate) addresses: Vec<OsString>,
    /// Have applications hold still for it, with the plug-in that Cloud Assistant runs in the instance. What
    /// it has come to is said by the snapshots' tags; less than this is a warning and exit code 3.
    #[arg(long)]
    pub(crate) app_consistent: bool,
    /// Script in the instance that makes applications hold still. On Linux only, root's own, mode 0700.
    #[arg(
        long,
        value_name = "PATH",
        requires = "app_consistent",
        requires = "post"
    )]
    pub(crate) pre: Option<String>,
    /// Script in the instance that lets them go on.
    #[arg(
        long,
        value_name = "PATH",
        requires = "app_consistent",
        requires = "pre"
    )]
    pub(crate) post: Option<String>,
    /// The instance's role, if another one than it has is meant.
    #[arg(long, value_name = "NAME", requires = "app_consistent")]
    pub(crate) role: Option<String>,
    /// Leave this disk out.
    #[arg(long, value_name = "DISK")]
    pub(crate) exclude_disk: Vec<String>,
    /// What the group of snapshots is to be called.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A tag for the snapshots.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "app_consistent")]
    pub(crate) tag: Vec<String>,
    /// How long all of it may take; what was begun goes on after that.
    #[arg(long, value_name = "TIME", value_parser = crate::when::duration, default_value = "30m")]
    pub(crate) timeout: Duration,
}
