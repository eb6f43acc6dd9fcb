//! What commands share about providers: the configuration, what was made for a while, and its end.

use crate::args::Global;
use crate::commands::gc;
use crate::configuration;
use crate::exit::Exit;
use crate::output::Failure;
use crate::signals::Interrupt;
use flr_provider::Error;
use flr_provider::config::{Config, Source, SourceType, Values};
use flr_provider::engine::Cleanup;
use flr_provider::ontap::svm_of;
use flr_provider::point::Held;
use flr_provider::remote::{self, Cancel, DiskSettings, cancelled_by};
use flr_provider::spent::Spent;
use flr_recover::address::{Object, Provider};
use flr_recover::origin::{NamedSource, Settings};
use jiff::tz::TimeZone;
use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What commands share about providers.
pub(crate) struct Remote {
    global: Global,
    zone: TimeZone,
    config: OnceCell<Config>,
    held: RefCell<Vec<Box<dyn Held>>>,
    /// What became of what was given back before the end.
    released: RefCell<Option<Cleanup>>,
    spent: Spent,
    interrupt: OnceCell<Interrupt>,
    cancel: OnceCell<Cancel>,
}

impl Remote {
    pub(crate) fn new(zone: TimeZone, global: Global) -> Self {
        Self {
            global,
            zone,
            config: OnceCell::new(),
            held: RefCell::default(),
            released: RefCell::default(),
            spent: Spent::default(),
            interrupt: OnceCell::new(),
            cancel: OnceCell::new(),
        }
    }

