//! The second reader in a thread of its own: what it holds may not leave it, and it may panic.

use super::content::first_difference;
use flr_fs::filesystem::check::{Refusal, SecondReader, StartSecondReader};
use flr_fs::{ByteSource, Error, Metadata};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Name of the thread. A panic in it is an answer, not an accident.
pub const THREAD_NAME: &str = "second-reader";

pub(super) const PANIC: &str = "panic in the second reader";

/// What we see of a node.
#[derive(Debug)]
pub(super) enum Ours {
    Directory(Vec<Vec<u8>>),
    Link(Vec<u8>),
    File(Arc<dyn ByteSource>),
}

/// What came of a comparison.
#[derive(Debug)]
pub(super) enum Verdict {
    Same,
    /// The first byte that differs, for content; and in words.
    Differs(Option<u64>, String),
    NotComparable(&'static str),
    /// Nothing of this filesystem can be compared, for the reason; and in words.
    Refused(&'static str, String),
    /// Our own side failed.
    Ours(Error),
}

struct Ask {
    path: Vec<u8>,
    metadata: Metadata,
    ours: Ours,
}

/// A running second reader of one filesystem.
#[derive(Debug)]
pub(super) struct Second {
    asks: Option<SyncSender<Ask>>,
    verdicts: Receiver<Verdict>,
    thread: Option<JoinHandle<()>>,
}

impl Second {
    /// Starts the thread. `None` if there can be no more threads.
    pub(super) fn start(start: StartSecondReader, cancel: Arc<AtomicBool>) -> Option<Self> {
        let (asks, asked) = sync_channel::<Ask>(1);
        let (answer, verdicts) = sync_channel(1);
        let serve = move || {
            let mut server = Server {
                start,
                reader: None,
                buffers: [Vec::new(), Vec::new()],
                cancel,
            };
            for ask in asked {
                if answer.send(server.answer(&ask)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name(THREAD_NAME.into());
        let thread = thread.spawn(serve).ok()?;
        Some(Self {
            asks: Some(asks),
            verdicts,
            thread: Some(thread),
        })
    }

    /// Compares one node; `path` is made of stored names, empty for the root.
    pub(super) fn compare(&self, path: &[u8], metadata: Metadata, ours: Ours) -> Verdict {
        let path = if path.is_empty() { b"/" } else { path }.to_vec();
        let ask = Ask {
            path,
            metadata,
            ours,
        };
        let sent = self
            .asks
            .as_ref()
            .is_some_and(|asks| asks.send(ask).is_ok());
        let verdict = sent.then(|| self.verdicts.recv().ok()).flatten();
        verdict.unwrap_or(Verdict::NotComparable(PANIC))
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            // It has caught its panics; and there is nothing to do about one more.
            let _ = thread.join();
        }
    }
}

struct Server {
    start: StartSecondReader,
    reader: Option<Result<Box<dyn SecondReader>, Refusal>>,
    buffers: [Vec<u8>; 2],
    cancel: Arc<AtomicBool>,
}

impl Server {
    fn answer(&mut self, ask: &Ask) -> Verdict {
        if self.reader.is_none() {
            let started = catch_unwind(AssertUnwindSafe(|| (self.start)()));
            self.reader = Some(started.unwrap_or(Err(Refusal::NotComparable(PANIC))));
        }
        let reader = match &self.reader {
            Some(Ok(reader)) => reader.as_ref(),
            Some(Err(Refusal::NotComparable(reason))) => {
                return Verdict::Refused(reason, (*reason).to_owned());
            }
            Some(Err(Refusal::Failed(text))) => {
                return Verdict::Refused("filesystem that it cannot open", text.clone());
            }
            None => return Verdict::NotComparable(PANIC),
        };
        let (buffers, cancel) = (&mut self.buffers, self.cancel.as_ref());
        let compared = catch_unwind(AssertUnwindSafe(|| compare(reader, ask, buffers, cancel)));
        match compared {
            Ok(Ok(verdict)) | Ok(Err(verdict)) => verdict,
            Err(_) => {
                // What it held is in no known state. Nothing in it is ours, so it may be leaked.
                std::mem::forget(self.reader.take());
                Verdict::NotComparable(PANIC)
            }
        }
    }
}

fn compare(
    reader: &dyn SecondReader,
    ask: &Ask,
    buffers: &mut [Vec<u8>; 2],
    cancel: &AtomicBool,
) -> Result<Verdict, Verdict> {
    let content = match &ask.ours {
        Ours::File(content) => Some(content.as_ref()),
        Ours::Directory(_) | Ours::Link(_) => None,
    };
    let left_out = reader.left_out(&ask.metadata, content);
    if let Some(reason) = left_out.map_err(Verdict::Ours)? {
        return Ok(Verdict::NotComparable(reason));
    }
    match &ask.ours {
        Ours::Directory(names) => {
            let theirs = reader.names(&ask.path).map_err(refused)?;
            Ok(compare_names(names, &theirs))
        }
        Ours::Link(target) => match reader.link(&ask.path).map_err(refused)? {
            theirs if theirs == *target => Ok(Verdict::Same),
            theirs => {
                let theirs = theirs.escape_ascii();
                Ok(Verdict::Differs(
                    None,
                    format!("the second reader sees the target {theirs}"),
                ))
            }
        },
        Ours::File(content) => {
            let mut theirs = reader.open(&ask.path).map_err(refused)?;
            let (a, b) = (content.size(), theirs.size());
            let read = |room: &mut [u8]| theirs.read(room).map_err(refused);
            let differs = first_difference(content.as_ref(), buffers, read, Verdict::Ours, cancel)?;
            Ok(match differs {
                Some(at) => Verdict::Differs(
                    Some(at),
                    format!("the second reader sees other bytes from {at:#x} on"),
                ),
                None if a != b => {
                    let detail = format!("{a} bytes, the second reader sees {b}");
                    Verdict::Differs(Some(a.min(b)), detail)
                }
                None => Verdict::Same,
            })
        }
    }
}

fn refused(refusal: Refusal) -> Verdict {
    match refusal {
        Refusal::NotComparable(reason) => Verdict::NotComparable(reason),
        Refusal::Failed(text) => {
            Verdict::Differs(None, format!("the second reader cannot read it: {text}"))
        }
    }
}

fn compare_names(ours: &[Vec<u8>], theirs: &[Vec<u8>]) -> Verdict {
    let [mut a, mut b] = [ours, theirs].map(|names| names.iter().collect::<Vec<_>>());
    a.sort();
    b.sort();
    if a == b {
        return Verdict::Same;
    }
    let [a, b] = [a, b].map(|names| names.into_iter().collect::<BTreeSet<_>>());
    let shown = |name: Option<&&Vec<u8>>| match name {
        Some(name) => name.escape_ascii().to_string(),
        None => "none".to_owned(),
    };
    let detail = format!(
        "{} names, the second reader sees {}; only here: {}, only there: {}",
        ours.len(),
        theirs.len(),
        shown(a.difference(&b).next()),
        shown(b.difference(&a).next())
    );
    Verdict::Differs(None, detail)
}
