//! ONTAP as the clone engine sees it.
//!
//! | kind | made by | what makes a repetition harmless | identity |
//! |---|---|---|---|
//! | `ontap-lun` | POST /storage/luns with `clone.source` | the name | name and comment |
//! | `ontap-volume` | POST /storage/volumes with `clone.is_flexclone` | the name | name and comment |
//! | `ontap-file-clone` | POST /storage/file/clone | the name | name |
//!
//! The account is the cluster's id and the SVM, the region is the SVM. Reads show every write that was
//! acknowledged. What was not acknowledged may still be a job: as long as one is open that may have
//! come of such a call, "not found" is no answer.

use super::client::Client;
use super::parameters::Parameters;
use super::settings::OntapSettings;
use super::{api, comment, file, lun, volume};
use crate::clouds::{Way, Ways, Which};
use crate::engine::{
    Answer, AttachCall, Cloud, CreateCall, DeleteCall, Identity, Kind, OpId, Record, Repeat, Seen,
    TagCall, Tags,
};
use crate::fault::{Fault, FaultKind};
use crate::remote::{block_on, retry_calls};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

/// The provider's name, in the journal and in addresses.
pub const PROVIDER: &str = "ontap";

/// An SVM of a cluster.
#[derive(Debug)]
pub struct OntapCloud {
    client: Client,
    svm: String,
    /// The way that records must have been made on to be this one's concern.
    way: Way,
}

impl OntapCloud {
    /// What the engine makes clones with.
    #[must_use]
    pub fn new(client: Client, svm: &str) -> Self {
        Self {
            way: client.way().clone(),
            svm: svm.to_owned(),
            client,
        }
    }

    /// For an SVM, for the records of a way.
    ///
    /// # Errors
    /// The source is not in the configuration any more, or its password cannot be read.
    pub(crate) fn open(svm: &str, ways: &Ways) -> crate::Result<Arc<dyn Cloud>> {
        let client = Client::new(&OntapSettings::of_way(&ways.taken)?)?;
        Ok(Arc::new(Self {
            client,
            svm: svm.to_owned(),
            way: ways.recorded.clone(),
        }))
    }

    /// SVMs in which something may have been left: that of the source, or all of its cluster. None without
    /// a source.
    ///
    /// # Errors
    /// The source makes no sense, or the cluster cannot be asked.
    pub(crate) fn regions(way: &Way, _: Which<'_>) -> crate::Result<Vec<String>> {
        if way.source.is_none() {
            return Ok(Vec::new());
        }
        let settings = OntapSettings::of_way(way)?;
        if let Some(svm) = settings.svm {
            return Ok(vec![svm]);
        }
        let client = Client::new(&settings)?;
        let svms = block_on(retry_calls(|| api::svms(&client)));
        svms.map_err(|fault| super::fault::error(format!("list SVMs of {}", client.name()), fault))
    }

    async fn make(&self, call: CreateCall<'_>) -> Result<String, Fault> {
        let record = call.record();
        let pairs = call.tags().iter().cloned();
        let tags: BTreeMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value)).collect();
        let tags = Tags::read(&tags).ok_or_else(|| refused("the tags are not whole"))?;
        let parameters = Parameters::read(&record.parameters)?;
        let (name, comment) = (call.name(), comment::comment_of(&tags));
        let (client, svm) = (&self.client, self.svm.as_str());
        match record.kind.as_str() {
            lun::KIND => lun::create(client, svm, &parameters, &name, &comment).await,
            volume::KIND => volume::create(client, svm, &parameters, &name, &comment).await,
            file::KIND => file::create(client, &parameters, &tags).await,
            kind => Err(unknown(kind)),
        }
    }

    async fn seen(&self, kind: &str, id: &str) -> Result<Option<Seen>, Fault> {
        match kind {
            lun::KIND => lun::by_id(&self.client, id).await,
            volume::KIND => volume::by_id(&self.client, id).await,
            file::KIND => file::by_id(&self.client, id).await,
            kind => Err(unknown(kind)),
        }
    }

    async fn of_operation(&self, kind: &str, op: OpId) -> Result<Vec<Seen>, Fault> {
        let name = comment::name_of(op);
        match kind {
            lun::KIND => lun::named(&self.client, &self.svm, &name).await,
            volume::KIND => {
                let found = volume::named(&self.client, &self.svm, &name).await?;
                Ok(found.into_iter().collect())
            }
            file::KIND => file::of_operation(&self.client, &self.svm, op).await,
            kind => Err(unknown(kind)),
        }
    }

    /// By its name in its volume: a copy of the volume may hold a copy of the clone.
    async fn of_record(&self, record: &Record) -> Result<Vec<Seen>, Fault> {
        let found = match record.kind.as_str() {
            lun::KIND => {
                let volume = Parameters::read(&record.parameters)?.volume;
                let name = comment::name_of(record.op);
                let found = lun::in_volume(&self.client, &self.svm, &volume, &name).await?;
                found.into_iter().collect()
            }
            file::KIND => {
                let parameters = Parameters::read(&record.parameters)?;
                let found = file::in_volume(&self.client, &parameters, record.op).await?;
                found.into_iter().collect()
            }
            kind => self.of_operation(kind, record.op).await?,
        };
        if found.is_empty() && record.id.is_none() && record.called.is_some() {
            self.no_open_job(&record.kind).await?;
        }
        Ok(found)
    }

    /// Refuses to say that there is nothing while a job is open that may be about to make it.
    async fn no_open_job(&self, kind: &str) -> Result<(), Fault> {
        let begins = match kind {
            volume::KIND => "POST /api/storage/volumes",
            file::KIND => "POST /api/storage/file/clone",
            _ => "POST /api/storage/luns",
        };
        let jobs = match api::open_jobs(&self.client).await {
            Ok(jobs) => jobs,
            // Who may not see jobs has had none that could be waited for.
            Err(fault) if fault.kind == FaultKind::Denied => return Ok(()),
            Err(fault) => return Err(fault),
        };
        let mut described = jobs.iter().filter_map(|job| job.description.as_deref());
        match described.any(|text| text.starts_with(begins)) {
            true => Err(Fault::new(
                FaultKind::InUse,
                "a job of the cluster is open that may be about to make it",
            )),
            false => Ok(()),
        }
    }

    async fn everything(&self) -> Result<Vec<Seen>, Fault> {
        let mut all = lun::all(&self.client, &self.svm).await?;
        all.extend(volume::all(&self.client, &self.svm).await?);
        all.extend(file::all(&self.client, &self.svm).await?);
        Ok(all)
    }

    async fn retag(&self, call: TagCall<'_>) -> Result<(), Fault> {
        match call.kind() {
            lun::KIND => lun::retag(&self.client, call.id(), call.tags()).await,
            volume::KIND => volume::retag(&self.client, call.id(), call.tags()).await,
            kind => Err(unknown(kind)),
        }
    }

    async fn remove(&self, call: DeleteCall<'_>) -> Result<(), Fault> {
        match call.kind() {
            lun::KIND => lun::delete(&self.client, call.id()).await,
            volume::KIND => volume::delete(&self.client, call.id()).await,
            file::KIND => file::delete(&self.client, call.id()).await,
            kind => Err(unknown(kind)),
        }
    }
}

