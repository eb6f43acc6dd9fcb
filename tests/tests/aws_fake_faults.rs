//! The faults of the stand-in for AWS, byte by byte, as a client with nothing but a socket sees them.

use flr_tests::aws_fake::{Config, Fake, FakeFault, When};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

const INSTANCE: &str = "i-0123456789abcdef0";

/// The longest that anything here may take.
const LONG: Duration = Duration::from_secs(20);

fn connect(fake: &Fake) -> TcpStream {
    let address = fake.url();
    let address = address.strip_prefix("http://").expect("plain HTTP");
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    stream
}

fn token(fake: &Fake) -> String {
    let mut stream = connect(fake);
    let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60";
    let request = format!("PUT /latest/api/token HTTP/1.1\r\nHost: x\r\n{ttl}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let text = String::from_utf8(answer(&mut stream).expect("an answer")).expect("text");
    text.rsplit("\r\n").next().expect("a body").to_owned()
}

/// Asks for the id of the instance; sends nothing more.
fn ask(fake: &Fake, token: &str) -> TcpStream {
    let mut stream = connect(fake);
    let header = format!("X-aws-ec2-metadata-token: {token}");
    let path = "/latest/meta-data/instance-id";
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    stream
}

/// All bytes up to the end that the other side makes, once it knows that nothing more is asked.
fn answer(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    stream.shutdown(Shutdown::Write)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn faulty(fault: FakeFault) -> (Fake, String) {
    let fake = Fake::start(Config::default());
    let token = token(&fake);
    fake.set_rule(move |_| Some(fault.clone()));
    (fake, token)
}

/// Head and body of what comes with a fault.
fn with(fault: FakeFault) -> (String, String) {
    let (fake, token) = faulty(fault);
    let bytes = answer(&mut ask(&fake, &token)).expect("an answer");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

#[test]
fn without_a_fault_all_is_well() {
    let (head, body) = with(FakeFault::Delayed(Duration::ZERO));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Length: 19"), "{head}");
    assert_eq!(body, INSTANCE);
}

#[test]
fn errors_have_a_status() {
    for (fault, status) in [
        (FakeFault::Status(When::BeforeEffect, 500), 500),
        (FakeFault::Status(When::AfterEffect, 503), 503),
        (FakeFault::Throttled, 503),
        (FakeFault::ExpiredToken, 401),
    ] {
        let (head, _) = with(fault);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}

#[test]
fn bodies_are_cut_and_flipped() {
    let (head, body) = with(FakeFault::TruncatedBody(7));
    assert!(head.contains("Content-Length: 19"), "{head}");
    assert_eq!(body, INSTANCE[..7]);
    let (_, body) = with(FakeFault::FlippedByte(19 + 2));
    assert_eq!(body, INSTANCE.replacen("-0", "-1", 1));
}

#[test]
fn bodies_are_slow() {
    let started = Instant::now();
    let (_, body) = with(FakeFault::SlowBody(50));
    assert_eq!(body, INSTANCE);
    // Nineteen bytes, five a tenth of a second.
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn connections_are_reset() {
    let kind = |fault| {
        let (fake, token) = faulty(fault);
        let mut bytes = Vec::new();
        let error = ask(&fake, &token)
            .read_to_end(&mut bytes)
            .expect_err("no end");
        (error.kind(), bytes.len())
    };
    let reset = io::ErrorKind::ConnectionReset;
    assert_eq!(kind(FakeFault::Reset(When::BeforeEffect, 0)), (reset, 0));
    assert_eq!(kind(FakeFault::Reset(When::AfterEffect, 30)), (reset, 30));
}

#[test]
fn connections_end_or_stay_without_an_answer() {
    let (fake, token) = faulty(FakeFault::HalfClosed(When::BeforeEffect));
    let mut stream = ask(&fake, &token);
    assert_eq!(stream.read(&mut [0; 9]).expect("an end"), 0);
    // It still takes what comes.
    stream.write_all(b"more").expect("half open");

    let (fake, token) = faulty(FakeFault::NoAnswer(When::AfterEffect));
    let mut stream = ask(&fake, &token);
    let short = Some(Duration::from_millis(200));
    stream.set_read_timeout(short).expect("a timeout");
    let error = stream.read(&mut [0; 9]).expect_err("silence");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn dates_are_wrong() {
    let date = |head: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix("Date: "));
        line.expect("a date").to_owned()
    };
    let (head, _) = with(FakeFault::Delayed(Duration::ZERO));
    let (skewed, _) = with(FakeFault::ClockSkew(-3600));
    assert!(skewed.starts_with("HTTP/1.1 401 "), "{skewed}");
    assert_ne!(date(&head)[..20], date(&skewed)[..20]);
}

#[test]
fn every_request_is_noted_and_takes_its_time() {
    let fake = Fake::start(Config::default());
    let token = token(&fake);
    fake.set_latency(Duration::from_millis(50));
    let started = Instant::now();
    let mut streams: Vec<_> = (0..8).map(|_| ask(&fake, &token)).collect();
    for stream in &mut streams {
        answer(stream).expect("an answer");
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(50), "{took:?}");
    assert!((1..=8).contains(&fake.in_flight_max()));
    let operation = "GET /latest/meta-data/instance-id";
    assert_eq!(fake.count(operation), 8);
    let calls = fake.requests();
    assert_eq!(calls.len(), 9);
    let last = calls.last().expect("a call");
    assert_eq!((last.number, last.nth), (9, 8));
    let outcome = last.outcome.as_ref().expect("it is over");
    assert_eq!((outcome.status, outcome.body_len), (200, INSTANCE.len()));
    fake.clear_requests();
    assert_eq!(fake.count(operation), 0);
}
