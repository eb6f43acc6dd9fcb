//! EBS direct APIs: reading snapshots block by block.

use super::context::Context;
use super::error::{Result, ServiceError, bad, error, throttled};
use super::model::Snapshot;
use super::state::State;
use crate::stand_in::Answer;
use crate::stand_in::clock::{epoch, ms};
use crate::stand_in::hash::hmac;
use crate::stand_in::{BLOCK_LEN, Blocks};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::ops::RangeInclusive;

const MAX_RESULTS: RangeInclusive<usize> = 100..=10_000;
/// The longest token there is.
const TOKEN_LEN_MAX: usize = 256;
const MAC_LEN: usize = 32;

pub(crate) fn answer(context: &Context<'_>) -> Result {
    let call = context.call;
    let action = format!("ebs:{}", call.operation);
    if context.state().settings.denied.contains(&action) {
        let message = format!(
            "{} is not authorized to perform: {action}",
            context.caller.arn
        );
        return Err(error(403, "AccessDeniedException", message));
    }
    match call.operation.as_str() {
        "ListSnapshotBlocks" => list(context),
        "ListChangedBlocks" => list_changed(context),
        "GetSnapshotBlock" => get(context),
        _ => Err(error(404, "UnknownOperationException", "no such operation")),
    }
}

fn invalid(reason: &str, message: impl Into<String>) -> ServiceError {
    bad("ValidationException", message).because(reason)
}

/// A snapshot that the caller may read.
fn readable<'a>(state: &'a State, context: &Context<'_>, id: &str) -> Result<&'a Snapshot> {
    let digits = id.strip_prefix("snap-").unwrap_or_default();
    let is_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if digits.is_empty() || !digits.bytes().all(is_hex) {
        return Err(invalid(
            "INVALID_SNAPSHOT_ID",
            format!("Invalid snapshot id '{id}'"),
        ));
    }
    let snapshot = state.snapshots.get(id);
    let snapshot = snapshot.filter(|snapshot| snapshot.region == context.caller.region);
    let snapshot = snapshot.ok_or_else(|| {
        let message = format!("The snapshot '{id}' does not exist.");
        error(404, "ResourceNotFoundException", message).because("SNAPSHOT_NOT_FOUND")
    })?;
    let account = &context.caller.account;
    let is_shared = snapshot.owner == *account || snapshot.shared_with.contains(account);
    if !is_shared {
        let message = format!("The account is not authorized to access the snapshot '{id}'.");
        return Err(error(403, "AccessDeniedException", message).because("UNAUTHORIZED_ACCOUNT"));
    }
    let why_not = match snapshot.state(context.now) {
        _ if snapshot.archived => Some("is archived"),
        _ if snapshot.public => Some("is public"),
        _ if snapshot.outpost => Some("is on an Outpost"),
        "completed" => None,
        _ => Some("is not completed"),
    };
    if let Some(why) = why_not {
        return Err(invalid(
            "INVALID_SNAPSHOT_ID",
            format!("The snapshot '{id}' {why}."),
        ));
    }
    if snapshot.kms_denied {
        let message = "The caller may not use the key that the snapshot is encrypted with.";
        let error = error(403, "AccessDeniedException", message);
        return Err(error.because("DEPENDENCY_ACCESS_DENIED"));
    }
    Ok(snapshot)
}

/// What a listing was asked for.
struct Asked {
    from: u64,
    max: usize,
    is_empty: bool,
}

fn asked(state: &mut State, context: &Context<'_>, of: &str) -> Result<Asked> {
    let account = &context.caller.account;
    let rate = state.settings.list_rate;
    if !state.take(&format!("list {account}"), rate, context.now) {
        return Err(throttled(context.call.service, true));
    }
    let parameter = |name: &str| context.call.parameter(name);
    let max = match parameter("maxResults") {
        None => *MAX_RESULTS.end(),
        Some(text) => text
            .parse()
            .ok()
            .filter(|max| MAX_RESULTS.contains(max))
            .ok_or_else(|| {
                let message = format!("maxResults is '{text}' and must be from 100 to 10000");
                invalid("INVALID_PARAMETER_VALUE", message)
            })?,
    };
    let from = match (parameter("pageToken"), parameter("startingBlockIndex")) {
        (Some(token), _) => {
            let page = state.pages.get(token);
            let page = page.filter(|page| page.of == of && page.expires > context.now);
            page.ok_or_else(|| invalid("INVALID_PAGE_TOKEN", "The page token is not valid."))?
                .next
        }
        (None, Some(text)) => text.parse().map_err(|_| {
            invalid(
                "INVALID_PARAMETER_VALUE",
                format!("'{text}' is no block index"),
            )
        })?,
        (None, None) => 0,
    };
    let pages = state.settings.pages;
    state.pages_sent += 1;
    let is_empty = pages
        .empty_every
        .is_some_and(|every| state.pages_sent.is_multiple_of(every));
    let max = pages.max.map_or(max, |short| short.min(max));
    Ok(Asked {
        from,
        max,
        is_empty,
    })
}

