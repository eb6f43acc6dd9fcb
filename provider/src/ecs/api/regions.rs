//! Regions.

use crate::account::place::is_region;
use crate::ecs::client::{Client, Params, Service};
use crate::ecs::fields::{Named, items, word};
use crate::fault::Fault;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Region {
    #[serde(deserialize_with = "word")]
    region_id: String,
}

impl Named for Region {
    const NAME: &'static str = "Region";
}

/// The regions that the account may use.
///
/// # Errors
/// As [`Client::call`].
pub async fn describe_regions(client: &Client) -> Result<Vec<String>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(deserialize_with = "items")]
        regions: Vec<Region>,
    }
    let none = Params::new();
    let answer: Answer = client.call(Service::Ecs, "DescribeRegions", &none).await?;
    let names = answer.regions.into_iter().map(|region| region.region_id);
    Ok(names.filter(|name| is_region(name)).collect())
}
