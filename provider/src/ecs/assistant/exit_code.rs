//! How the plug-in for consistent snapshots ends.
//!
//! Source: "Create application-consistent snapshots" of the documentation of ECS, the table of exit codes.

use crate::fault::FaultKind;

/// What an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// In words.
    pub what: &'static str,
    /// What to do about it.
    pub then: &'static str,
    /// How it is sorted.
    pub kind: FaultKind,
    /// Whether the instance may still be holding writes back.
    pub is_alarm: bool,
}

const fn failed(what: &'static str, then: &'static str) -> Meaning {
    sorted(FaultKind::Refused, what, then)
}

const fn sorted(kind: FaultKind, what: &'static str, then: &'static str) -> Meaning {
    Meaning {
        what,
        then,
        kind,
        is_alarm: false,
    }
}

/// Each code, and what it means.
const MEANINGS: &[(i64, Meaning)] = &[
    (
        1,
        sorted(
            FaultKind::Unavailable,
            "a condition is not met: the category of a disk, the name, the network, the role or the system",
            "all disks have to be ESSDs, the system one that is supported, and the instance has to reach \
         ECS; without --app-consistent none of that is needed",
        ),
    ),
    (
        2,
        failed(
            "the plug-in does not take its parameters",
            "it may be of another version: update Cloud Assistant's agent in the instance",
        ),
    ),
    (
        3,
        sorted(
            FaultKind::Denied,
            "no disk is an ESSD, or the instance's role is not allowed to take snapshots",
            "`flr policy aliyun --snapshot` says what the role has to be allowed; disks of other kinds: \
         --exclude-disk",
        ),
    ),
    (
        4,
        failed(
            "the group of snapshots could not be begun",
            "see the output, and the quota of snapshots",
        ),
    ),
    (
        5,
        failed(
            "the group of snapshots is in a state that it should not be in",
            "look at it in the console, then take another",
        ),
    ),
    (
        6,
        sorted(
            FaultKind::Unknown,
            "the group of snapshots was not begun in time",
            "try again when less is going on",
        ),
    ),
    (
        7,
        failed(
            "a snapshot of the group is in a state that it should not be in",
            "look at it in the console, then take another",
        ),
    ),
    (
        8,
        failed(
            "the snapshots could not be tagged, so how consistent they are is not known",
            "allow the instance's role ecs:TagResources, and take another",
        ),
    ),
    (
        9,
        failed(
            "the script before the freeze failed",
            "run the script of --pre in the instance and see why; it belongs to root and has mode 0700",
        ),
    ),
    (
        10,
        failed(
            "the script after the thaw failed, so the application may still hold still",
            "look at the application now: run the script of --post in the instance and see why it fails",
        ),
    ),
    (
        11,
        failed(
            "the filesystems could not be frozen",
            "only ext3, ext4, XFS and NTFS are supported, and nothing else may freeze them meanwhile",
        ),
    ),
    (
        12,
        Meaning {
            is_alarm: true,
            ..failed(
                "THE FILESYSTEMS COULD NOT BE THAWED: everything that writes in the instance may hang",
                "now: `fsfreeze --unfreeze MOUNTPOINT` in the instance for each of its filesystems, or \
             restart the instance",
            )
        },
    ),
    (
        13,
        sorted(
            FaultKind::Denied,
            "the instance has no such role",
            "attach a role to the instance, with what `flr policy aliyun --snapshot` says of it",
        ),
    ),
    (
        14,
        sorted(
            FaultKind::Quota,
            "a disk has as many snapshots as it may have",
            "delete some of them, or have the quota raised in Quota Center",
        ),
    ),
    (
        15,
        failed(
            "the snapshots are in a state that they should not be in",
            "look at them in the console, then take another",
        ),
    ),
    (
        16,
        sorted(
            FaultKind::InUse,
            "the previous snapshot of a disk is still being taken",
            "wait until it is accomplished, then try again",
        ),
    ),
    (
        255,
        failed(
            "the plug-in does not know what went wrong",
            "see the output, and /usr/local/share/aliyun-assist/log in the instance",
        ),
    ),
];

/// What a code other than 0 means.
#[must_use]
pub fn meaning(code: i64) -> Meaning {
    let known = MEANINGS.iter().find(|(known, _)| *known == code);
    known.map_or(UNKNOWN, |(_, meaning)| *meaning)
}

/// A code that is not documented.
const UNKNOWN: Meaning = failed(
    "that is no code of the plug-in",
    "see the output; Cloud Assistant's agent may be missing or too old",
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_code_has_words_of_its_own_and_something_to_do() {
        let codes = || (1..=16).chain([255, 127]);
        let words: BTreeSet<_> = codes().map(|code| meaning(code).what).collect();
        assert_eq!(words.len(), codes().count());
        for code in codes() {
            assert!(!meaning(code).then.is_empty(), "{code}");
            assert_eq!(meaning(code).is_alarm, code == 12, "{code}");
        }
        assert_eq!(meaning(-1), meaning(127));
    }
}
