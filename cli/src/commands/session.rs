//! `flr session`: what this user's commands have made and not yet deleted, by the journal.

use super::Context;
use super::gc::{finish, tell};
use crate::args::{Session, SessionAction};
use crate::exit::Exit;
use crate::output::{Failure, Outcome, fields};
use flr_provider::clouds::{Way, Ways, cloud};
use flr_provider::config::{Source, SourceType, Values};
use flr_provider::engine::{
    Cleanup, Clock, Cloud, Engine, Error, Item, Liveness, MemoryStore, Nowhere, Parts, Processes,
    Record, SessionId, SessionRecord, Settings, SqliteStore, State, Store, StoreError, SystemClock,
    SystemProcesses, SystemRand, UnixTime, Why, state_dir,
};
use flr_provider::remote::{TokioClock, block_on};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A provider and a region, as the journal reaches them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) provider: String,
    pub(crate) region: String,
    pub(crate) way: Way,
}

/// Whose resources, and where: what options, variables and the configuration say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) way: Way,
    pub(crate) region: Option<String>,
}

impl Reach {
    pub(crate) fn of(values: &Values) -> Self {
        Self {
            way: Way {
                profile: values.profile().map(str::to_owned),
                endpoint: values.endpoint().map(str::to_owned),
                source: None,
            },
            region: values.region().map(str::to_owned),
        }
    }

    /// The same of a source. Of ONTAP the way leads by the source itself, which has the credentials.
    pub(crate) fn of_source(source: &Source, values: &Values) -> Self {
        let mut reach = Self::of(values);
        if source.kind == SourceType::Ontap {
            reach.way.source = Some(source.name.clone());
        }
        reach
    }
}

/// The journal of this user, and who asks.
pub(crate) struct Journal {
    store: Arc<dyn Store>,
    processes: Arc<SystemProcesses>,
    /// The way to take where the journal names none.
    way: Way,
}

impl Journal {
    /// The journal, if anything was ever written down.
    pub(crate) fn open() -> Outcome<Option<Self>> {
        let folder = state_dir().map_err(|error| store_failure(&error))?;
        let store = SqliteStore::open_existing(&folder).map_err(|error| store_failure(&error))?;
        let open = |store| Self::over(Arc::new(store));
        store.map(open).transpose()
    }

    /// An empty one, for what is known by its tags alone.
    pub(crate) fn empty() -> Outcome<Self> {
        Self::over(Arc::new(MemoryStore::default()))
    }

    fn over(store: Arc<dyn Store>) -> Outcome<Self> {
        let processes = SystemProcesses::new()
            .map_err(|error| Failure::new(Exit::Failed, format!("/proc: {error}")))?;
        Ok(Self {
            store,
            processes: Arc::new(processes),
            way: Way::default(),
        })
    }

