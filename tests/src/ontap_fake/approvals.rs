//! Requests that other administrators have to agree to (multi-admin verification).

use super::context::Context;
use super::error::{hal, invalid, not_there};
use super::query::{Kind, Record};
use super::state::State;
use super::times::time;
use crate::stand_in::ServiceError;
use crate::stand_in::error::{Result, error};
use serde_json::json;

const KIND: Kind = Kind {
    always: &["index"],
    expensive: &[],
    known: &[
        "index",
        "operation",
        "query",
        "state",
        "user_requested",
        "create_time",
    ],
};

/// A request for approval.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    operation: String,
    query: String,
    user: String,
    created: i64,
    is_approved: bool,
}

const PATH: &str = "/api/security/multi-admin-verify/requests";

/// The error and the request's place if an operation has to be agreed to and was not; none if it may go on.
pub(crate) fn wanted(
    state: &mut State,
    context: &Context<'_>,
    query: &str,
) -> Option<(ServiceError, String)> {
    let operation = context.route.operation;
    if !state.settings.needs_approval.contains(operation) {
        return None;
    }
    let is_it = |request: &&Request| request.operation == operation && request.query == query;
    let known = state.approvals.iter().position(|request| is_it(&request));
    let (at, words) = match known {
        Some(at) if state.approvals[at].is_approved => return None,
        Some(at) => (at, "is pending approval"),
        None => {
            state.approvals.push(Request {
                operation: operation.to_owned(),
                query: query.to_owned(),
                user: context.user.name.clone(),
                created: context.now,
                is_approved: false,
            });
            (state.approvals.len() - 1, "requires approval")
        }
    };
    let index = at + 1;
    let message = format!("The security multi-admin-verify request (index {index}) {words}.");
    Some((error(403, "262328", message), format!("{PATH}/{index}")))
}

impl State {
    /// Agrees to all requests that wait.
    pub fn approve_all(&mut self) {
        for request in &mut self.approvals {
            request.is_approved = true;
        }
    }

    /// Requests that nobody has agreed to.
    #[must_use]
    pub fn pending_approvals(&self) -> usize {
        let pending = self.approvals.iter().filter(|request| !request.is_approved);
        pending.count()
    }
}

fn records(state: &State) -> Vec<Record> {
    let offset = state.settings.utc_offset;
    let record = |(index, request): (usize, &Request)| Record {
        key: format!("{index:08}"),
        href: Some(format!("{PATH}/{index}")),
        value: json!({
            "index": index,
            "operation": request.operation,
            "query": request.query,
            "state": if request.is_approved { "approved" } else { "pending" },
            "user_requested": request.user,
            "create_time": time(request.created, offset),
        }),
    };
    (1..).zip(&state.approvals).map(record).collect()
}

/// `GET /security/multi-admin-verify/requests`
pub(crate) fn list(context: &Context<'_>) -> Result {
    let records = records(&context.state());
    let document = KIND.collection(&context.reading, records, None)?;
    Ok(hal(200, &document))
}

/// `GET /security/multi-admin-verify/requests/{index}`
pub(crate) fn get(context: &Context<'_>) -> Result {
    let text = context.route.id("index");
    let index: usize = text.parse().map_err(|_| invalid("index", text))?;
    let records = records(&context.state());
    let record = index.checked_sub(1).and_then(|at| records.get(at));
    let record = record.ok_or_else(|| not_there("index"))?;
    Ok(hal(200, &KIND.single(&context.reading, record)?))
}
