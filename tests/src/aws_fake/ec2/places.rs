//! Regions and availability zones.

use super::params::Params;
use super::{missing, reply};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};

const LETTERS: [(&str, usize); 3] = [("a", 1), ("b", 2), ("c", 3)];

/// Names and ids of a region's zones: `us-east-1a` and `use1-az1`.
fn zones_of(region: &str) -> [(String, String); 3] {
    let parts: Vec<_> = region.split('-').collect();
    let short = match parts[..] {
        [continent, side, number] => format!("{continent}{}{number}", &side[..1]),
        _ => region.to_owned(),
    };
    LETTERS.map(|(letter, n)| (format!("{region}{letter}"), format!("{short}-az{n}")))
}

/// The zone that a call names, by name or id.
pub(super) fn zone_of(context: &Context<'_>, params: &Params<'_>) -> Result<String> {
    let given = params
        .get("AvailabilityZone")
        .or(params.get("AvailabilityZoneId"));
    let given = given.ok_or_else(|| missing("AvailabilityZone"))?;
    let mut zones = zones_of(&context.caller.region).into_iter();
    let zone = zones.find(|(name, id)| name == given || id == given);
    let message = format!("The zone '{given}' does not exist.");
    zone.map(|(name, _)| name)
        .ok_or_else(|| bad("InvalidZone.NotFound", message))
}

pub(super) fn zones(context: &Context<'_>, _params: &Params<'_>) -> Result {
    let region = &context.caller.region;
    Ok(reply(context, |xml| {
        xml.set(
            "availabilityZoneInfo",
            zones_of(region),
            |xml, (name, id)| {
                xml.text("zoneName", name).text("zoneId", id);
                xml.text("zoneState", "available");
                xml.text("regionName", region);
                xml.text("zoneType", "availability-zone");
                xml.text("optInStatus", "opt-in-not-required");
            },
        );
    }))
}

pub(super) fn regions(context: &Context<'_>, _params: &Params<'_>) -> Result {
    let regions = context.state().regions.clone();
    Ok(reply(context, |xml| {
        xml.set("regionInfo", regions, |xml, region| {
            xml.text("regionEndpoint", format!("ec2.{region}.amazonaws.com"));
            xml.text("regionName", region);
            xml.text("optInStatus", "opt-in-not-required");
        });
    }))
}
