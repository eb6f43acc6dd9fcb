//! The journal on a disk: what was committed is there, whatever happens to the file or the process.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may fail, and writes the files it needs"
)]

use flr_provider::engine::record::Moment;
use flr_provider::engine::{
    Duty, OpId, Owner, Record, Scope, SessionId, SessionRecord, SqliteStore, State, Store,
    StoreErrorKind, UnixTime, block_on,
};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

fn owner(pid: u32) -> Owner {
    Owner {
        host: "machine/web-1".into(),
        host_name: "web-1".into(),
        user: "alice".into(),
        pid,
        start_time: u64::MAX,
        boot: "boot".into(),
        namespace: "pid:[4026531836]".into(),
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(number: u32) -> T {
    format!("{number:032x}").parse().unwrap()
}

fn session(number: u32) -> SessionRecord {
    SessionRecord {
        id: id(number),
        owner: owner(7),
        purpose: "web-1@yesterday:/etc/\u{1f600} 'quoted'".into(),
        created: UnixTime(1_800_000_000),
        expires: UnixTime(1_800_001_800),
        keep: true,
        closed: false,
    }
}

fn record(session: SessionId, number: u32, sequence: u32) -> Record {
    let op: OpId = id(number);
    Record {
        op,
        session,
        sequence,
        scope: Scope {
            provider: "aws".into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
        },
        kind: "ebs-volume".into(),
        parent: "snap-0123456789abcdef0".into(),
        parameters: "{\"zone\":\"eu-west-1a\"}".into(),
        needs: vec![id(1), id(2)],
        owner_tag: "alice@web-1".into(),
        created: UnixTime(1_800_000_000),
        expires: UnixTime(1_800_001_800),
        state: State::Creating,
        attempt: 2,
        id: None,
        called: Some(Moment {
            boot: "boot".into(),
            since_boot: Duration::from_millis(12_345),
        }),
        doubtful: true,
        target: Some("i-0123456789abcdef0".into()),
        note: String::new(),
    }
}

#[test]
fn what_is_written_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state/flr");
    let first = session(1);
    let (a, b) = (record(first.id, 11, 0), record(first.id, 12, 1));
    {
        let store = SqliteStore::open(&folder).unwrap();
        block_on(store.begin(&first)).unwrap();
        block_on(store.insert(&first.owner, &[b.clone(), a.clone()])).unwrap();
        block_on(store.begin(&session(2))).unwrap();
    }
    let store = SqliteStore::open_existing(&folder).unwrap().unwrap();
    assert_eq!(
        block_on(store.sessions()).unwrap(),
        [first.clone(), session(2)]
    );
    assert_eq!(
        block_on(store.records(first.id)).unwrap(),
        [a.clone(), b.clone()]
    );
    let mut changed = a;
    changed.state = State::Created;
    changed.id = Some("vol-1".into());
    changed.called = None;
    changed.doubtful = false;
    changed.expires = UnixTime(1_900_000_000);
    changed.note = "503".into();
    block_on(store.update(&first.owner, &changed)).unwrap();
    let found = block_on(store.record(changed.op)).unwrap();
    assert_eq!(found, Some((first.clone(), changed)));
    let mut closed = first.clone();
    closed.closed = true;
    block_on(store.set_session(&closed)).unwrap();
    assert_eq!(block_on(store.sessions()).unwrap(), [session(2)]);
    block_on(store.forget(UnixTime(1_800_000_001))).unwrap();
    assert_eq!(block_on(store.record(b.op)).unwrap(), None);
    assert_eq!(
        block_on(store.sessions()).unwrap(),
        [session(2)],
        "an open one is never forgotten"
    );
}

#[test]
fn only_the_owner_changes_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("flr")).unwrap();
    let first = session(1);
    block_on(store.begin(&first)).unwrap();
    let record = record(first.id, 11, 0);
    block_on(store.insert(&first.owner, std::slice::from_ref(&record))).unwrap();
    let (old, new) = (owner(7), owner(8));
    assert!(!block_on(store.adopt(first.id, &new, &old)).unwrap());
    assert!(block_on(store.adopt(first.id, &old, &new)).unwrap());
    assert!(
        !block_on(store.adopt(first.id, &old, &new)).unwrap(),
        "once"
    );
    for error in [
        block_on(store.update(&old, &record)).unwrap_err(),
        block_on(store.insert(&old, std::slice::from_ref(&record))).unwrap_err(),
        block_on(store.set_session(&first)).unwrap_err(),
    ] {
        assert_eq!(error.kind, StoreErrorKind::Fenced);
    }
    block_on(store.update(&new, &record)).unwrap();
}

