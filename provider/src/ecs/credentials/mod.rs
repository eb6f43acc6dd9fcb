//! As whom: the credentials that every tool of Alibaba Cloud would use.
//!
//! | module | |
//! |---|---|
//! | `keys` | an access key, and answers that give one out |

mod keys;

pub use keys::Keys;
pub(super) use keys::given_out;

use super::client::Http;
use super::metadata::Metadata;
use crate::account::ClientSettings;
use crate::error::Result;
use crate::fault::{Fault, FaultKind};
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Credentials that end so soon are asked for anew: a call must not outlive them.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// For all sources together. A program of the user may ask them for a code.
const ASK_TIMEOUT: Duration = Duration::from_secs(60);

/// The code of the fault that there are no credentials.
pub const NO_CREDENTIALS: &str = "NoCredentials";

/// Credentials, asked for when they are needed, and kept until they end.
pub(super) struct CredentialSource {
    whence: Whence,
    metadata: Metadata,
    http: Http,
    held: Mutex<Option<Keys>>,
}

/// Who gives them out.
#[derive(Debug)]
enum Whence {
    /// Nobody is asked.
    Given(Keys),
    /// The variables, read anew each time.
    Environment,
    /// The role of this instance.
    Instance,
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSource").finish_non_exhaustive()
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl CredentialSource {
    /// Credentials of a profile, or of whatever the environment says.
    pub(super) fn new(
        _settings: &ClientSettings,
        keys: Option<Keys>,
        metadata: Metadata,
        http: Http,
    ) -> Result<Self> {
        let whence = match keys {
            Some(keys) => Whence::Given(keys),
            None if variable("ALIBABA_CLOUD_ACCESS_KEY_ID").is_some() => Whence::Environment,
            None => Whence::Instance,
        };
        Ok(Self {
            whence,
            metadata,
            http,
            held: Mutex::default(),
        })
    }

    /// The region that the profile says.
    pub(super) fn region(&self) -> Option<&str> {
        None
    }

    /// Credentials that are good at `now`.
    ///
    /// # Errors
    /// There are none, or whoever gives them out refuses or cannot be reached.
    pub(super) async fn get(&self, now: SystemTime) -> Result<Keys, Fault> {
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
        let asked = timeout(ASK_TIMEOUT, self.ask()).await.unwrap_or_else(|_| {
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

    async fn ask(&self) -> Result<Keys, Fault> {
        match &self.whence {
            Whence::Given(keys) => Ok(keys.clone()),
            Whence::Environment => environment(),
            Whence::Instance => {
                let asked = self.metadata.credentials(None).await;
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
