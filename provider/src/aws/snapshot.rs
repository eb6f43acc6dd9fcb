//! An EBS snapshot, read block by block where it lies. Nothing is made.
//!
//! Which blocks are stored is listed around what is asked for, never as a whole: 64 TiB are 134 million
//! entries. What a listing has not reached is unknown and gets listed; only what it has passed over is a
//! hole.

use super::changed::Changed;
use super::client::{Client, Service};
use super::coverage::{Coverage, Held, Stretch};
use super::ebs::{
    BLOCK_LEN, BlockToken, INVALID_BLOCK_TOKEN, PAGE_MAX, PAGE_MIN, Page, Position, Volume,
    get_snapshot_block, list_snapshot_blocks,
};
use super::listing::{Lister, list};
use crate::engine::{BoxFuture, Clock, SystemClock};
use crate::fault::{Fault, FaultKind};
use crate::remote::{ChunkRun, ChunkState, ChunkStore};
use bytes::Bytes;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Mutex as AsyncMutex;

/// A listing begins at a multiple of so many blocks (2 GiB), so that what is read next, a little before
/// or behind, needs none.
pub(super) const REGION: u64 = 4096;

/// Memory for tokens: about 200,000 of them, or 100 GiB in which every block is stored.
const TOKENS_MAX: usize = 24 << 20;

/// Tokens that expire so soon are not used, in seconds.
const RENEW_BEFORE: u64 = 60;

const CHUNK_LEN: NonZeroU32 = match NonZeroU32::new(BLOCK_LEN) {
    Some(len) => len,
    None => NonZeroU32::MIN,
};

/// How a snapshot is opened.
#[derive(Clone, Debug, Default)]
pub struct SnapshotOptions {
    /// Whose it is, for the names under which its blocks are kept.
    pub account: Option<String>,
    /// Another snapshot of the same volume whose blocks may have been kept.
    pub relative: Option<String>,
}

/// A snapshot's blocks.
#[derive(Debug)]
pub struct EbsSnapshot {
    source: Source,
    name: String,
    size: u64,
    volume: Volume,
    known: Mutex<Coverage<BlockToken>>,
    /// Held while a listing is made, so that nobody makes the same one meanwhile.
    listing: AsyncMutex<()>,
    cache_name: String,
    /// Another snapshot of the volume: the name under which its blocks are kept, and what changed.
    relative: Option<(String, Changed)>,
}

/// What is listed.
#[derive(Clone, Debug)]
struct Source {
    client: Client,
    id: String,
    page: u32,
}

impl Held for BlockToken {
    fn heap(&self) -> usize {
        self.len()
    }
}

impl Lister for Source {
    type Item = BlockToken;

    fn name(&self) -> String {
        self.id.clone()
    }

    async fn page(&self, position: Position<'_>) -> Result<Page<BlockToken>, Fault> {
        list_snapshot_blocks(&self.client, &self.id, position, self.page).await
    }
}

impl EbsSnapshot {
    /// Opens a snapshot in the client's region: one call, which gives its size and its first blocks.
    ///
    /// # Errors
    /// There is none of this id, it cannot be read directly (archived, pending, public), or the provider
    /// refuses.
    pub async fn open(client: &Client, snapshot_id: &str) -> Result<Arc<Self>, Fault> {
        Self::open_with(client, snapshot_id, SnapshotOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(
        client: &Client,
        snapshot_id: &str,
        options: SnapshotOptions,
    ) -> Result<Arc<Self>, Fault> {
        check_id(snapshot_id)?;
        let source = Source {
            client: client.clone(),
            id: snapshot_id.to_owned(),
            page: PAGE_MAX,
        };
        let (first, volume) = list(&source, 0, 0).await?;
        let account = options.account.unwrap_or_default();
        let relative = match options.relative {
            Some(id) => {
                check_id(&id)?;
                let name = cache_name(client, &account, &id);
                let ids = (id, snapshot_id.to_owned());
                Some((name, Changed::new(client, ids, volume, None)))
            }
            None => None,
        };
        let mut known = Coverage::new(TOKENS_MAX);
        let any = first.entries.first().cloned();
        known.insert(first);
        let snapshot = Self {
            name: format!("snapshot {snapshot_id} in {}", client.region()),
            size: volume.blocks.saturating_mul(u64::from(BLOCK_LEN)),
            volume,
            known: Mutex::new(known),
            listing: AsyncMutex::new(()),
            cache_name: cache_name(client, &account, snapshot_id),
            relative,
            source,
        };
        // A hole is as long as a block. Where another length is announced, a block has to tell.
        if volume.announced != u64::from(BLOCK_LEN)
            && let Some((index, token)) = any
        {
            snapshot.get(u64::from(index), &token).await?;
        }
        Ok(Arc::new(snapshot))
    }

    /// The snapshot's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.source.id
    }

    fn known(&self) -> MutexGuard<'_, Coverage<BlockToken>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_known(&self, index: u64) -> bool {
        self.known().find(index).is_some()
    }

