//! RAM policies with what flr needs, and no more.
//!
//! Nothing that is made or deleted lacks our tags: what makes a disk has to name `flr:owner` in the same
//! call, and only what carries it can be attached or deleted. `sts:GetCallerIdentity` needs no permission.

use serde_json::{Value, json};

/// What the policy is to allow, beside looking at points.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Temporary disks, without which nothing can be read.
    pub clone: bool,
    /// Snapshots that are taken when they are asked for.
    pub snapshot: bool,
    /// In this region only.
    pub region: Option<String>,
}

/// The policy.
#[must_use]
pub fn document(wanted: &Wanted) -> Value {
    let region = wanted.region.as_deref().unwrap_or("*");
    let mut statements = vec![inventory(region), backups()];
    if wanted.clone {
        statements.extend(clone(region));
    }
    if wanted.snapshot {
        statements.extend(snapshot(region));
    }
    json!({"Version": "1", "Statement": statements})
}

/// What to know before it is put to use.
#[must_use]
pub fn notes(wanted: &Wanted) -> Vec<&'static str> {
    let mut notes = match wanted.clone {
        true => vec![
            "the statement with AttachDisk on instances: name the instance on which flr runs in its \
             Resource",
            "disks of encrypted snapshots are made with the snapshot's key, which KMS has to allow",
        ],
        false => vec![
            "this shows points and reads nothing: snapshots of Alibaba Cloud are read through temporary \
             disks, which --clone allows",
        ],
    };
    if wanted.snapshot {
        notes.extend([
            "whoever may RunCommand on an instance may do anything in it: name the instances in that \
             statement's Resource, or leave it out where nothing has to hold still (--app-consistent)",
            "for --app-consistent the role of the instance needs ecs:DescribeDisks, ecs:DescribeSnapshot*, \
             ecs:CreateSnapshot* and ecs:TagResources",
        ]);
    }
    notes
}

/// All resources of a kind.
fn all(region: &str, kind: &str) -> String {
    format!("acs:ecs:{region}:*:{kind}/*")
}

/// A statement; actions come in order, a condition that says nothing is left out.
fn allow(actions: &[&str], resource: Value, condition: Value) -> Value {
    let mut actions = actions.to_vec();
    actions.sort_unstable();
    let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    if !condition.is_null()
        && let Some(fields) = statement.as_object_mut()
    {
        fields.insert("Condition".into(), condition);
    }
    statement
}

fn inventory(region: &str) -> Value {
    let actions = [
        "ecs:DescribeDisks",
        "ecs:DescribeImages",
        "ecs:DescribeInstances",
        "ecs:DescribeRegions",
        "ecs:DescribeSnapshotGroups",
        "ecs:DescribeSnapshots",
    ];
    // Regions are no resource of one region.
    let resource = match region {
        "*" => json!("*"),
        region => json!([format!("acs:ecs:{region}:*:*"), "acs:ecs:*:*:*"]),
    };
    allow(&actions, resource, Value::Null)
}

fn clone(region: &str) -> Vec<Value> {
    let disks = json!(all(region, "disk"));
    let attach = ["ecs:AttachDisk", "ecs:DetachDisk"];
    let tagged = json!({"StringLike": {
        "acs:RequestTag/flr:owner": "*", "acs:RequestTag/flr:session": "*",
    }});
    // Ours, whoever of us has made it.
    let owned = json!({"StringLike": {"acs:ResourceTag/flr:owner": "*"}});
    let snapshots = json!(all(region, "snapshot"));
    let instances = json!(all(region, "instance"));
    let end = ["ecs:DeleteDisk", "ecs:TagResources"];
    vec![
        allow(&["ecs:CreateDisk"], snapshots, Value::Null),
        allow(
            &["ecs:CreateDisk", "ecs:TagResources"],
            disks.clone(),
            tagged,
        ),
        allow(&attach, disks.clone(), owned.clone()),
        allow(&attach, instances, Value::Null),
        allow(&end, disks, owned),
    ]
}

/// When points of Cloud Backup end, and whether it manages a snapshot. It knows no resources.
fn backups() -> Value {
    allow(&["hbr:DescribeUdmSnapshots"], json!("*"), Value::Null)
}

