//! Duties, looked after by the engine against a provider that says what is gone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use flr_provider::engine::{
    Answer, AttachCall, Clock, Cloud, CreateCall, DeleteCall, Duty, DutyState, Engine, Fault,
    FaultKind, Identity, Kind, MemoryStore, OpId, Owed, Parts, Plan, Repeat, Seen, Session,
    Settings, Store, SystemClock, SystemProcesses, SystemRand, TagCall, UnixTime, block_on,
};
use std::collections::BTreeSet;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A provider where snapshots are there, or not, and nothing can be made.
#[derive(Debug, Default)]
struct Snapshots {
    gone: Mutex<BTreeSet<String>>,
    account: Mutex<String>,
    silent: Mutex<bool>,
}

fn refused<'a, T: Send + 'a>() -> Answer<'a, T> {
    let fault = Fault::new(FaultKind::Quota, "nothing can be made here");
    Box::pin(ready(Err(fault)))
}

impl Cloud for Snapshots {
    fn provider(&self) -> &'static str {
        "there"
    }

    fn region(&self) -> &'static str {
        "here"
    }

    fn kind(&self, _: &str) -> Kind {
        Kind {
            repeat: Repeat::Token,
            consistent: true,
            taggable: true,
        }
    }

    fn identity(&self) -> Answer<'_, Identity> {
        let account = self.account.lock().unwrap().clone();
        Box::pin(ready(Ok(Identity {
            account,
            time: None,
        })))
    }

    fn create<'a>(&'a self, _: CreateCall<'a>) -> Answer<'a, String> {
        refused()
    }

    fn describe<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Option<Seen>> {
        Box::pin(ready(Ok(None)))
    }

    fn find<'a>(&'a self, _: &'a str, _: OpId) -> Answer<'a, Vec<Seen>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn list(&self) -> Answer<'_, Vec<Seen>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn reaches_duty(&self, duty: &Duty) -> bool {
        duty.parameters == "this way"
    }

    fn is_settled<'a>(&'a self, duty: &'a Duty) -> Answer<'a, bool> {
        let silent = *self.silent.lock().unwrap();
        Box::pin(ready(match silent {
            true => Err(Fault::new(FaultKind::Denied, "not allowed")),
            false => Ok(self.gone.lock().unwrap().contains(&duty.id)),
        }))
    }

    fn attach<'a>(&'a self, _: AttachCall<'a>) -> Answer<'a, ()> {
        refused()
    }

    fn detach<'a>(&'a self, _: AttachCall<'a>) -> Answer<'a, ()> {
        refused()
    }

    fn tag<'a>(&'a self, _: TagCall<'a>) -> Answer<'a, ()> {
        refused()
    }

    fn delete<'a>(&'a self, _: DeleteCall<'a>) -> Answer<'a, ()> {
        refused()
    }
}

struct Bench {
    cloud: Arc<Snapshots>,
    store: Arc<MemoryStore>,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        let cloud = Arc::new(Snapshots::default());
        "1".clone_into(&mut cloud.account.lock().unwrap());
        let store = Arc::new(MemoryStore::default());
        let engine = Engine::new(Parts {
            cloud: cloud.clone(),
            store: store.clone(),
            clock: Arc::new(SystemClock),
            rand: Arc::new(SystemRand),
            processes: Arc::new(SystemProcesses::new().unwrap()),
            settings: Settings::default(),
            interrupt: Arc::default(),
        });
        Self {
            cloud,
            store,
            engine,
        }
    }

    /// A session with one operation that is planned.
    fn session(&self, way: &str) -> (Session, OpId) {
        let mut session = block_on(self.engine.open("test", false)).unwrap();
        let plan = Plan {
            kind: "disk".into(),
            parent: "s-1".into(),
            parameters: way.into(),
            needs: Vec::new(),
        };
        let ops = block_on(session.prepare(vec![plan])).unwrap();
        (session, ops[0])
    }

    fn look(&self, dry_run: bool) -> Vec<(String, DutyState)> {
        let told = block_on(self.engine.look_after_duties(dry_run)).unwrap();
        let pairs = told.into_iter().map(|(duty, state)| (duty.id, state));
        pairs.collect()
    }

    fn duties(&self) -> Vec<Duty> {
        block_on(self.store.duties()).unwrap()
    }
}

fn owed(id: &str, due: Option<UnixTime>) -> Owed {
    Owed {
        kind: "snapshot".into(),
        id: id.into(),
        what: "it stays".into(),
        settle: format!("delete {id}"),
        due,
    }
}