    /// The configuration, read when it is first needed.
    pub(crate) fn config(&self) -> Result<&Config, Failure> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = configuration::load(&self.global)?;
        Ok(self.config.get_or_init(|| config))
    }

    /// The zone of days and of times without one.
    pub(crate) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What holds for an object: its source's word, options and variables.
    pub(crate) fn values(&self, object: &Object) -> Result<Values, Failure> {
        let config = self.config()?;
        let source = source_of(config, object);
        Ok(config.effective(source))
    }

    /// What is said of where an object comes from, beside its address.
    pub(crate) fn origin_settings(&self, object: &Object) -> Result<Settings, Failure> {
        let values = self.values(object)?;
        let source = source_of(self.config()?, object);
        Ok(Settings {
            profile: values.profile().map(str::to_owned),
            region: values.region().map(str::to_owned),
            endpoint_url: values.endpoint().map(str::to_owned),
            live: self.global.live,
            insecure: self.global.remote.insecure,
            reading: match is_file(object, source) {
                true => remote::Settings::default(),
                false => self.reading(&values)?,
            },
            source: source.map(|source| NamedSource {
                name: source.name.clone(),
                kind: source.kind,
                values,
            }),
        })
    }

    /// How bytes beyond a network are read.
    fn reading(&self, values: &Values) -> Result<remote::Settings, Failure> {
        let mut settings = remote::Settings {
            cancel: self.cancel()?,
            ..remote::Settings::default()
        };
        if let Some(bytes) = values.cache_bytes() {
            settings.cache_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        let disk_bytes = values.disk_cache_bytes().filter(|bytes| *bytes > 0);
        settings.disk = match disk_bytes {
            Some(bytes_max) => Some(DiskSettings {
                folder: self.cache_dir(values)?,
                bytes_max,
            }),
            None => None,
        };
        Ok(settings)
    }

    /// The folder of the disk cache.
    fn cache_dir(&self, values: &Values) -> Result<PathBuf, Failure> {
        if let Some(folder) = values.cache_dir() {
            return Ok(folder.to_owned());
        }
        flr_provider::remote::cache_dir(&configuration::env).ok_or_else(|| {
            Failure::new(Exit::Usage, "there is no home to keep a disk cache in")
                .hint("set cache_dir or FLR_CACHE_DIR")
        })
    }

    /// What the command has spent so far: `--max-cost` is about all of it.
    pub(crate) fn spent(&self) -> Spent {
        self.spent.clone()
    }

    /// That the command has come to `--max-cost`, if it has. What could not be read for that looks like damage.
    pub(crate) fn over_cost(&self) -> Option<Failure> {
        self.spent.refused().map(|max| {
            let dollars = self.spent.dollars();
            let what = format!("reading on would cost more than ${max}, ${dollars:.7} so far");
            Failure::new(Exit::Cost, what).hint("a higher --max-cost, or --yes")
        })
    }

    /// What a signal ends reads by.
    fn cancel(&self) -> Result<Cancel, Failure> {
        let flag = self.interrupt()?;
        let cancel = self.cancel.get_or_init(|| cancelled_by(&flag));
        Ok(cancel.clone())
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

    /// The same flag if signals raise it already; else one that nothing raises, since they end the process.
    pub(crate) fn raised(&self) -> Arc<AtomicBool> {
        let installed = self.interrupt.get();
        installed.map_or_else(Arc::default, |interrupt| Arc::clone(&interrupt.flag))
    }

    /// The signal that came, if one did.
    pub(crate) fn signal(&self) -> Option<Exit> {
        // Who has come to --max-cost ends reads by the same flag.
        let came = self.interrupt.get().and_then(Interrupt::signal);
        came.filter(|_| self.spent.refused().is_none())
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
        let sessions = held.iter().map(|held| held.session());
        sessions.filter(|session| !session.is_empty()).collect()
    }

    /// Takes over what was made for a point: it is deleted by [`close`](Self::close).
    pub(crate) fn hold(&self, held: Box<dyn Held>) {
        self.held.borrow_mut().push(held);
    }

    /// Deletes what was made so far, once nothing reads it any more: a command over many points is to hold one at a
    /// time. Whether all of it is gone. What came of it is told at the end.
    pub(crate) fn release(&self) -> bool {
        let released = self.close();
        let is_gone = released.as_ref().is_none_or(Cleanup::is_clean);
        *self.released.borrow_mut() = released;
        is_gone
    }

    /// Deletes what was made, once nothing reads it any more. `None`: nothing was made.
    pub(crate) fn close(&self) -> Option<Cleanup> {
        let held = std::mem::take(&mut *self.held.borrow_mut());
        let mut all = self.released.take();
        for held in held.iter().rev() {
            all.get_or_insert_default().add(held.close());
        }
        all
    }
}

/// The source that an object is of. Of ONTAP there is one also where the address names none: nothing else
/// says where the cluster is.
fn source_of<'a>(config: &'a Config, object: &Object) -> Option<&'a Source> {
    match object {
        Object::Source { source, .. } => config.source(source),
        Object::Provider {
            provider: Provider::Ontap,
            name,
            ..
        } => config.ontap(name.to_str().and_then(svm_of)),
        Object::Local(_)
        | Object::Cloud { .. }
        | Object::Arn(_)
        | Object::Provider { .. }
        | Object::Url(_) => None,
    }
}

/// Whether it is a file here: what reads only those has nothing to end by itself, and leaves signals
/// as they are.
fn is_file(object: &Object, source: Option<&Source>) -> bool {
    match object {
        Object::Local(_) => true,
        Object::Provider { provider, .. } => *provider == Provider::File,
        Object::Source { .. } => source.is_some_and(|source| source.kind == SourceType::File),
        Object::Cloud { .. } | Object::Arn(_) | Object::Url(_) => false,
    }
}

/// A failure of a provider in words. `what` was asked for.
pub(crate) fn failure_of(what: &str, error: &Error) -> Failure {
    let text = error.to_string();
    let text = match text.strip_prefix(what) {
        // It names the object itself.
        Some(rest) if rest.starts_with([' ', ':']) => text,
        _ => format!("{what}: {text}"),
    };
    let mut failure = Failure::new(Exit::of_provider(error), text);
    let hint = error.hint().map(std::borrow::Cow::into_owned);
    let again = || "try again; -v tells about the calls that failed".to_owned();
    failure.hint = hint.or_else(|| (failure.exit == Exit::Temporary).then(again));
    if let Error::Leftover { cleanup, .. } = error {
        failure.resources = gc::resources(cleanup);
    }
    failure
}
