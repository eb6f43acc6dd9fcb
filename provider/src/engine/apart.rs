//! One resource of a session that goes before the others do, while the session makes more.

use super::engine::Engine;
use super::error::Error;
use super::id::OpId;
use super::journal::Entry;
use super::outcome::{Item, Why};
use super::record::State;
use super::release::release;
use super::session::Session;

/// A resource that was taken out of its session to be deleted. Give it back with
/// [`rejoin`](Session::rejoin): without that its session is never closed in the journal, and `flr gc` looks
/// after it.
#[derive(Debug)]
#[must_use = "what is not given back to its session is left to flr gc"]
pub struct Apart {
    engine: Engine,
    entry: Entry,
}

impl Session {
    /// Takes the resource of an operation out, so that it can be deleted without holding up the
    /// session. It is not renewed meanwhile.
    ///
    /// # Errors
    /// The session has no such operation.
    pub fn part(&mut self, op: OpId) -> Result<Apart, Error> {
        let index = self.index(op)?;
        let entry = self.entries.remove(index);
        self.apart = self.apart.saturating_add(1);
        Ok(Apart {
            engine: self.engine.clone(),
            entry,
        })
    }

    /// Takes it back. What is gone is forgotten; what is not goes when the session is closed.
    pub fn rejoin(&mut self, apart: Apart) {
        self.apart = self.apart.saturating_sub(1);
        if apart.entry.record().state != State::Gone {
            self.entries.push(apart.entry);
        }
    }
}

impl Apart {
    /// Deletes it, and returns when it was seen gone. Takes as long as two looks are apart, at least.
    ///
    /// # Errors
    /// It remains, and why.
    pub async fn release(&mut self) -> Result<(), Why> {
        match self.entry.record().state {
            State::Gone => Ok(()),
            _ => release(&self.engine, &mut self.entry).await,
        }
    }

    /// What it is, for people and scripts.
    #[must_use]
    pub fn item(&self) -> Item {
        Item::of(self.entry.record())
    }
}
