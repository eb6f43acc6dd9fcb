//! TLS: with `nbds` always, and with whom it was meant.

use crate::harness::{Server, options, pattern, read_all, refuse, same, text};
use flr_provider::nbd::{NbdOptions, NbdStore};
use flr_provider::{Error, FaultKind};
use flr_tests::require::require;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A folder as both servers want it, with an authority of its own.
struct Certificates {
    dir: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let names = [
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "disk.example".to_owned(),
        ];
        let mut params = CertificateParams::new(names).unwrap();
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(dir.path().join(name), text).unwrap();
        };
        write("ca-cert.pem", authority.pem());
        write("server-cert.pem", certificate.pem());
        write("server-key.pem", key.serialize_pem());
        Self { dir }
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca-cert.pem")
    }

    fn options(&self) -> NbdOptions {
        NbdOptions {
            ca_file: Some(self.ca()),
            ..options()
        }
    }

    /// What `nbdkit` is told.
    fn nbdkit(&self) -> String {
        format!("--tls-certificates={}", text(self.dir.path()))
    }
}

#[test]
fn bytes_through_tls() {
    if !require(&["nbdkit", "qemu-nbd"]) {
        return;
    }
    let certificates = Certificates::new();
    let dir = TempDir::new().unwrap();
    let size = 5_000_000;
    let words = [
        "--tls=require",
        &certificates.nbdkit(),
        "pattern",
        "5000000",
    ];
    let (_server, port) = Server::nbdkit_on_port(&words);
    for host in ["127.0.0.1", "localhost"] {
        let uri = format!("nbds://{host}:{port}/");
        let store = NbdStore::open(&uri, &certificates.options()).unwrap();
        same(&read_all(&store, 1).unwrap(), &pattern(size));
    }
    let file = dir.path().join("image");
    std::fs::write(&file, pattern(1 << 22)).unwrap();
    let folder = text(certificates.dir.path());
    let object = format!("tls-creds-x509,id=t,endpoint=server,dir={folder},verify-peer=off");
    let words = [
        "--object",
        &object,
        "--tls-creds=t",
        "--format=raw",
        text(&file),
    ];
    let server = Server::qemu(&dir, &words);
    let uri = server.tls_uri("", "disk.example");
    let store = NbdStore::open(&uri, &certificates.options()).unwrap();
    same(&read_all(&store, 1).unwrap(), &pattern(1 << 22));
}

#[test]
fn never_without_where_it_was_asked_for() {
    if !require(&["nbdkit"]) {
        return;
    }
    let certificates = Certificates::new();
    let (_server, port) = Server::nbdkit_on_port(&["--tls=off", "pattern", "1M"]);
    let uri = format!("nbds://127.0.0.1:{port}/");
    let insecure = NbdOptions {
        insecure: true,
        ..certificates.options()
    };
    let (error, _) = refuse(&uri, &insecure);
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("has no TLS"), "{error}");

    let words = ["--tls=require", &certificates.nbdkit(), "pattern", "1M"];
    let (_server, port) = Server::nbdkit_on_port(&words);
    let (error, hint) = refuse(&format!("nbd://127.0.0.1:{port}/"), &options());
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(hint.contains("nbds://"), "{hint}");
}

#[test]
fn only_with_whom_it_was_meant() {
    if !require(&["nbdkit"]) {
        return;
    }
    let certificates = Certificates::new();
    let dir = TempDir::new().unwrap();
    let words = ["--tls=require", &certificates.nbdkit(), "pattern", "1M"];
    let server = Server::nbdkit(&dir, &words);
    let others = Certificates::new();
    for (name, options) in [
        ("elsewhere.example", certificates.options()),
        ("localhost", others.options()),
        ("localhost", options()),
    ] {
        let (error, hint) = refuse(&server.tls_uri("", name), &options);
        let Error::Remote { fault, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(fault.kind, FaultKind::Refused, "{error}");
        assert!(hint.contains("SSL_CERT_FILE"), "{hint}");
    }
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let options = NbdOptions {
        ca_file: Some(empty),
        ..options()
    };
    let (error, _) = refuse(&server.tls_uri("", "localhost"), &options);
    assert!(matches!(error, Error::Usage { .. }), "{error}");
}

/// The URI that `with_the_roots_of_the_environment` gives to the process that it starts.
const URI: &str = "FLR_TEST_NBD_URI";

#[test]
fn with_the_roots_of_the_environment() {
    if !require(&["nbdkit"]) {
        return;
    }
    if let Ok(uri) = std::env::var(URI) {
        let store = NbdStore::open(&uri, &options()).unwrap();
        same(&read_all(&store, 1).unwrap(), &pattern(1 << 20));
        return;
    }
    let certificates = Certificates::new();
    let words = ["--tls=require", &certificates.nbdkit(), "pattern", "1M"];
    let (_server, port) = Server::nbdkit_on_port(&words);
    // The environment of a process of several threads must not change, so that another one has it.
    let test = ["--exact", "tls::with_the_roots_of_the_environment"];
    let status = Command::new(std::env::current_exe().unwrap())
        .args(test)
        .env(URI, format!("nbds://localhost:{port}/"))
        .env("SSL_CERT_FILE", certificates.ca())
        .env_remove("SSL_CERT_DIR")
        .status();
    assert!(status.unwrap().success());
}
