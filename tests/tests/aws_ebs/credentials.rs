//! As whom: each source of credentials, in a process of its own with an environment of its own.

use flr_provider::FaultKind;
use flr_provider::aws::fault::hint;
use flr_provider::aws::{Client, ClientSettings};
use flr_provider::remote::block_on;
use flr_tests::aws_fake::{ACCOUNT, Call, Config, Fake, FakeFault, OTHER_ACCOUNT};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Set in the process that `says` starts.
const CHILD: &str = "FLR_TEST_AWS_CHILD";

/// What a client says of its region and account, with these variables and no others of AWS.
fn says(folder: &Path, variables: &[(&str, String)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "credentials::child", "--nocapture"]);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("AWS_") || name_text.to_lowercase().ends_with("_proxy") {
            command.env_remove(&name);
        }
    }
    let output = command
        .env(CHILD, "1")
        .env("HOME", folder)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    let line = text.lines().find_map(|line| line.split_once("SAYS "));
    line.unwrap_or_else(|| panic!("{text}")).1.to_owned()
}

/// Not a test: what `says` runs.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let settings = ClientSettings {
        profile: std::env::var("FLR_TEST_PROFILE").ok(),
        ..ClientSettings::default()
    };
    let client = match Client::new(&settings) {
        Ok(client) => client,
        Err(error) => {
            println!("SAYS {error} | {}", error.hint().unwrap_or_default());
            return;
        }
    };
    let mut answer = block_on(client.account());
    if answer
        .as_ref()
        .is_err_and(|fault| fault.kind == FaultKind::Expired)
    {
        answer = block_on(client.account());
    }
    let answer = match answer {
        Ok(account) => account,
        Err(fault) => format!(
            "{:?} {fault} | {}",
            fault.kind,
            hint(&fault).unwrap_or_default()
        ),
    };
    println!("SAYS {} {answer}", client.region());
}

struct Place {
    fake: Fake,
    folder: tempfile::TempDir,
    keys: [(String, String); 2],
}

fn place() -> Place {
    let config = Config::default();
    let key = |at: usize| (config.keys[at].id.clone(), config.keys[at].secret.clone());
    let keys = [key(0), key(1)];
    Place {
        fake: Fake::start(config),
        folder: tempfile::tempdir().unwrap(),
        keys,
    }
}

impl Place {
    fn says(&self, variables: &[(&str, &str)]) -> String {
        let url = self.fake.url();
        let mut all = vec![
            ("AWS_ENDPOINT_URL", url.clone()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url),
        ];
        all.extend(
            variables
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        says(self.folder.path(), &all)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn of_the_environment() {
    let place = place();
    let (id, secret) = &place.keys[1];
    let said = place.says(&[
        ("AWS_ACCESS_KEY_ID", id),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ]);
    assert_eq!(said, format!("eu-west-1 {OTHER_ACCOUNT}"));
}

#[test]
fn of_profiles_and_programs() {
    let place = place();
    let [(id, secret), (other_id, other_secret)] = &place.keys;
    place.write(
        ".aws/credentials",
        &format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
    );
    let json = serde_json::json!({
        "Version": 1, "AccessKeyId": other_id, "SecretAccessKey": other_secret,
    });
    place.write("keys.json", &json.to_string());
    let file = place.folder.path().join("keys.json");
    place.write(
        ".aws/config",
        &format!(
            "[default]\nregion = us-east-1\n[profile other]\nregion = eu-west-1\n\
             credential_process = cat {}\n",
            file.display()
        ),
    );
    assert_eq!(place.says(&[]), format!("us-east-1 {ACCOUNT}"));
    let other = format!("eu-west-1 {OTHER_ACCOUNT}");
    assert_eq!(place.says(&[("FLR_TEST_PROFILE", "other")]), other);
    assert_eq!(place.says(&[("AWS_PROFILE", "other")]), other);
    let said = place.says(&[("FLR_TEST_PROFILE", "none"), ("AWS_REGION", "us-east-1")]);
    assert!(said.contains("Denied") && said.contains("none"), "{said}");
    let said = place.says(&[("AWS_PROFILE", "none"), ("AWS_REGION", "us-east-1")]);
    assert!(said.contains("Denied") && said.contains("none"), "{said}");
    // Who names a profile does not mean the keys that lie about; who only has set its variable does.
    let lying = [
        ("AWS_ACCESS_KEY_ID", id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ];
    let said = place.says(&[&lying[..], &[("FLR_TEST_PROFILE", "other")]].concat());
    assert_eq!(said, other);
    let said = place.says(&[&lying[..], &[("AWS_PROFILE", "other")]].concat());
    assert_eq!(said, format!("eu-west-1 {ACCOUNT}"));
}

#[test]
fn of_the_machine_with_its_region() {
    let place = place();
    assert_eq!(place.says(&[]), format!("us-east-1 {ACCOUNT}"));
    assert_eq!(
        place.says(&[("AWS_REGION", "eu-west-1")]),
        format!("eu-west-1 {ACCOUNT}")
    );
}

#[test]
fn what_has_expired_is_asked_for_again() {
    let place = place();
    let mut fault = Some(FakeFault::ExpiredToken);
    place
        .fake
        .set_rule(move |call: &Call| match call.operation.as_str() {
            "GetCallerIdentity" => fault.take(),
            _ => None,
        });
    assert_eq!(place.says(&[]), format!("us-east-1 {ACCOUNT}"));
    let calls = place.fake.requests();
    let asked = calls
        .iter()
        .filter(|call| call.operation.ends_with("/flr-tester"));
    assert_eq!(asked.count(), 2, "{calls:?}");
}

#[test]
fn without_any_the_next_command_is_named() {
    let place = place();
    place.fake.state().metadata.enabled = false;
    let said = place.says(&[("AWS_REGION", "us-east-1")]);
    assert!(
        said.contains("Denied there are no credentials for AWS"),
        "{said}"
    );
    assert!(
        said.contains("aws configure") && said.contains("--profile"),
        "{said}"
    );
    let said = place.says(&[]);
    assert!(
        said.contains("there is no region") && said.contains("--region"),
        "{said}"
    );
}

#[test]
fn metadata_that_do_not_answer_do_not_hold_us() {
    let place = place();
    // It accepts connections (the kernel does), and nobody ever reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let start = Instant::now();
    let said = place.says(&[
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url),
        ("AWS_REGION", "us-east-1"),
    ]);
    let took = start.elapsed();
    println!("{took:?}");
    assert!(said.contains("Denied"), "{said}");
    assert!(took < Duration::from_secs(12), "{took:?}");
}
