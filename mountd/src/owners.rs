//! Which owner a node is shown with.

use crate::attributes::Owner;
use crate::options::MountOptions;
use crate::owner_table::OwnerTable;
use crate::reports::Reports;
use flr_recover::{View, ViewNode};
use std::sync::Arc;

/// What replaces stored owners.
#[derive(Debug)]
pub(crate) struct Owners {
    default: Owner,
    table: Option<Arc<OwnerTable>>,
}

impl Owners {
    pub(crate) fn new(options: &MountOptions) -> Self {
        Self {
            default: Owner {
                uid: options.uid,
                gid: options.gid,
            },
            table: options.owners.clone(),
        }
    }

    /// What replaces the owner of `node`. Without a table nothing is read for it.
    pub(crate) fn of(&self, view: &View, node: ViewNode, reports: &Reports) -> Owner {
        let Some(table) = &self.table else {
            return self.default;
        };
        let stored = match view.owner_sids(node) {
            Ok(Some(stored)) => stored,
            Ok(None) => return self.default,
            Err(error) => {
                reports.owner(node, &error);
                return self.default;
            }
        };
        // A node is never hidden because its owner is not known.
        let sids = stored.sids.unwrap_or_else(|error| {
            reports.owner(node, &error.into());
            flr_fs::Sids::default()
        });
        let user = || sids.user.as_deref().and_then(|sid| table.uid(sid));
        let group = || sids.group.as_deref().and_then(|sid| table.gid(sid));
        Owner {
            uid: match stored.has_uid {
                true => None,
                false => user().or(self.default.uid),
            },
            gid: match stored.has_gid {
                true => None,
                false => group().or(self.default.gid),
            },
        }
    }
}
