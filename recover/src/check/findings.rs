//! From errors, faults and verdicts to findings.

use super::codes;
use super::inside::Inside;
use super::report::{Event, Finding, Severity, add};
use super::run::{Item, Place, Run};
use super::second::{Ours, Verdict};
use crate::error::{Error, Result};
use crate::view::View;
use flr_fs::filesystem::check::{CheckContext, CheckItem};
use flr_fs::{Code, Fault, FileKind, Request};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Findings of the walk that are remembered, so that the filesystem's own check does not repeat them.
const TOLD_MAX: usize = 1 << 16;

impl Run<'_> {
    pub(super) fn tell(&mut self, finding: Finding) {
        self.counts.found(finding.severity);
        if let Some(at) = finding.at
            && self.told.len() < TOLD_MAX
        {
            self.told.insert((finding.code, at));
        }
        (self.report)(Event::Found(&finding));
    }

    pub(super) fn fault(&mut self, severity: Severity, path: &[u8], fault: &Fault) {
        self.tell(Finding {
            severity,
            path: path.to_vec(),
            code: fault.code,
            at: (fault.at != Fault::NOWHERE).then_some(fault.at),
            range: None,
            detail: fault.detail.to_string(),
        });
    }

    /// Something could not be read. An error only if the check is to end.
    pub(super) fn failed(&mut self, path: &[u8], error: &Error) -> Result<()> {
        let Error::Fs(error) = error else {
            self.tell(Finding {
                severity: Severity::Unreadable,
                path: path.to_vec(),
                code: Code::new("error"),
                at: None,
                range: None,
                detail: error.to_string(),
            });
            return Ok(());
        };
        if matches!(error, flr_fs::Error::Request(Request::Cancelled)) {
            return Err(error.clone().into());
        }
        match error.fault() {
            Some(fault) => self.fault(severity_of(error), path, fault),
            None => self.tell(Finding {
                severity: severity_of(error),
                path: path.to_vec(),
                code: error.code(),
                at: place_of(error),
                range: None,
                detail: error.to_string(),
            }),
        }
        Ok(())
    }

    /// A part of a file that cannot be read.
    pub(super) fn lost(&mut self, path: &[u8], range: Range<u64>, error: &flr_fs::Error) {
        let why = match error.fault() {
            Some(fault) => fault.detail.to_string(),
            None => error.to_string(),
        };
        self.tell(Finding {
            severity: severity_of(error),
            path: path.to_vec(),
            code: error.code(),
            at: place_of(error),
            detail: format!("bytes {:#x} to {:#x}: {why}", range.start, range.end),
            range: Some(range),
        });
    }

    /// What no reading verifies, of a filesystem whose root has been walked.
    pub(super) fn filesystem(&mut self, view: &View, index: u16, place: &mut Place) -> Result<()> {
        let (Some(path), Some(filesystem)) = (
            place.root_at.take(),
            view.filesystems().get(usize::from(index)),
        ) else {
            return Ok(());
        };
        for note in &filesystem.info().notes {
            self.fault(Severity::Remark, &path, note);
        }
        // Where filesystems are joined, a directory may hide others that a name leads to.
        let joined = view.filesystems().len() > 1;
        let cancel = Arc::clone(&self.options.cancel);
        let ctx = CheckContext {
            reached: &|node| joined || place.seen.contains(node),
            cancelled: &|| cancel.load(Ordering::Relaxed),
        };
        let verified = filesystem.check(&ctx, &mut |item| {
            let (severity, fault) = match item {
                CheckItem::Damaged(fault) => (Severity::Damaged, fault),
                CheckItem::Remark(fault) => (Severity::Remark, fault),
            };
            let known =
                severity == Severity::Damaged && self.told.contains(&(fault.code, fault.at));
            if !known {
                self.fault(severity, &path, &fault);
            }
        })?;
        add(&mut self.counts.checksums, verified);
        // Places in one filesystem say nothing about another.
        self.told.clear();
        Ok(())
    }

    /// Compares a node with what the second reader sees. Returns its path for what is below it.
    pub(super) fn compare(
        &mut self,
        place: &mut Place,
        item: &Item<'_>,
        ours: Option<Ours>,
    ) -> Result<Inside> {
        const NOT_READ: &str = "not read here either";
        let Some(second) = &place.second else {
            return Ok(item.inside.clone());
        };
        let verdict = match (ours, item.inside) {
            (None, _) => Verdict::NotComparable(NOT_READ),
            (_, Err(reason)) => Verdict::NotComparable(reason),
            (Some(ours), Ok(path)) => second.compare(path, item.metadata.clone(), ours),
        };
        let mut finding = Finding {
            severity: Severity::NotComparable,
            path: item.path.to_vec(),
            code: codes::NOT_COMPARABLE,
            at: None,
            range: None,
            detail: String::new(),
        };
        let mut below = item.inside.clone();
        match verdict {
            Verdict::Same => {
                add(&mut self.counts.compared, 1);
                return Ok(below);
            }
            Verdict::Ours(error) => {
                self.failed(item.path, &error.into())?;
                return Ok(Err(NOT_READ));
            }
            Verdict::Differs(at, detail) => {
                finding.severity = Severity::Mismatch;
                finding.code = codes::SECOND_READER;
                finding.at = at;
                finding.detail = detail;
            }
            Verdict::NotComparable(reason) => {
                self.not_comparable(reason);
                finding.detail = format!("not compared: {reason}");
                // What the other reader cannot list, it cannot go through either.
                if item.metadata.kind == FileKind::Directory {
                    below = Err(reason);
                }
            }
            Verdict::Refused(reason, detail) => {
                self.not_comparable(reason);
                if std::mem::replace(&mut place.refusal_told, true) {
                    return Ok(below);
                }
                finding.detail = format!("nothing is compared: {detail}");
            }
        }
        self.tell(finding);
        Ok(below)
    }

    fn not_comparable(&mut self, reason: &'static str) {
        add(self.counts.not_comparable.entry(reason).or_default(), 1);
    }
}

fn severity_of(error: &flr_fs::Error) -> Severity {
    match error {
        flr_fs::Error::Unsupported(_) | flr_fs::Error::Locked(_) => Severity::Unreadable,
        flr_fs::Error::Io { .. }
        | flr_fs::Error::Corrupt(_)
        | flr_fs::Error::Limit(_)
        | flr_fs::Error::Request(_) => Severity::Damaged,
    }
}

fn place_of(error: &flr_fs::Error) -> Option<u64> {
    let at = match error {
        flr_fs::Error::Io { at, .. } => Some(*at),
        error => error.fault().map(|fault| fault.at),
    };
    at.filter(|at| *at != flr_fs::Fault::NOWHERE)
}
