//! What a snapshot is good for, and whether it can be read.

use crate::ecs::api::Snapshot;
use crate::engine::UnixTime;
use crate::grouped::Taken;
use crate::point::{Access, Consistency};
use std::collections::BTreeMap;
use std::time::Duration;

/// Tags by which the plug-in for application-consistent snapshots says what it has done. Which of the two
/// it was is known from the tag alone: what could not be kept is downgraded in silence.
const APPLICATION_TAG: &str = "APPConsistent";
const FILESYSTEM_TAG: &str = "FsConsistent";

/// So many days stand for ever.
const FOR_EVER: u64 = 65_536;
const DAY: u64 = 86_400;

/// `Category` of what lies in the archive.
fn is_archived(snapshot: &Snapshot) -> bool {
    let category = snapshot.category.as_deref().unwrap_or_default();
    category.eq_ignore_ascii_case("archive")
}

impl Snapshot {
    /// Whether its tags say what the plug-in for consistent snapshots has come to.
    #[must_use]
    pub fn says_consistency(&self) -> bool {
        let known = |key: &String| [APPLICATION_TAG, FILESYSTEM_TAG].contains(&key.as_str());
        self.tags.keys().any(known)
    }
}

impl Taken for Snapshot {
    const WHOLE: &'static str = "accomplished";

    fn id(&self) -> &str {
        &self.snapshot_id
    }

    fn time(&self) -> UnixTime {
        self.creation_time
    }

    fn volume(&self) -> Option<String> {
        self.source_disk_id.clone()
    }

    fn bytes(&self) -> u64 {
        self.source_disk_size.saturating_mul(1 << 30)
    }

    fn state(&self) -> String {
        match self.status.as_str() {
            // Its data are there; only copying them further goes on.
            "progressing" if self.available => "available".to_owned(),
            status => status.to_owned(),
        }
    }

    fn set(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// A snapshot of a disk is always one moment of it.
    fn consistency(&self) -> Consistency {
        let tagged = |key: &str| {
            let value = self.tags.get(key);
            value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
        };
        if tagged(APPLICATION_TAG) {
            Consistency::Application
        } else if tagged(FILESYSTEM_TAG) {
            Consistency::Filesystem
        } else {
            Consistency::Crash
        }
    }

    fn access(&self) -> Access {
        match self.status.as_str() {
            "accomplished" => {}
            "progressing" if self.available => {}
            "progressing" => {
                let progress = self.progress.as_deref().unwrap_or("not finished");
                return Access::None(format!("it is still being taken ({progress})"));
            }
            status => return Access::None(format!("its state is {status}")),
        }
        match is_archived(self) {
            true => Access::None(
                "it is archived, and no disk can be made of it; copy it back into the standard tier \
                 first, in the console"
                    .to_owned(),
            ),
            false => Access::Clone,
        }
    }

    fn expires(&self) -> Option<UnixTime> {
        let days = self
            .retention_days
            .filter(|days| (1..FOR_EVER).contains(days))?;
        let kept = Duration::from_secs(days.saturating_mul(DAY));
        Some(self.creation_time.plus(kept))
    }

    fn name(&self) -> Option<String> {
        let said = self
            .snapshot_name
            .clone()
            .or_else(|| self.description.clone());
        said.filter(|text| !text.trim().is_empty())
    }

    fn account(&self) -> Option<String> {
        None
    }

    fn tier(&self) -> Option<String> {
        let category = self.category.as_deref()?;
        Some(category.to_ascii_lowercase())
    }

    fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(fields: &str) -> Snapshot {
        let json = format!(
            r#"{{"SnapshotId":"s-1","SourceDiskSize":"20","CreationTime":"2026-11-18T03:00:00Z",{fields}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn states_and_what_can_be_read() {
        for (fields, state, readable) in [
            (r#""Status":"accomplished""#, "accomplished", true),
            (
                r#""Status":"progressing","Available":true"#,
                "available",
                true,
            ),
            (
                r#""Status":"progressing","Available":false"#,
                "progressing",
                false,
            ),
            (r#""Status":"failed""#, "failed", false),
            (
                r#""Status":"accomplished","Category":"Archive""#,
                "accomplished",
                false,
            ),
        ] {
            let snapshot = snapshot(fields);
            assert_eq!(snapshot.state(), state);
            assert_eq!(snapshot.access() == Access::Clone, readable, "{fields}");
        }
        let fields = r#""Status":"progressing","Progress":"42%""#;
        let Access::None(why) = snapshot(fields).access() else {
            panic!("it can be read")
        };
        assert!(why.contains("42%"), "{why}");
    }

    #[test]
    fn what_tags_say_of_consistency() {
        for (tag, consistency) in [
            ("APPConsistent", Consistency::Application),
            ("FsConsistent", Consistency::Filesystem),
            ("other", Consistency::Crash),
        ] {
            let fields = format!(
                r#""Status":"accomplished","Tags":{{"Tag":[{{"TagKey":"{tag}","TagValue":"True"}}]}}"#
            );
            assert_eq!(snapshot(&fields).consistency(), consistency);
        }
        let no = r#""Status":"accomplished","Tags":{"Tag":[{"TagKey":"APPConsistent","TagValue":"False"}]}"#;
        assert_eq!(snapshot(no).consistency(), Consistency::Crash);
    }

    #[test]
    fn days_count_from_the_making() {
        let days = |days: &str| {
            let fields = format!(r#""Status":"accomplished","RetentionDays":{days}"#);
            snapshot(&fields).expires().map(|time| time.to_string())
        };
        assert_eq!(days("7").as_deref(), Some("2026-11-25T03:00:00Z"));
        assert_eq!(days("\"1\"").as_deref(), Some("2026-11-19T03:00:00Z"));
        assert_eq!(days("0"), None);
        assert_eq!(days("null"), None);
        assert_eq!(days("65536"), None);
    }
}
