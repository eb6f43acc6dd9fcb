//! An image behind a URL as chunks.

use super::client::{client, shown};
use super::open;
use super::options::HttpOptions;
use super::pin::Pin;
use super::range::Remote;
use crate::engine::BoxFuture;
use crate::error::Result;
use crate::fault::Fault;
use crate::remote::even::{Even, all_present};
use crate::remote::{ChunkRun, ChunkStore, block_on};
use bytes::Bytes;
use reqwest::Url;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// What 100 Mbit/s deliver while a request of 50 ms is on its way: less would make a scattered read no
/// faster, more would make it slower.
pub const CHUNK_LEN: NonZeroU32 = NonZeroU32::new(512 << 10).unwrap();

/// 4 MiB in one request: sequential reading is then bound by the line, not by its latency.
pub const COALESCE_MAX: NonZeroU32 = NonZeroU32::new(8).unwrap();

/// How an image behind a URL is divided.
pub(crate) const EVEN: Even = Even {
    chunk_len: CHUNK_LEN,
    coalesce_max: COALESCE_MAX,
};

/// An image behind a URL. It stays at the version that was opened: another one is an error.
///
/// HTTP has no checksums of ranges. Against bits that turn over on the way TLS is the protection, and
/// plain HTTP is for loopback only.
pub struct HttpStore {
    remote: Remote,
    name: String,
    pin: Pin,
    size: u64,
    /// Under which its chunks may be kept, if versions have names.
    cache_name: Option<String>,
}

impl HttpStore {
    /// Opens an image: one request, repeated twice if the server is busy, within 30 seconds. Blocks; not
    /// from within a future.
    ///
    /// # Errors
    /// The URL may not be talked to; there is nothing, or nothing that may be read; the server knows no
    /// ranges, leads elsewhere, or names no version (accepted with [`HttpOptions::live`]).
    pub fn open(url: &str, options: &HttpOptions) -> Result<Arc<Self>> {
        let url = open::parse(url)?;
        let mut remote = Remote {
            client: client(&url)?,
            url,
            authorization: options.authorization.clone(),
        };
        let name = shown(&remote.url);
        let opened = block_on(open::open(&remote, options))?;
        remote.url = opened.url;
        let cache_name = opened
            .pin
            .version()
            .map(|version| cache_name(&remote.url, version, opened.size));
        Ok(Arc::new(Self {
            remote,
            name,
            pin: opened.pin,
            size: opened.size,
            cache_name,
        }))
    }
}

impl fmt::Debug for HttpStore {
    /// Without the query of its URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStore")
            .field("name", &self.name)
            .field("pin", &self.pin)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl ChunkStore for HttpStore {
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
            let bytes = EVEN.bytes_of(&chunks, self.size)?;
            let last = bytes.end.saturating_sub(1);
            let total = (self.pin != Pin::Any).then_some(self.size);
            self.remote
                .get(&(bytes.start..=last), &self.pin, total)
                .await
        })
    }

    fn cache_names(&self, chunk: u64) -> BoxFuture<'_, Vec<String>> {
        let names = self.cache_name.iter().map(|name| format!("{name}-{chunk}"));
        Box::pin(std::future::ready(names.collect()))
    }
}

/// A name for the chunks of one version: a hash, since there may be secrets in a URL.
fn cache_name(url: &Url, version: &[u8], size: u64) -> String {
    // What signs a URL differs every time, and selects nothing.
    let kept = url.query_pairs().filter(|(key, _)| !is_signature(key));
    let mut unsigned = url.clone();
    unsigned.set_query(None);
    let mut hash = Sha256::new();
    hash.update(unsigned.as_str().as_bytes());
    for (key, value) in kept {
        // Zero bytes keep the parts apart.
        hash.update([b"\0", key.as_bytes(), b"\0", value.as_bytes()].concat());
    }
    hash.update([b"\0\0", version, b"\0", size.to_string().as_bytes()].concat());
    digest_name("http", &hash.finalize())
}

/// `PREFIX-HEX`.
pub(crate) fn digest_name(prefix: &str, digest: &[u8]) -> String {
    let mut name = format!("{prefix}-");
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Parameters of signed URLs of Amazon, and of those who sign as they do.
fn is_signature(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.starts_with("x-amz-") || key.starts_with("x-goog-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_chunks_are_of_one_object_and_version() {
        let name = |url: &str, version: &str| {
            let url = Url::parse(url).unwrap();
            cache_name(&url, version.as_bytes(), 7)
        };
        let one = name("https://h/x?versionId=1&X-Amz-Signature=a", "\"t\"");
        assert_eq!(
            one,
            name("https://h/x?versionId=1&X-Amz-Signature=b", "\"t\"")
        );
        for other in [
            name("https://h/x?versionId=2", "\"t\""),
            name("https://h/x?versionId=1", "\"u\""),
            name("https://h/y?versionId=1", "\"t\""),
            name("https://i/x?versionId=1", "\"t\""),
        ] {
            assert_ne!(one, other);
        }
        assert!(!one.contains("versionId"));
    }
}
