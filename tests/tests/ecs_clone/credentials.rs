//! As whom: every way in which the vendor's own command comes to credentials, by processes with an
//! environment and a home of their own.

use crate::stage::{SNAPSHOT, Stage};
use flr_tests::ecs_fake::{ACCOUNT, AccessKey, ROLE, Service};
use flr_tests::victim::harness::Said;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// A secret that must not be seen in anything that is said.
const CANARY: &str = "canary0secret0of0no0account000";

/// A process without the variables that hold keys.
fn bare(stage: &Stage, args: &[&str]) -> Command {
    let mut command = stage.victim(args);
    for name in [
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    ] {
        command.env_remove(name);
    }
    command.env("FLR_TEST_TRACE", "1");
    command
}

/// Writes the file of profiles; the first is the current one.
#[expect(clippy::disallowed_methods, reason = "the test makes its own files")]
fn configure(stage: &Stage, profiles: &Value) {
    let folder = stage.path("home/.aliyun");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = json!({"current": profiles[0]["name"], "profiles": profiles, "meta_path": ""});
    std::fs::write(folder.join("config.json"), file.to_string()).expect("a file");
}

/// The first key of the account, in the fields of a profile.
fn key(stage: &Stage) -> AccessKey {
    stage.fake.config().keys[0].clone()
}

fn with_key(stage: &Stage, profile: Value) -> Value {
    let key = key(stage);
    let mut profile = profile;
    profile["access_key_id"] = key.id.into();
    profile["access_key_secret"] = key.secret.into();
    profile
}

#[track_caller]
fn works(said: &Said) {
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
}

/// That nothing of what is secret was said or written.
#[track_caller]
fn nothing_is_told(stage: &Stage, said: &Said) {
    let mut secrets: Vec<_> = stage.fake.state().keys.clone().into_iter().collect();
    secrets.push(AccessKey {
        token: Some("canary0token".to_owned()),
        ..AccessKey::new("id", CANARY, "account")
    });
    let mut texts = vec![said.out.clone(), said.err.clone()];
    let journal = stage.path("here/flr");
    for entry in std::fs::read_dir(journal).into_iter().flatten().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    for text in texts {
        for key in &secrets {
            assert!(!text.contains(&key.secret), "a secret: {text}");
            let token = key.token.as_deref();
            assert!(token.is_none_or(|token| !text.contains(token)), "{text}");
        }
    }
}

#[track_caller]
fn run(stage: &Stage, command: &mut Command) -> Said {
    let said = Said::of(&command.output().expect("a process"));
    nothing_is_told(stage, &said);
    said
}

/// Answers a call that the stand-in does not know with the keys of a session, which it knows from then
/// on.
fn give_out(stage: &Stage, operation: &'static str) -> AccessKey {
    let session = AccessKey {
        token: Some("session/token+of==0123456789".to_owned()),
        ..AccessKey::new("STS.session00001", &"s".repeat(30), ACCOUNT)
    };
    stage.fake.state().keys.push(session.clone());
    let given = session.clone();
    stage.fake.set_change(move |call, answer| {
        if call.operation == operation {
            let body = json!({"RequestId": "x", "Credentials": {
                "AccessKeyId": given.id, "AccessKeySecret": given.secret,
                "SecurityToken": given.token, "Expiration": "2099-01-01T00:00:00Z",
            }});
            answer.body = body.to_string().into_bytes();
            answer.status = 200;
        }
    });
    session
}

#[test]
fn profiles_of_an_access_key() {
    let stage = Stage::new();
    let wrong = json!({"name": "wrong", "mode": "AK", "access_key_id": "LTAInone",
        "access_key_secret": CANARY, "region_id": "cn-hangzhou"});
    let right = with_key(&stage, json!({"name": "right", "mode": "AK"}));
    configure(&stage, &json!([wrong, right]));
    let said = run(&stage, &mut bare(&stage, &["use", "1", SNAPSHOT]));
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("InvalidAccessKeyId"), "{}", said.out);
    let mut command = bare(&stage, &["use", "1", SNAPSHOT]);
    let said = run(&stage, command.env("ALIBABA_CLOUD_PROFILE", "right"));
    works(&said);
    let mut command = bare(&stage, &["gc"]);
    command.env("ALIBABA_CLOUD_PROFILE", "none");
    let said = run(&stage, &mut command);
    assert!(
        said.err.contains("there is no profile none"),
        "{}",
        said.err
    );
    // Keys of the environment count for more.
    let mut command = bare(&stage, &["gc"]);
    let key = key(&stage);
    command
        .env("ALIBABA_CLOUD_PROFILE", "none")
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", &key.id)
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &key.secret);
    works(&run(&stage, &mut command));
    stage.assert_clean("at the end");
}

