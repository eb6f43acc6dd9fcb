//! What a copy would do: the same rules, and nothing is made.

use super::destination::{DestinationDir, Directory, EntryName, Identity};
use super::filter::Filtered;
use super::links::{LinkTable, Links};
use super::options::CopyOptions;
use super::policy;
use super::report::{Item, KeepReason, SkipReason};
use super::run::Verdict;
use crate::error::{Error, Result};
use crate::view::{Resolved, View, ViewNode};
use crate::walk::{Next, Step, walk};
use flr_fs::{FileKind, Metadata};
use rustix::fs::FileType;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Levels of the destination that are looked into. What lies deeper counts as new.
const LEVEL_COUNT_MAX: usize = 256;

/// What would become of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planned {
    /// It is made.
    Create,
    /// It takes the place of what is there.
    Replace,
    /// What is there stays.
    Keep(KeepReason),
    /// It is not made.
    Skip(SkipReason),
    /// A directory stands in the place of something else, or something else in that of a directory: it
    /// fails.
    InTheWay,
}

/// What would be done, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Regular files made, further names of one file included.
    pub files: u64,
    /// Directories made or merged.
    pub dirs: u64,
    /// Symbolic links made.
    pub links: u64,
    /// Devices and FIFOs made.
    pub specials: u64,
    /// Content that would be copied, in bytes, holes included; a file with several names counts once.
    pub bytes: u64,
    /// Of the entries made: those that take the place of others.
    pub replaced: u64,
    /// Entries whose namesake stays.
    pub kept: u64,
    /// Entries that fail or stay out because of what is there.
    pub conflicts: u64,
    /// Entries not made.
    pub skipped: u64,
    /// What could not be read of the source.
    pub failed: u64,
}

/// Told about every entry but those that are simply new, and about what cannot be read.
type Visitor<'a> = dyn FnMut(&Item, Result<Planned>) + 'a;

/// A plan in the making.
struct Planner<'a> {
    view: &'a View,
    options: &'a CopyOptions,
    visit: &'a mut Visitor<'a>,
    plan: Plan,
    links: Links<'a>,
    levels: Vec<Level>,
    prefix: Vec<u8>,
}

struct Level {
    /// `None`: it is not there yet.
    directory: Option<Directory>,
    path: PathBuf,
    counted: bool,
}

