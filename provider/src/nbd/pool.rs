//! The connections to one export: opened when they are needed, opened again when they broke.

use super::connection::Connection;
use super::dial::{BoxStream, dial};
use super::handshake::{Terms, negotiate};
use super::options::NbdOptions;
use super::tls::Tls;
use super::uri::Target;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// With so much under way on every connection, one more is opened: 1 MiB, or as many small questions.
const BUSY: usize = 16;

/// Connections to one export.
pub(super) struct Pool {
    target: Target,
    options: NbdOptions,
    tls: Option<Tls>,
    /// What was agreed upon first. Every later connection must agree to the same.
    terms: Terms,
    slots: Vec<Mutex<Option<Arc<Connection>>>>,
    /// Slots that are in use, from the first.
    open: AtomicUsize,
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
        let most = if terms.export.can_multi_conn() {
            options.connections.max(1)
        } else {
            1
        };
        let first = Connection::start(stream, &terms, options.timeout);
        let mut slots = vec![Mutex::new(Some(Arc::new(first)))];
        slots.resize_with(most, || Mutex::new(None));
        Ok(Self {
            target,
            options,
            tls,
            terms,
            slots,
            open: AtomicUsize::new(1),
        })
    }

    /// What was agreed upon.
    pub(super) const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What is read.
    pub(super) const fn target(&self) -> &Target {
        &self.target
    }

    /// A connection that has least to do. May have broken unnoticed.
    ///
    /// # Errors
    /// The server cannot be reached again, or has something else to offer than before.
    pub(super) async fn get(&self) -> Result<Arc<Connection>, Fault> {
        let index = self.choose();
        let slot = self.slots.get(index).or_else(|| self.slots.first());
        let slot = slot.ok_or_else(super::connection::gone)?;
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| connection.is_alive()) {
            return Ok(Arc::clone(connection));
        }
        *slot = None;
        let connected = connect(&self.target, &self.options, self.tls.as_ref()).await;
        let (stream, terms) = connected.map_err(into_fault)?;
        self.compare(&terms)?;
        let connection = Arc::new(Connection::start(stream, &terms, self.options.timeout));
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// The slot with least to do; the next free one if all have much.
    fn choose(&self) -> usize {
        let open = self.open.load(Ordering::Relaxed).min(self.slots.len());
        let mut best = (usize::MAX, 0);
        for (index, slot) in self.slots.iter().enumerate().take(open) {
            // Somebody connects at this moment, so that there is nothing to compare.
            let load = match slot.try_lock() {
                Ok(slot) => slot.as_ref().map_or(0, |connection| connection.load()),
                Err(_) => BUSY,
            };
            best = best.min((load, index));
        }
        let (load, index) = best;
        if load < BUSY || open >= self.slots.len() {
            return index;
        }
        let next = open.saturating_add(1);
        // If two want it at once, one slot is enough.
        let taken = self
            .open
            .compare_exchange(open, next, Ordering::Relaxed, Ordering::Relaxed);
        taken
            .unwrap_or(index)
            .min(self.slots.len().saturating_sub(1))
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

    /// Says goodbye on every connection.
    pub(super) async fn close(&self) {
        for slot in &self.slots {
            let connection = slot.lock().await.take().and_then(Arc::into_inner);
            if let Some(connection) = connection {
                connection.close().await;
            }
        }
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
