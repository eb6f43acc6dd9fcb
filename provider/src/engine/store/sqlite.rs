//! The store on a disk: one SQLite database, `state.db`, in the user's state folder.
//!
//! The log is a write-ahead log that is synced at every commit (`synchronous=FULL`): what a call has
//! returned `Ok` for is there after a power failure, and what it has not is there whole or not at all.
//! The folder is 0700 and the files are 0600. Several processes use it at once; each waits at most
//! [`BUSY_WAIT`] for another.

use super::schema;
use super::{Store, StoreError, StoreErrorKind, Stored};
use crate::engine::duty::Duty;
use crate::engine::id::{OpId, SessionId};
use crate::engine::owner::Owner;
use crate::engine::record::{Record, SessionRecord};
use crate::engine::time::UnixTime;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, params};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use std::future::ready;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long one process waits for another.
pub const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Name of the database.
const FILE: &str = "state.db";

/// The store on a disk.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// The folder of the user who runs this: `/var/lib/flr` for root, else `$XDG_STATE_HOME/flr` or
/// `~/.local/state/flr`. A set `XDG_STATE_HOME` counts for root too.
///
/// # Errors
/// Neither `XDG_STATE_HOME` nor `HOME` is an absolute path.
pub fn state_dir() -> Result<PathBuf, StoreError> {
    let absolute = |name| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    if let Some(base) = absolute("XDG_STATE_HOME") {
        return Ok(base.join("flr"));
    }
    if rustix::process::geteuid().is_root() {
        return Ok("/var/lib/flr".into());
    }
    let home = absolute("HOME").ok_or_else(|| {
        let message = "no place for the journal: neither XDG_STATE_HOME nor HOME is set";
        StoreError::new(StoreErrorKind::Denied, message)
    })?;
    Ok(home.join(".local/state/flr"))
}

impl SqliteStore {
    /// Opens the store in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder or the file belongs to somebody else, is full, damaged, or of a later version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let dir = private_folder(folder).map_err(|error| from_io(folder, &error))?;
        let path = folder.join(FILE);
        // One process at a time makes the file and its tables. The lock goes with the descriptor.
        let locked = open_private(&dir, "state.lock").and_then(|lock| {
            rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
            Ok(lock)
        });
        let _lock = locked.map_err(|error| from_io(&folder.join("state.lock"), &error))?;
        open_private(&dir, FILE).map_err(|error| from_io(&path, &error))?;
        let connection = connect(&path)?;
        // The name of a new file is only durable once its folder is.
        rustix::fs::fsync(&dir).map_err(|error| from_io(folder, &error.into()))?;
        Ok(Self {
            path,
            connection: Mutex::new(connection),
        })
    }

    /// Opens the store in `folder` if there is one.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_existing(folder: &Path) -> Result<Option<Self>, StoreError> {
        match folder.join(FILE).symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(from_io(&folder.join(FILE), &error)),
            Ok(_) => Self::open(folder).map(Some),
        }
    }

    /// The database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic while it was held has ended its transaction.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `change` in a transaction that is durable when this returns.
    fn change<'a, T: Send + 'a>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Stored<'a, T> {
        let mut connection = self.connection();
        let run = || {
            let behavior = rusqlite::TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        let result = run().map_err(|failure: Failure| failure.told(&self.path));
        Box::pin(ready(result))
    }

    fn read<'a, T: Send + 'a>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Stored<'a, T> {
        let result = read(&self.connection());
        Box::pin(ready(result.map_err(|failure| failure.told(&self.path))))
    }
}

/// What fails inside of a transaction.
enum Failure {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    fn told(self, path: &Path) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Sqlite(error) => from_sqlite(path, &error),
        }
    }
}

fn from_sqlite(path: &Path, error: &rusqlite::Error) -> StoreError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
            StoreErrorKind::Denied
        }
        _ => StoreErrorKind::Io,
    };
    StoreError::new(kind, format!("journal {}: {error}", path.display()))
}

fn from_io(path: &Path, error: &io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => StoreErrorKind::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        _ => StoreErrorKind::Io,
    };
    StoreError::new(kind, format!("journal {}: {error}", path.display()))
}