fn in_an_hour() -> UnixTime {
    SystemClock.wall().plus(Duration::from_secs(3600))
}

fn told(id: &str, state: DutyState) -> (String, DutyState) {
    (id.to_owned(), state)
}

#[test]
fn duties_are_owed_then_due_then_settled() {
    let bench = Bench::new();
    let (session, op) = bench.session("this way");
    let past = UnixTime(1_000_000_000);
    for (id, due) in [
        ("s-1", Some(in_an_hour())),
        ("s-2", Some(past)),
        ("s-3", None),
    ] {
        block_on(session.owe(op, owed(id, due)))
            .unwrap()
            .expect("a new one");
    }
    let mut all = vec![
        told("s-1", DutyState::Owed),
        told("s-2", DutyState::Due),
        told("s-3", DutyState::Due),
    ];
    let sorted = |mut told: Vec<(String, DutyState)>| {
        told.sort_by(|a, b| a.0.cmp(&b.0));
        told
    };
    assert_eq!(sorted(bench.look(false)), all);
    // What is gone is forgotten, unless it is only to be told.
    bench.cloud.gone.lock().unwrap().insert("s-2".into());
    all[1].1 = DutyState::Settled;
    assert_eq!(sorted(bench.look(true)), all);
    assert_eq!(sorted(bench.look(false)), all);
    all.remove(1);
    assert_eq!(sorted(bench.look(false)), all);
    assert_eq!(bench.duties().len(), 2);
    drop(session);
}

#[test]
fn nobody_else_says_that_a_duty_is_settled() {
    let bench = Bench::new();
    let (session, op) = bench.session("this way");
    block_on(session.owe(op, owed("s-1", None))).unwrap();
    let (elsewhere, other) = bench.session("another way");
    block_on(elsewhere.owe(other, owed("s-2", None))).unwrap();
    bench
        .cloud
        .gone
        .lock()
        .unwrap()
        .extend(["s-1".into(), "s-2".into()]);
    // In another account everything is gone.
    "2".clone_into(&mut bench.cloud.account.lock().unwrap());
    let looked = bench.look(false);
    assert_eq!(looked.len(), 1, "{looked:?}");
    let DutyState::Unknown(why) = &looked[0].1 else {
        panic!("{looked:?}")
    };
    assert!(why.contains("account 1") && why.contains("of 2"), "{why}");
    "1".clone_into(&mut bench.cloud.account.lock().unwrap());
    *bench.cloud.silent.lock().unwrap() = true;
    let looked = bench.look(false);
    assert!(matches!(&looked[0].1, DutyState::Unknown(why) if why.contains("not allowed")));
    *bench.cloud.silent.lock().unwrap() = false;
    assert_eq!(bench.look(false), [told("s-1", DutyState::Settled)]);
    // That of another way is not this one's concern.
    assert_eq!(bench.duties()[0].id, "s-2");
    drop((session, elsewhere));
}

#[test]
fn one_resource_has_one_duty_with_the_time_that_was_known_last() {
    let bench = Bench::new();
    let (session, op) = bench.session("this way");
    let (first, later) = (in_an_hour(), in_an_hour().plus(Duration::from_secs(60)));
    block_on(session.owe(op, owed("s-1", Some(first))))
        .unwrap()
        .expect("a new one");
    let again = block_on(session.owe(op, owed("s-1", None))).unwrap();
    assert_eq!(again, None);
    assert_eq!(bench.duties()[0].due, Some(first));
    let again = block_on(session.owe(op, owed("s-1", Some(later)))).unwrap();
    assert_eq!(again, None);
    assert_eq!(bench.duties()[0].due, Some(later));
    assert_eq!(bench.duties().len(), 1);
    drop(session);
}

#[test]
fn a_duty_is_withdrawn_only_if_nothing_was_made() {
    let bench = Bench::new();
    let (mut session, op) = bench.session("this way");
    let duty = block_on(session.owe(op, owed("s-1", None))).unwrap();
    assert!(!session.is_known_not_made(op), "it was not tried yet");
    block_on(session.create(op)).unwrap_err();
    assert!(session.is_known_not_made(op));
    block_on(session.withdraw(&duty.expect("a new one"))).unwrap();
    assert!(bench.duties().is_empty());
    let nobody = OpId::random(&SystemRand);
    assert!(!session.is_known_not_made(nobody));
    block_on(session.owe(nobody, owed("s-1", None))).unwrap_err();
    drop(session);
}
