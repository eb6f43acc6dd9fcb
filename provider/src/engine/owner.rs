//! Who owns a session, and whether that process still lives.
//!
//! A number alone says nothing: it is given away again. Start time and boot tell one process from every
//! other of its number. A process of another machine, or one in another PID namespace (a container that
//! shares our state directory), cannot be seen from here: only the expiry of its session says that it is
//! gone.

use std::fmt;
use std::fs;
use std::io;

/// A process, on its machine, told apart from every other there is or will be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Which machine: its machine id, or its name where it has none.
    pub host: String,
    /// The machine's name, for people.
    pub host_name: String,
    /// The user's name or number, for people.
    pub user: String,
    /// The number of the process.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// Which boot of the machine.
    pub boot: String,
    /// Which PID namespace its number is of.
    pub namespace: String,
}

/// Whether an owner still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It does not, and never will again.
    Dead,
    /// It cannot be seen from here.
    Unknown,
}

/// The processes of this machine.
pub trait Processes: fmt::Debug + Send + Sync {
    /// This process.
    fn current(&self) -> Owner;
    /// Whether `owner` runs.
    fn liveness(&self, owner: &Owner) -> Liveness;
}

impl Owner {
    /// As it stands in the tag `flr:owner`: `user@host`, of letters that every provider takes, and at
    /// most 128 of them.
    #[must_use]
    pub fn tag(&self) -> String {
        let plain = |char: char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => char,
            _ => '_',
        };
        let part = |text: &str| text.chars().take(63).map(plain).collect::<String>();
        format!("{}@{}", part(&self.user), part(&self.host_name))
    }

    /// What `other`, found under the same number, says about this one.
    #[must_use]
    pub fn liveness_given(&self, here: &Self, start_time_of_pid: Option<u64>) -> Liveness {
        if self.host != here.host {
            return Liveness::Unknown;
        }
        if self.boot != here.boot {
            return Liveness::Dead;
        }
        if self.namespace != here.namespace {
            return Liveness::Unknown;
        }
        match start_time_of_pid {
            Some(start_time) if start_time == self.start_time => Liveness::Alive,
            _ => Liveness::Dead,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} (process {})", self.user, self.host_name, self.pid)
    }
}

/// What `/proc` says.
#[derive(Clone, Debug)]
pub struct SystemProcesses {
    current: Owner,
}

impl SystemProcesses {
    /// Looks this process up.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn new() -> io::Result<Self> {
        let pid = std::process::id();
        let start_time = start_time(pid).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "/proc/self/stat cannot be read")
        })?;
        let system = rustix::system::uname();
        let host_name = system.nodename().to_string_lossy().into_owned();
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let machine = machine.trim();
        let host = match machine.is_empty() {
            true => host_name.clone(),
            // A container made from an image has the image's machine id: the name is part of it.
            false => format!("{machine}/{host_name}"),
        };
        let namespace = fs::read_link("/proc/self/ns/pid")?;
        let uid = rustix::process::geteuid().as_raw();
        let current = Owner {
            host,
            host_name,
            user: user_name(uid).unwrap_or_else(|| uid.to_string()),
            pid,
            start_time,
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id")?
                .trim()
                .to_owned(),
            namespace: namespace.to_string_lossy().into_owned(),
        };
        Ok(Self { current })
    }
}

impl Processes for SystemProcesses {
    fn current(&self) -> Owner {
        self.current.clone()
    }

    fn liveness(&self, owner: &Owner) -> Liveness {
        owner.liveness_given(&self.current, start_time(owner.pid))
    }
}

/// The name of a user, from the local file only: a directory service may be down just when things have
/// to be cleaned up.
fn user_name(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// When the process of this number started. `None`: there is none, or it has ended and only waits for
/// its parent.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command's name comes second, in brackets, and may hold anything, brackets included.
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end.checked_add(1)?..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // The first field behind the name is the third of the line; the start time is its 22nd.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(22 - 4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn this_process_lives_and_others_of_its_number_do_not() {
        let processes = SystemProcesses::new().unwrap();
        let current = processes.current();
        assert_eq!(processes.liveness(&current), Liveness::Alive);
        let mut other = current.clone();
        other.start_time += 1;
        assert_eq!(processes.liveness(&other), Liveness::Dead);
        let mut other = current.clone();
        other.boot.push('x');
        assert_eq!(processes.liveness(&other), Liveness::Dead);
        let mut other = current.clone();
        other.namespace.push('x');
        assert_eq!(processes.liveness(&other), Liveness::Unknown);
        let mut other = current;
        other.host.push('x');
        assert_eq!(processes.liveness(&other), Liveness::Unknown);
    }

    #[test]
    fn a_process_that_ended_is_dead_even_before_its_parent_knows() {
        let processes = SystemProcesses::new().unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let mut owner = processes.current();
        owner.pid = child.id();
        owner.start_time = start_time(child.id()).unwrap();
        assert_eq!(processes.liveness(&owner), Liveness::Alive);
        child.kill().unwrap();
        while processes.liveness(&owner) == Liveness::Alive {
            std::thread::yield_now();
        }
        assert_eq!(processes.liveness(&owner), Liveness::Dead);
        child.wait().unwrap();
        assert_eq!(processes.liveness(&owner), Liveness::Dead);
    }

    #[test]
    fn the_tag_is_plain() {
        let mut owner = SystemProcesses::new().unwrap().current();
        owner.user = "Jörg \u{1b}[m/".into();
        owner.host_name = "web-1.example".into();
        assert_eq!(owner.tag(), "J_rg___m_@web-1.example");
        owner.user = "x".repeat(300);
        owner.host_name = "y".repeat(300);
        assert_eq!(owner.tag().len(), 127);
    }
}
