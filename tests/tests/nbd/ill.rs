//! A server of our own that says what no server should.

use flr_provider::nbd::NbdOptions;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// Bytes of every export here, not all of them the same.
pub(crate) const SIZE: u64 = 1 << 20;

/// What is served: the map's number and the flags that make a client content.
pub(crate) const CONTEXT: u32 = 11;
const FLAGS: u16 = 0b11;

/// Patience that is short enough for a test of many cases.
pub(crate) fn options() -> NbdOptions {
    NbdOptions {
        timeout: Duration::from_millis(500),
        ..NbdOptions::default()
    }
}

/// A listening server; ended with the test.
pub(crate) struct Ill {
    dir: TempDir,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ill {
    /// Calls `behaviour` for each connection, one after the other. It ends when the client hangs up.
    pub(crate) fn start(
        mut behaviour: impl FnMut(&mut Peer) -> Option<()> + Send + 'static,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                // Nothing here waits longer than any client does.
                stream
                    .set_read_timeout(Some(Duration::from_secs(10)))
                    .unwrap();
                stream
                    .set_write_timeout(Some(Duration::from_secs(10)))
                    .unwrap();
                let mut peer = Peer { stream };
                let _hung_up = behaviour(&mut peer);
            }
        });
        let thread = Some(thread);
        Self { dir, ended, thread }
    }

    /// Haggles as it should, then answers each request with what `answer` makes of it.
    pub(crate) fn answering(mut answer: impl FnMut(Asked) -> Vec<u8> + Send + 'static) -> Self {
        Self::start(move |peer| {
            peer.haggle()?;
            loop {
                let asked = peer.request()?;
                peer.say(&answer(asked))?;
            }
        })
    }

    /// Its export.
    pub(crate) fn uri(&self) -> String {
        format!("nbd+unix:///?socket={}/s", self.dir.path().display())
    }

    /// Its export with TLS.
    pub(crate) fn tls_uri(&self) -> String {
        self.uri().replacen("nbd", "nbds", 1)
    }
}

impl Drop for Ill {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes whoever waits for a connection.
        let _woken = UnixStream::connect(self.dir.path().join("s"));
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// A client, seen from the server. `None` says that it has hung up.
pub(crate) struct Peer {
    stream: UnixStream,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) command: u16,
    pub(crate) cookie: u64,
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

impl Peer {
    pub(crate) fn say(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).ok()
    }

    pub(crate) fn hear(&mut self, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Waits until the client has hung up, and says nothing.
    pub(crate) fn silence(&mut self) -> Option<()> {
        std::io::copy(&mut self.stream, &mut std::io::sink())
            .ok()
            .map(|_| ())
    }

    /// The greeting, and the client's flags.
    pub(crate) fn greet(&mut self) -> Option<()> {
        self.say(b"NBDMAGICIHAVEOPT\0\x03")?;
        assert_eq!(self.hear(4)?, [0, 0, 0, 3]);
        Some(())
    }

    /// The next option, and its data.
    pub(crate) fn option(&mut self) -> Option<(u32, Vec<u8>)> {
        let head = self.hear(16)?;
        assert_eq!(&head[..8], b"IHAVEOPT");
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap());
        let data = self.hear(usize::try_from(number(12)).unwrap())?;
        Some((number(8), data))
    }

    /// Says yes to all, up to transmission. The map has its number; the export its size.
    pub(crate) fn haggle(&mut self) -> Option<()> {
        self.greet()?;
        loop {
            let (option, _) = self.option()?;
            match option {
                8 => self.say(&reply(option, 1, &[]))?,
                10 => {
                    let context = [&CONTEXT.to_be_bytes(), b"base:allocation".as_slice()].concat();
                    self.say(&reply(option, 4, &context))?;
                    self.say(&reply(option, 1, &[]))?;
                }
                7 => {
                    self.say(&reply(option, 3, &export(SIZE, FLAGS)))?;
                    return self.say(&reply(option, 1, &[]));
                }
                _ => self.say(&reply(option, 0x8000_0001, &[]))?,
            }
        }
    }

    /// The next request; `None` at the end.
    pub(crate) fn request(&mut self) -> Option<Asked> {
        let bytes = self.hear(28)?;
        let u64_at = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(&bytes[..6], [0x25, 0x60, 0x95, 0x13, 0, 0]);
        Some(Asked {
            command: u16::from_be_bytes([bytes[6], bytes[7]]),
            cookie: u64_at(8),
            offset: u64_at(16),
            len: u32::from_be_bytes(bytes[24..].try_into().unwrap()),
        })
    }
}

/// The answer to an option.
pub(crate) fn reply(option: u32, kind: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = 0x0003_e889_0455_65a9_u64.to_be_bytes().to_vec();
    out.extend(option.to_be_bytes());
    out.extend(kind.to_be_bytes());
    out.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    out.extend(payload);
    out
}

/// An info about the export.
pub(crate) fn export(size: u64, flags: u16) -> Vec<u8> {
    [&[0, 0], size.to_be_bytes().as_slice(), &flags.to_be_bytes()].concat()
}

/// A head with a length of its own.
pub(crate) fn head(flags: u16, kind: u16, cookie: u64, len: u32) -> Vec<u8> {
    let mut out = 0x668e_33ef_u32.to_be_bytes().to_vec();
    out.extend(flags.to_be_bytes());
    out.extend(kind.to_be_bytes());
    out.extend(cookie.to_be_bytes());
    out.extend(len.to_be_bytes());
    out
}

/// A chunk of a structured answer.
pub(crate) fn chunk(flags: u16, kind: u16, cookie: u64, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap();
    [head(flags, kind, cookie, len), payload.to_vec()].concat()
}

/// Data at an offset.
pub(crate) fn data(flags: u16, cookie: u64, offset: u64, len: u32) -> Vec<u8> {
    let bytes = vec![0x5a; usize::try_from(len).unwrap()];
    chunk(
        flags,
        1,
        cookie,
        &[&offset.to_be_bytes(), bytes.as_slice()].concat(),
    )
}

/// Zeros at an offset.
pub(crate) fn hole(flags: u16, cookie: u64, offset: u64, len: u32) -> Vec<u8> {
    let payload = [offset.to_be_bytes().as_slice(), &len.to_be_bytes()].concat();
    chunk(flags, 2, cookie, &payload)
}

/// A part of the map.
pub(crate) fn status(flags: u16, cookie: u64, context: u32, extents: &[(u32, u32)]) -> Vec<u8> {
    let mut payload = context.to_be_bytes().to_vec();
    for (len, state) in extents {
        payload.extend(len.to_be_bytes());
        payload.extend(state.to_be_bytes());
    }
    chunk(flags, 5, cookie, &payload)
}

/// An answer without structure.
pub(crate) fn simple(error: u32, cookie: u64) -> Vec<u8> {
    let mut out = 0x6744_6698_u32.to_be_bytes().to_vec();
    out.extend(error.to_be_bytes());
    out.extend(cookie.to_be_bytes());
    out
}
