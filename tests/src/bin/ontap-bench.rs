//! How fast a LUN comes over REST, measured against the stand-in for ONTAP on loopback, and against a plain
//! client that asks for the same pieces. Run it from a release build on a quiet machine; no test depends on it.
//!
//! `ontap-bench [MIB] [LATENCY_MS]`

use flr_provider::ontap::{Credentials, Ontap, OntapSettings};
use flr_provider::point::{Catalog, OpenHow, OpenedPoint};
use flr_provider::{Secret, remote};
use flr_tests::ontap_fake::{Config, Content, Fake};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PIECE: u64 = 512 << 10;
/// As many as flr has under way at most.
const CONNECTIONS: usize = 16;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if std::env::var_os("FLR_BENCH").is_none() {
        // With a journal of its own.
        let place = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).env("FLR_BENCH", "1");
        command.env("XDG_STATE_HOME", place.path()).status()?;
        return Ok(());
    }
    let number = |at: usize, default: u64| {
        let text = arguments.get(at);
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let (mib, latency) = (number(0, 256), Duration::from_millis(number(1, 5)));
    let fake = Fake::start(Config::default());
    let uuid = {
        let mut state = fake.state();
        state.add_volume("svm1", "vol1");
        let bytes: Vec<u8> = (0..1 << 20)
            .map(|at: u32| (at / 7).to_le_bytes()[0])
            .collect();
        let content = Content::from_bytes(bytes).with_len(mib << 20);
        let uuid = state.add_lun("svm1", "vol1", "lun0", content);
        state.take_snapshot("svm1", "vol1", "nightly.0");
        uuid
    };
    fake.set_latency(latency);
    let plain = plain(&fake, &uuid, mib);
    let ours = ours(&fake, mib);
    #[expect(clippy::as_conversions, reason = "for people")]
    let rate = |took: Duration| mib as f64 / took.as_secs_f64();
    let text = format!(
        "{mib} MiB at {} ms: {:.0} MiB/s, a plain client {:.0} MiB/s: {:.0} %; {} in flight at most\n",
        latency.as_millis(),
        rate(ours),
        rate(plain),
        100.0 * plain.as_secs_f64() / ours.as_secs_f64(),
        fake.in_flight_max()
    );
    io::stdout().write_all(text.as_bytes())
}

/// The whole LUN through a clone, which is not counted.
fn ours(fake: &Fake, mib: u64) -> Duration {
    let user = &fake.config().users[0];
    let settings = OntapSettings {
        source: Some("filer".to_owned()),
        endpoint: fake.url(),
        svm: Some("svm1".to_owned()),
        credentials: Credentials::Basic {
            user: user.name.clone(),
            password: Secret::new(user.password.clone().expect("a password")),
        },
    };
    let catalog = Ontap::new(&settings, remote::Settings::default()).expect("a client");
    let points = catalog.points("vol1/lun0").expect("points");
    let opened = catalog.open(&points[0], &OpenHow::default());
    let OpenedPoint { disks, held, .. } = opened.expect("a clone");
    let mut buf = vec![0; 1 << 20];
    fake.clear_requests();
    let begun = Instant::now();
    for piece in 0..mib {
        disks[0]
            .source
            .read_at(piece << 20, &mut buf)
            .expect("bytes");
    }
    let took = begun.elapsed();
    drop(disks);
    assert!(held.expect("a session").close().is_clean());
    took
}

/// The same by hand: connections that are kept, each of which asks for the next piece.
fn plain(fake: &Fake, uuid: &str, mib: u64) -> Duration {
    let next = AtomicU64::new(0);
    let pieces = (mib << 20) / PIECE;
    let token = fake.config().users[0].token.clone().expect("a token");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let stream = TcpStream::connect(fake.address()).expect("a connection");
                let mut reader = BufReader::new(stream);
                let mut body = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= pieces {
                        return;
                    }
                    let request = format!(
                        "GET /api/storage/luns/{uuid}?data.offset={}&data.size={PIECE} HTTP/1.1\r\n\
                         Host: cluster1\r\nAccept: multipart/form-data\r\n\
                         Authorization: Bearer {token}\r\n\r\n",
                        at * PIECE
                    );
                    let stream = reader.get_mut();
                    stream.write_all(request.as_bytes()).expect("a request");
                    answer(&mut reader, &mut body).expect("an answer");
                }
            });
        }
    });
    begun.elapsed()
}

fn answer(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    assert!(line.contains(" 200 "), "{line}");
    let mut len = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let text = line.trim_end().to_ascii_lowercase();
        if text.is_empty() {
            break;
        }
        if let Some(value) = text.strip_prefix("content-length:") {
            len = value.trim().parse().expect("a length");
        }
    }
    body.resize(len, 0);
    reader.read_exact(body)
}
