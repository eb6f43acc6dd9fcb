//! Exit codes: the contract with scripts. One exhaustive table per kind of error.

use flr_provider::aws::OVER_COST;
use flr_provider::engine;
use flr_provider::{Fault, FaultKind};
use flr_recover::Error;

/// What the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// Failed in a way that has no code of its own.
    Failed = 1,
    /// The command makes no sense.
    Usage = 2,
    /// Some items were unreadable or skipped.
    Partial = 3,
    /// The path is not in the point.
    NoSuchPath = 4,
    /// It may work later.
    Temporary = 5,
    /// What was read is not what it should be.
    Mismatch = 6,
    /// A format, a feature, or a key that is missing.
    Unsupported = 7,
    /// Damaged at the place needed.
    Damaged = 9,
    /// No such source.
    NoSuchSource = 10,
    /// In use.
    Busy = 11,
    /// Permission.
    Denied = 12,
    /// Over what it may cost, or to be agreed to.
    Cost = 13,
    /// Everything asked for was done, but temporary resources may remain.
    Leftover = 20,
    /// Not everything was done, and temporary resources may remain.
    PartialLeftover = 21,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::NoSuchPath => 4,
            Self::Temporary => 5,
            Self::Mismatch => 6,
            Self::Unsupported => 7,
            Self::Damaged => 9,
            Self::NoSuchSource => 10,
            Self::Busy => 11,
            Self::Denied => 12,
            Self::Cost => 13,
            Self::Leftover => 20,
            Self::PartialLeftover => 21,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The same, with temporary resources that may remain.
    pub(crate) fn with_leftovers(self) -> Self {
        match self {
            Self::Done => Self::Leftover,
            Self::Interrupted | Self::Terminated => self,
            _ => Self::PartialLeftover,
        }
    }

    /// The code for an error of the reader.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Fs(error) => Self::of_fs(error),
            Error::Provider(error) => Self::of_provider(error),
            Error::NotFound(_) => Self::NoSuchPath,
            Error::Ambiguous(_) | Error::Usage(_) | Error::TooDeep(_) => Self::Usage,
            Error::Write { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => Self::Denied,
                _ => Self::Failed,
            },
            Error::Verify(_) => Self::Mismatch,
        }
    }

    /// The code for an error of a reader.
    pub(crate) fn of_fs(error: &flr_fs::Error) -> Self {
        use flr_fs::Request;
        match error {
            flr_fs::Error::Io { source, .. } => {
                let fault = source.get_ref().and_then(|inner| inner.downcast_ref());
                fault.map_or(Self::Damaged, Self::of_read)
            }
            flr_fs::Error::Corrupt(_) | flr_fs::Error::Limit(_) => Self::Damaged,
            flr_fs::Error::Unsupported(_) | flr_fs::Error::Locked(_) => Self::Unsupported,
            flr_fs::Error::Request(request) => match request {
                Request::NoSuchNode | Request::NoSuchStream | Request::NotADirectory => {
                    Self::NoSuchPath
                }
                Request::IsADirectory
                | Request::NotALink
                | Request::NoContent
                | Request::OutOfRange { .. }
                | Request::NotOffered => Self::Usage,
                Request::Cancelled => Self::Interrupted,
            },
        }
    }

    /// The code for an error of a provider.
    pub(crate) fn of_provider(error: &flr_provider::Error) -> Self {
        use flr_provider::Error;
        match error {
            Error::Fs(error) => Self::of_fs(error),
            Error::NotFound { .. } | Error::NoSuch { .. } => Self::NoSuchSource,
            Error::Denied { .. } => Self::Denied,
            Error::Busy { .. } => Self::Busy,
            Error::Unsupported { .. } | Error::Usage { .. } => Self::Usage,
            Error::Io { .. } => Self::Failed,
            Error::Remote { fault, .. } => Self::of_fault(fault),
            Error::Refused { .. } => Self::Unsupported,
            Error::Cost { .. } => Self::Cost,
            Error::Engine(error) => Self::of_engine(error),
            Error::Leftover { error, .. } => Self::of_provider(error).with_leftovers(),
        }
    }

    /// The code for a call over the network that failed.
    pub(crate) fn of_fault(fault: &Fault) -> Self {
        if fault.is(OVER_COST) {
            return Self::Cost;
        }
        match fault.kind {
            FaultKind::Denied | FaultKind::Expired => Self::Denied,
            FaultKind::Quota | FaultKind::InUse => Self::Busy,
            FaultKind::Unknown | FaultKind::Throttled => Self::Temporary,
            FaultKind::Unavailable => Self::Unsupported,
            FaultKind::NotFound => Self::NoSuchSource,
            FaultKind::Exists | FaultKind::Refused => Self::Failed,
        }
    }

    /// The same for bytes of a source that was opened: what never comes is as good as damaged.
    fn of_read(fault: &Fault) -> Self {
        match Self::of_fault(fault) {
            Self::Failed | Self::Unsupported => Self::Damaged,
            exit => exit,
        }
    }

    /// The code for something temporary that could not be made.
    pub(crate) fn of_engine(error: &engine::Error) -> Self {
        use engine::Error;
        match error {
            Error::Store(error) => Self::of_store(error),
            Error::Fault { fault, .. } => Self::of_fault(fault),
            Error::Account { .. } => Self::Denied,
            Error::Misuse(_) => Self::Busy,
            Error::Interrupted => Self::Interrupted,
            Error::Deadline { .. } => Self::Temporary,
            Error::LeaseLost { .. } | Error::Failed { .. } => Self::Failed,
        }
    }

    /// The code for a journal that cannot be used.
    pub(crate) const fn of_store(error: &engine::StoreError) -> Self {
        use engine::StoreErrorKind;
        match error.kind {
            StoreErrorKind::Denied => Self::Denied,
            StoreErrorKind::Busy | StoreErrorKind::Fenced => Self::Busy,
            StoreErrorKind::Newer => Self::Unsupported,
            StoreErrorKind::Corrupt => Self::Damaged,
            StoreErrorKind::Full | StoreErrorKind::Io => Self::Failed,
        }
    }
}