/// Makes and opens a folder that nobody else may write to or look into.
fn private_folder(folder: &Path) -> io::Result<OwnedFd> {
    if let Some(above) = folder.parent() {
        std::fs::create_dir_all(above)?;
    }
    match rustix::fs::mkdir(folder, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(CWD, folder, flags, Mode::empty())?;
    make_private(&dir, Mode::RWXU)?;
    Ok(dir)
}

/// Makes or opens a file in the folder that nobody else may read.
fn open_private(dir: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let file = rustix::fs::openat(dir, name, flags, mode)?;
    make_private(&file, mode)?;
    Ok(file)
}

/// Refuses what is somebody else's, and what others could have written to; what they could only read
/// is closed to them.
fn make_private(opened: &OwnedFd, mode: Mode) -> io::Result<()> {
    let stat = rustix::fs::fstat(opened)?;
    let refused = |why: &str| {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            why.to_owned(),
        ))
    };
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return refused("it belongs to another user");
    }
    if stat.st_mode & 0o022 != 0 {
        return refused("other users may write to it");
    }
    if stat.st_mode & 0o077 != 0 {
        rustix::fs::fchmod(opened, mode)?;
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let prepare = || {
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let application: i64 =
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let is_empty = (version, application) == (0, 0)
            && connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
                Ok(row.get::<_, i64>(0)? == 0)
            })?;
        if !is_empty {
            check_ours(path, version, application)?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        if is_empty || version < schema::VERSION {
            let transaction = connection.transaction()?;
            if is_empty {
                schema::create(&transaction)?;
            } else {
                schema::upgrade(&transaction)?;
            }
            transaction.commit()?;
        }
        // A few pages: a damaged one is found now, not in the middle of a release.
        let sound: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if sound != "ok" {
            let message = format!("journal {}: {sound}", path.display());
            return Err(StoreError::new(StoreErrorKind::Corrupt, message).into());
        }
        Ok(connection)
    };
    prepare().map_err(|failure: Failure| failure.told(path))
}

fn check_ours(path: &Path, version: i64, application: i64) -> Result<(), StoreError> {
    let path = path.display();
    if application != schema::APPLICATION || version < 1 {
        let message = format!("journal {path}: it is a database, and not ours");
        return Err(StoreError::new(StoreErrorKind::Corrupt, message));
    }
    if version > schema::VERSION {
        let known = schema::VERSION;
        let message = format!("journal {path}: it has version {version}, known is {known}");
        return Err(StoreError::new(StoreErrorKind::Newer, message));
    }
    Ok(())
}

fn owner_of(
    transaction: &Transaction<'_>,
    session: SessionId,
) -> Result<Option<SessionRecord>, Failure> {
    let mut statement = transaction.prepare_cached("SELECT * FROM session WHERE id = ?1")?;
    let mut rows = statement.query([session.to_string()])?;
    Ok(rows.next()?.map(schema::session).transpose()?)
}

/// Refuses a change by whoever is not the owner.
fn fence(transaction: &Transaction<'_>, session: SessionId, owner: &Owner) -> Result<(), Failure> {
    match owner_of(transaction, session)? {
        Some(found) if found.owner == *owner => Ok(()),
        _ => Err(StoreError::fenced(session).into()),
    }
}

impl Store for SqliteStore {
    fn begin<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()> {
        self.change(|transaction| {
            let mut statement = transaction.prepare_cached(schema::INSERT_SESSION)?;
            schema::insert_session(&mut statement, session)?;
            Ok(())
        })
    }

    fn set_session<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()> {
        self.change(|transaction| {
            fence(transaction, session.id, &session.owner)?;
            transaction.execute(
                "UPDATE session SET expires = ?2, keep = ?3, closed = ?4 WHERE id = ?1",
                params![
                    session.id.to_string(),
                    schema::seconds(session.expires),
                    session.keep,
                    session.closed
                ],
            )?;
            Ok(())
        })
    }

