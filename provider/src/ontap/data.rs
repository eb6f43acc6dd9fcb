//! A LUN's bytes as chunks, read over REST.

use super::api;
use super::client::Client;
use crate::engine::BoxFuture;
use crate::fault::Fault;
use crate::http::store::digest_name;
use crate::remote::even::{Even, all_present};
use crate::remote::{ChunkRun, ChunkStore};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// The limit of a call is "1 MB", and whether that is 2^20 or 10^6 bytes is nowhere said.
pub(super) const CHUNK_LEN: NonZeroU32 = NonZeroU32::new(512 << 10).unwrap();

/// One chunk a call.
const EVEN: Even = Even {
    chunk_len: CHUNK_LEN,
    coalesce_max: NonZeroU32::MIN,
};

/// What tells the bytes of a LUN at a snapshot from all others, for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) cluster: &'a str,
    /// Id of the volume.
    pub(super) volume: &'a str,
    /// Id of the snapshot.
    pub(super) snapshot: &'a str,
    /// Path of the LUN inside the volume.
    pub(super) lun: &'a str,
}

/// A LUN that nobody writes to: a clone of ours, mapped nowhere.
#[derive(Debug)]
pub(super) struct LunStore {
    client: Client,
    uuid: String,
    size: u64,
    name: String,
    cache_name: String,
}

impl LunStore {
    pub(super) fn new(
        client: &Client,
        (uuid, size): (&str, u64),
        name: String,
        origin: &Origin<'_>,
    ) -> Arc<Self> {
        Arc::new(Self {
            client: client.clone(),
            uuid: uuid.to_owned(),
            size,
            name,
            cache_name: cache_name(origin, size),
        })
    }
}

impl ChunkStore for LunStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn chunk_len(&self) -> NonZeroU32 {
        CHUNK_LEN
    }

    fn map(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Vec<ChunkRun>, Fault>> {
        Box::pin(std::future::ready(Ok(all_present(chunks))))
    }

    fn fetch(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Bytes, Fault>> {
        Box::pin(async move {
            let (offset, len) = bytes_of(&chunks, self.size)?;
            api::lun_bytes(&self.client, &self.uuid, offset, len).await
        })
    }

    fn cache_names(&self, chunk: u64) -> BoxFuture<'_, Vec<String>> {
        let name = format!("{}-{chunk}", self.cache_name);
        Box::pin(std::future::ready(vec![name]))
    }
}

/// Offset and length of one chunk of a LUN of `size` bytes.
pub(super) fn bytes_of(chunks: &Range<u64>, size: u64) -> Result<(u64, usize), Fault> {
    let bytes = EVEN.bytes_of(chunks, size)?;
    let len = bytes.end.saturating_sub(bytes.start);
    // A chunk at most, which every machine can count.
    Ok((bytes.start, usize::try_from(len).unwrap_or(usize::MAX)))
}

pub(super) fn cache_name(origin: &Origin<'_>, size: u64) -> String {
    let Origin {
        cluster,
        volume,
        snapshot,
        lun,
    } = origin;
    let mut hash = Sha256::new();
    for part in [*cluster, *volume, *snapshot, *lun, &size.to_string()] {
        // Zero bytes keep the parts apart.
        hash.update([part.as_bytes(), b"\0"].concat());
    }
    digest_name("ontap", &hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_with_the_lun() {
        let len = u64::from(CHUNK_LEN.get());
        let whole = usize::try_from(len).unwrap();
        assert_eq!(bytes_of(&(0..1), len + 512), Ok((0, whole)));
        assert_eq!(bytes_of(&(1..2), len + 512), Ok((len, 512)));
        for bad in [0..0, 0..2, 2..3, u64::MAX - 1..u64::MAX] {
            assert!(bytes_of(&bad, len + 512).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kept_chunks_are_of_one_lun_and_snapshot() {
        let origin = |cluster, volume, snapshot, lun| Origin {
            cluster,
            volume,
            snapshot,
            lun,
        };
        let one = cache_name(&origin("c", "v", "s", "l"), 7);
        for other in [
            cache_name(&origin("d", "v", "s", "l"), 7),
            cache_name(&origin("c", "w", "s", "l"), 7),
            cache_name(&origin("c", "v", "t", "l"), 7),
            cache_name(&origin("c", "v", "s", "m"), 7),
            cache_name(&origin("c", "v", "s", "l"), 8),
        ] {
            assert_ne!(one, other);
        }
    }
}
