//! From the greeting to transmission: TLS, structured answers, the map, the export.

use super::dial::BoxStream;
use super::tls::Tls;
use super::uri::Target;
use super::wire::block_size::BlockSize;
use super::wire::export::{EXPORT_LEN, Export};
use super::wire::greeting::{GREETING_LEN, Greeting};
use super::wire::info::Info;
use super::wire::option::{Opt, go_data, meta_context_data};
use super::wire::option_reply::{OPTION_REPLY_LEN, OptionReply, Refusal, Reply};
use super::wire::text::plain;
use super::wire::{Violation, meta_context, server};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers to one option that are read.
const REPLIES_MAX: usize = 1024;
/// The same for a list: one for each export.
const LIST_MAX: usize = 64 << 10;
/// Names of exports that a hint tells.
const NAMES_MAX: usize = 10;

/// What was agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Size and flags.
    pub(super) export: Export,
    /// Lengths of requests.
    pub(super) sizes: BlockSize,
    /// Answers have structure.
    pub(super) structured: bool,
    /// The number of the map, if there is one. May differ from connection to connection.
    pub(super) context: Option<u32>,
}

/// Haggles over a new connection until transmission begins. The caller bounds the time.
pub(super) async fn negotiate(
    stream: BoxStream,
    target: &Target,
    tls: Option<&Tls>,
) -> Result<(BoxStream, Terms)> {
    let mut haggling = Haggling {
        stream,
        target,
        no_zeroes: false,
    };
    haggling.greet().await?;
    if let Some(tls) = tls {
        haggling = haggling.start_tls(tls).await?;
    }
    let structured = haggling.structured().await?;
    let context = if structured {
        haggling.context().await?
    } else {
        None
    };
    let (export, sizes) = haggling.go().await?;
    let terms = Terms {
        export,
        sizes: sizes.unwrap_or_default(),
        structured,
        context,
    };
    Ok((haggling.stream, terms))
}

struct Haggling<'a> {
    stream: BoxStream,
    target: &'a Target,
    no_zeroes: bool,
}

