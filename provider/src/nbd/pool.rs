//! The connections to one export: opened when they are needed, opened again when they broke.

use super::connection::Connection;
use super::dial::{BoxStream, dial};
use super::handshake::{Terms, negotiate};
use super::options::NbdOptions;
use super::tls::Tls;
use super::uri::Target;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::remote::runtime;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::timeout;

/// With so much under way on every connection, one more is opened: 1 MiB, or as many small questions.
const BUSY: usize = 16;

/// Connections to one export.
pub(super) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    target: Target,
    options: NbdOptions,
    tls: Option<Tls>,
    /// What was agreed upon first. Every later connection must agree to the same.
    terms: Terms,
    /// Those that were alive when last looked at.
    connections: Mutex<Vec<Arc<Connection>>>,
    /// How many there may be. Less where the server did not want more.
    limit: AtomicUsize,
    /// One more is being opened, while others are in use.
    opening: AtomicBool,
    /// Held by who opens one because there is none.
    first: tokio::sync::Mutex<()>,
}

impl Pool {
    /// Opens the first connection.
    pub(super) async fn open(target: Target, options: NbdOptions) -> Result<Self> {
        let tls = if target.tls {
            Some(Tls::new(&target, &options)?)
        } else {
            None
        };
        let (stream, terms) = connect(&target, &options, tls.as_ref()).await?;
        let first = Arc::new(Connection::start(stream, &terms, options.timeout));
        let shared = Shared {
            target,
            options,
            tls,
            terms,
            connections: Mutex::new(vec![first]),
            limit: AtomicUsize::new(usize::MAX),
            opening: AtomicBool::new(false),
            first: tokio::sync::Mutex::new(()),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// What was agreed upon.
    pub(super) fn terms(&self) -> &Terms {
        &self.shared.terms
    }

    /// What is read.
    pub(super) fn target(&self) -> &Target {
        &self.shared.target
    }

    /// A connection that has least to do. May have broken unnoticed. If all have much to do, one more is
    /// opened for those who come later: a server that lets nobody in must not keep anybody waiting.
    ///
    /// # Errors
    /// There is none, and the server cannot be reached again, or has something else to offer.
    pub(super) async fn get(&self) -> Result<Arc<Connection>, Fault> {
        if let Some(connection) = self.choose() {
            return Ok(connection);
        }
        let shared = &self.shared;
        let _only_one = shared.first.lock().await;
        // Somebody else may have opened it meanwhile.
        if let Some(connection) = self.choose() {
            return Ok(connection);
        }
        shared.limit.store(usize::MAX, Ordering::Relaxed);
        shared.connect().await
    }

    fn choose(&self) -> Option<Arc<Connection>> {
        let shared = &self.shared;
        let (best, count) = {
            let mut connections = shared.connections();
            connections.retain(|connection| connection.is_alive());
            let best = connections
                .iter()
                .min_by_key(|connection| connection.load());
            (best.map(Arc::clone)?, connections.len())
        };
        if best.load() >= BUSY
            && count < shared.most()
            && !shared.opening.swap(true, Ordering::Relaxed)
        {
            let shared = Arc::clone(shared);
            runtime::handle().spawn(async move {
                if let Err(fault) = shared.connect().await {
                    tracing::debug!(%fault, count, "an NBD server wants no more connections");
                    shared.limit.store(count, Ordering::Relaxed);
                }
                shared.opening.store(false, Ordering::Relaxed);
            });
        }
        Some(best)
    }

    /// Says goodbye on every connection.
    pub(super) async fn close(&self) {
        let connections = std::mem::take(&mut *self.shared.connections());
        for connection in connections.into_iter().filter_map(Arc::into_inner) {
            connection.close().await;
        }
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        // Nothing that can fail is done while it is held.
        let locked = self.connections.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections there may be.
    fn most(&self) -> usize {
        let wanted = if self.terms.export.can_multi_conn() {
            self.options.connections
        } else {
            1
        };
        wanted.min(self.limit.load(Ordering::Relaxed))
    }

    /// One connection more, to the same export.
    async fn connect(&self) -> Result<Arc<Connection>, Fault> {
        let connected = connect(&self.target, &self.options, self.tls.as_ref()).await;
        let (stream, terms) = connected.map_err(into_fault)?;
        self.compare(&terms)?;
        let connection = Connection::start(stream, &terms, self.options.timeout);
        let connection = Arc::new(connection);
        self.connections().push(Arc::clone(&connection));
        Ok(connection)
    }

    /// Another size means another image; so do other flags, as far as anybody can tell.
    fn compare(&self, terms: &Terms) -> Result<(), Fault> {
        let (first, now) = (&self.terms, terms);
        if first.export == now.export && first.sizes == now.sizes {
            return Ok(());
        }
        Err(Fault::new(
            FaultKind::Refused,
            format!(
                "the export has changed: expected {} bytes and flags {:#x}, found {} and {:#x}",
                first.export.size, first.export.flags, now.export.size, now.export.flags
            ),
        ))
    }
}

/// One connection, ready for transmission.
async fn connect(
    target: &Target,
    options: &NbdOptions,
    tls: Option<&Tls>,
) -> Result<(BoxStream, Terms)> {
    let connected = timeout(options.timeout, async {
        let stream = dial(target, options).await?;
        negotiate(stream, target, tls).await
    });
    connected.await.unwrap_or_else(|_| {
        let seconds = options.timeout.as_secs_f32();
        let what = format!("the server has not come to an end in {seconds} s");
        let fault = Fault::new(FaultKind::Unknown, what);
        Err(Error::remote(format!("open {target}"), fault))
    })
}

/// What went wrong on opening again. The server may be starting, so that most of it may pass.
fn into_fault(error: Error) -> Fault {
    let kind = match &error {
        Error::Remote { fault, .. } => fault.kind,
        Error::NoSuch { .. } => FaultKind::NotFound,
        Error::NotFound { .. } | Error::Io { .. } => FaultKind::Unknown,
        Error::Denied { .. } => FaultKind::Denied,
        Error::Fs(_)
        | Error::Busy { .. }
        | Error::Unsupported { .. }
        | Error::Refused { .. }
        | Error::Usage { .. }
        | Error::Cost { .. }
        | Error::Engine(_)
        | Error::Leftover { .. } => FaultKind::Refused,
    };
    Fault::new(kind, error.to_string())
}
