//! What the journal keeps of a plan, beside kind and parent.

use crate::clouds::Way;
use crate::fault::{Fault, FaultKind};
use serde::{Deserialize, Serialize};

/// Parameters of a record, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    /// How the cluster is reached.
    #[serde(flatten)]
    pub(super) way: Way,
    /// Name of the volume.
    pub(super) volume: String,
    /// Name of the snapshot, as it was just before.
    pub(super) snapshot: String,
    /// Id of the snapshot, which is what is meant.
    pub(super) snapshot_uuid: String,
    /// Of a clone of a LUN: its path inside the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lun: Option<String>,
    /// Of a clone of a file: the volume's id, and the file's path inside the snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<OfFile>,
}

/// A file of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OfFile {
    /// Id of the volume.
    pub(super) volume_uuid: String,
    /// Path inside the snapshot.
    pub(super) path: String,
}

impl Parameters {
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|error| {
            let message = format!("parameters of a record of ONTAP: {error}");
            Fault::new(FaultKind::Refused, message)
        })
    }

    pub(super) fn to_text(&self) -> String {
        // OK to ignore: a map with keys of text always becomes JSON; what would not be is refused on reading.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_back_with_their_way() {
        let parameters = Parameters {
            way: Way {
                source: Some("filer".into()),
                endpoint: Some("https://cluster1.example".into()),
                ..Way::default()
            },
            volume: "vol1".into(),
            snapshot: "nightly.0".into(),
            snapshot_uuid: "4d5f".into(),
            lun: Some("q1/lun0".into()),
            file: Some(OfFile {
                volume_uuid: "c903".into(),
                path: "vm/a.img".into(),
            }),
        };
        let text = parameters.to_text();
        assert_eq!(Parameters::read(&text), Ok(parameters.clone()));
        assert_eq!(serde_json::from_str::<Way>(&text).unwrap(), parameters.way);
    }
}
