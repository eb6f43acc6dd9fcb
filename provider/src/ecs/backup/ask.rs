//! Asking Cloud Backup for points.
//!
//! The call has no pages. Where an answer says that there are more points than it holds, the time is
//! halved until each half is whole.

use super::answer::{ACTION, Answer, BackupPoint};
use crate::ecs::client::{Client, Params, Service};
use crate::engine::{Clock, SystemClock};
use crate::fault::{Fault, FaultKind};
use crate::remote::retry_calls;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Kinds of points: of instances, of disks alone, and the parts of those of instances.
const KINDS: [&str; 3] = ["UDM_ECS", "UDM_DISK", "UDM_ECS_DISK"];

/// Before Cloud Backup was there: 2016.
const BEGINNING: u64 = 1_451_606_400;

/// A clock that is behind must not hide the youngest points.
const AHEAD: u64 = 86_400;

/// Halving a time of decades down to a second takes 30 calls; no account has that many times of this.
const CALLS_MAX: usize = 1000;

/// Above any number of points that an account can have, and far below what fills the memory.
const POINTS_MAX: usize = 500_000;

/// What points are asked of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ecs) struct Subject {
    /// An instance.
    pub(in crate::ecs) instance: Option<String>,
    /// Disks, also those of the instance.
    pub(in crate::ecs) disks: BTreeSet<String>,
    /// Everything in the region: where it is not known of which disk a snapshot is.
    pub(in crate::ecs) everything: bool,
}

impl Subject {
    /// A disk.
    pub(in crate::ecs) fn disk(id: &str) -> Self {
        Self {
            disks: [id.to_owned()].into(),
            ..Self::default()
        }
    }

    /// What has to be asked: a kind, and the parameters that say of what.
    fn questions(&self) -> Vec<(&'static str, Params)> {
        let of = |name: &str, id: &str| vec![(name.to_owned(), id.to_owned())];
        if self.everything {
            return KINDS.map(|kind| (kind, Params::new())).into();
        }
        let mut questions = Vec::new();
        if let Some(instance) = &self.instance {
            questions.push(("UDM_ECS", of("InstanceId", instance)));
        }
        for disk in &self.disks {
            // Another instance that it was at earlier may have been backed up with it: of that, there is
            // the part.
            let kinds: &[&'static str] = match self.instance {
                Some(_) => &["UDM_DISK", "UDM_ECS_DISK"],
                None => &KINDS,
            };
            questions.extend(kinds.iter().map(|kind| (*kind, of("DiskId", disk))));
        }
        questions
    }
}

/// All points of a subject, and perhaps of others: a server may take no notice of what is asked of.
///
/// # Errors
/// What Cloud Backup said, or that it said nothing; faults that may pass were given their time.
pub(super) async fn points(client: &Client, subject: &Subject) -> Result<Vec<BackupPoint>, Fault> {
    let mut all = Vec::new();
    for (kind, of) in subject.questions() {
        all.extend(of_kind(client, kind, &of, &Params::new()).await?);
    }
    Ok(all)
}

