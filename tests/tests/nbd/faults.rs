//! Servers that fail, stop, go away and come back: right bytes, or an error in bounded time.

use crate::harness::{
    DEADLINE, Server, chunks, fetch, open, options, pattern, read_all, same, text,
};
use flr_provider::FaultKind;
use flr_provider::nbd::{NbdOptions, NbdStore};
use flr_provider::remote::{ChunkStore, block_on, runtime};
use flr_tests::require::require;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[test]
fn errors_have_their_names() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    for more in [&[][..], &["--no-sr"]] {
        for (error, kind) in [
            ("EPERM", FaultKind::Denied),
            ("EIO", FaultKind::Unknown),
            ("ENOMEM", FaultKind::Unknown),
            ("EINVAL", FaultKind::Refused),
            ("ESHUTDOWN", FaultKind::Unknown),
        ] {
            let pread = format!("error-pread={error}");
            let words = ["--filter=error", "pattern", "1M", &pread, "error-rate=100%"];
            let server = Server::nbdkit(&dir, &[more, &words].concat());
            let store = open(&server.uri(""));
            let fault = fetch(&store, 0..1).unwrap_err();
            assert_eq!(fault.kind, kind, "{fault}");
            assert!(fault.is(error), "{fault}");
            // A server that is being shut down is left; to others one can still talk.
            assert!(fetch(&store, 0..1).unwrap_err().is(error));
        }
    }
}

#[test]
fn a_socket_that_nobody_listens_on_may_be_served_again() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let uri = format!("nbd+unix:///x?socket={}", socket.display());
    let error = NbdStore::open(&uri, &NbdOptions::default()).unwrap_err();
    assert!(
        matches!(error, flr_provider::Error::Remote { .. }),
        "{error}"
    );
}

#[test]
fn a_server_that_fails_now_and_then_gives_right_bytes_in_the_end() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let words = ["--filter=error", "--filter=delay", "pattern", "20M"];
    let more = ["error-pread=EIO", "error-pread-rate=40%", "delay-read=1ms"];
    let server = Server::nbdkit(&dir, &[&words[..], &more].concat());
    let store = open(&server.uri(""));
    // 40 times the same fault is as good as never.
    same(&read_all(&store, 40).unwrap(), &pattern(20 << 20));
}

#[test]
fn a_map_that_fails_is_an_error_and_no_hole() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let words = [
        "--filter=error",
        "memory",
        "1M",
        "error-extents=EIO",
        "error-extents-rate=1",
    ];
    let server = Server::nbdkit(&dir, &words);
    let store = open(&server.uri(""));
    assert!(
        block_on(store.map(0..chunks(&store)))
            .unwrap_err()
            .is("EIO")
    );
}

#[test]
fn a_silent_server_is_given_up() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let server = Server::nbdkit(&dir, &["--filter=delay", "pattern", "1M", "delay-read=20"]);
    let timeout = Duration::from_secs(1);
    let impatient = NbdOptions {
        timeout,
        ..options()
    };
    let store = NbdStore::open(&server.uri(""), &impatient).unwrap();
    let start = Instant::now();
    let fault = fetch(&store, 0..1).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unknown);
    assert!(fault.to_string().contains("has not answered"), "{fault}");
    assert!(start.elapsed() >= timeout && start.elapsed() < 10 * timeout);

    let server = Server::nbdkit(&dir, &["--filter=delay", "pattern", "1M", "delay-open=20"]);
    let start = Instant::now();
    assert!(NbdStore::open(&server.uri(""), &impatient).is_err());
    assert!(start.elapsed() < 10 * timeout);
}

