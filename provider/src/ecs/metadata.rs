//! What the instance that this runs on says of itself.
//!
//! A token is asked for first, which no proxy forwards. Where instances do not know tokens, or are not
//! asked to insist on them, it works without, unless `ALIBABA_CLOUD_IMDSV1_DISABLED` forbids that.

use super::credentials::{Keys, given_out};
use crate::account::metadata::{Failure, ask, client, is_place, patiently};
use crate::account::place::{endpoint, is_region};
use crate::error::{Error, Result};
use std::time::Duration;

/// Where the metadata are, unless `FLR_ECS_METADATA_ENDPOINT` says otherwise.
const ENDPOINT: &str = "http://100.100.100.200";
const TOKEN_SECONDS: &str = "21600";

/// For everything together.
const LIMIT: Duration = Duration::from_secs(10);

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// `i-…`
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// Its region.
    pub region: String,
}

/// The metadata service.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    endpoint: String,
    /// The variable that forbids asking.
    forbidden: bool,
    /// Only with a token.
    hardened: bool,
}

fn is_true(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case("true"))
}

impl Metadata {
    /// As the environment says.
    ///
    /// # Errors
    /// `FLR_ECS_METADATA_ENDPOINT` is an address that must not be used.
    pub(super) fn from_env() -> Result<Self> {
        const VARIABLE: &str = "FLR_ECS_METADATA_ENDPOINT";
        let named = std::env::var(VARIABLE).ok();
        let endpoint = match named.filter(|url| !url.is_empty()) {
            Some(url) if url.trim_end_matches('/') == ENDPOINT => ENDPOINT.to_owned(),
            Some(url) => endpoint(VARIABLE, &url, "http://127.0.0.1:8080")?,
            None => ENDPOINT.to_owned(),
        };
        Ok(Self {
            endpoint,
            forbidden: is_true("ALIBABA_CLOUD_ECS_METADATA_DISABLED"),
            hardened: is_true("ALIBABA_CLOUD_IMDSV1_DISABLED"),
        })
    }

    /// The instance that this runs on.
    ///
    /// # Errors
    /// [`Error::Refused`] if this is no instance, or its metadata are out of reach.
    pub(super) async fn here(&self) -> Result<Here> {
        let paths = ["instance-id", "zone-id", "region-id"];
        let said = self.all(&paths).await;
        let [id, zone, region] = said.map_err(|failure| nowhere(&failure.why))?;
        match is_instance_id(&id) && is_place(&zone) && is_region(&region) {
            true => Ok(Here { id, zone, region }),
            false => Err(nowhere("what its metadata say makes no sense")),
        }
    }

    /// Its region.
    ///
    /// # Errors
    /// As [`here`](Self::here).
    pub(super) async fn region(&self) -> Result<String> {
        let said = self.all(&["region-id"]).await;
        let [region] = said.map_err(|failure| nowhere(&failure.why))?;
        match is_region(&region) {
            true => Ok(region),
            false => Err(nowhere("what its metadata say makes no sense")),
        }
    }

    /// Credentials of a role; of the instance's own if none is named.
    pub(super) async fn credentials(&self, role: Option<&str>) -> Result<Keys, Failure> {
        const FOLDER: &str = "ram/security-credentials/";
        let role = match role {
            Some(role) => role.to_owned(),
            None => {
                let [role] = self.all(&[FOLDER]).await?;
                role
            }
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=64).contains(&role.len()) || !role.bytes().all(plain) {
            return Err(Failure {
                why: "the name of its role makes no sense".to_owned(),
                passes: false,
            });
        }
        let path = format!("{FOLDER}{role}");
        let [text] = self.all(&[path.as_str()]).await?;
        given_out(&text).map_err(|why| Failure {
            why: format!("credentials of the role {role}: {why}"),
            passes: false,
        })
    }

    /// What stands under each path.
    async fn all<const N: usize>(&self, paths: &[&str; N]) -> Result<[String; N], Failure> {
        let refuse = |why: &str| Failure {
            why: why.to_owned(),
            passes: false,
        };
        if self.forbidden {
            return Err(refuse("ALIBABA_CLOUD_ECS_METADATA_DISABLED is set"));
        }
        let http = client().map_err(|error| refuse(&error.to_string()))?;
        let looked = patiently(|| self.look(&http, paths));
        match tokio::time::timeout(LIMIT, looked).await {
            Ok(looked) => looked,
            Err(_) => Err(refuse("its metadata do not answer")),
        }
    }

    /// Asks once for everything.
    async fn look<const N: usize>(
        &self,
        http: &reqwest::Client,
        paths: &[&str; N],
    ) -> Result<[String; N], Failure> {
        let base = &self.endpoint;
        let request = http
            .put(format!("{base}/latest/api/token"))
            .header("X-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_SECONDS);
        let token = match ask(request).await {
            Ok(token) => Some(token),
            Err(failure) if self.hardened || failure.unreachable() => return Err(failure),
            Err(_) => None,
        };
        let mut said = [const { String::new() }; N];
        for (path, place) in paths.iter().zip(&mut said) {
            let mut request = http.get(format!("{base}/latest/meta-data/{path}"));
            if let Some(token) = &token {
                request = request.header("X-aliyun-ecs-metadata-token", token);
            }
            *place = ask(request).await.map_err(|failure| failure.of(path))?;
        }
        Ok(said)
    }
}

fn is_instance_id(text: &str) -> bool {
    let rest = text.strip_prefix("i-").unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=40).contains(&rest.len()) && rest.bytes().all(plain)
}

fn nowhere(why: &str) -> Error {
    Error::Refused {
        what: format!(
            "a temporary disk has to be attached to an ECS instance, and this is none: {why}"
        ),
        hint: Some(
            "run flr on an instance in the region of the snapshot; Alibaba Cloud has no way to read \
             a snapshot's blocks from elsewhere"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_make_no_sense_are_refused() {
        assert!(is_instance_id("i-bp67acfmxazb4p****".trim_end_matches('*')));
        for text in ["", "i-", "i-XYZ", "<html>", "i-0/../1"] {
            assert!(!is_instance_id(text), "{text}");
        }
    }
}
