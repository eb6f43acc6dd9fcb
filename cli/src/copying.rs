//! What `cp` and `restore` share: the copier on threads of its own, and what it tells.

use crate::commands::Context;
use crate::node::put_bytes;
use crate::open::{Opened, describe, quoted};
use crate::output::{Failure, Outcome, error_fields, json_line, say, without_number};
use crate::progress::Bar;
use flr_fs::{FileKind, Timestamp};
use flr_recover::copy::{
    CopyEvents, CopyReport, Digest, Item, KeepReason, Made, Note, SkipReason, Unfolds, Warning,
};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

/// JSON lines that may wait to be printed.
const LINE_COUNT: usize = 256;

/// What is told of an item that ended.
pub(crate) struct Line {
    pub(crate) message_type: &'static str,
    pub(crate) fields: Map<String, Value>,
    /// A file with the hash of its content.
    pub(crate) content: Option<Content>,
}

/// A file that stands in the destination.
pub(crate) struct Content {
    pub(crate) destination: PathBuf,
    pub(crate) size: u64,
    pub(crate) modified: Timestamp,
    pub(crate) digest: Digest,
    /// All of it could be read.
    pub(crate) whole: bool,
    /// It was there before.
    pub(crate) kept: bool,
}

/// How a copy is told about.
#[derive(Clone, Copy)]
pub(crate) struct Telling<'a> {
    pub(crate) bar: &'a Bar,
    /// Lines are wanted, if only to be written down.
    pub(crate) lines: bool,
    /// Lines are written down, and so are remarks, as lines of the type `status`.
    pub(crate) written: bool,
    /// Hashes of files are wanted also without lines.
    pub(crate) contents: bool,
    /// Standard output has JSON lines: people are not told what stands in them.
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    /// What to do to go on where a full destination ended the copy.
    pub(crate) go_on: &'static str,
}

