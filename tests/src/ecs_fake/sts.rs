//! STS: who am I?

use super::context::Context;
use super::route::not_found;
use crate::stand_in::error::Result;
use serde_json::{Value, json};

pub(crate) fn answer(context: &Context<'_>) -> Result<Value> {
    if context.call.operation != "GetCallerIdentity" {
        return Err(not_found());
    }
    let caller = &context.caller;
    let mut body = json!({
        "AccountId": caller.account,
        "Arn": caller.arn,
    });
    if caller.arn.contains(":assumed-role/") {
        body["IdentityType"] = json!("AssumedRoleUser");
        body["RoleId"] = json!("300000000000000001");
        body["PrincipalId"] = json!("300000000000000001:session");
    } else {
        body["IdentityType"] = json!("RAMUser");
        body["UserId"] = json!("200000000000000001");
        body["PrincipalId"] = json!("200000000000000001");
    }
    Ok(body)
}
