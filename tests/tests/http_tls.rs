//! HTTPS: whom the client trusts, seen with nginx and a certificate of an authority made here.
//!
//! Which roots there are is read from the environment, so each case runs in a process of its own.

use flr_provider::http::{HttpOptions, HttpStore};
use flr_provider::remote::{ChunkStore, block_on};
use flr_tests::servers;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The variable that makes [`in_a_process_of_its_own`] do something: the URL to read.
const URL: &str = "FLR_TEST_TLS_URL";

/// A certificate for `localhost` in `folder`, and the authority that signed it.
#[expect(clippy::disallowed_methods, reason = "certificates that are made here")]
fn certificates(folder: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("ca.pem"), authority_pem).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

/// Reads the image with these roots; what it printed.
fn read(url: &str, roots: Option<&Path>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "in_a_process_of_its_own", "--nocapture"]);
    command.env(URL, url).env_remove("SSL_CERT_DIR");
    match roots {
        Some(roots) => command.env("SSL_CERT_FILE", roots),
        None => command.env_remove("SSL_CERT_FILE"),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn in_a_process_of_its_own() {
    let Ok(url) = std::env::var(URL) else { return };
    match HttpStore::open(&url, &HttpOptions::default()) {
        Ok(store) => {
            let bytes = block_on(store.fetch(0..1)).unwrap();
            println!("READ {}", String::from_utf8_lossy(&bytes));
        }
        Err(error) => println!("ERROR {error}"),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an image that is made here")]
fn only_who_is_certified_is_trusted() {
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    fs::write(folder.path().join("disk.img"), "bytes over tls").unwrap();
    let place = folder.path().display();
    let lines = format!(
        "listen ADDRESS ssl http2;\nssl_certificate {place}/server.pem;\n\
         ssl_certificate_key {place}/server.key;"
    );
    let Some(nginx) = servers::nginx(folder.path(), &lines) else {
        return;
    };
    let port = nginx.address().port();
    let url = format!("https://localhost:{port}/disk.img");
    let roots = folder.path().join("ca.pem");
    let good = read(&url, Some(&roots));
    assert!(good.contains("READ bytes over tls"), "{good}");
    // Its authority is unknown to the system; its name is not that of an address.
    for (url, roots) in [
        (url.clone(), None),
        (url.replace("localhost", "127.0.0.1"), Some(&roots)),
    ] {
        let text = read(&url, roots.map(AsRef::as_ref));
        assert!(
            text.contains("ERROR") && text.contains("certificate"),
            "{text}"
        );
    }
}
