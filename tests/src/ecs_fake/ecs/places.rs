//! Regions, zones, and what is sold in them.

use super::create_disk::CATEGORIES;
use super::region;
use crate::ecs_fake::context::Context;
use crate::ecs_fake::params::Params;
use crate::ecs_fake::state::State;
use crate::stand_in::error::Result;
use serde_json::{Value, json};

const ZONES: [&str; 2] = ["h", "k"];

pub(super) fn regions(context: &Context<'_>, _: &Params<'_>) -> Result<Value> {
    let state = context.state();
    let regions = state.regions.iter().map(|region| {
        json!({
            "RegionId": region,
            "RegionEndpoint": format!("ecs.{region}.aliyuncs.com"),
            "LocalName": region,
            "Status": "available",
        })
    });
    Ok(json!({ "Regions": { "Region": regions.collect::<Vec<_>>() } }))
}

/// Categories that can be had in a zone.
fn sold(state: &State, zone: &str) -> Vec<(&'static str, u64, u64)> {
    let settings = &state.settings;
    let is_sold = |category: &str| {
        !settings.refused.contains_key(category) && !settings.not_on_sale.contains(zone)
    };
    let all = CATEGORIES.iter();
    all.filter(|(name, ..)| is_sold(name)).copied().collect()
}

pub(super) fn zones(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let state = context.state();
    let region = region(&state, params)?;
    let zones = ZONES.map(|zone| format!("{region}-{zone}"));
    let zones = zones.iter().map(|zone| {
        let sold = sold(&state, zone);
        let categories: Vec<_> = sold.iter().map(|(name, ..)| *name).collect();
        json!({
            "ZoneId": zone,
            "ZoneType": "AvailabilityZone",
            "LocalName": zone,
            "AvailableDiskCategories": { "DiskCategories": categories },
            "AvailableResourceCreation": { "ResourceTypes": ["Instance", "Disk"] },
        })
    });
    Ok(json!({ "Zones": { "Zone": zones.collect::<Vec<_>>() } }))
}

pub(super) fn available(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let state = context.state();
    let region = region(&state, params)?;
    let kind = params.need("DestinationResource")?;
    let wanted = params.get("ZoneId");
    let zones = ZONES.map(|zone| format!("{region}-{zone}"));
    let zones = zones
        .iter()
        .filter(|zone| wanted.is_none_or(|wanted| wanted == zone.as_str()));
    let zones = zones.map(|zone| {
        let sold = sold(&state, zone);
        let sold = sold.iter().map(|(name, min, max)| {
            json!({
                "Value": name,
                "Min": min,
                "Max": max,
                "Unit": "GiB",
                "Status": "Available",
                "StatusCategory": "WithStock",
            })
        });
        let sold: Vec<_> = sold.collect();
        let is_sold = !sold.is_empty();
        json!({
            "RegionId": region,
            "ZoneId": zone,
            "Status": if is_sold { "Available" } else { "SoldOut" },
            "StatusCategory": if is_sold { "WithStock" } else { "WithoutStock" },
            "AvailableResources": { "AvailableResource": [{
                "Type": kind,
                "SupportedResources": { "SupportedResource": sold },
            }] },
        })
    });
    Ok(json!({ "AvailableZones": { "AvailableZone": zones.collect::<Vec<_>>() } }))
}