    fn adopt<'a>(&'a self, session: SessionId, from: &'a Owner, to: &'a Owner) -> Stored<'a, bool> {
        self.change(|transaction| {
            let found = owner_of(transaction, session)?;
            if found.is_none_or(|found| found.owner != *from || found.closed) {
                return Ok(false);
            }
            transaction.execute(
                "UPDATE session SET host = ?2, host_name = ?3, user = ?4, pid = ?5, \
                 start_time = ?6, boot = ?7, namespace = ?8 WHERE id = ?1",
                params![
                    session.to_string(),
                    to.host,
                    to.host_name,
                    to.user,
                    to.pid,
                    to.start_time.to_string(),
                    to.boot,
                    to.namespace
                ],
            )?;
            Ok(true)
        })
    }

    fn insert<'a>(&'a self, owner: &'a Owner, records: &'a [Record]) -> Stored<'a, ()> {
        self.change(|transaction| {
            let mut statement = transaction.prepare_cached(schema::PUT_RESOURCE)?;
            for record in records {
                fence(transaction, record.session, owner)?;
                schema::put_resource(&mut statement, record)?;
            }
            Ok(())
        })
    }

    fn update<'a>(&'a self, owner: &'a Owner, record: &'a Record) -> Stored<'a, ()> {
        self.insert(owner, std::slice::from_ref(record))
    }

    fn sessions(&self) -> Stored<'_, Vec<SessionRecord>> {
        self.read(|connection| {
            let text = "SELECT * FROM session WHERE NOT closed ORDER BY id";
            let mut statement = connection.prepare_cached(text)?;
            let mut rows = statement.query([])?;
            let mut sessions = Vec::new();
            while let Some(row) = rows.next()? {
                sessions.push(schema::session(row)?);
            }
            Ok(sessions)
        })
    }

    fn records(&self, session: SessionId) -> Stored<'_, Vec<Record>> {
        self.read(|connection| {
            let text = "SELECT * FROM resource WHERE session = ?1 ORDER BY sequence";
            let mut statement = connection.prepare_cached(text)?;
            let mut rows = statement.query([session.to_string()])?;
            let mut records = Vec::new();
            while let Some(row) = rows.next()? {
                records.push(schema::resource(row)?);
            }
            Ok(records)
        })
    }

    fn record(&self, op: OpId) -> Stored<'_, Option<(SessionRecord, Record)>> {
        self.read(|connection| {
            let read = |row: &rusqlite::Row<'_>| Ok(schema::resource(row));
            let text = "SELECT * FROM resource WHERE op = ?1";
            let found = connection.query_row(text, [op.to_string()], read);
            let Some(record) = found.optional()?.transpose()? else {
                return Ok(None);
            };
            let read = |row: &rusqlite::Row<'_>| Ok(schema::session(row));
            let text = "SELECT * FROM session WHERE id = ?1";
            let session = connection.query_row(text, [record.session.to_string()], read)??;
            Ok(Some((session, record)))
        })
    }

    fn put_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()> {
        self.change(|transaction| {
            let mut statement = transaction.prepare_cached(schema::PUT_DUTY)?;
            schema::put_duty(&mut statement, duty)?;
            Ok(())
        })
    }

    fn duties(&self) -> Stored<'_, Vec<Duty>> {
        self.read(|connection| {
            let text = "SELECT * FROM duty ORDER BY created, id";
            let mut statement = connection.prepare_cached(text)?;
            let mut rows = statement.query([])?;
            let mut duties = Vec::new();
            while let Some(row) = rows.next()? {
                duties.push(schema::duty(row)?);
            }
            Ok(duties)
        })
    }

    fn remove_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()> {
        self.change(|transaction| {
            let scope = &duty.scope;
            let text = "DELETE FROM duty WHERE provider = ?1 AND account = ?2 AND region = ?3 \
                        AND kind = ?4 AND id = ?5";
            let key = params![
                scope.provider,
                scope.account,
                scope.region,
                duty.kind,
                duty.id
            ];
            transaction.execute(text, key)?;
            Ok(())
        })
    }

    fn forget(&self, before: UnixTime) -> Stored<'_, ()> {
        self.change(|transaction| {
            let text = "DELETE FROM session WHERE closed AND created < ?1";
            transaction.execute(text, [schema::seconds(before)])?;
            Ok(())
        })
    }
}
