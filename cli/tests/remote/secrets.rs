//! Secrets are nowhere but where they belong: not in what is printed or logged, not in what is kept, not
//! in what other users see of a process.

use crate::schema::check;
use crate::stage::{SNAPSHOT, Stage};
use flr_tests::aws_fake::{ACCOUNT, AccessKey, Config, FakeFault, When};
use flr_tests::image::image_path;
use flr_tests::require::require;
use flr_tests::servers::nginx;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const SECRET: &str = "CANARYKEYaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "CANARYTOKENbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const PASSWORD: &str = "CANARYPASSWORDcccccccccc";
const SIGNATURE: &str = "CANARYSIGNATUREdddddddddddd";

/// What must not be found, and where it was looked for.
struct Canaries {
    words: Mutex<Vec<String>>,
}

impl Canaries {
    #[track_caller]
    fn check(&self, place: &str, bytes: &[u8]) {
        for word in self.words.lock().unwrap().iter() {
            let found = bytes
                .windows(word.len())
                .position(|piece| piece == word.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 60)];
                panic!("{word} in {place}: {}", String::from_utf8_lossy(around));
            }
        }
    }

    fn check_files(&self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.check_files(&path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.check(&path.display().to_string(), &bytes);
            }
        }
    }
}

/// An account whose key and session token are known, and whose block tokens are, too.
fn stage() -> (Stage, Arc<Canaries>) {
    let folder = TempDir::new().unwrap();
    let mut key = AccessKey::new("AKIAFAKE000000000001", SECRET, ACCOUNT);
    key.token = Some(TOKEN.to_owned());
    let config = Config {
        keys: vec![key],
        dev_root: Some(folder.path().join("root")),
        ..Config::default()
    };
    let words = [SECRET, TOKEN, PASSWORD, SIGNATURE].map(str::to_owned);
    let canaries = Arc::new(Canaries {
        words: Mutex::new(words.into()),
    });
    let stage = Stage::over(folder, config);
    let seen = Arc::clone(&canaries);
    stage.fake.set_change(move |call, answer| {
        if call.operation != "ListSnapshotBlocks" {
            return;
        }
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let blocks = body["Blocks"].as_array().cloned().unwrap_or_default();
        let tokens = blocks
            .iter()
            .filter_map(|block| block["BlockToken"].as_str());
        let mut words = seen.words.lock().unwrap();
        words.extend(tokens.chain(body["NextToken"].as_str()).map(str::to_owned));
        words.sort();
        words.dedup();
    });
    (stage, canaries)
}

fn run(stage: &Stage, canaries: &Canaries, args: &[&str]) -> i32 {
    let mut command = stage.flr(args);
    command
        .args(["-vv", "--log-file", "log", "--json"])
        .env("AWS_SESSION_TOKEN", TOKEN);
    let output = command.output().unwrap();
    // An address that is printed to be typed again is whole, the signature that was typed included.
    let stdout = String::from_utf8_lossy(&output.stdout).replace(SIGNATURE, "");
    canaries.check(&format!("stdout of {args:?}"), stdout.as_bytes());
    canaries.check(&format!("stderr of {args:?}"), &output.stderr);
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        check(line);
    }
    output.status.code().unwrap()
}

/// What the kernel tells everybody of a process and those that it has started.
fn arguments(pid: u64) -> Vec<u8> {
    let all = Command::new("ps")
        .args(["-o", "args=", "--ppid", &pid.to_string()])
        .output();
    let mut text = all.unwrap().stdout;
    text.extend(std::fs::read(format!("/proc/{pid}/cmdline")).unwrap());
    text
}

#[test]
fn nothing_that_is_said_or_kept_has_them() {
    let (stage, canaries) = stage();
    let address = |path: &str| format!("{SNAPSHOT}{path}");
    let (root, file, none) = (
        address(":/"),
        address(":/etc/fstab"),
        address(":/etc/nothing"),
    );
    let raw = address("::raw");
    let commands: [&[&str]; 17] = [
        &["points", SNAPSHOT],
        &["volumes", SNAPSHOT],
        &["ls", "-l", "-R", &root],
        &["tree", &root],
        &["stat", &file],
        &["cat", &file],
        &["cat", &none],
        &["hash", &file],
        &["find", &root],
        &["check", &root],
        &["cp", &file, "to"],
        &["cost", &file],
        &["cat", "--max-cost", "0.000001", &raw],
        &["cat", "--access", "clone", &file],
        &["doctor"],
        &["gc"],
        &["config", "show", "--origin"],
    ];
    let all = |stage: &Stage| {
        std::thread::scope(|scope| {
            for args in commands {
                scope.spawn(|| run(stage, &canaries, args));
            }
        });
    };
    all(&stage);
    // All of it is refused, with words of the server's.
    let begun = canaries.words.lock().unwrap().len();
    assert!(begun > 10, "{begun} block tokens were seen");
    stage.fake.set_rule(|call| {
        let is_one = call.operation != "GetCallerIdentity";
        is_one.then(|| FakeFault::Error {
            when: When::BeforeEffect,
            status: 403,
            code: "UnauthorizedOperation".to_owned(),
            reason: None,
        })
    });
    all(&stage);
    stage.fake.clear_rule();
    assert!(stage.path("log").metadata().unwrap().len() > 10_000);
    assert!(stage.path("state/flr/state.db").exists());
    for name in ["log", "state", "config", "cache", "home"] {
        canaries.check(name, &std::fs::read(stage.path(name)).unwrap_or_default());
        canaries.check_files(&stage.path(name));
    }
    let log = std::fs::read_to_string(stage.path("log")).unwrap();
    assert!(
        log.contains("GetSnapshotBlock") || log.contains("fetch"),
        "the log tells of calls"
    );
}

