//! From a snapshot of a volume to its files, by the way that the cluster and the user allow.

use super::super::api::{Cluster, Volume};
use super::super::client::Client;
use super::super::fault;
use super::super::place::Place;
use super::clones::{Clones, HeldClones};
use super::codes::NoClones;
use super::making::Maker;
use super::through::Through;
use super::tree::{FileTree, Which};
use super::under::Under;
use crate::engine::Settings;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::point::{AccessMode, Held, OpenHow, OpenedFiles, PointInfo};
use crate::remote;
use std::sync::Arc;

const OVER_NAS: &str = "read the volume over NFS or SMB, in its .snapshot directory";

/// Files of a volume that are to be opened.
#[derive(Debug)]
pub(in super::super) struct Opening<'a> {
    pub(in super::super) client: &'a Client,
    pub(in super::super) cluster: &'a Cluster,
    pub(in super::super) volume: &'a Volume,
    pub(in super::super) place: &'a Place,
    pub(in super::super) point: &'a PointInfo,
}

impl Opening<'_> {
    /// Opens them. Blocks.
    ///
    /// # Errors
    /// The cluster hands out nothing of them in any way that is allowed.
    pub(in super::super) fn open(
        &self,
        how: &OpenHow,
        reading: &remote::Settings,
        settings: Option<Settings>,
    ) -> Result<OpenedFiles> {
        let possible = can_clone(self.volume, how.access);
        if let (AccessMode::Clone, Err(no)) = (how.access, possible) {
            return Err(self.refused(no, None));
        }
        let name = self.point.name.as_deref().unwrap_or_default();
        let under = Under::new(self.client, &self.volume.uuid, &self.point.id, name);
        let under = Arc::new(under);
        let clones = possible.map(|()| {
            let place = self.place.clone();
            let maker = Maker::new(Arc::clone(&under), place, how.clone(), settings);
            Clones::new(maker)
        });
        let held = clones.as_ref().ok().map(|clones| {
            let held: Box<dyn Held> = Box::new(HeldClones(Arc::clone(clones)));
            held
        });
        let which = Which {
            cluster: &self.cluster.uuid,
            label: &self.volume.name,
            snapshot: &self.point.id,
            size: self.volume.space.size,
        };
        let through = Through::new(how.access, clones);
        let tree = FileTree::open(under, &which, through, reading)
            .map_err(|fault| self.not_opened(possible, fault))?;
        let mut notes = Vec::new();
        if tree.is_guessed() {
            notes.push(
                "the cluster shows nothing below .snapshot: a file is found by its whole path, \
                 through a clone of it in the root of the volume, which is deleted at the end; its \
                 times and its inode are the clone's, and directories are those of now"
                    .to_owned(),
            );
        } else if how.access == AccessMode::Clone {
            notes.push(
                "each file is read through a clone of it, which is in the root of the volume meanwhile and \
                 deleted at the end"
                    .to_owned(),
            );
        }
        Ok(OpenedFiles {
            filesystem: tree,
            notes,
            held,
        })
    }

    fn not_opened(&self, possible: Result<(), NoClones>, fault: Fault) -> Error {
        let place = self.place;
        match (possible, &fault.kind) {
            (Err(no), _) if super::codes::is_refusal(&fault) => self.refused(no, Some(&fault)),
            (_, FaultKind::Refused | FaultKind::NotFound) if fault::hint(&fault).is_none() => {
                Error::Remote {
                    doing: format!("read files of {place} below .snapshot"),
                    fault,
                    hint: Some(OVER_NAS.to_owned()),
                }
            }
            _ => fault::error(format!("read files of {place} below .snapshot"), fault),
        }
    }

    /// Why they can be read in no way that is allowed. `fault` is what the cluster said below `.snapshot`.
    fn refused(&self, no: NoClones, fault: Option<&Fault>) -> Error {
        let name = format!("ontap:{}", self.place);
        let below =
            fault.map(|fault| format!("the cluster shows nothing below .snapshot ({fault}), and "));
        let below = below.unwrap_or_default();
        let (what, hint) = match no {
            NoClones::Direct => (
                format!("{name} cannot be read directly: {below}files have to be cloned"),
                "have single files cloned for a while: --access clone",
            ),
            NoClones::FlexGroup => (
                format!("{name}: {below}files of a FlexGroup volume cannot be cloned"),
                OVER_NAS,
            ),
            NoClones::SnapMirror => (
                format!(
                    "{name}: {below}files of a destination of SnapMirror, which is read-only, cannot be cloned"
                ),
                "read the source of the SnapMirror relationship, or the volume over NFS or SMB",
            ),
        };
        Error::Refused {
            what,
            hint: Some(hint.to_owned()),
        }
    }
}

/// Whether clones of files can be made in a volume, and may be.
fn can_clone(volume: &Volume, access: AccessMode) -> Result<(), NoClones> {
    match volume.style.as_deref() {
        _ if access == AccessMode::Direct => Err(NoClones::Direct),
        Some("flexgroup") => Err(NoClones::FlexGroup),
        _ if volume.kind != "rw" => Err(NoClones::SnapMirror),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_that_take_no_clones_are_known() {
        let of = |kind, style, access| {
            let json = serde_json::json!({"type": kind, "style": style});
            can_clone(&serde_json::from_value(json).unwrap(), access)
        };
        assert_eq!(of("rw", "flexvol", AccessMode::Auto), Ok(()));
        assert_eq!(
            of("rw", "flexvol", AccessMode::Direct),
            Err(NoClones::Direct)
        );
        assert_eq!(
            of("rw", "flexgroup", AccessMode::Clone),
            Err(NoClones::FlexGroup)
        );
        for kind in ["dp", "ls", ""] {
            let refused = of(kind, "flexvol", AccessMode::Auto);
            assert_eq!(refused, Err(NoClones::SnapMirror), "{kind}");
        }
    }
}
