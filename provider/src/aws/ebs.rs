//! The calls of the EBS direct APIs that read. What they give has been checked by itself: indexes lie
//! within the volume and are unique, and a block is as long as it says and has its checksum.

use super::client::{Client, Request, Service, senseless};
use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flr_fs::bytes::len_u64;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;

/// Length of a block in bytes. The service says it in every listing, and has never said another.
pub(super) const BLOCK_LEN: u32 = 512 << 10;

/// Blocks in a GiB, which is what sizes of volumes are counted in.
pub(super) const BLOCKS_PER_GIB: u64 = 2048;

/// Entries that a page may be asked for.
pub(super) const PAGE_MAX: u32 = 10_000;
pub(super) const PAGE_MIN: u32 = 100;

/// Largest volume that is believed, in GiB: 1 PiB, sixteen times what there is.
const VOLUME_MAX: u64 = 1 << 20;

/// Longest page: ten thousand entries with two tokens of 256 characters.
const PAGE_BYTES: usize = 8 << 20;

/// Longest block, with room to tell one that is too long from one that is right.
const BLOCK_BYTES: usize = 4 << 20;

/// Longest token. The service says 256; more costs memory.
const TOKEN_MAX: usize = 1024;

/// What EBS says to a token that has expired or was replaced.
pub(super) const INVALID_BLOCK_TOKEN: &str = "ValidationException.INVALID_BLOCK_TOKEN";

/// What opens a block. Not to be shown: whoever may call the API at all can read the block with it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct BlockToken(Box<str>);

impl BlockToken {
    fn new(text: &str) -> Option<Self> {
        is_token(text).then(|| Self(text.into()))
    }

    /// Bytes of memory that it takes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for BlockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockToken(…)")
    }
}

/// Where a page begins.
#[derive(Clone, Copy)]
pub(super) enum Position<'a> {
    /// With this block, or the next one that is listed.
    Block(u64),
    /// Where the page before it said.
    Token(&'a str),
}

/// A page of a listing.
pub(super) struct Page<T> {
    /// Indexes, in the order they came. None twice.
    pub(super) entries: Vec<(u32, T)>,
    /// Where it goes on; nothing at the end.
    pub(super) next: Option<String>,
    /// What holds for the whole volume.
    pub(super) volume: Volume,
    /// Until when the tokens are good.
    pub(super) expires: Option<UnixTime>,
}

