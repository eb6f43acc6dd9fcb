//! Sources, roles, certificates, secrets.

use crate::schema::check;
use crate::stage::Stage;
use flr_tests::ontap_fake::{Access, Authority, Config, User};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_source_is_tested_and_looked_into() {
    let stage = Stage::new();
    let said = stage.run(&["source", "test", "filer"]).ended_with(0);
    assert_eq!(
        said.out,
        "filer: cluster cluster1, ONTAP 9.14.1, SVM svm1\n"
    );
    let said = stage
        .run(&["--json", "source", "test", "filer"])
        .ended_with(0);
    said.out.lines().for_each(|line| drop(check(line)));
    let said = stage.run(&["doctor"]);
    for line in [
        "ok       filer cluster: cluster1, ONTAP 9.14.1\n",
        "ok       filer luns: 3 can be seen\n",
        "ok       filer volumes: 1 can be seen\n",
        "ok       filer files: those of vol1 can be seen\n",
        "ok       filer jobs: 0 are open\n",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    stage.assert_clean();
    let user = User::new("flr", "netapp1!secret").with_access("/api/storage/luns", Access::None);
    let stage = Stage::with(Config {
        users: vec![user],
        ..Config::default()
    });
    let said = stage.run(&["doctor"]);
    let line = "bad      filer luns: not authorized for that command (6)\n";
    assert!(said.out.contains(line), "{}", said.out);
}

#[test]
fn without_a_source_it_says_what_is_missing() {
    let stage = Stage::new();
    stage.configure("");
    stage
        .run(&["points", "ontap:svm1/vol1/web"])
        .ended_with(2)
        .told(&[
            "no source of type ontap",
            "flr source add filer --type ontap",
        ]);
    // Of several the one of the SVM is meant.
    let wrong = "[source.other]\ntype = \"ontap\"\nendpoint = \"http://127.0.0.1:1\"\n\
        svm = \"svm9\"\nusername = \"x\"\npassword_command = \"echo x\"\n";
    let right = stage.fake.source("filer");
    stage.configure(&format!("{right}svm = \"svm1\"\n{wrong}"));
    stage.run(&["points", "ontap:svm1/vol1/web"]).ended_with(0);
    stage.configure(&right.replace("http://127.0.0.1", "http://192.0.2.1"));
    stage
        .run(&["points", "filer:svm1/vol1/web"])
        .ended_with(2)
        .told(&["expected https"]);
}

#[test]
fn a_role_is_printed_that_maps_nothing() {
    let stage = Stage::new();
    let said = stage
        .run(&["policy", "ontap", "--svm", "svm1"])
        .ended_with(0);
    let line = "security login rest-role create -vserver svm1 -role flr -api /api/storage/luns \
        -access all\n";
    assert!(said.out.contains(line), "{}", said.out);
    assert!(!said.out.contains("igroup") && !said.out.contains("lun-map"));
    let said = stage
        .run(&["--json", "policy", "ontap", "--snapmirror"])
        .ended_with(0);
    said.out.lines().for_each(|line| drop(check(line)));
    // What it says is enough.
    let rights = said.out.lines().map(check).next().unwrap()["policy"]["rights"].clone();
    let mut user = User::new("flr", "netapp1!secret").with_access("/api", Access::None);
    for right in rights.as_array().unwrap() {
        let access = match right["access"].as_str().unwrap() {
            "all" => Access::All,
            _ => Access::ReadOnly,
        };
        user = user.with_access(right["api"].as_str().unwrap(), access);
    }
    let stage = Stage::with(Config {
        users: vec![user],
        ..Config::default()
    });
    let at = "filer:vol1/web@nightly.0:/etc/hostname";
    assert_eq!(stage.run(&["cat", at]).ended_with(0).out, "web01\n");
    let at = "filer:vol1@nightly.0:/www/index.html";
    assert_eq!(stage.run(&["cat", at]).ended_with(0).out, "two\n");
    stage.assert_clean();
}

#[test]
fn a_client_certificate_over_tls() {
    let authority = Authority::new();
    let client = authority.client("flr");
    let mut user = User::new("flr", "unused-password");
    user.certificate = Some(client.der.clone());
    let stage = Stage::with(Config {
        users: vec![user],
        tls: Some(authority.clone()),
        ..Config::default()
    });
    std::fs::write(stage.path("ca.pem"), authority.pem()).unwrap();
    let pem = stage.path("ontap.pem");
    std::fs::write(&pem, format!("{}{}", client.pem, client.key)).unwrap();
    let text = format!(
        "[source.filer]\ntype = \"ontap\"\nendpoint = \"{}\"\nsvm = \"svm1\"\nclient_cert = \"{}\"\n",
        stage.fake.url(),
        pem.display()
    );
    stage.configure(&text);
    let run = |code: i32| {
        let mut command = stage.flr(&["cat", "filer:vol1/web@nightly.0:/etc/hostname"]);
        let output = command
            .env("SSL_CERT_FILE", stage.path("ca.pem"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), text)
    };
    // A key that others may read is none.
    std::fs::set_permissions(&pem, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(run(2).1.contains("chmod 0600"));
    std::fs::set_permissions(&pem, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(run(0).0, "web01\n");
    // A server that nobody vouches for is not talked to.
    let said = stage.run(&["cat", "filer:vol1/web@nightly.0:/etc/hostname"]);
    assert_ne!(said.code, 0);
    let said = said.told(&["invalid peer certificate", "in SSL_CERT_FILE"]);
    assert_eq!(said.out, "");
    std::fs::write(&pem, "-----BEGIN NOTHING-----\n").unwrap();
    assert!(run(2).1.contains("expected a certificate and its key"));
    assert_eq!(stage.fake.state().leftovers(), [""; 0]);
}

#[test]
fn secrets_are_told_to_nobody() {
    let stage = Stage::new();
    let password = stage.fake.config().users[0].password.clone().unwrap();
    let at = "filer:vol1/web@nightly.0:/etc/hostname";
    let mut told = String::new();
    for args in [
        vec!["-vv", "--log-file", "log", "cat", "--keep", at],
        vec!["-vv", "--json", "session", "ls"],
        vec!["-vv", "--json", "points", "filer:vol1/web"],
        vec!["-vv", "doctor"],
        vec!["--json", "source", "ls"],
    ] {
        let said = stage.run(&args);
        told.push_str(&said.out);
        told.push_str(&said.err);
    }
    told.push_str(&String::from_utf8_lossy(
        &std::fs::read(stage.path("log")).unwrap_or_default(),
    ));
    for entry in std::fs::read_dir(stage.path("state/flr")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        told.push_str(&String::from_utf8_lossy(&bytes));
    }
    // The configuration itself has it, in the command that prints it.
    let shown = told.replace(&format!("printf %s '{password}'"), "");
    assert!(told.contains("web01") && told.contains("filer"));
    assert!(!shown.contains(&password));
    // Basic authentication is that in another form.
    let encoded = "ZmxyOm5ldGFwcDEhc2VjcmV0";
    assert!(!shown.contains(encoded));
    for args in [["session", "close"], ["gc", "-q"]] {
        let said = stage.run(&["session", "ls"]);
        if args[0] == "session" {
            stage
                .run(&["session", "close", &said.out[..32]])
                .ended_with(0);
        }
    }
    stage.assert_clean();
}
