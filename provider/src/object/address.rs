//! Addresses of objects, taken apart: `s3://BUCKET/KEY`, `gs://BUCKET/KEY`, `az://CONTAINER/BLOB`, and
//! `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/BLOB`.
//!
//! Keys are taken as they stand: a `%20` in one is three characters, as in the providers' own tools. A `?`
//! begins a version (`?versionId=…`, `?generation=…`); keys that hold one themselves are not read, since
//! what somebody pastes behind it may be a signature, and names are printed.

use crate::error::{Error, Result};
use object_store::path::Path;

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    Gcs,
    Azure,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) service: Service,
    /// The bucket or container.
    pub(super) bucket: String,
    /// The account and its address, where the address of the object names them.
    pub(super) account: Option<(String, String)>,
    /// The key.
    pub(super) path: Path,
    /// The version that the address names.
    pub(super) version: Option<String>,
}

impl Place {
    /// Takes an address apart.
    ///
    /// # Errors
    /// It is none, or names what these services do not have.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let bad = |what: &str| Error::Usage {
            what: format!("expected {what} in {}", shown(url)),
            hint: Some("write s3://BUCKET/KEY, gs://BUCKET/KEY or az://CONTAINER/BLOB".to_owned()),
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("a scheme"))?;
        let service = match scheme.to_ascii_lowercase().as_str() {
            "s3" => Service::S3,
            "gs" => Service::Gcs,
            "az" | "abfs" | "abfss" => Service::Azure,
            _ => return Err(bad("s3, gs or az")),
        };
        let (bucket, key) = rest.split_once('/').ok_or_else(|| bad("a key"))?;
        let (bucket, account) = match bucket.split_once('@') {
            Some((bucket, host)) if service == Service::Azure => {
                let account = account(host).ok_or_else(|| bad("ACCOUNT.dfs.core.windows.net"))?;
                (bucket, Some(account))
            }
            _ => (bucket, None),
        };
        if !is_bucket(bucket) {
            return Err(bad("the name of a bucket"));
        }
        let (key, version) = version(key);
        if key.contains('?') {
            return Err(bad("nothing but a version behind the key"));
        }
        // The path would drop such slashes, and with them mean another object.
        if key.is_empty() || key.starts_with('/') || key.ends_with('/') {
            return Err(bad("a key without a slash at its ends"));
        }
        let path = Path::parse(key).map_err(|_| bad("a key without empty, . or .. parts"))?;
        Ok(Self {
            service,
            bucket: bucket.to_owned(),
            account,
            path,
            version: version.map(str::to_owned),
        })
    }

    /// For people and logs.
    pub(super) fn name(&self) -> String {
        let scheme = match self.service {
            Service::S3 => "s3",
            Service::Gcs => "gs",
            Service::Azure => "az",
        };
        format!("{scheme}://{}/{}", self.bucket, self.path)
    }
}

/// What may be printed of what somebody typed: a query may hold a signature.
fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// A key, and the version behind it.
fn version(key: &str) -> (&str, Option<&str>) {
    let found = key.rsplit_once('?').and_then(|(before, query)| {
        let (name, value) = query.split_once('=')?;
        let known = ["versionid", "generation"].contains(&name.to_ascii_lowercase().as_str());
        (known && !value.is_empty()).then_some((before, value))
    });
    found.map_or((key, None), |(key, version)| (key, Some(version)))
}

/// Names of old buckets may hold more than those of today, but nothing that means something in a URL.
fn is_bucket(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.$".contains(c);
    (1..=255).contains(&name.len()) && name.chars().all(allowed) && !name.contains("..")
}

/// `ACCOUNT.dfs.SUFFIX`: the account, and where its blobs are.
fn account(host: &str) -> Option<(String, String)> {
    let (account, rest) = host.split_once('.')?;
    let (kind, suffix) = rest.split_once('.')?;
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
    };
    let fits = is_account(account) && matches!(kind, "dfs" | "blob") && is_name(suffix);
    fits.then(|| {
        let endpoint = format!("https://{account}.blob.{suffix}");
        (account.to_owned(), endpoint)
    })
}

/// Whether it may be the name of an account of Azure. It becomes part of a host's name.
pub(super) fn is_account(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=24).contains(&name.len()) && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let place = Place::parse("s3://my.bucket/a dir/disk%20.img?versionId=a.b").unwrap();
        assert_eq!(place.service, Service::S3);
        assert_eq!(place.bucket, "my.bucket");
        assert_eq!(place.path.as_ref(), "a dir/disk%20.img");
        assert_eq!(place.version.as_deref(), Some("a.b"));
        assert_eq!(place.name(), "s3://my.bucket/a dir/disk%20.img");
        let place = Place::parse("gs://b/x?generation=7").unwrap();
        assert_eq!(place.version.as_deref(), Some("7"));
        let place = Place::parse("abfss://c@acc0unt.dfs.core.windows.net/x").unwrap();
        let (account, endpoint) = place.account.unwrap();
        assert_eq!(account, "acc0unt");
        assert_eq!(endpoint, "https://acc0unt.blob.core.windows.net");
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_query() {
        for bad in [
            "s3:/b/k?s3cret",
            "ftp://b/k?s3cret",
            "s3://b?s3cret",
            "s3://b/?s3cret",
            "az://c/disk.vhd?sv=1&sig=s3cret",
            "s3://b/k?X-Amz-Signature=s3cret",
            "s3:///k?s3cret",
            "s3://b//k?s3cret",
            "s3://b/k/",
            "s3://b/a//b?s3cret",
            "s3://b/../k?s3cret",
            "s3://a@b/k?s3cret",
            "s3://a:1/k?s3cret",
            "az://c@evil/x?s3cret",
            "az://c@acc0unt.web.core.windows.net/x",
        ] {
            let error = Place::parse(bad).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{bad}");
            assert!(!format!("{error:?}").contains("s3cret"), "{bad}: {error}");
        }
    }
}