    /// Lists around an index until it is known.
    async fn learn(&self, index: u64) -> Result<(), Fault> {
        let _listing = self.listing.lock().await;
        if self.is_known(index) {
            return Ok(());
        }
        let gap = self.known().gap(index, self.volume.blocks);
        let region = index
            .checked_div(REGION)
            .unwrap_or(0)
            .saturating_mul(REGION);
        let (mut stretch, volume) = list(&self.source, region.max(gap.start), index).await?;
        self.check(volume)?;
        stretch.clip(&gap);
        self.known().insert(stretch);
        Ok(())
    }

    /// A new token for a block whose token does not open it, or has expired.
    async fn renew(&self, index: u64, used: &BlockToken) -> Result<BlockToken, Fault> {
        let _listing = self.listing.lock().await;
        if let Some(token) = self.held_token(index, Some(used)) {
            return Ok(token);
        }
        let source = Source {
            page: PAGE_MIN,
            ..self.source.clone()
        };
        let (mut stretch, volume) = list(&source, index, index).await?;
        self.check(volume)?;
        // One page has told everything up to its end; what it says of the end may be far more.
        let last = stretch
            .entries
            .last()
            .map_or(index, |(last, _)| u64::from(*last));
        stretch.clip(&(index..last.saturating_add(1)));
        let token = stretch.get(index).cloned();
        let token = token.filter(|_| self.agrees(&stretch));
        let token = token.ok_or_else(|| {
            let words = format!("{}: another listing has other blocks", self.name);
            Fault::new(FaultKind::Refused, words)
        })?;
        self.known().insert(stretch);
        Ok(token)
    }

    /// Whether a listing has the same blocks as what was known before. A snapshot does not change.
    fn agrees(&self, stretch: &Stretch<BlockToken>) -> bool {
        let mut known = self.known();
        let mut at = stretch.range.start;
        while at < stretch.range.end {
            let (same, end) = match known.find(at) {
                None => return true,
                Some(old) => {
                    let both = at..old.range.end.min(stretch.range.end);
                    (old.listed(&both).eq(stretch.listed(&both)), both.end)
                }
            };
            if !same {
                return false;
            }
            at = end.max(at.saturating_add(1));
        }
        true
    }

    fn check(&self, volume: Volume) -> Result<(), Fault> {
        if volume == self.volume {
            return Ok(());
        }
        let words = format!("{}: another listing has another size", self.name);
        Err(Fault::new(FaultKind::Refused, words))
    }

    /// The token of a block that is good, and another than `used`.
    fn held_token(&self, index: u64, used: Option<&BlockToken>) -> Option<BlockToken> {
        let now = self
            .source
            .client
            .time()
            .unwrap_or_else(|| SystemClock.wall());
        let mut known = self.known();
        let stretch = known.find(index)?;
        let good = |end: crate::engine::UnixTime| end.0 > now.0.saturating_add(RENEW_BEFORE);
        if !stretch.expires.is_none_or(good) {
            return None;
        }
        stretch
            .get(index)
            .filter(|token| Some(*token) != used)
            .cloned()
    }

    /// The token of a block, good or not.
    fn any_token(&self, index: u64) -> Option<BlockToken> {
        self.known().find(index)?.get(index).cloned()
    }

    async fn block(&self, index: u64) -> Result<Bytes, Fault> {
        self.inside(&(index..index.saturating_add(1)))?;
        if !self.is_known(index) {
            self.learn(index).await?;
        }
        let token = match self.held_token(index, None) {
            Some(token) => token,
            None => match self.any_token(index) {
                Some(old) => self.renew(index, &old).await?,
                None => {
                    let words = format!("{}: block {index} is not stored", self.name);
                    return Err(Fault::new(FaultKind::Unknown, words));
                }
            },
        };
        match self.get(index, &token).await {
            Err(fault) if fault.is(INVALID_BLOCK_TOKEN) => {
                let token = self.renew(index, &token).await?;
                let again = self.get(index, &token).await;
                // A token that was replaced while it was on its way: whoever repeats this gets another.
                again.map_err(|mut fault| {
                    if fault.is(INVALID_BLOCK_TOKEN) {
                        fault.kind = FaultKind::Unknown;
                    }
                    fault
                })
            }
            answer => answer,
        }
    }

