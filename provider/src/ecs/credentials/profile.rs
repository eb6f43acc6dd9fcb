//! Profiles of the vendor's own command: `~/.aliyun/config.json`.

use crate::secret::Secret;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longer files are no configuration.
const BYTES_MAX: u64 = 4 << 20;

/// The file.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Profiles {
    /// The profile that counts if none is named.
    #[serde(default)]
    current: String,
    #[serde(default)]
    profiles: Vec<Profile>,
}

/// A profile. The names are those of the file.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) mode: String,
    #[serde(deserialize_with = "text")]
    pub(super) access_key_id: Option<String>,
    #[serde(deserialize_with = "hidden")]
    pub(super) access_key_secret: Option<Secret>,
    #[serde(deserialize_with = "hidden")]
    pub(super) sts_token: Option<Secret>,
    #[serde(deserialize_with = "text")]
    pub(super) sts_region: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) ram_role_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) ram_role_arn: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) ram_session_name: Option<String>,
    #[serde(deserialize_with = "hidden")]
    pub(super) external_id: Option<Secret>,
    #[serde(deserialize_with = "text")]
    pub(super) source_profile: Option<String>,
    pub(super) expired_seconds: u64,
    #[serde(deserialize_with = "text")]
    pub(super) region_id: Option<String>,
    #[serde(deserialize_with = "hidden")]
    pub(super) process_command: Option<Secret>,
    #[serde(deserialize_with = "hidden")]
    pub(super) credentials_uri: Option<Secret>,
    #[serde(deserialize_with = "text")]
    pub(super) oidc_provider_arn: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) oidc_token_file: Option<String>,
    /// Seconds since 1970 at which what a login has given out ends.
    pub(super) sts_expiration: u64,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Text; an empty one is none.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty()))
}

fn hidden<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(text(from)?.map(Secret::new))
}

/// Where the file is.
pub(super) fn path() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".aliyun/config.json"))
}

impl Profiles {
    /// Those of a file; none if there is no such file.
    ///
    /// # Errors
    /// It cannot be read, or makes no sense. No message holds any of it.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, String> {
        let wrong = |why: &str| format!("{}: {why}", path.display());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(&error.to_string())),
        };
        let mut bytes = Vec::new();
        let read = file.take(BYTES_MAX).read_to_end(&mut bytes);
        read.map_err(|error| wrong(&error.to_string()))?;
        let profiles = serde_json::from_slice(&bytes);
        profiles.map(Some).map_err(|error| {
            // What it says may quote a secret at the wrong place.
            let (line, column) = (error.line(), error.column());
            wrong(&format!(
                "it makes no sense at line {line}, column {column}"
            ))
        })
    }

    /// The profile of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// The one that counts if none is named.
    pub(super) fn current(&self) -> Option<&Profile> {
        self.named(&self.current)
    }
}

impl Profile {
    /// Whether it is as a new file has it: a name and no credentials.
    pub(super) fn is_blank(&self) -> bool {
        let static_mode = matches!(self.mode.to_ascii_lowercase().as_str(), "" | "ak");
        static_mode && self.access_key_id.is_none() && self.access_key_secret.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the command writes it.
    const FILE: &str = r#"{
	"current": "default",
	"profiles": [
		{
			"name": "default", "mode": "AK", "access_key_id": "", "access_key_secret": "",
			"sts_token": "", "ram_role_name": "", "ram_role_arn": "", "ram_session_name": "",
			"private_key": "", "key_pair_name": "", "expired_seconds": 0, "verified": "",
			"region_id": "", "output_format": "json", "language": "en", "site": "",
			"retry_timeout": 0, "connect_timeout": 0, "retry_count": 0, "process_command": ""
		},
		{
			"name": "prod", "mode": "RamRoleArn", "access_key_id": "LTAI1",
			"access_key_secret": "canary-secret", "ram_role_arn": "acs:ram::1:role/flr",
			"ram_session_name": "flr", "expired_seconds": 900, "region_id": "eu-central-1"
		}
	],
	"meta_path": ""
}"#;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own files")]
    fn profiles_read_and_hide_their_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        assert!(Profiles::read(&path).unwrap().is_none());
        std::fs::write(&path, FILE).unwrap();
        let profiles = Profiles::read(&path).unwrap().unwrap();
        assert!(profiles.current().unwrap().is_blank());
        let prod = profiles.named("prod").unwrap();
        assert!(!prod.is_blank());
        assert_eq!(prod.region_id.as_deref(), Some("eu-central-1"));
        assert_eq!(prod.expired_seconds, 900);
        assert!(profiles.named("Prod").is_none());
        let shown = format!("{profiles:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("LTAI1"),
            "{shown}"
        );
        std::fs::write(
            &path,
            r#"{"profiles":[{"expired_seconds":"canary-secret"}]}"#,
        )
        .unwrap();
        let why = Profiles::read(&path).unwrap_err();
        assert!(why.contains("line 1") && !why.contains("canary"), "{why}");
    }
}