/// What a call that was answered with success has made, as a look at it shows. Nothing that this look
/// says means that there is nothing.
pub(super) fn made(there: Result<Option<Seen>, Fault>) -> Result<String, Fault> {
    let unknown = |message: String| Err(Fault::new(FaultKind::Unknown, message));
    match there {
        Ok(Some(seen)) if !seen.tags.is_empty() => Ok(seen.id),
        Ok(Some(seen)) => unknown(format!("{} was made without its comment", seen.id)),
        Ok(None) => unknown("it was made, and is not shown".to_owned()),
        Err(fault) => unknown(format!("it was made, and cannot be looked at: {fault}")),
    }
}

/// A call that makes something was refused. That the name is taken has several codes: it is taken if
/// something has it.
pub(super) async fn why_not_made<F>(mut fault: Fault, there: impl Fn() -> F) -> Fault
where
    F: Future<Output = Result<Option<Seen>, Fault>>,
{
    let known = match fault.kind {
        FaultKind::Exists | FaultKind::NotFound | FaultKind::InUse | FaultKind::Refused => {
            there().await
        }
        _ => Ok(None),
    };
    match (known, fault.kind) {
        (Ok(Some(_)), _) => fault.kind = FaultKind::Exists,
        // What it is to be made from is not there, and does not come.
        (_, FaultKind::NotFound) => fault.kind = FaultKind::Refused,
        _ => {}
    }
    fault
}

fn refused(message: &str) -> Fault {
    Fault::new(FaultKind::Refused, message)
}

fn unknown(kind: &str) -> Fault {
    refused(&format!("ONTAP makes no {kind}"))
}

impl Cloud for OntapCloud {
    fn provider(&self) -> &str {
        PROVIDER
    }

    fn region(&self) -> &str {
        &self.svm
    }

    fn kind(&self, kind: &str) -> Kind {
        Kind {
            repeat: Repeat::Name,
            consistent: true,
            // Its name is all that a file has for tags, and by that it is known.
            taggable: kind != file::KIND,
        }
    }

    fn reaches(&self, record: &Record) -> bool {
        Way::of(record) == self.way
    }

    fn identity(&self) -> Answer<'_, Identity> {
        Box::pin(async {
            let (cluster, time) = api::cluster(&self.client).await?;
            let account = format!("{}/{}", cluster.uuid, self.svm);
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
        Box::pin(async { Err(refused("nothing of ONTAP is attached")) })
    }

    fn detach<'a>(&'a self, _: AttachCall<'a>) -> Answer<'a, ()> {
        Box::pin(async { Err(refused("nothing of ONTAP is attached")) })
    }

    fn tag<'a>(&'a self, call: TagCall<'a>) -> Answer<'a, ()> {
        Box::pin(self.retag(call))
    }

    fn delete<'a>(&'a self, call: DeleteCall<'a>) -> Answer<'a, ()> {
        Box::pin(self.remove(call))
    }
}