    /// The same, reaching accounts as the user says where the journal says nothing.
    pub(crate) fn taking(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    fn sessions(&self) -> Outcome<Vec<SessionRecord>> {
        block_on(self.store.sessions()).map_err(|error| store_failure(&error).into())
    }

    /// Sessions whose owners have ended, and which are not kept on purpose.
    pub(crate) fn left_count(&self) -> Outcome<usize> {
        let sessions = self.sessions()?;
        let left = sessions
            .iter()
            .filter(|session| self.state(session) == "left");
        Ok(left.count())
    }

    fn records(&self, session: SessionId) -> Outcome<Vec<Record>> {
        block_on(self.store.records(session)).map_err(|error| store_failure(&error).into())
    }

    /// Where something may be, or is owed; one nameless place for sessions that have made nothing.
    pub(crate) fn scopes(&self) -> Outcome<BTreeSet<Place>> {
        let mut places = BTreeSet::new();
        for session in self.sessions()? {
            places.extend(self.places_of(&session)?);
        }
        let duties = block_on(self.store.duties()).map_err(|error| store_failure(&error))?;
        places.extend(duties.into_iter().map(|duty| Place {
            way: Way::among(&duty.parameters),
            provider: duty.scope.provider,
            region: duty.scope.region,
        }));
        Ok(places)
    }

    fn places_of(&self, session: &SessionRecord) -> Outcome<BTreeSet<Place>> {
        let records = self.records(session.id)?;
        let places = records.iter().map(|record| Place {
            provider: record.scope.provider.clone(),
            region: record.scope.region.clone(),
            way: Way::of(record),
        });
        let mut places: BTreeSet<_> = places.collect();
        if places.is_empty() {
            places.insert(Place::default());
        }
        Ok(places)
    }

    /// The engine for a place, and whether this program can ask its provider.
    pub(crate) fn engine(&self, place: &Place) -> Outcome<(Engine, bool)> {
        let taken = match place.way.is_default() {
            true => &self.way,
            false => &place.way,
        };
        let ways = Ways {
            recorded: place.way.clone(),
            taken: taken.clone(),
        };
        let (provider, region) = (place.provider.clone(), place.region.clone());
        let opened = cloud(&provider, &region, &ways).map_err(|error| provider_failure(&error))?;
        let reachable = opened.is_some();
        let cloud =
            opened.unwrap_or_else(|| -> Arc<dyn Cloud> { Arc::new(Nowhere { provider, region }) });
        let settings = Settings::from_env()
            .map_err(|what| Failure::new(Exit::Usage, what).hint("FLR_CONSISTENCY_WINDOW=120"))?;
        let processes: Arc<dyn Processes> = Arc::<SystemProcesses>::clone(&self.processes);
        let engine = Engine::new(Parts {
            cloud,
            store: Arc::clone(&self.store),
            clock: Arc::new(TokioClock),
            rand: Arc::new(SystemRand),
            processes,
            settings,
            interrupt: Arc::default(),
        });
        Ok((engine, reachable))
    }

    /// The session whose id begins with this.
    fn find(&self, start: &str) -> Outcome<SessionRecord> {
        let mut found: Vec<_> = self.sessions()?;
        found.retain(|session| session.id.to_string().starts_with(start));
        match (found.pop(), found.len()) {
            (Some(session), 0) => Ok(session),
            (None, _) => Err(no_session(start)),
            (Some(_), others) => {
                let count = others.saturating_add(1);
                let what = format!("{count} sessions begin with {start}");
                Err(Failure::new(Exit::Usage, what)
                    .hint("flr session ls")
                    .into())
            }
        }
    }

    fn state(&self, session: &SessionRecord) -> &'static str {
        let expired = SystemClock.wall() >= session.expires;
        match self.processes.liveness(&session.owner) {
            Liveness::Alive => "live",
            Liveness::Unknown => "elsewhere",
            Liveness::Dead if session.keep && !expired => "kept",
            Liveness::Dead => "left",
        }
    }
}

fn no_session(id: &str) -> crate::output::Stop {
    let what = format!("there is no session {id}");
    Failure::new(Exit::NoSuchSource, what)
        .hint("flr session ls")
        .into()
}