    async fn get(&self, index: u64, token: &BlockToken) -> Result<Bytes, Fault> {
        let id = &self.source.id;
        let block = get_snapshot_block(&self.source.client, id, index, token).await?;
        if u32::try_from(block.len()) == Ok(BLOCK_LEN) {
            return Ok(block);
        }
        let words = format!(
            "block {index} of {id}: expected {BLOCK_LEN} bytes, got {}",
            block.len()
        );
        Err(Fault::new(FaultKind::Refused, words))
    }

    async fn runs(&self, chunks: Range<u64>) -> Result<Vec<ChunkRun>, Fault> {
        self.inside(&chunks)?;
        let mut runs = Vec::new();
        let mut at = chunks.start;
        while at < chunks.end {
            let end = self.add_runs(&mut runs, &(at..chunks.end));
            match end {
                Some(end) => at = end,
                None => self.learn(at).await?,
            }
        }
        Ok(runs)
    }

    /// Adds what is known from the beginning of `chunks` on. Where that ends, or nothing if nothing is.
    fn add_runs(&self, runs: &mut Vec<ChunkRun>, chunks: &Range<u64>) -> Option<u64> {
        let mut known = self.known();
        let stretch = known.find(chunks.start)?;
        let end = stretch.range.end.min(chunks.end);
        let mut at = chunks.start;
        for index in stretch.listed(&(chunks.start..end)) {
            push(runs, at..index, ChunkState::Hole);
            at = index.saturating_add(1);
            push(runs, index..at, ChunkState::Present);
        }
        push(runs, at..end, ChunkState::Hole);
        Some(end)
    }

    fn inside(&self, chunks: &Range<u64>) -> Result<(), Fault> {
        if chunks.start < chunks.end && chunks.end <= self.volume.blocks {
            return Ok(());
        }
        let words = format!(
            "{}: expected blocks within 0..{}, not {chunks:?}",
            self.name, self.volume.blocks
        );
        Err(Fault::new(FaultKind::Refused, words))
    }
}

impl ChunkStore for EbsSnapshot {
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
        Box::pin(self.runs(chunks))
    }

    fn fetch(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Bytes, Fault>> {
        Box::pin(async move {
            if chunks.end != chunks.start.saturating_add(1) {
                let words = format!("{}: expected one block, not {chunks:?}", self.name);
                return Err(Fault::new(FaultKind::Refused, words));
            }
            self.block(chunks.start).await
        })
    }

    fn cache_names(&self, chunk: u64) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async move {
            let mut names = vec![self.cache_name.clone()];
            if let Some((name, changed)) = &self.relative
                && changed.is_same(chunk).await
            {
                names.push(name.clone());
            }
            names
        })
    }
}

/// Adds chunks of one kind to runs that end where these begin.
fn push(runs: &mut Vec<ChunkRun>, chunks: Range<u64>, state: ChunkState) {
    if chunks.is_empty() {
        return;
    }
    match runs.last_mut().filter(|last| last.state == state) {
        Some(last) => last.chunks.end = chunks.end,
        None => runs.push(ChunkRun { chunks, state }),
    }
}

/// Under which name the blocks of a snapshot are kept. What comes from an address of somebody else is
/// something else, even if it has the same id.
fn cache_name(client: &Client, account: &str, id: &str) -> String {
    match client.custom_endpoint(Service::Ebs) {
        None => format!("ebs/{account}/{id}"),
        Some(endpoint) => format!("ebs/{account}/{id}@{endpoint}"),
    }
}

/// Whether it is an id of a snapshot. It becomes part of a path.
fn check_id(id: &str) -> Result<(), Fault> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let digits = id.strip_prefix("snap-").unwrap_or_default();
    if (1..=40).contains(&digits.len()) && digits.chars().all(hex) {
        return Ok(());
    }
    let words = format!("expected an id such as snap-0123456789abcdef0, not {id:?}");
    Err(Fault::new(FaultKind::Refused, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_nothing_else() {
        check_id("snap-0123456789abcdef0").unwrap();
        for bad in [
            "",
            "snap-",
            "vol-1",
            "snap-1/../x",
            "snap-G",
            "snap-1?",
            "snap-é",
        ] {
            check_id(bad).unwrap_err();
        }
    }

    #[test]
    fn runs_of_one_kind_are_one() {
        let mut runs = Vec::new();
        push(&mut runs, 0..0, ChunkState::Hole);
        push(&mut runs, 0..1, ChunkState::Present);
        push(&mut runs, 1..2, ChunkState::Present);
        push(&mut runs, 2..9, ChunkState::Hole);
        push(&mut runs, 9..9, ChunkState::Present);
        push(&mut runs, 9..12, ChunkState::Hole);
        let flat: Vec<_> = runs
            .iter()
            .map(|run| (run.chunks.clone(), run.state))
            .collect();
        assert_eq!(
            flat,
            [(0..2, ChunkState::Present), (2..12, ChunkState::Hole)]
        );
    }
}
