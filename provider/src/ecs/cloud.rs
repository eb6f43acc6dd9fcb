//! Alibaba Cloud as the clone engine sees it: an account in a region, and what is made there.

use super::api::{self, Query};
use super::backup;
use super::client::Client;
use super::disk::{self, ECS_DISK};
use crate::account::ClientSettings;
use crate::clouds::{Way, Ways, Which};
use crate::engine::{
    Answer, AttachCall, Cloud, CreateCall, DeleteCall, Duty, Identity, Kind, OpId, Record, Repeat,
    Seen, TagCall, tags,
};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::remote::block_on;
use std::path::PathBuf;
use std::sync::Arc;

/// The provider's name, as in an address and in the journal.
pub const PROVIDER: &str = "ecs";

/// An account's view of one region.
#[derive(Debug)]
pub struct EcsCloud {
    client: Client,
    /// The way that records must have been made on to be this one's concern.
    way: Way,
}

impl EcsCloud {
    /// The provider of this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let way = way(&client);
        Self { client, way }
    }

    /// For a region, for the records of a way.
    ///
    /// # Errors
    /// An endpoint that must not be used.
    pub(crate) fn open(region: &str, ways: &Ways) -> Result<Arc<dyn Cloud>> {
        Ok(Arc::new(Self {
            client: Client::new(&settings(&ways.taken, Some(region.to_owned())))?,
            way: ways.recorded.clone(),
        }))
    }

    /// Regions in which something may have been left.
    ///
    /// # Errors
    /// The settings make no sense, or Alibaba Cloud cannot be asked.
    pub(crate) fn regions(way: &Way, which: Which<'_>) -> Result<Vec<String>> {
        match which {
            Which::One(region) => return Ok(vec![region.to_owned()]),
            Which::Configured if way.is_default() && !is_configured() => return Ok(Vec::new()),
            Which::Configured | Which::All => {}
        }
        let client = match (Client::new(&settings(way, None)), which) {
            (Ok(client), Which::All) => client,
            (Ok(client), _) => return Ok(vec![client.region().to_owned()]),
            // No region is configured: any knows the others.
            (Err(Error::Usage { .. }), Which::All) => {
                Client::new(&settings(way, Some(ANY_REGION.to_owned())))?
            }
            (Err(Error::Usage { .. }), _) => return Ok(Vec::new()),
            (Err(error), _) => return Err(error),
        };
        block_on(api::describe_regions(&client))
            .map_err(|fault| super::fault::error("list the regions of Alibaba Cloud", fault))
    }
}

fn settings(way: &Way, region: Option<String>) -> ClientSettings {
    ClientSettings {
        profile: way.profile.clone(),
        region,
        endpoint_url: way.endpoint.clone(),
    }
}

/// Which region is asked for all regions where none is configured.
const ANY_REGION: &str = "cn-hangzhou";

/// Whether anybody has set up Alibaba Cloud here, as far as can be told without asking the network: on a
/// machine elsewhere, the metadata service is waited for in vain.
#[must_use]
pub fn is_configured() -> bool {
    const VARIABLES: [&str; 4] = [
        "ALIBABA_CLOUD_REGION_ID",
        "ALIBABA_CLOUD_PROFILE",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "FLR_ECS_METADATA_ENDPOINT",
    ];
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let file = home.map(|home| home.join(".aliyun/config.json"));
    let vendor = std::fs::read_to_string("/sys/class/dmi/id/sys_vendor");
    VARIABLES.iter().any(set)
        || file.is_some_and(|file| file.is_file())
        || vendor.is_ok_and(|vendor| vendor.trim() == "Alibaba Cloud")
}

/// How a client reaches its account. A profile that the environment names is part of it: the next
/// command may run without that.
pub(super) fn way(client: &Client) -> Way {
    let settings = client.settings();
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    // Keys in the environment come before a profile that is named there.
    let keys = variable("ALIBABA_CLOUD_ACCESS_KEY_ID").is_some();
    let named = || variable("ALIBABA_CLOUD_PROFILE").filter(|_| !keys);
    Way {
        profile: settings.profile.clone().or_else(named),
        endpoint: settings.endpoint_url.clone(),
        source: None,
    }
}

/// Refuses what is none of ours to make.
fn check(kind: &str) -> Result<(), Fault> {
    match kind == ECS_DISK {
        true => Ok(()),
        false => {
            let message = format!("{kind} is nothing that this version makes in Alibaba Cloud");
            Err(Fault::new(FaultKind::Refused, message))
        }
    }
}

