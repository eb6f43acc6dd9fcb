//! Interruption: a flag that long work looks at, so that it can clean up.

use crate::exit::Exit;
use crate::output::Failure;
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Raised by SIGINT and SIGTERM. A second signal ends the process at once.
pub(crate) struct Interrupt {
    /// Work is to end.
    pub(crate) flag: Arc<AtomicBool>,
    which: Arc<AtomicUsize>,
    actions: Vec<SigId>,
}

impl Interrupt {
    /// Takes over both signals.
    pub(crate) fn install() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        let which = Arc::new(AtomicUsize::new(0));
        let mut actions = Vec::new();
        let failed = |error| Failure::new(Exit::Failed, format!("signals: {error}"));
        for (signal, exit) in [(SIGINT, Exit::Interrupted), (SIGTERM, Exit::Terminated)] {
            let number = usize::from(exit.code());
            let second = signal_hook::flag::register_conditional_shutdown(
                signal,
                exit.code().into(),
                Arc::clone(&flag),
            );
            let which = Arc::clone(&which);
            let which = signal_hook::flag::register_usize(signal, which, number);
            let raised = signal_hook::flag::register(signal, Arc::clone(&flag));
            for action in [second, which, raised] {
                actions.push(action.map_err(failed)?);
            }
        }
        Ok(Self {
            flag,
            which,
            actions,
        })
    }

    /// Leaves signals to whoever catches them from here on; without anybody they have no effect.
    pub(crate) fn disarm(&self) {
        for action in &self.actions {
            signal_hook::low_level::unregister(*action);
        }
    }

    /// The exit code of the signal that came, if one did.
    pub(crate) fn signal(&self) -> Option<Exit> {
        if !self.flag.load(Ordering::Relaxed) {
            return None;
        }
        let terminated = usize::from(Exit::Terminated.code());
        Some(match self.which.load(Ordering::Relaxed) == terminated {
            true => Exit::Terminated,
            false => Exit::Interrupted,
        })
    }
}