/// A failure of the journal in words.
fn store_failure(error: &StoreError) -> Failure {
    let failure = Failure::new(Exit::of_store(error), error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A failure of a provider in words.
pub(crate) fn provider_failure(error: &flr_provider::Error) -> Failure {
    let failure = Failure::new(Exit::of_provider(error), error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A failure of the engine in words.
pub(crate) fn engine_failure(error: &Error) -> Failure {
    match error {
        Error::Store(error) => store_failure(error),
        error => Failure::new(Exit::of_engine(error), error.to_string()),
    }
}

/// What sessions whose processes have ended did not delete.
pub(crate) fn remains(sessions: &[String]) -> Outcome<Cleanup> {
    let mut cleanup = Cleanup::default();
    if sessions.is_empty() {
        return Ok(cleanup);
    }
    let Some(journal) = Journal::open()? else {
        return Ok(cleanup);
    };
    let mut open = journal.sessions()?;
    open.retain(|session| sessions.contains(&session.id.to_string()));
    for session in open {
        for record in journal.records(session.id)? {
            let item = Item::of(&record);
            match (record.state, session.keep) {
                (State::Gone, _) => {}
                (_, true) => cleanup.kept.push((item, record.expires)),
                (_, false) => cleanup.left.push((item, Why::Deadline(None))),
            }
        }
    }
    Ok(cleanup)
}

/// Runs `session`.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Session) -> Outcome {
    let reach = Reach::of(&ctx.remote.config()?.effective(None));
    let journal = Journal::open()?.map(|journal| journal.taking(reach.way));
    match (&args.action, journal) {
        (SessionAction::Ls, None) => Ok(Exit::Done),
        (SessionAction::Ls, Some(journal)) => list(ctx, &journal),
        (
            SessionAction::Show { id }
            | SessionAction::Extend { id, .. }
            | SessionAction::Close { id },
            None,
        ) => Err(no_session(id)),
        (SessionAction::Show { id }, Some(journal)) => show(ctx, &journal, id),
        (SessionAction::Extend { id, ttl }, Some(journal)) => extend(ctx, &journal, id, *ttl),
        (SessionAction::Close { id }, Some(journal)) => close(ctx, &journal, id),
    }
}

fn list(ctx: &mut Context<'_>, journal: &Journal) -> Outcome {
    for session in journal.sessions()? {
        let records = journal.records(session.id)?;
        session_line(ctx, journal, &session, &records)?;
        ctx.tally.done();
    }
    Ok(Exit::Done)
}

fn show(ctx: &mut Context<'_>, journal: &Journal, id: &str) -> Outcome {
    let session = journal.find(id)?;
    let records = journal.records(session.id)?;
    session_line(ctx, journal, &session, &records)?;
    for record in &records {
        let item = Item::of(record);
        let state = record.state.name();
        let text = format!("  {state:9} {}", named(&item));
        let note = (!record.note.is_empty()).then_some(record.note.as_str());
        resource_line(ctx, &item, state, Some(record.expires), note, &text)?;
        ctx.tally.done();
    }
    Ok(Exit::Done)
}

fn extend(ctx: &mut Context<'_>, journal: &Journal, id: &str, ttl: Duration) -> Outcome {
    let session = journal.find(id)?;
    let expires = SystemClock.wall().plus(ttl);
    for place in journal.places_of(&session)? {
        let (engine, _) = journal.engine(&place)?;
        block_on(engine.extend_session(session.id, expires))
            .map_err(|error| engine_failure(&error))?;
    }
    let session = journal.find(id)?;
    let records = journal.records(session.id)?;
    session_line(ctx, journal, &session, &records)?;
    ctx.tally.done();
    Ok(Exit::Done)
}

fn close(ctx: &mut Context<'_>, journal: &Journal, id: &str) -> Outcome {
    let session = journal.find(id)?;
    let mut cleanup = Cleanup::default();
    for place in journal.places_of(&session)? {
        let (engine, _) = journal.engine(&place)?;
        let closed = block_on(engine.close_session(session.id));
        cleanup.add(closed.map_err(|error| engine_failure(&error))?);
    }
    tell(ctx, &cleanup)?;
    finish(ctx, &cleanup)
}

fn session_line(
    ctx: &mut Context<'_>,
    journal: &Journal,
    session: &SessionRecord,
    records: &[Record],
) -> Outcome<()> {
    let there = records.iter().filter(|record| record.state != State::Gone);
    let (state, count) = (journal.state(session), there.count());
    if ctx.out.json {
        let map = fields(json!({
            "session": session.id.to_string(), "state": state, "purpose": session.purpose,
            "owner": session.owner.to_string(), "pid": session.owner.pid,
            "created": session.created.to_string(), "expires": session.expires.to_string(),
            "keep": session.keep, "resources": count,
        }));
        return ctx.out.message("session", &map);
    }
    let owner = for_terminal(session.owner.to_string().as_bytes());
    let purpose = for_terminal(session.purpose.as_bytes());
    let (id, expires) = (session.id, session.expires);
    let things = if count == 1 { "resource" } else { "resources" };
    let line = format!("{id} {state:9} {expires} {count} {things} {owner} {purpose}");
    ctx.out.line(&line)
}

/// What people call a resource, fit to be shown.
pub(crate) fn named(item: &Item) -> String {
    let scope = &item.scope;
    let text = format!("{item} ({scope})");
    for_terminal(text.as_bytes())
}

/// The fields of a resource.
pub(crate) fn resource_fields(
    item: &Item,
    state: &str,
    expires: Option<UnixTime>,
    reason: Option<&str>,
) -> Map<String, Value> {
    let mut map = fields(json!({
        "session": item.session.to_string(), "op": item.op.to_string(),
        "provider": item.scope.provider, "account": item.scope.account,
        "region": item.scope.region, "kind": item.kind, "id": item.id, "state": state,
    }));
    if let Some(expires) = expires {
        map.insert("expires".into(), expires.to_string().into());
    }
    if let Some(reason) = reason {
        map.insert("reason".into(), reason.into());
    }
    map
}

/// A line about a resource.
pub(crate) fn resource_line(
    ctx: &mut Context<'_>,
    item: &Item,
    state: &str,
    expires: Option<UnixTime>,
    reason: Option<&str>,
    text: &str,
) -> Outcome<()> {
    if ctx.out.json {
        let map = resource_fields(item, state, expires, reason);
        return ctx.out.message("resource", &map);
    }
    ctx.out.line(text)
}
