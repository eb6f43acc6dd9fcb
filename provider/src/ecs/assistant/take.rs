//! Taking snapshots of an instance's disks, with or without the help of the plug-in.

use super::command::{System, Wanted, check_excluded, check_name};
use super::exit_code::meaning;
use super::invocation::{self, Progress, shown};
use super::{group, output, role};
use crate::ecs::api::{
    Disk, Instance, Query, Snapshot, describe_disks, describe_instances, describe_snapshots,
};
use crate::ecs::catalog::members_of;
use crate::ecs::client::Client;
use crate::ecs::fault;
use crate::engine::{self, Rand, SystemRand};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::grouped;
use crate::point::{Application, Consistency, PointInfo, TakeHow, TakenPoint};
use crate::remote::retry_calls;
use crate::temporary::{TagRules, check_tags};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Cloud Assistant takes from 10 seconds to a day.
const LIMIT_MIN: Duration = Duration::from_secs(60);
const LIMIT_MAX: Duration = Duration::from_secs(86_400);

/// How long after its own limit the end of a command may take to be known.
const GRACE: Duration = Duration::from_secs(60);

/// How long what was just made may not be shown.
const SHOWN_LIMIT: Duration = Duration::from_secs(120);

/// How long the tags of snapshots may lag behind them.
const TAGS_LIMIT: Duration = Duration::from_secs(10);

/// ECS takes 20 tags for a group.
const TAGS: TagRules = TagRules {
    count: 20,
    key: 128,
    value: 128,
    reserved: &["aliyun", "acs:"],
    forbidden: &["http://", "https://"],
};

/// Takes snapshots of an instance's disks and waits until they are whole.
pub(in crate::ecs) async fn take(
    client: &Client,
    instance: &str,
    how: &TakeHow,
) -> Result<TakenPoint> {
    check_excluded(&how.exclude)?;
    how.name.as_deref().map(check_name).transpose()?;
    check_tags(&how.tags, TAGS)?;
    let known = find_instance(client, instance).await?;
    let attached = find_disks(client, instance).await?;
    if let Some(other) =
        (how.exclude.iter()).find(|id| attached.iter().all(|it| it.disk_id != **id))
    {
        return Err(Error::Usage {
            what: format!("{other} is no disk of {instance}"),
            hint: Some(format!("flr points {instance} --json")),
        });
    }
    let work = Work {
        client,
        instance,
        how,
        begun: Instant::now(),
    };
    let group = match &how.application {
        None => work.plain().await?,
        Some(application) => work.consistent(&known, application).await?,
    };
    let snapshots = work.whole(&group).await?;
    let mut disks = attached;
    disks.retain(|disk| !how.exclude.contains(&disk.disk_id));
    let members = members_of(&disks);
    let point = grouped::point(instance, client.region(), &members, &snapshots);
    let point = point.ok_or_else(|| Error::NoSuch {
        what: format!("the group {group} of {instance} has no snapshots"),
        hint: Some("see the console".to_owned()),
    })?;
    let warnings = match how.application {
        Some(_) => less_than_asked(&point, &group, how).into_iter().collect(),
        None => Vec::new(),
    };
    Ok(TakenPoint {
        notes: vec![format!(
            "{group} of {} disks of {instance} stays until it is deleted: it is yours",
            point.disks.len()
        )],
        point,
        warnings,
    })
}

/// What is to be said if applications have not held still.
fn less_than_asked(point: &PointInfo, group: &str, how: &TakeHow) -> Option<String> {
    let scripts = how
        .application
        .as_ref()
        .is_some_and(|it| it.scripts.is_some());
    let why = match scripts {
        true => {
            "the scripts of --pre and --post have not both run: they belong to root, have mode 0700 and \
             end with 0"
        }
        false => {
            "on Linux it takes scripts of the instance that make applications hold still (--pre and --post), \
             on Windows applications that its own service for it knows"
        }
    };
    match point.consistency {
        Consistency::Application => None,
        Consistency::Filesystem => Some(format!(
            "{group} is consistent for filesystems only, not for applications: {why}"
        )),
        Consistency::Crash | Consistency::Unknown => Some(format!(
            "{group} has no tag that says so, so it is no better than after a loss of power: {why}"
        )),
    }
}

async fn find_instance(client: &Client, id: &str) -> Result<Instance> {
    let query = Query::ids("InstanceIds", &[id]).patiently();
    let found = match describe_instances(client, &query).await {
        Ok(found) => found,
        Err(fault) if fault.kind == FaultKind::NotFound => Vec::new(),
        Err(fault) => return Err(fault::error(format!("look for {id}"), fault)),
    };
    let found = found.into_iter().find(|it| it.instance_id == id);
    found.ok_or_else(|| Error::NoSuch {
        what: format!(
            "there is no instance {id} in {} that this account may see",
            client.region()
        ),
        hint: Some("if it is in another region: --region NAME".to_owned()),
    })
}

