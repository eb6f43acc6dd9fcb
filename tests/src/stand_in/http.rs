//! HTTP/1.1 by hand, so that every byte of an answer can be made wrong.

use std::io;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

const HEAD_MAX: u64 = 64 * 1024;
const BODY_MAX: u64 = 4 * 1024 * 1024;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// As on the wire, still encoded.
    pub path: String,
    /// As on the wire, still encoded, without `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header; more than one are joined as the standard says.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.iter().filter(|(known, _)| known == name);
        let values: Vec<_> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(","))
    }
}

/// An answer, before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// All but `Content-Length`, `Connection` and `Date`, which the server adds where they are not given.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer with a type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn has(&self, name: &str) -> bool {
        let is_it = |(known, _): &(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().any(is_it)
    }

    /// Everything before the body.
    pub(super) fn head(&self, date: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.has("date") {
            head.push_str(&format!("Date: {date}\r\n"));
        }
        if !self.has("content-length") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        412 => "Precondition Failed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Other",
    }
}

/// The next request of a connection; none if the other side is done.
pub(super) async fn read<W: AsyncRead + Unpin>(
    stream: &mut BufReader<W>,
) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    let mut left = HEAD_MAX;
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut *stream).take(left);
        let read = bounded.read_until(b'\n', &mut line).await?;
        left -= u64::try_from(read).expect("small");
        if read == 0 {
            return match lines.is_empty() && left == HEAD_MAX {
                true => Ok(None),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut request = parse(&lines).ok_or(io::ErrorKind::InvalidData)?;
    request.body = read_body(stream, &request).await?;
    Ok(Some(request))
}

fn parse(lines: &[String]) -> Option<Request> {
    let mut words = lines.first()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: lines[1..].iter().map(header).collect::<Option<_>>()?,
        body: Vec::new(),
    })
}

async fn read_body<W: AsyncRead + Unpin>(
    stream: &mut BufReader<W>,
    request: &Request,
) -> io::Result<Vec<u8>> {
    if request.header("transfer-encoding").is_some() {
        return Err(io::Error::other(
            "no client of these services sends its body in chunks",
        ));
    }
    let Some(len) = request.header("content-length") else {
        return Ok(Vec::new());
    };
    let len: u64 = len.parse().map_err(io::Error::other)?;
    if len > BODY_MAX {
        return Err(io::Error::other("a body that is too long"));
    }
    let mut body = vec![0; usize::try_from(len).expect("small")];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
