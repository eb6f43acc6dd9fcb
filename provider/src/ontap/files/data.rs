//! A file's bytes as chunks.

use super::super::data::{CHUNK_LEN, Origin, bytes_of, cache_name};
use super::clones::Clones;
use super::under::Under;
use super::wire;
use crate::engine::BoxFuture;
use crate::fault::Fault;
use crate::remote::even::all_present;
use crate::remote::{ChunkRun, ChunkStore};
use bytes::Bytes;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// Which way the bytes of a file come.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// From below `.snapshot`.
    Direct,
    /// From clones.
    Cloned(Arc<Clones>),
}

/// A file in a snapshot.
#[derive(Debug)]
pub(super) struct FileStore {
    under: Arc<Under>,
    way: Way,
    path: String,
    size: u64,
    cache_name: String,
}

impl FileStore {
    pub(super) fn new(
        under: &Arc<Under>,
        way: Way,
        cluster: &str,
        (path, size): (String, u64),
    ) -> Arc<Self> {
        let origin = Origin {
            cluster,
            volume: &under.volume,
            snapshot: &under.snapshot,
            lun: &format!("file {path}"),
        };
        let cache_name = cache_name(&origin, size);
        Arc::new(Self {
            under: Arc::clone(under),
            way,
            path,
            size,
            cache_name,
        })
    }
}

/// Bytes from below `.snapshot`.
pub(super) async fn direct(under: &Under, path: &str, range: (u64, usize)) -> Result<Bytes, Fault> {
    let Under { client, volume, .. } = under;
    let read = |path: String| async move { wire::bytes(client, volume, &path, range).await };
    under.call(path, read).await
}

impl ChunkStore for FileStore {
    fn name(&self) -> &str {
        &self.path
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
            let range = bytes_of(&chunks, self.size)?;
            match &self.way {
                Way::Direct => direct(&self.under, &self.path, range).await,
                Way::Cloned(clones) => clones.read(&self.path, self.size, range).await,
            }
        })
    }

    fn cache_names(&self, chunk: u64) -> BoxFuture<'_, Vec<String>> {
        let name = format!("{}-{chunk}", self.cache_name);
        Box::pin(std::future::ready(vec![name]))
    }
}
