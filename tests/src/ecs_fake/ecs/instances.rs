//! Instances, described.

use super::{dry_run, region};
use crate::ecs_fake::context::{Context, time};
use crate::ecs_fake::model::Instance;
use crate::ecs_fake::params::Params;
use crate::ecs_fake::select::{Paging, has_tags, page, write_tags};
use crate::stand_in::error::Result;
use serde_json::{Value, json};

const PAGING: Paging = Paging {
    min: 1,
    max: 100,
    is_strict: true,
};

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let region = region(&state, params)?;
    let ids = params.json_list("InstanceIds")?;
    dry_run(params)?;
    let at = context.seen(&state);
    let found = state.at(at).instances.values().filter(|instance| {
        let is = |name: &str, value: &str| params.get(name).is_none_or(|wanted| wanted == value);
        instance.owner == context.caller.account
            && instance.region == region
            && ids.as_ref().is_none_or(|ids| ids.contains(&instance.id))
            && is("Status", &instance.status)
            && is("ZoneId", &instance.zone)
            && is("InstanceName", &instance.name)
            && has_tags(params, &instance.tags)
    });
    let found: Vec<_> = found.cloned().collect();
    let page = page(context, params, &mut state, &found, PAGING)?;
    Ok(page.write("Instances", "Instance", write))
}

fn write(instance: &Instance) -> Value {
    let locks = instance.locks.iter();
    let locks = locks.map(|lock| json!({ "LockReason": lock, "LockMsg": "" }));
    json!({
        "InstanceId": instance.id,
        "InstanceName": instance.name,
        "RegionId": instance.region,
        "ZoneId": instance.zone,
        "Status": instance.status,
        "InstanceType": instance.kind,
        "InstanceChargeType": "PostPaid",
        "InstanceNetworkType": "vpc",
        "OSType": instance.os,
        "OSName": instance.os,
        "HostName": instance.name,
        // These have no seconds.
        "CreationTime": time(instance.created, true),
        "StartTime": time(instance.created, true),
        "ExpiredTime": "2099-12-31T15:59Z",
        "DeviceAvailable": true,
        "OperationLocks": { "LockReason": locks.collect::<Vec<_>>() },
        "Tags": write_tags(&instance.tags),
    })
}
