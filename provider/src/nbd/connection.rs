//! One connection in transmission: a task that sends questions, reads answers and brings them together.
//!
//! Many questions are under way at once. Whoever asked may go away at any time: the answer is read all
//! the same, and thrown away. The task ends, and with it the connection, when the last handle is gone,
//! when the server hangs up, talks nonsense, or is silent for too long while answers are due.

use super::decoder::{Answer, Decoder, Question};
use super::dial::BoxStream;
use super::errno;
use super::handshake::Terms;
use super::wire::request::{Command, Request};
use crate::fault::{Fault, FaultKind};
use crate::remote::runtime;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// Questions that are under way on one connection.
const QUESTIONS_MAX: usize = 64;
/// Bytes of answers that are under way on one connection, in units.
const UNITS_MAX: u32 = 256;
const UNIT: u32 = 64 << 10;
/// What is read from a socket at once.
const BUFFER_LEN: usize = 128 << 10;
/// A single answer may take so many times as long as silence is borne.
const PATIENCE: u32 = 4;
/// For how long a goodbye is waited for.
const GOODBYE: Duration = Duration::from_millis(500);

type Outcome = Result<Answer, Fault>;

/// A question on its way to the task.
struct Job {
    command: Command,
    offset: u64,
    len: u32,
    answer: oneshot::Sender<Outcome>,
    /// Held until the answer is complete, also if nobody waits for it any more.
    units: OwnedSemaphorePermit,
}

/// A handle of a connection.
pub(super) struct Connection {
    jobs: mpsc::Sender<Job>,
    units: Arc<Semaphore>,
    /// The number of the map on this connection.
    has_map: bool,
    task: JoinHandle<()>,
}

impl Connection {
    /// Starts the task.
    pub(super) fn start(stream: BoxStream, terms: &Terms, silence: Duration) -> Self {
        let (jobs, queue) = mpsc::channel(QUESTIONS_MAX);
        let driver = Driver {
            stream,
            decoder: Decoder::new(terms.structured, terms.context),
            waiting: BTreeMap::new(),
            next: 1,
            silence,
            heard: Instant::now(),
        };
        Self {
            jobs,
            units: Arc::new(Semaphore::new(usize::try_from(UNITS_MAX).unwrap_or(1))),
            has_map: terms.context.is_some(),
            task: runtime::handle().spawn(driver.run(queue)),
        }
    }

    /// Whether it can still be used, as far as is known.
    pub(super) fn is_alive(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// Whether it has a map.
    pub(super) const fn has_map(&self) -> bool {
        self.has_map
    }

    /// How much is under way, in no particular unit.
    pub(super) fn load(&self) -> usize {
        let all = usize::try_from(UNITS_MAX).unwrap_or(1);
        all.saturating_sub(self.units.available_permits())
    }

    /// Sends a question, as soon as there is room for its answer. Gives where the answer will be.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn ask(
        &self,
        command: Command,
        offset: u64,
        len: u32,
    ) -> Result<oneshot::Receiver<Outcome>, Fault> {
        let want = match command {
            Command::Read => len.div_ceil(UNIT).clamp(1, UNITS_MAX),
            Command::BlockStatus | Command::Disconnect => 1,
        };
        let units = Arc::clone(&self.units).acquire_many_owned(want).await;
        let (answer, answered) = oneshot::channel();
        let job = Job {
            command,
            offset,
            len,
            answer,
            units: units.map_err(|_| gone())?,
        };
        self.jobs.send(job).await.map_err(|_| gone())?;
        Ok(answered)
    }

    /// Says goodbye and waits until the server has heard it, or half a second.
    pub(super) async fn close(self) {
        let Self { jobs, task, .. } = self;
        drop(jobs);
        // It ends by itself later if it does not now.
        let _ended = timeout(GOODBYE, task).await;
    }
}

/// The connection broke, or is broken already.
pub(super) fn gone() -> Fault {
    Fault::new(FaultKind::Unknown, "the connection to the server broke")
}

/// Who waits for an answer.
struct Waiting {
    command: Command,
    offset: u64,
    len: u32,
    asked: Instant,
    answer: oneshot::Sender<Outcome>,
    _units: OwnedSemaphorePermit,
}

struct Driver {
    stream: BoxStream,
    decoder: Decoder,
    /// By cookie, thus the oldest first.
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    silence: Duration,
    /// When the server last said something, or was last asked after it had answered everything.
    heard: Instant,
}

