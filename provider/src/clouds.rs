//! The providers that make something temporary: one row each.

use crate::aws::AwsCloud;
use crate::aws::lightsail::LightsailCloud;
use crate::ecs::EcsCloud;
use crate::engine::{Cloud, Record};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How an account is reached: by names alone, never by secrets. Part of the parameters of each record,
/// so that whoever cleans up takes the way that the maker took.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Way {
    /// Profile of the provider's own configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Endpoint of every service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

impl Way {
    /// The way that a record's maker took; the default one if its parameters name none.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self::among(&record.parameters)
    }

    /// The way that is named among parameters, of a record or a duty.
    #[must_use]
    pub fn among(parameters: &str) -> Self {
        // Parameters in another form name none; the account is checked before anything is done.
        serde_json::from_str(parameters).unwrap_or_default()
    }

    /// The default way, which says nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A provider that makes something temporary.
#[derive(Debug)]
pub struct Provider {
    /// Its name in the journal.
    pub name: &'static str,
    /// Opens it for a region.
    open: fn(region: &str, ways: &Ways) -> Result<Arc<dyn Cloud>>,
    /// Regions in which something may have been left.
    regions: fn(way: &Way, which: Which) -> Result<Vec<String>>,
}

/// Which records are meant, and how their account is reached now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The way that the journal has for them.
    pub recorded: Way,
    /// The way to take. Another one where the journal names none and the user does.
    pub taken: Way,
}

/// Regions in which something may have been left without the journal's knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// The one that is configured, if one is.
    Configured,
    /// This one.
    One(&'a str),
    /// Every region of the account.
    All,
}

/// Every provider that makes something.
pub const CLOUDS: &[Provider] = &[
    Provider {
        name: "aws",
        open: AwsCloud::open,
        regions: AwsCloud::regions,
    },
    Provider {
        name: "ecs",
        open: EcsCloud::open,
        regions: EcsCloud::regions,
    },
    Provider {
        name: "lightsail",
        open: LightsailCloud::open,
        regions: LightsailCloud::regions,
    },
];

fn known(provider: &str) -> Option<&'static Provider> {
    CLOUDS.iter().find(|known| known.name == provider)
}

/// The provider of this name in a region. `None`: it is not built in.
///
/// # Errors
/// The way makes no sense here: an endpoint that must not be used.
pub fn cloud(provider: &str, region: &str, ways: &Ways) -> Result<Option<Arc<dyn Cloud>>> {
    let open = |known: &Provider| (known.open)(region, ways);
    known(provider).map(open).transpose()
}

/// Regions of a provider. None where it is not built in, or not configured at all. Blocks.
///
/// # Errors
/// The provider cannot be asked for its regions.
pub fn regions(provider: &str, way: &Way, which: Which<'_>) -> Result<Vec<String>> {
    let regions = |known: &Provider| (known.regions)(way, which);
    known(provider).map_or(Ok(Vec::new()), regions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_read_from_among_other_parameters() {
        let way: Way = serde_json::from_str(r#"{"zone":"a","profile":"prod"}"#).unwrap();
        assert_eq!(way.profile.as_deref(), Some("prod"));
        assert!(!way.is_default());
        assert_eq!(serde_json::to_string(&Way::default()).unwrap(), "{}");
    }

    #[test]
    fn a_provider_that_is_not_built_in() {
        assert!(cloud("nowhere", "x", &Ways::default()).unwrap().is_none());
        assert!(
            regions("nowhere", &Way::default(), Which::All)
                .unwrap()
                .is_empty()
        );
    }
}
