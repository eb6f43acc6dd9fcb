//! Client tokens: a call that is sent twice is done once.

use super::forbidden;
use crate::ecs_fake::context::Context;
use crate::ecs_fake::params::Params;
use crate::ecs_fake::state::{State, TokenUse};
use crate::stand_in::clock::ms;
use crate::stand_in::error::{Result, bad, error};

const LEN_MAX: usize = 64;

/// What makes two calls with one token the same call.
fn essence(params: &Params<'_>) -> Vec<(String, String)> {
    let beside = ["Action", "Version", "ClientToken"];
    let all = params.0.iter();
    let mut essence: Vec<_> = all
        .filter(|(name, _)| !beside.contains(&name.as_str()))
        .cloned()
        .collect();
    essence.sort();
    essence
}

fn key(context: &Context<'_>, token: &str) -> [String; 3] {
    let account = context.caller.account.clone();
    [account, context.call.operation.clone(), token.to_owned()]
}

/// What a call with this token has made before.
pub(crate) fn made_before(
    state: &State,
    context: &Context<'_>,
    params: &Params<'_>,
) -> Result<Option<String>> {
    let Some(token) = params.get("ClientToken") else {
        return Ok(None);
    };
    if token.len() > LEN_MAX || !token.is_ascii() {
        let message = "The ClientToken provided is invalid.";
        return Err(bad("InvalidClientToken.ValueNotSupported", message));
    }
    let Some(used) = state.client_tokens.get(&key(context, token)) else {
        return Ok(None);
    };
    if used.parameters != essence(params) {
        let message = "Request uses a client token in a previous request but is not identical to that request.";
        // Documented with one status here and with another there.
        let status = match context.call.operation.as_str() {
            "CreateSnapshot" => 403,
            _ => 400,
        };
        return Err(error(status, "IdempotentParameterMismatch", message));
    }
    if used.over > context.now {
        let message = "The previous idempotent request(s) is still processing.";
        return Err(forbidden("IdempotentProcessing", message));
    }
    Ok(Some(used.made.clone()))
}

/// Remembers what a call has made.
pub(crate) fn remember(state: &mut State, context: &Context<'_>, params: &Params<'_>, made: &str) {
    if let Some(token) = params.get("ClientToken") {
        let used = TokenUse {
            parameters: essence(params),
            made: made.to_owned(),
            over: context.now + ms(state.settings.processing_time),
        };
        state.client_tokens.insert(key(context, token), used);
    }
}
