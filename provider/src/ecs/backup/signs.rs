//! By what a snapshot of Cloud Backup is known where Cloud Backup cannot be asked.
//!
//! ECS has no field that says so. Names, descriptions and tags that Cloud Backup sets hold its name, of
//! today or of former times; whoever gives a snapshot of his own such a name is asked once more.

use crate::ecs::api::Snapshot;

/// Names of the service, in lower case and without what may stand between their words.
const NAMES: &[&str] = &["cloudbackup", "hybridbackup", "云备份", "混合云备份"];

/// Its short name, which counts only as a word of its own.
const SHORT: &str = "hbr";

/// What in a snapshot has the name of Cloud Backup in it; nothing if it has no sign.
pub(super) fn sign(snapshot: &Snapshot) -> Option<String> {
    let named = |what: &str, text: &str| is_named(text).then(|| format!("{what} {text:?}"));
    let tags = snapshot.tags.iter().flat_map(|tag| [tag.0, tag.1]);
    let tag = tags.map(|text| named("the tag", text));
    let of = |what: &str, text: &Option<String>| named(what, text.as_deref().unwrap_or_default());
    let others = [
        of("the name", &snapshot.snapshot_name),
        of("the description", &snapshot.description),
        of("the type", &snapshot.snapshot_type),
    ];
    others.into_iter().chain(tag).flatten().next()
}

fn is_named(text: &str) -> bool {
    let lower = text.to_lowercase();
    let squeezed: String = lower.chars().filter(|it| it.is_alphanumeric()).collect();
    let mut words = lower.split(|it: char| !it.is_alphanumeric());
    NAMES.iter().any(|name| squeezed.contains(name)) || words.any(|word| word == SHORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(fields: &str) -> Snapshot {
        let json = format!(
            r#"{{"SnapshotId":"s-1","SourceDiskSize":"20","Status":"accomplished",
                "CreationTime":"2026-11-18T03:00:00Z",{fields}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_name_of_the_service_in_any_field_is_a_sign() {
        for fields in [
            r#""SnapshotName":"HBR_i-bp1_20261118""#,
            r#""SnapshotName":"hbr-plan""#,
            r#""Description":"Created by Cloud Backup""#,
            r#""Description":"由云备份创建""#,
            r#""SnapshotType":"hbr""#,
            r#""Tags":{"Tag":[{"TagKey":"acs:hbr:policy","TagValue":"x"}]}"#,
            r#""Tags":{"Tag":[{"TagKey":"by","TagValue":"cloud-backup"}]}"#,
            r#""Tags":{"Tag":[{"TagKey":"HybridBackupRecovery","TagValue":""}]}"#,
        ] {
            assert!(sign(&snapshot(fields)).is_some(), "{fields}");
        }
        for fields in [
            r#""SnapshotName":"before the upgrade""#,
            r#""SnapshotName":"ahbreak""#,
            r#""Description":"backup of the cloud server""#,
            r#""SnapshotType":"user""#,
            r#""Tags":{"Tag":[{"TagKey":"hbrx","TagValue":"1"}]}"#,
        ] {
            assert_eq!(sign(&snapshot(fields)), None, "{fields}");
        }
    }
}
