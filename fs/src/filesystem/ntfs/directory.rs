//! Directories: an index of the names of the files in them.
//!
//! A file with a long and a short name has two entries; the short one (namespace `Dos`) is found and not
//! listed. An entry leads to a file only while its reference fits: one that names a file which has been
//! deleted since is damage, never the file that has the record now.
//!
//! Where damage may have cost names, the listing goes on with what the files themselves say
//! ([`super::rebuild`]), after a [`Found::Damaged`] with [`codes::DIRECTORY_REBUILT`].
//!
//! **Use.** Open the [`Index`] of `$I30` from the record's attributes, make a [`Directory`] of it, and
//! keep it for as long as there is room: a directory that was searched in vain once remembers which
//! names it has. The filesystem answers [`Records`].

mod search;
mod verified;

use self::search::Search;
use self::verified::{KEPT_COUNT_MAX, Verified};
use super::codes;
use super::file_name::{FileName, Namespace};
use super::index::{Index, Item};
use super::mft;
use super::rebuild::{Parents, Records, fault_of};
use super::reference::FileReference;
use super::upcase::UpCase;
use super::utf16;
use crate::bytes::len_u64;
use crate::error::{Error, Fault, Result};
use crate::filesystem::DirCursor;
use crate::node::FileKind;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Cursors from here on count names that the index does not have.
const REBUILT_FROM: u64 = 1 << 62;
/// Bit of a cursor: damage before it may have cost names. Places in an index are below it.
const LOST: u64 = 1 << 61;
/// Names of one file that a cursor tells apart; Windows allows 1024.
const NAMES_PER_FILE: u64 = 1 << 16;
/// Longest name in 16-bit units.
const NAME_LEN_MAX: usize = 255;
/// Unused bytes at the end of an entry that are worth a remark: the shortest entry with a name has as
/// many. Writers leave up to 7, for alignment.
const SLACK_LEN_MIN: usize = 0x58;
/// Names of which a directory remembers that it has no others: 4 bytes each.
const KNOWN_COUNT_MAX: usize = 256 << 10;

/// A directory.
#[derive(Debug)]
pub struct Directory {
    index: Result<Index, Fault>,
    own: FileReference,
    case_sensitive: bool,
    /// Hashes of all names in upper case, sorted, once all of them have been seen without damage.
    known: OnceLock<Box<[u32]>>,
    /// What the records said of the entries that were listed last.
    verified: Mutex<Verified>,
}

/// An entry that is listed.
#[derive(Debug)]
pub struct Listed<'a> {
    /// The name as WTF-8.
    pub name: &'a [u8],
    /// What it names.
    pub reference: FileReference,
    /// The kind, where the entry leaves no doubt.
    pub kind: Option<FileKind>,
    /// Where to go on after it.
    pub next: DirCursor,
    /// Whether it is one of the volume's own files, in the root.
    pub hidden: bool,
}

/// What a listing is made of.
#[derive(Debug)]
pub enum Found<'a> {
    /// An entry.
    Entry(Listed<'a>),
    /// A part that could not be read, or the word that names come from elsewhere.
    Damaged(Fault),
}

/// Takes a listing until it breaks.
pub type Visit<'v> = dyn FnMut(Found<'_>) -> ControlFlow<()> + 'v;

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The file.
    pub reference: FileReference,
    /// The name as stored, as WTF-8.
    pub name: Vec<u8>,
}

impl Directory {
    /// The directory with this index, or with the fault that leaves it without one. `own` is the
    /// reference that entries for it carry, `case_sensitive` the flag of its `$STANDARD_INFORMATION`.
    #[must_use]
    pub const fn new(
        own: FileReference,
        case_sensitive: bool,
        index: Result<Index, Fault>,
    ) -> Self {
        Self {
            index,
            own,
            case_sensitive,
            known: OnceLock::new(),
            verified: Mutex::new(Verified::new()),
        }
    }

