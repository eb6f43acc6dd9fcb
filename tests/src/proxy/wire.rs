//! HTTP/1.1 messages, as much of it as tests need.

use std::io::{self, BufRead, Read};

/// No head in a test is longer.
const HEAD_MAX: u64 = 1 << 20;

/// A request or an answer: its first line, its headers, its body without framing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The request line or the status line, without the end of the line.
    pub first_line: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Where a body ends that has neither a length nor chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unframed {
    /// At once: a request, or an answer to `HEAD`.
    Empty,
    /// With the connection.
    UntilEnd,
}

impl Message {
    /// The first header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a header in place of all of this name.
    pub fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// The first line and the headers as they go over the wire, with the empty line.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first_line);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    /// Reads one. None where the connection ends before it begins.
    ///
    /// # Errors
    /// It ends in the middle, or makes no sense.
    pub fn read(input: &mut impl BufRead, unframed: Unframed) -> io::Result<Option<Self>> {
        let Some((first_line, headers)) = Self::read_head(input)? else {
            return Ok(None);
        };
        let mut message = Self {
            first_line,
            headers,
            body: Vec::new(),
        };
        message.read_body(input, unframed)?;
        Ok(Some(message))
    }

    /// Reads the first line and the headers.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[expect(clippy::type_complexity, reason = "a line and lines")]
    pub fn read_head(
        input: &mut impl BufRead,
    ) -> io::Result<Option<(String, Vec<(String, String)>)>> {
        let mut head = input.take(HEAD_MAX);
        let Some(first_line) = line(&mut head)? else {
            return Ok(None);
        };
        let mut headers = Vec::new();
        loop {
            let line = line(&mut head)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Some((first_line, headers)));
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the body; what framed it is taken from the headers and replaced with a length.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_body(&mut self, input: &mut impl BufRead, unframed: Unframed) -> io::Result<()> {
        if self.header("transfer-encoding") == Some("chunked") {
            self.body = chunks(input)?;
            self.headers.retain(|(name, _)| name != "transfer-encoding");
            self.set("content-length", &self.body.len().to_string());
        } else if let Some(len) = self.header("content-length") {
            let len = len.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            self.body = vec![0; len];
            input.read_exact(&mut self.body)?;
        } else if unframed == Unframed::UntilEnd {
            input.read_to_end(&mut self.body)?;
            self.set("content-length", &self.body.len().to_string());
        }
        Ok(())
    }
}

/// A line without its end. None at the end of the input.
fn line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if input.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let line = line
        .strip_suffix(b"\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = String::from_utf8(line.to_vec());
    text.map(Some)
        .map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The content of a chunked body.
fn chunks(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(input)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if size == 0 {
            while line(input)?.is_some_and(|line| !line.is_empty()) {}
            return Ok(body);
        }
        let start = body.len();
        body.resize(start + size, 0);
        input.read_exact(&mut body[start..])?;
        line(input)?;
    }
}
