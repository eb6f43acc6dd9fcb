//! What a server says in transmission: bytes in, answers out. Knows what was asked for, does no I/O.
//!
//! ```text
//!              ┌── simple: error, or ──────────────────────────┐
//!  head (16) ──┤                                               ├─► data, into its assembly as it comes
//!              └── structured: head (20) ─┬─ OFFSET_DATA (8) ──┘
//!                                         └─ others: payload, small and bounded
//! ```
//!
//! Memory: what was asked for, and one payload.

use super::assembly::Assembly;
use super::wire::Violation;
use super::wire::block_status::{self, Extent};
use super::wire::chunk::{CHUNK_LEN, CHUNK_MAGIC, Chunk, ChunkKind};
use super::wire::error_chunk::ErrorChunk;
use super::wire::hole;
use super::wire::simple_reply::{SIMPLE_MAGIC, SIMPLE_REPLY_LEN, SimpleReply};
use std::collections::HashMap;

/// Chunks of an answer that are no data. One is usual; errors may be several.
const OTHER_CHUNKS_MAX: u32 = 4096;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Bytes.
    Read {
        /// Byte of the export.
        offset: u64,
        /// Bytes, not 0.
        len: u32,
    },
    /// The map of so many bytes.
    Status {
        /// Bytes, not 0.
        len: u32,
    },
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All bytes of a read.
    Data(Vec<u8>),
    /// The map from the beginning of what was asked for, at least one extent.
    Extents(Vec<Extent>),
    /// The server cannot.
    Failed(ErrorChunk),
}

#[derive(Debug)]
enum Content {
    Read(Assembly),
    Status {
        len: u32,
        found: Option<Vec<Extent>>,
    },
}

#[derive(Debug)]
struct Pending {
    content: Content,
    failed: Option<ErrorChunk>,
    others: u32,
}

#[derive(Debug)]
enum State {
    /// A head, of which the magic number says how long it is.
    Head,
    /// What follows the head, or for data its offset.
    Payload(Chunk),
    /// Data of a read.
    Data {
        cookie: u64,
        at: usize,
        left: usize,
        done: bool,
    },
}

/// The state between two pieces of a stream.
#[derive(Debug)]
pub(super) struct Decoder {
    structured: bool,
    /// The number of the map, if there is one.
    context: Option<u32>,
    state: State,
    /// What has come of a head or a payload, up to `want` bytes.
    gathered: Vec<u8>,
    want: usize,
    pending: HashMap<u64, Pending>,
}

impl Decoder {
    /// At the beginning of transmission.
    pub(super) fn new(structured: bool, context: Option<u32>) -> Self {
        Self {
            structured,
            context,
            state: State::Head,
            gathered: Vec::new(),
            want: SIMPLE_REPLY_LEN,
            pending: HashMap::new(),
        }
    }

    /// An answer to this may come from now on. `cookie` is not in use.
    pub(super) fn expect(&mut self, cookie: u64, question: Question) {
        let content = match question {
            Question::Read { offset, len } => Content::Read(Assembly::new(offset, len)),
            Question::Status { len } => Content::Status { len, found: None },
        };
        let pending = Pending {
            content,
            failed: None,
            others: 0,
        };
        self.pending.insert(cookie, pending);
    }

