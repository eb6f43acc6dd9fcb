//! Instance metadata, version 2 only.

use super::config::{ACCOUNT, AccessKey, Config};
use super::context::Context;
use super::error::{Result, error};
use super::state::State;
use crate::stand_in::clock::iso;
use crate::stand_in::encoding::hex;
use crate::stand_in::{Answer, Request};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const TTL_MAX: i64 = 21_600;

/// What the metadata say, and of whom.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Whether there are any: else every path is 404.
    pub enabled: bool,
    /// The instance.
    pub instance_id: String,
    /// Its availability zone.
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
            enabled: true,
            instance_id: "i-0123456789abcdef0".to_owned(),
            zone: format!("{region}a"),
            region,
            account: ACCOUNT.to_owned(),
            role: Some("flr-tester".to_owned()),
            credentials_life: Duration::from_secs(6 * 3600),
            tokens: BTreeMap::new(),
        }
    }
}

pub(crate) fn answer(context: &Context<'_>, request: &Request) -> Result {
    let mut state = context.state();
    if !state.metadata.enabled {
        return Err(error(404, "Not Found", "switched off"));
    }
    if request.header("x-forwarded-for").is_some() {
        return Err(error(403, "Forbidden", "forwarded"));
    }
    if request.path == "/latest/api/token" {
        return token(&mut state, context.now, request);
    }
    let token = request
        .header("x-aws-ec2-metadata-token")
        .unwrap_or_default();
    let is_valid = state
        .metadata
        .tokens
        .get(&token)
        .is_some_and(|ends| *ends > context.now);
    if !is_valid {
        return Err(error(401, "Unauthorized", "no valid token"));
    }
    if request.method != "GET" {
        return Err(error(405, "Method Not Allowed", "only GET"));
    }
    let body = say(&mut state, context.now, request.path.trim_end_matches('/'));
    let body = body.ok_or_else(|| error(404, "Not Found", "no such path"))?;
    Ok(Answer::new(200, "text/plain", body.into_bytes()))
}

fn token(state: &mut State, now: i64, request: &Request) -> Result {
    if request.method != "PUT" {
        return Err(error(405, "Method Not Allowed", "only PUT"));
    }
    let ttl = request.header("x-aws-ec2-metadata-token-ttl-seconds");
    let ttl = ttl.and_then(|text| text.parse::<i64>().ok());
    let ttl = ttl.filter(|ttl| (1..=TTL_MAX).contains(ttl));
    let ttl = ttl.ok_or_else(|| error(400, "Bad Request", "no valid time to live"))?;
    let token = format!("AQAAAF{}==", hex(&state.random()));
    state
        .metadata
        .tokens
        .insert(token.clone(), now + ttl * 1000);
    Ok(Answer::new(200, "text/plain", token.into_bytes())
        .with("x-aws-ec2-metadata-token-ttl-seconds", ttl.to_string()))
}

fn say(state: &mut State, now: i64, path: &str) -> Option<String> {
    let metadata = state.metadata.clone();
    if path == "/latest/dynamic/instance-identity/document" {
        let document = json!({
            "accountId": metadata.account,
            "availabilityZone": metadata.zone,
            "instanceId": metadata.instance_id,
            "region": metadata.region,
        });
        return Some(document.to_string());
    }
    let credentials = "iam/security-credentials";
    match path.strip_prefix("/latest/meta-data/")? {
        "instance-id" => Some(metadata.instance_id),
        "placement/availability-zone" => Some(metadata.zone),
        "placement/region" => Some(metadata.region),
        "services/domain" => Some("amazonaws.com".to_owned()),
        "services/partition" => Some("aws".to_owned()),
        path if path == credentials => metadata.role,
        path => {
            let role = path.strip_prefix(credentials)?.strip_prefix('/')?;
            let is_it = metadata.role.as_deref() == Some(role);
            is_it.then(|| self::credentials(state, now, role))
        }
    }
}

/// A new key of the role, which the other services know from now on.
fn credentials(state: &mut State, now: i64, role: &str) -> String {
    let expires = now + crate::stand_in::clock::ms(state.metadata.credentials_life);
    let digits = hex(&state.random()).to_uppercase();
    let (account, instance) = (&state.metadata.account, &state.metadata.instance_id);
    let key = AccessKey {
        id: format!("ASIA{}", &digits[..16]),
        secret: digits[16..56].to_owned(),
        token: Some(format!("IQoJ+/{digits}==")),
        expires: Some(expires),
        account: account.clone(),
        arn: Some(format!(
            "arn:aws:sts::{account}:assumed-role/{role}/{instance}"
        )),
    };
    let document = json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "LastUpdated": format!("{}Z", &iso(now)[..19]),
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "Token": key.token,
        "Expiration": format!("{}Z", &iso(expires)[..19]),
    });
    state.keys.push(key);
    document.to_string()
}
