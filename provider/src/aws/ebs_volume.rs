//! The kind `ebs-volume`: a volume made from a snapshot.

use super::cloud::{AwsCloud, Resource};
use super::ec2::{self, CreateVolume, Query, Volume};
use crate::clouds::Way;
use crate::engine::{
    Answer, AttachCall, Attachment, CreateCall, DeleteCall, Kind, Phase, Repeat, Seen,
};
use crate::fault::{Fault, FaultKind};
use serde::{Deserialize, Serialize};

/// What the journal calls it.
pub const EBS_VOLUME: &str = "ebs-volume";

/// What making a volume needs beside the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeParameters {
    /// Availability zone: that of the instance that reads it.
    pub zone: String,
    /// `gp3`.
    pub volume_type: String,
    /// A key other than that of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// The user's own tags.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// How the account is reached.
    #[serde(flatten)]
    pub way: Way,
}

impl VolumeParameters {
    /// As the journal has them.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings and lists of them can always be written.
        serde_json::to_string(self).unwrap_or_else(|error| format!("\"{error}\""))
    }
}

/// Volumes.
#[derive(Debug)]
pub(super) struct EbsVolume;

impl Resource for EbsVolume {
    fn name(&self) -> &'static str {
        EBS_VOLUME
    }

    fn kind(&self) -> Kind {
        Kind {
            repeat: Repeat::Token,
            consistent: false,
            taggable: true,
        }
    }

    fn create<'a>(&self, cloud: &'a AwsCloud, call: CreateCall<'a>) -> Answer<'a, String> {
        Box::pin(async move {
            let volume = volume_of(&call)?;
            let created = ec2::create_volume(cloud.client(), &volume).await;
            created.map_err(|mut fault| {
                // A snapshot that is not complete, in the archive, or gone stays so for longer than
                // anybody waits.
                if fault.is("IncorrectState") || fault.is("InvalidSnapshot.NotFound") {
                    fault.kind = FaultKind::Refused;
                }
                fault
            })
        })
    }

    fn describe<'a>(&self, cloud: &'a AwsCloud, id: &'a str) -> Answer<'a, Option<Seen>> {
        Box::pin(async move {
            match ec2::describe_volumes(cloud.client(), &Query::ids([id])).await {
                Ok(volumes) => {
                    let found = volumes.into_iter().find(|volume| volume.volume_id == id);
                    Ok(found.and_then(seen))
                }
                Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
                Err(fault) => Err(fault),
            }
        })
    }

    fn tagged<'a>(
        &self,
        cloud: &'a AwsCloud,
        key: &'a str,
        value: Option<String>,
    ) -> Answer<'a, Vec<Seen>> {
        Box::pin(async move {
            let query = match value {
                Some(value) => Query::filter(format!("tag:{key}"), value),
                None => Query::filter("tag-key", key),
            };
            let volumes = ec2::describe_volumes(cloud.client(), &query).await?;
            let seen = volumes.into_iter().filter_map(seen);
            // A server that takes no notice of filters must not make others' volumes ours.
            Ok(seen.filter(|seen| seen.tags.contains_key(key)).collect())
        })
    }

    fn delete<'a>(&self, cloud: &'a AwsCloud, call: DeleteCall<'a>) -> Answer<'a, ()> {
        Box::pin(async move { ec2::delete_volume(cloud.client(), call.id()).await })
    }

    fn attach<'a>(&self, cloud: &'a AwsCloud, call: AttachCall<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            // Each try has a name of its own: one that is taken, or hangs, is not tried again.
            let name = cloud.names().next(call.id());
            ec2::attach_volume(cloud.client(), call.id(), call.target(), &name).await
        })
    }

    fn detach<'a>(&self, cloud: &'a AwsCloud, call: AttachCall<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            match ec2::detach_volume(cloud.client(), call.id(), call.target()).await {
                // Detached already; whether that is so is seen, not believed.
                Err(fault)
                    if fault.is("IncorrectState") || fault.is("InvalidAttachment.NotFound") =>
                {
                    Ok(())
                }
                result => result,
            }
        })
    }
}

