//! Signed calls to Alibaba Cloud, in the style that it calls RPC: an action, its parameters in the query.

use super::credentials::CredentialSource;
pub use super::credentials::Keys;
use super::endpoint::Endpoints;
use super::fault as faults;
use super::metadata::Metadata;
use super::wire::{Call, Wire};
use crate::account::ClientSettings;
use crate::account::answer::{read_body, senseless};
use crate::account::clock::ProviderClock;
use crate::account::place::is_region;
use crate::engine::UnixTime;
use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use crate::http::fault::from_error;
use crate::remote::block_on;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Longest answer: a page of 500 disks with their tags is far below.
const ANSWER_MAX: usize = 16 << 20;

/// Longest explanation of an error that is read.
const ERROR_MAX: usize = 64 << 10;

/// For a call and its whole answer, however slowly that trickles in. Whoever asks has more time than
/// this, and asks again.
const ANSWER_LIMIT: Duration = Duration::from_secs(14);

/// A service of Alibaba Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Elastic Compute Service.
    Ecs,
    /// Whose credentials these are.
    Sts,
    /// Cloud Backup.
    Hbr,
}

impl Service {
    /// Its name in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Sts => "sts",
            Self::Hbr => "hbr",
        }
    }

    /// The version of its interface.
    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::Ecs => "2014-05-26",
            Self::Sts => "2015-04-01",
            Self::Hbr => "2017-09-08",
        }
    }
}

/// Parameters of a call: `Tag.1.Key`.
pub type Params = Vec<(String, String)>;

/// An account's view of one region. Clones are the same client.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    region: Arc<str>,
}

/// What all regions have in common.
#[derive(Debug)]
struct Shared {
    settings: ClientSettings,
    credentials: CredentialSource,
    metadata: Metadata,
    clock: ProviderClock,
    wire: Wire,
}

impl Client {
    /// A client with the credentials that every tool of Alibaba Cloud would use. They are asked for by
    /// the first call.
    ///
    /// Blocks for some seconds if only the machine's metadata may know the region; not from within a
    /// future.
    ///
    /// # Errors
    /// There is no region, or an endpoint that must not be used.
    pub fn new(settings: &ClientSettings) -> crate::Result<Self> {
        Self::build(settings, None)
    }

