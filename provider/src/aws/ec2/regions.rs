//! Regions.

use super::fields::{items, text, word};
use crate::aws::client::{Client, Params};
use crate::fault::Fault;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    #[serde(deserialize_with = "word")]
    region_name: String,
    /// `opt-in-not-required`, `opted-in`, `not-opted-in`.
    #[serde(default, deserialize_with = "text")]
    opt_in_status: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    region_info: Vec<Region>,
}

impl Answer {
    fn usable(self) -> Vec<String> {
        let regions = self.region_info.into_iter();
        let usable =
            regions.filter(|region| region.opt_in_status.as_deref() != Some("not-opted-in"));
        usable.map(|region| region.region_name).collect()
    }
}

/// The regions that this account can use.
///
/// # Errors
/// What EC2 says, or an answer that makes no sense.
pub async fn describe_regions(client: &Client) -> Result<Vec<String>, Fault> {
    let answer: Answer = client.ec2("DescribeRegions", Params::new()).await?;
    Ok(answer.usable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_that_were_not_opted_in_to_cannot_be_used() {
        let xml = r#"<?xml version="1.0" encoding="utf-8"?>
<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><regionInfo><item><optInStatus>opt-in-not-required</optInStatus><regionName>eu-west-1</regionName><regionEndpoint>ec2.eu-west-1.amazonaws.com</regionEndpoint></item><item><optInStatus>not-opted-in</optInStatus><regionName>ap-east-1</regionName></item><item><regionName>us-east-1</regionName></item></regionInfo></DescribeRegionsResponse>"#;
        let answer: Answer = quick_xml::de::from_str(xml).unwrap();
        assert_eq!(answer.usable(), ["eu-west-1", "us-east-1"]);
    }
}