    /// About how many bytes it takes to keep the directory, once it has been searched and listed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // One name in about 100 bytes of index, every other one of them short.
        let allocated = self.index.as_ref().map_or(0, Index::allocated);
        let names = usize::try_from(allocated / 100).unwrap_or(usize::MAX);
        let known = names.min(KNOWN_COUNT_MAX).saturating_mul(4);
        let twins = (names / 2).min(KEPT_COUNT_MAX).saturating_mul(16);
        known.saturating_add(twins).saturating_add(1024)
    }

    /// Hands the entries from `from` on to `visit`.
    pub fn read(&self, records: &dyn Records, from: DirCursor, visit: &mut Visit<'_>) {
        let mut lost = from.0 & LOST != 0;
        if from.0 < REBUILT_FROM {
            let flow = self.walk(from.0 & !LOST, &mut |seen| match seen {
                Seen::Entry {
                    name,
                    reference,
                    at,
                    place,
                    next,
                } => {
                    if self.is_own_dot(&name, reference) {
                        return ControlFlow::Continue(());
                    }
                    let wtf8 = name.wtf8();
                    match self.known_verdict(records, place, next) {
                        Verdict::Fits | Verdict::Open => {}
                        Verdict::ShortTwin => return ControlFlow::Continue(()),
                        Verdict::Gone => {
                            return visit(Found::Damaged(gone(&wtf8, reference, at)));
                        }
                        Verdict::Foreign => {
                            lost = true;
                            return visit(Found::Damaged(foreign(&wtf8, reference, at)));
                        }
                    }
                    visit(Found::Entry(Listed {
                        name: &wtf8,
                        reference,
                        kind: name.kind(),
                        next: DirCursor(if lost { next | LOST } else { next }),
                        hidden: self.is_hidden(reference),
                    }))
                }
                Seen::Damaged { fault, lost: names } => {
                    lost |= names;
                    visit(Found::Damaged(fault))
                }
            });
            if flow.is_break() {
                return;
            }
        }
        if lost || from.0 >= REBUILT_FROM {
            let _ = self.read_rebuilt(records, from.0.max(REBUILT_FROM), visit);
        }
    }

    /// The entry with this name, by the directory's own case rule: the very name if it is there, else
    /// one that differs in case only where the directory allows it. Short names are found as well.
    ///
    /// Goes down the tree. If that leads nowhere, all entries are looked at: a damaged tree must not
    /// make a file absent.
    ///
    /// # Errors
    /// The first damage, if the name was not found and might have been there;
    /// [`codes::DIRECTORY_STALE`] for a name whose file is gone.
    pub fn find(&self, records: &dyn Records, name: &[u8]) -> Result<Option<Hit>> {
        let Some(wanted) = utf16::from_wtf8(name).filter(|units| units.len() <= NAME_LEN_MAX)
        else {
            return Ok(None);
        };
        let mut search = Search {
            wanted: &wanted,
            upcase: records.upcase(),
            case_sensitive: self.case_sensitive,
            best: None,
        };
        let down = self.find_in_tree(&mut search);
        if down.is_ok()
            && let Some(best) = &search.best
            && self.verdict(records, &best.name, best.reference).leads()
        {
            return Ok(Some(best.hit()));
        }
        if down.is_ok() && search.best.is_none() && self.is_known_absent(&search) {
            return Ok(None);
        }
        self.find_everywhere(records, search)
    }

    /// Whether the tree leads to an entry with this very name for the file that `own` means.
    ///
    /// # Errors
    /// Damage on the way.
    pub fn has(&self, upcase: &UpCase, wanted: &[u16], own: FileReference) -> Result<bool, Fault> {
        let index = self.index.as_ref().map_err(Clone::clone)?;
        let mut has = false;
        index.search(&mut |entry| {
            let name = FileName::parse_words(entry.key)?;
            let order = upcase.compare(&utf16::units_of(name.name), wanted);
            let reference = entry.reference();
            has |= order.is_eq() && reference.record() == own.record();
            Ok(order)
        })?;
        Ok(has)
    }

    fn find_in_tree(&self, search: &mut Search<'_>) -> Result<(), Fault> {
        let index = self.index.as_ref().map_err(Clone::clone)?;
        index.search(&mut |entry| {
            let name = FileName::parse_words(entry.key)?;
            let units = utf16::units_of(name.name);
            search.consider(&name, &units, entry.reference());
            Ok(search.upcase.compare(&units, search.wanted))
        })?;
        Ok(())
    }

    fn is_known_absent(&self, search: &Search<'_>) -> bool {
        let hash = folded_hash(search.upcase, search.wanted);
        (self.known.get()).is_some_and(|known| known.binary_search(&hash).is_err())
    }

    fn find_everywhere(
        &self,
        records: &dyn Records,
        mut search: Search<'_>,
    ) -> Result<Option<Hit>> {
        search.best = None;
        let mut stale = None;
        let mut damaged = None;
        let mut hashes = Vec::new();
        let flow = self.walk(0, &mut |seen| {
            match seen {
                Seen::Entry {
                    name,
                    reference,
                    at,
                    ..
                } => {
                    let units = utf16::units_of(name.name);
                    if hashes.len() <= KNOWN_COUNT_MAX {
                        hashes.push(folded_hash(search.upcase, &units));
                    }
                    let verdict = match search.accepts(&units) {
                        true => self.verdict(records, name.name, reference),
                        false => Verdict::Open,
                    };
                    if verdict == Verdict::Gone {
                        stale.get_or_insert_with(|| gone(&name.wtf8(), reference, at));
                    } else if verdict == Verdict::Foreign {
                        damaged.get_or_insert_with(|| foreign(&name.wtf8(), reference, at));
                    } else if search.consider(&name, &units, reference) {
                        return ControlFlow::Break(());
                    }
                }
                Seen::Damaged { fault, lost: true } => {
                    damaged.get_or_insert(fault);
                }
                Seen::Damaged { .. } => {}
            }
            ControlFlow::Continue(())
        });
        if let Some(best) = &search.best {
            return Ok(Some(best.hit()));
        }
        let Some(first) = damaged else {
            if flow.is_continue() && hashes.len() <= KNOWN_COUNT_MAX {
                hashes.sort_unstable();
                hashes.dedup();
                let _ = self.known.set(hashes.into());
            }
            return stale.map_or(Ok(None), |fault| Err(Error::Corrupt(fault)));
        };
        let is_complete = self.find_rebuilt(records, &mut search);
        match (search.best, stale) {
            (Some(best), _) => Ok(Some(best.hit())),
            (None, Some(fault)) => Err(Error::Corrupt(fault)),
            (None, None) if is_complete => Ok(None),
            (None, None) => Err(Error::Corrupt(first)),
        }
    }

    /// Looks at the files themselves. Returns whether all of them could be read.
    fn find_rebuilt(&self, records: &dyn Records, search: &mut Search<'_>) -> bool {
        let Ok(parents) = Parents::of(records) else {
            return false;
        };
        let mut is_complete = parents.gap().is_none();
        for child in parents.children(self.own.record()) {
            let read = records.names(child, &mut |reference, name| {
                if self.is_meant(name.parent) {
                    search.consider(name, &utf16::units_of(name.name), reference);
                }
            });
            is_complete &= read.is_ok();
        }
        is_complete
    }

    /// Every entry of the index that is meant for this directory.
    fn walk(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let index = match &self.index {
            Ok(index) => index,
            Err(fault) => {
                let fault = fault.clone();
                return visit(Seen::Damaged { fault, lost: true });
            }
        };
        index.walk(from, &mut |item| {
            let (entry, at, place, next) = match item {
                Item::Entry {
                    entry,
                    at,
                    place,
                    next,
                } => (entry, at, place, next),
                Item::Damaged { fault, lost } => return visit(Seen::Damaged { fault, lost }),
            };
            let name = match FileName::parse_words(entry.key) {
                Ok(name) => name,
                Err(detail) => {
                    let fault = Fault::new(codes::FILE_NAME, at, detail);
                    return visit(Seen::Damaged { fault, lost: true });
                }
            };
            if entry.slack() >= SLACK_LEN_MIN {
                let slack = entry.slack();
                let detail = format!("an entry with {slack} bytes that may have been others");
                let fault = Fault::new(codes::INDEX_ENTRY, at, detail);
                visit(Seen::Damaged { fault, lost: true })?;
            }
            if name.parent.record() != self.own.record() {
                let (shown, parent) = (name.wtf8(), name.parent.record());
                let detail = format!(
                    "the entry \"{}\" is meant for the directory in record {parent}",
                    shown.escape_ascii()
                );
                let fault = Fault::new(codes::DIRECTORY_PARENT, at, detail);
                return visit(Seen::Damaged { fault, lost: true });
            }
            let reference = entry.reference();
            visit(Seen::Entry {
                name,
                reference,
                at,
                place,
                next,
            })
        })
    }

    /// The verdict of the entry from `place` to `next`, asked together with those behind it.
    fn known_verdict(&self, records: &dyn Records, place: u64, next: u64) -> Verdict {
        let lock = || (self.verified.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(verdict) = lock().get(place, next) {
            return verdict;
        }
        // No lock is held across reads.
        let mut stretch = lock().plan(place);
        stretch.ask(self, records);
        let verdict = stretch.first();
        lock().take(stretch);
        verdict
    }

    /// Asks the record that an entry leads to. A sound volume would not need it: a damaged one must
    /// neither show a file under the name of another nor make one vanish.
    fn verdict(&self, records: &dyn Records, stored: &[u8], reference: FileReference) -> Verdict {
        let (mut is_live, mut fits, mut is_short, mut has_long) = (false, false, false, false);
        let read = records.names(reference.record(), &mut |own, name| {
            is_live |= reference.fits(own.sequence());
            if self.is_meant(name.parent) {
                let same = name.name == stored;
                fits |= same;
                is_short |= same && name.namespace == Namespace::Dos;
                has_long |= name.namespace == Namespace::Win32;
            }
        });
        match read {
            _ if is_live && is_short && has_long => Verdict::ShortTwin,
            _ if is_live && fits => Verdict::Fits,
            Ok(()) if is_live => Verdict::Foreign,
            Ok(()) => Verdict::Gone,
            // A file of its own with the right sequence number, but not all of its names can be read.
            Err(_) => match records.is_live(reference) {
                Ok(false) => Verdict::Gone,
                Ok(true) | Err(_) => Verdict::Open,
            },
        }
    }

    /// Whether a name stands in this directory.
    fn is_meant(&self, parent: FileReference) -> bool {
        parent.record() == self.own.record() && parent.fits(self.own.sequence())
    }

    /// Whether an entry is the root's own `.`.
    fn is_own_dot(&self, name: &FileName<'_>, reference: FileReference) -> bool {
        reference.record() == self.own.record() && name.name == [b'.', 0]
    }

    /// Whether an entry is one of the volume's own files.
    const fn is_hidden(&self, reference: FileReference) -> bool {
        self.own.record() == mft::ROOT && reference.record() < mft::FIRST_USER_RECORD
    }

    /// The names that files have in this directory and that its index does not have.
    fn read_rebuilt(
        &self,
        records: &dyn Records,
        from: u64,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let parents = match Parents::of(records) {
            Ok(parents) => parents,
            Err(error) => return visit(Found::Damaged(fault_of(&error))),
        };
        let listed = self.listed(records);
        let mut is_told = from > REBUILT_FROM;
        let first = from.saturating_sub(REBUILT_FROM);
        let skipped = usize::try_from(first / NAMES_PER_FILE).unwrap_or(usize::MAX);
        let children = parents.children(self.own.record());
        for (ordinal, child) in (0_u64..).zip(children).skip(skipped) {
            let (mut names, mut has_long) = (Vec::new(), false);
            let read = records.names(child, &mut |reference, name| {
                let wanted = self.is_meant(name.parent) && !self.is_own_dot(name, reference);
                has_long |= wanted && name.namespace == Namespace::Win32;
                if wanted && !listed.contains(&entry_hash(reference, name.name)) {
                    names.push((name.wtf8(), reference, name.kind(), name.namespace));
                }
            });
            if let Err(error) = read {
                visit(Found::Damaged(fault_of(&error)))?;
            }
            let base = ordinal.saturating_mul(NAMES_PER_FILE);
            for (position, (name, reference, kind, space)) in (base..).zip(names) {
                if position < first || (space == Namespace::Dos && has_long) {
                    continue;
                }
                if !std::mem::replace(&mut is_told, true) {
                    let detail = "names from here on are not in the damaged index of the directory";
                    let fault = Fault::new(codes::DIRECTORY_REBUILT, 0, detail);
                    visit(Found::Damaged(fault))?;
                }
                let next = REBUILT_FROM.saturating_add(position).saturating_add(1);
                visit(Found::Entry(Listed {
                    name: &name,
                    reference,
                    kind,
                    next: DirCursor(next),
                    hidden: self.is_hidden(reference),
                }))?;
            }
        }
        match parents.gap() {
            Some(fault) => visit(Found::Damaged(fault)),
            None => ControlFlow::Continue(()),
        }
    }

    /// Hashes of the entries that the index has and that lead to files.
    fn listed(&self, records: &dyn Records) -> HashSet<u64> {
        let mut listed = HashSet::new();
        let _ = self.walk(0, &mut |seen| {
            if let Seen::Entry {
                name, reference, ..
            } = seen
                && !matches!(records.is_live(reference), Ok(false))
            {
                listed.insert(entry_hash(reference, name.name));
            }
            ControlFlow::Continue(())
        });
        listed
    }
}

