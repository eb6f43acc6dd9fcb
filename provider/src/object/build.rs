//! The client of a service for one object.

use super::address::{Place, Service, is_account};
use super::fault::from_error;
use super::gate::Gate;
use super::keys::Chain;
use super::options::{ObjectCredentials, ObjectOptions};
use crate::aws::CredentialSource;
use crate::error::{Error, Result};
use crate::http;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use reqwest::Url;
use std::sync::Arc;
use std::time::Duration;

/// A client, and what is known beside it.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) gate: Gate,
    /// Where it is, for the names of kept chunks.
    pub(super) endpoint: String,
    /// Credentials that may end.
    pub(super) chain: Option<Arc<Chain>>,
}

/// Repeating is done once, by whoever knows the deadline.
fn no_retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 0,
        retry_timeout: Duration::ZERO,
    }
}

/// A client for the object's service. `region` is for S3.
pub(super) fn build(place: &Place, options: &ObjectOptions, region: &str) -> Result<Built> {
    match place.service {
        Service::S3 => s3(place, options, region),
        Service::Gcs => gcs(place, options),
        Service::Azure => azure(place, options),
    }
}

fn s3(place: &Place, options: &ObjectOptions, region: &str) -> Result<Built> {
    if !is_region(region) {
        return Err(usage(
            format!("expected a region such as eu-west-1, not {region:?}"),
            "`aws s3api get-bucket-location` tells where a bucket is",
        ));
    }
    let named = options.endpoint.clone();
    let named = named.or_else(|| variable("AWS_ENDPOINT_URL_S3"));
    let named = named.or_else(|| variable("AWS_ENDPOINT_URL"));
    let own = |host: &str| {
        let domain = match region.split('-').next() {
            Some("cn") => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        format!("https://{host}s3.{region}.{domain}")
    };
    // A certificate is good for one label before `s3`: buckets with dots stand in the path.
    let is_host = named.is_none() && is_label(&place.bucket);
    let endpoint = match &named {
        Some(endpoint) => checked(endpoint)?,
        None if is_host => checked(&own(&format!("{}.", place.bucket)))?,
        None => checked(&own(""))?,
    };
    let gate = Gate::new(&endpoint)?;
    let endpoint = text(&endpoint);
    let mut builder = AmazonS3Builder::new()
        .with_http_connector(gate.clone())
        .with_retry(no_retries())
        .with_bucket_name(&place.bucket)
        .with_region(region)
        .with_virtual_hosted_style_request(is_host)
        .with_endpoint(&endpoint);
    let mut chain = None;
    let profile = match &options.credentials {
        ObjectCredentials::Default => Some(None),
        ObjectCredentials::Profile(profile) => Some(Some(profile.clone())),
        ObjectCredentials::Anonymous => {
            builder = builder.with_skip_signature(true);
            None
        }
        ObjectCredentials::Aws(keys) => {
            builder = builder
                .with_access_key_id(&keys.id)
                .with_secret_access_key(&keys.secret);
            if let Some(token) = &keys.token {
                builder = builder.with_token(token);
            }
            None
        }
        ObjectCredentials::Azure { .. } => return Err(wrong_credentials(place)),
    };
    if let Some(profile) = profile {
        let source = CredentialSource::alone(profile, region.to_owned())?;
        let source = Arc::new(Chain::new(source));
        chain = Some(source.clone());
        builder = builder.with_credentials(source);
    }
    let store = builder.build().map_err(|error| failed(place, &error))?;
    Ok(Built {
        store: Arc::new(store),
        gate,
        endpoint,
        chain,
    })
}

fn gcs(place: &Place, options: &ObjectOptions) -> Result<Built> {
    let named = options.endpoint.as_deref();
    let endpoint = checked(named.unwrap_or("https://storage.googleapis.com"))?;
    let gate = Gate::new(&endpoint)?;
    let endpoint = text(&endpoint);
    let builder = match &options.credentials {
        ObjectCredentials::Default => GoogleCloudStorageBuilder::from_env(),
        ObjectCredentials::Anonymous => GoogleCloudStorageBuilder::new().with_skip_signature(true),
        _ => return Err(wrong_credentials(place)),
    };
    let builder = builder
        .with_http_connector(gate.clone())
        .with_retry(no_retries())
        .with_bucket_name(&place.bucket)
        .with_base_url(&endpoint);
    let store = builder.build().map_err(|error| failed(place, &error))?;
    Ok(Built {
        store: Arc::new(store),
        gate,
        endpoint,
        chain: None,
    })
}

fn azure(place: &Place, options: &ObjectOptions) -> Result<Built> {
    let builder = match &options.credentials {
        ObjectCredentials::Default => MicrosoftAzureBuilder::from_env(),
        ObjectCredentials::Anonymous => MicrosoftAzureBuilder::new().with_skip_signature(true),
        ObjectCredentials::Azure { account, key } => MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_access_key(key),
        _ => return Err(wrong_credentials(place)),
    };
    let account = match (&place.account, &options.credentials) {
        (Some((account, _)), _) | (None, ObjectCredentials::Azure { account, .. }) => {
            Some(account.clone())
        }
        _ => variable("AZURE_STORAGE_ACCOUNT_NAME").or_else(|| variable("AZURE_STORAGE_ACCOUNT")),
    };
    let Some(account) = account.filter(|account| is_account(account)) else {
        return Err(usage(
            format!("expected the account of {}", place.name()),
            "set AZURE_STORAGE_ACCOUNT_NAME, or write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/BLOB",
        ));
    };
    let own = || format!("https://{account}.blob.core.windows.net");
    let named = options.endpoint.clone();
    let named = named.or_else(|| place.account.as_ref().map(|(_, endpoint)| endpoint.clone()));
    let endpoint = checked(&named.unwrap_or_else(own))?;
    let gate = Gate::new(&endpoint)?;
    let endpoint = text(&endpoint);
    let builder = builder
        .with_http_connector(gate.clone())
        .with_retry(no_retries())
        .with_account(account)
        .with_container_name(&place.bucket)
        .with_endpoint(endpoint.clone());
    let store = builder.build().map_err(|error| failed(place, &error))?;
    Ok(Built {
        store: Arc::new(store),
        gate,
        endpoint,
        chain: None,
    })
}

/// A variable, unless it is empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// An endpoint as a URL that may be talked to.
fn checked(endpoint: &str) -> Result<Url> {
    let bad = || {
        usage(
            "expected the URL of an endpoint, without a query".to_owned(),
            "write https://HOST",
        )
    };
    let url = Url::parse(endpoint).map_err(|_| bad())?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad());
    }
    http::check_url(&url)?;
    Ok(url)
}

fn text(endpoint: &Url) -> String {
    endpoint.as_str().trim_end_matches('/').to_owned()
}

/// Whether it may be the name of a region. It becomes part of a host's name.
pub(super) fn is_region(name: &str) -> bool {
    name.len() <= 40 && is_label(name)
}

/// Whether it may be one part of a host's name.
fn is_label(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn wrong_credentials(place: &Place) -> Error {
    usage(
        format!("these credentials are of no use for {}", place.name()),
        "leave them out to use those of the provider's own tools",
    )
}

fn failed(place: &Place, error: &object_store::Error) -> Error {
    let fault = from_error(error);
    Error::Usage {
        what: format!("cannot prepare the reading of {}: {fault}", place.name()),
        hint: Some("check the credentials: variables, files, profile".to_owned()),
    }
}

fn usage(what: String, hint: &str) -> Error {
    let hint = Some(hint.to_owned());
    Error::Usage { what, hint }
}
