//! What is refused of a volume's files, and under which code.

use super::super::fault::{self, IS_DIRECTORY};
use super::super::text::tame;
use crate::fault::{Fault, FaultKind};
use flr_fs::{Code, Request};
use std::io;

/// Nothing here is a fault of bytes.
pub(super) const NOWHERE: u64 = flr_fs::Fault::NOWHERE;

/// It would take a clone, which `--access direct` forbids.
pub(super) const DIRECT: Code = Code::new("ontap.direct");
/// No clone can be made of it.
pub(super) const CLONE: Code = Code::new("ontap.clone");
/// It would take a clone, which files of a FlexGroup have not.
pub(super) const FLEXGROUP: Code = Code::new("ontap.flexgroup");
/// It would take a clone, which cannot be written to a destination of SnapMirror.
pub(super) const SNAPMIRROR: Code = Code::new("ontap.snapmirror");
/// It would take more clones than were agreed to.
pub(super) const MANY: Code = Code::new("ontap.many");
/// What is in a directory is not told.
pub(super) const LISTING: Code = Code::new("ontap.listing");
/// A link whose target at that time is not told.
pub(super) const LINK: Code = Code::new("ontap.link");

/// Something of a type that this version does not know.
pub(super) const TYPE: Code = Code::new("ontap.type");

/// All of them.
pub const ALL: &[Code] = &[
    DIRECT, CLONE, FLEXGROUP, SNAPMIRROR, MANY, LISTING, LINK, TYPE,
];

/// The code of a fault that stands for [`MANY`].
pub(super) const TOO_MANY: &str = "TooMany";
/// The code of a fault that a signal has brought about.
pub(super) const INTERRUPTED: &str = "Interrupted";

/// Why no clone can be made of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoClones {
    /// The user has said so.
    Direct,
    /// The volume is a FlexGroup.
    FlexGroup,
    /// SnapMirror writes to the volume, and nobody else can.
    SnapMirror,
}

impl NoClones {
    /// The same as the error of a filesystem. `why` is what the cluster said.
    pub(super) fn error(self, why: &Fault) -> flr_fs::Error {
        let (code, words) = match self {
            Self::Direct => (DIRECT, "it has to be read through a clone"),
            Self::FlexGroup => (
                FLEXGROUP,
                "no clones can be made of files of a FlexGroup volume",
            ),
            Self::SnapMirror => (
                SNAPMIRROR,
                "no clones can be made in a destination of SnapMirror",
            ),
        };
        let detail = format!("the cluster refuses it below .snapshot: {why}; {words}");
        flr_fs::Error::unsupported(code, NOWHERE, detail)
    }
}

/// Whether an answer means that the cluster does not hand out what is below `.snapshot`, and not that
/// nothing at all may be done, or that it may be tried again.
pub(super) fn is_refusal(fault: &Fault) -> bool {
    match fault.kind {
        FaultKind::Refused | FaultKind::NotFound => true,
        // The role, and who is not known at all.
        FaultKind::Denied => !fault.is("6") && !fault.is("6691623") && fault.code.is_some(),
        _ => false,
    }
}

/// Whether it says that something is a directory.
pub(super) fn says_directory(fault: &Fault) -> bool {
    fault.is(IS_DIRECTORY)
        || fault
            .message
            .to_ascii_lowercase()
            .contains("is a directory")
}

/// A fault of the server as the error of a filesystem.
pub(super) fn failed(fault: Fault) -> flr_fs::Error {
    let kind = match fault.kind {
        FaultKind::Denied => io::ErrorKind::PermissionDenied,
        FaultKind::Unknown | FaultKind::Throttled => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    flr_fs::Error::io(NOWHERE, io::Error::new(kind, fault))
}

/// The same of a clone that could not be made.
pub(super) fn not_cloned(fault: Fault) -> flr_fs::Error {
    if fault.is(INTERRUPTED) {
        return Request::Cancelled.into();
    }
    let code = match fault.kind {
        _ if fault.is(TOO_MANY) => MANY,
        FaultKind::Refused | FaultKind::NotFound => CLONE,
        _ => return failed(fault),
    };
    let hint = fault::hint(&fault).map(|hint| format!("; {hint}"));
    let detail = format!("{}{}", fault.message, hint.unwrap_or_default());
    flr_fs::Error::unsupported(code, NOWHERE, detail)
}

/// What is told of something of an unknown type. `name` is what it is called.
pub(super) fn unknown_type(name: &str, kind: &str) -> flr_fs::Fault {
    let kind = tame(kind, None);
    let detail = format!("{name:?} is of the type {kind:?}, which is not known");
    flr_fs::Fault::new(TYPE, NOWHERE, detail)
}

pub(super) fn refused(message: &str) -> flr_fs::Error {
    failed(Fault::new(FaultKind::Refused, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_no_refusal_of_what_is_below_snapshot() {
        let fault = |kind, code| Fault::new(kind, "no").with_code(code);
        assert!(is_refusal(&fault(FaultKind::Denied, "6684685")));
        assert!(is_refusal(&fault(FaultKind::NotFound, "6684674")));
        assert!(is_refusal(&fault(FaultKind::Refused, "3")));
        for (kind, code) in [
            (FaultKind::Denied, "6"),
            (FaultKind::Denied, "6691623"),
            (FaultKind::Unknown, "500"),
            (FaultKind::Throttled, "9"),
        ] {
            assert!(!is_refusal(&fault(kind, code)), "{kind:?} {code}");
        }
        assert!(!is_refusal(&Fault::new(FaultKind::Denied, "a proxy")));
    }
}