/// Whether it says that there is no such disk, and not that there is nothing else.
fn is_no_such_disk(fault: &Fault) -> bool {
    let code = fault.code.as_deref().unwrap_or_default();
    fault.kind == FaultKind::NotFound && code.starts_with("InvalidDisk")
}

/// All disks that have a tag, of this value if one is given.
async fn tagged(client: &Client, key: &str, value: Option<&str>) -> Result<Vec<Seen>, Fault> {
    let disks = api::describe_disks(client, &Query::tagged(key, value)).await?;
    let seen = disks.into_iter().map(disk::seen);
    // A server that takes no notice of filters must not make others' disks ours.
    Ok(seen.filter(|seen| seen.tags.contains_key(key)).collect())
}

impl Cloud for EcsCloud {
    fn provider(&self) -> &str {
        PROVIDER
    }

    fn region(&self) -> &str {
        self.client.region()
    }

    fn kind(&self, kind: &str) -> Kind {
        // Of what is not known, the least is expected.
        let repeat = match kind == ECS_DISK {
            true => Repeat::Token,
            false => Repeat::Nothing,
        };
        Kind {
            repeat,
            consistent: false,
            taggable: true,
        }
    }

    fn reaches(&self, record: &Record) -> bool {
        Way::of(record) == self.way
    }

    fn identity(&self) -> Answer<'_, Identity> {
        Box::pin(async {
            let account = self.client.account().await?;
            let time = self.client.time();
            Ok(Identity { account, time })
        })
    }

    fn create<'a>(&'a self, call: CreateCall<'a>) -> Answer<'a, String> {
        Box::pin(async move {
            check(&call.record().kind)?;
            disk::create(&self.client, &call).await
        })
    }

    fn describe<'a>(&'a self, kind: &'a str, id: &'a str) -> Answer<'a, Option<Seen>> {
        Box::pin(async move {
            check(kind)?;
            match api::describe_disks(&self.client, &Query::ids("DiskIds", &[id])).await {
                Ok(disks) => {
                    let found = disks.into_iter().find(|disk| disk.disk_id == id);
                    Ok(found.map(disk::seen))
                }
                Err(fault) if is_no_such_disk(&fault) => Ok(None),
                Err(fault) => Err(fault),
            }
        })
    }

    fn find<'a>(&'a self, kind: &'a str, op: OpId) -> Answer<'a, Vec<Seen>> {
        Box::pin(async move {
            check(kind)?;
            tagged(&self.client, tags::OP, Some(&op.to_string())).await
        })
    }

    fn list(&self) -> Answer<'_, Vec<Seen>> {
        Box::pin(tagged(&self.client, tags::SESSION, None))
    }

    fn reaches_duty(&self, duty: &Duty) -> bool {
        Way::among(&duty.parameters) == self.way
    }

    fn is_settled<'a>(&'a self, duty: &'a Duty) -> Answer<'a, bool> {
        Box::pin(backup::is_settled(&self.client, duty))
    }

    fn attach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            check(call.kind())?;
            api::attach_disk(&self.client, call.id(), call.target()).await
        })
    }

    fn detach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            check(call.kind())?;
            api::detach_disk(&self.client, call.id(), call.target()).await
        })
    }

    /// By detaching it once more. ECS looks for the disk before it looks at its state, and documents
    /// `InvalidDiskId.NotFound` for a disk that does not exist, `IncorrectDiskStatus` for one that is there
    /// and not attached.
    fn is_there<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, Option<bool>> {
        Box::pin(async move {
            check(call.kind())?;
            match api::detach_disk(&self.client, call.id(), call.target()).await {
                Ok(()) => Ok(Some(true)),
                Err(fault) if is_no_such_disk(&fault) => Ok(Some(false)),
                Err(fault) if fault.kind == FaultKind::InUse => Ok(Some(true)),
                Err(fault) => Err(fault),
            }
        })
    }

    fn tag<'a>(&'a self, call: TagCall<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            check(call.kind())?;
            let pairs = call.tags().iter();
            let tags: Vec<_> = pairs
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect();
            api::tag_disk(&self.client, call.id(), &tags).await
        })
    }

    fn delete<'a>(&'a self, call: DeleteCall<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            check(call.kind())?;
            api::delete_disk(&self.client, call.id()).await
        })
    }
}