#[test]
fn nobody_else_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("flr");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let store = SqliteStore::open(&folder).unwrap();
    block_on(store.begin(&session(1))).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&folder), 0o700);
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        count += 1;
    }
    assert!(count >= 3, "database, log, lock: {count}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let error = SqliteStore::open(&folder).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied, "{error}");
}

fn duty(id: &str, due: Option<u64>) -> Duty {
    Duty {
        scope: Scope {
            provider: "ecs".into(),
            account: "1".into(),
            region: "cn-hangzhou".into(),
        },
        kind: "snapshot".into(),
        id: id.into(),
        parameters: "{}".into(),
        what: "it left the care of a backup service".into(),
        settle: "delete it".into(),
        due: due.map(UnixTime),
        session: session(1).id,
        op: record(session(1).id, 11, 0).op,
        created: UnixTime(5),
    }
}

#[test]
fn duties_are_kept_until_they_are_settled_in_a_journal_that_had_none_too() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("flr");
    let store = SqliteStore::open(&folder).unwrap();
    block_on(store.begin(&session(1))).unwrap();
    // As the first version left it.
    sql(store.path(), "DROP TABLE duty; PRAGMA user_version = 1");
    drop(store);
    let store = SqliteStore::open(&folder).unwrap();
    assert_eq!(block_on(store.sessions()).unwrap().len(), 1);
    for (id, due) in [("s-1", None), ("s-2", Some(7)), ("s-1", Some(9))] {
        block_on(store.put_duty(&duty(id, due))).unwrap();
    }
    drop(store);
    let store = SqliteStore::open(&folder).unwrap();
    let both = vec![duty("s-1", Some(9)), duty("s-2", Some(7))];
    assert_eq!(block_on(store.duties()).unwrap(), both);
    block_on(store.remove_duty(&duty("s-1", None))).unwrap();
    assert_eq!(block_on(store.duties()).unwrap(), both[1..]);
}

#[test]
fn a_link_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, dir.path().join("flr")).unwrap();
    assert!(SqliteStore::open(&dir.path().join("flr")).is_err());
    let folder = dir.path().join("other");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.join("state.db")).unwrap();
    assert!(SqliteStore::open(&folder).is_err());
}

