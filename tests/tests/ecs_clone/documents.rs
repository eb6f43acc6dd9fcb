//! The examples of the vendor's documentation, read as answers.
//!
//! Source: Alibaba Cloud, ECS API reference, "Sample success responses" of DescribeSnapshots,
//! DescribeDisks, DescribeInstances and DescribeSnapshotGroups.

use flr_provider::ecs::api::{
    Query, describe_disks, describe_instances, describe_snapshot_groups, describe_snapshots,
};
use flr_provider::ecs::{Client, ClientSettings, EcsCatalog, Keys};
use flr_provider::point::{Access, Catalog};
use flr_provider::remote::block_on;
use flr_tests::ecs_fake::{Config, Fake};

const SNAPSHOTS: &str = r#"{
  "TotalCount": 1, "RequestId": "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E", "PageSize": 10,
  "NextToken": "", "PageNumber": 1,
  "Snapshots": {"Snapshot": [{
    "Status": "accomplished", "InstantAccess": false, "Progress": "100%", "Usage": "image",
    "Description": "testDescription", "Category": "standard",
    "KMSKeyId": "0e478b7a-4262-4802-b8cb-00d3fb40****", "ProductCode": "jxsc000****",
    "Encrypted": false, "SnapshotName": "testSnapshotName",
    "SourceDiskId": "d-bp67acfmxazb4ph****", "SourceStorageType": "disk",
    "SnapshotId": "s-bp67acfmxazb4p****", "SnapshotSN": "64472-116742336-61976****",
    "SourceDiskSize": 40, "CreationTime": "2020-08-20T14:52:28Z",
    "LastModifiedTime": "2020-08-25T14:18:09Z", "SnapshotType": "all",
    "SourceDiskType": "system", "Tags": {"Tag": []}
  }]}
}"#;

const DISKS: &str = r#"{
  "TotalCount": 15, "NextToken": "", "PageSize": 1,
  "RequestId": "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E", "PageNumber": 1,
  "Disks": {"Disk": [{
    "DetachedTime": "", "Category": "cloud_ssd", "Description": "testDescription", "KMSKeyId": "",
    "ResourceGroupId": "", "DedicatedBlockStorageClusterId": "", "Encrypted": false, "Size": 40,
    "DeleteAutoSnapshot": false, "DiskChargeType": "PrePaid", "MultiAttach": "Disabled",
    "Attachments": {"Attachment": [{
      "AttachedTime": "2021-06-07T06:08:56Z", "InstanceId": "i-bp67acfmxazb4q****",
      "Device": "/dev/xvda"
    }]},
    "ExpiredTime": "2021-07-07T16:00Z", "ImageId": "m-bp13aqm171qynt3u***", "StorageSetId": "",
    "Tags": {"Tag": []}, "Status": "In_use", "AttachedTime": "2021-06-07T06:08:56Z",
    "ZoneId": "cn-hangzhou-i", "InstanceId": "i-bp67acfmxazb4q****", "SourceSnapshotId": "",
    "ProductCode": "", "PerformanceLevel": "PL0", "Device": "/dev/xvda",
    "DeleteWithInstance": true, "EnableAutomatedSnapshotPolicy": false,
    "EnableAutoSnapshot": false, "AutoSnapshotPolicyId": "sp-bp67acfmxazb4p****",
    "DiskName": "testDiskName", "OperationLocks": {"OperationLock": []}, "BdfId": "",
    "Portable": false, "Type": "system", "SerialNumber": "bp18um4r4f2fve2****",
    "CreationTime": "2021-06-07T06:08:54Z", "RegionId": "cn-hangzhou",
    "DiskId": "d-bp18um4r4f2fve24****"
  }]}
}"#;

const INSTANCES: &str = r#"{
  "Instances": {"Instance": [{
    "ResourceGroupId": "rg-bp67acfmxazb4p****", "Memory": 16384, "InstanceChargeType": "PostPaid",
    "Cpu": 8, "InstanceNetworkType": "vpc", "InnerIpAddress": {"IpAddress": []},
    "ExpiredTime": "2017-12-10T04:04Z", "ImageId": "m-bp67acfmxazb4p****",
    "HostName": "testHostName",
    "Tags": {"Tag": [{"TagKey": "TestKey", "TagValue": "TestValue"}]},
    "Status": "Running", "InstanceId": "i-bp67acfmxazb4p****",
    "StartTime": "2017-12-10T04:04Z", "InstanceName": "InstanceNameTest",
    "SerialNumber": "51d1353b-22bf-4567-a176-8b3e12e4****", "OSType": "linux",
    "CreationTime": "2017-12-10T04:04Z", "SpotPriceLimit": 0.98, "ZoneId": "cn-hangzhou-g",
    "OperationLocks": {"LockReason": []}, "RegionId": "cn-hangzhou", "CreditSpecification": ""
  }]},
  "TotalCount": 1, "RequestId": "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E", "PageSize": 10,
  "PageNumber": 1, "NextToken": ""
}"#;

