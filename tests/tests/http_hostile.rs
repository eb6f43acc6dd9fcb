//! Servers that lie, stall or break down while an image is read: an error of the right kind within
//! bounded time, and the right bytes when asked again.

use flr_provider::http::{HttpOptions, HttpStore};
use flr_provider::remote::{ChunkStore, block_on};
use flr_provider::{Error, FaultKind};
use flr_tests::proxy::{Fault, Proxy};
use flr_tests::servers;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An image of one chunk and a bit.
const SIZE: usize = (512 << 10) + 100;

fn open(url: &str) -> Result<Arc<HttpStore>, Error> {
    HttpStore::open(url, &HttpOptions::default())
}

/// A whole answer: a status with headers, and a body.
fn raw(head: &str, body: &[u8]) -> Fault {
    Fault::Raw([format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat())
}

/// What a good server says to the first request.
fn first() -> Fault {
    let head = format!(
        "206 Partial Content\r\nContent-Range: bytes 0-0/{SIZE}\r\nETag: \"v1\"\r\n\
         Content-Length: 1\r\nConnection: close"
    );
    raw(&head, b"x")
}

/// A server that begins well and then gives `answer` to every request for the last 100 bytes.
fn fetch_last(answer: Fault) -> (flr_provider::Fault, Duration) {
    let nobody = servers::free_address();
    let proxy = Proxy::start(nobody, move |call| match call.index {
        0 => first(),
        _ => answer.clone(),
    });
    let store = open(&format!("{}/x?s3cret", proxy.url())).unwrap();
    let begin = Instant::now();
    let fault = block_on(store.fetch(1..2)).unwrap_err();
    assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
    let request = &proxy.requests()[1];
    assert_eq!(request.header("range"), Some("bytes=524288-524387"));
    assert_eq!(request.header("if-match"), Some("\"v1\""));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    (fault, begin.elapsed())
}

/// Answers to the request for the last 100 bytes, one a line: what the error says of it, then status and
/// headers, parted by `|`.
const LIES: &str = "
ignores ranges | 200 OK | ETag: \"v1\" | Content-Length: 100
which bytes | RIGHT
which bytes | RIGHT | Content-Range: bytes */524388
which bytes | RIGHT | Content-Range: bytes 524288-524387/524388 | Content-Range: bytes 0-99/524388
which bytes | RIGHT | Content-Range: bytes 524288-18446744073709551616/*
expected bytes 524288-524387 | RIGHT | Content-Range: bytes 524288-524386/524388
expected bytes 524288-524387 | RIGHT | Content-Range: bytes 0-99/524388
expected bytes 524288-524387 | RIGHT | Content-Range: bytes 524288-18446744073709551615/*
another length | RIGHT | Content-Range: bytes 524288-524387/524389
how long | RIGHT | Content-Range: bytes 524288-524387/*
another version | 206 P | RANGE | Content-Length: 100 | ETag: \"v2\"
another version | 206 P | RANGE | Content-Length: 100 | ETag: W/\"v1\"
another version | 206 P | RANGE | Content-Length: 100
compressed | RIGHT | RANGE | Content-Encoding: gzip
sends more | 206 P | RANGE | ETag: \"v1\" | Connection: close
302 | 302 Found | Location: /y | Content-Length: 0
412 | 412 Precondition Failed | Content-Length: 0
416 | 416 Range Not Satisfiable | Content-Length: 0";

#[test]
fn a_lie_is_refused() {
    for line in LIES.trim().lines() {
        let line = line.replace("RIGHT", "206 P | ETag: \"v1\" | Content-Length: 100");
        let line = line.replace("RANGE", "Content-Range: bytes 524288-524387/524388");
        let (word, head) = line.split_once(" | ").unwrap();
        // One more than was asked for, where no length says otherwise.
        let (fault, _) = fetch_last(raw(&head.replace(" | ", "\r\n"), &[7; 101]));
        assert_eq!(fault.kind, FaultKind::Refused, "{line}: {fault}");
        assert!(fault.message.contains(word), "{line}: {fault}");
    }
}

#[test]
fn headers_without_end_are_not_read_to_the_end() {
    let many = "X-Header: endless\r\n".repeat(100_000);
    let (fault, time) = fetch_last(raw(&format!("206 P\r\n{many}ETag: \"v1\""), b""));
    assert_eq!(fault.kind, FaultKind::Unknown, "{fault}");
    assert!(time < Duration::from_secs(9), "{time:?}");
}

#[test]
fn what_breaks_off_may_be_asked_again() {
    let head = "206 Partial Content\r\nContent-Range: bytes 524288-524387/524388\r\nETag: \"v1\"";
    for answer in [
        raw(&format!("{head}\r\nContent-Length: 100"), &[7; 99]),
        raw(&format!("{head}\r\nConnection: close"), &[7; 99]),
        raw(&format!("{head}\r\nContent-Length: 50"), &[7; 50]),
        raw(
            &format!("{head}\r\nTransfer-Encoding: chunked"),
            b"64\r\n777",
        ),
        Fault::Raw(Vec::new()),
        Fault::Raw(b"HTTP/1.1 206 Par".to_vec()),
        Fault::Raw(b"\x00\xff no HTTP at all\r\n\r\n".to_vec()),
        raw("500 Oops", b""),
    ] {
        let (fault, time) = fetch_last(answer.clone());
        assert!(fault.is_temporary(), "{answer:?}: {fault}");
        assert!(time < Duration::from_secs(9), "{time:?}");
    }
    let (fault, _) = fetch_last(raw("503 Busy\r\nRetry-After: 7", b""));
    assert_eq!(fault.kind, FaultKind::Throttled);
    assert_eq!(fault.retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn a_stall_ends_by_itself() {
    let head = "206 Partial Content\r\nContent-Range: bytes 524288-524387/524388\r\nETag: \"v1\"";
    let half = format!("HTTP/1.1 {head}\r\nContent-Length: 100\r\n\r\nhalf");
    let stalls = [Fault::TimeoutBefore, Fault::Stalled(half.into_bytes())];
    let waits = stalls.map(|stall| std::thread::spawn(|| fetch_last(stall)));
    for wait in waits {
        let (fault, time) = wait.join().unwrap();
        assert_eq!(fault.kind, FaultKind::Unknown, "{fault}");
        assert!(time < Duration::from_secs(20), "{time:?}");
    }
}

/// Right bytes or an error of the right kind for what may happen to a call; afterwards the right bytes.
#[test]
#[expect(clippy::disallowed_methods, reason = "an image that is made here")]
fn a_server_behind_a_bad_line_gives_right_bytes_in_the_end() {
    let folder = TempDir::new().unwrap();
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at % 251).try_into().unwrap()).collect();
    fs::write(folder.path().join("disk.img"), &bytes).unwrap();
    let Some(nginx) = servers::nginx(folder.path(), "") else {
        return;
    };
    let troubles = [
        (Fault::InternalError, FaultKind::Unknown),
        (Fault::Unavailable, FaultKind::Throttled),
        (Fault::Throttled, FaultKind::Throttled),
        (Fault::HalfClosed, FaultKind::Unknown),
        (Fault::Truncated, FaultKind::Unknown),
        (Fault::ExpiredToken, FaultKind::Refused),
        (Fault::Skewed(600), FaultKind::Denied),
        (Fault::Quota, FaultKind::Denied),
    ];
    for (trouble, kind) in troubles {
        let is_bad = Arc::new(AtomicBool::new(false));
        let proxy = Proxy::start(nginx.address(), {
            let (is_bad, trouble) = (is_bad.clone(), trouble.clone());
            move |_| match is_bad.swap(false, Ordering::Relaxed) {
                true => trouble.clone(),
                false => Fault::None,
            }
        });
        let url = format!("{}/disk.img", proxy.url());
        let store = open(&url).unwrap();
        is_bad.store(true, Ordering::Relaxed);
        let fault = block_on(store.fetch(0..2)).unwrap_err();
        assert_eq!(fault.kind, kind, "{trouble:?}: {fault}");
        assert!(block_on(store.fetch(0..2)).unwrap() == bytes);
        // Opening repeats what may get better.
        is_bad.store(true, Ordering::Relaxed);
        assert_eq!(open(&url).is_ok(), fault.is_temporary(), "{trouble:?}");
    }
    // Slow, late and old are not wrong.
    let proxy = Proxy::start(nginx.address(), |call| match call.index {
        1 => Fault::Slow(Duration::from_millis(300)),
        2 => Fault::Late(Duration::from_millis(300)),
        _ => Fault::Stale,
    });
    let store = open(&format!("{}/disk.img", proxy.url())).unwrap();
    for _ in 0..3 {
        assert!(block_on(store.fetch(0..2)).unwrap() == bytes);
    }
}
