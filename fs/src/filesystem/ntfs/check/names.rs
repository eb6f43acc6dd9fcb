//! Names: as many as a record counts, each in the index of its directory, and none without a file.
//!
//! That an entry of an index leads to a file with that name is what every listing looks at. Here it is
//! the other way round. A file that a walk has met under its only name needs no look-up.

use super::super::attribute::types;
use super::super::codes;
use super::super::file::File;
use super::super::file_name::{FileName, Namespace};
use super::super::mft::{self, FIRST_USER_RECORD};
use super::super::reference::FileReference;
use super::super::utf16;
use super::Checker;
use crate::bytes::len_u64;
use crate::error::Fault;
use crate::node::NodeId;
use std::fmt::Write;

/// Record of `$Extend`, a directory of the volume's own files.
const EXTEND: u64 = 11;
/// Records that are told by name; the rest is counted.
const TOLD_MAX: usize = 8;
/// Names of one file that are looked at; Windows allows 1024.
const NAME_COUNT_MAX: usize = 4096;

/// A name, and where it stands.
struct Name {
    parent: FileReference,
    units: Vec<u16>,
    shown: Vec<u8>,
}

/// Records in use that no directory leads to.
#[derive(Debug)]
pub(super) struct Unreachable {
    count: u64,
    /// Place of the first one.
    at: u64,
    first: Vec<String>,
    /// Directories that may still be gone through on the way up. A loop of directories ends here.
    steps_left: u64,
}

impl Unreachable {
    /// None yet, of so many records.
    pub(super) fn new(record_count: u64) -> Self {
        Self {
            count: 0,
            at: 0,
            first: Vec::new(),
            steps_left: record_count.saturating_mul(4),
        }
    }
}

impl Checker<'_> {
    /// Looks at the names of a file, which is sound so far.
    pub(super) fn names(&mut self, file: &File<'_>) {
        let (mut names, mut count, mut damaged) = (Vec::new(), 0_u64, false);
        file.each(
            &|type_code, _, _| type_code == types::FILE_NAME,
            &mut |found| {
                let parsed = found.and_then(|found| {
                    let value = found.resident().unwrap_or_default();
                    let name = FileName::parse(value, found.at)?;
                    count = count.saturating_add(1);
                    if name.namespace != Namespace::Dos && names.len() < NAME_COUNT_MAX {
                        names.push(Name {
                            parent: name.parent,
                            units: utf16::units_of(name.name),
                            shown: name.wtf8(),
                        });
                    }
                    Ok(())
                });
                if let Err(error) = parsed {
                    damaged = true;
                    self.failed(&error);
                }
            },
        );
        if damaged {
            return;
        }
        let record = &file.base;
        if count != u64::from(record.link_count) {
            let detail = format!(
                "{} counts {} names and has {count}",
                self.shown(record.number),
                record.link_count
            );
            self.unsettled(Fault::new(codes::LINK_COUNT, record.at, detail));
        }
        let reached = (self.ctx.reached)(NodeId(record.number));
        if reached && names.len() < 2 {
            return;
        }
        let own = FileReference::of(record.number, record.sequence);
        let mut missing = Vec::new();
        for name in &names {
            if !self.is_listed(name, own) {
                missing.push(name);
            }
        }
        let is_lost = missing.len() == names.len() || !self.leads_up(&names);
        if !reached && is_lost {
            return self.add_unreachable(record.number, record.at, names.first());
        }
        for name in missing {
            let detail = format!(
                "the index of the directory in record {} does not have \"{}\", a name of record {}",
                name.parent.record(),
                name.shown.escape_ascii(),
                record.number
            );
            self.unsettled(Fault::new(codes::NAME_UNLISTED, record.at, detail));
        }
    }

    /// Whether the directory of a name is there and has it. Damage on the way is told by who lists it.
    fn is_listed(&self, name: &Name, own: FileReference) -> bool {
        let parent = name.parent;
        let Ok(record) = self.mft.record(parent.record()) else {
            return false;
        };
        if record.base.is_some() || !parent.fits(record.sequence) {
            return false;
        }
        let Ok(directory) = self.volume.directory(NodeId(parent.record())) else {
            return false;
        };
        // An index that is damaged on the way to the name is told elsewhere, with what may be lost.
        directory
            .has(self.volume.upcase_table(), &name.units, own)
            .unwrap_or(true)
    }

    /// Whether a walk from the root can come to one of the directories that hold `names`. That each of
    /// them has its own name in an index is looked at when it has its turn.
    fn leads_up(&mut self, names: &[Name]) -> bool {
        names.iter().any(|name| {
            let mut parent = name.parent.record();
            while parent >= FIRST_USER_RECORD && !(self.ctx.reached)(NodeId(parent)) {
                let left = &mut self.unreachable.steps_left;
                *left = left.saturating_sub(1);
                let above = self.parent_of(parent);
                let Some(above) = above.filter(|_| self.unreachable.steps_left > 0) else {
                    return false;
                };
                parent = above;
            }
            parent == mft::ROOT || parent >= FIRST_USER_RECORD || parent == EXTEND
        })
    }

    fn parent_of(&self, record: u64) -> Option<u64> {
        let file = self.volume.file(NodeId(record)).ok()?;
        let name = file.base.attribute(types::FILE_NAME, &[]).ok()??;
        let name = FileName::parse(name.resident()?, name.at).ok()?;
        Some(name.parent.record())
    }

    fn add_unreachable(&mut self, number: u64, at: u64, name: Option<&Name>) {
        let unreachable = &mut self.unreachable;
        if unreachable.count == 0 {
            unreachable.at = at;
        }
        unreachable.count = unreachable.count.saturating_add(1);
        if unreachable.first.len() < TOLD_MAX {
            unreachable.first.push(match name {
                Some(name) => format!("{number} \"{}\"", name.shown.escape_ascii()),
                None => format!("{number} without a name"),
            });
        }
    }

    /// One finding for all records that nothing leads to.
    pub(super) fn tell_unreachable(&mut self) {
        let Unreachable {
            count, at, first, ..
        } = &self.unreachable;
        if *count == 0 {
            return;
        }
        let mut detail = format!("{count} records in use that no directory leads to: ");
        // Writing to a string does not fail.
        let _ = write!(detail, "{}", first.join(", "));
        if *count > len_u64(first.len()) {
            detail.push_str(" …");
        }
        let fault = Fault::new(codes::RECORD_UNREACHABLE, *at, detail);
        self.unsettled(fault);
    }

    /// A record as messages show it.
    pub(super) fn shown(&self, number: u64) -> String {
        let file = self.volume.file(NodeId(number)).ok();
        let name = file.and_then(|file| {
            let name = file.base.attribute(types::FILE_NAME, &[]).ok()??;
            let name = FileName::parse(name.resident()?, name.at).ok()?;
            Some(name.wtf8())
        });
        match name {
            Some(name) => format!("record {number} \"{}\"", name.escape_ascii()),
            None => format!("record {number}"),
        }
    }
}