const GROUPS: &str = r#"{
  "RequestId": "3F9A4CC4-362F-469A-B9EF-B3204EF8AA3A", "NextToken": "",
  "SnapshotGroups": {"SnapshotGroup": [{
    "Status": "accomplished", "Description": "This is description.",
    "InstanceId": "i-j6ca469urv8ei629****", "CreationTime": "2021-03-23T10:58:48Z",
    "SnapshotGroupId": "ssg-j6ciyh3k52qp7ovm****",
    "Snapshots": {"Snapshot": [
      {"SnapshotId": "s-j6cbzmrlbf09w72q****", "InstantAccess": true, "Progress": "100%",
       "SourceDiskType": "system", "InstantAccessRetentionDays": 3,
       "SourceDiskId": "d-j6c3ogynmvpi6wy7****"},
      {"SnapshotId": "s-j6cdofbycydvg7ey****", "InstantAccess": true, "Progress": "100%",
       "SourceDiskType": "data", "InstantAccessRetentionDays": 3,
       "SourceDiskId": "d-j6cf7l0ewidb78lq****"}
    ]},
    "Name": "testName"
  }]}
}"#;

/// A client whose every call is answered with a document.
fn answered(document: &'static str) -> (Fake, Client) {
    let fake = Fake::start(Config::default());
    fake.set_change(move |_, answer| {
        // The identifiers of the documentation end in stars, which no identifier does.
        answer.body = document.replace("****", "000000").into_bytes();
        answer.status = 200;
    });
    let key = fake.config().keys[0].clone();
    let settings = ClientSettings {
        region: Some("cn-hangzhou".to_owned()),
        endpoint_url: Some(fake.url()),
        ..ClientSettings::default()
    };
    let client = Client::with_keys(&settings, Keys::new(key.id, key.secret, None));
    (fake, client.expect("a client"))
}

#[test]
fn snapshots_of_the_documentation_are_points() {
    let (_fake, client) = answered(SNAPSHOTS);
    let found = block_on(describe_snapshots(&client, &Query::all())).expect("snapshots");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].source_disk_size, 40);
    let catalog = EcsCatalog::with_client(client);
    let points = catalog.points("s-bp67acfmxazb4p000000").expect("points");
    assert_eq!(points.len(), 1);
    let point = &points[0];
    assert_eq!(point.id, "s-bp67acfmxazb4p000000");
    assert_eq!(point.object, "d-bp67acfmxazb4ph000000");
    assert_eq!(point.name.as_deref(), Some("testSnapshotName"));
    assert_eq!(point.time.to_string(), "2020-08-20T14:52:28Z");
    assert_eq!(point.size, 40 << 30);
    assert_eq!(point.state, "accomplished");
    assert_eq!(point.access, Access::Clone);
    assert!(!point.encrypted && point.expires.is_none());
}

#[test]
fn disks_of_the_documentation_are_read() {
    let (_fake, client) = answered(DISKS);
    let found = block_on(describe_disks(&client, &Query::all())).expect("disks");
    let [disk] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(disk.status, "In_use");
    assert_eq!(disk.serial_number.as_deref(), Some("bp18um4r4f2fve2000000"));
    assert_eq!(disk.instance_id.as_deref(), Some("i-bp67acfmxazb4q000000"));
    assert_eq!(disk.kind.as_deref(), Some("system"));
    assert_eq!((disk.size, disk.delete_with_instance), (40, true));
    assert_eq!(disk.source_snapshot_id, None);
    assert!(disk.locks.is_empty() && disk.tags.is_empty());
}

#[test]
fn instances_and_sets_of_the_documentation_are_read() {
    let (_fake, client) = answered(INSTANCES);
    let found = block_on(describe_instances(&client, &Query::all())).expect("instances");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].instance_name.as_deref(), Some("InstanceNameTest"));
    assert_eq!(found[0].tags["TestKey"], "TestValue");
    let (_fake, client) = answered(GROUPS);
    let found = block_on(describe_snapshot_groups(&client, &Query::all())).expect("sets");
    assert_eq!(found.len(), 1);
    let ids: Vec<_> = found[0]
        .snapshots
        .iter()
        .map(|one| &one.snapshot_id)
        .collect();
    assert_eq!(
        ids,
        ["s-j6cbzmrlbf09w72q000000", "s-j6cdofbycydvg7ey000000"]
    );
    assert_eq!(
        found[0].instance_id.as_deref(),
        Some("i-j6ca469urv8ei629000000")
    );
}

#[test]
fn an_answer_without_its_list_is_no_empty_list() {
    let (_fake, client) = answered(r#"{"RequestId": "x"}"#);
    let fault = block_on(describe_snapshots(&client, &Query::all())).expect_err("no list");
    assert!(fault.message.contains("makes no sense"), "{fault}");
}