#[test]
fn a_session_needs_its_token() {
    let stage = Stage::new();
    let session = give_out(&stage, "none");
    let mut profile = json!({"name": "s", "mode": "StsToken", "access_key_id": session.id,
        "access_key_secret": session.secret, "sts_token": session.token});
    configure(&stage, &json!([profile]));
    works(&run(&stage, &mut bare(&stage, &["use", "1", SNAPSHOT])));
    profile["sts_token"] = "".into();
    configure(&stage, &json!([profile]));
    let said = run(&stage, &mut bare(&stage, &["gc"]));
    assert!(said.out.contains("has no sts_token"), "{}", said.out);
    // Logins: what they have given out is good until it ends.
    for mode in ["CloudSSO", "OAuth"] {
        for (ends, fine) in [(4_000_000_000_u64, true), (1_000_000_000, false)] {
            profile["mode"] = mode.into();
            profile["sts_token"] = session.token.clone().into();
            profile["sts_expiration"] = ends.into();
            configure(&stage, &json!([profile]));
            let said = run(&stage, &mut bare(&stage, &["gc"]));
            assert_eq!(said.code == Some(0), fine, "{mode} {ends}: {}", said.out);
            if !fine {
                let words = format!("aliyun configure --profile s --mode {mode}");
                assert!(said.out.contains(&words), "{}", said.out);
            }
        }
    }
    for mode in ["RsaKeyPair", "BearerToken", "Anonymous", "Telepathy"] {
        profile["mode"] = mode.into();
        configure(&stage, &json!([profile]));
        let said = run(&stage, &mut bare(&stage, &["gc"]));
        assert_eq!(said.code, Some(1), "{mode}: {}", said.out);
        assert!(said.out.contains("profile s"), "{mode}: {}", said.out);
    }
}