/// Copies one source. Several threads tell what happens; what belongs on standard output comes here
/// through a channel, which makes them wait for a reader that is slow.
pub(crate) fn drive(
    ctx: &mut Context<'_>,
    opened: &Opened,
    telling: Telling<'_>,
    cancel: &AtomicBool,
    take: &mut dyn FnMut(&mut Context<'_>, Line) -> Outcome<()>,
    copy: impl FnOnce(&Events<'_>) -> CopyReport + Send,
) -> Outcome<CopyReport> {
    let (lines, inbox) = sync_channel(LINE_COUNT);
    std::thread::scope(|scope| {
        let copying = scope.spawn(move || {
            let events = Events {
                opened,
                telling,
                lines,
                hinted: AtomicBool::new(false),
            };
            copy(&events)
        });
        let mut stop = None;
        for line in inbox {
            if stop.is_none()
                && let Err(reason) = take(ctx, line)
            {
                stop = Some(reason);
                cancel.store(true, Ordering::Relaxed);
            }
        }
        match (copying.join(), stop) {
            (_, Some(stop)) => Err(stop),
            (Ok(report), None) => Ok(report),
            (Err(panic), None) => std::panic::resume_unwind(panic),
        }
    })
}

/// Why an attribute was not taken. Filesystems have little room for them: ext4 a block for all of a file.
fn why_not(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::ArgumentListTooLong => {
            "there is no room for it among the attributes there".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Tells what happens while it happens.
pub(crate) struct Events<'a> {
    opened: &'a Opened,
    telling: Telling<'a>,
    lines: SyncSender<Line>,
    /// What can be done about conflicts has been said.
    hinted: AtomicBool,
}

impl Events<'_> {
    fn map(&self, item: &Item) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("address".into(), self.opened.text_of(&item.source).into());
        put_bytes(&mut map, "path", &item.source);
        let destination = item.destination.as_os_str().as_bytes();
        put_bytes(&mut map, "destination", destination);
        map
    }

    fn push(&self, message_type: &'static str, fields: Map<String, Value>) {
        self.push_content(message_type, fields, None);
    }

    fn push_content(
        &self,
        message_type: &'static str,
        fields: Map<String, Value>,
        content: Option<Content>,
    ) {
        // Whoever takes them goes on to the last one.
        let _ = self.lines.send(Line {
            message_type,
            fields,
            content,
        });
    }

    fn content(&self, item: &Item, digest: Digest, whole: bool, kept: bool) -> Option<Content> {
        Some(Content {
            destination: item.destination.clone(),
            size: item.size,
            modified: item.modified?,
            digest,
            whole,
            kept,
        })
    }

    /// A line for people, or a remark for programs, which stands on standard error as well.
    fn say(&self, text: &str) {
        self.telling.bar.above(|| say(text));
    }

    fn remark(&self, level: &str, item: &Item, code: &str, text: &str) {
        let told = !self.telling.quiet;
        if self.telling.written || (told && self.telling.json) {
            let mut map = self.map(item);
            map.insert("level".into(), level.into());
            map.insert("code".into(), code.into());
            map.insert("message".into(), text.into());
            if told && self.telling.json {
                self.say(&json_line("status", &map));
            }
            if self.telling.written {
                self.push("status", map);
            }
        }
        if told && !self.telling.json {
            let what = self.opened.text_of(&item.source);
            self.say(&format!("{level}: {what}: {text}"));
        }
    }

    /// An item that is not in the copy.
    fn left_out(&self, item: &Item, code: &str, text: &str) -> Map<String, Value> {
        let mut map = self.map(item);
        map.insert("code".into(), code.into());
        map.insert("message".into(), text.into());
        map
    }

    /// Why an item was not copied, and what to try next.
    fn explain(&self, error: &flr_recover::Error, what: &str) -> Failure {
        let failure = describe(error, what);
        let flr_recover::Error::Write { path: at, source } = error else {
            return failure;
        };
        let path = for_terminal(at.as_os_str().as_bytes());
        match source.kind() {
            ErrorKind::StorageFull if source.get_ref().is_some_and(|why| why.is::<Unfolds>()) => {
                failure.hint("--sparse restores what is stored of it and leaves holes for zeros")
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => failure.hint(self.telling.go_on),
            ErrorKind::PermissionDenied => failure.hint("copy to a directory of your own"),
            ErrorKind::IsADirectory => {
                failure.hint("a directory of this name is there: move it away, or copy elsewhere")
            }
            ErrorKind::NotADirectory => failure.hint(match at.is_symlink() {
                true => "a link stands there and is not followed: name the directory behind it",
                false => "a file of this name is there: move it away, or copy elsewhere",
            }),
            ErrorKind::AlreadyExists => failure.hint(format!("ls -l {}", quoted(&path))),
            _ => failure,
        }
    }
}

impl CopyEvents for Events<'_> {
    fn advanced(&self, _item: &Item, bytes: u64) {
        self.telling.bar.add(bytes);
    }

    fn finished(&self, item: &Item, made: &Made) {
        let whole = made.bytes_unreadable == 0;
        let content = made
            .digest
            .filter(|_| self.telling.contents)
            .and_then(|digest| self.content(item, digest, whole, false));
        if !self.telling.lines {
            if content.is_some() {
                self.push_content("restored", Map::new(), content);
            }
            return;
        }
        let mut map = self.map(item);
        map.insert("type".into(), item.kind.map(FileKind::word).into());
        map.insert("size".into(), item.size.into());
        if let Some(digest) = &made.digest {
            map.insert("sha256".into(), digest.to_string().into());
            map.insert("verified".into(), made.verified.into());
        }
        if made.hard_link {
            map.insert("hard_link".into(), true.into());
        }
        if made.bytes_unreadable > 0 {
            map.insert("bytes_unreadable".into(), made.bytes_unreadable.into());
        }
        if let Some(backup) = &made.backup {
            put_bytes(&mut map, "backup", backup);
        }
        self.push_content("restored", map, content);
    }

    fn kept(&self, item: &Item, reason: KeepReason) {
        let (code, text) = match reason {
            KeepReason::Exists => ("exists", "exists and is left as it is"),
            KeepReason::Unchanged => ("unchanged", "has the same size and time"),
            KeepReason::NotOlder => ("not-older", "is as new or newer"),
            KeepReason::Differs => ("differs", "is another one and is left as it is"),
            KeepReason::Verified(_) => ("verified", "stands there already and was read"),
        };
        let digest = match reason {
            KeepReason::Verified(digest) => Some(digest),
            _ => None,
        };
        let content = digest
            .filter(|_| self.telling.contents)
            .and_then(|digest| self.content(item, digest, true, true));
        if self.telling.lines {
            let mut map = self.left_out(item, code, text);
            if let Some(digest) = digest {
                map.insert("sha256".into(), digest.to_string().into());
                map.insert("size".into(), item.size.into());
            }
            self.push_content("skipped", map, content);
        } else if content.is_some() {
            self.push_content("skipped", Map::new(), content);
        }
        if self.telling.json || self.telling.quiet {
            return;
        }
        let destination = for_terminal(item.destination.as_os_str().as_bytes());
        match reason {
            KeepReason::Exists => self.say(&format!("note: {destination}: {text}")),
            KeepReason::Differs => {
                self.say(&format!("warning: {destination}: {text}"));
                if !self.hinted.swap(true, Ordering::Relaxed) {
                    self.say(
                        "hint: --overwrite if-changed replaces it, --backup .old keeps it too",
                    );
                }
            }
            KeepReason::Unchanged | KeepReason::NotOlder | KeepReason::Verified(_) => {}
        }
    }

    fn skipped(&self, item: &Item, reason: SkipReason) {
        let (code, text) = match reason {
            SkipReason::Special => ("special", "a device or FIFO, not made without --devices"),
            SkipReason::Socket => ("socket", "a socket, not made"),
        };
        if self.telling.lines {
            self.push("skipped", self.left_out(item, code, text));
        }
        if !self.telling.json && !self.telling.quiet {
            let what = self.opened.text_of(&item.source);
            self.say(&format!("warning: {what}: {text}"));
        }
    }

    fn warning(&self, item: &Item, warning: &Warning) {
        let (code, text) = match warning {
            Warning::Owner(error) => (
                "owner",
                format!("owners are not kept, which takes root: {error}"),
            ),
            Warning::Mode(error) => ("mode", format!("the mode is not kept: {error}")),
            Warning::Times(error) => ("times", format!("the times are not kept: {error}")),
            Warning::Xattr { name, source } => (
                "xattr",
                format!("{} is not kept: {}", for_terminal(name), why_not(source)),
            ),
            Warning::XattrUnreadable { name, error } => match name {
                Some(name) => (
                    "xattr-unreadable",
                    format!("{}: {error}", for_terminal(name)),
                ),
                None => (
                    "xattr-unreadable",
                    format!("its extended attributes: {error}"),
                ),
            },
            Warning::SetIdStripped(bits) => (
                "setid",
                format!("set-id bits {bits:04o} are not kept without --setid"),
            ),
            Warning::CapabilitiesStripped => (
                "capabilities",
                "file capabilities are not kept without --setid".to_owned(),
            ),
            Warning::NameShortened(name) => (
                "name",
                format!("has another name here: {}", for_terminal(name)),
            ),
            Warning::NoDamageMap(error) => (
                "damage-map",
                format!("the map of what could not be read is not written: {error}"),
            ),
            Warning::LinkCopied(error) => (
                "link",
                format!("copied once more instead of a hard link: {error}"),
            ),
        };
        self.remark("warning", item, code, &without_number(text));
    }

    fn noted(&self, item: &Item, note: &Note) {
        let Note::Beside { name, file } = note;
        let (name, file) = (for_terminal(name), for_terminal(file));
        let text = format!("{name} finds no room among the attributes there: it is in {file}");
        self.remark("note", item, "beside", &text);
    }

    fn unreadable(&self, item: &Item, range: Range<u64>, error: &flr_recover::Error) {
        let what = self.opened.text_of(&item.source);
        if self.telling.lines {
            let mut failure = describe(error, &what);
            failure.code = Some("unreadable".to_owned());
            let mut map = self.map(item);
            map.append(&mut error_fields(&what, &failure));
            map.insert("start".into(), range.start.into());
            map.insert("end".into(), range.end.into());
            self.push("error", map);
        }
        if self.telling.json {
            return;
        }
        self.say(&format!(
            "flr: {what}: bytes {} to {} are a hole in the copy: {error}",
            range.start, range.end
        ));
    }

    fn failed(&self, item: &Item, error: &flr_recover::Error) {
        let what = self.opened.text_of(&item.source);
        let failure = self.explain(error, &what);
        if self.telling.lines {
            let mut map = self.map(item);
            map.append(&mut error_fields(&what, &failure));
            self.push("error", map);
        }
        if self.telling.json {
            return;
        }
        self.say(&format!("flr: {}", failure.message));
        if let Some(hint) = &failure.hint {
            self.say(&format!("hint: {hint}"));
        }
    }
}
