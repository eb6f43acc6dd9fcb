//! Instance metadata, in the normal and the hardened mode.

use super::config::{ACCOUNT, AccessKey, Config, INSTANCE, ROLE};
use super::context::{Context, time};
use super::state::State;
use crate::stand_in::clock::ms;
use crate::stand_in::encoding::hex;
use crate::stand_in::error::{Result, error};
use crate::stand_in::{Answer, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const TTL_MAX: i64 = 21_600;

/// What has to come with a request for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataMode {
    /// There are none: nobody answers but with 404.
    Off,
    /// Nothing, and there are no tokens.
    Old,
    /// Nothing; a token may.
    Normal,
    /// A token.
    Hardened,
}

/// What the metadata say, and of whom.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// What has to come with a request.
    pub mode: MetadataMode,
    /// The instance.
    pub instance_id: String,
    /// Its zone.
    pub zone: String,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// Its role; without one there are no credentials.
    pub role: Option<String>,
    /// How long each set of credentials is valid.
    pub credentials_life: Duration,
    /// Session tokens, and when they end.
    tokens: BTreeMap<String, i64>,
}

impl Metadata {
    pub(crate) fn new(config: &Config) -> Self {
        let region = config.regions.first().cloned().unwrap_or_default();
        Self {
            mode: MetadataMode::Normal,
            instance_id: INSTANCE.to_owned(),
            zone: format!("{region}-h"),
            region,
            account: ACCOUNT.to_owned(),
            role: Some(ROLE.to_owned()),
            credentials_life: Duration::from_secs(6 * 3600),
            tokens: BTreeMap::new(),
        }
    }
}

pub(crate) fn answer(context: &Context<'_>, request: &Request) -> Result {
    let mut state = context.state();
    let mode = state.metadata.mode;
    if mode == MetadataMode::Off {
        return Err(error(404, "Not Found", "switched off"));
    }
    if request.path == "/latest/api/token" {
        return match mode {
            MetadataMode::Old => Err(error(404, "Not Found", "no such path")),
            _ => token(&mut state, context.now, request),
        };
    }
    let token = request.header("x-aliyun-ecs-metadata-token");
    let is_valid = |token: &String| {
        let ends = state.metadata.tokens.get(token);
        ends.is_some_and(|ends| *ends > context.now)
    };
    match (mode, token) {
        (MetadataMode::Hardened, None) => return Err(error(403, "Forbidden", "no token")),
        (MetadataMode::Old, _) | (_, None) => {}
        (_, Some(token)) if is_valid(&token) => {}
        _ => return Err(error(401, "Unauthorized", "no valid token")),
    }
    if request.method != "GET" {
        return Err(error(405, "Method Not Allowed", "only GET"));
    }
    let body = say(&mut state, context.now, &request.path);
    let body = body.ok_or_else(|| error(404, "Not Found", "no such path"))?;
    Ok(Answer::new(200, "text/plain", body.into_bytes()))
}

fn token(state: &mut State, now: i64, request: &Request) -> Result {
    if request.method != "PUT" {
        return Err(error(405, "Method Not Allowed", "only PUT"));
    }
    if request.header("x-forwarded-for").is_some() {
        return Err(error(403, "Forbidden", "forwarded"));
    }
    let ttl = request.header("x-aliyun-ecs-metadata-token-ttl-seconds");
    let ttl = ttl.and_then(|text| text.parse::<i64>().ok());
    let ttl = ttl.filter(|ttl| (1..=TTL_MAX).contains(ttl));
    let ttl = ttl.ok_or_else(|| error(400, "Bad Request", "no valid time to live"))?;
    let token = format!("{}==", hex(&state.ids.random()));
    let tokens = &mut state.metadata.tokens;
    tokens.insert(token.clone(), now + ttl * 1000);
    Ok(Answer::new(200, "text/plain", token.into_bytes()))
}

fn say(state: &mut State, now: i64, path: &str) -> Option<String> {
    let metadata = state.metadata.clone();
    if path == "/latest/dynamic/instance-identity/document" {
        let document = json!({
            "owner-account-id": metadata.account,
            "zone-id": metadata.zone,
            "instance-id": metadata.instance_id,
            "region-id": metadata.region,
        });
        return Some(document.to_string());
    }
    match path.strip_prefix("/latest/meta-data/")? {
        "" => Some(
            "instance-id\nowner-account-id\nram/\nregion-id\nserial-number\nzone-id".to_owned(),
        ),
        "instance-id" => Some(metadata.instance_id),
        "region-id" => Some(metadata.region),
        "zone-id" => Some(metadata.zone),
        "owner-account-id" => Some(metadata.account),
        "ram/security-credentials" | "ram/security-credentials/" => metadata.role,
        path => {
            let role = path.strip_prefix("ram/security-credentials/")?;
            let is_it = metadata.role.as_deref() == Some(role);
            is_it.then(|| credentials(state, now, role))
        }
    }
}

/// A new key of the role, which the other services know from now on.
fn credentials(state: &mut State, now: i64, role: &str) -> String {
    let life = state.metadata.credentials_life;
    let (account, instance) = (&state.metadata.account, &state.metadata.instance_id);
    let arn = format!("acs:ram::{account}:assumed-role/{role}/{instance}");
    let account = account.clone();
    let mut document = session(state, now, life, account, arn);
    document["Code"] = json!("Success");
    document["LastUpdated"] = json!(time(now, false));
    document.to_string()
}

/// A new key of a session, which the services know from now on, as the services write it.
pub(crate) fn session(
    state: &mut State,
    now: i64,
    life: Duration,
    account: String,
    arn: String,
) -> Value {
    let expires = now + ms(life);
    let digits = hex(&state.ids.random());
    let key = AccessKey {
        id: format!("STS.NT{}", &digits[..16]),
        secret: digits[16..60].to_owned(),
        token: Some(format!("CAIS+/{digits}==")),
        expires: Some(expires),
        account,
        arn: Some(arn),
    };
    let document = json!({
        "AccessKeyId": key.id,
        "AccessKeySecret": key.secret,
        "SecurityToken": key.token,
        "Expiration": time(expires, false),
    });
    state.keys.push(key);
    document
}
