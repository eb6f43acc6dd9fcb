//! Lightsail as the clone engine sees it.
//!
//! | kind | made by | what makes a repetition harmless | identity |
//! |---|---|---|---|
//! | `lightsail-instance-snapshot`, `lightsail-disk-snapshot` | CopySnapshot | the name | the name |
//! | `lightsail-export` | ExportSnapshot | nothing | the record, by the name of the copy |
//! | `lightsail-exported` | the export; "making" it means to tag it | tags are set, not added | ids in the journal, tags |

use super::export::{self, Looker, Memory};
use super::made::{self, EXPORT_TAG, Made};
use super::names::{self, ExportId};
use super::parameters::Parameters;
use super::{api, copies, ec2};
use crate::aws::cloud::way;
use crate::aws::{AwsCloud, Client, ClientSettings};
use crate::clouds::{Way, Ways, Which};
use crate::engine::{
    Answer, AttachCall, Clock, Cloud, CreateCall, DeleteCall, Identity, Kind, OpId, Record, Repeat,
    Seen, SystemClock, TagCall, Tags, tags,
};
use crate::fault::{Fault, FaultKind};
use crate::held;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The provider's name, in the journal and in addresses.
pub const PROVIDER: &str = "lightsail";

/// Regions that have Lightsail; elsewhere there is nobody to ask.
const REGIONS: &[&str] = &[
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// A call takes at most so long, by the engine's limit.
const CALL_MAX: Duration = Duration::from_secs(30);

/// An account's Lightsail in one region.
#[derive(Debug)]
pub struct LightsailCloud {
    client: Client,
    /// The way that records must have been made on to be this one's concern.
    way: Way,
    memory: Memory,
    window: Duration,
}

impl LightsailCloud {
    /// What the engine makes exports with. `window` is how long reads may lag behind writes.
    #[must_use]
    pub fn new(client: Client, window: Duration) -> Self {
        let way = way(&client);
        Self {
            client,
            way,
            memory: Memory::default(),
            window,
        }
    }

    /// For a region, for the records of a way.
    ///
    /// # Errors
    /// An endpoint that must not be used, an environment that makes no sense.
    pub(crate) fn open(region: &str, ways: &Ways) -> crate::Result<Arc<dyn Cloud>> {
        let client = Client::new(&ClientSettings {
            profile: ways.taken.profile.clone(),
            region: Some(region.to_owned()),
            endpoint_url: ways.taken.endpoint.clone(),
        })?;
        Ok(Arc::new(Self {
            way: ways.recorded.clone(),
            ..Self::new(client, held::settings()?.consistency_window)
        }))
    }

    /// Regions in which something may have been left: only where there is Lightsail.
    ///
    /// # Errors
    /// The settings make no sense, or AWS cannot be asked.
    pub(crate) fn regions(way: &Way, which: Which<'_>) -> crate::Result<Vec<String>> {
        let mut regions = AwsCloud::regions(way, which)?;
        regions.retain(|region| REGIONS.contains(&region.as_str()));
        Ok(regions)
    }

    /// The way to this account.
    pub(super) const fn way(&self) -> &Way {
        &self.way
    }

    /// What an export was begun as, if this process did.
    pub(super) fn operation(&self, source: &str) -> Option<String> {
        self.memory.operation(source)
    }

    pub(super) const fn looker(&self) -> Looker<'_> {
        Looker {
            client: &self.client,
            memory: &self.memory,
            window: self.window,
        }
    }

    async fn make(&self, call: CreateCall<'_>) -> Result<String, Fault> {
        let record = call.record();
        let pairs = call.tags().iter().cloned();
        let tags: BTreeMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value)).collect();
        let tags = Tags::read(&tags).ok_or_else(|| refused("the tags are not whole"))?;
        let parameters = Parameters::read(&record.parameters)?;
        match record.kind.as_str() {
            kind @ (copies::INSTANCE | copies::DISK) => {
                let source = parameters.source;
                let source = source.ok_or_else(|| refused("a copy is of a snapshot"))?;
                copies::create(&self.client, kind, source, &tags).await
            }
            export::KIND => {
                let source = call.inputs().first().filter(|name| **name == record.parent);
                let source = source.ok_or_else(|| refused("an export is of a copy"))?;
                let operation = api::export_snapshot(&self.client, source).await?;
                self.memory.begun(source, operation);
                Ok(export::id(record.op, source).to_string())
            }
            made::KIND => {
                let made = parameters.made()?;
                let tags = export::tags_of_made(&tags, &record.parent);
                ec2::create_tags(&self.client, &made.ids(), &tags).await?;
                Ok(made.to_string())
            }
            kind => Err(unknown(kind)),
        }
    }

    async fn seen(&self, kind: &str, id: &str) -> Result<Option<Seen>, Fault> {
        match kind {
            copies::INSTANCE | copies::DISK => {
                let copies = copies::all(&self.client, kind).await?;
                Ok(copies.into_iter().find(|copy| copy.id == id))
            }
            export::KIND => self.looker().seen(&export_of(id)?).await,
            made::KIND => made_of(id)?.seen(&self.client).await,
            kind => Err(unknown(kind)),
        }
    }

    async fn of_operation(&self, kind: &str, op: OpId) -> Result<Vec<Seen>, Fault> {
        let mut found = match kind {
            copies::INSTANCE | copies::DISK => {
                return copies::of_operation(&self.client, kind, op).await;
            }
            export::KIND => self.looker().untagged().await?,
            made::KIND => made::tagged(&self.client, "flr:op", Some(&op.to_string())).await?,
            kind => return Err(unknown(kind)),
        };
        found.retain(|seen| Tags::read(&seen.tags).is_some_and(|tags| tags.op == op));
        Ok(found)
    }

    async fn of_record(&self, record: &Record) -> Result<Vec<Seen>, Fault> {
        let seen = match record.kind.as_str() {
            export::KIND if names::tags_of(&record.parent).is_some() => {
                let id = export::id(record.op, &record.parent);
                self.looker().seen(&id).await?
            }
            made::KIND => {
                let made = Parameters::read(&record.parameters)?.made()?;
                let mut seen = made.seen(&self.client).await?;
                if let Some(seen) = &mut seen
                    && !seen.tags.contains_key(tags::OP)
                    && self.is_tagged_lately(record)
                {
                    let pairs = record.tags().pairs().into_iter();
                    let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
                    seen.tags.extend(pairs);
                }
                seen
            }
            kind => return self.of_operation(kind, record.op).await,
        };
        Ok(seen.into_iter().collect())
    }

    /// Whether tags were set so short a time ago that they may not show yet. Once they should, their
    /// absence means that somebody has taken them away, to keep it.
    fn is_tagged_lately(&self, record: &Record) -> bool {
        let called = record.called.as_ref().filter(|_| record.id.is_some());
        let since = called.and_then(|called| {
            let now = SystemClock.since_boot();
            now.checked_sub(called.since_boot)
        });
        since.is_some_and(|since| since < self.window.saturating_add(CALL_MAX))
    }

    /// What was made goes before what it was made from.
    async fn everything(&self) -> Result<Vec<Seen>, Fault> {
        let mut all = made::tagged(&self.client, EXPORT_TAG, None).await?;
        match self.looker().untagged().await {
            Ok(untagged) => all.extend(untagged),
            // Who may not use Lightsail has nothing there that these credentials could delete.
            Err(fault) if fault.kind == FaultKind::Denied => {
                tracing::warn!("Lightsail is not looked at: {fault}");
                return Ok(all);
            }
            Err(fault) => return Err(fault),
        }
        for kind in [copies::INSTANCE, copies::DISK] {
            all.extend(copies::all(&self.client, kind).await?);
        }
        Ok(all)
    }

    async fn retag(&self, call: TagCall<'_>) -> Result<(), Fault> {
        let (id, tags) = (call.id(), call.tags());
        match call.kind() {
            copies::INSTANCE | copies::DISK => api::tag_resource(&self.client, id, tags).await,
            export::KIND => self.looker().tag(&export_of(id)?, tags).await,
            made::KIND => ec2::create_tags(&self.client, &made_of(id)?.ids(), tags).await,
            kind => Err(unknown(kind)),
        }
    }

    async fn remove(&self, call: DeleteCall<'_>) -> Result<(), Fault> {
        match call.kind() {
            kind @ (copies::INSTANCE | copies::DISK) => {
                copies::delete(&self.client, kind, call.id()).await
            }
            export::KIND => self.looker().delete(&export_of(call.id())?).await,
            made::KIND => made_of(call.id())?.delete(&self.client).await,
            kind => Err(unknown(kind)),
        }
    }
}

