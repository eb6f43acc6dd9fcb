//! Keys, tokens of sessions, of blocks, of pages and of the metadata: none of them gets into a log, an
//! error, what `Debug` shows, or a file, not even if a server says it back to us.

#[path = "aws_clone/stage.rs"]
mod stage;

use flr_fs::ByteSource;
use flr_provider::aws::{AwsCatalog, Client, ClientSettings, EbsSnapshot, Keys, check_access};
use flr_provider::point::{AccessMode, Catalog, OpenHow};
use flr_provider::remote::{ChunkStore, Chunked, Settings, block_on};
use flr_tests::aws_fake::{
    ACCOUNT, AccessKey, Answer, BLOCK_LEN, Blocks, Call, Config, Fake, FakeFault, Snapshot, When,
};
use flr_tests::victim::harness::Said;
use serde_json::Value;
use stage::{SNAPSHOT, Stage};
use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECRET: &str = "CANARY1secret/0123456789+abcdefghijklmno";
const TOKEN: &str = "CANARY2session/token+0123456789abcdefghijklmnopqrstuvwxyz==";

fn key() -> AccessKey {
    AccessKey {
        token: Some(TOKEN.to_owned()),
        ..AccessKey::new("ASIACANARY0000000001", SECRET, ACCOUNT)
    }
}

/// All that must not be found anywhere.
type Canaries = Arc<Mutex<BTreeSet<String>>>;

/// Notes what the stand-in gives out, and has it say back what it was given.
fn watch(fake: &Fake) -> Canaries {
    let given = [SECRET, TOKEN].map(str::to_owned);
    let canaries: Canaries = Arc::new(Mutex::new(BTreeSet::from(given)));
    let known = Arc::clone(&canaries);
    fake.set_change(move |call, answer| {
        let mut known = known.lock().expect("no panic");
        if answer.status == 200 {
            note(call, answer, &mut known);
        } else {
            say_back(call, answer);
        }
    });
    canaries
}

fn note(call: &Call, answer: &Answer, known: &mut BTreeSet<String>) {
    if call.operation == "PUT /latest/api/token" {
        known.insert(String::from_utf8_lossy(&answer.body).into_owned());
    }
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return;
    };
    let mut add = |value: &Value| {
        known.extend(value.as_str().map(str::to_owned));
    };
    add(&body["NextToken"]);
    for block in body["Blocks"].as_array().into_iter().flatten() {
        add(&block["BlockToken"]);
    }
}

