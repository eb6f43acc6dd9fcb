//! An engine session that outlives the call that has opened it: renewed in the background, deleted when
//! it is closed.

use crate::engine::{
    self, Cleanup, Cloud, Engine, Parts, Session, Settings, SqliteStore, Store, SystemProcesses,
    SystemRand, state_dir,
};
use crate::error::{Error, Result};
use crate::point::{Held, OpenHow};
use crate::remote::runtime::{TokioClock, block_on, handle};
use flr_fs::ByteSource;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// The journal of this user and the engine that writes it, for something that is to be opened so.
///
/// # Errors
/// The journal cannot be used, the environment makes no sense, or there is no `/proc`.
pub fn engine(cloud: Arc<dyn Cloud>, how: &OpenHow) -> Result<Engine> {
    engine_with(cloud, how, settings()?)
}

/// The engine's limits, as the environment has them.
///
/// # Errors
/// The environment makes no sense.
pub fn settings() -> Result<Settings> {
    Settings::from_env().map_err(|what| Error::Usage {
        what,
        hint: Some("FLR_CONSISTENCY_WINDOW=120".to_owned()),
    })
}

/// The same as [`engine`] with other limits.
///
/// # Errors
/// The journal cannot be used, or there is no `/proc`.
pub fn engine_with(cloud: Arc<dyn Cloud>, how: &OpenHow, mut settings: Settings) -> Result<Engine> {
    if let Some(ttl) = how.ttl {
        settings.ttl = ttl;
    }
    let folder = state_dir().map_err(engine::Error::Store)?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder).map_err(engine::Error::Store)?);
    let processes = SystemProcesses::new().map_err(|source| Error::Io {
        path: Path::new("/proc").to_owned(),
        source,
    })?;
    Ok(Engine::new(Parts {
        cloud,
        store,
        clock: Arc::new(TokioClock),
        rand: Arc::new(SystemRand),
        processes: Arc::new(processes),
        settings,
        interrupt: how.interrupt.clone().unwrap_or_default(),
    }))
}

/// A session, renewed in the background until it is closed.
///
/// Dropped without that it leaves what it has made to `flr gc`, and says so.
pub struct HeldSession {
    name: String,
    shared: Arc<Shared>,
    /// Ends the renewals, also one that is on its way.
    stop: watch::Sender<bool>,
    /// What reads the resources. All of it has to be dropped before they can be deleted.
    readers: Vec<Weak<dyn ByteSource>>,
    /// What closing came to. Locked for as long as it takes.
    outcome: Mutex<Option<Cleanup>>,
}

struct Shared {
    session: tokio::sync::Mutex<Option<Session>>,
}

impl fmt::Debug for HeldSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldSession")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl HeldSession {
    /// Holds a session. `readers` are the sources that read what it has made.
    #[must_use]
    pub fn new(session: Session, readers: Vec<Weak<dyn ByteSource>>) -> Self {
        let name = session.id().to_string();
        let shared = Arc::new(Shared {
            session: tokio::sync::Mutex::new(Some(session)),
        });
        let (stop, stopped) = watch::channel(false);
        handle().spawn(renew(name.clone(), Arc::clone(&shared), stopped));
        Self {
            name,
            shared,
            stop,
            readers,
            outcome: Mutex::new(None),
        }
    }

    /// The session, for whoever makes more in it or deletes something early. `None`: it is closed. Renewals
    /// wait for as long as it is held.
    pub(crate) async fn locked(&self) -> tokio::sync::MutexGuard<'_, Option<Session>> {
        self.shared.session.lock().await
    }

    fn outcome(&self) -> MutexGuard<'_, Option<Cleanup>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held for HeldSession {
    fn session(&self) -> String {
        self.name.clone()
    }

    fn close(&self) -> Cleanup {
        let mut outcome = self.outcome();
        if let Some(cleanup) = &*outcome {
            return cleanup.clone();
        }
        let open = self.readers.iter().filter(|it| it.strong_count() > 0);
        let open = open.count();
        if open > 0 {
            tracing::warn!(
                "session {} is closed while {open} of its disks are still read",
                self.name
            );
        }
        self.stop.send_replace(true);
        let cleanup = block_on(async {
            let session = self.shared.session.lock().await.take();
            match session {
                Some(session) => session.close().await,
                None => Cleanup::default(),
            }
        });
        *outcome = Some(cleanup.clone());
        cleanup
    }
}

impl Drop for HeldSession {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if self.outcome().is_none() {
            tracing::warn!(
                "session {} was not closed; flr gc deletes what it has made",
                self.name
            );
        }
    }
}

/// How often is looked whether it is time to renew: often enough to try several times before it is
/// too late.
const LOOK_MAX: Duration = Duration::from_secs(30);
const LOOK_MIN: Duration = Duration::from_millis(50);

/// Renews a session whenever half of its time is over, until it is stopped.
async fn renew(name: String, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let work = async {
        loop {
            let gap = {
                let mut session = shared.session.lock().await;
                let Some(session) = session.as_mut() else {
                    return;
                };
                if session.wants_renewal()
                    && let Err(error) = session.renew().await
                {
                    if matches!(error, engine::Error::LeaseLost { .. }) {
                        tracing::warn!(
                            "session {name} can no longer be renewed ({error}): others may delete \
                             what it reads"
                        );
                        return;
                    }
                    tracing::warn!("session {name} was not renewed, and is tried again: {error}");
                }
                let eighth = session.ttl().checked_div(8).unwrap_or(LOOK_MIN);
                eighth.clamp(LOOK_MIN, LOOK_MAX)
            };
            tokio::time::sleep(gap).await;
        }
    };
    tokio::select! {
        () = work => {}
        // Closed, or dropped: a renewal on its way may end anywhere.
        _ = stopped.changed() => {}
    }
}