impl Driver {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let end = self.serve(&mut queue).await;
        // From here on nobody can ask any more, and who could is told.
        queue.close();
        let fault = match &end {
            Ok(()) => gone(),
            Err(fault) => fault.clone(),
        };
        if let Err(fault) = &end {
            tracing::debug!(%fault, "an NBD connection ends");
        }
        for (_, waiting) in std::mem::take(&mut self.waiting) {
            let _unheard = waiting.answer.send(Err(fault.clone()));
        }
        while let Some(job) = queue.recv().await {
            let _unheard = job.answer.send(Err(fault.clone()));
        }
        if end.is_ok() {
            let _unheard = timeout(GOODBYE, self.goodbye()).await;
        }
    }

    /// Until nobody can ask any more (`Ok`), or the connection cannot be used.
    async fn serve(&mut self, queue: &mut mpsc::Receiver<Job>) -> Result<(), Fault> {
        let mut buffer = vec![0; BUFFER_LEN];
        let mut answers = Vec::new();
        loop {
            let deadline = self.deadline();
            tokio::select! {
                job = queue.recv() => match job {
                    Some(job) => self.send(job).await?,
                    None => return Ok(()),
                },
                read = self.stream.read(&mut buffer) => {
                    let len = read.map_err(|error| {
                        let what = format!("the connection to the server broke: {error}");
                        Fault::new(FaultKind::Unknown, what)
                    })?;
                    if len == 0 {
                        let what = "the server closed the connection";
                        return Err(Fault::new(FaultKind::Unknown, what));
                    }
                    self.heard = Instant::now();
                    let now = buffer.get(..len).unwrap_or_default();
                    let fed = self.decoder.feed(now, &mut answers);
                    let ends = self.deliver(&mut answers);
                    fed.map_err(|violation| {
                        let what = format!("the server does not keep to the protocol: {violation}");
                        Fault::new(FaultKind::Unknown, what)
                    })?;
                    if ends {
                        let what = "the server is being shut down";
                        return Err(Fault::new(FaultKind::Unknown, what).with_code("ESHUTDOWN"));
                    }
                },
                () = sleep_until(deadline), if !self.waiting.is_empty() => {
                    let seconds = self.silence.as_secs_f32();
                    let what = format!("the server has not answered for {seconds} s or more");
                    return Err(Fault::new(FaultKind::Unknown, what));
                },
            }
        }
    }

    /// When to give up, while answers are due.
    fn deadline(&self) -> Instant {
        let silent = self.heard.checked_add(self.silence);
        let oldest = self.waiting.values().next();
        let patience = self.silence.saturating_mul(PATIENCE);
        let old = oldest.and_then(|waiting| waiting.asked.checked_add(patience));
        let ends = silent.into_iter().chain(old).min();
        ends.unwrap_or_else(Instant::now)
    }

    async fn send(&mut self, job: Job) -> Result<(), Fault> {
        // Who asked may be gone already. What has not been sent needs no answer.
        if job.answer.is_closed() {
            return Ok(());
        }
        let question = match job.command {
            Command::Read => Question::Read {
                offset: job.offset,
                len: job.len,
            },
            Command::BlockStatus => Question::Status { len: job.len },
            Command::Disconnect => return Ok(()),
        };
        let cookie = self.next;
        self.next = self.next.wrapping_add(1);
        let request = Request {
            command: job.command,
            cookie,
            offset: job.offset,
            len: job.len,
        };
        let now = Instant::now();
        if self.waiting.is_empty() {
            self.heard = now;
        }
        self.decoder.expect(cookie, question);
        let waiting = Waiting {
            command: job.command,
            offset: job.offset,
            len: job.len,
            asked: now,
            answer: job.answer,
            _units: job.units,
        };
        self.waiting.insert(cookie, waiting);
        let bytes = request.encode();
        let written = timeout(self.silence, async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            _ => Err(gone()),
        }
    }

    /// Whether the server wants to be left.
    fn deliver(&mut self, answers: &mut Vec<(u64, Answer)>) -> bool {
        let mut ends = false;
        for (cookie, answer) in answers.drain(..) {
            let Some(waiting) = self.waiting.remove(&cookie) else {
                continue;
            };
            let outcome = match answer {
                Answer::Failed(error) => {
                    ends |= errno::is_shutdown(&error);
                    Err(errno::fault(&doing(&waiting), &error))
                }
                answer => Ok(answer),
            };
            let _unheard = waiting.answer.send(outcome);
        }
        ends
    }

    async fn goodbye(&mut self) -> std::io::Result<()> {
        let bytes = Request::disconnect().encode();
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await?;
        self.stream.shutdown().await
    }
}

fn doing(waiting: &Waiting) -> String {
    let Waiting { offset, len, .. } = waiting;
    match waiting.command {
        Command::BlockStatus => format!("read the map of {len} bytes at {offset:#x}"),
        Command::Read | Command::Disconnect => format!("read {len} bytes at {offset:#x}"),
    }
}