#[test]
fn what_is_damaged_newer_or_not_ours_is_refused_and_left_alone() {
    type Case = (&'static str, fn(&Path), StoreErrorKind);
    let cases: [Case; 4] = [
        (
            "no database",
            |path| fs::write(path, "x".repeat(5000)).unwrap(),
            StoreErrorKind::Corrupt,
        ),
        (
            "another's",
            |path| sql(path, "CREATE TABLE a (b)"),
            StoreErrorKind::Corrupt,
        ),
        (
            "newer",
            |path| {
                sql(
                    path,
                    "PRAGMA application_id = 0x666c7231; PRAGMA user_version = 99",
                )
            },
            StoreErrorKind::Newer,
        ),
        (
            "damaged",
            |path| {
                drop(SqliteStore::open(path.parent().unwrap()).unwrap());
                let mut bytes = fs::read(path).unwrap();
                let len = bytes.len();
                assert!(len > 8192);
                bytes[4096..len].fill(0x5a);
                fs::write(path, bytes).unwrap();
            },
            StoreErrorKind::Corrupt,
        ),
    ];
    for (name, make, kind) in cases {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("flr");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("state.db");
        make(&path);
        let before = fs::read(&path).unwrap();
        let error = SqliteStore::open(&folder).map(drop).unwrap_err();
        assert_eq!(error.kind, kind, "{name}: {error}");
        assert!(error.to_string().contains("state.db"), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
    }
}

fn sql(path: &Path, text: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(text).unwrap();
}

#[test]
fn a_field_that_makes_no_sense_is_damage() {
    for text in [
        "UPDATE resource SET state = 'lost'",
        "UPDATE resource SET op = 'ABC'",
        "UPDATE resource SET created = -1",
        "UPDATE resource SET needs = 'none'",
        "UPDATE session SET start_time = '-1'",
        "UPDATE session SET pid = -1",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("flr");
        let store = SqliteStore::open(&folder).unwrap();
        let first = session(1);
        block_on(store.begin(&first)).unwrap();
        block_on(store.insert(&first.owner, &[record(first.id, 11, 0)])).unwrap();
        sql(store.path(), text);
        let sessions = block_on(store.sessions()).map(drop);
        let records = block_on(store.records(first.id)).map(drop);
        let error = sessions.and(records).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "{text}: {error}");
    }
}

/// A log that was cut off anywhere, as a power failure leaves it, holds the commits up to some point and
/// none in part.
#[test]
fn a_torn_log_is_a_shorter_log() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("flr");
    let store = SqliteStore::open(&folder).unwrap();
    let mut lens = Vec::new();
    let wal = folder.join("state.db-wal");
    for number in 1..=8 {
        let session = session(number);
        block_on(store.begin(&session)).unwrap();
        let records = [
            record(session.id, 100 + number, 0),
            record(session.id, 200 + number, 1),
        ];
        block_on(store.insert(&session.owner, &records)).unwrap();
        lens.push(fs::metadata(&wal).unwrap().len());
    }
    let (database, log) = (
        fs::read(folder.join("state.db")).unwrap(),
        fs::read(&wal).unwrap(),
    );
    let mut seen = std::collections::BTreeSet::new();
    let step = 2_999;
    for cut in (0..=log.len()).step_by(step).chain([log.len()]) {
        let torn = dir.path().join(format!("torn-{cut}"));
        fs::create_dir(&torn).unwrap();
        fs::set_permissions(&torn, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(torn.join("state.db"), &database).unwrap();
        fs::write(torn.join("state.db-wal"), &log[..cut]).unwrap();
        for file in ["state.db", "state.db-wal"] {
            fs::set_permissions(torn.join(file), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let store = SqliteStore::open(&torn).unwrap();
        let sessions = block_on(store.sessions()).unwrap();
        for (index, found) in sessions.iter().enumerate() {
            assert_eq!(*found, session(u32::try_from(index).unwrap() + 1));
            let records = block_on(store.records(found.id)).unwrap();
            let last = index + 1 == sessions.len();
            assert!(
                records.len() == 2 || (last && records.is_empty()),
                "at {cut}"
            );
        }
        // What was durable before the cut is there.
        let whole = lens
            .iter()
            .filter(|len| **len <= u64::try_from(cut).unwrap())
            .count();
        assert!(
            sessions.len() >= whole,
            "at {cut}: {} of {whole}",
            sessions.len()
        );
        seen.insert(sessions.len());
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
}

#[test]
fn several_at_once_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("flr");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let folder = &folder;
            scope.spawn(move || {
                // Each has a connection of its own, as processes have; the first makes the tables.
                let store = SqliteStore::open(folder).unwrap();
                for number in 0..10 {
                    let session = session(thread * 100 + number);
                    block_on(store.begin(&session)).unwrap();
                    let record = record(session.id, thread * 100 + number, 0);
                    block_on(store.insert(&session.owner, &[record])).unwrap();
                }
            });
        }
    });
    let store = SqliteStore::open(&folder).unwrap();
    assert_eq!(block_on(store.sessions()).unwrap().len(), 80);
}

#[test]
fn without_a_journal_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("flr");
    assert!(SqliteStore::open_existing(&folder).unwrap().is_none());
    assert!(!folder.exists());
}
