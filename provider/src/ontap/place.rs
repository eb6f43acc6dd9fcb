//! What a name in an address means: `svm/volume/lun`, `svm/volume/qtree/lun`, `svm/volume`.
//!
//! A source that names its SVM may leave it out. So with `svm = "svm1"` both `filer:svm1/vol1/lun0` and
//! `filer:vol1/lun0` are the same LUN.

use super::text::is_plain;
use crate::error::{Error, Result};
use std::fmt;

/// A volume, or a LUN in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) svm: String,
    pub(super) volume: String,
    /// Its path inside the volume: `lun0`, `qtree/lun0`. `None`: the volume itself.
    pub(super) lun: Option<String>,
}

impl Place {
    /// Reads a name of an address.
    ///
    /// # Errors
    /// Too few or too many parts, or such as no name has.
    pub(super) fn parse(name: &str, svm: Option<&str>) -> Result<Self> {
        let hint = || Some("svm1/vol1/lun0; with the SVM in the source also vol1/lun0".to_owned());
        let usage = |what: String| Error::Usage { what, hint: hint() };
        let mut parts: Vec<&str> = name.split('/').collect();
        if let Some(bad) = parts.iter().find(|part| !is_plain(part)) {
            return Err(usage(format!("{name}: {bad:?} is no name of ONTAP")));
        }
        let svm = match svm {
            Some(svm) => {
                if parts.len() > 1 && parts.first() == Some(&svm) {
                    parts.remove(0);
                }
                svm.to_owned()
            }
            None => match parts.len() {
                0 | 1 => return Err(usage(format!("{name}: expected SVM/VOLUME/LUN"))),
                _ => parts.remove(0).to_owned(),
            },
        };
        match parts.as_slice() {
            [volume] => Ok(Self {
                svm,
                volume: (*volume).to_owned(),
                lun: None,
            }),
            [volume, lun @ ..] if lun.len() <= 2 => Ok(Self {
                svm,
                volume: (*volume).to_owned(),
                lun: Some(lun.join("/")),
            }),
            _ => Err(usage(format!(
                "{name}: expected at most a volume, a qtree and a LUN"
            ))),
        }
    }

    /// The LUN's name in a volume, as ONTAP has it.
    pub(super) fn path_in(volume: &str, lun: &str) -> String {
        format!("/vol/{volume}/{lun}")
    }

    /// The LUN's name in a snapshot of a volume ("Creating a new LUN clone" in the reference).
    pub(super) fn path_in_snapshot(volume: &str, snapshot: &str, lun: &str) -> String {
        format!("/vol/{volume}/.snapshot/{snapshot}/{lun}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { svm, volume, lun } = self;
        match lun {
            Some(lun) => write!(f, "{svm}/{volume}/{lun}"),
            None => write!(f, "{svm}/{volume}"),
        }
    }
}

/// The SVM that a name of an address may begin with.
#[must_use]
pub fn svm_of(name: &str) -> Option<&str> {
    name.split_once('/').map(|(svm, _)| svm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, svm: Option<&str>) -> Option<String> {
        Place::parse(name, svm).ok().map(|place| place.to_string())
    }

    #[test]
    fn a_source_that_names_its_svm_may_leave_it_out() {
        for name in ["svm1/vol1/lun0", "vol1/lun0"] {
            assert_eq!(text(name, Some("svm1")).unwrap(), "svm1/vol1/lun0");
        }
        assert_eq!(text("svm1/vol1/lun0", None).unwrap(), "svm1/vol1/lun0");
        let place = Place::parse("vol1/q1/lun0", Some("svm1")).unwrap();
        assert_eq!(place.lun.as_deref(), Some("q1/lun0"));
        assert_eq!(text("vol1", Some("svm1")).unwrap(), "svm1/vol1");
        assert_eq!(text("svm1/vol1", Some("svm1")).unwrap(), "svm1/vol1");
        // A volume called like its SVM.
        assert_eq!(text("svm1", Some("svm1")).unwrap(), "svm1/svm1");
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "vol1", "svm1//lun0", "svm1/*/lun0", "svm1/v/../lun0"] {
            assert_eq!(text(name, None), None, "{name}");
        }
        assert_eq!(text("svm1/vol1/q/d/lun0", None), None);
    }

    #[test]
    fn luns_have_paths() {
        let path = Place::path_in_snapshot("vol1", "nightly.0", "q1/lun0");
        assert_eq!(path, "/vol/vol1/.snapshot/nightly.0/q1/lun0");
        assert_eq!(Place::path_in("vol1", "lun0"), "/vol/vol1/lun0");
    }
}