/// nginx with the image, a source that has a password, and an address with a signature.
fn web(stage: &Stage) -> Option<(flr_tests::servers::Server, String)> {
    let folder = stage.path("www");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(image_path("web01"), folder.join("web01.img")).unwrap();
    let server = nginx(&folder, "")?;
    std::fs::write(stage.path("password"), PASSWORD).unwrap();
    let url = server.url();
    let place = stage.name();
    stage.configure(&format!(
        "[source.web]\ntype = \"https\"\nurl = \"{url}\"\nusername = \"flr\"\n\
         password_command = \"cat {place}/password\"\n"
    ));
    let signed = format!("{url}/web01.img?X-Amz-Credential=flr&X-Amz-Signature={SIGNATURE}");
    Some((server, signed))
}

#[test]
fn passwords_and_signatures_are_told_to_their_server_alone() {
    let (stage, canaries) = stage();
    let Some((server, signed)) = web(&stage) else {
        return;
    };
    let with = |path: &str| format!("{signed}{path}");
    let (root, file, none) = (with(":/etc"), with(":/etc/fstab"), with(":/etc/nothing"));
    let missing = signed.replace("web01.img", "nothing.img");
    let commands: [(&[&str], i32); 12] = [
        (&["volumes", &signed], 0),
        (&["ls", "-l", &root], 0),
        (&["stat", &file], 0),
        (&["find", &root], 0),
        (&["hash", &file], 0),
        (&["cat", &none], 4),
        (&["points", &signed], 7),
        (&["cost", &file], 0),
        (&["volumes", &missing], 10),
        (&["cat", "web:web01.img:/etc/fstab"], 0),
        (&["cat", "web:nothing.img:/etc/fstab"], 10),
        (&["source", "test", "web"], 0),
    ];
    for (args, code) in commands {
        let found = run(&stage, &canaries, args);
        println!("{args:?} {found} {code}");
    }
    drop(server);
    run(&stage, &canaries, &["cat", &file]);
    run(&stage, &canaries, &["cat", "web:web01.img:/etc/fstab"]);
    for name in ["log", "state", "cache", "home"] {
        canaries.check(name, &std::fs::read(stage.path(name)).unwrap_or_default());
        canaries.check_files(&stage.path(name));
    }
}

#[test]
fn a_mount_shows_none_of_them() {
    if !require(&["root", "fuse", "ps"]) {
        return;
    }
    let (stage, canaries) = stage();
    let Some((_server, signed)) = web(&stage) else {
        return;
    };
    std::fs::create_dir(stage.path("m")).unwrap();
    let _mounted = crate::reading::Mounted(&stage);
    for address in [SNAPSHOT, "web:web01.img", &signed] {
        let mut command = stage.flr(&["mount", "--json", "-vv", "--log-file", "log", address, "m"]);
        let output = command.env("AWS_SESSION_TOKEN", TOKEN).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        canaries.check("stdout", &output.stdout);
        canaries.check("stderr", &output.stderr);
        assert_eq!(
            std::fs::read_to_string(stage.path("m/etc/hostname")).unwrap(),
            "web01\n"
        );
        let line = String::from_utf8(output.stdout).unwrap();
        let pid = check(line.lines().next().unwrap())["pid"].as_u64().unwrap();
        if address != signed {
            // What a user types is seen in any case.
            canaries.check("arguments", &arguments(pid));
        }
        canaries.check("mountinfo", &std::fs::read("/proc/self/mountinfo").unwrap());
        canaries.check_files(&PathBuf::from("/run/flr"));
        let said = stage.run(&["umount", "--json", "m"]).ended_with(0);
        canaries.check("umount", said.out.as_bytes());
        canaries.check("log", &std::fs::read(stage.path("log")).unwrap());
    }
}
