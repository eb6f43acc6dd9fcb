//! Points in time of what EC2 has: snapshots, volumes, instances, images.
//!
//! | module | |
//! |---|---|
//! | `wanted` | what an address means |
//! | `inventory` | asking EC2 for it |
//! | `label` | what a snapshot is good for, and how it can be read |
//! | `open` | reading it |
//! | `estimate` | what that costs |

mod estimate;
mod inventory;
mod label;
mod open;
mod wanted;

use super::changed;
use super::client::{Client, ClientSettings};
use crate::error::{Error, Result};
use crate::point::{
    Catalog, CommonDisk, Estimate, OpenHow, OpenedPoint, PointInfo, TakeHow, TakenPoint,
};
use crate::remote::{self, block_on};

/// What EC2 has in one region, as an account sees it.
#[derive(Debug)]
pub struct AwsCatalog {
    client: Client,
    reading: remote::Settings,
}

impl AwsCatalog {
    /// The catalog of the account and region that `settings` lead to. Nothing is asked yet.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(settings: &ClientSettings, reading: remote::Settings) -> Result<Self> {
        Ok(Self::with_client(Client::new(settings)?, reading))
    }

    /// The catalog of what a client leads to. Nothing is asked yet.
    #[must_use]
    pub const fn with_client(client: Client, reading: remote::Settings) -> Self {
        Self { client, reading }
    }
}

impl Catalog for AwsCatalog {
    fn points(&self, object: &str) -> Result<Vec<PointInfo>> {
        block_on(inventory::points(&self.client, object))
    }

    fn open(&self, point: &PointInfo, how: &OpenHow) -> Result<OpenedPoint> {
        open::open(&self.client, &self.reading, point, how)
    }

    fn take(&self, object: &str, _how: &TakeHow) -> Result<TakenPoint> {
        Err(Error::Refused {
            what: format!("{object}: snapshots are not taken in AWS as yet, only read"),
            hint: Some(
                "aws ec2 create-snapshots --instance-specification InstanceId=i-… takes all disks at one \
                 moment; flr points shows them then"
                    .to_owned(),
            ),
        })
    }

    fn common(&self, before: &PointInfo, after: &PointInfo, how: &OpenHow) -> Vec<CommonDisk> {
        changed::common(&self.client, before, after, how)
    }

    fn cost(&self, point: &PointInfo, how: &OpenHow, bytes: u64) -> Result<Estimate> {
        Ok(estimate::estimate(point, how, bytes))
    }
}
