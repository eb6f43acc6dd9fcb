//! The tables of the SQLite store, and how records become rows.
//!
//! Version 2. `user_version` holds the version, `application_id` says whose file it is. A file of a
//! later version is not touched. Version 1 had no duties; it is upgraded when it is opened.

use super::{StoreError, StoreErrorKind};
use crate::engine::duty::Duty;
use crate::engine::owner::Owner;
use crate::engine::record::{Moment, Record, Scope, SessionRecord};
use crate::engine::time::UnixTime;
use rusqlite::{Connection, Row, Statement, named_params};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// The version that is written here.
pub(super) const VERSION: i64 = 2;

/// `flr` and a 1 in ASCII: whose file it is.
pub(super) const APPLICATION: i64 = 0x666c_7231;

const TABLES: &str = "
CREATE TABLE session (
    id TEXT PRIMARY KEY NOT NULL,
    host TEXT NOT NULL,
    host_name TEXT NOT NULL,
    user TEXT NOT NULL,
    pid INTEGER NOT NULL,
    start_time TEXT NOT NULL,
    boot TEXT NOT NULL,
    namespace TEXT NOT NULL,
    purpose TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    keep INTEGER NOT NULL,
    closed INTEGER NOT NULL
) STRICT;
CREATE TABLE resource (
    op TEXT PRIMARY KEY NOT NULL,
    session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    provider TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    parameters TEXT NOT NULL,
    needs TEXT NOT NULL,
    owner_tag TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    id TEXT,
    called_boot TEXT,
    called_ms INTEGER,
    doubtful INTEGER NOT NULL,
    target TEXT,
    note TEXT NOT NULL,
    UNIQUE (session, sequence)
) STRICT;
";

const DUTIES: &str = "
CREATE TABLE IF NOT EXISTS duty (
    provider TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    parameters TEXT NOT NULL,
    what TEXT NOT NULL,
    settle TEXT NOT NULL,
    due INTEGER,
    session TEXT NOT NULL,
    op TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (provider, account, region, kind, id)
) STRICT;
";

/// Makes the tables of an empty database. Within a transaction of the caller.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    upgrade(connection)
}

/// Adds what version 1 did not have. Within a transaction of the caller.
pub(super) fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(DUTIES)?;
    connection.pragma_update(None, "user_version", VERSION)
}

pub(super) const PUT_DUTY: &str = "INSERT INTO duty VALUES (:provider, :account, :region, :kind, :id, \
    :parameters, :what, :settle, :due, :session, :op, :created) \
    ON CONFLICT (provider, account, region, kind, id) DO UPDATE SET parameters = :parameters, \
    what = :what, settle = :settle, due = :due, session = :session, op = :op, \
    created = :created";

pub(super) fn put_duty(statement: &mut Statement<'_>, duty: &Duty) -> rusqlite::Result<usize> {
    statement.execute(named_params! {
        ":provider": duty.scope.provider,
        ":account": duty.scope.account,
        ":region": duty.scope.region,
        ":kind": duty.kind,
        ":id": duty.id,
        ":parameters": duty.parameters,
        ":what": duty.what,
        ":settle": duty.settle,
        ":due": duty.due.map(seconds),
        ":session": duty.session.to_string(),
        ":op": duty.op.to_string(),
        ":created": seconds(duty.created),
    })
}

pub(super) fn duty(row: &Row<'_>) -> Result<Duty, StoreError> {
    let due: Option<i64> = get(row, "due")?;
    let due = due.map(|seconds| u64::try_from(seconds).map(UnixTime));
    Ok(Duty {
        scope: scope(row)?,
        kind: get(row, "kind")?,
        id: get(row, "id")?,
        parameters: get(row, "parameters")?,
        what: get(row, "what")?,
        settle: get(row, "settle")?,
        due: due.transpose().map_err(|error| corrupt("due", error))?,
        session: parsed(row, "session")?,
        op: parsed(row, "op")?,
        created: time(row, "created")?,
    })
}

fn scope(row: &Row<'_>) -> Result<Scope, StoreError> {
    Ok(Scope {
        provider: get(row, "provider")?,
        account: get(row, "account")?,
        region: get(row, "region")?,
    })
}

pub(super) const INSERT_SESSION: &str = "INSERT INTO session VALUES (:id, :host, :host_name, :user, \
    :pid, :start_time, :boot, :namespace, :purpose, :created, :expires, :keep, :closed)";

pub(super) const PUT_RESOURCE: &str = "INSERT INTO resource VALUES (:op, :session, :sequence, \
    :provider, :account, :region, :kind, :parent, :parameters, :needs, :owner_tag, :created, \
    :expires, :state, :attempt, :id, :called_boot, :called_ms, :doubtful, :target, :note) \
    ON CONFLICT (op) DO UPDATE SET expires = :expires, state = :state, attempt = :attempt, \
    id = :id, called_boot = :called_boot, called_ms = :called_ms, doubtful = :doubtful, \
    target = :target, note = :note";