    /// Takes the next bytes of the stream; adds the answers that they complete to `answers`.
    ///
    /// # Errors
    /// The stream makes no sense. Nothing may be fed any more.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        answers: &mut Vec<(u64, Answer)>,
    ) -> Result<(), Violation> {
        while !bytes.is_empty() {
            if let State::Data { left, .. } = self.state {
                let (now, later) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
                bytes = later;
                self.data(now, answers)?;
                continue;
            }
            let missing = self.want.saturating_sub(self.gathered.len());
            let (now, later) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
            bytes = later;
            self.gathered.extend(now);
            if self.gathered.len() >= self.want {
                self.gathered(answers)?;
            }
        }
        Ok(())
    }

    /// A head or a payload is complete.
    fn gathered(&mut self, answers: &mut Vec<(u64, Answer)>) -> Result<(), Violation> {
        match self.state {
            State::Head => self.head(answers),
            State::Payload(chunk) => self.payload(chunk, answers),
            State::Data { .. } => Ok(()),
        }
    }

    /// Waits for `want` bytes in `state`.
    fn enter(&mut self, state: State, want: usize) {
        self.state = state;
        self.want = want;
        self.gathered.clear();
        // A long map is rare; its memory is not kept.
        self.gathered.shrink_to(4096);
    }

    fn enter_head(&mut self) {
        self.enter(State::Head, SIMPLE_REPLY_LEN);
    }

    fn head(&mut self, answers: &mut Vec<(u64, Answer)>) -> Result<(), Violation> {
        let magic = self.gathered.first_chunk().copied().map(u32::from_be_bytes);
        match magic {
            Some(SIMPLE_MAGIC) => {
                let reply = SimpleReply::parse(&self.gathered)?;
                self.simple(reply, answers)
            }
            Some(CHUNK_MAGIC) if self.structured => {
                if self.gathered.len() < CHUNK_LEN {
                    self.want = CHUNK_LEN;
                    return Ok(());
                }
                let chunk = Chunk::parse(&self.gathered)?;
                self.chunk(chunk, answers)
            }
            other => Err(Violation::new(format!(
                "expected an answer, found the magic number {:#x}",
                other.unwrap_or(0)
            ))),
        }
    }

    fn simple(
        &mut self,
        reply: SimpleReply,
        answers: &mut Vec<(u64, Answer)>,
    ) -> Result<(), Violation> {
        let SimpleReply { error, cookie } = reply;
        if error != 0 {
            self.pending_of(cookie)?.failed = Some(ErrorChunk {
                error,
                message: String::new(),
                offset: None,
            });
            return self.done(cookie, answers);
        }
        let structured = self.structured;
        let Content::Read(read) = &mut self.pending_of(cookie)?.content else {
            return Err(Violation::new("expected a map, found an answer without"));
        };
        if structured {
            let what = "expected a structured answer to a read, found a simple one";
            return Err(Violation::new(what));
        }
        let left = read.len();
        let at = read.claim_all()?;
        let done = true;
        self.enter(
            State::Data {
                cookie,
                at,
                left,
                done,
            },
            0,
        );
        Ok(())
    }

    /// The head of a chunk. What follows it is measured against what was asked for.
    fn chunk(&mut self, chunk: Chunk, answers: &mut Vec<(u64, Answer)>) -> Result<(), Violation> {
        let len = usize::try_from(chunk.len).unwrap_or(usize::MAX);
        let pending = self.pending_of(chunk.cookie)?;
        let want = match (chunk.kind, &pending.content) {
            (ChunkKind::None, _) => return self.finish_chunk(chunk, answers),
            (ChunkKind::OffsetData, Content::Read(read)) => {
                // An offset stands before the data.
                if len.saturating_sub(8) > read.len() {
                    return Err(Violation::new(format!(
                        "expected at most {} bytes of a read, found {}",
                        read.len(),
                        len.saturating_sub(8)
                    )));
                }
                8
            }
            (ChunkKind::OffsetHole, Content::Read(_))
            | (ChunkKind::BlockStatus, Content::Status { .. })
            | (ChunkKind::Error { .. }, _) => len,
            (kind, _) => {
                let what = format!("expected an answer to the question, found {kind:?}");
                return Err(Violation::new(what));
            }
        };
        if chunk.kind != ChunkKind::OffsetData && chunk.kind != ChunkKind::OffsetHole {
            pending.others = pending.others.saturating_add(1);
            if pending.others > OTHER_CHUNKS_MAX {
                return Err(Violation::new("expected an answer in fewer parts"));
            }
        }
        self.enter(State::Payload(chunk), want);
        Ok(())
    }

    /// What follows the head of a chunk is complete; of data, its offset.
    fn payload(&mut self, chunk: Chunk, answers: &mut Vec<(u64, Answer)>) -> Result<(), Violation> {
        let context = self.context;
        let gathered = std::mem::take(&mut self.gathered);
        let pending = self.pending_of(chunk.cookie)?;
        match (chunk.kind, &mut pending.content) {
            (ChunkKind::OffsetData, Content::Read(read)) => {
                let offset = gathered.first_chunk().copied().map(u64::from_be_bytes);
                let left = usize::try_from(chunk.len).unwrap_or(usize::MAX);
                let left = left.saturating_sub(8);
                let at = read.claim(offset.unwrap_or(u64::MAX), left)?;
                let Chunk { cookie, done, .. } = chunk;
                self.enter(
                    State::Data {
                        cookie,
                        at,
                        left,
                        done,
                    },
                    0,
                );
                return Ok(());
            }
            (ChunkKind::OffsetHole, Content::Read(read)) => {
                let (offset, len) = hole::parse(&gathered)?;
                read.claim(offset, usize::try_from(len).unwrap_or(usize::MAX))?;
            }
            (ChunkKind::BlockStatus, Content::Status { len, found }) => {
                let context = context.ok_or_else(|| Violation::new("expected no map"))?;
                let extents = block_status::parse(&gathered, context, *len)?;
                if found.replace(extents).is_some() {
                    return Err(Violation::new("expected one map, found two"));
                }
            }
            (ChunkKind::Error { has_offset }, content) => {
                let error = ErrorChunk::parse(&gathered, has_offset)?;
                if let (Some(at), Content::Read(read)) = (error.offset, content)
                    && !read.contains(at)
                {
                    return Err(Violation::new(format!(
                        "expected an error inside of a read, found one at {at:#x}"
                    )));
                }
                pending.failed.get_or_insert(error);
            }
            _ => {}
        }
        self.finish_chunk(chunk, answers)
    }

    /// Data of a read, at most what is left of it.
    fn data(&mut self, now: &[u8], answers: &mut Vec<(u64, Answer)>) -> Result<(), Violation> {
        let State::Data {
            cookie,
            at,
            left,
            done,
        } = self.state
        else {
            return Ok(());
        };
        if let Content::Read(read) = &mut self.pending_of(cookie)?.content {
            read.fill(at, now)?;
        }
        let left = left.saturating_sub(now.len());
        if left > 0 {
            let at = at.saturating_add(now.len());
            self.state = State::Data {
                cookie,
                at,
                left,
                done,
            };
            return Ok(());
        }
        self.enter_head();
        if done {
            self.done(cookie, answers)
        } else {
            Ok(())
        }
    }

    fn finish_chunk(
        &mut self,
        chunk: Chunk,
        answers: &mut Vec<(u64, Answer)>,
    ) -> Result<(), Violation> {
        self.enter_head();
        if chunk.done {
            return self.done(chunk.cookie, answers);
        }
        Ok(())
    }

    /// An answer is complete.
    fn done(&mut self, cookie: u64, answers: &mut Vec<(u64, Answer)>) -> Result<(), Violation> {
        self.enter_head();
        let pending = self
            .pending
            .remove(&cookie)
            .ok_or_else(|| stranger(cookie))?;
        let answer = match (pending.failed, pending.content) {
            (Some(error), _) => Answer::Failed(error),
            (None, Content::Read(read)) => Answer::Data(read.finish()?),
            (None, Content::Status { found, .. }) => {
                let found = found.ok_or_else(|| Violation::new("expected a map, found none"))?;
                Answer::Extents(found)
            }
        };
        answers.push((cookie, answer));
        Ok(())
    }

    fn pending_of(&mut self, cookie: u64) -> Result<&mut Pending, Violation> {
        self.pending
            .get_mut(&cookie)
            .ok_or_else(|| stranger(cookie))
    }
}

fn stranger(cookie: u64) -> Violation {
    Violation::new(format!(
        "expected an answer to a question, found one to {cookie:#x}, which is none"
    ))
}

#[cfg(test)]
mod tests;
