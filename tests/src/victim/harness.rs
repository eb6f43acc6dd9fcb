//! What the test does that runs such processes.

use crate::stand_in::{Call, Cloud, Fake, FakeFault, When};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

const SIGKILL: i32 = 9;

/// What a process said.
#[derive(Debug)]
pub struct Said {
    /// What it ended with; nothing if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// What the output of a process is.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Fails the test if it has ended otherwise.
    ///
    /// # Panics
    /// It has.
    #[track_caller]
    pub fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

/// A process that is ended with the test.
#[derive(Debug)]
pub struct Running(Option<Child>);

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(Some(command.spawn().expect("a process")))
    }

    /// Ends its input and waits for it.
    ///
    /// # Panics
    /// It cannot be waited for.
    #[must_use]
    pub fn finish(mut self) -> Said {
        let mut child = self.0.take().expect("it runs");
        drop(child.stdin.take());
        Said::of(&child.wait_with_output().expect("its end"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // OK to ignore: it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Does something for each, so many at a time.
///
/// # Panics
/// One of them does.
pub fn for_each<T: Send, R: Send>(
    all: Vec<T>,
    at_once: usize,
    each: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let todo = Mutex::new(all.into_iter());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().expect("no panic").next();
                    let Some(next) = next else { break };
                    let result = each(next);
                    done.lock().expect("no panic").push(result);
                }
            });
        }
    });
    done.into_inner().expect("no panic")
}

/// Runs a process that is killed at the first request that `is_it`, with or without that having its
/// effect. Says whether it was.
///
/// # Panics
/// It ends in any other way than well or killed.
pub fn run_killed<C: Cloud>(
    fake: &Fake<C>,
    command: &mut Command,
    is_it: impl Fn(&Call<C::Service>) -> bool + Send + 'static,
    when: When,
) -> bool {
    fake.clear_requests();
    let pid = Arc::new(AtomicU32::new(0));
    let known = Arc::clone(&pid);
    let mut is_over = false;
    fake.set_rule(move |call| {
        is_over |= is_it(call);
        if !is_over {
            return None;
        }
        let pid = loop {
            match known.load(Ordering::Acquire) {
                0 => std::thread::yield_now(),
                pid => break pid,
            }
        };
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process");
        // OK to ignore: it was killed at an earlier request, and is dead.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        (when == When::BeforeEffect).then_some(FakeFault::Reset(when, 0))
    });
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a process");
    pid.store(child.id(), Ordering::Release);
    let status = child.wait().expect("its end");
    fake.clear_rule();
    let killed = status.signal() == Some(SIGKILL);
    assert!(killed || status.code() == Some(0), "{status}");
    killed
}
