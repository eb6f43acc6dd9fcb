//! The command line of `source`, `config` and `policy`.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use flr_provider::config::SourceType;

/// `source`.
#[derive(Debug, Args)]
pub(crate) struct Source {
    #[command(subcommand)]
    pub(crate) action: SourceAction,
}

/// What to do about sources.
#[derive(Debug, Subcommand)]
pub(crate) enum SourceAction {
    /// Give a provider, an account or a server a name: NAME:OBJECT is an address from then on.
    ///
    /// It is written to the user's configuration file. --profile, --region, --endpoint-url, --access,
    /// --ttl and --max-cost are keys too, KEY=VALUE are the others. No secret is
    /// written there: password_command, password_file and password_credential say where one is.
    Add {
        /// What it is to be called.
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is.
        #[arg(
            long = "type",
            value_name = "TYPE",
            value_parser = PossibleValuesParser::new(SourceType::ALL.map(SourceType::name))
        )]
        kind: String,
        /// Keys as in the file; a tag is tags.NAME=VALUE.
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// List the sources.
    Ls,
    /// See whether a source can be reached, and as whom.
    Test {
        /// The source.
        #[arg(value_name = "NAME")]
        name: String,
        /// An object of it, where a server alone tells nothing.
        #[arg(value_name = "OBJECT")]
        object: Option<String>,
    },
    /// Take a source out of the user's configuration file.
    Rm {
        /// The source.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `config`.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

/// What to do about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Show what holds, as one file would say it.
    Show {
        /// Also where each value comes from.
        #[arg(long)]
        origin: bool,
    },
}

/// `policy`.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) action: PolicyAction,
}

/// Whose permissions.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyAction {
    /// An IAM policy for AWS, with --region for one region only.
    Aws {
        /// Reading snapshots directly; this is always part of it.
        #[arg(long)]
        direct: bool,
        /// Also temporary volumes: --access clone.
        #[arg(long)]
        clone: bool,
        /// Also snapshots of Lightsail.
        #[arg(long)]
        lightsail: bool,
    },
    /// A role of ONTAP, as commands for its console.
    Ontap {
        /// The role is one of this SVM, not of the cluster.
        #[arg(long, value_name = "SVM")]
        svm: Option<String>,
        /// Also destinations of SnapMirror, whose volumes are cloned whole.
        #[arg(long)]
        snapmirror: bool,
        /// Also clones of files, where the cluster refuses bytes below .snapshot.
        #[arg(long)]
        file_clones: bool,
    },
    /// A RAM policy for Alibaba Cloud, with --region for one region only.
    Aliyun {
        /// Looking at points; this is always part of it.
        #[arg(long)]
        read: bool,
        /// Also temporary disks, without which nothing can be read.
        #[arg(long)]
        clone: bool,
        /// Also taking snapshots: flr snapshot.
        #[arg(long)]
        snapshot: bool,
    },
}
