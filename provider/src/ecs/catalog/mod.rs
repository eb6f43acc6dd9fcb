//! Points in time of what ECS has: snapshots, disks, instances, images.
//!
//! | module | |
//! |---|---|
//! | `wanted` | what an address means |
//! | `inventory`, `named` | asking ECS for it |
//! | `label` | what a snapshot is good for, and whether it can be read |
//! | `open` | reading it |
//! | `estimate` | what that costs |

mod estimate;
mod inventory;
mod label;
mod named;
mod open;
mod wanted;

pub(in crate::ecs) use inventory::members_of;

use super::assistant;
use super::backup::CloudBackup;
use super::client::Client;
use crate::account::ClientSettings;
use crate::engine::Owed;
use crate::error::Result;
use crate::point::{Catalog, Estimate, OpenHow, OpenedPoint, PointInfo, TakeHow, TakenPoint};
use crate::remote::block_on;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Looks at a point before a disk is made of any of its snapshots, and may refuse: for snapshots on which
/// that has a lasting effect.
pub trait BeforeClone: fmt::Debug + Send + Sync {
    /// What to tell people, if it may be done, and what is owed then. Blocks, and not from within a
    /// future.
    ///
    /// # Errors
    /// It must not be done, or not without the user's word.
    fn check(&self, client: &Client, point: &PointInfo, how: &OpenHow) -> Result<Checked>;
}

/// What came of looking at a point before a disk is made of it.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What to tell people.
    pub notes: Vec<String>,
    /// What the making of a disk leaves to be done, by the snapshot that it is made of.
    pub owed: BTreeMap<String, Owed>,
}

/// What ECS has in one region, as an account sees it.
#[derive(Debug)]
pub struct EcsCatalog {
    client: Client,
    checks: Vec<Arc<dyn BeforeClone>>,
}

impl EcsCatalog {
    /// The catalog of the account and region that `settings` lead to. Nothing is asked yet.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(settings: &ClientSettings) -> Result<Self> {
        Ok(Self::with_client(Client::new(settings)?))
    }

    /// The catalog of what a client leads to. Nothing is asked yet.
    #[must_use]
    pub fn with_client(client: Client) -> Self {
        Self {
            client,
            checks: vec![Arc::new(CloudBackup)],
        }
    }

    /// The same, with one more check before anything is made.
    #[must_use]
    pub fn with_check(mut self, check: Arc<dyn BeforeClone>) -> Self {
        self.checks.push(check);
        self
    }
}

impl Catalog for EcsCatalog {
    fn points(&self, object: &str) -> Result<Vec<PointInfo>> {
        block_on(inventory::points(&self.client, object))
    }

    fn open(&self, point: &PointInfo, how: &OpenHow) -> Result<OpenedPoint> {
        open::open(&self.client, &self.checks, point, how)
    }

    fn take(&self, object: &str, how: &TakeHow) -> Result<TakenPoint> {
        block_on(async {
            let instance = named::instance_of(&self.client, object).await?;
            assistant::take(&self.client, &instance, how).await
        })
    }

    fn cost(&self, point: &PointInfo, how: &OpenHow, _bytes: u64) -> Result<Estimate> {
        Ok(estimate::estimate(point, how))
    }
}