/// What a walk through the index meets.
enum Seen<'a> {
    Entry {
        name: FileName<'a>,
        reference: FileReference,
        at: u64,
        place: u64,
        next: u64,
    },
    Damaged {
        fault: Fault,
        lost: bool,
    },
}

/// What the record that an entry leads to says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The file has this name here.
    Fits,
    /// It is the short name of a file that has a long one here as well.
    ShortTwin,
    /// The record cannot be read. Asking for its metadata tells why.
    Open,
    /// The file is no longer there.
    Gone,
    /// The file has no such name here: the reference or the name is damaged.
    Foreign,
}

impl Verdict {
    const fn leads(self) -> bool {
        matches!(self, Self::Fits | Self::ShortTwin | Self::Open)
    }
}

fn gone(name: &[u8], reference: FileReference, at: u64) -> Fault {
    let detail = format!(
        "the entry \"{}\" leads to record {reference}, which is no longer there",
        name.escape_ascii()
    );
    Fault::new(codes::DIRECTORY_STALE, at, detail)
}

fn foreign(name: &[u8], reference: FileReference, at: u64) -> Fault {
    let detail = format!(
        "the entry \"{}\" leads to record {reference}, which has no such name",
        name.escape_ascii()
    );
    Fault::new(codes::DIRECTORY_FOREIGN, at, detail)
}

fn entry_hash(reference: FileReference, name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (reference.record(), name).hash(&mut hasher);
    hasher.finish()
}

/// A hash that names have in common which differ in case only.
fn folded_hash(upcase: &UpCase, units: &[u16]) -> u32 {
    let mut hasher = DefaultHasher::new();
    len_u64(units.len()).hash(&mut hasher);
    units
        .iter()
        .for_each(|unit| upcase.of(*unit).hash(&mut hasher));
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod mutations;
#[cfg(test)]
mod tests;
