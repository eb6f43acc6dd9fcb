//! The modes of profiles: how each of them comes to an access key.

use super::keys::{Given, Keys, given_out};
use super::profile::{Profile, Profiles};
use super::{Asking, none};
use crate::account::answer::{read_body, senseless};
use crate::ecs::client::{Params, Service};
use crate::ecs::fault as faults;
use crate::ecs::wire::Call;
use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use crate::http::check_url;
use crate::http::fault::from_error;
use crate::secret::{Secret, run_program};
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, SystemTime};

/// Profiles that name each other.
const CHAIN_MAX: usize = 8;

/// Credentials are small.
const ANSWER_MAX: usize = 64 << 10;
const PRINTED_MAX: u64 = 64 << 10;
const TOKEN_MAX: u64 = 64 << 10;

/// For a program, which may ask a human.
const PROGRAM_LIMIT: Duration = Duration::from_secs(50);

/// What a session is called if its profile does not say.
const SESSION: &str = "flr";
const SESSION_SECONDS: u64 = 3600;

/// The keys that a profile leads to.
pub(super) async fn of_profile(
    asking: Asking<'_>,
    profiles: &Profiles,
    profile: &Profile,
) -> Result<Keys, Fault> {
    // Roles that are assumed one after the other, the last one first.
    let mut roles: Vec<&Profile> = Vec::new();
    let mut profile = profile;
    while mode_of(profile) == "chainableramrolearn" {
        let source = needed(profile, "source_profile", profile.source_profile.as_deref())?;
        roles.push(profile);
        profile = profiles.named(source).ok_or_else(|| {
            let name = &profile.name;
            none(&format!("profile {name}: there is no profile {source}"))
        })?;
        if roles.len() > CHAIN_MAX {
            let name = &profile.name;
            return Err(none(&format!("profile {name}: its source has no end")));
        }
    }
    let mut keys = first(asking, profile).await?;
    for profile in roles.into_iter().rev() {
        keys = assume(asking, profile, &keys).await?;
    }
    Ok(keys)
}

fn mode_of(profile: &Profile) -> String {
    profile.mode.to_ascii_lowercase()
}

/// What a profile needs in its mode.
fn needed<'a, T: ?Sized>(
    profile: &Profile,
    key: &str,
    value: Option<&'a T>,
) -> Result<&'a T, Fault> {
    value.ok_or_else(|| {
        let Profile { name, mode, .. } = profile;
        none(&format!("profile {name} of mode {mode} has no {key}"))
    })
}

/// The keys of a profile that is no role on top of another one.
async fn first(asking: Asking<'_>, profile: &Profile) -> Result<Keys, Fault> {
    let Profile { name, mode, .. } = profile;
    match mode_of(profile).as_str() {
        "" | "ak" => fixed(profile, None),
        "ststoken" => fixed(profile, profile.sts_token.as_ref()),
        "ramrolearn" => {
            let keys = fixed(profile, profile.sts_token.as_ref())?;
            assume(asking, profile, &keys).await
        }
        "ecsramrole" => instance(asking, profile).await,
        "ramrolearnwithrolename" => {
            let keys = instance(asking, profile).await?;
            assume(asking, profile, &keys).await
        }
        "external" => external(profile).await,
        "credentialsuri" => {
            let uri = profile.credentials_uri.as_ref().map(Secret::expose);
            from_uri(asking, needed(profile, "credentials_uri", uri)?).await
        }
        "oidc" => oidc(asking, profile).await,
        "cloudsso" | "oauth" => logged_in(asking, profile),
        "rsakeypair" => Err(none(&format!(
            "profile {name}: key pairs are no longer given out by Alibaba Cloud; use another mode"
        ))),
        "bearertoken" | "anonymous" => Err(none(&format!(
            "profile {name}: ECS takes no calls of mode {mode}"
        ))),
        _ => Err(none(&format!(
            "profile {name}: the mode {mode:?} is not known to this version"
        ))),
    }
}

/// The access key of a profile itself.
fn fixed(profile: &Profile, token: Option<&Secret>) -> Result<Keys, Fault> {
    let id = needed(profile, "access_key_id", profile.access_key_id.as_deref())?;
    let secret = profile.access_key_secret.as_ref();
    if mode_of(profile) == "ststoken" {
        needed(profile, "sts_token", token)?;
    }
    Ok(Keys {
        id: id.to_owned(),
        secret: needed(profile, "access_key_secret", secret)?.clone(),
        token: token.cloned(),
        expires: None,
    })
}

async fn instance(asking: Asking<'_>, profile: &Profile) -> Result<Keys, Fault> {
    let asked = asking
        .metadata
        .credentials(profile.ram_role_name.as_deref());
    asked
        .await
        .map_err(|failure| none(&format!("profile {}: {}", profile.name, failure.why)))
}

/// What a login has given out, for as long as it is good.
fn logged_in(asking: Asking<'_>, profile: &Profile) -> Result<Keys, Fault> {
    let Profile { name, mode, .. } = profile;
    let now = asking.now.duration_since(SystemTime::UNIX_EPOCH);
    let now = UnixTime(now.unwrap_or_default().as_secs());
    let ends = UnixTime(profile.sts_expiration);
    if ends <= now || profile.access_key_id.is_none() {
        return Err(none(&format!(
            "profile {name}: its login has ended; log in again with `aliyun configure --profile {name} \
             --mode {mode}`, and make a call with it"
        )));
    }
    let keys = fixed(profile, profile.sts_token.as_ref())?;
    Ok(Keys {
        expires: Some(ends),
        ..keys
    })
}