/// Puts all secrets of a call into the words of an error.
fn say_back(call: &Call, answer: &mut Answer) {
    let tokens = call.parameters.iter();
    let tokens = tokens.filter(|(name, _)| name.ends_with("Token") && name != "ClientToken");
    let mut words = format!("you said {SECRET} {TOKEN}");
    for (_, token) in tokens {
        let _ = write!(words, " {token} {}", encode(token));
    }
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    for message in ["<Message>", "\"Message\":\"", "\"message\":\""] {
        if body.contains(message) {
            let body = body.replacen(message, &format!("{message}{words} "), 1);
            answer.body = body.into_bytes();
            return;
        }
    }
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[track_caller]
fn assert_unseen(canaries: &Canaries, text: &str, of: &str) {
    let canaries = canaries.lock().expect("no panic");
    for canary in canaries.iter() {
        for form in [canary.clone(), encode(canary)] {
            if let Some(at) = text.find(&form) {
                let from = text[..at]
                    .char_indices()
                    .rev()
                    .nth(200)
                    .map_or(0, |(at, _)| at);
                panic!("{form} in {of}: {}", &text[from..at + form.len()]);
            }
        }
    }
    // Parts that no line is cut to.
    assert!(
        !text.contains("CANARY1") && !text.contains("CANARY2"),
        "in {of}"
    );
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All that is ours, from now on, and of all threads.
fn log() -> Log {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_env_filter("flr_provider=trace,flr_fs=trace,flr_recover=trace")
        .init();
    log
}

const ID: &str = "snap-0123456789abcdef0";

fn world() -> Fake {
    let fake = Fake::start(Config {
        keys: vec![key()],
        ..Config::default()
    });
    let stored = |index| (index < 9 && index != 4).then(|| vec![7; BLOCK_LEN]);
    let snapshot = Snapshot::new(ID, Blocks::from_fn(2048, stored));
    let mut state = fake.state();
    state.add_snapshot(snapshot);
    state.settings.pages.max = Some(3);
    drop(state);
    fake
}

fn client(fake: &Fake) -> Client {
    let settings = ClientSettings {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(fake.url()),
        ..ClientSettings::default()
    };
    let (id, secret, token) = (key().id, key().secret, key().token);
    Client::with_keys(&settings, Keys { id, secret, token }).expect("a client")
}

/// Everything that can be said of something.
fn say(said: &mut String, what: &dyn Debug) {
    let _ = writeln!(said, "{what:?}\n{what:#?}");
}

fn say_error<E: std::error::Error>(said: &mut String, error: &E) {
    let _ = writeln!(said, "{error}");
    say(said, error);
    let mut source = error.source();
    while let Some(error) = source {
        let _ = writeln!(said, "{error}");
        say(said, &error);
        source = error.source();
    }
}

/// Reads through the catalog, and by single calls whose faults nobody hides.
fn use_all(client: &Client, said: &mut String) {
    let reading = Settings {
        deadline: Duration::from_secs(3),
        attempt_limit: Duration::from_millis(800),
        ..Settings::default()
    };
    say(said, client);
    match block_on(EbsSnapshot::open(client, ID)) {
        Err(fault) => say_error(said, &fault),
        Ok(snapshot) => {
            for index in 0..9 {
                if let Err(fault) = block_on(snapshot.fetch(index..index + 1)) {
                    say_error(said, &fault);
                }
            }
            say(said, &snapshot);
            let source = Chunked::new(snapshot, &reading);
            let mut bytes = vec![0; 9 * BLOCK_LEN];
            if let Err(error) = source.read_at(0, &mut bytes) {
                say_error(said, &error);
            }
            say(said, &source);
        }
    }
    let catalog = AwsCatalog::with_client(client.clone(), reading);
    say(said, &catalog);
    let points = catalog.points(ID);
    let points = match points {
        Ok(points) => points,
        Err(error) => return say_error(said, &error),
    };
    say(said, &points);
    let how = OpenHow {
        access: AccessMode::Direct,
        ..OpenHow::default()
    };
    match catalog.open(&points[0], &how) {
        Err(error) => say_error(said, &error),
        Ok(opened) => {
            say(said, &opened);
            let mut bytes = vec![0; BLOCK_LEN];
            if let Err(error) = opened.disks[0].source.read_at(0, &mut bytes) {
                say_error(said, &error);
            }
        }
    }
}

fn faults() -> Vec<FakeFault> {
    let (before, after) = (When::BeforeEffect, When::AfterEffect);
    let refusal = |status, code: &str, reason: Option<&str>| FakeFault::Error {
        when: before,
        status,
        code: code.to_owned(),
        reason: reason.map(str::to_owned),
    };
    vec![
        FakeFault::Status(before, 500),
        FakeFault::Status(after, 503),
        FakeFault::Throttled,
        FakeFault::HalfClosed(after),
        FakeFault::Reset(after, 300),
        FakeFault::TruncatedBody(200),
        FakeFault::FlippedByte(60),
        FakeFault::FlippedByte(0),
        FakeFault::ExpiredToken,
        FakeFault::ClockSkew(3600),
        FakeFault::Quota,
        refusal(403, "AccessDeniedException", None),
        refusal(403, "SignatureDoesNotMatch", None),
        refusal(400, "ValidationException", Some("INVALID_BLOCK_TOKEN")),
        refusal(400, "ValidationException", Some("INVALID_PAGE_TOKEN")),
    ]
}

#[test]
fn no_secret_is_in_what_is_said_or_logged() {
    let log = log();
    let mut said = String::new();
    let mut all = BTreeSet::new();
    for fault in faults() {
        for operation in [
            "ListSnapshotBlocks",
            "GetSnapshotBlock",
            "DescribeSnapshots",
        ] {
            let fake = world();
            let canaries = watch(&fake);
            let of_rule = fault.clone();
            // Some of the calls, so that what comes after it is seen as well.
            fake.set_rule(move |call| {
                let hit = call.operation == operation && call.nth % 3 == 1;
                hit.then(|| of_rule.clone())
            });
            use_all(&client(&fake), &mut said);
            all.extend(canaries.lock().expect("no panic").iter().cloned());
        }
    }
    let count = all.len();
    let logged = String::from_utf8_lossy(&log.0.lock().expect("no panic")).into_owned();
    let (said_len, logged_len) = (said.len(), logged.len());
    println!("{count} canaries, {said_len} bytes were said, {logged_len} logged");
    assert!(count > 100 && said_len > 100_000, "{count} {said_len}");
    assert!(logged.contains("call failed"), "{logged}");
    // It was said back, and has come through without what it held.
    assert!(said.contains("you said …"), "{said}");
    let canaries = Arc::new(Mutex::new(all));
    assert_unseen(&canaries, &said, "what was said");
    assert_unseen(&canaries, &logged, "the log");
}

/// A token where a number belongs: what is wrong is told without it.
#[test]
fn an_answer_that_makes_no_sense_is_not_quoted() {
    let fake = world();
    fake.set_change(|call, answer| {
        if call.operation == "ListSnapshotBlocks" {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let mut body: Value = serde_json::from_str(&text).expect("JSON");
            let token = body["Blocks"][0]["BlockToken"].clone();
            body["Blocks"][0]["BlockIndex"] = token;
            answer.body = body.to_string().into_bytes();
        }
    });
    let tokens: Canaries = Arc::default();
    let fault = block_on(EbsSnapshot::open(&client(&fake), ID)).map(|_| ());
    let fault = fault.unwrap_err();
    let mut said = String::new();
    say_error(&mut said, &fault);
    // Tokens begin in the same way.
    fake.clear_change();
    let known = watch(&fake);
    block_on(EbsSnapshot::open(&client(&fake), ID)).expect("a snapshot");
    tokens
        .lock()
        .expect("no panic")
        .extend(known.lock().expect("no panic").iter().cloned());
    assert_unseen(&tokens, &said, "a fault");
    assert!(!said.contains("string \""), "{said}");
    let looks = block_on(check_access(&client(&fake)));
    assert_unseen(&tokens, &format!("{looks:?}"), "what an account may do");
}

/// Everything in a folder.
fn files(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, text);
        } else if let Ok(bytes) = std::fs::read(&path) {
            // Latin-1, so that nothing is lost.
            text.extend(bytes.iter().map(|byte| char::from(*byte)));
        }
    }
}