fn refused(message: &str) -> Fault {
    Fault::new(FaultKind::Refused, message)
}

fn unknown(kind: &str) -> Fault {
    refused(&format!("Lightsail makes no {kind}"))
}

fn made_of(id: &str) -> Result<Made, Fault> {
    Made::parse(id).ok_or_else(|| made::no_id(id))
}

fn export_of(id: &str) -> Result<ExportId, Fault> {
    ExportId::parse(id).ok_or_else(|| refused(&format!("{id} is no export")))
}

impl Cloud for LightsailCloud {
    fn provider(&self) -> &str {
        PROVIDER
    }

    fn region(&self) -> &str {
        self.client.region()
    }

    fn kind(&self, kind: &str) -> Kind {
        let (repeat, consistent) = match kind {
            // It was seen before it was planned: that it does not show does not mean "not yet".
            made::KIND => (Repeat::Token, true),
            copies::INSTANCE | copies::DISK => (Repeat::Name, false),
            _ => (Repeat::Nothing, false),
        };
        Kind {
            repeat,
            consistent,
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
        Box::pin(self.make(call))
    }

    fn describe<'a>(&'a self, kind: &'a str, id: &'a str) -> Answer<'a, Option<Seen>> {
        Box::pin(self.seen(kind, id))
    }

    fn find<'a>(&'a self, kind: &'a str, op: OpId) -> Answer<'a, Vec<Seen>> {
        Box::pin(self.of_operation(kind, op))
    }

    fn find_by_record<'a>(&'a self, record: &'a Record) -> Answer<'a, Vec<Seen>> {
        Box::pin(self.of_record(record))
    }

    fn list(&self) -> Answer<'_, Vec<Seen>> {
        Box::pin(self.everything())
    }

    fn attach<'a>(&'a self, _: AttachCall<'a>) -> Answer<'a, ()> {
        Box::pin(async { Err(refused("nothing of Lightsail is attached")) })
    }

    fn detach<'a>(&'a self, _: AttachCall<'a>) -> Answer<'a, ()> {
        Box::pin(async { Err(refused("nothing of Lightsail is attached")) })
    }

    fn tag<'a>(&'a self, call: TagCall<'a>) -> Answer<'a, ()> {
        Box::pin(self.retag(call))
    }

    fn delete<'a>(&'a self, call: DeleteCall<'a>) -> Answer<'a, ()> {
        Box::pin(self.remove(call))
    }
}
