//! What the user allows.

use std::path::PathBuf;
use std::time::Duration;

/// How to reach a server, and what is accepted of it.
#[derive(Clone, Debug)]
pub struct NbdOptions {
    /// Read an export that others may write to: `--live`.
    pub live: bool,
    /// Read over a network without TLS: `--insecure`.
    pub insecure: bool,
    /// A PEM file of certificates that are trusted beside those of the system (or of
    /// `SSL_CERT_FILE`).
    pub ca_file: Option<PathBuf>,
    /// For connecting with all of the haggling; and for how long a server may be silent while answers
    /// are due. A single answer may take four times as long.
    pub timeout: Duration,
    /// Connections at most, where the server says that several see the same. 0 is 1.
    pub connections: usize,
}

impl Default for NbdOptions {
    fn default() -> Self {
        Self {
            live: false,
            insecure: false,
            ca_file: None,
            // Shorter than a call may take, so that the next attempt finds another connection.
            timeout: Duration::from_secs(8),
            connections: 4,
        }
    }
}