#[test]
fn no_secret_is_in_what_a_process_says_logs_or_keeps() {
    let (before, after) = (When::BeforeEffect, When::AfterEffect);
    let cells = [
        ("", FakeFault::Throttled),
        ("GetCallerIdentity", FakeFault::ExpiredToken),
        ("CreateVolume", FakeFault::Status(after, 500)),
        ("CreateVolume", FakeFault::Quota),
        ("DescribeVolumes", FakeFault::ClockSkew(3600)),
        ("AttachVolume", FakeFault::Throttled),
        ("DeleteVolume", FakeFault::Quota),
        ("PUT /latest/api/token", FakeFault::Status(before, 500)),
        (
            "GET /latest/meta-data/placement/region",
            FakeFault::Status(before, 403),
        ),
    ];
    for (operation, fault) in cells {
        let stage = Stage::new();
        stage.fake.state().keys.push(key());
        let canaries = watch(&stage.fake);
        let of_rule = fault.clone();
        stage.fake.set_rule(move |call| {
            let hit = call.operation == operation && call.nth <= 2;
            hit.then(|| of_rule.clone())
        });
        let mut text = String::new();
        for args in [&["use", "1", SNAPSHOT][..], &["gc"]] {
            let mut command = stage.victim(args);
            command
                .env("AWS_ACCESS_KEY_ID", key().id)
                .env("AWS_SECRET_ACCESS_KEY", SECRET)
                .env("AWS_SESSION_TOKEN", TOKEN)
                .env("FLR_TEST_TRACE", "1");
            let said = Said::of(&command.output().expect("a process"));
            text += &said.out;
            text += &said.err;
        }
        let name = format!("{operation} {fault:?}");
        assert!(text.contains("debug"), "{name}: {text}");
        assert_unseen(&canaries, &text, &name);
        let mut kept = String::new();
        files(&stage.path("here"), &mut kept);
        let begun = stage.fake.count("CreateVolume") > 0;
        assert_eq!(kept.contains(SNAPSHOT), begun, "{name}: the journal");
        assert_unseen(&canaries, &kept, &format!("the files of {name}"));
    }
}

/// Programs and profiles that give out keys in a form that nobody understands.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a profile, in a folder of its own"
)]
fn keys_that_cannot_be_read_are_not_quoted() {
    let stage = Stage::new();
    let canaries = watch(&stage.fake);
    let documents = [
        format!(
            r#"{{"Version":1,"AccessKeyId":"A","SecretAccessKey":"{SECRET}","SessionToken":"{TOKEN}""#
        ),
        format!(r#"{{"Version":"{TOKEN}","AccessKeyId":"A","SecretAccessKey":"{SECRET}"}}"#),
        format!(r#"{{"Version":1,"SecretAccessKey":"{SECRET}","SessionToken":"{TOKEN}"}}"#),
        format!(
            r#"{{"Version":1,"AccessKeyId":"A","SecretAccessKey":"{SECRET}","SessionToken":"{TOKEN}","Expiration":"{TOKEN}"}}"#
        ),
        format!("{SECRET} {TOKEN}"),
    ];
    for document in documents {
        let (config, output) = (stage.path("config"), stage.path("document"));
        std::fs::write(&output, &document).expect("a document");
        let cat = format!(
            "[profile broken]\ncredential_process = cat {}\n",
            output.display()
        );
        std::fs::write(&config, cat).expect("a profile");
        let mut command = stage.victim(&["use", "1", SNAPSHOT]);
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_PROFILE", "broken")
            .env("FLR_TEST_LIMIT_MS", "1000")
            .env("FLR_TEST_TRACE", "1");
        let said = Said::of(&command.output().expect("a process")).ended_with(1);
        let text = said.out + &said.err;
        assert!(text.contains("NoCredentials"), "{text}");
        assert_unseen(&canaries, &text, &document);
    }
}
