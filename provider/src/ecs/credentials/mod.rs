//! As whom: the credentials that every tool of Alibaba Cloud would use.
//!
//! | module | |
//! |---|---|
//! | `keys` | an access key, and answers that give one out |
//! | `profile` | `~/.aliyun/config.json` |
//! | `modes` | how a profile comes to an access key |
//!
//! Who comes first: keys that were given, a profile that was chosen by name, `ALIBABA_CLOUD_ACCESS_KEY_ID`,
//! `ALIBABA_CLOUD_PROFILE`, a token of an identity provider that the environment names, the current profile
//! of the file, `ALIBABA_CLOUD_CREDENTIALS_URI`, the role of this instance.

mod keys;
mod modes;
mod profile;

pub use keys::Keys;
pub(super) use keys::given_out;

use self::profile::{Profile, Profiles};
use super::metadata::Metadata;
use super::wire::Wire;
use crate::account::{ClientSettings, NO_CREDENTIALS};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Credentials that end so soon are asked for anew: a call must not outlive them.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// For all sources together. A program of the user may ask them for a code.
const ASK_TIMEOUT: Duration = Duration::from_secs(60);

/// Credentials, asked for when they are needed, and kept until they end.
pub(super) struct CredentialSource {
    whence: Whence,
    region: Option<String>,
    metadata: Metadata,
    wire: Wire,
    held: Mutex<Option<Keys>>,
}

/// Who gives them out.
#[derive(Debug)]
enum Whence {
    /// Nobody is asked.
    Given(Keys),
    /// The variables.
    Environment,
    /// A profile, which is read anew each time.
    Profile(String),
    /// A token of an identity provider.
    Oidc,
    /// A server of credentials.
    Uri,
    /// The role of this instance.
    Instance,
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSource").finish_non_exhaustive()
    }
}

/// What asking for credentials takes.
#[derive(Clone, Copy, Debug)]
struct Asking<'a> {
    wire: &'a Wire,
    metadata: &'a Metadata,
    /// Whose STS is asked.
    region: &'a str,
    now: SystemTime,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

/// The profile of the variables for tokens of identity providers, if they name one.
fn oidc() -> Option<Profile> {
    Some(Profile {
        name: "of the environment".to_owned(),
        mode: "OIDC".to_owned(),
        ram_role_arn: Some(variable("ALIBABA_CLOUD_ROLE_ARN")?),
        oidc_provider_arn: Some(variable("ALIBABA_CLOUD_OIDC_PROVIDER_ARN")?),
        oidc_token_file: Some(variable("ALIBABA_CLOUD_OIDC_TOKEN_FILE")?),
        ram_session_name: variable("ALIBABA_CLOUD_ROLE_SESSION_NAME"),
        ..Profile::default()
    })
}

/// The profiles there are; an error in words.
fn profiles() -> Result<Option<Profiles>, String> {
    match profile::path() {
        Some(path) => Profiles::read(&path),
        None => Ok(None),
    }
}

impl CredentialSource {
    /// Credentials of a profile, or of whatever the environment says.
    ///
    /// # Errors
    /// There is no such profile, or the file of profiles cannot be read.
    pub(super) fn new(
        settings: &ClientSettings,
        keys: Option<Keys>,
        metadata: Metadata,
        wire: Wire,
    ) -> Result<Self> {
        let usage = |what: String| Error::Usage {
            what,
            hint: Some("`aliyun configure list` shows what there is".to_owned()),
        };
        let named = settings.profile.clone().filter(|name| !name.is_empty());
        let in_environment = variable("ALIBABA_CLOUD_ACCESS_KEY_ID").is_some();
        // Keys in the environment count for more than its profile.
        let chosen = named.clone().or_else(|| {
            let by_variable = variable("ALIBABA_CLOUD_PROFILE");
            by_variable.filter(|_| !in_environment)
        });
        let profiles = match (&keys, &chosen) {
            (None, Some(_)) => profiles().map_err(usage)?,
            // What is not asked for may be as it is.
            _ => profiles().unwrap_or_default(),
        };
        let profiles = profiles.unwrap_or_default();
        let current = profiles.current().filter(|profile| !profile.is_blank());
        let whence = match (keys, &chosen) {
            (Some(keys), _) => Whence::Given(keys),
            (None, Some(name)) if profiles.named(name).is_some() => Whence::Profile(name.clone()),
            (None, Some(name)) => {
                return Err(usage(format!(
                    "there is no profile {name} in ~/.aliyun/config.json"
                )));
            }
            (None, None) if in_environment => Whence::Environment,
            (None, None) if oidc().is_some() => Whence::Oidc,
            (None, None) => match current {
                Some(profile) => Whence::Profile(profile.name.clone()),
                None if variable(URI).is_some() => Whence::Uri,
                None => Whence::Instance,
            },
        };
        let of = match &chosen {
            Some(name) => profiles.named(name),
            None => profiles.current(),
        };
        let region = of.and_then(|profile| profile.region_id.clone());
        Ok(Self {
            whence,
            region,
            metadata,
            wire,
            held: Mutex::default(),
        })
    }

