//! The numbers of errors in answers, as faults.

use super::wire::error_chunk::ErrorChunk;
use crate::fault::{Fault, FaultKind};

/// The protocol's own numbers, which are the same on all systems.
const KNOWN: &[(u32, &str, &str, FaultKind)] = &[
    (1, "EPERM", "it does not allow it", FaultKind::Denied),
    // The medium may be bad for ever, or a line to it for a moment: whoever repeats it finds out.
    (5, "EIO", "it cannot read there", FaultKind::Unknown),
    (12, "ENOMEM", "it has no memory left", FaultKind::Unknown),
    (
        22,
        "EINVAL",
        "it does not take the request",
        FaultKind::Refused,
    ),
    (28, "ENOSPC", "it has no space left", FaultKind::Refused),
    (
        75,
        "EOVERFLOW",
        "the request is too large for it",
        FaultKind::Refused,
    ),
    (95, "ENOTSUP", "it cannot do that", FaultKind::Refused),
    (
        108,
        "ESHUTDOWN",
        "it is being shut down",
        FaultKind::Unknown,
    ),
];

/// The fault of `doing`, of which the server says `error`. Its code is the error's name: `EIO`.
pub(super) fn fault(doing: &str, error: &ErrorChunk) -> Fault {
    let known = KNOWN.iter().find(|(number, ..)| *number == error.error);
    let (name, meaning, kind) = match known {
        Some((_, name, meaning, kind)) => ((*name).to_owned(), *meaning, *kind),
        None => (error.error.to_string(), "it fails", FaultKind::Unknown),
    };
    let meaning = match error.message.as_str() {
        "" => meaning,
        said => said,
    };
    let at = error
        .offset
        .map_or_else(String::new, |at| format!(" at {at:#x}"));
    Fault::new(
        kind,
        format!("{doing}: the server says {name}{at}: {meaning}"),
    )
    .with_code(name)
}

/// Whether the server wants to be left.
pub(super) const fn is_shutdown(error: &ErrorChunk) -> bool {
    error.error == 108
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_a_repetition_may_bring() {
        let fault_of = |error: u32| {
            let message = String::new();
            let offset = Some(4096);
            fault(
                "read 512 bytes at 0x0",
                &ErrorChunk {
                    error,
                    message,
                    offset,
                },
            )
        };
        assert_eq!(fault_of(1).kind, FaultKind::Denied);
        assert_eq!(fault_of(22).kind, FaultKind::Refused);
        assert_eq!(fault_of(75).kind, FaultKind::Refused);
        for error in [5, 12, 108, 4711] {
            assert_eq!(fault_of(error).kind, FaultKind::Unknown, "{error}");
        }
        assert!(fault_of(5).is("EIO"));
        assert_eq!(
            fault_of(5).to_string(),
            "read 512 bytes at 0x0: the server says EIO at 0x1000: it cannot read there"
        );
    }
}
