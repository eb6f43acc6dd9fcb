//! The role of an instance, with whose permissions the plug-in takes snapshots.

use crate::ecs::client::{Client, Service};
use crate::ecs::fields::{Named, items, text, word};
use crate::fault::Fault;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleOf {
    #[serde(deserialize_with = "word")]
    instance_id: String,
    #[serde(default, deserialize_with = "text")]
    ram_role_name: Option<String>,
}

impl Named for RoleOf {
    const NAME: &'static str = "InstanceRamRoleSet";
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    instance_ram_role_sets: Vec<RoleOf>,
}

/// The name of an instance's role, if it has one.
pub(super) async fn role(client: &Client, instance: &str) -> Result<Option<String>, Fault> {
    let ids = serde_json::Value::from(vec![instance]).to_string();
    let params = vec![
        ("RegionId".to_owned(), client.region().to_owned()),
        ("InstanceIds".to_owned(), ids),
    ];
    let answer: Answer = client
        .call(Service::Ecs, "DescribeInstanceRamRole", &params)
        .await?;
    let mut roles = answer.instance_ram_role_sets.into_iter();
    let found = roles.find(|role| role.instance_id == instance);
    Ok(found.and_then(|role| role.ram_role_name))
}
