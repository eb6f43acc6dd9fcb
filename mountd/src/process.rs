//! Processes by number, start time and boot: a number alone is soon somebody else's.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};

/// A process, told apart from every other that has or will have its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start_time: u64,
    /// Which boot of the machine.
    pub boot_id: String,
}

impl Process {
    /// This process.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn current() -> io::Result<Self> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let no_proc = || io::Error::new(io::ErrorKind::NotFound, "/proc/self/stat cannot be read");
        let (start_time, _) = stat(pid).ok_or_else(no_proc)?;
        Ok(Self {
            pid,
            start_time,
            boot_id: boot_id()?,
        })
    }

    /// Whether it still runs. A process that has ended and only waits for its parent does not: its
    /// files are closed.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        if boot_id().is_ok_and(|boot_id| boot_id != self.boot_id) {
            return false;
        }
        match stat(self.pid) {
            Some((start_time, state)) => {
                start_time == self.start_time && !matches!(state, b'Z' | b'X')
            }
            None => false,
        }
    }

    /// Waits until it has ended. `false`: it still runs at the deadline.
    ///
    /// # Errors
    /// The kernel has no process descriptors (before 5.3), or the process may not be watched.
    pub fn wait(&self, deadline: Instant) -> io::Result<bool> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(true);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        // The descriptor now keeps the number from being given away; whose it is must be seen after.
        if !self.is_alive() {
            return Ok(true);
        }
        poll_until(&mut [PollFd::new(&pidfd, PollFlags::IN)], deadline)
    }
}

/// Waits until one of `fds` has something to say. `false`: nothing by the deadline.
pub(crate) fn poll_until(fds: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match rustix::event::poll(fds, Some(&timespec(left))) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

/// Start time and state of a process.
fn stat(pid: i32) -> Option<(u64, u8)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&stat)
}

/// The command's name comes second, in brackets, and may hold anything, brackets included.
fn parse_stat(stat: &[u8]) -> Option<(u64, u8)> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end.checked_add(1)?..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // The first field behind the name is the third of the line.
    let state = *fields.next()?.as_bytes().first()?;
    let start_time = fields.nth(22 - 4)?.parse().ok()?;
    Some((start_time, state))
}

fn boot_id() -> io::Result<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = b"77 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
        assert_eq!(parse_stat(stat), Some((4242, b'S')));
        assert_eq!(parse_stat(b"77 (a"), None);
    }

    #[test]
    fn this_process_lives_and_an_older_one_of_its_number_does_not() {
        let mut process = Process::current().unwrap();
        assert!(process.is_alive());
        process.start_time += 1;
        assert!(!process.is_alive());
        process.start_time -= 1;
        process.boot_id.push('x');
        assert!(!process.is_alive());
    }

    #[test]
    fn the_end_of_a_process_is_seen() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let process = Process {
            pid,
            start_time: stat(pid).unwrap().0,
            boot_id: boot_id().unwrap(),
        };
        assert!(!process.wait(Instant::now()).unwrap());
        child.kill().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        assert!(process.wait(deadline).unwrap());
        assert!(!process.is_alive(), "a zombie is not alive");
        child.wait().unwrap();
        assert!(process.wait(deadline).unwrap());
    }
}
