//! What goes wrong behind the kernel's back is said once in the log, where the errno is too short.

use flr_fs::{Code, Fault};
use flr_recover::{Error, ViewNode};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Different faults that are logged; one image can have millions.
const FAULT_COUNT_MAX: usize = 4096;

/// The faults that have been logged.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    said: Mutex<HashSet<(Option<ViewNode>, Code)>>,
}

impl Reports {
    /// Logs an error that is about to become an errno.
    pub(crate) fn error(&self, doing: &'static str, node: Option<ViewNode>, error: &Error) {
        if let Error::NotFound(_) | Error::Fs(flr_fs::Error::Request(_)) = error {
            tracing::debug!(doing, node = %shown(node), %error, "refused");
            return;
        }
        let code = match error {
            Error::Fs(error) => error.code(),
            _ => Code::new("other"),
        };
        if self.is_new(node, code) {
            tracing::warn!(doing, node = %shown(node), %error, "cannot be read");
        }
    }

    /// Logs that a directory has parts which could not be listed.
    pub(crate) fn damaged_directory(&self, dir: ViewNode, damaged: &[Fault]) {
        let Some(first) = damaged.first() else { return };
        if self.is_new(Some(dir), first.code) {
            let (node, count) = (shown(Some(dir)), damaged.len());
            tracing::warn!(%node, count, %first, "directory has damaged parts, its listing is not complete");
        }
    }

    /// Logs that a node is shown with the default owner. Once for each kind of damage: the descriptor is
    /// the same for many.
    pub(crate) fn owner(&self, node: ViewNode, error: &Error) {
        let code = match error {
            Error::Fs(error) => error.code(),
            _ => Code::new("other"),
        };
        if self.is_new(None, code) {
            let node = shown(Some(node));
            tracing::info!(node, %error, "owners that cannot be read are shown as the default one");
        }
    }

    /// Logs a panic in a callback. Never held back: each is a defect of this program.
    pub(crate) fn panic(
        doing: &'static str,
        node: Option<ViewNode>,
        panic: &(dyn std::any::Any + Send),
    ) {
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("unknown");
        tracing::error!(doing, node = %shown(node), message, "panic while answering the kernel");
    }

    fn is_new(&self, node: Option<ViewNode>, code: Code) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= FAULT_COUNT_MAX || !said.insert((node, code)) {
            return false;
        }
        if said.len() == FAULT_COUNT_MAX {
            tracing::warn!("{FAULT_COUNT_MAX} different faults so far, the next are not logged");
        }
        true
    }
}

fn shown(node: Option<ViewNode>) -> String {
    match node {
        Some(node) => format!("{}:{}", node.filesystem, node.node.0),
        None => "none".into(),
    }
}