    /// A client with these credentials and no others.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_keys(settings: &ClientSettings, keys: Keys) -> crate::Result<Self> {
        Self::build(settings, Some(keys))
    }

    fn build(settings: &ClientSettings, keys: Option<Keys>) -> crate::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoints = Endpoints::new(settings, variable)?;
        let metadata = Metadata::from_env()?;
        let wire = Wire::new(endpoints)?;
        let credentials = CredentialSource::new(settings, keys, metadata.clone(), wire.clone())?;
        let region = settings.region.clone().filter(|region| !region.is_empty());
        let region = region
            .or_else(|| variable("ALIBABA_CLOUD_REGION_ID"))
            .or_else(|| variable("ALIBABACLOUD_REGION_ID"))
            .or_else(|| credentials.region().map(str::to_owned));
        let region = match region {
            Some(region) => region,
            None => block_on(metadata.region()).map_err(|_| no_region())?,
        };
        if !is_region(&region) {
            return Err(Error::Usage {
                what: format!("expected a region such as eu-central-1, not {region:?}"),
                hint: Some("`aliyun ecs DescribeRegions` lists them".to_owned()),
            });
        }
        Ok(Self {
            shared: Arc::new(Shared {
                settings: settings.clone(),
                credentials,
                metadata,
                clock: ProviderClock::default(),
                wire,
            }),
            region: region.into(),
        })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// What it was made with. The region in use is [`region`](Self::region).
    #[must_use]
    pub fn settings(&self) -> &ClientSettings {
        &self.shared.settings
    }

    /// The metadata of this machine.
    pub(super) fn metadata(&self) -> &Metadata {
        &self.shared.metadata
    }

    /// One signed call, not repeated; its parameters are in the query. An answer that is no success is
    /// a fault, sorted by its code.
    ///
    /// # Errors
    /// What the provider said, or that it said nothing; an answer that makes no sense has an unknown
    /// outcome.
    pub async fn call<T: DeserializeOwned>(
        &self,
        service: Service,
        action: &str,
        query: &Params,
    ) -> Result<T, Fault> {
        self.call_with_form(service, action, query, &Params::new())
            .await
    }

    /// The same with parameters that this service wants in the body.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_with_form<T: DeserializeOwned>(
        &self,
        service: Service,
        action: &str,
        query: &Params,
        form: &Params,
    ) -> Result<T, Fault> {
        let credentials = &self.shared.credentials;
        let keys = credentials
            .get(self.shared.clock.now(), &self.region)
            .await?;
        let call = Call {
            service,
            action,
            query,
            form,
        };
        let exchange = self.exchange(call, &keys);
        let body = match tokio::time::timeout(ANSWER_LIMIT, exchange).await {
            Ok(answer) => answer?,
            Err(_) => {
                let words = format!("no whole answer within {ANSWER_LIMIT:?}");
                return Err(Fault::new(FaultKind::Unknown, words));
            }
        };
        if service == Service::Hbr {
            refusal_within(&body, &keys.secrets())?;
        }
        serde_json::from_slice(&body).map_err(|error| senseless(action, &error.to_string()))
    }

    /// Sends a call and reads what it is answered with.
    async fn exchange(&self, call: Call<'_>, keys: &Keys) -> Result<Bytes, Fault> {
        let clock = &self.shared.clock;
        let wire = &self.shared.wire;
        let request = wire.request(call, &self.region, Some(keys), clock.now())?;
        let sent = request.send().await.map_err(from_error)?;
        let status = sent.status().as_u16();
        clock.heard(sent.headers());
        if sent.status().is_success() {
            return read_body(sent, ANSWER_MAX).await;
        }
        let headers = sent.headers().clone();
        let explained = read_body(sent, ERROR_MAX).await;
        let is_whole = explained.is_ok();
        let body = explained.unwrap_or_else(|_| Bytes::new());
        let mut fault = faults::fault(status, &body, &keys.secrets());
        if !is_whole && fault.kind == FaultKind::Refused {
            // What got lost may have been that it is throttled, or gone.
            fault.kind = FaultKind::Unknown;
        }
        fault.retry_after = faults::retry_after(&headers);
        let code = fault.code.as_deref().unwrap_or_default();
        if faults::is_signature(code) && clock.correct(&headers) {
            fault.kind = FaultKind::Expired;
            fault.message = format!("the clock of this machine is wrong: {}", fault.message);
        } else if fault.kind == FaultKind::Expired {
            self.shared.credentials.forget(keys).await;
        }
        Err(fault)
    }

    /// The account of the credentials in use now, asked of STS.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn account(&self) -> Result<String, Fault> {
        const ACTION: &str = "GetCallerIdentity";
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "AccountId", deserialize_with = "super::fields::word")]
            account: String,
        }
        let none = Params::new();
        let Answer { account } = self.call(Service::Sts, ACTION, &none).await?;
        let digits = account.chars().all(|c| c.is_ascii_digit());
        if digits && (1..=20).contains(&account.len()) {
            Ok(account)
        } else {
            Err(senseless(ACTION, "the account is no number"))
        }
    }

    /// The provider's time, from its last answer.
    #[must_use]
    pub fn time(&self) -> Option<UnixTime> {
        self.shared.clock.provider()
    }
}

/// Cloud Backup refuses with a status of success: `{"Success": false, "Code": "…"}`.
fn refusal_within(body: &[u8], secrets: &[&str]) -> Result<(), Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Head {
        success: Option<bool>,
    }
    let head = serde_json::from_slice::<Head>(body).ok();
    match head.and_then(|head| head.success) {
        Some(false) => {
            let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
            let mut fault = faults::of_value(200, &value, secrets);
            // It has answered, and will say the same again, unless the code says otherwise.
            if fault
                .code
                .as_deref()
                .is_some_and(|code| !faults::is_known(code))
            {
                fault.kind = FaultKind::Refused;
            }
            Err(fault)
        }
        _ => Ok(()),
    }
}

fn no_region() -> Error {
    Error::Usage {
        what: "there is no region for Alibaba Cloud".to_owned(),
        hint: Some(
            "name it with --region, set ALIBABA_CLOUD_REGION_ID, or run `aliyun configure`"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_cloud_backup_is_one() {
        refusal_within(br#"{"Success":true,"Code":"200"}"#, &[]).unwrap();
        refusal_within(br#"{"Snapshots":[]}"#, &[]).unwrap();
        let body = br#"{"Success":false,"Code":"NoPermission","Message":"not yours"}"#;
        let fault = refusal_within(body, &[]).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied);
        assert_eq!(fault.message, "not yours (NoPermission)");
        let kind = |code: &str| {
            let body = format!(r#"{{"Success":false,"Code":"{code}"}}"#);
            refusal_within(body.as_bytes(), &[]).unwrap_err().kind
        };
        assert_eq!(kind("ServiceNotActivated"), FaultKind::Refused);
        assert_eq!(kind("InternalError"), FaultKind::Unknown);
        assert_eq!(kind("Throttling.User"), FaultKind::Throttled);
    }
}
