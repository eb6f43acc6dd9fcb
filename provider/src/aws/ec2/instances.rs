//! Instances, and the volumes that they have.

use super::fields::{flag, items, state_name, tags, text, word, zone};
use super::pages::{self, Page};
use super::{Done, Query, pair};
use crate::aws::client::Client;
use crate::fault::Fault;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub instance_id: String,
    /// `pending`, `running`, `shutting-down`, `terminated`, `stopping`, `stopped`.
    #[serde(rename = "instanceState", deserialize_with = "state_name")]
    pub state: String,
    /// Where it is.
    #[serde(default, rename = "placement", deserialize_with = "zone")]
    pub availability_zone: Option<String>,
    /// What it was started from.
    #[serde(default, deserialize_with = "text")]
    pub image_id: Option<String>,
    /// The device that it boots from: `/dev/xvda`.
    #[serde(default, deserialize_with = "text")]
    pub root_device_name: Option<String>,
    /// `windows`, or nothing.
    #[serde(default, deserialize_with = "text")]
    pub platform: Option<String>,
    /// `m7g.large`.
    #[serde(default, deserialize_with = "text")]
    pub instance_type: Option<String>,
    /// Its volumes, in the order in which EC2 names them.
    #[serde(default = "Vec::new", deserialize_with = "items")]
    pub block_device_mapping: Vec<BlockDevice>,
    /// Tags.
    #[serde(default, deserialize_with = "tags")]
    pub tag_set: BTreeMap<String, String>,
}

/// A volume of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockDevice {
    /// The name that it was attached by.
    #[serde(default, deserialize_with = "text")]
    pub device_name: Option<String>,
    /// What it is, if it is a volume.
    #[serde(default)]
    pub ebs: Option<EbsDevice>,
}

/// The volume behind a device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EbsDevice {
    /// Its id.
    #[serde(default, deserialize_with = "text")]
    pub volume_id: Option<String>,
    /// `attaching`, `attached`, `detaching`, `detached`.
    #[serde(default, deserialize_with = "text")]
    pub status: Option<String>,
    /// Whether it goes with the instance.
    #[serde(default, deserialize_with = "flag")]
    pub delete_on_termination: bool,
}

/// Instances that were started together.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reservation {
    #[serde(default = "Vec::new", deserialize_with = "items")]
    instances_set: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    reservation_set: Vec<Reservation>,
    #[serde(default, deserialize_with = "text")]
    next_token: Option<String>,
}

impl Page for Answer {
    type Item = Instance;

    fn split(self) -> (Vec<Instance>, Option<String>) {
        let reservations = self.reservation_set.into_iter();
        let instances = reservations.flat_map(|reservation| reservation.instances_set);
        (instances.collect(), self.next_token)
    }
}

/// Instances of this account, those that ended lately too.
///
/// # Errors
/// What EC2 says, or an answer that makes no sense.
pub async fn describe_instances(client: &Client, query: &Query) -> Result<Vec<Instance>, Fault> {
    let params = query.params("InstanceId");
    let by_id = !query.ids.is_empty();
    pages::all::<Answer>(client, "DescribeInstances", params, by_id).await
}

/// Makes the volume that an instance has as `device` go with the instance.
///
/// # Errors
/// What EC2 says.
pub async fn delete_on_termination(
    client: &Client,
    instance_id: &str,
    device: &str,
) -> Result<(), Fault> {
    let params = vec![
        pair("InstanceId", instance_id),
        pair("BlockDeviceMapping.1.DeviceName", device),
        pair("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true"),
    ];
    let done: Done = client.ec2("ModifyInstanceAttribute", params).await?;
    let Done {} = done;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_emulator() {
        let xml = r#"<?xml version="1.0" encoding="utf-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><reservationSet><item><reservationId>r-2470a471b635486ef</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet><item><architecture>x86_64</architecture><blockDeviceMapping><item><deviceName>/dev/sda1</deviceName><ebs><attachTime>2026-11-28T13:43:14.000Z</attachTime><deleteOnTermination>true</deleteOnTermination><status>attached</status><volumeId>vol-42d6d93db1bdb2eea</volumeId></ebs></item><item><deviceName>/dev/xvdba</deviceName><ebs><status>attached</status><volumeId>vol-75fba878e26ec8c54</volumeId></ebs></item></blockDeviceMapping><groupSet/><rootDeviceName>/dev/sda1</rootDeviceName><groupSet/><stateReason><code/><message/></stateReason><instanceId>i-192d5c088d67e4f67</instanceId><imageId>ami-03cf127a</imageId><instanceState><code>16</code><name>running</name></instanceState><reason/><instanceType>m1.small</instanceType><placement><groupName/><tenancy>default</tenancy><availabilityZone>us-east-1a</availabilityZone></placement><platform>windows</platform></item></instancesSet></item></reservationSet><requestId>request-id</requestId></DescribeInstancesResponse>"#;
        let answer: Answer = quick_xml::de::from_str(xml).unwrap();
        let (instances, next) = answer.split();
        assert_eq!((instances.len(), next), (1, None));
        let instance = &instances[0];
        assert_eq!(instance.state, "running");
        assert_eq!(instance.availability_zone.as_deref(), Some("us-east-1a"));
        let devices = instance.block_device_mapping.iter();
        let volumes: Vec<_> = devices
            .filter_map(|device| device.ebs.as_ref()?.volume_id.as_deref())
            .collect();
        assert_eq!(volumes, ["vol-42d6d93db1bdb2eea", "vol-75fba878e26ec8c54"]);
        let first = instance.block_device_mapping[0].ebs.as_ref().unwrap();
        assert!(first.delete_on_termination);
    }
}