pub(super) fn insert_session(
    statement: &mut Statement<'_>,
    session: &SessionRecord,
) -> rusqlite::Result<usize> {
    let owner = &session.owner;
    statement.execute(named_params! {
        ":id": session.id.to_string(),
        ":host": owner.host,
        ":host_name": owner.host_name,
        ":user": owner.user,
        ":pid": owner.pid,
        // 64 bits without a sign do not fit into SQLite's integers.
        ":start_time": owner.start_time.to_string(),
        ":boot": owner.boot,
        ":namespace": owner.namespace,
        ":purpose": session.purpose,
        ":created": seconds(session.created),
        ":expires": seconds(session.expires),
        ":keep": session.keep,
        ":closed": session.closed,
    })
}

pub(super) fn put_resource(
    statement: &mut Statement<'_>,
    record: &Record,
) -> rusqlite::Result<usize> {
    let needs: Vec<_> = record.needs.iter().map(ToString::to_string).collect();
    let called = record.called.as_ref();
    let called_ms = called.map(|moment| moment.since_boot.as_millis());
    statement.execute(named_params! {
        ":op": record.op.to_string(),
        ":session": record.session.to_string(),
        ":sequence": record.sequence,
        ":provider": record.scope.provider,
        ":account": record.scope.account,
        ":region": record.scope.region,
        ":kind": record.kind,
        ":parent": record.parent,
        ":parameters": record.parameters,
        ":needs": needs.join(" "),
        ":owner_tag": record.owner_tag,
        ":created": seconds(record.created),
        ":expires": seconds(record.expires),
        ":state": record.state.name(),
        ":attempt": record.attempt,
        ":id": record.id,
        ":called_boot": called.map(|moment| &moment.boot),
        ":called_ms": called_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
        ":doubtful": record.doubtful,
        ":target": record.target,
        ":note": record.note,
    })
}

/// SQLite's integers have a sign.
pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// A field of a row, or what is wrong with it.
fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, name: &str) -> Result<T, StoreError> {
    row.get(name).map_err(|error| corrupt(name, error))
}

/// A field that is written as text.
fn parsed<T: FromStr>(row: &Row<'_>, name: &str) -> Result<T, StoreError> {
    let text: String = get(row, name)?;
    text.parse().map_err(|_| corrupt(name, format!("{text:?}")))
}

fn time(row: &Row<'_>, name: &str) -> Result<UnixTime, StoreError> {
    let seconds: i64 = get(row, name)?;
    u64::try_from(seconds)
        .map(UnixTime)
        .map_err(|error| corrupt(name, error))
}

fn corrupt(name: &str, why: impl Display) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!("the journal is damaged: {name}: {why}"),
    )
}

pub(super) fn session(row: &Row<'_>) -> Result<SessionRecord, StoreError> {
    Ok(SessionRecord {
        id: parsed(row, "id")?,
        owner: Owner {
            host: get(row, "host")?,
            host_name: get(row, "host_name")?,
            user: get(row, "user")?,
            pid: get(row, "pid")?,
            start_time: parsed(row, "start_time")?,
            boot: get(row, "boot")?,
            namespace: get(row, "namespace")?,
        },
        purpose: get(row, "purpose")?,
        created: time(row, "created")?,
        expires: time(row, "expires")?,
        keep: get(row, "keep")?,
        closed: get(row, "closed")?,
    })
}

pub(super) fn resource(row: &Row<'_>) -> Result<Record, StoreError> {
    let needs: String = get(row, "needs")?;
    let needs = needs.split_ascii_whitespace().map(str::parse);
    let needs = needs.collect::<Result<_, _>>();
    let boot: Option<String> = get(row, "called_boot")?;
    let ms: Option<i64> = get(row, "called_ms")?;
    let called = boot.zip(ms).map(|(boot, ms)| Moment {
        boot,
        since_boot: Duration::from_millis(u64::try_from(ms).unwrap_or_default()),
    });
    Ok(Record {
        op: parsed(row, "op")?,
        session: parsed(row, "session")?,
        sequence: get(row, "sequence")?,
        scope: scope(row)?,
        kind: get(row, "kind")?,
        parent: get(row, "parent")?,
        parameters: get(row, "parameters")?,
        needs: needs.map_err(|error| corrupt("needs", error))?,
        owner_tag: get(row, "owner_tag")?,
        created: time(row, "created")?,
        expires: time(row, "expires")?,
        state: parsed(row, "state")?,
        attempt: get(row, "attempt")?,
        id: get(row, "id")?,
        called,
        doubtful: get(row, "doubtful")?,
        target: get(row, "target")?,
        note: get(row, "note")?,
    })
}
