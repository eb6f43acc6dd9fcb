//! `flr session` and `flr gc` over a journal that other processes have left.

use crate::place::Place;
use crate::schema::check;
use flr_provider::engine::record::Moment;
use flr_provider::engine::{
    Owner, Processes, Record, Scope, SessionRecord, SqliteStore, State, Store, SystemProcesses,
    UnixTime, block_on,
};
use std::time::Duration;

/// A session id that is easy to tell.
pub(crate) fn id(digit: char) -> String {
    std::iter::repeat_n(digit, 32).collect()
}

/// A process that is no more: of this machine, and of another boot of it.
fn dead() -> Owner {
    let mut owner = SystemProcesses::new().unwrap().current();
    owner.boot = "another".into();
    owner.pid = 4242;
    owner.user = "alice".into();
    owner.host_name = "web-1".into();
    owner
}

fn session(digit: char, owner: Owner, keep: bool) -> SessionRecord {
    SessionRecord {
        id: id(digit).parse().unwrap(),
        owner,
        purpose: format!("mars:web-{digit}@yesterday:/etc\u{1b}[m"),
        created: UnixTime(1_800_000_000),
        expires: UnixTime(if keep { 4_000_000_000 } else { 1_800_001_800 }),
        keep,
        closed: false,
    }
}

fn record(session: &SessionRecord, op: char, state: State) -> Record {
    Record {
        op: id(op).parse().unwrap(),
        session: session.id,
        sequence: 0,
        scope: Scope {
            // One that is not built in.
            provider: "mars".into(),
            account: "123456789012".into(),
            region: "olympus-1".into(),
        },
        kind: "disk".into(),
        parent: "snap-0123456789abcdef0".into(),
        parameters: String::new(),
        needs: Vec::new(),
        owner_tag: "alice@web-1".into(),
        created: session.created,
        expires: session.expires,
        state,
        attempt: 1,
        id: (state >= State::Created).then(|| format!("d-0{op}")),
        called: (state > State::Intent).then(|| Moment {
            boot: "another".into(),
            since_boot: Duration::from_secs(60),
        }),
        doubtful: false,
        target: None,
        note: String::new(),
    }
}

/// Sessions `a` to `e`: created, called, only intended, kept, and without anything.
pub(crate) fn leave_behind(place: &Place) {
    put(
        place,
        [
            (session('a', dead(), false), vec![('1', State::Created)]),
            (session('b', dead(), false), vec![('2', State::Creating)]),
            (session('c', dead(), false), vec![('3', State::Intent)]),
            (session('d', dead(), true), vec![('4', State::Ready)]),
            (session('e', dead(), false), vec![]),
        ],
    );
}

/// These, and `f` of this process.
fn leave_behind_and_live(place: &Place) {
    leave_behind(place);
    let me = SystemProcesses::new().unwrap().current();
    put(
        place,
        [(session('f', me, false), vec![('5', State::Ready)])],
    );
}

fn put<const N: usize>(place: &Place, sessions: [(SessionRecord, Vec<(char, State)>); N]) {
    let store = SqliteStore::open(&place.path("state/flr")).unwrap();
    for (session, records) in sessions {
        block_on(store.begin(&session)).unwrap();
        for (op, state) in records {
            let record = record(&session, op, state);
            block_on(store.insert(&session.owner, &[record])).unwrap();
        }
    }
}

#[test]
fn the_owner_of_what_is_out_of_reach_is_still_named() {
    let place = Place::new();
    leave_behind(&place);
    place.run(&["gc"]);
    let said = place.run(&["session", "show", "a"]).quiet();
    assert!(said.contains("alice@web-1 (process 4242)"), "{said}");
}

fn ids(place: &Place) -> Vec<String> {
    let said = place.run(&["session", "ls"]).quiet();
    said.lines().map(|line| line[..1].to_owned()).collect()
}

#[test]
fn what_needs_no_provider_is_closed_and_the_rest_is_named() {
    let place = Place::new();
    leave_behind_and_live(&place);
    assert_eq!(ids(&place), ["a", "b", "c", "d", "e", "f"]);
    let said = place.run(&["gc", "-n"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out.matches("would delete").count(), 3, "{}", said.out);
    assert_eq!(ids(&place).len(), 6, "nothing was done");
    for _ in 0..2 {
        let said = place.run(&["gc", "--json"]);
        assert_eq!(said.code, 20, "{}", said.err);
        let last = check(said.err.lines().last().unwrap());
        let resources = last["resources"].as_array().unwrap();
        let named: Vec<_> = resources.iter().map(|one| one["id"].as_str()).collect();
        assert_eq!(named, [Some("d-01"), None]);
        for line in said.out.lines().chain(said.err.lines()) {
            check(line);
        }
        assert_eq!(
            ids(&place),
            ["a", "b", "d", "f"],
            "kept, in use, or out of reach"
        );
    }
}

#[test]
fn a_session_of_a_process_that_lives_is_not_touched() {
    let place = Place::new();
    leave_behind_and_live(&place);
    for args in [&["session", "close", "f"][..], &["session", "extend", "f"]] {
        let said = place.run(args);
        assert_eq!(said.code, 11, "{}", said.err);
        assert!(said.err.contains("a process that lives"), "{}", said.err);
    }
    assert_eq!(ids(&place).len(), 6);
}

#[test]
fn the_journal_is_not_made_by_looking() {
    let place = Place::new();
    assert_eq!(place.run(&["session", "ls"]).quiet(), "");
    let said = place.run(&["gc"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(!place.path("state").exists());
}

#[test]
fn a_journal_that_cannot_be_used_is_no_clean_journal() {
    let place = Place::new();
    leave_behind(&place);
    std::fs::remove_file(place.path("state/flr/state.db-wal")).ok();
    std::fs::write(place.path("state/flr/state.db"), "x".repeat(9000)).unwrap();
    for args in [&["gc"][..], &["session", "ls"]] {
        let said = place.run(args);
        assert_eq!(said.code, 9, "{}", said.err);
        assert!(
            said.err.contains("state.db") && said.err.contains("hint:"),
            "{}",
            said.err
        );
    }
}