/// The indexes of a page, and where the next one goes on.
fn page(asked: &Asked, next: impl Fn(u64) -> Option<u64>) -> (Vec<u64>, Option<u64>) {
    if asked.is_empty {
        return (Vec::new(), Some(asked.from));
    }
    let mut found = Vec::new();
    let mut at = asked.from;
    while let Some(index) = next(at) {
        if found.len() == asked.max {
            return (found, Some(index));
        }
        found.push(index);
        at = index + 1;
    }
    (found, None)
}

fn finish(
    context: &Context<'_>,
    of: String,
    gib: u64,
    next: Option<u64>,
    (name, blocks): (&str, Vec<Value>),
) -> Answer {
    let mut state = context.state();
    let life = state.settings.block_token_life;
    let mut body = json!({
        "BlockSize": BLOCK_LEN,
        "ExpiryTime": epoch(context.now + ms(life)),
        "VolumeSize": gib,
    });
    body[name] = Value::Array(blocks);
    if let Some(next) = next {
        let life = state.settings.page_token_life;
        body["NextToken"] = json!(state.page_token(of, next, context.now, life));
    }
    let body = body.to_string().into_bytes();
    Answer::new(200, "application/json", body).with("x-amzn-RequestId", &context.request_id)
}

fn list(context: &Context<'_>) -> Result {
    let id = context
        .call
        .parameter("snapshotId")
        .unwrap_or_default()
        .to_owned();
    let of = format!("blocks {id}");
    let (asked, snapshot, mint) = {
        let mut state = context.state();
        readable(&state, context, &id)?;
        let asked = asked(&mut state, context, &of)?;
        if state.settings.listing_ends_tokens {
            let snapshot = state.tables.snapshots.get_mut(&id).expect("it is readable");
            snapshot.token_generation += 1;
        }
        let snapshot = readable(&state, context, &id)?.clone();
        let mint = Mint::new(&mut state, &snapshot, context.now);
        (asked, snapshot, mint)
    };
    let (indexes, next) = page(&asked, |at| snapshot.blocks.next(at));
    let block = |index: u64| json!({"BlockIndex": index, "BlockToken": mint.token(index)});
    let blocks = indexes.into_iter().map(block).collect();
    Ok(finish(context, of, snapshot.gib, next, ("Blocks", blocks)))
}

fn list_changed(context: &Context<'_>) -> Result {
    let second_id = context
        .call
        .parameter("secondSnapshotId")
        .unwrap_or_default();
    let first_id = context.call.parameter("firstSnapshotId");
    let of = format!("changed {} {second_id}", first_id.unwrap_or_default());
    let (asked, second, first) = {
        let mut state = context.state();
        let second = readable(&state, context, second_id)?.clone();
        let first = first_id.map(|id| readable(&state, context, id).cloned());
        let first = first.transpose()?;
        if first
            .as_ref()
            .is_some_and(|first| first.volume_id != second.volume_id)
        {
            let message = "The snapshots are not of the same volume.";
            return Err(invalid("UNRELATED_SNAPSHOTS", message));
        }
        let asked = asked(&mut state, context, &of)?;
        let now = context.now;
        let first = first.map(|first| (Mint::new(&mut state, &first, now), first));
        (asked, (Mint::new(&mut state, &second, now), second), first)
    };
    let nothing = Blocks::from_fn(0, |_| None);
    let old = first.as_ref().map_or(&nothing, |(_, first)| &first.blocks);
    let (mint, second) = (&second.0, &second.1);
    let (indexes, next) = page(&asked, |at| second.blocks.next_changed(old, at));
    let block = |index: u64| {
        let mut block = json!({"BlockIndex": index});
        let was_there = old.next(index) == Some(index);
        if let Some((mint, _)) = first.as_ref().filter(|_| was_there) {
            block["FirstBlockToken"] = json!(mint.token(index));
        }
        if second.blocks.next(index) == Some(index) {
            block["SecondBlockToken"] = json!(mint.token(index));
        }
        block
    };
    let blocks = indexes.into_iter().map(block).collect();
    Ok(finish(
        context,
        of,
        second.gib,
        next,
        ("ChangedBlocks", blocks),
    ))
}

