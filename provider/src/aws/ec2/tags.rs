//! Tags of whatever has an id.

use super::{Done, pair, tag_params};
use crate::aws::client::Client;
use crate::fault::Fault;

/// Sets tags, and leaves all others as they are.
///
/// # Errors
/// What EC2 says.
pub async fn create_tags(
    client: &Client,
    id: &str,
    tags: &[(String, String)],
) -> Result<(), Fault> {
    let mut params = vec![pair("ResourceId.1", id)];
    params.extend(tag_params("", tags));
    let done: Done = client.ec2("CreateTags", params).await?;
    let Done {} = done;
    Ok(())
}