impl Plan {
    /// What copying `source` would do: as the entry of that name in `destination`, or, without a name, its
    /// entries. `destination` is `None` if it is not there yet; `path` is what it is called.
    ///
    /// Reads the metadata of all that would be copied. `visit` is told what is worth a line. Plans that share
    /// `links` count the content of a file with several names once, as copies that share such a table do.
    pub fn make<'a>(
        view: &'a View,
        source: &Resolved,
        name: Option<&OsStr>,
        (destination, path): (Option<&DestinationDir>, &Path),
        options: &'a CopyOptions,
        links: &'a LinkTable,
        visit: &'a mut (dyn FnMut(&Item, Result<Planned>) + 'a),
    ) -> Self {
        // A table of plans knows one destination, which may not be there yet.
        let nowhere = Identity {
            device: 0,
            inode: 0,
        };
        let mut planner = Planner {
            view,
            options,
            visit,
            plan: Self::default(),
            links: links.of(view, nowhere),
            levels: vec![Level {
                directory: destination.map(|it| it.directory().clone()),
                path: path.to_path_buf(),
                counted: true,
            }],
            prefix: source
                .path
                .strip_suffix(b"/")
                .unwrap_or(&source.path)
                .to_vec(),
        };
        if let Some(name) = name {
            let (path, metadata) = (source.path.clone(), &source.metadata);
            if planner.entry(path, name.as_bytes(), source.node, metadata) != Next::Continue {
                return planner.plan;
            }
        }
        if source.metadata.kind == FileKind::Directory {
            planner.walk(source);
        }
        planner.plan
    }

    /// Adds the numbers of another plan.
    pub fn add(&mut self, next: Self) {
        for (sum, more) in [
            (&mut self.files, next.files),
            (&mut self.dirs, next.dirs),
            (&mut self.links, next.links),
            (&mut self.specials, next.specials),
            (&mut self.bytes, next.bytes),
            (&mut self.replaced, next.replaced),
            (&mut self.kept, next.kept),
            (&mut self.conflicts, next.conflicts),
            (&mut self.skipped, next.skipped),
            (&mut self.failed, next.failed),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl Planner<'_> {
    fn walk(&mut self, source: &Resolved) {
        let base = self.levels.len();
        let walked = walk(self.view, source.node, None, &mut |step| match step {
            Step::Node {
                path,
                node,
                metadata,
            } => {
                let depth = path.iter().filter(|byte| **byte == b'/').count();
                let levels = base.saturating_add(depth).saturating_sub(1);
                self.levels.truncate(levels);
                let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                let shown = [&self.prefix, path].concat();
                self.filtered(path, shown, name, node, &metadata)
            }
            Step::Leave { .. } => Next::Continue,
            Step::Failed { path, error } => {
                self.failed([&self.prefix, path].concat(), error);
                Next::Continue
            }
        });
        if let Err(error) = walked {
            self.failed(source.path.clone(), error);
        }
    }

    fn filtered(
        &mut self,
        below: &[u8],
        shown: Vec<u8>,
        name: &[u8],
        node: ViewNode,
        metadata: &Metadata,
    ) -> Next {
        let below = below.strip_prefix(b"/").unwrap_or(below);
        let is_dir = metadata.kind == FileKind::Directory;
        let filter = self.options.filter.as_ref();
        match filter.map_or(Filtered::Take, |filter| filter.judge(below, is_dir)) {
            Filtered::Leave => Next::Skip,
            Filtered::Take => self.entry(shown, name, node, metadata),
            Filtered::Look => {
                self.push(name, false);
                Next::Continue
            }
        }
    }

    fn entry(&mut self, shown: Vec<u8>, name: &[u8], node: ViewNode, metadata: &Metadata) -> Next {
        for level in &mut self.levels {
            if !level.counted {
                level.counted = true;
                self.plan.dirs = self.plan.dirs.saturating_add(1);
            }
        }
        let entry_name = self.fitting(name);
        let shown_name = entry_name.as_ref().map_or(name, EntryName::as_bytes);
        let top = self.levels.last();
        let destination = top.map(|top| top.path.join(OsStr::from_bytes(shown_name)));
        let item = Item {
            source: shown,
            destination: destination.unwrap_or_default(),
            kind: Some(metadata.kind),
            size: metadata.size,
            modified: Some(metadata.mtime),
        };
        let planned = entry_name.map(|name| self.planned(&name, node, metadata));
        let is_dir = metadata.kind == FileKind::Directory;
        match &planned {
            Ok(planned) => self.count(*planned, node, metadata),
            Err(_) => self.plan.failed = self.plan.failed.saturating_add(1),
        }
        let goes_in = is_dir && matches!(planned, Ok(Planned::Create));
        if !matches!(planned, Ok(Planned::Create)) {
            (self.visit)(&item, planned);
        }
        if goes_in {
            self.push(name, true);
            return Next::Continue;
        }
        Next::Skip
    }

    /// The name of an entry in the directory on top.
    fn fitting(&self, name: &[u8]) -> Result<EntryName> {
        let name = EntryName::new(name)?;
        let directory = (self.levels.last()).and_then(|level| level.directory.as_ref());
        Ok(match directory {
            Some(directory) => directory.fitting_untried(name),
            None => name,
        })
    }

    fn planned(&self, name: &EntryName, node: ViewNode, metadata: &Metadata) -> Planned {
        match metadata.kind {
            FileKind::Socket => return Planned::Skip(SkipReason::Socket),
            FileKind::CharDevice | FileKind::BlockDevice | FileKind::Fifo
                if !self.options.devices =>
            {
                return Planned::Skip(SkipReason::Special);
            }
            _ => {}
        }
        let standing = self
            .levels
            .last()
            .and_then(|level| level.directory.as_ref());
        let found = standing.and_then(|it| Some((it.stat(name).ok()??, it.kind())));
        let Some((stat, on)) = found else {
            return Planned::Create;
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        match (kind.is_dir(), metadata.kind == FileKind::Directory) {
            (true, true) => return Planned::Create,
            (false, false) => {}
            _ => return Planned::InTheWay,
        }
        let is_plain = kind.is_file() || kind.is_symlink();
        if !is_plain && matches!(metadata.kind, FileKind::File | FileKind::Symlink) {
            return Planned::InTheWay;
        }
        let same_target = kind.is_symlink()
            && metadata.kind == FileKind::Symlink
            && standing.is_some_and(|directory| {
                let target = rustix::fs::readlinkat(directory, name.as_os_str(), Vec::new());
                let wanted = self.view.read_link(node);
                matches!((target, wanted), (Ok(a), Ok(b)) if a.to_bytes() == b)
            });
        match policy::verdict(self.options, (&stat, on), metadata, same_target) {
            Verdict::Create => Planned::Create,
            Verdict::Replace => Planned::Replace,
            Verdict::Keep(reason) => Planned::Keep(reason),
        }
    }

    fn count(&mut self, planned: Planned, node: ViewNode, metadata: &Metadata) {
        let plan = &mut self.plan;
        let (makes, other) = match planned {
            Planned::Create => (true, None),
            Planned::Replace => (true, Some(&mut plan.replaced)),
            Planned::Keep(KeepReason::Differs) | Planned::InTheWay => {
                (false, Some(&mut plan.conflicts))
            }
            Planned::Keep(_) => (false, Some(&mut plan.kept)),
            Planned::Skip(_) => (false, Some(&mut plan.skipped)),
        };
        if let Some(other) = other {
            *other = other.saturating_add(1);
        }
        if !makes {
            return;
        }
        let of_kind = match metadata.kind {
            FileKind::File => {
                if metadata.nlink < 2 || self.links.is_first(node) {
                    plan.bytes = plan.bytes.saturating_add(metadata.size);
                }
                &mut plan.files
            }
            FileKind::Directory => &mut plan.dirs,
            FileKind::Symlink => &mut plan.links,
            FileKind::CharDevice | FileKind::BlockDevice | FileKind::Fifo | FileKind::Socket => {
                &mut plan.specials
            }
        };
        *of_kind = of_kind.saturating_add(1);
    }

    /// Goes into a directory, which may not be there yet.
    fn push(&mut self, name: &[u8], counted: bool) {
        let name = self.fitting(name).ok();
        let top = self.levels.last();
        let path = match (&name, top) {
            (Some(name), Some(top)) => top.path.join(name.as_os_str()),
            _ => PathBuf::new(),
        };
        let shallow = self.levels.len() < LEVEL_COUNT_MAX;
        let above = top
            .and_then(|top| top.directory.as_ref())
            .filter(|_| shallow);
        let directory = above
            .zip(name.as_ref())
            .and_then(|(above, name)| above.open_child(name).ok());
        self.levels.push(Level {
            directory,
            path,
            counted,
        });
    }

    fn failed(&mut self, source: Vec<u8>, error: Error) {
        self.plan.failed = self.plan.failed.saturating_add(1);
        let item = Item {
            source,
            destination: PathBuf::new(),
            kind: None,
            size: 0,
            modified: None,
        };
        (self.visit)(&item, Err(error));
    }
}
