//! AWS as the clone engine sees it: an account in a region, and the kinds of resources that are made
//! there.

use super::client::{Client, ClientSettings};
use super::device_names::DeviceNames;
use super::ebs_volume::EbsVolume;
use super::ec2::{self, create_tags};
use crate::clouds::{Way, Ways, Which};
use crate::engine::{
    Answer, AttachCall, Cloud, CreateCall, DeleteCall, Identity, Kind, OpId, Record, Repeat, Seen,
    TagCall,
};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::remote::block_on;
use std::fmt;
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;

/// The provider's name, as in an address and in the journal.
pub const PROVIDER: &str = "aws";

/// A kind of resource. Each method makes one call and repeats nothing.
pub(super) trait Resource: fmt::Debug + Sync {
    /// What the journal calls it.
    fn name(&self) -> &'static str;

    /// How AWS treats it.
    fn kind(&self) -> Kind;

    /// Makes one with all tags of the call, and gives its id.
    fn create<'a>(&self, cloud: &'a AwsCloud, call: CreateCall<'a>) -> Answer<'a, String>;

    /// Looks one up.
    fn describe<'a>(&self, cloud: &'a AwsCloud, id: &'a str) -> Answer<'a, Option<Seen>>;

    /// All that have this tag, with this value if one is given.
    fn tagged<'a>(
        &self,
        cloud: &'a AwsCloud,
        key: &'a str,
        value: Option<String>,
    ) -> Answer<'a, Vec<Seen>>;

    /// Deletes one.
    fn delete<'a>(&self, cloud: &'a AwsCloud, call: DeleteCall<'a>) -> Answer<'a, ()>;

    /// Attaches one to an instance.
    fn attach<'a>(&self, _: &'a AwsCloud, call: AttachCall<'a>) -> Answer<'a, ()> {
        refuse(format!("{} cannot be attached", call.kind()))
    }

    /// Detaches one.
    fn detach<'a>(&self, _: &'a AwsCloud, call: AttachCall<'a>) -> Answer<'a, ()> {
        refuse(format!("{} cannot be attached", call.kind()))
    }
}

/// Every kind of resource that is made in AWS: one line each.
const KINDS: &[&dyn Resource] = &[&EbsVolume];

fn refuse<'a, T: Send + 'a>(message: String) -> Answer<'a, T> {
    Box::pin(ready(Err(Fault::new(FaultKind::Refused, message))))
}

/// An account's view of one region.
#[derive(Debug)]
pub struct AwsCloud {
    client: Client,
    /// The way that records must have been made on to be this one's concern.
    way: Way,
    names: DeviceNames,
}

impl AwsCloud {
    /// The provider of this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let way = way(&client);
        let names = DeviceNames::default();
        Self { client, way, names }
    }

    /// For a region, for the records of a way.
    ///
    /// # Errors
    /// An endpoint that must not be used.
    pub(crate) fn open(region: &str, ways: &Ways) -> Result<Arc<dyn Cloud>> {
        Ok(Arc::new(Self {
            client: Client::new(&settings(&ways.taken, Some(region.to_owned())))?,
            way: ways.recorded.clone(),
            names: DeviceNames::default(),
        }))
    }

    /// Regions in which something may have been left.
    ///
    /// # Errors
    /// The settings make no sense, or AWS cannot be asked.
    pub(crate) fn regions(way: &Way, which: Which<'_>) -> Result<Vec<String>> {
        match which {
            Which::One(region) => return Ok(vec![region.to_owned()]),
            Which::Configured if !is_configured(way) => return Ok(Vec::new()),
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
        block_on(ec2::describe_regions(&client))
            .map_err(|fault| super::fault::error("list the regions of AWS", fault))
    }

    /// The client.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Names of devices.
    pub(super) const fn names(&self) -> &DeviceNames {
        &self.names
    }
}

fn settings(way: &Way, region: Option<String>) -> ClientSettings {
    ClientSettings {
        profile: way.profile.clone(),
        region,
        endpoint_url: way.endpoint.clone(),
    }
}

