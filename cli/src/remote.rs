//! What commands share about providers: the configuration, what was made for a while, and its end.

use crate::args::{Access, Global};
use crate::exit::Exit;
use crate::output::Failure;
use crate::signals::Interrupt;
use flr_provider::engine::Cleanup;
use flr_provider::point::Held;
use flr_recover::address::Object;
use flr_recover::origin::{self, Origin, Settings};
use jiff::tz::TimeZone;
use std::cell::{OnceCell, RefCell};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What commands share about providers.
pub(crate) struct Remote {
    zone: TimeZone,
    held: RefCell<Vec<Box<dyn Held>>>,
    interrupt: OnceCell<Interrupt>,
}

/// What the configuration says of an object's source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) access: Option<Access>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) max_cost: Option<f64>,
    pub(crate) tags: Vec<(String, String)>,
}

impl Remote {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            held: RefCell::default(),
            interrupt: OnceCell::new(),
        }
    }

    /// The zone of days and of times without one.
    pub(crate) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Names of the configuration's sources.
    pub(crate) fn source_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// What the configuration says of an object's source.
    pub(crate) fn defaults(&self, _object: &Object) -> Defaults {
        Defaults::default()
    }

    /// Where an object's bytes come from.
    pub(crate) fn origin(
        &self,
        object: &Object,
        settings: &Settings,
    ) -> flr_provider::Result<Origin> {
        origin::origin(object, settings)
    }

    /// What options say of where objects come from.
    pub(crate) fn origin_settings(&self, global: &Global) -> Result<Settings, Failure> {
        let options = &global.remote;
        Ok(Settings {
            profile: options.profile.clone(),
            region: options.region.clone(),
            endpoint_url: options.endpoint_url.clone(),
            live: global.live,
            interrupt: Some(self.interrupt()?),
        })
    }

    /// The flag that SIGINT and SIGTERM raise; from the first call on they do nothing else.
    pub(crate) fn interrupt(&self) -> Result<Arc<AtomicBool>, Failure> {
        Ok(Arc::clone(&self.signals()?.flag))
    }

    /// The same with the signal that came.
    pub(crate) fn signals(&self) -> Result<&Interrupt, Failure> {
        if let Some(interrupt) = self.interrupt.get() {
            return Ok(interrupt);
        }
        let installed = Interrupt::install()?;
        Ok(self.interrupt.get_or_init(|| installed))
    }

    /// The signal that came, if one did.
    pub(crate) fn signal(&self) -> Option<Exit> {
        self.interrupt.get().and_then(Interrupt::signal)
    }

    /// From here on a signal is for somebody else, such as a mount that is served.
    pub(crate) fn disarm(&self) {
        if let Some(interrupt) = self.interrupt.get() {
            interrupt.disarm();
        }
    }

    /// The sessions of what was made.
    pub(crate) fn sessions(&self) -> Vec<String> {
        let held = self.held.borrow();
        held.iter().map(|held| held.session()).collect()
    }

    /// Takes over what was made for a point: it is deleted by [`close`](Self::close).
    pub(crate) fn hold(&self, held: Box<dyn Held>) {
        self.held.borrow_mut().push(held);
    }

    /// Deletes what was made, once nothing reads it any more. `None`: nothing was made.
    pub(crate) fn close(&self) -> Option<Cleanup> {
        let held = std::mem::take(&mut *self.held.borrow_mut());
        let mut all = None::<Cleanup>;
        for held in held.iter().rev() {
            all.get_or_insert_default().add(held.close());
        }
        all
    }
}

/// A failure of a provider in words. `what` was asked for.
pub(crate) fn failure_of(what: &str, error: &flr_provider::Error) -> Failure {
    let failure = Failure::new(Exit::of_provider(error), format!("{what}: {error}"));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