fn get(context: &Context<'_>) -> Result {
    let parameter = |name: &str| context.call.parameter(name).unwrap_or_default();
    let (id, token) = (parameter("snapshotId"), parameter("blockToken"));
    let index: u64 = parameter("blockIndex")
        .parse()
        .map_err(|_| invalid("INVALID_PARAMETER_VALUE", "blockIndex is no index"))?;
    let (blocks, checksums) = {
        let mut state = context.state();
        let snapshot = readable(&state, context, id)?.clone();
        let (one, all) = (state.settings.snapshot_rate, state.settings.block_rate);
        if !state.take(&format!("get {id}"), one, context.now) {
            return Err(throttled(context.call.service, false));
        }
        let account = format!("get {}", context.caller.account);
        if !state.take(&account, all, context.now) {
            return Err(throttled(context.call.service, true));
        }
        check_token(state.ids.secret(), &snapshot, index, token, context.now)?;
        (snapshot.blocks.clone(), snapshot.blocks)
    };
    let block = blocks.read(index);
    let block = block.ok_or_else(|| invalid("INVALID_BLOCK", "The block does not exist."))?;
    let checksum = checksums.checksum(index, &block);
    Ok(Answer::new(200, "application/octet-stream", block)
        .with("x-amz-Data-Length", BLOCK_LEN.to_string())
        .with("x-amz-Checksum", checksum)
        .with("x-amz-Checksum-Algorithm", "SHA256")
        .with("x-amzn-RequestId", &context.request_id))
}

/// What makes the block tokens of one page.
struct Mint {
    secret: [u8; 32],
    /// Of what the tokens are: snapshot and generation.
    of: String,
    nonce: [u8; 8],
    expires: i64,
}

impl Mint {
    fn new(state: &mut State, snapshot: &Snapshot, now: i64) -> Self {
        let random = state.random();
        Self {
            secret: *state.ids.secret(),
            of: of(snapshot),
            nonce: random[..8].try_into().expect("eight"),
            expires: now + ms(state.settings.block_token_life),
        }
    }

    /// Base64 with `+`, `/` and `=` in it, of a nonce, the expiry (masked) and a code over all of it.
    fn token(&self, index: u64) -> String {
        let mut bytes = STANDARD.decode("AAAB+/+/").expect("base64");
        bytes.extend(self.nonce);
        bytes.extend(masked(
            &self.secret,
            &self.nonce,
            self.expires.to_be_bytes(),
        ));
        bytes.extend(mac(
            &self.secret,
            &self.of,
            index,
            &self.nonce,
            self.expires,
        ));
        // Fills up to a length that base64 has to pad.
        bytes.push(0);
        STANDARD.encode(bytes)
    }
}

fn of(snapshot: &Snapshot) -> String {
    format!("{} {}", snapshot.id, snapshot.token_generation)
}

fn masked(secret: &[u8], nonce: &[u8], mut bytes: [u8; 8]) -> [u8; 8] {
    for (byte, mask) in bytes.iter_mut().zip(hmac(secret, nonce)) {
        *byte ^= mask;
    }
    bytes
}

fn mac(secret: &[u8], of: &str, index: u64, nonce: &[u8], expires: i64) -> [u8; MAC_LEN] {
    let mut text = format!("{of} {index} {expires} ").into_bytes();
    text.extend(nonce);
    hmac(secret, &text)
}

fn check_token(
    secret: &[u8],
    snapshot: &Snapshot,
    index: u64,
    token: &str,
    now: i64,
) -> Result<()> {
    let is_valid = || {
        let bytes = STANDARD.decode(token).ok()?;
        let (nonce, rest) = bytes.get(6..)?.split_at_checked(8)?;
        let (expires, code) = rest.split_at_checked(8)?;
        let expires = i64::from_be_bytes(masked(secret, nonce, expires.try_into().ok()?));
        let expected = mac(secret, &of(snapshot), index, nonce, expires);
        (code.get(..MAC_LEN)? == expected && now < expires).then_some(())
    };
    if token.len() <= TOKEN_LEN_MAX && is_valid().is_some() {
        return Ok(());
    }
    let message = "The block token is not valid, or it has expired.";
    Err(invalid("INVALID_BLOCK_TOKEN", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_tokens_are_of_one_block_for_a_time() {
        let mut state = State::new(&super::super::Config::default());
        let mut snapshot = Snapshot::new("snap-1", Blocks::from_fn(4, |_| None));
        let mint = Mint::new(&mut state, &snapshot, 1000);
        let token = mint.token(3);
        assert!(token.len() <= TOKEN_LEN_MAX && "+/=".chars().all(|sign| token.contains(sign)));
        let week = 7 * 24 * 3_600_000;
        let check = |snapshot: &Snapshot, index, token: &str, now| {
            check_token(state.ids.secret(), snapshot, index, token, now).is_ok()
        };
        assert!(check(&snapshot, 3, &token, 999 + week));
        assert!(!check(&snapshot, 3, &token, 1000 + week));
        assert!(!check(&snapshot, 2, &token, 1000));
        assert!(!check(&snapshot, 3, &token.replacen('+', " ", 1), 1000));
        snapshot.token_generation = 1;
        assert!(!check(&snapshot, 3, &token, 1000));
    }
}
