//! Other people's servers, started on loopback for a test and ended with it.
//!
//! `scripts/test-servers` puts them under `target/tools`. Where one is missing the test says so and
//! passes; under `CI` it fails.

#![expect(
    clippy::disallowed_methods,
    reason = "logs and settings of servers, in folders of their own"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to come up; the machine may be busy with other tests.
const START_MAX: Duration = Duration::from_secs(90);

/// How long a script may run, in seconds.
const SCRIPT_MAX: &str = "180";

/// The account of Azurite, and of Azure's older emulators: public, and the same everywhere.
pub const AZURE_ACCOUNT: &str = "devstoreaccount1";
/// Its key.
pub const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server on a port of loopback. It is ended when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    /// What it writes, and its log.
    folder: TempDir,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts what `command` gives for a port and a folder of its own, and waits until it answers. The
    /// free port that is chosen may be taken by somebody else before the server has it: then another.
    fn start(name: &str, command: impl Fn(u16, &Path) -> Command) -> Self {
        let mut log = String::new();
        for _ in 0..5 {
            let folder = TempDir::new().expect("a folder for a server");
            let address = free_address();
            let out = File::create(folder.path().join("log")).expect("a log");
            let child = command(address.port(), folder.path())
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(out.try_clone().expect("the log again"))
                .stderr(out)
                .spawn()
                .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
            let mut server = Self {
                child,
                address,
                folder,
            };
            if server.answers() {
                return server;
            }
            log = server.log();
        }
        panic!("{name} does not start: {log}");
    }

    /// Whether it came up; false if it ended.
    fn answers(&mut self) -> bool {
        let until = Instant::now() + START_MAX;
        while Instant::now() < until {
            if self.child.try_wait().expect("its state").is_some() {
                return false;
            }
            if answers_http(self.address) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An address of loopback where nobody listens just now.
#[must_use]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its number")
}

/// Whether somebody speaks HTTP there.
fn answers_http(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        // moto counts what it is asked elsewhere, and may want a signature after so many.
        write!(
            stream,
            "GET /moto-api/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut start = [0; 5];
        stream.read_exact(&mut start)?;
        Ok(&start == b"HTTP/")
    };
    ask().unwrap_or(false)
}

/// A file under `target/tools`, or the word that it is missing.
fn tool(path: &str) -> Option<PathBuf> {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools");
    let full = Path::new(tools).join(path);
    if full.exists() {
        return fs::canonicalize(full.parent()?)
            .ok()
            .map(|folder| folder.join(full.file_name().unwrap_or_default()));
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "this test needs {path}, which CI has to have: scripts/test-servers"
    );
    println!("skipped: this test needs {path} (scripts/test-servers gets it)");
    None
}

/// A command that knows nothing of the credentials, proxies and settings of whoever runs the tests.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        if ["AWS_", "AZURE_", "MOTO_", "PYTHON"]
            .iter()
            .any(|start| text.starts_with(start))
            || text.ends_with("_PROXY")
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Amazon's EC2, EBS, S3, IAM and STS by moto. Its account is 123456789012, and it takes any
/// credentials.
#[must_use]
pub fn moto() -> Option<Server> {
    moto_with(&[])
}

/// The same with variables of moto's own: `INITIAL_NO_AUTH_ACTION_COUNT`.
#[must_use]
pub fn moto_with(variables: &[(&str, &str)]) -> Option<Server> {
    let program = tool("venv/bin/moto_server")?;
    Some(Server::start("moto", |port, _| {
        let mut command = clean(&program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.envs(variables.iter().copied());
        command
    }))
}

/// Azure's blob storage by Azurite, with the account [`AZURE_ACCOUNT`].
#[must_use]
pub fn azurite() -> Option<Server> {
    let program = tool("azurite/node_modules/.bin/azurite-blob")?;
    Some(Server::start("azurite", |port, folder| {
        let mut command = clean(&program);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
        // Without the last one it calls its maker.
        command.args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
        command.arg("--location").arg(folder);
        command
    }))
}

/// nginx over the files of a folder, with more lines of its `server` block. A `listen` line of theirs,
/// with `ADDRESS` for where, replaces the one for plain HTTP.
#[must_use]
pub fn nginx(root: &Path, lines: &str) -> Option<Server> {
    let program = if crate::require::has("nginx") {
        PathBuf::from("nginx")
    } else {
        tool("nginx/usr/sbin/nginx")?
    };
    Some(Server::start("nginx", |port, folder| {
        let place = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {place}/{what};\n"))
            .concat();
        let listen = lines.replace("ADDRESS", &format!("127.0.0.1:{port}"));
        let listen = if listen.contains("listen ") {
            listen
        } else {
            format!("listen 127.0.0.1:{port};\n{listen}")
        };
        let text = format!(
            "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr;\n\
             events {{}}\nhttp {{\naccess_log off;\n{temporary}server {{\nroot {};\n{listen}\n}}\n}}\n",
            root.display()
        );
        let config = folder.join("nginx.conf");
        fs::write(&config, text).expect("nginx.conf");
        let mut command = clean(&program);
        command.arg("-p").arg(folder).arg("-c").arg(config);
        command
    }))
}

/// Runs a script with moto's Python, which has `boto3` and `azure.storage.blob`.
///
/// # Panics
/// It does not end within three minutes, or fails: what it said is in the message.
#[must_use]
pub fn python(script: &str) -> Option<Output> {
    python_with(script, &[], &[])
}

/// The same with arguments (`sys.argv[1:]`) and variables. Region and credentials are set to values for
/// tests if the variables do not say otherwise.
///
/// # Panics
/// As [`python`].
#[must_use]
pub fn python_with(script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Option<Output> {
    let program = tool("venv/bin/python")?;
    let output = clean(Path::new("timeout"))
        .args(["--kill-after=5", SCRIPT_MAX])
        .arg(program)
        .args(["-c", script])
        .args(arguments)
        .envs([
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ])
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("a script is run");
    assert!(
        output.status.success(),
        "the script failed: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output)
}