/// What a program prints: a profile with an access key.
async fn external(profile: &Profile) -> Result<Keys, Fault> {
    let command = profile.process_command.clone();
    let command = needed(profile, "process_command", command.as_ref())?.clone();
    let name = profile.name.clone();
    let wrong = |why: &str| none(&format!("profile {name}: process_command: {why}"));
    let run = move || {
        // As the vendor's command takes it apart: no shell, no quotes.
        let words: Vec<_> = command.expose().split_whitespace().collect();
        run_program(&words, PROGRAM_LIMIT, PRINTED_MAX)
    };
    let printed = tokio::task::spawn_blocking(run).await;
    let printed = printed.map_err(|_| wrong("it could not be run"))?;
    let printed = printed.map_err(|why| wrong(&why))?;
    let printed: Profile =
        serde_json::from_slice(&printed).map_err(|_| wrong("what it prints makes no sense"))?;
    let named = Profile {
        name: profile.name.clone(),
        ..printed
    };
    match mode_of(&named).as_str() {
        "" | "ak" => fixed(&named, None),
        "ststoken" => {
            let keys = fixed(&named, named.sts_token.as_ref())?;
            let ends = Some(named.sts_expiration).filter(|ends| *ends > 0);
            Ok(Keys {
                expires: ends.map(UnixTime),
                ..keys
            })
        }
        _ => Err(wrong(
            "expected it to print a profile of mode AK or StsToken",
        )),
    }
}

/// What a server of credentials answers.
pub(super) async fn from_uri(asking: Asking<'_>, uri: &str) -> Result<Keys, Fault> {
    let wrong = |why: &str| none(&format!("credentials_uri: {why}"));
    let url = Url::parse(uri).map_err(|_| wrong("expected a URL"))?;
    // What it is may be as good as a password.
    check_url(&url).map_err(|_| wrong("expected https, or http to this machine"))?;
    let request = asking.wire.http(&url).get(url);
    let (status, body) = exchange(request).await?;
    if !(200..300).contains(&status) {
        return Err(wrong(&format!("the server answered with HTTP {status}")));
    }
    let text = String::from_utf8(body).map_err(|_| wrong("the answer is no text"))?;
    given_out(&text).map_err(wrong)
}

/// A role of whoever has a token of an identity provider.
pub(super) async fn oidc(asking: Asking<'_>, profile: &Profile) -> Result<Keys, Fault> {
    let provider = profile.oidc_provider_arn.as_deref();
    let provider = needed(profile, "oidc_provider_arn", provider)?;
    let file = profile.oidc_token_file.as_deref();
    let file = needed(profile, "oidc_token_file", file)?;
    let token = token_of(file).map_err(|why| none(&format!("{file}: {why}")))?;
    let mut form = role(profile, SESSION_SECONDS)?;
    form.push(("OIDCProviderArn".to_owned(), provider.to_owned()));
    form.push(("OIDCToken".to_owned(), token.expose().to_owned()));
    let query = vec![("Format".to_owned(), "JSON".to_owned())];
    let call = Call {
        service: Service::Sts,
        action: "AssumeRoleWithOIDC",
        query: &query,
        form: &form,
    };
    sts(asking, profile, call, None, &[token.expose()]).await
}

fn token_of(path: &str) -> Result<Secret, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let read = file.take(TOKEN_MAX).read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    Ok(Secret::new(text.trim().to_owned()))
}

/// What names a role and its session.
fn role(profile: &Profile, seconds: u64) -> Result<Params, Fault> {
    let arn = needed(profile, "ram_role_arn", profile.ram_role_arn.as_deref())?;
    let session = profile.ram_session_name.as_deref().unwrap_or(SESSION);
    let pairs = [
        ("RoleArn", arn),
        ("RoleSessionName", session),
        ("DurationSeconds", &seconds.to_string()),
    ];
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into())
}

/// The role of a profile, for whoever has these keys.
async fn assume(asking: Asking<'_>, profile: &Profile, keys: &Keys) -> Result<Keys, Fault> {
    let seconds = match profile.expired_seconds {
        0 => SESSION_SECONDS,
        seconds => seconds,
    };
    let mut query = role(profile, seconds)?;
    if let Some(id) = &profile.external_id {
        query.push(("ExternalId".to_owned(), id.expose().to_owned()));
    }
    let none = Params::new();
    let call = Call {
        service: Service::Sts,
        action: "AssumeRole",
        query: &query,
        form: &none,
    };
    sts(asking, profile, call, Some(keys), &keys.secrets()).await
}

/// A call that gives out the keys of a session.
async fn sts(
    asking: Asking<'_>,
    profile: &Profile,
    call: Call<'_>,
    keys: Option<&Keys>,
    secrets: &[&str],
) -> Result<Keys, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        credentials: Given,
    }
    let region = profile.sts_region.as_deref().unwrap_or(asking.region);
    let request = asking.wire.request(call, region, keys, asking.now)?;
    let (status, body) = exchange(request).await?;
    if !(200..300).contains(&status) {
        let mut fault = faults::fault(status, &body, secrets);
        fault.message = format!("profile {}: {}", profile.name, fault.message);
        return Err(fault);
    }
    let unknown = || senseless(call.action, "it holds no credentials");
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| unknown())?;
    answer.credentials.keys().map_err(|_| unknown())
}

async fn exchange(request: RequestBuilder) -> Result<(u16, Vec<u8>), Fault> {
    let limit = Duration::from_secs(14);
    let exchange = async {
        let sent = request.send().await.map_err(from_error)?;
        let status = sent.status().as_u16();
        let body = read_body(sent, ANSWER_MAX).await?;
        Ok((status, body.to_vec()))
    };
    let late = || {
        Fault::new(
            FaultKind::Unknown,
            format!("no whole answer within {limit:?}"),
        )
    };
    tokio::time::timeout(limit, exchange)
        .await
        .map_err(|_| late())?
}
