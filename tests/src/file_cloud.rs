//! A provider that is a folder: one JSON file for each resource. What it has survives the process that
//! made it, so that a process can really be killed in the middle.
//!
//! Every call and every write to the journal has two steps, before and behind its effect. A process
//! that was told to dies at one of them, by SIGKILL.

use flr_provider::engine::store::Stored;
use flr_provider::engine::{
    Answer, AttachCall, Attachment, Cloud, CreateCall, DeleteCall, Duty, Fault, FaultKind,
    Identity, Kind, OpId, Owner, Phase, Record, Repeat, Seen, SessionId, SessionRecord,
    SqliteStore, Store, TagCall, UnixTime, tags,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts steps, and ends the process at one of them.
#[derive(Debug, Default)]
pub struct Steps {
    count: AtomicU64,
    killed_at: Option<u64>,
}

impl Steps {
    /// Steps of which one may be the last.
    #[must_use]
    pub const fn new(killed_at: Option<u64>) -> Self {
        Self {
            count: AtomicU64::new(0),
            killed_at,
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn step(&self) {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if Some(number) == self.killed_at {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).expect("to be killed");
            loop {
                std::thread::park();
            }
        }
    }
}

/// The provider.
#[derive(Debug)]
pub struct FileCloud {
    /// Its folder.
    pub folder: PathBuf,
    /// Steps of this process.
    pub steps: Arc<Steps>,
}

fn io_fault(error: &io::Error) -> Fault {
    Fault::new(FaultKind::Refused, error.to_string())
}

/// A resource as its file has it.
fn read(path: &Path) -> Result<Option<(Seen, String)>, Fault> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_fault(&error)),
    };
    let value: Value = serde_json::from_str(&text).expect("a resource");
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let pairs = value["tags"].as_object().expect("tags").iter();
    let tags = pairs.map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned()));
    let attachment = match value["target"].as_str() {
        None => Attachment::Free,
        Some(target) => Attachment::Attached(target.to_owned()),
    };
    let seen = Seen {
        kind: text("kind"),
        id: text("id"),
        phase: Phase::Ready,
        attachment,
        tags: tags.collect(),
    };
    Ok(Some((seen, text("token"))))
}

#[expect(clippy::disallowed_methods, reason = "a made-up provider")]
fn write(path: &Path, seen: &Seen, token: &str) -> Result<(), Fault> {
    let text = json!({
        "kind": seen.kind, "id": seen.id, "tags": seen.tags, "token": token,
        "target": seen.attachment.target(),
    });
    fs::write(path, text.to_string()).map_err(|error| io_fault(&error))
}

impl FileCloud {
    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn all(&self) -> Result<Vec<(Seen, String)>, Fault> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(|error| io_fault(&error))? {
            let path = entry.map_err(|error| io_fault(&error))?.path();
            all.extend(read(&path)?);
        }
        all.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        Ok(all)
    }

    /// Does something between two steps.
    fn act<'a, T: Send + 'a>(
        &'a self,
        act: impl FnOnce() -> Result<T, Fault> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            self.steps.step();
            let result = act();
            self.steps.step();
            result
        })
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Seen)) -> Result<(), Fault> {
        let gone = || Fault::new(FaultKind::NotFound, "no such resource");
        let (mut seen, token) = read(&self.path(id))?.ok_or_else(gone)?;
        change(&mut seen);
        write(&self.path(id), &seen, &token)
    }

    fn create_now(&self, call: &CreateCall<'_>) -> Result<String, Fault> {
        let known = self
            .all()?
            .into_iter()
            .find(|(_, token)| token == call.token());
        if let Some((seen, _)) = known {
            return Ok(seen.id);
        }
        let pairs = call.tags().iter().cloned();
        let seen = Seen {
            kind: call.record().kind.clone(),
            id: format!("{}-{}", call.record().kind, &call.token()[..12]),
            phase: Phase::Ready,
            attachment: Attachment::Free,
            tags: pairs.map(|(key, value)| (key.to_owned(), value)).collect(),
        };
        write(&self.path(&seen.id), &seen, call.token())?;
        Ok(seen.id)
    }

    #[expect(clippy::disallowed_methods, reason = "a made-up provider")]
    fn delete_now(&self, id: &str) -> Result<(), Fault> {
        match read(&self.path(id))? {
            None => Err(Fault::new(FaultKind::NotFound, "no such resource")),
            Some((seen, _)) if seen.attachment != Attachment::Free => {
                Err(Fault::new(FaultKind::InUse, "it is attached"))
            }
            Some(_) => fs::remove_file(self.path(id)).map_err(|error| io_fault(&error)),
        }
    }
}

