//! IAM policies with what flr needs, and no more.
//!
//! Reading directly is always part of them. Nothing that is made or deleted lacks our tags: what makes a
//! volume has to name `flr:owner` in the same call, and only what carries it can be attached or
//! deleted. `sts:GetCallerIdentity` needs no permission.

use serde_json::{Value, json};

/// What the policy is to allow, beside reading snapshots directly.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Temporary volumes: `--access clone`.
    pub clone: bool,
    /// Snapshots of Lightsail, by their export to EBS.
    pub lightsail: bool,
    /// In this region only.
    pub region: Option<String>,
}

/// The policy.
#[must_use]
pub fn document(wanted: &Wanted) -> Value {
    let place = Place::new(wanted.region.as_deref());
    let mut statements = direct(&place);
    if wanted.clone {
        statements.extend(clone(&place));
    }
    if wanted.lightsail {
        statements.extend(lightsail(&place));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// What to know before it is put to use.
#[must_use]
pub fn notes(wanted: &Wanted) -> Vec<&'static str> {
    let mut notes = vec![
        "FlrDecrypt is for encrypted snapshots: name their keys in its Resource, or leave it out",
        "FlrReadBlocks reads snapshots that EC2's own rules may keep from a user: narrow it with a \
         condition on aws:ResourceTag if that matters",
    ];
    if wanted.clone {
        notes.push("FlrAttachHere: name the instance on which flr runs in its Resource");
        notes
            .push("FlrCloneEncrypted is for encrypted snapshots: name their keys, or leave it out");
    }
    if wanted.lightsail {
        notes.push(
            "what Lightsail exports carries no tags until FlrExportTag puts them on, so whoever has \
             this may delete any snapshot of EC2 in two steps: better in an account of its own",
        );
        notes.push("FlrLightsailRole is for the first export of an account only");
    }
    notes
}

/// Where resources are, as it stands in their names.
struct Place {
    partition: &'static str,
    region: String,
}

impl Place {
    fn new(region: Option<&str>) -> Self {
        let region = region.unwrap_or("*");
        let partition = match region {
            china if china.starts_with("cn-") => "aws-cn",
            government if government.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        Self {
            partition,
            region: region.to_owned(),
        }
    }

    /// All resources of a kind in this account.
    fn all(&self, service: &str, kind: &str) -> String {
        let Self { partition, region } = self;
        format!("arn:{partition}:{service}:{region}:*:{kind}/*")
    }

    /// All snapshots, whose names have no account.
    fn snapshots(&self) -> String {
        let Self { partition, region } = self;
        format!("arn:{partition}:ec2:{region}::snapshot/*")
    }

    /// A condition that holds in this region, beside others.
    fn here(&self, mut condition: Value) -> Value {
        if self.region != "*"
            && let Some(conditions) = condition.as_object_mut()
        {
            let equals = conditions
                .entry("StringEquals")
                .or_insert_with(|| json!({}));
            if let Some(equals) = equals.as_object_mut() {
                equals.insert("aws:RequestedRegion".into(), self.region.clone().into());
            }
        }
        condition
    }
}

/// A statement; actions come in order, conditions that say nothing are left out.
fn allow(sid: &str, actions: &[&str], resource: Value, condition: Value) -> Value {
    let mut actions = actions.to_vec();
    actions.sort_unstable();
    let mut statement = json!({
        "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource,
    });
    if condition
        .as_object()
        .is_some_and(|conditions| !conditions.is_empty())
        && let Some(fields) = statement.as_object_mut()
    {
        fields.insert("Condition".into(), condition);
    }
    statement
}

/// Ours, whoever of us has made it.
fn owned() -> Value {
    json!({"StringLike": {"aws:ResourceTag/flr:owner": "*"}})
}

fn direct(place: &Place) -> Vec<Value> {
    let inventory = [
        "ec2:DescribeImages",
        "ec2:DescribeInstances",
        "ec2:DescribeRegions",
        "ec2:DescribeSnapshots",
        "ec2:DescribeVolumes",
    ];
    let read = [
        "ebs:GetSnapshotBlock",
        "ebs:ListChangedBlocks",
        "ebs:ListSnapshotBlocks",
    ];
    let keys = json!(place.all("kms", "key"));
    vec![
        allow(
            "FlrInventory",
            &inventory,
            json!("*"),
            place.here(json!({})),
        ),
        allow("FlrReadBlocks", &read, json!(place.snapshots()), json!({})),
        allow("FlrDecrypt", &["kms:Decrypt"], keys, json!({})),
    ]
}

fn clone(place: &Place) -> Vec<Value> {
    let volumes = json!(place.all("ec2", "volume"));
    let instances = json!(place.all("ec2", "instance"));
    let keys = json!(place.all("kms", "key"));
    let attach = ["ec2:AttachVolume", "ec2:DetachVolume"];
    let of_key = [
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ];
    let tagged = json!({"StringLike": {
        "aws:RequestTag/flr:owner": "*", "aws:RequestTag/flr:session": "*",
    }});
    let at_birth = json!({"StringEquals": {"ec2:CreateAction": "CreateVolume"}});
    let renewed = json!({
        "ForAllValues:StringEquals": {"aws:TagKeys": [
            "flr:created", "flr:expires", "flr:marked", "flr:op", "flr:owner", "flr:session",
        ]},
        "StringLike": {"aws:ResourceTag/flr:owner": "*"},
    });
    let for_aws = json!({"Bool": {"kms:GrantIsForAWSResource": "true"}});
    // The same call changes what an instance runs: that is not allowed with it.
    let disks_only = json!({"StringEqualsIgnoreCase": {"ec2:Attribute": "blockDeviceMapping"}});
    let create = ["ec2:CreateVolume"];
    let tag = ["ec2:CreateTags"];
    let belt = ["ec2:ModifyInstanceAttribute"];
    vec![
        allow(
            "FlrCreateFrom",
            &create,
            json!(place.snapshots()),
            json!({}),
        ),
        allow("FlrCreate", &create, volumes.clone(), tagged),
        allow("FlrTag", &tag, volumes.clone(), at_birth),
        allow("FlrRenew", &tag, volumes.clone(), renewed),
        allow("FlrAttach", &attach, volumes.clone(), owned()),
        allow("FlrAttachHere", &attach, instances.clone(), json!({})),
        allow("FlrDeleteOnTermination", &belt, instances, disks_only),
        allow("FlrDelete", &["ec2:DeleteVolume"], volumes, owned()),
        allow("FlrCloneEncrypted", &of_key, keys.clone(), json!({})),
        allow("FlrCloneGrant", &["kms:CreateGrant"], keys, for_aws),
    ]
}

fn lightsail(place: &Place) -> Vec<Value> {
    let inventory = [
        "lightsail:GetAutoSnapshots",
        "lightsail:GetDiskSnapshots",
        "lightsail:GetExportSnapshotRecords",
        "lightsail:GetInstanceSnapshots",
        "lightsail:GetOperation",
    ];
    let copies = [
        place.all("lightsail", "InstanceSnapshot"),
        place.all("lightsail", "DiskSnapshot"),
    ];
    // Neither takes the name of a resource in all its forms; both only add.
    let export = ["lightsail:CopySnapshot", "lightsail:ExportSnapshot"];
    let delete = [
        "lightsail:DeleteDiskSnapshot",
        "lightsail:DeleteInstanceSnapshot",
    ];
    let Place { partition, region } = place;
    let images = format!("arn:{partition}:ec2:{region}::image/*");
    let exported = json!([images, place.snapshots()]);
    let end = ["ec2:DeleteSnapshot", "ec2:DeregisterImage"];
    let ours = json!({"ForAllValues:StringLike": {"aws:TagKeys": "flr:*"}});
    let role = format!(
        "arn:{partition}:iam::*:role/aws-service-role/lightsail.amazonaws.com/AWSServiceRoleForLightsail*"
    );
    let for_lightsail = json!({"StringEquals": {"iam:AWSServiceName": "lightsail.amazonaws.com"}});
    let make_role = ["iam:CreateServiceLinkedRole"];
    vec![
        allow(
            "FlrLightsailInventory",
            &inventory,
            json!("*"),
            place.here(json!({})),
        ),
        allow(
            "FlrLightsailExport",
            &export,
            json!("*"),
            place.here(json!({})),
        ),
        allow(
            "FlrLightsailTag",
            &["lightsail:TagResource"],
            json!(copies),
            json!({}),
        ),
        allow("FlrLightsailDelete", &delete, json!(copies), owned()),
        allow("FlrExportTag", &["ec2:CreateTags"], exported.clone(), ours),
        allow("FlrExportDelete", &end, exported, owned()),
        allow("FlrLightsailRole", &make_role, json!(role), for_lightsail),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> Value {
        document(&Wanted {
            clone: true,
            lightsail: true,
            region: None,
        })
    }

    fn statements(document: &Value) -> &Vec<Value> {
        document["Statement"].as_array().unwrap()
    }

    fn actions(statement: &Value) -> Vec<&str> {
        let actions = statement["Action"].as_array().unwrap();
        actions
            .iter()
            .map(|action| action.as_str().unwrap())
            .collect()
    }

    #[test]
    fn nothing_is_allowed_wholesale() {
        let document = all();
        let mut sids = BTreeSet::new();
        for statement in statements(&document) {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(
                sid.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{sid}"
            );
            assert!(sids.insert(sid), "{sid} twice");
            let actions = actions(statement);
            assert!(actions.is_sorted(), "{sid}");
            for action in &actions {
                assert!(!action.contains('*'), "{sid}: {action}");
                let (_, name) = action.split_once(':').unwrap();
                let adds = ["Describe", "Get", "List", "CopySnapshot", "ExportSnapshot"];
                let adds = adds.iter().any(|verb| name.starts_with(verb));
                let everywhere = statement["Resource"] == "*";
                assert!(adds || !everywhere, "{sid}: {action} on everything");
            }
        }
    }

    #[test]
    fn what_is_deleted_is_ours() {
        let document = all();
        for statement in statements(&document) {
            let sid = statement["Sid"].as_str().unwrap();
            for action in actions(statement) {
                if ["Delete", "Deregister"]
                    .iter()
                    .any(|verb| action.contains(verb))
                {
                    let owner = &statement["Condition"]["StringLike"]["aws:ResourceTag/flr:owner"];
                    assert_eq!(owner, "*", "{sid}: {action}");
                }
            }
        }
    }

    #[test]
    fn reading_is_all_that_is_allowed_unless_more_is_asked_for() {
        let document = document(&Wanted::default());
        for statement in statements(&document) {
            for action in actions(statement) {
                let (_, name) = action.split_once(':').unwrap();
                let reads = ["Describe", "Get", "List", "Decrypt"];
                assert!(reads.iter().any(|verb| name.starts_with(verb)), "{action}");
            }
        }
    }

    #[test]
    fn a_region_is_part_of_every_name() {
        let wanted = |region: &str| Wanted {
            clone: true,
            lightsail: true,
            region: Some(region.to_owned()),
        };
        let text = document(&wanted("cn-north-1")).to_string();
        assert!(
            text.contains("arn:aws-cn:ec2:cn-north-1::snapshot/*"),
            "{text}"
        );
        assert!(
            text.contains(r#""aws:RequestedRegion":"cn-north-1""#),
            "{text}"
        );
        assert!(!text.contains("arn:aws:"), "{text}");
        let text = document(&wanted("us-gov-west-1")).to_string();
        assert!(
            text.contains("arn:aws-us-gov:ec2:us-gov-west-1:*:volume/*"),
            "{text}"
        );
    }

    /// Asking whose credentials these are takes no permission.
    const FREE: [&str; 2] = ["GetCallerIdentity", "GetCallerIdentityResult"];

    #[test]
    fn every_call_of_this_folder_is_allowed() {
        let document = all();
        let allowed: BTreeSet<_> = statements(&document).iter().flat_map(actions).collect();
        let allowed: BTreeSet<_> = allowed.iter().filter_map(|a| a.split(':').nth(1)).collect();
        let mut folders = vec![std::path::PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/aws"
        ))];
        let mut calls = BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(path).unwrap();
                calls.extend(
                    text.split('"')
                        .filter(|word| is_call(word))
                        .map(str::to_owned),
                );
            }
        }
        assert!(calls.len() > 10, "{calls:?}");
        for call in calls.iter().filter(|call| !FREE.contains(&call.as_str())) {
            assert!(allowed.contains(call.as_str()), "{call}");
        }
    }

    /// Whether text in quotes is the name of a call, as `DescribeVolumes` is.
    fn is_call(word: &str) -> bool {
        let verbs = [
            "Attach",
            "Copy",
            "Create",
            "Delete",
            "Deregister",
            "Describe",
            "Detach",
            "Export",
            "Get",
            "List",
            "Modify",
            "Start",
            "Tag",
        ];
        let named = |verb: &str| {
            let rest = word.strip_prefix(verb).unwrap_or_default();
            rest.starts_with(|first: char| first.is_ascii_uppercase())
        };
        word.bytes().all(|byte| byte.is_ascii_alphabetic()) && verbs.into_iter().any(named)
    }
}
