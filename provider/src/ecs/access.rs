//! What an account may do, found out without doing it.

use super::api::{self, Query};
use super::backup;
use super::client::{Client, Params, Service};
use crate::fault::{Fault, FaultKind};
use crate::remote::retry_calls;
use serde::Deserialize;

/// What a call was tried for, and what it came to.
pub type Look = (&'static str, Result<String, Fault>);

/// What is in the code of a service that the account has not activated. Cloud Backup documents none; these
/// are the words of other services.
const NOT_ACTIVATED: &[&str] = &["NotActivated", "NotOpen", "NotEnabled"];

/// The code of a call that would have succeeded.
const WOULD_SUCCEED: &str = "DryRunOperation";

#[derive(Debug, Deserialize)]
struct Nothing {}

/// Tries what commands need: listing snapshots, as dry runs looking at disks, and asking Cloud Backup; then
/// whether this is an instance that disks can be attached to. Makes nothing.
///
/// There is no dry run of making a disk: whether that is allowed is known once one is made.
pub async fn check_access(client: &Client) -> Vec<Look> {
    let query = Query::all().patiently();
    let count = snapshots(client, query).await;
    let count = count.map(|count| format!("{count} snapshots"));
    let disks = would_describe(client, "DescribeDisks").await;
    vec![
        ("points", count),
        ("disks", disks),
        ("cloud backup", cloud_backup(client).await),
        ("temporary disks", on_an_instance(client).await),
    ]
}

/// How many snapshots are listed.
async fn snapshots(client: &Client, query: Query) -> Result<usize, Fault> {
    let mut pages = api::snapshot_pages(client, query);
    let mut count = 0_usize;
    while let Some(page) = pages.next().await? {
        count = count.saturating_add(page.len());
    }
    Ok(count)
}

/// Whether a describing call would be answered.
async fn would_describe(client: &Client, action: &str) -> Result<String, Fault> {
    let params: Params = [("RegionId", client.region()), ("DryRun", "true")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let allowed = || Ok("they can be looked at".to_owned());
    match retry_calls(|| client.call::<Nothing>(Service::Ecs, action, &params)).await {
        Err(fault) if fault.is(WOULD_SUCCEED) => allowed(),
        Ok(Nothing {}) => allowed(),
        Err(fault) => Err(fault),
    }
}

/// Whether Cloud Backup tells which snapshots it manages, and why not.
async fn cloud_backup(client: &Client) -> Result<String, Fault> {
    let Err(mut fault) = backup::look(client).await else {
        return Ok("it tells of its points".to_owned());
    };
    let code = fault.code.as_deref().unwrap_or_default();
    let why = match fault.kind {
        _ if NOT_ACTIVATED.iter().any(|word| code.contains(word)) => {
            "it is not activated, so there are no points of it"
        }
        FaultKind::Denied => {
            "hbr:DescribeUdmSnapshots is not allowed, so its points are shown as plain snapshots              (`flr policy aliyun` prints what has to be allowed)"
        }
        _ => "it gives no answer, so its points are shown as plain snapshots",
    };
    fault.message = format!("{why}: {}", fault.message);
    Err(fault)
}

/// Whether disks of this account could be attached here.
async fn on_an_instance(client: &Client) -> Result<String, Fault> {
    let here = super::volume::suitable_instance(client).await;
    match here {
        Ok(here) => Ok(format!(
            "they would be made in {} and attached to {}; `flr policy aliyun --clone` prints what has to \
             be allowed",
            here.zone, here.id
        )),
        Err(error) => Err(Fault::new(FaultKind::Refused, error.to_string())),
    }
}
