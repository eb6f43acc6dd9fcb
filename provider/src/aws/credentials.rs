//! As whom: the credentials that every AWS tool would use.

use super::http_adapter::Adapter;
use crate::account::text::tame;
use crate::fault::{Fault, FaultKind};
use crate::http::fault::reasons;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Credentials that end so soon are asked for anew: a call must not outlive them.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// For all sources together. A program of the user may ask them for a code.
const ASK_TIMEOUT: Duration = Duration::from_secs(60);

/// For the region, which only files and the machine's metadata may hold.
const REGION_TIMEOUT: Duration = Duration::from_secs(10);

pub use crate::account::NO_CREDENTIALS;

/// Credentials that somebody already has.
#[derive(Clone)]
pub struct Keys {
    /// `AKIA…`, or `ASIA…` with a token.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// The token of a session.
    pub token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Credentials, asked for when they are needed, and kept until they end.
pub(crate) struct CredentialSource {
    /// Not asked for, and kept for ever.
    given: Option<Credentials>,
    profile: Option<String>,
    region: String,
    http: Adapter,
    state: Mutex<State>,
}

/// What is known so far.
#[derive(Default)]
struct State {
    chain: Option<SharedCredentialsProvider>,
    held: Option<Credentials>,
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSource")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl CredentialSource {
    /// Credentials of a profile, or of whatever the environment says.
    pub(super) fn new(profile: Option<String>, region: String, http: Adapter) -> Self {
        Self {
            given: None,
            profile,
            region,
            http,
            state: Mutex::default(),
        }
    }

    /// The same, but for these. Nothing else is asked.
    pub(crate) fn with_keys(self, keys: Keys) -> Self {
        let given = Credentials::new(keys.id, keys.secret, keys.token, None, "given");
        Self {
            given: Some(given),
            ..self
        }
    }

    /// The same for a service that is not called through a [`Client`](super::Client).
    ///
    /// # Errors
    /// TLS cannot be prepared.
    pub(crate) fn alone(profile: Option<String>, region: String) -> crate::Result<Self> {
        let metadata = std::env::var("AWS_EC2_METADATA_SERVICE_ENDPOINT").ok();
        let http = crate::account::answer::http_client("https://amazonaws.com")?;
        let http = Adapter::new(http, metadata.as_deref())?;
        Ok(Self::new(profile, region, http))
    }

    /// Credentials that are good at `now`.
    ///
    /// # Errors
    /// There are none, or whoever gives them out refuses or cannot be reached.
    pub(crate) async fn get(&self, now: SystemTime) -> Result<Credentials, Fault> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let mut state = self.state.lock().await;
        let left = |held: &Credentials| match held.expiry() {
            None => Duration::MAX,
            Some(end) => end.duration_since(now).unwrap_or_default(),
        };
        if let Some(held) = state.held.as_ref().filter(|held| left(held) > RENEW_BEFORE) {
            return Ok(held.clone());
        }
        let asked = timeout(ASK_TIMEOUT, self.ask(&mut state)).await;
        let asked = asked.unwrap_or_else(|_| {
            let words = "whoever gives out AWS credentials does not answer";
            Err(Fault::new(FaultKind::Unknown, words))
        });
        match asked {
            Ok(fresh) => {
                state.held = Some(fresh.clone());
                Ok(fresh)
            }
            // What has not ended yet is still good.
            Err(fault) => match state.held.as_ref().filter(|held| !left(held).is_zero()) {
                Some(held) => Ok(held.clone()),
                None => Err(fault),
            },
        }
    }

    async fn ask(&self, state: &mut State) -> Result<Credentials, Fault> {
        let chain = match &state.chain {
            Some(chain) => chain.clone(),
            None => {
                let chain = self.chain().await?;
                state.chain = Some(chain.clone());
                chain
            }
        };
        let asked = chain.provide_credentials().await;
        asked.map_err(|error| self.fault(&error))
    }

    /// Whoever gives out credentials: the profile that was chosen and nobody else, or everybody in turn.
    async fn chain(&self) -> Result<SharedCredentialsProvider, Fault> {
        let region = Some(Region::new(self.region.clone()));
        let Some(profile) = &self.profile else {
            let config = load(&self.http, None, region).await;
            let chain = config.credentials_provider();
            return chain.ok_or_else(|| none("there is no source of them"));
        };
        let config = ProviderConfig::without_region()
            .with_region(region)
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_http_client(self.http.clone());
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&config)
            .profile_name(profile.clone())
            .build();
        Ok(SharedCredentialsProvider::new(provider))
    }

    /// Forgets credentials that the provider says have ended, and with them what was read from files.
    pub(crate) async fn forget(&self, ended: &Credentials) {
        let mut state = self.state.lock().await;
        let same = |held: &Credentials| {
            held.access_key_id() == ended.access_key_id()
                && held.session_token() == ended.session_token()
        };
        if state.held.as_ref().is_some_and(same) {
            *state = State::default();
        }
    }

    fn fault(&self, error: &CredentialsError) -> Fault {
        let why = tame(&reasons(error), &[]);
        match (error, &self.profile) {
            (CredentialsError::CredentialsNotLoaded(_), None) => {
                none("neither environment, files nor this machine hold any")
            }
            (CredentialsError::CredentialsNotLoaded(_), Some(profile)) => {
                none(&format!("profile {profile}: {why}"))
            }
            (CredentialsError::ProviderTimedOut(_), _) => Fault::new(FaultKind::Unknown, why),
            _ => none(&why),
        }
    }
}

fn none(why: &str) -> Fault {
    let words = format!("there are no credentials for AWS ({why})");
    Fault::new(FaultKind::Denied, words).with_code(NO_CREDENTIALS)
}

/// The region that profile or machine say.
pub(super) async fn region(http: &Adapter, profile: Option<&str>) -> Option<String> {
    let config = timeout(REGION_TIMEOUT, load(http, profile, None))
        .await
        .ok()?;
    config.region().map(|region| region.as_ref().to_owned())
}

async fn load(http: &Adapter, profile: Option<&str>, region: Option<Region>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(region);
    }
    loader.load().await
}