fn snapshot(region: &str) -> Vec<Value> {
    let taken = ["disk", "instance", "snapshot", "snapshotgroup"].map(|kind| all(region, kind));
    let run = ["instance", "command"].map(|kind| all(region, kind));
    let look = [
        "ecs:DescribeInstanceRamRole",
        "ecs:DescribeInvocationResults",
    ];
    vec![
        allow(&["ecs:CreateSnapshotGroup"], json!(taken), Value::Null),
        allow(&["ecs:RunCommand"], json!(run), Value::Null),
        allow(&look, json!("*"), Value::Null),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

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

    fn wanted(clone: bool, region: Option<&str>) -> Value {
        document(&Wanted {
            clone,
            snapshot: false,
            region: region.map(str::to_owned),
        })
    }

    fn everything() -> Value {
        document(&Wanted {
            clone: true,
            snapshot: true,
            region: None,
        })
    }

    #[test]
    fn nothing_is_allowed_wholesale() {
        let document = everything();
        assert_eq!(document["Version"], "1");
        for statement in statements(&document) {
            let actions = actions(statement);
            assert!(actions.is_sorted(), "{statement}");
            for action in actions {
                let (_, name) = action.split_once(':').unwrap();
                assert!(!name.contains('*'), "{action}");
                let reads = name.starts_with("Describe");
                assert!(reads || statement["Resource"] != "*", "{action}");
            }
        }
    }

    #[test]
    fn what_is_deleted_or_tagged_is_ours() {
        let document = wanted(true, None);
        for statement in statements(&document) {
            let like = &statement["Condition"]["StringLike"];
            for action in actions(statement) {
                if action == "ecs:DeleteDisk" {
                    assert_eq!(like["acs:ResourceTag/flr:owner"], "*");
                }
                if action == "ecs:TagResources" {
                    let ours = like["acs:ResourceTag/flr:owner"] == "*"
                        || like["acs:RequestTag/flr:owner"] == "*";
                    assert!(ours, "{statement}");
                }
            }
        }
        let text = document.to_string();
        for never in ["DeleteSnapshot", "ResetDisk", "CreateSnapshot", "\"ecs:*\""] {
            assert!(!text.contains(never), "{never}");
        }
    }

    #[test]
    fn reading_is_all_that_is_allowed_unless_more_is_asked_for() {
        for statement in statements(&wanted(false, Some("cn-hangzhou"))) {
            for action in actions(statement) {
                assert!(action.contains(":Describe"), "{action}");
            }
        }
        let text = wanted(true, Some("cn-hangzhou")).to_string();
        assert!(text.contains("acs:ecs:cn-hangzhou:*:disk/*"), "{text}");
    }

    /// Asking whose credentials these are, and for a role's, takes no permission of this policy.
    const FREE: [&str; 3] = ["GetCallerIdentity", "AssumeRole", "AssumeRoleWithOIDC"];

    #[test]
    fn every_call_of_this_folder_is_allowed() {
        let document = everything();
        let allowed: BTreeSet<_> = statements(&document).iter().flat_map(actions).collect();
        let mut folders = vec![std::path::PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/ecs"
        ))];
        let mut calls = BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if path.ends_with("policy.rs") {
                    continue;
                }
                let text = std::fs::read_to_string(path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
                calls.extend(
                    text.split('"')
                        .filter(|word| is_call(word))
                        .map(str::to_owned),
                );
            }
        }
        assert!(calls.len() >= 11, "{calls:?}");
        for call in calls.iter().filter(|call| !FREE.contains(&call.as_str())) {
            let actions = ["ecs", "hbr"].map(|service| format!("{service}:{call}"));
            let is_allowed = actions
                .iter()
                .any(|action| allowed.contains(action.as_str()));
            assert!(is_allowed, "{call}");
        }
    }

    /// Whether text in quotes is the name of a call, as `DescribeDisks` is.
    fn is_call(word: &str) -> bool {
        let verbs = [
            "Assume", "Attach", "Copy", "Create", "Delete", "Describe", "Detach", "Get", "List",
            "Modify", "Reset", "Run", "Tag",
        ];
        let named = |verb: &str| {
            let rest = word.strip_prefix(verb).unwrap_or_default();
            rest.starts_with(|first: char| first.is_ascii_uppercase())
        };
        // What parameters and fields are called begins alike.
        let is_field = [
            "CreationTime",
            "DeleteWithInstance",
            "RunBatScript",
            "RunShellScript",
            "TagKey",
            "TagValue",
        ];
        word.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !is_field.contains(&word)
            && verbs.into_iter().any(named)
    }
}
