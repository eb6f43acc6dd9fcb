//! Content is what the servers' own tools say.

use crate::harness::{
    DEADLINE, Server, chunks, fetch, open, options, pattern, read_all, refuse, run, same, text,
};
use flr_provider::Error;
use flr_provider::nbd::{NbdOptions, NbdStore};
use flr_provider::remote::{ChunkStore, block_on, runtime};
use flr_tests::require::require;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No multiple of anything.
const ODD: u64 = 9_999_993;

#[test]
fn a_pattern_over_every_kind_of_connection() {
    if !require(&["nbdkit"]) {
        return;
    }
    let expected = pattern(ODD);
    let size = ODD.to_string();
    let dir = TempDir::new().unwrap();
    // Without structured answers, and without what newer handshakes have.
    for more in [&[][..], &["--no-sr"], &["--mask-handshake=1"]] {
        let words = [more, &["pattern", &size]].concat();
        let server = Server::nbdkit(&dir, &words);
        let store = open(&server.uri(""));
        assert_eq!(store.size(), ODD);
        same(&read_all(&store, 1).unwrap(), &expected);
    }
    let (_server, port) = Server::nbdkit_on_port(&["pattern", &size]);
    for host in ["127.0.0.1", "localhost"] {
        let store = open(&format!("nbd://{host}:{port}/any"));
        assert_eq!(store.name(), format!("nbd://{host}:{port}/any"));
        same(&read_all(&store, 1).unwrap(), &expected);
        let last = fetch(&store, chunks(&store) - 1..chunks(&store)).unwrap();
        assert!(expected.ends_with(&last));
    }
}

#[test]
fn answers_come_in_any_order() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("image");
    let expected = pattern(3 << 20);
    std::fs::write(&file, &expected).unwrap();
    // Each read waits as long as chance wants: the threads of the server overtake one another.
    let pread = format!(
        "pread=sleep 0.0$(( $(od -An -N1 -tu1 /dev/urandom) % 10 )); \
         dd if={} bs=65536 skip=$4 iflag=skip_bytes,count_bytes count=$3 2>/dev/null",
        text(&file)
    );
    let words = [
        "--threads=16",
        "eval",
        "thread_model=echo parallel",
        "get_size=echo 3M",
        &pread,
    ];
    let server = Server::nbdkit(&dir, &words);
    let store = open(&server.uri(""));
    let fetches = (0..chunks(&store)).map(|chunk| {
        let store = Arc::clone(&store);
        runtime::handle().spawn(async move { store.fetch(chunk..chunk + 1).await })
    });
    let fetches: Vec<_> = fetches.collect();
    let mut found = Vec::new();
    for fetch in fetches {
        found.extend(block_on(fetch).unwrap().unwrap());
    }
    same(&found, &expected);
}

/// A sparse qcow2 with an internal snapshot `s1`, and what its bytes were and are.
struct Qcow {
    dir: TempDir,
    file: PathBuf,
}

impl Qcow {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("disk.qcow2");
        run(
            "qemu-img",
            &["create", "-q", "-f", "qcow2", text(&file), "64M"],
        );
        let write = |command: &str| {
            run("qemu-io", &["-f", "qcow2", "-c", command, text(&file)]);
        };
        write("write -P 0x11 0 1M");
        write("write -P 0x22 20M 3M");
        write("write -z 21M 1M");
        write("write -P 0x33 63M 1M");
        run("qemu-img", &["snapshot", "-c", "s1", text(&file)]);
        write("write -P 0x44 512k 40M");
        Self { dir, file }
    }

    /// What `qemu-img convert` says.
    fn raw(&self, more: &[&str]) -> Vec<u8> {
        let raw = self.dir.path().join("raw");
        let words = [
            &["convert", "-O", "raw"][..],
            more,
            &[text(&self.file), text(&raw)],
        ];
        run("qemu-img", &words.concat());
        std::fs::read(raw).unwrap()
    }
}

