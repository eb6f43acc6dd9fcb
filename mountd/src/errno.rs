//! What a program that uses the mount is told: one exhaustive match from our errors to errno.
//!
//! Arguable choices:
//! - Damage is `EIO`, not `EUCLEAN`: it is what programs expect of unreadable content, and what a
//!   broken disk would say. Nothing damaged is ever `ENOENT`; that would turn damage into absence.
//! - A feature we do not read is `EOPNOTSUPP`, so that the user sees the difference. Only for
//!   extended attributes it is `EIO`: there `cp -a`, `tar` and `rsync` take `EOPNOTSUPP` for "this
//!   filesystem has none" and would lose them in silence.
//! - An entry that leads to a node which does not exist is `EIO` as well: the entry is there, so
//!   something is broken, and `ESTALE` would make the kernel look it up a second time.

use flr_recover::Error;
use fuser::Errno;

/// The errno for an error.
pub(crate) fn of(error: &Error) -> Errno {
    match error {
        Error::Fs(error) => of_fs(error),
        // The network, credentials, a lost clone: the bytes cannot be had now. The log says why.
        Error::Provider(_) => Errno::EIO,
        Error::NotFound(_) => Errno::ENOENT,
        Error::TooDeep(_) => Errno::ELOOP,
        Error::Verify(_) | Error::Write { .. } => Errno::EIO,
        Error::Ambiguous(_) | Error::Usage(_) => Errno::EINVAL,
    }
}

/// The errno for an error met while reading extended attributes.
pub(crate) fn of_xattr(error: &Error) -> Errno {
    match of(error) {
        Errno::EOPNOTSUPP => Errno::EIO,
        errno => errno,
    }
}

fn of_fs(error: &flr_fs::Error) -> Errno {
    match error {
        flr_fs::Error::Io { .. } | flr_fs::Error::Corrupt(_) | flr_fs::Error::Limit(_) => {
            Errno::EIO
        }
        flr_fs::Error::Unsupported(_) => Errno::EOPNOTSUPP,
        // What the kernel says of an encrypted file whose key it does not have.
        flr_fs::Error::Locked(_) => enokey(),
        flr_fs::Error::Request(request) => of_request(*request),
    }
}

fn of_request(request: flr_fs::Request) -> Errno {
    use flr_fs::Request;
    match request {
        Request::NoSuchNode | Request::OutOfRange { .. } => Errno::EIO,
        Request::NoSuchStream => Errno::ENOENT,
        Request::NotADirectory => Errno::ENOTDIR,
        Request::IsADirectory => Errno::EISDIR,
        Request::NotALink => Errno::EINVAL,
        Request::NoContent => Errno::ENXIO,
        Request::NotOffered => Errno::EOPNOTSUPP,
        // Not EINTR: programs repeat a read that was interrupted, this one is over.
        Request::Cancelled => Errno::ECANCELED,
    }
}

/// `ENOKEY`, which fuser does not name.
fn enokey() -> Errno {
    Errno::from_i32(rustix::io::Errno::NOKEY.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flr_fs::{Code, Request};

    #[test]
    fn damage_absence_and_lack_of_support_stay_apart() {
        const CODE: Code = Code::new("test");
        let fs = |error: flr_fs::Error| of(&error.into());
        assert_eq!(fs(flr_fs::Error::corrupt(CODE, 0, "")), Errno::EIO);
        assert_eq!(fs(flr_fs::Error::limit(CODE, 0, "")), Errno::EIO);
        assert_eq!(fs(Request::NoSuchNode.into()), Errno::EIO);
        let unsupported = flr_fs::Error::unsupported(CODE, 0, "");
        assert_eq!(of_xattr(&unsupported.clone().into()), Errno::EIO);
        assert_eq!(fs(unsupported), Errno::EOPNOTSUPP);
        let locked = flr_fs::Error::Locked(flr_fs::Fault::new(CODE, 0, ""));
        assert_eq!(i32::from(fs(locked)), 126);
        assert_eq!(fs(Request::NotADirectory.into()), Errno::ENOTDIR);
        assert_eq!(fs(Request::IsADirectory.into()), Errno::EISDIR);
    }
}