/// The point of an id of Cloud Backup's own.
///
/// # Errors
/// As [`points`].
pub(super) async fn point_of_id(client: &Client, id: &str) -> Result<Option<BackupPoint>, Fault> {
    let ids = serde_json::Value::from(vec![id]).to_string();
    let form = vec![("SnapshotIds".to_owned(), ids)];
    for kind in KINDS {
        let found = of_kind(client, kind, &Params::new(), &form).await?;
        let found = found.into_iter().find(|point| point.snapshot_id == id);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

async fn of_kind(
    client: &Client,
    kind: &str,
    of: &Params,
    form: &Params,
) -> Result<Vec<BackupPoint>, Fault> {
    let mut spans = Spans::new(BEGINNING..=now(client).saturating_add(AHEAD));
    let mut all = Vec::new();
    while let Some(span) = spans.next()? {
        let mut query = query_of(client, kind, &span);
        query.extend(of.iter().cloned());
        let (points, total) = ask(client, &query, form).await?;
        let whole = u64::try_from(points.len()).is_ok_and(|count| count >= total);
        if whole {
            all.extend(points);
        } else {
            spans.halve(&span)?;
        }
        if all.len() > POINTS_MAX {
            return Err(endless());
        }
    }
    Ok(all)
}

/// Whether it answers: it is asked for the points of instances of the last day.
///
/// # Errors
/// As [`points`].
pub(in crate::ecs) async fn look(client: &Client) -> Result<(), Fault> {
    let now = now(client);
    let query = query_of(client, "UDM_ECS", &(now.saturating_sub(AHEAD)..=now));
    ask(client, &query, &Params::new()).await.map(drop)
}

fn now(client: &Client) -> u64 {
    client.time().unwrap_or_else(|| SystemClock.wall()).0
}

fn query_of(client: &Client, kind: &str, span: &RangeInclusive<u64>) -> Params {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![
        pair("SourceType", kind.to_owned()),
        pair("StartTime", span.start().to_string()),
        pair("EndTime", span.end().to_string()),
        pair("UdmRegionId", client.region().to_owned()),
    ]
}

/// One question, repeated while that may help: the points that are told, and how many there are.
async fn ask(
    client: &Client,
    query: &Params,
    form: &Params,
) -> Result<(Vec<BackupPoint>, u64), Fault> {
    let call = || async {
        let called = client.call_with_form::<Answer>(Service::Hbr, ACTION, query, form);
        called.await?.points()
    };
    retry_calls(call).await
}

/// Times that are still to be asked for.
#[derive(Debug)]
struct Spans {
    todo: Vec<RangeInclusive<u64>>,
    calls: usize,
}

impl Spans {
    fn new(all: RangeInclusive<u64>) -> Self {
        Self {
            todo: vec![all],
            calls: 0,
        }
    }

    /// The next one.
    fn next(&mut self) -> Result<Option<RangeInclusive<u64>>, Fault> {
        let next = self.todo.pop();
        self.calls = self.calls.saturating_add(1);
        match next {
            Some(_) if self.calls > CALLS_MAX => Err(endless()),
            next => Ok(next),
        }
    }

    /// Asks for both halves of one that was not answered whole.
    fn halve(&mut self, span: &RangeInclusive<u64>) -> Result<(), Fault> {
        let (start, end) = (*span.start(), *span.end());
        if start >= end {
            return Err(endless());
        }
        let middle = start.midpoint(end);
        self.todo.push(start..=middle);
        self.todo.push(middle.saturating_add(1)..=end);
        Ok(())
    }
}

/// A list that was cut short must not be taken for the whole.
fn endless() -> Fault {
    let words = format!("{ACTION}: the list has no end");
    Fault::new(FaultKind::Refused, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_instances_disks_and_of_nothing_in_particular() {
        let asked = |subject: &Subject| {
            let questions = subject.questions().into_iter();
            let text = questions.map(|(kind, of)| {
                let of = of.first();
                of.map_or_else(
                    || kind.to_owned(),
                    |(name, id)| format!("{kind} {name}={id}"),
                )
            });
            text.collect::<Vec<_>>()
        };
        let mut subject = Subject::disk("d-1");
        let of_disk = KINDS.map(|kind| format!("{kind} DiskId=d-1"));
        assert_eq!(asked(&subject), of_disk);
        subject.instance = Some("i-1".into());
        let of_instance = [
            "UDM_ECS InstanceId=i-1",
            "UDM_DISK DiskId=d-1",
            "UDM_ECS_DISK DiskId=d-1",
        ];
        assert_eq!(asked(&subject), of_instance);
        subject.everything = true;
        assert_eq!(asked(&subject), KINDS);
        assert!(asked(&Subject::default()).is_empty());
    }

    /// Asks a server that tells at most `most` of the points at these times.
    fn ask(times: &[u64], most: usize) -> Result<(Vec<u64>, usize), Fault> {
        let mut spans = Spans::new(0..=1 << 31);
        let mut all = Vec::new();
        while let Some(span) = spans.next()? {
            let found: Vec<_> = times.iter().filter(|time| span.contains(time)).collect();
            match found.len() <= most {
                true => all.extend(found),
                false => spans.halve(&span)?,
            }
        }
        all.sort_unstable();
        Ok((all, spans.calls))
    }

    #[test]
    fn answers_that_are_cut_short_are_asked_for_in_halves() {
        let times: Vec<_> = (0..100).map(|n| n * 86_400).collect();
        let (found, calls) = ask(&times, 10).unwrap();
        assert_eq!(found, times);
        assert!((2..CALLS_MAX).contains(&calls), "{calls}");
        // More at one second than are told of it.
        ask(&[5, 5, 5], 2).unwrap_err();
        // A server that is never content.
        ask(&times, 0).unwrap_err();
    }
}