#[test]
fn a_qcow2_and_its_snapshot() {
    if !require(&["qemu-nbd", "qemu-img", "qemu-io"]) {
        return;
    }
    let qcow = Qcow::new();
    let file = text(&qcow.file);
    let now = qcow.raw(&["-f", "qcow2"]);
    {
        let server = Server::qemu(&qcow.dir, &["--format=qcow2", file]);
        let store = open(&server.uri(""));
        same(&read_all(&store, 1).unwrap(), &now);
    }
    let then = qcow.raw(&["-f", "qcow2", "-l", "s1"]);
    let server = Server::qemu(&qcow.dir, &["--format=qcow2", "--load-snapshot=s1", file]);
    let store = open(&server.uri(""));
    same(&read_all(&store, 1).unwrap(), &then);
    assert!(now != then);
}

#[test]
fn a_raw_file_of_qemu() {
    if !require(&["qemu-nbd"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("image");
    // qemu counts in sectors; the rest of the last one reads as zeros.
    let mut expected = pattern(5_000_008);
    std::fs::write(&file, &expected).unwrap();
    let server = Server::qemu(&dir, &["--format=raw", text(&file)]);
    let store = open(&server.uri(""));
    expected.resize(usize::try_from(store.size()).unwrap(), 0);
    same(&read_all(&store, 1).unwrap(), &expected);
}

#[test]
fn a_sparse_export_is_what_nbdcopy_says() {
    if !require(&["nbdkit", "nbdcopy"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let words = [
        "sparse-random",
        "200M",
        "seed=7",
        "runlength=300000",
        "percent=20",
    ];
    let server = Server::nbdkit(&dir, &words);
    let copy = dir.path().join("copy");
    run("nbdcopy", &[&server.uri(""), text(&copy)]);
    let store = open(&server.uri(""));
    same(&read_all(&store, 1).unwrap(), &std::fs::read(copy).unwrap());
}

#[test]
fn an_export_that_is_not_there_names_the_others() {
    if !require(&["nbdkit", "qemu-nbd"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("image");
    std::fs::write(&file, pattern(1 << 20)).unwrap();
    let server = Server::qemu(
        &dir,
        &["--export-name=disk one", "--format=raw", text(&file)],
    );
    open(&server.uri("disk%20one"));
    let (error, hint) = refuse(&server.uri("other"), &options());
    assert!(matches!(error, Error::NoSuch { .. }), "{error}");
    assert_eq!(hint, "the server has \"disk one\"");

    let words = ["--filter=exportname", "null", "exportname-strict=true"];
    let lists = ["exportname-list=explicit", "exportname=a", "exportname=b"];
    let server = Server::nbdkit(&dir, &[&words[..], &lists].concat());
    open(&server.uri("b"));
    let (error, hint) = refuse(&server.uri("c"), &options());
    assert!(matches!(error, Error::NoSuch { .. }), "{error}");
    assert_eq!(hint, "the server has \"a\", \"b\"");

    let silent = ["exportname-list=error", "exportname=a"];
    let server = Server::nbdkit(&dir, &[&words[..], &silent].concat());
    let (error, hint) = refuse(&server.uri("c"), &options());
    assert!(matches!(error, Error::NoSuch { .. }), "{error}");
    assert_eq!(hint, "the server does not tell which exports it has");
}

#[test]
fn what_others_may_write_to_is_refused() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let server = Server::nbdkit_for_writing(&dir, &["memory", "1M"]);
    let (error, hint) = refuse(&server.uri(""), &options());
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(hint.contains("--live"), "{hint}");
    let live = NbdOptions {
        live: true,
        ..options()
    };
    let store = NbdStore::open(&server.uri(""), &live).unwrap();
    same(&read_all(&store, 1).unwrap(), &vec![0; 1 << 20]);
}

#[test]
fn lengths_are_those_the_server_wants() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    // Everything else is an error there.
    for (minimum, preferred, maximum) in [
        ("4096", "4096", "4096"),
        ("65536", "65536", "196608"),
        ("512", "1M", "32M"),
        ("1", "4096", "1M"),
    ] {
        let sizes = [
            format!("blocksize-minimum={minimum}"),
            format!("blocksize-preferred={preferred}"),
            format!("blocksize-maximum={maximum}"),
        ];
        let sizes = sizes.each_ref().map(String::as_str);
        let words = [
            "--filter=blocksize-policy",
            "pattern",
            "5M",
            "blocksize-error-policy=error",
        ];
        let server = Server::nbdkit(&dir, &[&words[..], &sizes].concat());
        let store = open(&server.uri(""));
        assert!(store.chunk_len().is_power_of_two());
        same(&read_all(&store, 1).unwrap(), &pattern(5 << 20));
    }
}

#[test]
fn several_connections_where_the_server_can() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let content = pattern(20 << 20);
    let log = dir.path().join("log");
    let logfile = format!("logfile={}", text(&log));
    for (more, most) in [(&[][..], 4), (&["multi-conn-mode=disable"], 1)] {
        let words = [
            "--filter=log",
            "--filter=multi-conn",
            "--filter=delay",
            "pattern",
            "20M",
        ];
        let delay = [logfile.as_str(), "delay-read=50ms"];
        let server = Server::nbdkit(&dir, &[&words[..], &delay, more].concat());
        let store = open(&server.uri(""));
        // One more is opened whenever all have much to do.
        for _ in 0..4 {
            same(&read_all(&store, 1).unwrap(), &content);
        }
        let lines = std::fs::read_to_string(&log).unwrap();
        let connected = lines
            .lines()
            .filter(|line| line.contains(" Connect "))
            .count();
        assert!(lines.contains("Read"), "{lines}");
        assert_eq!(connected, most, "{lines}");
    }
}

#[test]
fn a_server_that_lets_in_few_keeps_nobody_waiting() {
    if !require(&["qemu-nbd"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("image");
    std::fs::write(&file, pattern(40 << 20)).unwrap();
    // It says that there may be several connections, and does not answer the third.
    let server = Server::qemu(&dir, &["--shared=2", "--format=raw", text(&file)]);
    let store = open(&server.uri(""));
    let start = Instant::now();
    let expected = pattern(40 << 20);
    for _ in 0..3 {
        same(&read_all(&store, 1).unwrap(), &expected);
    }
    assert!(start.elapsed() < options().timeout);
}

#[test]
fn a_server_that_nobody_runs_and_old_ones() {
    let dir = TempDir::new().unwrap();
    let uri = format!("nbd+unix:///?socket={}", dir.path().join("none").display());
    assert!(matches!(refuse(&uri, &options()).0, Error::NotFound { .. }));
    if !require(&["nbdkit"]) {
        return;
    }
    for old in ["--oldstyle", "--mask-handshake=0"] {
        let server = Server::nbdkit(&dir, &[old, "pattern", "1M"]);
        let (error, _) = refuse(&server.uri(""), &options());
        assert!(error.to_string().contains("fixed newstyle"), "{error}");
    }
}

#[test]
fn an_address_far_away_wants_tls() {
    let start = Instant::now();
    // Nothing is sent there: these are addresses for documents. 0.0.0.0 is this machine, but not by right.
    for host in ["192.0.2.1", "[2001:db8::1]", "0.0.0.0"] {
        let (error, hint) = refuse(&format!("nbd://{host}/x"), &options());
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(
            hint.contains("nbds://") && hint.contains("--insecure"),
            "{hint}"
        );
    }
    assert!(start.elapsed() < DEADLINE / 3);
    let insecure = NbdOptions {
        insecure: true,
        timeout: Duration::from_secs(5),
        ..options()
    };
    if !require(&["nbdkit"]) {
        return;
    }
    let (_server, port) = Server::nbdkit_on_port(&["pattern", "1M"]);
    let store = NbdStore::open(&format!("nbd://0.0.0.0:{port}/"), &insecure).unwrap();
    same(&read_all(&store, 1).unwrap(), &pattern(1 << 20));
}