#[test]
fn a_slow_server_is_not_given_up() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    // 512 KiB take four seconds, more than any silence that is borne; each chunk takes half of one.
    let server = Server::nbdkit(&dir, &["--filter=rate", "pattern", "512K", "rate=1M"]);
    let timeout = Duration::from_secs(2);
    let patient = NbdOptions {
        timeout,
        ..options()
    };
    let store = NbdStore::open(&server.uri(""), &patient).unwrap();
    let fetches: Vec<_> = (0..chunks(&store))
        .map(|chunk| {
            let store = Arc::clone(&store);
            runtime::handle().spawn(async move { store.fetch(chunk..chunk + 1).await })
        })
        .collect();
    let found = fetches
        .into_iter()
        .flat_map(|fetch| block_on(fetch).unwrap().unwrap());
    same(&found.collect::<Vec<_>>(), &pattern(512 << 10));
}

#[test]
fn a_server_that_goes_away_and_comes_back() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let words = ["--filter=delay", "pattern", "64M", "delay-read=20ms"];
    let server = Server::nbdkit(&dir, &words);
    let uri = server.uri("");
    let store = open(&uri);
    let reader = Arc::clone(&store);
    let reading = std::thread::spawn(move || read_all(&reader, 1));
    std::thread::sleep(Duration::from_millis(150));
    drop(server);
    let start = Instant::now();
    let fault = reading.join().unwrap().unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unknown, "{fault}");
    // Nobody listens.
    assert_eq!(fetch(&store, 0..1).unwrap_err().kind, FaultKind::Unknown);
    assert!(start.elapsed() < DEADLINE);

    let _server = Server::nbdkit(&dir, &words);
    same(&read_all(&store, 2).unwrap(), &pattern(64 << 20));
}

#[test]
fn what_comes_back_must_be_the_same() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let (file, larger) = (dir.path().join("image"), dir.path().join("larger"));
    std::fs::write(&file, pattern(8 << 20)).unwrap();
    std::fs::write(&larger, pattern(9 << 20)).unwrap();
    let server = Server::nbdkit(&dir, &["file", text(&file)]);
    let store = open(&server.uri(""));
    fetch(&store, 0..1).unwrap();
    drop(server);
    // The first attempt may still find the old connection.
    let _gone = fetch(&store, 0..1);
    let refused = || {
        let fault = fetch(&store, 0..1).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
        assert!(
            fault.to_string().contains("the export has changed"),
            "{fault}"
        );
    };
    let other = Server::nbdkit(&dir, &["file", text(&larger)]);
    refused();
    drop(other);
    let writable = Server::nbdkit_for_writing(&dir, &["file", text(&file)]);
    refused();
    drop(writable);
    let _same = Server::nbdkit(&dir, &["file", text(&file)]);
    same(&read_all(&store, 2).unwrap(), &pattern(8 << 20));
}

#[test]
fn whoever_asked_may_go_away() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let server = Server::nbdkit(
        &dir,
        &["--filter=delay", "pattern", "16M", "delay-read=30ms"],
    );
    let store = open(&server.uri(""));
    for round in 0..40_u64 {
        let (store, chunk) = (Arc::clone(&store), round % chunks(&store));
        let fetch = runtime::handle().spawn(async move { store.fetch(chunk..chunk + 1).await });
        std::thread::sleep(Duration::from_millis(round % 5));
        fetch.abort();
    }
    same(&read_all(&store, 1).unwrap(), &pattern(16 << 20));
}

#[test]
fn a_server_that_is_paused_goes_on() {
    if !require(&["nbdkit"]) {
        return;
    }
    use std::io::{Read as _, Write as _};
    let dir = TempDir::new().unwrap();
    let control = dir.path().join("control");
    let word = format!("pause-control={}", text(&control));
    let server = Server::nbdkit(&dir, &["--filter=pause", "pattern", "8M", &word]);
    let store = open(&server.uri(""));
    let mut control = std::os::unix::net::UnixStream::connect(&control).unwrap();
    let mut say = |word: &[u8]| {
        let mut answer = [0];
        control.write_all(word).unwrap();
        control.read_exact(&mut answer).unwrap();
    };
    say(b"p");
    let reader = Arc::clone(&store);
    let reading = std::thread::spawn(move || read_all(&reader, 1));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!reading.is_finished());
    say(b"r");
    same(&reading.join().unwrap().unwrap(), &pattern(8 << 20));
}