/// The same at each repetition of a call: that is what the token stands for.
fn volume_of(call: &CreateCall<'_>) -> Result<CreateVolume, Fault> {
    let record = call.record();
    let parameters: VolumeParameters =
        serde_json::from_str(&record.parameters).map_err(|error| {
            let message = format!("the journal's parameters of {}: {error}", record.op);
            Fault::new(FaultKind::Refused, message)
        })?;
    let ours = call.tags().iter();
    let ours = ours.map(|(key, value)| ((*key).to_owned(), value.clone()));
    Ok(CreateVolume {
        snapshot_id: record.parent.clone(),
        availability_zone: parameters.zone,
        volume_type: parameters.volume_type,
        kms_key_id: parameters.kms_key_id,
        tags: ours.chain(parameters.tags).collect(),
        client_token: call.token().to_owned(),
    })
}

/// A volume as the engine sees it; nothing if it is gone.
fn seen(volume: Volume) -> Option<Seen> {
    let phase = match volume.status.as_str() {
        "deleted" => return None,
        "deleting" => Phase::Deleting,
        "error" => Phase::Failed,
        "available" | "in-use" => Phase::Ready,
        // `creating`, or a state of later times.
        _ => Phase::Pending,
    };
    let attachments = volume.attachment_set.iter();
    let mut attached = attachments
        .filter(|attachment| attachment.status != "detached")
        .map(|attachment| {
            let to = attachment.instance_id.clone();
            // Something of Amazon's own has it.
            let to = to.unwrap_or_else(|| "a service".to_owned());
            match attachment.status.as_str() {
                "attaching" => Attachment::Attaching(to),
                // `busy` is a detaching that waits for the instance.
                "detaching" | "busy" => Attachment::Detaching(to),
                _ => Attachment::Attached(to),
            }
        });
    let attachment = attached.next_back().unwrap_or(Attachment::Free);
    Some(Seen {
        kind: EBS_VOLUME.to_owned(),
        id: volume.volume_id,
        phase,
        attachment,
        tags: volume.tag_set,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(status: &str, attachments: &[(&str, &str)]) -> Volume {
        let item = |(to, status): &(&str, &str)| {
            format!("<item><instanceId>{to}</instanceId><status>{status}</status></item>")
        };
        let items: String = attachments.iter().map(item).collect();
        let xml = format!(
            "<v><volumeId>vol-1</volumeId><status>{status}</status><size>1</size>\
             <attachmentSet>{items}</attachmentSet></v>"
        );
        quick_xml::de::from_str(&xml).unwrap()
    }

    #[test]
    fn states_of_volumes() {
        let phase = |status| seen(volume(status, &[])).map(|seen| seen.phase);
        assert_eq!(phase("creating"), Some(Phase::Pending));
        assert_eq!(phase("available"), Some(Phase::Ready));
        assert_eq!(phase("in-use"), Some(Phase::Ready));
        assert_eq!(phase("deleting"), Some(Phase::Deleting));
        assert_eq!(phase("error"), Some(Phase::Failed));
        assert_eq!(phase("deleted"), None);
    }

    #[test]
    fn states_of_attachments() {
        let attachment = |list| seen(volume("in-use", list)).unwrap().attachment;
        let i_1 = || "i-1".to_owned();
        assert_eq!(attachment(&[]), Attachment::Free);
        assert_eq!(attachment(&[("i-1", "detached")]), Attachment::Free);
        assert_eq!(
            attachment(&[("i-1", "attaching")]),
            Attachment::Attaching(i_1())
        );
        assert_eq!(
            attachment(&[("i-1", "attached")]),
            Attachment::Attached(i_1())
        );
        assert_eq!(attachment(&[("i-1", "busy")]), Attachment::Detaching(i_1()));
        let service = attachment(&[("", "attached")]);
        assert_eq!(service, Attachment::Attached("a service".into()));
    }

    #[test]
    fn parameters_read_back_with_their_way() {
        let parameters = VolumeParameters {
            zone: "us-east-1a".into(),
            volume_type: "gp3".into(),
            kms_key_id: None,
            tags: vec![("CostCenter".into(), "it-42".into())],
            way: Way {
                profile: Some("prod".into()),
                ..Way::default()
            },
        };
        let text = parameters.to_text();
        assert_eq!(
            serde_json::from_str::<VolumeParameters>(&text).unwrap(),
            parameters
        );
        assert_eq!(serde_json::from_str::<Way>(&text).unwrap(), parameters.way);
    }
}
