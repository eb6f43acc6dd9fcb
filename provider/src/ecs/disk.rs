//! The kind `ecs-disk`: a disk made of a snapshot.

use super::api::{self, CreateDisk, Disk};
use super::client::Client;
use crate::clouds::Way;
use crate::engine::{Attachment, CreateCall, Phase, Seen};
use crate::fault::{Fault, FaultKind};
use serde::{Deserialize, Serialize};

/// What the journal calls it.
pub const ECS_DISK: &str = "ecs-disk";

/// A category of disks, and its level of performance where it has levels.
pub type Category = (&'static str, Option<&'static str>);

/// Which disks are made: the first that the zone sells and the size allows. A snapshot is read once, so
/// the cheapest that is made in seconds comes first.
pub const LADDER: &[Category] = &[
    ("cloud_auto", None),
    ("cloud_essd", Some("PL0")),
    ("cloud_essd", Some("PL1")),
    ("cloud_essd_entry", None),
    ("cloud_efficiency", None),
];

/// What is said of a category that is not to be had here, not in this size, or not for this instance.
const NOT_THIS_ONE: &[&str] = &[
    "InvalidDataDiskCategory",
    "InvalidDataDiskSize.ValueNotSupported",
    "InvalidDiskCategory",
    "InvalidDiskSize.NotSupported",
    "InvalidInstanceType.NotSupportDiskCategory",
    "InvalidOperation.InstanceTypeNotSupport",
    "InvalidPerformanceLevel.Malformed",
    "NotSupportDiskCategory",
    "OperationDenied.NoStock",
    "OperationDenied.PerformanceLevelNotMatch",
    "Zone.NotOnSale",
];

/// Whether another category may do.
#[must_use]
pub fn is_category_refused(fault: &Fault) -> bool {
    let code = fault.code.as_deref().unwrap_or_default();
    NOT_THIS_ONE.iter().any(|known| code.starts_with(known))
}

/// What making a disk needs beside the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskParameters {
    /// Zone: that of the instance that reads it.
    pub zone: String,
    /// `cloud_essd`.
    pub category: String,
    /// `PL0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance_level: Option<String>,
    /// The user's own tags.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// How the account is reached.
    #[serde(flatten)]
    pub way: Way,
}

impl DiskParameters {
    /// As the journal has them.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings and lists of them can always be written.
        serde_json::to_string(self).unwrap_or_else(|error| format!("\"{error}\""))
    }
}

/// Makes the disk of a committed entry.
pub(super) async fn create(client: &Client, call: &CreateCall<'_>) -> Result<String, Fault> {
    let disk = disk_of(call)?;
    let created = api::create_disk(client, &disk).await;
    created.map_err(|mut fault| {
        // A snapshot that is gone stays so.
        if fault.is("InvalidSnapshotId.NotFound") || is_category_refused(&fault) {
            fault.kind = FaultKind::Refused;
        }
        fault
    })
}

/// The same at each repetition of a call: that is what the token stands for.
fn disk_of(call: &CreateCall<'_>) -> Result<CreateDisk, Fault> {
    let record = call.record();
    let parameters: DiskParameters = serde_json::from_str(&record.parameters).map_err(|error| {
        let message = format!("the journal's parameters of {}: {error}", record.op);
        Fault::new(FaultKind::Refused, message)
    })?;
    let ours = call.tags().iter();
    let ours = ours.map(|(key, value)| ((*key).to_owned(), value.clone()));
    Ok(CreateDisk {
        snapshot_id: record.parent.clone(),
        zone_id: parameters.zone,
        category: parameters.category,
        performance_level: parameters.performance_level,
        name: call.name(),
        tags: ours.chain(parameters.tags).collect(),
        client_token: call.token().to_owned(),
    })
}

/// A disk as the engine sees it.
pub(super) fn seen(disk: Disk) -> Seen {
    let to = || {
        let to = disk.instance_id.clone();
        // Something of the provider's own has it.
        to.unwrap_or_else(|| "a service".to_owned())
    };
    let (phase, attachment) = match disk.status.as_str() {
        "Available" => (Phase::Ready, Attachment::Free),
        "Attaching" => (Phase::Ready, Attachment::Attaching(to())),
        "In_use" => (Phase::Ready, Attachment::Attached(to())),
        "Detaching" => (Phase::Ready, Attachment::Detaching(to())),
        // `Creating`, `ReIniting`, or a state of later times.
        _ => (Phase::Pending, Attachment::Free),
    };
    Seen {
        kind: ECS_DISK.to_owned(),
        id: disk.disk_id,
        phase,
        attachment,
        tags: disk.tags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(status: &str, instance: &str) -> Disk {
        let json =
            format!(r#"{{"DiskId":"d-1","Status":"{status}","Size":1,"InstanceId":"{instance}"}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn states_of_disks() {
        let state = |status, instance| {
            let seen = seen(disk(status, instance));
            (seen.phase, seen.attachment)
        };
        let i_1 = || "i-1".to_owned();
        assert_eq!(state("Creating", ""), (Phase::Pending, Attachment::Free));
        assert_eq!(state("ReIniting", ""), (Phase::Pending, Attachment::Free));
        assert_eq!(state("Available", ""), (Phase::Ready, Attachment::Free));
        assert_eq!(
            state("Attaching", "i-1"),
            (Phase::Ready, Attachment::Attaching(i_1()))
        );
        assert_eq!(
            state("In_use", "i-1"),
            (Phase::Ready, Attachment::Attached(i_1()))
        );
        assert_eq!(
            state("Detaching", "i-1"),
            (Phase::Ready, Attachment::Detaching(i_1()))
        );
        let service = state("In_use", "");
        assert_eq!(service.1, Attachment::Attached("a service".into()));
    }

    #[test]
    fn parameters_read_back_with_their_way() {
        let parameters = DiskParameters {
            zone: "cn-hangzhou-i".into(),
            category: "cloud_essd".into(),
            performance_level: Some("PL0".into()),
            tags: vec![("CostCenter".into(), "it-42".into())],
            way: Way {
                profile: Some("prod".into()),
                endpoint: None,
            },
        };
        let text = parameters.to_text();
        assert_eq!(
            serde_json::from_str::<DiskParameters>(&text).unwrap(),
            parameters
        );
        assert_eq!(serde_json::from_str::<Way>(&text).unwrap(), parameters.way);
    }

    #[test]
    fn only_what_the_category_is_to_blame_for_leads_to_another() {
        let of =
            |code: &str| is_category_refused(&Fault::new(FaultKind::Refused, "").with_code(code));
        for code in [
            "InvalidDataDiskCategory.ValueNotSupported",
            "InvalidDiskCategory.NotSupported",
            "InvalidDiskSize.NotSupported",
            "InvalidInstanceType.NotSupportDiskCategory",
            "OperationDenied.PerformanceLevelNotMatch",
            "Zone.NotOnSale",
        ] {
            assert!(of(code), "{code}");
        }
        for code in [
            "InvalidSnapshotId.NotFound",
            "QuotaExceed.PostPaidDisk",
            "Account.Arrearage",
            "",
        ] {
            assert!(!of(code), "{code}");
        }
    }
}
