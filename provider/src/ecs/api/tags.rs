//! Tags of what is there already.

use super::{Done, in_region, pair, tag_params};
use crate::ecs::client::{Client, Service};
use crate::fault::Fault;

/// Sets tags of a disk; others stay.
///
/// # Errors
/// As [`Client::call`].
pub async fn tag_disk(client: &Client, id: &str, tags: &[(String, String)]) -> Result<(), Fault> {
    let mut params = in_region(client);
    params.push(pair("ResourceType", "disk"));
    params.push(pair("ResourceId.1", id));
    params.extend(tag_params(tags));
    let Done {} = client.call(Service::Ecs, "TagResources", &params).await?;
    Ok(())
}
