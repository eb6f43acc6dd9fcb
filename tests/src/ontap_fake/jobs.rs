//! Jobs: what is done later, and is forgotten some time after that.

use super::effects::{Effect, run};
use super::error::{body, not_there};
use super::query::{Kind, Record};
use super::state::State;
use super::times::time;
use crate::stand_in::ServiceError;
use crate::stand_in::clock::ms;
use crate::stand_in::error::error;
use serde_json::json;

pub(crate) const KIND: Kind = Kind {
    always: &["uuid"],
    expensive: &[],
    known: &[
        "uuid",
        "description",
        "state",
        "message",
        "code",
        "error",
        "start_time",
        "end_time",
        "svm",
    ],
};

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) uuid: String,
    description: String,
    effect: Option<Effect>,
    started: i64,
    /// When it ends; none: never.
    ends: Option<i64>,
    /// How it ended; none: not yet.
    ended: Option<Result<(), ServiceError>>,
    /// Whether nobody hears of it.
    is_unknown: bool,
}

/// Begins a job. It is done already if it takes no longer than `wait`, in milliseconds.
pub(crate) fn begin(state: &mut State, effect: Effect, now: i64, wait: i64) -> Job {
    let counted = |left: &mut u32| {
        let is_one = *left > 0;
        *left = left.saturating_sub(1);
        is_one
    };
    let settings = &mut state.settings;
    let takes = ms(settings.job_time);
    let fails = counted(&mut settings.jobs_that_fail);
    let vanishes = counted(&mut settings.jobs_that_vanish);
    let hangs = counted(&mut settings.jobs_that_hang);
    let wrong = error(500, "460770", "The job was aborted: an internal error.");
    let mut job = Job {
        uuid: state.uuid(),
        description: effect.description(),
        effect: (!fails && !hangs).then_some(effect),
        started: now,
        ends: (!hangs).then_some(now + takes),
        ended: fails.then_some(Err(wrong)),
        is_unknown: vanishes,
    };
    if takes <= wait || vanishes {
        job.ends = job.ends.map(|_| now);
        end(state, &mut job, now);
    }
    state.jobs.insert(job.uuid.clone(), job.clone());
    job
}

/// Lets jobs end whose time has come, in the order in which they do, and forgets old ones.
pub(crate) fn settle(state: &mut State, now: i64) {
    let due = |job: &&Job| job.effect.is_some() && job.ends.is_some_and(|ends| ends <= now);
    let mut due: Vec<_> = state.jobs.values().filter(due).cloned().collect();
    due.sort_by_key(|job| job.ends);
    for mut job in due {
        end(state, &mut job, now);
        state.jobs.insert(job.uuid.clone(), job);
    }
    let life = ms(state.settings.job_life);
    state
        .jobs
        .retain(|_, job| job.ends.is_none_or(|ends| ends + life > now));
}

fn end(state: &mut State, job: &mut Job, now: i64) {
    if let Some(effect) = job.effect.take() {
        job.ended = Some(run(state, effect, now));
    }
}

impl Job {
    /// How it ended, if it has.
    pub(crate) fn ended(&self, now: i64) -> Option<&Result<(), ServiceError>> {
        let is_over = self.ends.is_some_and(|ends| ends <= now);
        self.ended.as_ref().filter(|_| is_over && !self.is_unknown)
    }

    pub(crate) fn href(&self) -> String {
        format!("/api/cluster/jobs/{}", self.uuid)
    }

    pub(crate) fn record(&self, state: &State, now: i64) -> Record {
        let offset = state.settings.utc_offset;
        let mut value = json!({
            "uuid": self.uuid,
            "description": self.description,
            "start_time": time(self.started, offset),
            "code": 0,
        });
        let quarter = ms(state.settings.job_time) / 4;
        let word = match self.ended(now) {
            None if now - self.started < quarter => "queued",
            None => "running",
            Some(Ok(())) => "success",
            Some(Err(_)) => "failure",
        };
        value["state"] = json!(word);
        value["message"] = json!(word);
        if let (Some(ended), Some(ends)) = (self.ended(now), self.ends) {
            value["end_time"] = json!(time(ends, offset));
            if let Err(wrong) = ended {
                value["message"] = json!(wrong.message);
                value["code"] = json!(wrong.code.parse::<u64>().unwrap_or(1));
                value["error"] = body(wrong);
            }
        }
        Record {
            key: self.uuid.clone(),
            href: Some(self.href()),
            value,
        }
    }
}

/// A job by its UUID.
pub(crate) fn find<'a>(state: &'a State, uuid: &str) -> Result<&'a Job, ServiceError> {
    let job = state.jobs.get(uuid).filter(|job| !job.is_unknown);
    job.ok_or_else(|| not_there("uuid"))
}

/// All jobs that are known.
pub(crate) fn all(state: &State, now: i64) -> Vec<Record> {
    let known = state.jobs.values().filter(|job| !job.is_unknown);
    known.map(|job| job.record(state, now)).collect()
}
