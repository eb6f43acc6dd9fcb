//! STS: who am I, and sessions of roles.

use super::context::Context;
use super::metadata::session;
use super::params::Params;
use super::route::not_found;
use super::state::State;
use crate::stand_in::error::{Result, bad, error};
use serde_json::{Value, json};
use std::time::Duration;

const DURATION_MIN: u64 = 900;
const DURATION_MAX: u64 = 43_200;

/// Whether an operation is for those who have no key yet.
pub(crate) fn is_anonymous(operation: &str) -> bool {
    operation == "AssumeRoleWithOIDC"
}

pub(crate) fn answer(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    match context.call.operation.as_str() {
        "GetCallerIdentity" => Ok(identity(context)),
        "AssumeRole" => {
            let mut state = context.state();
            let role = params.need("RoleArn")?;
            let id = state.settings.roles.get(role).cloned();
            let id = id.ok_or_else(no_role)?;
            if id.is_some() && id.as_deref() != params.get("ExternalId") {
                let message =
                    "You are not authorized to do this action. You should be authorized by RAM.";
                return Err(error(403, "NoPermission", message));
            }
            assume(&mut state, context, params, role)
        }
        "AssumeRoleWithOIDC" => {
            let mut state = context.state();
            let provider = params.need("OIDCProviderArn")?;
            let token = params.need("OIDCToken")?;
            let known = state.settings.oidc_tokens.get(provider).cloned();
            let known = known.ok_or_else(|| {
                let message = "The OIDC Provider does not exist.";
                error(404, "EntityNotExist.OIDCProvider", message)
            })?;
            if known != token {
                let message = "This JWT Token is illegal.";
                return Err(bad("AuthenticationFail.OIDCToken.Invalid", message));
            }
            let role = params.need("RoleArn")?;
            if !state.settings.roles.contains_key(role) {
                return Err(no_role());
            }
            let mut answer = assume(&mut state, context, params, role)?;
            answer["OIDCTokenInfo"] = json!({ "Issuer": "https://issuer.example" });
            Ok(answer)
        }
        _ => Err(not_found()),
    }
}

fn no_role() -> crate::stand_in::ServiceError {
    let message = "The specified Role not exists.";
    error(404, "EntityNotExist.Role", message)
}

fn identity(context: &Context<'_>) -> Value {
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
    body
}

/// A session of a role, `acs:ram::ACCOUNT:role/NAME`.
fn assume(
    state: &mut State,
    context: &Context<'_>,
    params: &Params<'_>,
    role: &str,
) -> Result<Value> {
    let name = params.need("RoleSessionName")?;
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || ".@-_".contains(letter);
    if !(2..=64).contains(&name.len()) || !name.chars().all(is_good) {
        let message = "The parameter RoleSessionName is wrongly formed.";
        return Err(bad("InvalidParameter.RoleSessionName", message));
    }
    let seconds = params.number("DurationSeconds")?.unwrap_or(3600);
    if !(DURATION_MIN..=DURATION_MAX).contains(&seconds) {
        let message = "The Min/Max value of DurationSeconds is 15min/12hr.";
        return Err(bad("InvalidParameter.DurationSeconds", message));
    }
    let parts = role.strip_prefix("acs:ram::");
    let parts = parts.and_then(|rest| rest.split_once(":role/"));
    let (account, short) = parts.ok_or_else(no_role)?;
    let arn = format!("acs:ram::{account}:assumed-role/{short}/{name}");
    let life = Duration::from_secs(seconds);
    let credentials = session(state, context.now, life, account.to_owned(), arn.clone());
    Ok(json!({
        "Credentials": credentials,
        "AssumedRoleUser": {
            "Arn": arn,
            "AssumedRoleId": format!("300000000000000001:{name}"),
        },
    }))
}
