//! Servers of other people, and reading all of an export.

use flr_provider::nbd::{NbdOptions, NbdStore};
use flr_provider::remote::{ChunkRun, ChunkState, ChunkStore, runtime};
use flr_provider::{Error, Fault};
use std::net::TcpStream;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Fetches that are under way at once.
const AT_ONCE: usize = 8;

/// A server, ended with the test.
pub(crate) struct Server {
    child: Child,
    socket: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Waits until `reached`, or until the server has ended.
fn wait(child: &mut Child, mut reached: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        if reached() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

impl Server {
    fn start(command: &mut Command, socket: &Path) -> Self {
        if socket.exists() {
            std::fs::remove_file(socket).unwrap();
        }
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let up = wait(&mut child, || UnixStream::connect(socket).is_ok());
        let socket = socket.to_owned();
        let server = Self { child, socket };
        assert!(up, "{command:?} does not listen");
        server
    }

    /// `nbdkit` with these words after those for the socket.
    pub(crate) fn nbdkit(dir: &TempDir, words: &[&str]) -> Self {
        let socket = dir.path().join("nbdkit.sock");
        let mut command = Command::new("nbdkit");
        // What it makes for itself goes with the test: it is killed, and leaves it there.
        command.env("TMPDIR", dir.path());
        command.args(["--foreground", "--readonly", "--unix"]);
        command.arg(&socket).args(words);
        Self::start(&mut command, &socket)
    }

    /// The same for whoever wants to write.
    pub(crate) fn nbdkit_for_writing(dir: &TempDir, words: &[&str]) -> Self {
        let socket = dir.path().join("nbdkit.sock");
        let mut command = Command::new("nbdkit");
        command.env("TMPDIR", dir.path());
        command.args(["--foreground", "--unix"]);
        command.arg(&socket).args(words);
        Self::start(&mut command, &socket)
    }

    /// `qemu-nbd` with these words after those for the socket.
    pub(crate) fn qemu(dir: &TempDir, words: &[&str]) -> Self {
        let socket = dir.path().join("qemu.sock");
        let mut command = Command::new("qemu-nbd");
        command.args(["--read-only", "--persistent", "--shared=8", "--socket"]);
        command.arg(&socket).args(words);
        Self::start(&mut command, &socket)
    }

    /// `nbdkit` on a free port of this machine.
    pub(crate) fn nbdkit_on_port(words: &[&str]) -> (Self, u16) {
        for _ in 0..5 {
            // Somebody else may take the port before the server does; then another is tried.
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let mut command = Command::new("nbdkit");
            command.args(["--foreground", "--readonly", "--ipaddr=127.0.0.1", "--port"]);
            command.arg(port.to_string()).args(words);
            let mut child = command.stdin(Stdio::null()).spawn().unwrap();
            let up = wait(&mut child, || {
                TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
            let socket = PathBuf::new();
            let server = Self { child, socket };
            if up {
                return (server, port);
            }
        }
        panic!("no port for nbdkit");
    }

    /// The URI of an export.
    pub(crate) fn uri(&self, export: &str) -> String {
        format!("nbd+unix:///{export}?socket={}", self.socket.display())
    }

    /// The URI of an export with TLS.
    pub(crate) fn tls_uri(&self, export: &str, name: &str) -> String {
        let socket = self.socket.display();
        format!("nbds+unix:///{export}?socket={socket}&tls-hostname={name}")
    }
}

/// Short patience, everything else as usual.
pub(crate) fn options() -> NbdOptions {
    NbdOptions {
        timeout: Duration::from_secs(10),
        ..NbdOptions::default()
    }
}

/// Opens an export.
pub(crate) fn open(uri: &str) -> Arc<NbdStore> {
    NbdStore::open(uri, &options()).unwrap()
}

/// Opens what must not be opened.
pub(crate) fn refuse(uri: &str, options: &NbdOptions) -> (Error, String) {
    let error = NbdStore::open(uri, options).unwrap_err();
    let hint = error.hint().unwrap_or_default().into_owned();
    (error, hint)
}

/// How many chunks there are.
pub(crate) fn chunks(store: &NbdStore) -> u64 {
    store.size().div_ceil(u64::from(store.chunk_len().get()))
}

/// One fetch.
pub(crate) fn fetch(store: &NbdStore, chunks: Range<u64>) -> Result<Vec<u8>, Fault> {
    runtime::block_on(store.fetch(chunks)).map(|bytes| bytes.to_vec())
}

/// All of the map.
pub(crate) fn map(store: &NbdStore) -> Vec<ChunkRun> {
    let runs = runtime::block_on(store.map(0..chunks(store))).unwrap();
    let mut next = 0;
    for run in &runs {
        assert!(
            run.chunks.start == next && run.chunks.end > next,
            "{runs:?}"
        );
        next = run.chunks.end;
    }
    assert_eq!(next, chunks(store));
    runs
}

/// All of the bytes, many fetches at once, each tried so often.
pub(crate) fn read_all(store: &Arc<NbdStore>, tries: usize) -> Result<Vec<u8>, Fault> {
    let step = u64::from(store.coalesce_max().get());
    let starts = (0..chunks(store)).step_by(usize::try_from(step).unwrap());
    let ranges: Vec<_> = starts
        .map(|start| start..(start + step).min(chunks(store)))
        .collect();
    let mut out = Vec::new();
    for ranges in ranges.chunks(AT_ONCE) {
        let tasks = ranges.iter().map(|range| {
            let (store, range) = (Arc::clone(store), range.clone());
            runtime::handle().spawn(async move {
                let mut last = store.fetch(range.clone()).await;
                for _ in 1..tries {
                    if last.is_ok() {
                        break;
                    }
                    last = store.fetch(range.clone()).await;
                }
                last
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            out.extend(runtime::block_on(task).unwrap()?);
        }
    }
    assert_eq!(u64::try_from(out.len()).unwrap(), store.size());
    Ok(out)
}

/// Where the map says that nothing is stored, as ranges of bytes.
pub(crate) fn holes(store: &NbdStore) -> Vec<Range<u64>> {
    let len = u64::from(store.chunk_len().get());
    let runs = map(store).into_iter();
    let holes = runs.filter(|run| run.state == ChunkState::Hole);
    holes
        .map(|run| run.chunks.start * len..(run.chunks.end * len).min(store.size()))
        .collect()
}

/// What `nbdkit pattern` serves: every eight bytes say where they are.
pub(crate) fn pattern(size: u64) -> Vec<u8> {
    let words = (0..size.div_ceil(8)).flat_map(|word| (word * 8).to_be_bytes());
    words.take(usize::try_from(size).unwrap()).collect()
}

/// Runs a tool that must succeed; gives what it prints.
pub(crate) fn run(tool: &str, words: &[&str]) -> String {
    let output = Command::new(tool).args(words).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Fails with the first place where two contents differ.
pub(crate) fn same(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len());
    let differs = found.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!(differs, None, "the first byte that differs");
}
