//! A server that means ill: each of its answers ends in a clear error, in bounded time and memory.

use crate::harness::{chunks, fetch, holes};
use crate::ill::{
    Asked, CONTEXT, Ill, Peer, SIZE, chunk, data, export, head, hole, options, reply, simple,
    status,
};
use flr_provider::nbd::{NbdOptions, NbdStore};
use flr_provider::remote::{ChunkStore, block_on};
use flr_provider::{Error, FaultKind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// No case takes longer; patience is half a second, and four times that for one answer.
const LIMIT: Duration = Duration::from_secs(6);
/// What a case may add to the memory of the process.
const MEMORY: u64 = 64 << 20;

/// Bytes of this process that were in memory at most.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Runs a case; it must end soon, and small. Memory is that of the process, which only a test in a
/// process of its own can tell anything about.
fn bounded<T>(name: &str, case: impl FnOnce() -> T) -> T {
    let (start, before) = (Instant::now(), resident());
    let done = case();
    assert!(start.elapsed() < LIMIT, "{name}: {:?}", start.elapsed());
    if std::env::var_os("NEXTEST").is_some() {
        // The kernel counts a little late, so that it may even be less than before.
        let grown = resident().saturating_sub(before);
        assert!(grown < MEMORY, "{name}: {grown} bytes");
    }
    done
}

/// Opening fails.
fn refuse(name: &str, behaviour: impl FnMut(&mut Peer) -> Option<()> + Send + 'static) -> Error {
    let server = Ill::start(behaviour);
    let open = || NbdStore::open(&server.uri(), &options());
    let error = bounded(name, open).unwrap_err();
    println!("{name}: {error}");
    error
}

#[test]
fn a_bad_greeting() {
    refuse("silence", Peer::silence);
    refuse("hangs up", |_| None);
    refuse("another protocol", |peer| {
        peer.say(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")?;
        peer.silence()
    });
    refuse("a wrong second magic number", |peer| {
        peer.say(b"NBDMAGICIHAVEOPX\0\x03")?;
        peer.silence()
    });
    refuse("a short greeting", |peer| peer.say(b"NBDMAGICIHAVE"));
    refuse("drop by drop", |peer| {
        loop {
            peer.say(b"N")?;
            std::thread::sleep(Duration::from_millis(40));
        }
    });
}

/// Everything is well up to `GO`, which `answer` answers.
fn go(peer: &mut Peer, answer: impl Fn(&mut Peer) -> Option<()>) -> Option<()> {
    peer.greet()?;
    loop {
        match peer.option()?.0 {
            7 => return answer(peer),
            option => peer.say(&reply(option, 0x8000_0001, b"no"))?,
        }
    }
}

#[test]
fn bad_answers_to_options() {
    refuse("endless infos", |peer| {
        go(peer, |peer| {
            loop {
                peer.say(&reply(7, 3, &[0, 1, b'x']))?;
            }
        })
    });
    let answers: Vec<(&str, Vec<u8>)> = vec![
        ("no export", reply(7, 1, &[])),
        (
            "a size beyond all",
            [reply(7, 3, &export(u64::MAX, 3)), reply(7, 1, &[])].concat(),
        ),
        (
            "no flags",
            [reply(7, 3, &export(SIZE, 2)), reply(7, 1, &[])].concat(),
        ),
        ("a short info", reply(7, 3, &[0])),
        (
            "a long export",
            reply(7, 3, &[&export(SIZE, 3)[..], &[0]].concat()),
        ),
        (
            "block sizes of 0",
            reply(7, 3, &[&[0, 3][..], &[0; 12]].concat()),
        ),
        (
            "block sizes of -1",
            reply(7, 3, &[&[0, 3][..], &[0xff; 12]].concat()),
        ),
        ("an answer to another option", reply(8, 1, &[])),
        ("an answer of no kind", reply(7, 99, &[])),
        ("a list", reply(7, 2, b"\0\0\0\x01a")),
        ("a wrong magic number", b"12345678901234567890".to_vec()),
        ("an error", reply(7, 0x8000_0003, b"bad\x1b[31m words")),
    ];
    for (name, answer) in answers {
        let error = refuse(name, move |peer| {
            go(peer, |peer| {
                peer.say(&answer)?;
                peer.silence()
            })
        });
        assert!(!error.to_string().contains('\x1b'), "{error}");
    }
    refuse("4 GiB of answer", |peer| {
        go(peer, |peer| {
            let mut answer = reply(7, 3, &[]);
            answer[16..].copy_from_slice(&u32::MAX.to_be_bytes());
            peer.say(&answer)?;
            loop {
                peer.say(&[0; 65536])?;
            }
        })
    });
    refuse("cut short", |peer| {
        go(peer, |peer| peer.say(&reply(7, 3, &export(SIZE, 3))[..25]))
    });
    refuse("silence after go", |peer| go(peer, Peer::silence));
}

#[test]
fn endless_lists_and_maps() {
    refuse("endless maps", |peer| {
        peer.greet()?;
        let (option, _) = peer.option()?;
        peer.say(&reply(option, 1, &[]))?;
        let (option, _) = peer.option()?;
        assert_eq!(option, 10);
        loop {
            peer.say(&reply(option, 4, b"\0\0\0\x01x:y"))?;
        }
    });
    let error = refuse("an endless list", |peer| {
        go(peer, |peer| {
            peer.say(&reply(7, 0x8000_0006, &[]))?;
            assert_eq!(peer.option()?.0, 3);
            loop {
                peer.say(&reply(3, 2, b"\0\0\0\x01a"))?;
            }
        })
    });
    println!("{:?}", error.hint());
}

#[test]
fn words_before_tls_are_not_taken_for_words_within() {
    let server = Ill::start(|peer| {
        peer.greet()?;
        let (option, _) = peer.option()?;
        assert_eq!(option, 5);
        // Consent, and in the clear what should come later.
        let yes = [
            reply(5, 1, &[]),
            reply(8, 1, &[]),
            reply(7, 3, &export(SIZE, 3)),
        ];
        peer.say(&yes.concat())?;
        peer.silence()
    });
    let open = || NbdStore::open(&server.tls_uri(), &options());
    bounded("in the clear", open).unwrap_err();
}

#[test]
fn the_old_way_into_transmission() {
    // No GO, no structure, and 124 zeros: as the oldest servers of the fixed handshake.
    let serve = |peer: &mut Peer| {
        peer.say(b"NBDMAGICIHAVEOPT\0\x01")?;
        assert_eq!(peer.hear(4)?, [0, 0, 0, 1]);
        loop {
            let (option, name) = peer.option()?;
            if option == 1 && name == b"there" {
                break;
            }
            if option == 1 {
                return None;
            }
            peer.say(&reply(option, 0x8000_0001, &[]))?;
        }
        let mut export = export(SIZE, 3).split_off(2);
        export.extend([0; 124]);
        peer.say(&export)?;
        loop {
            let asked = peer.request()?;
            assert_eq!(asked.command, 0);
            let bytes = vec![0x5a; usize::try_from(asked.len).unwrap()];
            peer.say(&[simple(0, asked.cookie), bytes].concat())?;
        }
    };
    let server = Ill::start(serve);
    let error = NbdStore::open(&server.uri(), &options()).unwrap_err();
    assert!(matches!(error, Error::NoSuch { .. }), "{error}");
    let uri = server.uri().replace(":///", ":///there");
    let store = NbdStore::open(&uri, &options()).unwrap();
    assert_eq!(fetch(&store, 0..2).unwrap(), vec![0x5a; 128 << 10]);
}

/// One fetch of a chunk fails, and the reason names what is wrong.
fn read(name: &str, word: &str, answer: impl FnMut(Asked) -> Vec<u8> + Send + 'static) {
    let server = Ill::answering(answer);
    let store = NbdStore::open(&server.uri(), &options()).unwrap();
    let fault = bounded(name, || fetch(&store, 1..2)).unwrap_err();
    println!("{name}: {fault}");
    assert_eq!(fault.kind, FaultKind::Unknown, "{name}: {fault}");
    assert!(fault.to_string().contains(word), "{name}: {fault}");
}

#[test]
fn bad_heads_of_answers() {
    read("a wrong magic number", "magic number", |_| vec![0x5a; 64]);
    read("a stranger", "a question", |asked| {
        data(1, asked.cookie + 1, asked.offset, asked.len)
    });
    read("cookie 0", "a question", |_| simple(5, 0));
    read("no structure", "structured", |asked| {
        let bytes = vec![0; usize::try_from(asked.len).unwrap()];
        [simple(0, asked.cookie), bytes].concat()
    });
    read("an unknown kind", "kind", |asked| {
        chunk(1, 77, asked.cookie, b"x")
    });
    read("a map in place of data", "question", |asked| {
        status(1, asked.cookie, CONTEXT, &[(asked.len, 0)])
    });
    read("the end, and not", "the end", |asked| {
        chunk(0, 0, asked.cookie, &[])
    });
    read("the end, with something", "bytes", |asked| {
        chunk(1, 0, asked.cookie, b"x")
    });
    for (kind, len) in [
        (1, 8),
        (2, 11),
        (2, 13),
        (0x8001, 5),
        (0x8002, 13),
        (0x8001, u32::MAX),
    ] {
        read("a bad length", "bytes", move |asked| {
            head(1, kind, asked.cookie, len)
        });
    }
    read("data of 4 GiB", "at most", |asked| {
        let mut out = head(1, 1, asked.cookie, u32::MAX);
        out.extend(asked.offset.to_be_bytes());
        out.extend(vec![0; 1 << 20]);
        out
    });
}

#[test]
fn bad_pieces_of_answers() {
    read("no data", "expected 65536 bytes", |asked| {
        chunk(1, 0, asked.cookie, &[])
    });
    read("data with a gap", "expected 65536 bytes", |asked| {
        let first = data(0, asked.cookie, asked.offset, 1000);
        [
            first,
            data(1, asked.cookie, asked.offset + 1001, asked.len - 1001),
        ]
        .concat()
    });
    read("bytes twice", "twice", |asked| {
        let first = data(0, asked.cookie, asked.offset, 1000);
        [
            first,
            data(1, asked.cookie, asked.offset + 999, asked.len - 999),
        ]
        .concat()
    });
    read("a hole over data", "twice", |asked| {
        let first = data(0, asked.cookie, asked.offset, 1000);
        [first, hole(1, asked.cookie, asked.offset, asked.len)].concat()
    });
    read("before the beginning", "of a read", |asked| {
        data(1, asked.cookie, asked.offset - 1, asked.len)
    });
    read("past the end", "of a read", |asked| {
        data(1, asked.cookie, asked.offset + 1, asked.len)
    });
    read("past all ends", "of a read", |asked| {
        hole(1, asked.cookie, u64::MAX, 512)
    });
    read("shifted by a chunk", "of a read", |asked| {
        data(1, asked.cookie, 0, asked.len)
    });
    read("a hole of 4 GiB", "of a read", |asked| {
        hole(1, asked.cookie, asked.offset, u32::MAX)
    });
    read("a hole of nothing", "no bytes", |asked| {
        hole(1, asked.cookie, asked.offset, 0)
    });
    read("an error of 0", "found 0", |asked| {
        chunk(1, 0x8001, asked.cookie, &[0; 6])
    });
    read("a long message", "bytes", |asked| {
        chunk(1, 0x8001, asked.cookie, &[0, 0, 0, 5, 0xff, 0xff, b'x'])
    });
    read("an error elsewhere", "inside", |asked| {
        let at = asked.offset + u64::from(asked.len);
        chunk(
            1,
            0x8002,
            asked.cookie,
            &[&[0, 0, 0, 5, 0, 0][..], &at.to_be_bytes()].concat(),
        )
    });
    read("answered twice", "", |asked| {
        let error = simple(5, asked.cookie);
        [error.clone(), error].concat()
    });
    read("data after an error", "EIO", |asked| {
        let error = chunk(0, 0x8001, asked.cookie, &[0, 0, 0, 5, 0, 1, b'x']);
        [error, data(1, asked.cookie, asked.offset, asked.len)].concat()
    });
}

/// After each request, `answer` talks without end.
fn endless(name: &str, answer: impl Fn(&mut Peer, Asked) -> Option<()> + Send + 'static) {
    let server = Ill::start(move |peer| {
        peer.haggle()?;
        let asked = peer.request()?;
        answer(peer, asked)
    });
    let store = NbdStore::open(&server.uri(), &options()).unwrap();
    let fault = bounded(name, || fetch(&store, 1..2)).unwrap_err();
    println!("{name}: {fault}");
    assert_eq!(fault.kind, FaultKind::Unknown, "{name}: {fault}");
}

#[test]
fn answers_without_end() {
    endless("silence", |peer, _| peer.silence());
    endless("hangs up", |_, _| None);
    endless("half an answer, then silence", |peer, asked| {
        peer.say(&data(1, asked.cookie, asked.offset, asked.len)[..5000])?;
        peer.silence()
    });
    endless("half an answer, then nothing", |peer, asked| {
        peer.say(&data(1, asked.cookie, asked.offset, asked.len)[..5000])
    });
    endless("drop by drop", |peer, asked| {
        for byte in data(1, asked.cookie, asked.offset, asked.len) {
            peer.say(&[byte])?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(())
    });
    endless("errors", |peer, asked| {
        loop {
            peer.say(&chunk(0, 0x8001, asked.cookie, &[0, 0, 0, 5, 0, 0]))?;
        }
    });
    endless("crumbs", |peer, asked| {
        for at in (0..u64::from(asked.len)).step_by(2) {
            peer.say(&data(0, asked.cookie, asked.offset + at, 1))?;
        }
        peer.silence()
    });
}

/// Lengths and states.
type Extents = &'static [(u32, u32)];

/// What a map of the export comes to.
fn map(answer: impl FnMut(Asked) -> Vec<u8> + Send + 'static) -> Result<u64, String> {
    let server = Ill::answering(answer);
    let store = NbdStore::open(&server.uri(), &options()).unwrap();
    let runs = bounded("a map", || block_on(store.map(0..chunks(&store))));
    runs.map_err(|fault| fault.to_string())?;
    Ok(holes(&store).iter().map(|hole| hole.end - hole.start).sum())
}

#[test]
fn bad_maps() {
    const WHOLE: u32 = 1 << 20;
    let cases: [(&str, Extents, u32, &str); 5] = [
        ("another map", &[(WHOLE, 0)], CONTEXT + 1, "number"),
        ("no extents", &[], CONTEXT, "bytes"),
        ("an extent of nothing", &[(0, 3)], CONTEXT, "no bytes"),
        (
            "more than was asked for",
            &[(WHOLE, 3), (512, 3)],
            CONTEXT,
            "found more",
        ),
        (
            "nothing in between",
            &[(512, 0), (0, 3), (512, 0)],
            CONTEXT,
            "no bytes",
        ),
    ];
    for (name, extents, context, word) in cases {
        let fault = map(move |asked| status(1, asked.cookie, context, extents)).unwrap_err();
        assert!(fault.contains(word), "{name}: {fault}");
    }
    let twice = map(|asked| {
        let part = status(0, asked.cookie, CONTEXT, &[(asked.len, 3)]);
        [part, status(1, asked.cookie, CONTEXT, &[(asked.len, 3)])].concat()
    });
    assert!(twice.unwrap_err().contains("two"));
    assert!(
        map(|asked| chunk(1, 0, asked.cookie, &[]))
            .unwrap_err()
            .contains("a map")
    );
    assert!(
        map(|asked| simple(0, asked.cookie))
            .unwrap_err()
            .contains("a map")
    );
    assert!(
        map(|asked| head(1, 5, asked.cookie, u32::MAX))
            .unwrap_err()
            .contains("bytes")
    );
    assert!(
        map(|asked| data(1, asked.cookie, asked.offset, 1))
            .unwrap_err()
            .contains("question")
    );
    // Longer than was asked for is allowed, at the end; and what is not said is no hole.
    let all = SIZE;
    assert_eq!(
        map(|asked| status(1, asked.cookie, CONTEXT, &[(u32::MAX, 3)])),
        Ok(all)
    );
    assert_eq!(
        map(|asked| status(1, asked.cookie, CONTEXT, &[(u32::MAX, 1)])),
        Ok(0)
    );
    // One byte an answer would take a million questions: what is left counts as stored.
    let crumbs = map(|asked| status(1, asked.cookie, CONTEXT, &[(1, 3)])).unwrap();
    assert!(crumbs < all);
}

#[test]
fn words_that_nobody_asked_for() {
    // Right after the handshake, before any question.
    let server = Ill::start(|peer| {
        peer.haggle()?;
        peer.say(&data(1, 77, 0, 65536))?;
        peer.silence()
    });
    let store = NbdStore::open(&server.uri(), &options()).unwrap();
    let fault = bounded("unasked", || fetch(&store, 0..1)).err();
    assert_eq!(fault.unwrap().kind, FaultKind::Unknown);
}

#[test]
fn many_who_ask_a_dead_server_all_hear_of_it() {
    let server = Ill::start(|peer| {
        peer.haggle()?;
        peer.silence()
    });
    let store = NbdStore::open(&server.uri(), &options()).unwrap();
    bounded("many", || {
        let fetches = (0..500).map(|at| {
            let store = std::sync::Arc::clone(&store);
            let chunk = at % chunks(&store);
            flr_provider::remote::runtime::handle()
                .spawn(async move { store.fetch(chunk..chunk + 1).await })
        });
        for fetch in fetches.collect::<Vec<_>>() {
            assert!(block_on(fetch).unwrap().is_err());
        }
    });
}

#[test]
fn a_server_hears_the_end() {
    let (sender, receiver) = mpsc::channel();
    let server = Ill::start(move |peer| {
        peer.haggle()?;
        loop {
            let asked = peer.request()?;
            match asked.command {
                0 => peer.say(&data(1, asked.cookie, asked.offset, asked.len))?,
                command => sender.send(command).ok()?,
            }
        }
    });
    let patient = NbdOptions {
        timeout: LIMIT,
        ..options()
    };
    let store = NbdStore::open(&server.uri(), &patient).unwrap();
    assert_eq!(fetch(&store, 0..1).unwrap(), vec![0x5a; 65536]);
    store.close();
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(2));
    // It can be used again, and dropping it is an end as well.
    fetch(&store, 0..1).unwrap();
    drop(store);
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(2));
}
