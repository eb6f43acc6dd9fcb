//! One job: what is restored, where to, and how. Made of options, or of a manifest's table.

use crate::args::OverwriteMode;
use crate::args_restore::{KeepMode, OwnerMode, Restore, VerifyMode};
use crate::exit::Exit;
use crate::output::Failure;
use crate::patterns::PathFilter;
use flr_recover::copy::{CopyOptions, Digest, Filter, Verify};
use flr_recover::shown::for_terminal;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// What it is called; empty without a manifest.
    pub(crate) name: String,
    pub(crate) from: Vec<OsString>,
    pub(crate) to: PathBuf,
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) overwrite: OverwriteMode,
    pub(crate) backup: Option<OsString>,
    pub(crate) in_place: bool,
    pub(crate) owner: OwnerMode,
    pub(crate) map: Option<PathBuf>,
    pub(crate) numeric: bool,
    pub(crate) acl: KeepMode,
    pub(crate) xattr: KeepMode,
    pub(crate) times: KeepMode,
    pub(crate) devices: bool,
    pub(crate) setid: bool,
    pub(crate) verify: VerifyMode,
    pub(crate) salvage: bool,
    pub(crate) sparse: bool,
    /// What the one file that is restored must hash to.
    pub(crate) sha256: Option<Digest>,
}

impl Job {
    /// The job that the command line describes.
    pub(crate) fn of(args: &Restore) -> Result<Self, Failure> {
        let to = args.to.clone().ok_or_else(|| {
            Failure::new(Exit::Usage, "restore needs a place to restore to")
                .hint("flr restore disk.img:/etc --to restored")
        })?;
        Ok(Self {
            name: String::new(),
            from: args.addresses.clone(),
            to,
            include: args.include.clone(),
            exclude: args.exclude.clone(),
            overwrite: args.overwrite,
            backup: args.backup.clone(),
            in_place: args.in_place,
            owner: args.owner,
            map: args.map.clone(),
            numeric: args.numeric,
            acl: args.acl,
            xattr: args.xattr,
            times: args.times,
            devices: args.devices,
            setid: args.setid,
            verify: args.verify,
            salvage: args.salvage,
            sparse: args.sparse,
            sha256: None,
        })
    }

    /// What the copier is to do. Owners and what is known of an earlier run come later.
    pub(crate) fn options(&self) -> Result<CopyOptions, Failure> {
        let usage = |what: String| Failure::new(Exit::Usage, what);
        let filter = PathFilter::new(&self.include, &self.exclude)
            .map_err(|what| usage(what).hint("patterns are those of gitignore(5)"))?;
        let backup = match &self.backup {
            Some(suffix) if suffix.is_empty() || suffix.as_bytes().contains(&b'/') => {
                let shown = for_terminal(suffix.as_bytes());
                let what = format!("\"{shown}\" cannot end a name");
                return Err(usage(what).hint("--backup .old"));
            }
            backup => backup.clone(),
        };
        if (self.owner == OwnerMode::Map) != self.map.is_some() {
            let what = "a table of owners and the wish to use it belong together";
            return Err(usage(what.to_owned()).hint("--owner map --map FILE"));
        }
        Ok(CopyOptions {
            overwrite: super::super::cp::overwrite(self.overwrite),
            backup,
            owner: self.owner != OwnerMode::None,
            xattrs: self.xattr == KeepMode::Keep,
            acls: self.acl == KeepMode::Keep,
            times: self.times == KeepMode::Keep,
            devices: self.devices,
            set_id: self.setid,
            sparse: self.sparse,
            salvage: self.salvage,
            verify: match self.verify {
                VerifyMode::Read => Verify::Read,
                VerifyMode::Disk => Verify::Disk,
                VerifyMode::None => Verify::No,
            },
            filter: filter.map(|filter| {
                let filter: Arc<dyn Filter> = Arc::new(filter);
                filter
            }),
            ..CopyOptions::restore()
        })
    }
}