#[test]
fn roles_are_assumed() {
    let stage = Stage::new();
    let role = json!({"name": "role", "mode": "RamRoleArn", "ram_role_arn": "acs:ram::1:role/flr",
        "ram_session_name": "me", "expired_seconds": 900, "external_id": "ext"});
    let chained = json!({"name": "chained", "mode": "ChainableRamRoleArn",
        "source_profile": "base", "ram_role_arn": "acs:ram::1:role/flr"});
    let base = json!({"name": "base", "mode": "AK", "access_key_id": "LTAInone",
        "access_key_secret": CANARY});
    let on_instance = json!({"name": "here", "mode": "RamRoleArnWithRoleName",
        "ram_role_arn": "acs:ram::1:role/flr"});
    let circle = json!({"name": "circle", "mode": "ChainableRamRoleArn",
        "source_profile": "circle", "ram_role_arn": "acs:ram::1:role/flr"});
    // What is not known to anybody signs no call but the one that gives out a session.
    let unknown = |mut profile: Value| {
        profile["access_key_id"] = "LTAInone".into();
        profile["access_key_secret"] = CANARY.into();
        profile
    };
    let role = unknown(role);
    configure(&stage, &json!([role, chained, base, on_instance, circle]));
    let _ = give_out(&stage, "AssumeRole");
    for name in ["role", "chained", "here"] {
        stage.fake.clear_requests();
        let mut command = bare(&stage, &["use", "1", SNAPSHOT]);
        let said = run(&stage, command.env("ALIBABA_CLOUD_PROFILE", name));
        works(&said);
        let assumed = &stage.fake.calls("AssumeRole")[0];
        let arn = assumed.parameter("RoleArn");
        assert_eq!(arn, Some("acs:ram::1:role/flr"), "{name}");
        let seconds = assumed.parameter("DurationSeconds");
        assert_eq!(seconds, Some(if name == "role" { "900" } else { "3600" }));
        let external = assumed.parameter("ExternalId");
        assert_eq!(external, (name == "role").then_some("ext"));
    }
    let mut command = bare(&stage, &["gc"]);
    let said = run(&stage, command.env("ALIBABA_CLOUD_PROFILE", "circle"));
    assert!(said.out.contains("no end"), "{}", said.out);
    stage.assert_clean("at the end");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test makes its own files")]
fn tokens_of_identity_providers() {
    let stage = Stage::new();
    let provider = "acs:ram::1:oidc-provider/x";
    let role = format!("acs:ram::{ACCOUNT}:role/{ROLE}");
    let known = (provider.to_owned(), "canary0token".to_owned());
    stage.fake.state().settings.oidc_tokens.extend([known]);
    let token = stage.path("token");
    std::fs::write(&token, "canary0token\n").expect("a file");
    let mut command = bare(&stage, &["use", "1", SNAPSHOT]);
    command
        .env("ALIBABA_CLOUD_ROLE_ARN", &role)
        .env("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", provider)
        .env("ALIBABA_CLOUD_OIDC_TOKEN_FILE", &token);
    works(&run(&stage, &mut command));
    let profile = json!({"name": "pod", "mode": "OIDC", "ram_role_arn": role,
        "oidc_provider_arn": provider, "oidc_token_file": token, "ram_session_name": "me"});
    configure(&stage, &json!([profile]));
    works(&run(&stage, &mut bare(&stage, &["gc"])));
    std::fs::write(&token, "canary0token0of0others\n").expect("a file");
    let said = run(&stage, &mut bare(&stage, &["gc"]));
    assert!(said.out.contains("profile pod: "), "{}", said.out);
    let asked = stage.fake.calls("AssumeRoleWithOIDC");
    assert!(asked.len() >= 3);
    stage.assert_clean("at the end");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test makes its own files")]
fn programs_and_servers_give_out_keys() {
    let stage = Stage::new();
    let key = key(&stage);
    let printed = stage.path("printed.json");
    let document = json!({"mode": "AK", "access_key_id": key.id, "access_key_secret": key.secret});
    std::fs::write(&printed, document.to_string()).expect("a file");
    let profile =
        |command: &str| json!([{"name": "p", "mode": "External", "process_command": command}]);
    configure(&stage, &profile(&format!("cat {}", printed.display())));
    works(&run(&stage, &mut bare(&stage, &["use", "1", SNAPSHOT])));
    for (command, why) in [
        ("false", "ended with"),
        ("echo canary0token", "makes no sense"),
        ("/no/such/program canary0token", "No such file"),
    ] {
        configure(&stage, &profile(command));
        let said = run(&stage, &mut bare(&stage, &["gc"]));
        assert_eq!(said.code, Some(1));
        assert!(said.out.contains(why), "{command}: {}", said.out);
    }
    std::fs::remove_file(stage.path("home/.aliyun/config.json")).expect("a file");
    // A server of credentials: the metadata of the stand-in write them alike.
    let uri = format!(
        "{}/latest/meta-data/ram/security-credentials/flr-tester",
        stage.fake.url()
    );
    let mut command = bare(&stage, &["use", "1", SNAPSHOT]);
    let said = run(&stage, command.env("ALIBABA_CLOUD_CREDENTIALS_URI", uri));
    works(&said);
    let mut command = bare(&stage, &["gc"]);
    let uri = "http://192.0.2.1/canary0token";
    let said = run(&stage, command.env("ALIBABA_CLOUD_CREDENTIALS_URI", uri));
    assert!(said.out.contains("expected https"), "{}", said.out);
    stage.assert_clean("at the end");
}

#[test]
fn the_role_of_the_instance_is_asked_anew_before_it_ends() {
    let stage = Stage::new();
    let mut command = bare(&stage, &["use", "1", SNAPSHOT]);
    works(&run(&stage, &mut command));
    let role = "GET /latest/meta-data/ram/security-credentials/flr-tester";
    // Once for each client: that of the engine, and that of the catalog.
    assert_eq!(stage.fake.count(role), 2);
    // Every key ends so soon that none is kept.
    stage.fake.state().metadata.credentials_life = Duration::from_secs(200);
    stage.fake.clear_requests();
    works(&run(&stage, &mut bare(&stage, &["use", "1", SNAPSHOT])));
    assert!(stage.fake.count(role) > 5);
    let mut command = bare(&stage, &["gc"]);
    let said = run(
        &stage,
        command.env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true"),
    );
    assert!(
        said.out.contains("there are no credentials"),
        "{}",
        said.out
    );
    stage.assert_clean("at the end");
}

#[test]
fn a_token_that_has_ended_is_replaced() {
    let stage = Stage::new();
    stage.fake.set_rule(|call| {
        let hit = call.service == Service::Ecs && call.nth == 1;
        hit.then_some(flr_tests::ecs_fake::FakeFault::ExpiredToken)
    });
    works(&run(&stage, &mut bare(&stage, &["use", "1", SNAPSHOT])));
    let role = "GET /latest/meta-data/ram/security-credentials/flr-tester";
    assert!(stage.fake.count(role) >= 2);
    stage.assert_clean("at the end");
}
