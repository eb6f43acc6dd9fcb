//! What was there before, for those who see it late.

use std::collections::VecDeque;

/// What is older than this nobody asks for.
const HISTORY_MS: i64 = 180_000;
const HISTORY_MAX: usize = 2000;

/// Tables as they were, and until when.
#[derive(Debug)]
pub struct History<T>(VecDeque<(i64, T)>);

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> History<T> {
    /// Remembers what was there until now, in milliseconds since 1970 of the model.
    pub fn keep(&mut self, now: i64, tables: T) {
        self.0.push_back((now, tables));
        while self.0.len() > HISTORY_MAX
            || (self.0.front()).is_some_and(|(until, _)| *until < now - HISTORY_MS)
        {
            self.0.pop_front();
        }
    }

    /// What was there at a time; none if it is what is there now.
    #[must_use]
    pub fn at(&self, at: i64) -> Option<&T> {
        let mut history = self.0.iter();
        let then = history.find(|(until, _)| *until > at);
        then.map(|(_, tables)| tables)
    }
}