async fn find_disks(client: &Client, instance: &str) -> Result<Vec<Disk>> {
    let query = Query::by("InstanceId", instance).patiently();
    let found = describe_disks(client, &query).await;
    let doing = || format!("look for the disks of {instance}");
    let mut found = found.map_err(|fault| fault::error(doing(), fault))?;
    found.retain(|disk| disk.instance_id.as_deref() == Some(instance));
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::Refused {
            what: format!("{instance} has no disks of which snapshots can be taken"),
            hint: None,
        }),
    }
}

/// One taking of snapshots.
struct Work<'a> {
    client: &'a Client,
    instance: &'a str,
    how: &'a TakeHow,
    begun: Instant,
}

/// Waits longer from time to time.
struct Pause(Duration);

impl Pause {
    const fn new() -> Self {
        Self(Duration::from_millis(100))
    }
}

impl Work<'_> {
    fn doing(&self) -> String {
        match self.how.application {
            Some(_) => format!(
                "take an application-consistent snapshot of {}",
                self.instance
            ),
            None => format!("take a snapshot of {}", self.instance),
        }
    }

    fn limit(&self) -> Duration {
        self.how.timeout.clamp(LIMIT_MIN, LIMIT_MAX)
    }

    fn is_interrupted(&self) -> bool {
        let flag = self.how.interrupt.as_ref();
        flag.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Waits a little. `false`: there is no time left, or a signal came.
    async fn wait(&self, pause: &mut Pause, limit: Duration) -> bool {
        const STEP: Duration = Duration::from_millis(50);
        let until = Instant::now().checked_add(pause.0);
        while until.is_some_and(|until| Instant::now() < until) {
            if self.is_interrupted() {
                return false;
            }
            sleep(STEP).await;
        }
        pause.0 = pause.0.saturating_mul(2).min(Duration::from_secs(2));
        self.begun.elapsed() < limit && !self.is_interrupted()
    }

    /// It goes on without us.
    fn left(&self, what: &str, look: String) -> Error {
        if self.is_interrupted() {
            tracing::warn!("{what}; see how it ends: {look}");
            return Error::Engine(engine::Error::Interrupted);
        }
        let words = format!("it takes longer than {:?}; {what}", self.how.timeout);
        Error::Remote {
            doing: self.doing(),
            fault: Fault::new(FaultKind::Unknown, words),
            hint: Some(look),
        }
    }

    /// Without the plug-in: all disks at one moment, and nothing holds still for it.
    async fn plain(&self) -> Result<String> {
        let (client, how) = (self.client, self.how);
        let token = token();
        let create = || {
            let name = how.name.as_deref();
            group::create(client, self.instance, &how.exclude, name, &how.tags, &token)
        };
        let group = retry_calls(create).await;
        group.map_err(|fault| fault::error(self.doing(), fault))
    }

    /// With the plug-in.
    async fn consistent(&self, known: &Instance, application: &Application) -> Result<String> {
        let (client, instance) = (self.client, self.instance);
        let status = known.status.as_deref().unwrap_or("not known");
        if status != "Running" {
            return Err(Error::Refused {
                what: format!("in {instance} nothing can be run: its state is {status}"),
                hint: Some("without --app-consistent its disks are taken as they are".to_owned()),
            });
        }
        let os_type = known.os_type.as_deref().unwrap_or_default();
        let system = System::of(os_type).ok_or_else(|| Error::Refused {
            what: format!("for the system of {instance}, {os_type:?}, there is no plug-in"),
            hint: None,
        })?;
        let role = match &application.role {
            Some(role) => role.clone(),
            None => self.role().await?,
        };
        let wanted = Wanted {
            role,
            scripts: application.scripts.clone(),
            excluded: self.how.exclude.clone(),
            name: self.how.name.clone(),
        };
        let line = wanted.line(system)?;
        let token = token();
        let run = || invocation::run(client, (instance, system), &line, self.limit(), &token);
        let invocation = retry_calls(run).await.map_err(|fault| {
            if fault.kind == FaultKind::Unknown {
                tracing::warn!(
                    "whether the command was started in {instance} is not known: \
                     aliyun ecs DescribeInvocations --RegionId {} --InstanceId {instance}",
                    client.region()
                );
            }
            fault::error(self.doing(), fault)
        })?;
        tracing::info!("the command {invocation} runs in {instance}");
        self.outcome(&invocation).await
    }

    async fn role(&self) -> Result<String> {
        let instance = self.instance;
        let found = retry_calls(|| role::role(self.client, instance)).await;
        let doing = || format!("look for the role of {instance}");
        let found = found.map_err(|fault| fault::error(doing(), fault))?;
        found.ok_or_else(|| Error::Refused {
            what: format!(
                "{instance} has no role, which the plug-in for consistent snapshots needs"
            ),
            hint: Some(meaning(13).then.to_owned()),
        })
    }

    /// Waits for the end of a command, and gives the group that it has made.
    async fn outcome(&self, invocation: &str) -> Result<String> {
        let (client, instance) = (self.client, self.instance);
        let look = || {
            format!(
                "aliyun ecs DescribeInvocationResults --RegionId {} --InvokeId {invocation}",
                client.region()
            )
        };
        let goes_on = format!("the command {invocation} goes on in {instance}");
        let mut pause = Pause::new();
        let limit = self.limit().saturating_add(GRACE);
        let progress = loop {
            let found = retry_calls(|| invocation::result(client, invocation, instance)).await;
            match found {
                Ok(Some(Progress::Running) | None) => {}
                Ok(Some(progress)) => break progress,
                Err(fault) => {
                    tracing::warn!("{goes_on}; see how it ends: {}", look());
                    return Err(fault::error(self.doing(), fault));
                }
            }
            if !self.wait(&mut pause, limit).await {
                return Err(self.left(&goes_on, look()));
            }
        };
        match progress {
            Progress::Ended(0, said) => match output::group(&said) {
                Some(group) => Ok(group.to_owned()),
                None => Err(self.refused(
                    FaultKind::Refused,
                    format!(
                        "the plug-in says that it went well, and not which group it made: {}",
                        shown(&said)
                    ),
                    look(),
                )),
            },
            Progress::Ended(code, said) => Err(self.ended(code, &said, invocation)),
            Progress::NotRun(why) => Err(self.refused(
                FaultKind::Unavailable,
                format!("Cloud Assistant did not run the command {invocation}: {why}"),
                "its agent has to run in the instance; without --app-consistent it is not needed"
                    .to_owned(),
            )),
            Progress::Cut(why) => {
                let alarm = format!(
                    "ALARM: the command {invocation} was ended in the middle ({why}), and filesystems of \
                     {instance} may still be frozen"
                );
                tracing::error!("{alarm}");
                Err(self.refused(FaultKind::Refused, alarm, meaning(12).then.to_owned()))
            }
            Progress::Running => Err(self.left(&goes_on, look())),
        }
    }

    fn refused(&self, kind: FaultKind, words: String, hint: String) -> Error {
        Error::Remote {
            doing: self.doing(),
            fault: Fault::new(kind, words),
            hint: Some(hint),
        }
    }

    /// The plug-in has failed.
    fn ended(&self, code: i64, said: &str, invocation: &str) -> Error {
        let meaning = meaning(code);
        let mut words = format!("the plug-in ended with code {code}: {}", meaning.what);
        if meaning.is_alarm {
            words = format!("ALARM: {words}");
            tracing::error!("{}: {words}", self.instance);
        }
        if let Some(group) = output::group(said) {
            words.push_str(&format!(
                "; the snapshots of {group} are there all the same"
            ));
        }
        let said = shown(said);
        if !said.is_empty() {
            words.push_str(&format!("; it said: {said}"));
        }
        words.push_str(&format!(" (command {invocation})"));
        self.refused(meaning.kind, words, meaning.then.to_owned())
    }

    /// Waits until a group is accomplished, and its snapshots are shown with their tags.
    async fn whole(&self, id: &str) -> Result<Vec<Snapshot>> {
        let region = self.client.region();
        let look = || {
            format!(
                "aliyun ecs DescribeSnapshotGroups --RegionId {region} --SnapshotGroupId.1 {id}"
            )
        };
        let goes_on = format!("the snapshots of {id} go on being taken");
        let mut pause = Pause::new();
        let since_made = Instant::now();
        let mut decided_by = None;
        let doing = || format!("wait for the snapshots of {id}");
        let failed = |fault| fault::error(doing(), fault);
        loop {
            let group = group::look(self.client, id).await.map_err(failed)?;
            let limit = self.limit().saturating_add(GRACE);
            match group {
                None if since_made.elapsed() > SHOWN_LIMIT => {
                    let words = format!("the group {id} is not shown");
                    return Err(self.refused(FaultKind::Unknown, words, look()));
                }
                None => {}
                Some(group) if group.status.as_deref() == Some("failed") => {
                    return Err(self.refused(
                        FaultKind::Refused,
                        format!("the group {id} has failed"),
                        look(),
                    ));
                }
                Some(group) if group.status.as_deref() == Some("accomplished") => {
                    let ids = group.snapshots.into_iter().map(|one| one.snapshot_id);
                    let ids: Vec<_> = ids.collect();
                    let query = Query::ids("SnapshotIds", &ids).patiently();
                    let found = describe_snapshots(self.client, &query).await;
                    let mut found = found.map_err(failed)?;
                    found.retain(|one| ids.contains(&one.snapshot_id));
                    for snapshot in &mut found {
                        snapshot.group = Some(id.to_owned());
                    }
                    let whole = found.len() == ids.len() && !ids.is_empty();
                    let since = *decided_by.get_or_insert_with(Instant::now);
                    let tagged = self.how.application.is_none()
                        || found.iter().all(Snapshot::says_consistency)
                        || since.elapsed() >= TAGS_LIMIT;
                    if whole && tagged {
                        return Ok(found);
                    }
                }
                Some(_) => {}
            }
            if !self.wait(&mut pause, limit).await {
                return Err(self.left(&goes_on, look()));
            }
        }
    }
}

/// A token that no other call has: 64 letters and digits.
fn token() -> String {
    let word = || format!("{:016x}", SystemRand.next_u64());
    [word(), word(), word(), word()].concat()
}
