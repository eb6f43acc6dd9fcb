//! ECS: what there is, the life of a disk, snapshots, and Cloud Assistant.

mod attach;
mod create_disk;
mod delete;
mod disks;
mod groups;
mod images;
mod instances;
mod places;
mod roles;
mod snapshots;
mod tags;
mod take;
mod tokens;

pub(crate) use take::take_group;
pub(crate) use tokens::{made_before, remember};

use super::context::Context;
use super::error::throttled;
use super::model::{Disk, Instance};
use super::params::Params;
use super::route::not_found;
use super::state::State;
use super::{assistant, config::Money};
use crate::stand_in::error::{Result, ServiceError, bad, error};
use serde_json::{Value, json};

type Operation = fn(&Context<'_>, &Params<'_>) -> Result<Value>;

fn operation(name: &str) -> Option<Operation> {
    let found: Operation = match name {
        "DescribeRegions" => places::regions,
        "DescribeZones" => places::zones,
        "DescribeAvailableResource" => places::available,
        "DescribeInstances" => instances::describe,
        "DescribeInstanceRamRole" => roles::describe,
        "DescribeImages" => images::describe,
        "DescribeSnapshots" => snapshots::describe,
        "DescribeSnapshotGroups" => groups::describe,
        "CreateSnapshot" => take::snapshot,
        "CreateSnapshotGroup" => take::group,
        "CopySnapshot" => take::copy,
        "DeleteSnapshot" => delete::snapshot,
        "DescribeDisks" => disks::describe,
        "CreateDisk" => create_disk::create,
        "DeleteDisk" => delete::disk,
        "AttachDisk" => attach::attach,
        "DetachDisk" => attach::detach,
        "ResetDisk" => delete::reset,
        "TagResources" => tags::tag,
        "ListTagResources" => tags::list,
        "RunCommand" => assistant::run,
        "DescribeInvocationResults" => assistant::results,
        _ => return None,
    };
    Some(found)
}

pub(crate) fn answer(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let name = &context.call.operation;
    let operation = operation(name).ok_or_else(not_found)?;
    {
        let mut state = context.state();
        let rate = state.settings.rates.get(name).copied();
        let what = format!("{}:{name}", context.caller.account);
        if !state.buckets.take(&what, rate, context.now) {
            let wait = state.settings.retry_after;
            let mut error = throttled(true);
            error.reason = wait.map(|wait| wait.as_millis().to_string());
            return Err(error);
        }
    }
    operation(context, params)
}

/// The answer of what has nothing to say.
fn done() -> Value {
    json!({})
}

/// Ends a call that was only to be tried.
fn dry_run(params: &Params<'_>) -> Result<()> {
    match params.flag("DryRun") {
        true => {
            let message = "Request validation has been passed with DryRun flag set.";
            Err(bad("DryRunOperation", message))
        }
        false => Ok(()),
    }
}

/// The region that a call is about.
pub(crate) fn region<'a>(state: &State, params: &Params<'a>) -> Result<&'a str> {
    let region = params.need("RegionId")?;
    match state.regions.iter().any(|known| known == region) {
        true => Ok(region),
        false => {
            let message = "The specified RegionId does not exist.";
            Err(error(404, "InvalidRegionId.NotFound", message))
        }
    }
}

/// An error that forbids.
fn forbidden(code: &str, message: &str) -> ServiceError {
    error(403, code, message)
}

/// A disk of the caller's that is there.
fn disk_of<'a>(state: &'a State, context: &Context<'_>, id: &str) -> Option<&'a Disk> {
    let disk = state.disks.get(id)?;
    let is_there = disk.status(context.now).is_some() && disk.gone.is_none();
    (disk.owner == context.caller.account && is_there).then_some(disk)
}

fn need_disk<'a>(state: &'a State, context: &Context<'_>, id: &str) -> Result<&'a Disk> {
    let message = "The specified disk does not exist.";
    disk_of(state, context, id).ok_or_else(|| error(404, "InvalidDiskId.NotFound", message))
}

fn need_instance<'a>(state: &'a State, context: &Context<'_>, id: &str) -> Result<&'a Instance> {
    let instance = state.instances.get(id);
    let instance = instance.filter(|instance| instance.owner == context.caller.account);
    let message = "The specified InstanceId does not exist.";
    instance.ok_or_else(|| error(404, "InvalidInstanceId.NotFound", message))
}

/// Whether an account may spend.
fn check_money(state: &State, account: &str) -> Result<()> {
    match state
        .settings
        .money
        .get(account)
        .copied()
        .unwrap_or_default()
    {
        Money::Paid => Ok(()),
        Money::Arrears => {
            let message = "Your account has an outstanding payment.";
            Err(bad("Account.Arrearage", message))
        }
        Money::NotEnough => {
            let message = "Your account does not have enough balance.";
            Err(forbidden("InvalidAccountStatus.NotEnoughBalance", message))
        }
    }
}

/// Why a disk is locked: for itself, or because its account owes.
fn locks(state: &State, disk: &Disk) -> Vec<String> {
    let mut locks = disk.locks.clone();
    let owes = state.settings.money.get(&disk.owner) == Some(&Money::Arrears);
    if owes && !locks.iter().any(|lock| lock == "financial") {
        locks.push("financial".to_owned());
    }
    locks
}

/// Whether a disk was made by a client as flr makes them, or has all tags of one that was: one of them, or
/// some, may be on a disk of others.
fn is_ours(state: &State, disk: &Disk) -> bool {
    let prefix = &state.settings.tag_prefix;
    let has = |name: &&str| disk.tags.contains_key(&format!("{prefix}{name}"));
    let all = ["session", "op", "owner", "created", "expires"];
    let tagged = || disk.tags.keys().any(|key| key.starts_with(prefix));
    (disk.by_client && tagged()) || all.iter().all(has)
}
