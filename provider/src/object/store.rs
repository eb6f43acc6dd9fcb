//! An object as chunks.

use super::address::{Place, Service};
use super::build::{Built, build, is_region, variable};
use super::fault::from_error;
use super::options::ObjectOptions;
use crate::engine::BoxFuture;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::http::repeat::repeat;
use crate::http::store::{CHUNK_LEN, COALESCE_MAX, EVEN, digest_name};
use crate::remote::even::all_present;
use crate::remote::{ChunkRun, ChunkStore, block_on};
use bytes::Bytes;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// Where a bucket is looked for that nobody says more about; it answers with where it is.
const FIRST_REGION: &str = "us-east-1";

/// An object of S3, GCS or Azure. It stays at the version that was opened: another one is an error.
#[derive(Debug)]
pub struct ObjectStoreImage {
    built: Built,
    place: Place,
    name: String,
    size: u64,
    /// None: it may change.
    tag: Option<String>,
    cache_name: Option<String>,
}

impl ObjectStoreImage {
    /// Opens an object: one request, or two if its bucket is in another region than was thought; each
    /// repeated twice if the service is busy, within 30 seconds. Blocks; not from within a future.
    ///
    /// # Errors
    /// The address makes no sense; there is no such object, or it may not be read; it is empty or
    /// archived; the service names no version of it (accepted with [`ObjectOptions::live`]).
    pub fn open(url: &str, options: &ObjectOptions) -> Result<Arc<Self>> {
        let place = Place::parse(url)?;
        let name = place.name();
        let region = options.region.clone();
        let region = region.or_else(|| variable("AWS_REGION"));
        let region = region.or_else(|| variable("AWS_DEFAULT_REGION"));
        let is_sure = options.region.is_some() || place.service != Service::S3;
        let mut region = region.unwrap_or_else(|| FIRST_REGION.to_owned());
        let mut built = build(&place, options, &region)?;
        let mut first = first(&built, &place);
        if first.is_err()
            && !is_sure
            && let Some(other) = built.gate.region()
            && other != region
            && is_region(other)
        {
            other.clone_into(&mut region);
            built = build(&place, options, &region)?;
            first = self::first(&built, &place);
        }
        let meta = first.map_err(|fault| error(&built, &region, &name, fault))?;
        let tag = match meta.e_tag {
            _ if options.live => None,
            Some(tag) => Some(tag),
            None => return Err(unpinned(&name)),
        };
        let cache_name = tag
            .as_ref()
            .map(|tag| cache_name(&built.endpoint, &place, tag, meta.size));
        Ok(Arc::new(Self {
            built,
            place,
            name,
            size: meta.size,
            tag,
            cache_name,
        }))
    }

    async fn get(&self, bytes: Range<u64>) -> Result<Bytes, Fault> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(bytes.clone())),
            if_match: self.tag.clone(),
            version: self.place.version.clone(),
            ..GetOptions::default()
        };
        let result = self.built.store.get_opts(&self.place.path, options).await;
        let result = result.map_err(|error| from_error(&error))?;
        let changed = |what: &str| {
            let message = format!("it has changed since it was opened: {what}");
            Fault::new(FaultKind::Refused, message)
        };
        if self.tag.is_some() {
            if result.meta.e_tag != self.tag {
                return Err(changed("the answer is of another version"));
            }
            if result.meta.size != self.size {
                return Err(changed("it has another length"));
            }
        }
        let is_range = result.range == bytes;
        let got = result.bytes().await.map_err(|error| from_error(&error))?;
        let len = bytes.end.saturating_sub(bytes.start);
        if !is_range || u64::try_from(got.len()) != Ok(len) {
            let message = format!("expected {len} bytes, but {} came", got.len());
            return Err(Fault::new(FaultKind::Unknown, message));
        }
        Ok(got)
    }
}

impl ChunkStore for ObjectStoreImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn chunk_len(&self) -> NonZeroU32 {
        CHUNK_LEN
    }

    fn coalesce_max(&self) -> NonZeroU32 {
        COALESCE_MAX
    }

    fn map(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Vec<ChunkRun>, Fault>> {
        Box::pin(std::future::ready(Ok(all_present(chunks))))
    }

    fn fetch(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Bytes, Fault>> {
        Box::pin(async move {
            let got = self.get(EVEN.bytes_of(&chunks, self.size)?).await;
            if let (Err(fault), Some(chain)) = (&got, &self.built.chain)
                && fault.kind == FaultKind::Expired
            {
                chain.forget().await;
            }
            got
        })
    }

    fn cache_names(&self, chunk: u64) -> BoxFuture<'_, Vec<String>> {
        let names = self.cache_name.iter().map(|name| format!("{name}-{chunk}"));
        Box::pin(std::future::ready(names.collect()))
    }
}

/// What the service says of an object, with its first byte.
fn first(built: &Built, place: &Place) -> Result<ObjectMeta, Fault> {
    let ask = async || {
        let options = GetOptions {
            range: Some(GetRange::Bounded(0..1)),
            version: place.version.clone(),
            ..GetOptions::default()
        };
        let result = built.store.get_opts(&place.path, options).await;
        let meta = result.map_err(|error| from_error(&error))?.meta;
        if i64::try_from(meta.size).is_err() {
            let message = format!("expected fewer than 2^63 bytes, but it says {}", meta.size);
            return Err(Fault::new(FaultKind::Refused, message));
        }
        Ok(meta)
    };
    block_on(repeat(ask))
}

/// A name for the chunks of one version of an object: a hash, since keys are long.
fn cache_name(endpoint: &str, place: &Place, tag: &str, size: u64) -> String {
    let mut hash = Sha256::new();
    let version = place.version.as_deref().unwrap_or_default();
    let size = size.to_string();
    for part in [
        endpoint,
        &place.bucket,
        place.path.as_ref(),
        version,
        tag,
        &size,
    ] {
        hash.update([part.as_bytes(), b"\0"].concat());
    }
    digest_name("object", &hash.finalize())
}

fn unpinned(name: &str) -> Error {
    Error::Refused {
        what: format!(
            "refused to open {name}: the service names no version of it, so a change would not be seen"
        ),
        hint: Some("accept an image that may move with --live".to_owned()),
    }
}

fn error(built: &Built, region: &str, name: &str, mut fault: Fault) -> Error {
    if fault.is("InvalidRange") {
        fault.message = "it is empty".to_owned();
    }
    let hint = match (fault.kind, built.gate.region()) {
        (FaultKind::NotFound, _) => {
            return Error::NoSuch {
                what: format!("cannot open {name}: {fault}"),
                hint: Some("check bucket, key and account; names are case-sensitive".to_owned()),
            };
        }
        (_, Some(other)) if other != region && is_region(other) => {
            Some(format!("the bucket is in {other}: give that region"))
        }
        (FaultKind::Denied, _) => Some(
            "check profile and keys, and the right to read the object (for S3: s3:GetObject)"
                .to_owned(),
        ),
        (FaultKind::Expired, _) => Some("log in again".to_owned()),
        _ if fault.is("InvalidObjectState") || fault.is("BlobArchived") => {
            Some("it is archived: restore it with the provider's own tools first".to_owned())
        }
        _ if fault.is("RequestTimeTooSkewed") => Some("set this machine's clock".to_owned()),
        _ => None,
    };
    let doing = format!("open {name}");
    Error::Remote { doing, fault, hint }
}
