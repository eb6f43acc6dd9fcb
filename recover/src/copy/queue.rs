//! The bounded queue between the walker and the workers.
//!
//! Channels of the standard library wake somebody for nearly every item, and a small file costs
//! little more than a wake-up does. Here the walker, once it has filled the queue, sleeps until half
//! of it is gone, and nobody is woken who does not sleep.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// First in, first out, one side that fills and any number that take.
#[derive(Debug)]
pub(super) struct Queue<T> {
    len_max: usize,
    state: Mutex<State<T>>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
    /// Takers asleep.
    idle: usize,
    /// Whether the filler is asleep.
    blocked: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(len_max: usize) -> Self {
        Self {
            len_max,
            state: Mutex::new(State {
                items: VecDeque::with_capacity(len_max),
                closed: false,
                idle: 0,
                blocked: false,
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
        }
    }

    /// Adds an item; waits while the queue is full.
    pub(super) fn push(&self, item: T) {
        let mut state = self.lock();
        if state.items.len() >= self.len_max {
            state.blocked = true;
            while state.blocked {
                state = wait(&self.drained, state);
            }
        }
        state.items.push_back(item);
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Says that nothing more will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Takes the oldest item; waits while there is none. `None`: there will be no more.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                let wake = state.blocked && state.items.len() <= self.len_max >> 1;
                state.blocked &= !wake;
                drop(state);
                if wake {
                    self.drained.notify_one();
                }
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.idle = state.idle.saturating_add(1);
            state = wait(&self.filled, state);
            state.idle = state.idle.saturating_sub(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a, T>(condvar: &Condvar, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
    condvar.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// Closes the queue when dropped, also if the walker panics: the workers would wait for ever.
pub(super) struct CloseOnDrop<'a, T>(pub(super) &'a Queue<T>);

impl<T> Drop for CloseOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_arrives_once_whatever_the_sizes() {
        for (takers, len_max) in [(1, 1), (4, 1), (1, 64), (3, 7), (8, 64)] {
            let queue = Queue::new(len_max);
            let sum = Mutex::new((0_u64, 0_u64));
            std::thread::scope(|scope| {
                for _ in 0..takers {
                    scope.spawn(|| {
                        while let Some(item) = queue.pop() {
                            let mut sum = sum.lock().unwrap();
                            *sum = (sum.0.saturating_add(item), sum.1.saturating_add(1));
                        }
                    });
                }
                let _close = CloseOnDrop(&queue);
                (0..10_000).for_each(|item| queue.push(item));
            });
            assert_eq!(*sum.lock().unwrap(), (49_995_000, 10_000));
        }
    }
}
