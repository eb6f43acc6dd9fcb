//! Reaching a server: one connection, nothing said yet.

use super::options::NbdOptions;
use super::uri::{Endpoint, Target};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

/// Bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection of any kind.
pub(super) type BoxStream = Box<dyn Stream>;

/// Connects. Without TLS nothing but this machine is connected to, unless that is allowed: it is the
/// address that counts, not its name.
pub(super) async fn dial(target: &Target, options: &NbdOptions) -> Result<BoxStream> {
    match &target.endpoint {
        Endpoint::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Box::new(stream)),
            // The socket is there, and nobody listens: the server may come back.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Err(unreachable(target, &error))
            }
            Err(error) => Err(Error::from_open(path, error)),
        },
        Endpoint::Tcp(host, port) => {
            let found = lookup_host((host.as_str(), *port)).await;
            let found = found.map_err(|error| unreachable(target, &error))?;
            let mut addresses: Vec<SocketAddr> = found.collect();
            if !target.tls && !options.insecure {
                addresses.retain(|address| address.ip().to_canonical().is_loopback());
                if addresses.is_empty() {
                    return Err(clear_text(target));
                }
            }
            tcp(target, &addresses, options).await
        }
    }
}

/// The first address that answers.
async fn tcp(target: &Target, addresses: &[SocketAddr], options: &NbdOptions) -> Result<BoxStream> {
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let each = options
        .timeout
        .checked_div(count)
        .unwrap_or(options.timeout);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests are small, and each is waited for.
                stream
                    .set_nodelay(true)
                    .map_err(|error| unreachable(target, &error))?;
                return Ok(Box::new(stream));
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer"),
        }
    }
    Err(unreachable(target, &last))
}

fn unreachable(target: &Target, error: &io::Error) -> Error {
    Error::Remote {
        doing: format!("connect to {target}"),
        fault: Fault::new(FaultKind::Unknown, error.to_string()),
        hint: Some("check the host and the port, and that the server runs".to_owned()),
    }
}

fn clear_text(target: &Target) -> Error {
    Error::Refused {
        what: format!(
            "refused to connect to {target}: everybody on the way could read and change what it says"
        ),
        hint: Some(
            "use nbds:// (TLS), a tunnel to this machine, or accept it with --insecure".to_owned(),
        ),
    }
}
