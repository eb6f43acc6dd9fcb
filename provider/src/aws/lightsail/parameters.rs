//! What the journal keeps of a plan, beside kind and parent.

use super::made::Made;
use crate::clouds::Way;
use crate::fault::{Fault, FaultKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Parameters of a record, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    /// How the account is reached.
    #[serde(flatten)]
    pub(super) way: Way,
    /// Of a copy: what says of which snapshot it is, as the call has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Map<String, Value>>,
    /// Of what was exported: the ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) made: Option<String>,
}

impl Parameters {
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|error| {
            let message = format!("parameters of a record of Lightsail: {error}");
            Fault::new(FaultKind::Refused, message)
        })
    }

    pub(super) fn to_text(&self) -> String {
        // OK to ignore: a map with keys of text always becomes JSON; what would not be is refused on reading.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The ids of what was exported.
    pub(super) fn made(&self) -> Result<Made, Fault> {
        let text = self.made.as_deref().unwrap_or_default();
        Made::parse(text).ok_or_else(|| super::made::no_id(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_back() {
        let source = serde_json::from_str(r#"{"sourceSnapshotName":"web-1"}"#).unwrap();
        let parameters = Parameters {
            way: Way {
                profile: Some("prod".into()),
                ..Way::default()
            },
            source: Some(source),
            made: Some("ami-0123456789abcdef0+snap-01234567".into()),
        };
        let text = parameters.to_text();
        assert_eq!(Parameters::read(&text), Ok(parameters.clone()));
        let made = parameters.made().unwrap();
        assert_eq!(made.image.as_deref(), Some("ami-0123456789abcdef0"));
        assert_eq!(made.snapshots, ["snap-01234567"]);
        assert_eq!(Parameters::default().to_text(), "{}");
        assert!(Parameters::default().made().is_err());
    }
}
