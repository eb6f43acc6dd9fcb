//! Roles of instances.

use super::{forbidden, region};
use crate::ecs_fake::context::Context;
use crate::ecs_fake::params::Params;
use crate::stand_in::error::Result;
use serde_json::{Value, json};

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let state = context.state();
    let region = region(&state, params)?;
    let ids = params.json_list("InstanceIds")?.unwrap_or_default();
    let mut roles = Vec::new();
    for id in ids {
        let instance = state.instances.get(&id);
        let instance = instance.filter(|one| one.owner == context.caller.account);
        let Some(instance) = instance else {
            let message = "The specified InstanceId does not exist.";
            return Err(forbidden("InvalidInstanceId.NotFound", message));
        };
        // An instance without a role has an entry all the same.
        let role = instance.role.as_deref().unwrap_or_default();
        roles.push(json!({ "InstanceId": id, "RamRoleName": role }));
    }
    Ok(json!({
        "RegionId": region,
        "TotalCount": roles.len(),
        "InstanceRamRoleSets": { "InstanceRamRoleSet": roles },
    }))
}