/// What every page says of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    /// Number of blocks.
    pub(super) blocks: u64,
    /// Length of a block in bytes, as it is announced.
    pub(super) announced: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed<E> {
    #[serde(alias = "ChangedBlocks")]
    blocks: Option<Vec<E>>,
    volume_size: u64,
    block_size: u64,
    expiry_time: Option<f64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedBlock {
    block_index: u64,
    block_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangedBlock {
    block_index: u64,
}

/// A page of the blocks that are stored of a snapshot.
pub(super) async fn list_snapshot_blocks(
    client: &Client,
    snapshot: &str,
    position: Position<'_>,
    max: u32,
) -> Result<Page<BlockToken>, Fault> {
    const CALL: &str = "ListSnapshotBlocks";
    let path = format!("/snapshots/{snapshot}/blocks");
    let listed = list(client, CALL, path, Vec::new(), position, max).await?;
    page(CALL, listed, |block: ListedBlock| {
        let token = BlockToken::new(&block.block_token)?;
        Some((block.block_index, token))
    })
}

/// A page of the blocks that differ between two snapshots of a volume: in content, or in whether they
/// are stored at all.
pub(super) async fn list_changed_blocks(
    client: &Client,
    first: &str,
    second: &str,
    position: Position<'_>,
    max: u32,
) -> Result<Page<()>, Fault> {
    const CALL: &str = "ListChangedBlocks";
    let path = format!("/snapshots/{second}/changedblocks");
    let query = vec![("firstSnapshotId".to_owned(), first.to_owned())];
    let listed = list(client, CALL, path, query, position, max).await?;
    page(CALL, listed, |block: ChangedBlock| {
        Some((block.block_index, ()))
    })
}

async fn list<E: serde::de::DeserializeOwned>(
    client: &Client,
    call: &str,
    path: String,
    mut query: Vec<(String, String)>,
    position: Position<'_>,
    max: u32,
) -> Result<Listed<E>, Fault> {
    query.push(("maxResults".to_owned(), max.to_string()));
    match position {
        Position::Block(0) => {}
        Position::Block(index) => query.push(("startingBlockIndex".to_owned(), index.to_string())),
        Position::Token(token) => query.push(("pageToken".to_owned(), token.to_owned())),
    }
    let response = client.call_limited(get(path, query), PAGE_BYTES).await?;
    serde_json::from_slice(&response.body).map_err(|error| {
        // Its own words would quote what it has found, and that may be a token.
        let (kind, line, column) = (error.classify(), error.line(), error.column());
        senseless(call, &format!("{kind:?} error in line {line} at {column}"))
    })
}

/// Checks what a page says.
fn page<E, T>(
    call: &str,
    listed: Listed<E>,
    entry: impl Fn(E) -> Option<(u64, T)>,
) -> Result<Page<T>, Fault> {
    let wrong = |why: &str| Err(senseless(call, why));
    if !(1..=VOLUME_MAX).contains(&listed.volume_size) {
        return wrong("the size of the volume");
    }
    let blocks = listed.volume_size.saturating_mul(BLOCKS_PER_GIB);
    if listed
        .next_token
        .as_deref()
        .is_some_and(|token| !is_token(token))
    {
        return wrong("the token of the next page");
    }
    // An end without a list says nothing about any block.
    let entries = match (listed.blocks, &listed.next_token) {
        (Some(blocks), _) => blocks,
        (None, Some(_)) => Vec::new(),
        (None, None) => return wrong("there is no list of blocks"),
    };
    let mut checked = Vec::with_capacity(entries.len());
    for item in entries {
        let Some((index, value)) = entry(item) else {
            return wrong("a token of a block");
        };
        let inside = u32::try_from(index).ok().filter(|_| index < blocks);
        let Some(index) = inside else {
            let words = format!("expected an index below {blocks}, found {index}");
            return wrong(&words);
        };
        checked.push((index, value));
    }
    let mut indexes: Vec<u32> = checked.iter().map(|(index, _)| *index).collect();
    indexes.sort_unstable();
    if indexes
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == b))
    {
        return wrong("a block is listed twice");
    }
    let expires = listed.expiry_time.map(Duration::try_from_secs_f64);
    let expires = match expires {
        None => None,
        Some(Ok(time)) => Some(UnixTime(time.as_secs())),
        Some(Err(_)) => return wrong("the time at which tokens expire"),
    };
    Ok(Page {
        entries: checked,
        next: listed.next_token,
        volume: Volume {
            blocks,
            announced: listed.block_size,
        },
        expires,
    })
}

/// A block, whole and with its checksum, of whatever length the service says.
pub(super) async fn get_snapshot_block(
    client: &Client,
    snapshot: &str,
    index: u64,
    token: &BlockToken,
) -> Result<Bytes, Fault> {
    let path = format!("/snapshots/{snapshot}/blocks/{index}");
    let query = vec![("blockToken".to_owned(), token.0.to_string())];
    let response = client.call_limited(get(path, query), BLOCK_BYTES).await?;
    let header = |name: &str| response.header(name);
    verify(
        &response.body,
        header("x-amz-data-length"),
        header("x-amz-checksum-algorithm"),
        header("x-amz-checksum"),
    )
    .map_err(|why| {
        let words = format!("block {index} of {snapshot}: {why}");
        Fault::new(FaultKind::Unknown, words)
    })?;
    Ok(response.body)
}

/// Whether a block is what its headers say.
fn verify(
    body: &[u8],
    length: Option<&str>,
    algorithm: Option<&str>,
    checksum: Option<&str>,
) -> Result<(), String> {
    let length: u64 = length
        .and_then(|length| length.parse().ok())
        .ok_or("the answer does not say how long it is")?;
    if length != len_u64(body.len()) {
        return Err(format!("expected {length} bytes, got {}", body.len()));
    }
    match algorithm {
        Some("SHA256") => {}
        Some(_) => return Err("its checksum is not of SHA-256".to_owned()),
        None => return Err("there is no word on its checksum".to_owned()),
    }
    let expected = checksum.ok_or("it has no checksum")?;
    let expected = STANDARD
        .decode(expected)
        .map_err(|_| "its checksum is not base64")?;
    if Sha256::digest(body).as_slice() != expected.as_slice() {
        return Err("its checksum does not match".to_owned());
    }
    Ok(())
}

fn get(path: String, query: Vec<(String, String)>) -> Request {
    Request {
        service: Service::Ebs,
        method: "GET",
        path,
        query,
        headers: Vec::new(),
        body: Bytes::new(),
    }
}

fn is_token(text: &str) -> bool {
    (1..=TOKEN_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
#[path = "ebs_tests.rs"]
mod tests;