impl Haggling<'_> {
    async fn greet(&mut self) -> Result<()> {
        let bytes: [u8; GREETING_LEN] = self.read().await?;
        let greeting = Greeting::parse(&bytes).map_err(|what| self.broken(&what))?;
        self.no_zeroes = greeting.no_zeroes;
        self.write(&greeting.answer()).await
    }

    /// Nothing has been agreed upon yet, so that nothing of it is lost. No answer but a yes will do: who
    /// stands between could have given any other.
    async fn start_tls(mut self, tls: &Tls) -> Result<Self> {
        self.ask(Opt::StartTls, &[]).await?;
        let (reply, payload) = self.reply(Opt::StartTls).await?;
        match reply {
            Reply::Ack => {}
            Reply::Refused(refusal) => {
                let why = says(refusal, &payload);
                self.abort().await;
                let what = format!(
                    "refused to read {}: the server has no TLS: {why}",
                    self.target
                );
                let hint =
                    Some("set it up there, or use nbd:// if the way to it is safe".to_owned());
                return Err(Error::Refused { what, hint });
            }
            other => return Err(self.unexpected(Opt::StartTls, other)),
        }
        let stream = tls.wrap(self.stream, self.target).await?;
        Ok(Self {
            stream: Box::new(stream),
            target: self.target,
            no_zeroes: self.no_zeroes,
        })
    }

    async fn structured(&mut self) -> Result<bool> {
        self.ask(Opt::StructuredReply, &[]).await?;
        let (reply, payload) = self.reply(Opt::StructuredReply).await?;
        match reply {
            Reply::Ack => Ok(true),
            Reply::Refused(refusal) => self.go_on(refusal, &payload).await.map(|()| false),
            other => Err(self.unexpected(Opt::StructuredReply, other)),
        }
    }

    /// The number of the map of what is stored.
    async fn context(&mut self) -> Result<Option<u32>> {
        let data = meta_context_data(&self.target.export, meta_context::ALLOCATION);
        self.ask(Opt::SetMetaContext, &data).await?;
        let mut found = None;
        for _ in 0..REPLIES_MAX {
            let (reply, payload) = self.reply(Opt::SetMetaContext).await?;
            match reply {
                Reply::Ack => return Ok(found),
                Reply::MetaContext => {
                    let context = meta_context::parse(&payload);
                    found = context.map_err(|what| self.broken(&what))?.or(found);
                }
                // An export that there is not is told by what comes next.
                Reply::Refused(Refusal::Unknown) => return Ok(None),
                Reply::Refused(refusal) => {
                    return self.go_on(refusal, &payload).await.map(|()| None);
                }
                other => return Err(self.unexpected(Opt::SetMetaContext, other)),
            }
        }
        Err(self.endless())
    }

    async fn go(&mut self) -> Result<(Export, Option<BlockSize>)> {
        self.ask(Opt::Go, &go_data(&self.target.export)).await?;
        let (mut export, mut sizes) = (None, None);
        for _ in 0..REPLIES_MAX {
            let (reply, payload) = self.reply(Opt::Go).await?;
            match reply {
                Reply::Ack => {
                    let missing =
                        || self.broken(&Violation::new("expected the size of the export"));
                    return Ok((export.ok_or_else(missing)?, sizes));
                }
                Reply::Info => match Info::parse(&payload).map_err(|what| self.broken(&what))? {
                    Info::Export(found) => export = Some(found),
                    Info::BlockSize(found) => sizes = Some(found),
                    Info::Other => {}
                },
                Reply::Refused(Refusal::Unsupported) => {
                    return self.export_name().await.map(|export| (export, None));
                }
                Reply::Refused(Refusal::Unknown) => {
                    // What fails here only shortens the hint.
                    let names = self.list().await;
                    self.abort().await;
                    return Err(self.no_such(&names.unwrap_or_else(|_| Vec::new())));
                }
                Reply::Refused(refusal) => return Err(self.refused(refusal, &payload).await),
                other => return Err(self.unexpected(Opt::Go, other)),
            }
        }
        Err(self.endless())
    }

    /// The old way, which knows no errors: a server that does not have the export hangs up.
    async fn export_name(&mut self) -> Result<Export> {
        let names = self.list().await?;
        self.ask(Opt::ExportName, self.target.export.as_bytes())
            .await?;
        let mut bytes = [0; EXPORT_LEN];
        match self.stream.read_exact(&mut bytes).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.no_such(&names));
            }
            Err(error) => return Err(self.lost(&error)),
        }
        if !self.no_zeroes {
            let _reserved: [u8; 124] = self.read().await?;
        }
        Export::parse(&bytes).map_err(|what| self.broken(&what))
    }

    /// The first names of exports, for a hint. Empty if the server does not want to tell.
    async fn list(&mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        self.ask(Opt::List, &[]).await?;
        for _ in 0..LIST_MAX {
            let (reply, payload) = self.reply(Opt::List).await?;
            match reply {
                Reply::Server if names.len() < NAMES_MAX => {
                    names.push(server::parse(&payload).map_err(|what| self.broken(&what))?);
                }
                Reply::Server => {}
                Reply::Ack | Reply::Refused(_) => return Ok(names),
                other => return Err(self.unexpected(Opt::List, other)),
            }
        }
        Err(self.endless())
    }

    /// Whether a refused wish can be done without.
    async fn go_on(&mut self, refusal: Refusal, payload: &[u8]) -> Result<()> {
        match refusal {
            Refusal::TlsRequired | Refusal::Shutdown => Err(self.refused(refusal, payload).await),
            _ => Ok(()),
        }
    }

    async fn refused(&mut self, refusal: Refusal, payload: &[u8]) -> Error {
        self.abort().await;
        let why = says(refusal, payload);
        match refusal {
            Refusal::TlsRequired => Error::Refused {
                what: format!("cannot read {}: {why}", self.target),
                hint: Some("use nbds:// in place of nbd://".to_owned()),
            },
            Refusal::Shutdown => self.fault(FaultKind::Unknown, why),
            _ => self.fault(FaultKind::Refused, why),
        }
    }

    fn no_such(&self, names: &[String]) -> Error {
        let export = &self.target.export;
        let hint = match names {
            [] => "the server does not tell which exports it has".to_owned(),
            names => {
                let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
                format!("the server has {}", names.join(", "))
            }
        };
        Error::NoSuch {
            what: format!(
                "no export \"{}\" at {}",
                plain(export.as_bytes()),
                self.target
            ),
            hint: Some(hint),
        }
    }

    /// A soft end, as the protocol wants it; whether the server hears it matters to nobody.
    async fn abort(&mut self) {
        if self.ask(Opt::Abort, &[]).await.is_ok() {
            let _closed = self.stream.shutdown().await;
        }
    }

    async fn ask(&mut self, option: Opt, data: &[u8]) -> Result<()> {
        self.write(&option.encode(data)).await
    }

    async fn reply(&mut self, sent: Opt) -> Result<(Reply, Vec<u8>)> {
        let head: [u8; OPTION_REPLY_LEN] = self.read().await?;
        let head = OptionReply::parse(&head, sent).map_err(|what| self.broken(&what))?;
        let mut payload = vec![0; usize::try_from(head.len).unwrap_or(usize::MAX)];
        let read = self.stream.read_exact(&mut payload).await;
        read.map_err(|error| self.lost(&error))?;
        Ok((head.reply, payload))
    }

    async fn read<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        let read = self.stream.read_exact(&mut bytes).await;
        read.map_err(|error| self.lost(&error))?;
        Ok(bytes)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.stream.write_all(bytes).await;
        written.map_err(|error| self.lost(&error))?;
        let flushed = self.stream.flush().await;
        flushed.map_err(|error| self.lost(&error))
    }

    fn fault(&self, kind: FaultKind, message: impl Into<String>) -> Error {
        Error::remote(format!("open {}", self.target), Fault::new(kind, message))
    }

    fn lost(&self, error: &io::Error) -> Error {
        let what = format!("the connection broke during the handshake: {error}");
        self.fault(FaultKind::Unknown, what)
    }

    fn broken(&self, what: &Violation) -> Error {
        self.fault(FaultKind::Refused, what.to_string())
    }

    fn unexpected(&self, option: Opt, reply: Reply) -> Error {
        let what = format!("expected an answer to {option:?}, found {reply:?}");
        self.broken(&Violation::new(what))
    }

    fn endless(&self) -> Error {
        let what = "expected an end of the answers to an option, found more and more";
        self.broken(&Violation::new(what))
    }
}

/// The server's words, or ours.
fn says(refusal: Refusal, payload: &[u8]) -> String {
    let said = plain(payload);
    if !said.is_empty() {
        return format!("the server says: {said}");
    }
    match refusal {
        Refusal::Unsupported => "the server does not know how".to_owned(),
        Refusal::Policy => "the server does not want to".to_owned(),
        Refusal::TlsRequired => "the server wants TLS".to_owned(),
        Refusal::Unknown => "the server has no such export".to_owned(),
        Refusal::Shutdown => "the server is being shut down".to_owned(),
        Refusal::Other(number) => format!("the server refuses with number {number:#x}"),
    }
}
