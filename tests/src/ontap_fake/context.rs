//! What an operation works with.

use super::Ontap;
use super::config::User;
use super::effects::Effect;
use super::error::{body, hal, invalid};
use super::jobs::{Job, begin};
use super::model::Tables;
use super::reading::Reading;
use super::route::Route;
use super::state::State;
use crate::stand_in::clock::ms;
use crate::stand_in::error::Result;
use crate::stand_in::{Answer, Asked, lock};
use serde_json::json;
use std::sync::MutexGuard;

/// The longest that a caller may ask to wait, in seconds.
const WAIT_MAX: i64 = 120;

/// A request that is worked on.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) asked: &'a Asked<'a, Ontap>,
    pub(crate) reading: Reading,
    pub(crate) route: Route,
    pub(crate) user: User,
    /// The model's time, in milliseconds since 1970.
    pub(crate) now: i64,
}

impl Context<'_> {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(self.asked.state)
    }

    /// The tables as this request sees them: some see what was there before.
    pub(crate) fn seen<'s>(&self, state: &'s State) -> &'s Tables {
        let lag = self.asked.stale.unwrap_or(state.settings.lag);
        state.at(self.now - ms(lag))
    }

    /// Whether the user sees things of an SVM.
    pub(crate) fn sees(&self, svm: &str) -> bool {
        self.user.svm.as_deref().is_none_or(|own| own == svm)
    }

    /// How long the caller waits for a job, in milliseconds.
    fn wait(&self) -> Result<i64> {
        let text = self.reading.parameter("return_timeout").unwrap_or("0");
        match text.parse::<i64>() {
            Ok(seconds) if (0..=WAIT_MAX).contains(&seconds) => Ok(seconds * 1000),
            _ => Err(invalid("return_timeout", text)),
        }
    }

    /// Does something by a job. `status` is that of the answer if the job is over in the time that the
    /// caller waits; `made` is where the new thing is.
    pub(crate) fn job(
        &self,
        state: &mut State,
        effect: Effect,
        status: u16,
        made: Option<String>,
    ) -> Result {
        let wait = self.wait()?;
        let job = begin(state, effect, self.now, wait);
        let located = |answer: Answer| match &made {
            Some(location) => answer.with("Location", location.clone()),
            None => answer,
        };
        match job.ended(self.now) {
            Some(Ok(())) => Ok(located(hal(status, &link(&job)))),
            Some(Err(wrong)) if wait > 0 => Err(wrong.clone()),
            _ => Ok(located(hal(202, &link(&job)))),
        }
    }

    /// What is answered instead, where others have to agree first.
    pub(crate) fn approval(&self, state: &mut State, what: &str) -> Option<Result> {
        let wrong = super::approvals::wanted(state, self, what)?;
        Some(match state.settings.approval {
            super::config::Approval::Refused => Err(wrong.0),
            super::config::Approval::Accepted => {
                let answer = hal(202, &json!({ "error": body(&wrong.0) }));
                Ok(answer.with("Location", wrong.1))
            }
        })
    }
}

fn link(job: &Job) -> serde_json::Value {
    let links = json!({ "self": { "href": job.href() } });
    json!({ "job": { "uuid": job.uuid, "_links": links } })
}