/// How a command over several items went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    done: u64,
    failed: u64,
    reached: bool,
    /// The code that all failures so far share.
    shared: Option<Exit>,
}

impl Tally {
    /// One more item was done.
    pub(crate) const fn done(&mut self) {
        self.done = self.done.saturating_add(1);
    }

    /// So many more items were done, and failed in ways of their own.
    pub(crate) fn add(&mut self, done: u64, failed: u64) {
        self.done = self.done.saturating_add(done);
        if failed > 0 {
            self.failed(Exit::Partial);
            self.failed = self.failed.saturating_add(failed.saturating_sub(1));
        }
    }

    /// What was named could be opened: whatever fails below it is a part of the whole.
    pub(crate) const fn reached(&mut self) {
        self.reached = true;
    }

    /// One more item failed like this.
    pub(crate) fn failed(&mut self, exit: Exit) {
        self.shared = match self.failed {
            0 => Some(exit),
            _ => self.shared.filter(|shared| *shared == exit),
        };
        self.failed = self.failed.saturating_add(1);
    }

    /// Items that failed.
    pub(crate) const fn failures(&self) -> u64 {
        self.failed
    }

    /// Items that were done.
    pub(crate) const fn successes(&self) -> u64 {
        self.done
    }

    /// Done, partial, or, if nothing at all was done and all failed alike, that failure's code.
    pub(crate) fn exit(&self) -> Exit {
        match (self.failed, self.done, self.shared) {
            (0, _, _) => Exit::Done,
            (_, 0, Some(shared)) if !self.reached => shared,
            _ => Exit::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_keeps_its_code_and_several_are_partial() {
        let mut tally = Tally::default();
        assert_eq!(tally.exit(), Exit::Done);
        tally.failed(Exit::Damaged);
        tally.failed(Exit::Damaged);
        assert_eq!(tally.exit(), Exit::Damaged);
        tally.done();
        assert_eq!(tally.exit(), Exit::Partial);
        let mut below = Tally::default();
        below.reached();
        below.failed(Exit::Unsupported);
        assert_eq!(below.exit(), Exit::Partial);
        let mut mixed = Tally::default();
        mixed.failed(Exit::Damaged);
        mixed.failed(Exit::NoSuchPath);
        assert_eq!(mixed.exit(), Exit::Partial);
    }
}