/// Whether anybody has set up AWS here, as far as can be told without asking the network: on a machine
/// elsewhere, the metadata service is waited for in vain.
fn is_configured(way: &Way) -> bool {
    const VARIABLES: [&str; 4] = [
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ];
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let file = std::env::var_os("AWS_CONFIG_FILE").map(PathBuf::from);
    let file = file.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".aws/config")));
    let vendor = std::fs::read_to_string("/sys/class/dmi/id/board_vendor");
    !way.is_default()
        || VARIABLES.iter().any(set)
        || file.is_some_and(|file| file.is_file())
        || vendor.is_ok_and(|vendor| vendor.trim() == "Amazon EC2")
}

/// Which region is asked for all regions where none is configured.
const ANY_REGION: &str = "us-east-1";

/// How a client reaches its account. A profile that the environment names is part of it: the next
/// command may run without that.
pub(super) fn way(client: &Client) -> Way {
    let settings = client.settings();
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    // Keys in the environment come before a profile that is named there.
    let keys = variable("AWS_ACCESS_KEY_ID").is_some();
    let named = || variable("AWS_PROFILE").filter(|_| !keys);
    Way {
        profile: settings.profile.clone().or_else(named),
        endpoint: settings.endpoint_url.clone(),
        ..Way::default()
    }
}

fn resource(kind: &str) -> Result<&'static dyn Resource, Fault> {
    let known = KINDS.iter().find(|known| known.name() == kind);
    known.copied().ok_or_else(|| {
        let message = format!("{kind} is nothing that this version makes in AWS");
        Fault::new(FaultKind::Refused, message)
    })
}

/// What the kind says, or its fault.
fn with<'a, T: Send + 'a>(
    kind: &str,
    answer: impl FnOnce(&'static dyn Resource) -> Answer<'a, T>,
) -> Answer<'a, T> {
    match resource(kind) {
        Ok(resource) => answer(resource),
        Err(fault) => Box::pin(ready(Err(fault))),
    }
}

impl Cloud for AwsCloud {
    fn provider(&self) -> &str {
        PROVIDER
    }

    fn region(&self) -> &str {
        self.client.region()
    }

    fn kind(&self, kind: &str) -> Kind {
        // Of what is not known, the least is expected.
        let least = Kind {
            repeat: Repeat::Nothing,
            consistent: false,
            taggable: true,
        };
        resource(kind).map_or(least, Resource::kind)
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
        let kind = call.record().kind.clone();
        with(&kind, |resource| resource.create(self, call))
    }

    fn describe<'a>(&'a self, kind: &'a str, id: &'a str) -> Answer<'a, Option<Seen>> {
        with(kind, |resource| resource.describe(self, id))
    }

    fn find<'a>(&'a self, kind: &'a str, op: OpId) -> Answer<'a, Vec<Seen>> {
        let value = Some(op.to_string());
        with(kind, |resource| {
            resource.tagged(self, crate::engine::tags::OP, value)
        })
    }

    fn list(&self) -> Answer<'_, Vec<Seen>> {
        Box::pin(async {
            let mut all = Vec::new();
            for resource in KINDS {
                let tagged = resource.tagged(self, crate::engine::tags::SESSION, None);
                all.extend(tagged.await?);
            }
            Ok(all)
        })
    }

    fn attach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()> {
        with(call.kind(), |resource| resource.attach(self, call))
    }

    fn detach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()> {
        with(call.kind(), |resource| resource.detach(self, call))
    }

    fn tag<'a>(&'a self, call: TagCall<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let pairs = call.tags().iter();
            let tags: Vec<_> = pairs
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect();
            create_tags(&self.client, call.id(), &tags).await
        })
    }

    fn delete<'a>(&'a self, call: DeleteCall<'a>) -> Answer<'a, ()> {
        with(call.kind(), |resource| resource.delete(self, call))
    }
}