impl Cloud for FileCloud {
    fn provider(&self) -> &str {
        "file"
    }

    fn region(&self) -> &str {
        "here"
    }

    fn kind(&self, kind: &str) -> Kind {
        Kind {
            repeat: Repeat::Token,
            consistent: kind == "lun",
            taggable: true,
        }
    }

    fn identity(&self) -> Answer<'_, Identity> {
        self.act(|| {
            Ok(Identity {
                account: "111".into(),
                time: None,
            })
        })
    }

    fn create<'a>(&'a self, call: CreateCall<'a>) -> Answer<'a, String> {
        self.act(move || self.create_now(&call))
    }

    fn describe<'a>(&'a self, _: &'a str, id: &'a str) -> Answer<'a, Option<Seen>> {
        self.act(move || Ok(read(&self.path(id))?.map(|(seen, _)| seen)))
    }

    fn find<'a>(&'a self, kind: &'a str, op: OpId) -> Answer<'a, Vec<Seen>> {
        self.act(move || {
            let op = op.to_string();
            let all = self.all()?.into_iter().map(|(seen, _)| seen);
            let of_op =
                all.filter(|seen| seen.kind == kind && seen.tags.get(tags::OP) == Some(&op));
            Ok(of_op.collect())
        })
    }

    fn list(&self) -> Answer<'_, Vec<Seen>> {
        self.act(move || {
            let all = self.all()?.into_iter().map(|(seen, _)| seen);
            let tagged = all.filter(|seen| seen.tags.contains_key(tags::SESSION));
            Ok(tagged.collect())
        })
    }

    fn attach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()> {
        let target = Attachment::Attached(call.target().to_owned());
        self.act(move || self.change(call.id(), |seen| seen.attachment = target))
    }

    fn detach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()> {
        self.act(move || self.change(call.id(), |seen| seen.attachment = Attachment::Free))
    }

    fn tag<'a>(&'a self, call: TagCall<'a>) -> Answer<'a, ()> {
        let pairs = call.tags().iter().cloned();
        let tags: BTreeMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value)).collect();
        self.act(move || self.change(call.id(), |seen| seen.tags.extend(tags)))
    }

    fn delete<'a>(&'a self, call: DeleteCall<'a>) -> Answer<'a, ()> {
        self.act(move || self.delete_now(call.id()))
    }
}

/// The real journal, with a step before and behind each write.
#[derive(Debug)]
pub struct SteppedStore {
    /// The journal.
    pub store: SqliteStore,
    /// Steps of this process.
    pub steps: Arc<Steps>,
}

impl SteppedStore {
    fn write<'a, T: Send + 'a>(&'a self, write: impl FnOnce() -> Stored<'a, T>) -> Stored<'a, T> {
        self.steps.step();
        let written = write();
        self.steps.step();
        written
    }
}

impl Store for SteppedStore {
    fn begin<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()> {
        self.write(|| self.store.begin(session))
    }

    fn set_session<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()> {
        self.write(|| self.store.set_session(session))
    }

    fn adopt<'a>(&'a self, session: SessionId, from: &'a Owner, to: &'a Owner) -> Stored<'a, bool> {
        self.write(|| self.store.adopt(session, from, to))
    }

    fn insert<'a>(&'a self, owner: &'a Owner, records: &'a [Record]) -> Stored<'a, ()> {
        self.write(|| self.store.insert(owner, records))
    }

    fn update<'a>(&'a self, owner: &'a Owner, record: &'a Record) -> Stored<'a, ()> {
        self.write(|| self.store.update(owner, record))
    }

    fn sessions(&self) -> Stored<'_, Vec<SessionRecord>> {
        self.store.sessions()
    }

    fn records(&self, session: SessionId) -> Stored<'_, Vec<Record>> {
        self.store.records(session)
    }

    fn record(&self, op: OpId) -> Stored<'_, Option<(SessionRecord, Record)>> {
        self.store.record(op)
    }

    fn put_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()> {
        self.write(|| self.store.put_duty(duty))
    }

    fn duties(&self) -> Stored<'_, Vec<Duty>> {
        self.store.duties()
    }

    fn remove_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()> {
        self.write(|| self.store.remove_duty(duty))
    }

    fn forget(&self, before: UnixTime) -> Stored<'_, ()> {
        self.store.forget(before)
    }
}