    /// The region that the profile says.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Credentials that are good at `now`.
    ///
    /// # Errors
    /// There are none, or whoever gives them out refuses or cannot be reached.
    pub(super) async fn get(&self, now: SystemTime, region: &str) -> Result<Keys, Fault> {
        let mut held = self.held.lock().await;
        let left = |keys: &Keys| match keys.expires {
            None => Duration::MAX,
            Some(end) => {
                let now = now.duration_since(SystemTime::UNIX_EPOCH);
                Duration::from_secs(end.0.saturating_sub(now.unwrap_or_default().as_secs()))
            }
        };
        if let Some(keys) = held.as_ref().filter(|keys| left(keys) > RENEW_BEFORE) {
            return Ok(keys.clone());
        }
        let asking = Asking {
            wire: &self.wire,
            metadata: &self.metadata,
            region,
            now,
        };
        let asked = timeout(ASK_TIMEOUT, self.ask(asking))
            .await
            .unwrap_or_else(|_| {
                let words = "whoever gives out credentials of Alibaba Cloud does not answer";
                Err(Fault::new(FaultKind::Unknown, words))
            });
        match asked {
            Ok(fresh) => {
                *held = Some(fresh.clone());
                Ok(fresh)
            }
            // What has not ended yet is still good.
            Err(fault) => match held.as_ref().filter(|keys| !left(keys).is_zero()) {
                Some(keys) => Ok(keys.clone()),
                None => Err(fault),
            },
        }
    }

    /// Forgets credentials that the provider says have ended.
    pub(super) async fn forget(&self, ended: &Keys) {
        let mut held = self.held.lock().await;
        if held.as_ref() == Some(ended) {
            *held = None;
        }
    }

    async fn ask(&self, asking: Asking<'_>) -> Result<Keys, Fault> {
        match &self.whence {
            Whence::Given(keys) => Ok(keys.clone()),
            Whence::Environment => environment(),
            Whence::Profile(name) => {
                let profiles = profiles().map_err(|why| none(&why))?.unwrap_or_default();
                let profile = profiles.named(name);
                let profile = profile.ok_or_else(|| none(&format!("profile {name} is gone")))?;
                modes::of_profile(asking, &profiles, profile).await
            }
            Whence::Oidc => {
                let profile = oidc().ok_or_else(|| none("the variables are gone"))?;
                modes::oidc(asking, &profile).await
            }
            Whence::Uri => {
                let uri = variable(URI).unwrap_or_default();
                modes::from_uri(asking, &uri).await
            }
            Whence::Instance => {
                let role = variable("ALIBABA_CLOUD_ECS_METADATA");
                let asked = self.metadata.credentials(role.as_deref()).await;
                asked.map_err(|failure| {
                    none(&format!(
                        "neither environment, files nor this machine hold any: {}",
                        failure.why
                    ))
                })
            }
        }
    }
}

/// What the variables hold.
fn environment() -> Result<Keys, Fault> {
    let id = variable("ALIBABA_CLOUD_ACCESS_KEY_ID");
    let secret = variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Keys::new(
            id,
            secret,
            variable("ALIBABA_CLOUD_SECURITY_TOKEN"),
        )),
        _ => Err(none(
            "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET belong together",
        )),
    }
}

fn none(why: &str) -> Fault {
    let words = format!("there are no credentials for Alibaba Cloud ({why})");
    Fault::new(FaultKind::Denied, words).with_code(NO_CREDENTIALS)
}
