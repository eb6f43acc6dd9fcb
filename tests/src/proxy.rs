//! A proxy on loopback that breaks what passes through it, as it is told.
//!
//! It stands in front of any server that speaks HTTP/1.1, reads each request whole, asks a rule what
//! is to go wrong with it, and answers accordingly. A request is either forwarded or not: what had an
//! effect and what had none is known.

mod dialect;
pub mod wire;

use dialect::Trouble;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use wire::{Message, Unframed};

/// How often a thread that waits looks whether it is over.
const TICK: Duration = Duration::from_millis(50);

/// How long the server behind may take.
const UPSTREAM_MAX: Duration = Duration::from_secs(120);

/// A request that came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How many came before it.
    pub index: usize,
    /// `GET`.
    pub method: String,
    /// `/path?query`, as it was sent.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Call {
    /// The first header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    fn key(&self) -> Key {
        let range = self.header("range").unwrap_or_default().to_owned();
        let (method, target) = (self.method.clone(), self.target.clone());
        (method, target, range, self.body.clone())
    }

    /// What is to be done, where that does not stand in the target: `CreateVolume` of a form, the last
    /// word of `X-Amz-Target`.
    #[must_use]
    pub fn action(&self) -> Option<String> {
        if let Some(target) = self.header("x-amz-target") {
            return target.rsplit('.').next().map(str::to_owned);
        }
        let form = String::from_utf8_lossy(&self.body).into_owned();
        let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        let action = pairs.find(|(name, _)| *name == "Action");
        action.map(|(_, value)| value.to_owned())
    }
}

/// What goes wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is forwarded, and its answer is given back.
    None,
    /// Nothing, but so much later.
    Late(Duration),
    /// 500; no effect.
    InternalError,
    /// 503; no effect.
    Unavailable,
    /// Too many calls, in the service's own words and mostly with 400; no effect.
    Throttled,
    /// No answer; no effect. The connection stays open until the client or the test gives up.
    TimeoutBefore,
    /// It takes effect, but there is no answer.
    TimeoutAfter,
    /// It takes effect, but instead of an answer the server's half of the connection ends; it listens on.
    HalfClosed,
    /// The answer's body comes in sixteen pieces, over so long a time.
    Slow(Duration),
    /// Half of the answer's body comes; its head is right.
    Truncated,
    /// One bit in the middle of the answer's body is wrong; its head is right.
    WrongByte,
    /// The credentials have run out; no effect.
    ExpiredToken,
    /// Refused since the clocks differ: the answer's date is so many seconds from now. No effect.
    Skewed(i64),
    /// The first answer that the same request ever had, if it had one; no effect then.
    Stale,
    /// A quota is used up; no effect.
    Quota,
    /// These bytes instead of an answer, then the connection ends; no effect.
    Raw(Vec<u8>),
    /// These bytes instead of an answer, then nothing more; no effect.
    Stalled(Vec<u8>),
}

type Rule = dyn Fn(&Call) -> Fault + Send + Sync;

/// What makes a request the same: method, target, range, body. Signatures differ every time.
type Key = (String, String, String, Vec<u8>);

struct Shared {
    upstream: SocketAddr,
    rule: Box<Rule>,
    calls: Mutex<Vec<Call>>,
    first_answers: Mutex<HashMap<Key, Message>>,
    is_over: AtomicBool,
}

/// The proxy. It ends, with all its connections, when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("upstream", &self.shared.upstream)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Stands in front of `upstream`. The rule is asked once for each request, in the order in which
    /// they came; several at once.
    #[must_use]
    pub fn start(
        upstream: SocketAddr,
        rule: impl Fn(&Call) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its number");
        let shared = Arc::new(Shared {
            upstream,
            rule: Box::new(rule),
            calls: Mutex::default(),
            first_answers: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            address,
            shared,
            accepting: Some(accepting),
        }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; it joins the others.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A rule that panics fails its test; the others go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        if shared.is_over.load(Ordering::Relaxed) {
            break;
        }
        let shared = Arc::clone(shared);
        connections.push(std::thread::spawn(move || {
            // A client that goes away is no concern of ours.
            drop(serve(stream, &shared));
        }));
    }
    for connection in connections {
        drop(connection.join());
    }
}

/// Serves the requests of one connection, one after the other.
fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut output = stream.try_clone()?;
    let waiting = Waiting {
        stream,
        is_over: &shared.is_over,
    };
    let mut input = BufReader::new(waiting);
    while let Some((first_line, headers)) = Message::read_head(&mut input)? {
        let mut request = Message {
            first_line,
            headers,
            body: Vec::new(),
        };
        if request.header("expect").is_some() {
            output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.read_body(&mut input, Unframed::Empty)?;
        if !answer(&request, shared, &mut output, &mut input)? {
            break;
        }
    }
    Ok(())
}

/// Answers one request. False: the connection is at its end.
fn answer(
    request: &Message,
    shared: &Shared,
    output: &mut TcpStream,
    input: &mut impl Read,
) -> io::Result<bool> {
    let call = note(request, shared)?;
    let fault = (shared.rule)(&call);
    let made_up = |trouble| dialect::answer(&call, trouble);
    let message = match &fault {
        Fault::InternalError => made_up(Trouble::Internal),
        Fault::Unavailable => made_up(Trouble::Unavailable),
        Fault::Throttled => made_up(Trouble::Throttled),
        Fault::ExpiredToken => made_up(Trouble::Expired),
        Fault::Quota => made_up(Trouble::Quota),
        Fault::Skewed(seconds) => {
            let mut message = made_up(Trouble::Skewed);
            message.set("date", &http_date(*seconds));
            message
        }
        Fault::TimeoutBefore => return until_end(input),
        Fault::Raw(bytes) => {
            output.write_all(bytes)?;
            return Ok(false);
        }
        Fault::Stalled(bytes) => {
            output.write_all(bytes)?;
            return until_end(input);
        }
        Fault::Stale => {
            let old = lock(&shared.first_answers).get(&call.key()).cloned();
            match old {
                Some(old) => old,
                None => forward(&call, request, shared)?,
            }
        }
        Fault::Late(time) => {
            std::thread::sleep(*time);
            forward(&call, request, shared)?
        }
        _ => forward(&call, request, shared)?,
    };
    send(&fault, message, call.method == "HEAD", output, input)
}

/// Writes an answer, mangled.
fn send(
    fault: &Fault,
    mut message: Message,
    is_head: bool,
    output: &mut TcpStream,
    input: &mut impl Read,
) -> io::Result<bool> {
    let middle = message.body.len() / 2;
    if *fault == Fault::WrongByte
        && let Some(byte) = message.body.get_mut(middle)
    {
        *byte ^= 0x10;
    }
    let head = message.head();
    match fault {
        Fault::TimeoutAfter => return until_end(input),
        Fault::HalfClosed => {
            output.shutdown(Shutdown::Write)?;
            return until_end(input);
        }
        _ => output.write_all(&head)?,
    }
    let body: &[u8] = if is_head { &[] } else { &message.body };
    match fault {
        Fault::Truncated => {
            output.write_all(&body[..middle.min(body.len())])?;
            return Ok(false);
        }
        Fault::Slow(time) => {
            for part in body.chunks(body.len().div_ceil(16).max(1)) {
                std::thread::sleep(*time / 16);
                output.write_all(part)?;
            }
        }
        _ => output.write_all(body)?,
    }
    Ok(true)
}

/// Writes a request down.
fn note(request: &Message, shared: &Shared) -> io::Result<Call> {
    let mut words = request.first_line.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut calls = lock(&shared.calls);
    let call = Call {
        index: calls.len(),
        method: method.to_owned(),
        target: target.to_owned(),
        headers: request.headers.clone(),
        body: request.body.clone(),
    };
    calls.push(call.clone());
    Ok(call)
}

/// Asks the server behind, over a connection of its own.
fn forward(call: &Call, request: &Message, shared: &Shared) -> io::Result<Message> {
    let mut request = request.clone();
    request.set("connection", "close");
    request.headers.retain(|(name, _)| name != "expect");
    let mut stream = TcpStream::connect(shared.upstream)?;
    stream.set_read_timeout(Some(UPSTREAM_MAX))?;
    stream.write_all(&request.head())?;
    stream.write_all(&request.body)?;
    let mut input = BufReader::new(stream);
    let unexpected = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (first_line, headers) = Message::read_head(&mut input)?.ok_or_else(unexpected)?;
    let mut answer = Message {
        first_line,
        headers,
        body: Vec::new(),
    };
    let status = answer.first_line.split(' ').nth(1).unwrap_or_default();
    if call.method != "HEAD" && status != "204" && status != "304" {
        answer.read_body(&mut input, Unframed::UntilEnd)?;
    }
    answer.set("connection", "keep-alive");
    lock(&shared.first_answers)
        .entry(call.key())
        .or_insert_with(|| answer.clone());
    Ok(answer)
}

/// Waits until the client or the test gives up.
fn until_end(input: &mut impl Read) -> io::Result<bool> {
    io::copy(input, &mut io::sink())?;
    Ok(false)
}

/// A stream that ends when the test does.
struct Waiting<'a> {
    stream: TcpStream,
    is_over: &'a AtomicBool,
}

impl Read for Waiting<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(TICK))?;
        while !self.is_over.load(Ordering::Relaxed) {
            match self.stream.read(buf) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock
                            | io::ErrorKind::TimedOut
                            | io::ErrorKind::Interrupted
                    ) => {}
                done => return done,
            }
        }
        Ok(0)
    }
}

/// So many seconds from now, as HTTP writes it.
fn http_date(from_now: i64) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(since.expect("a time after 1970").as_secs()).expect("a time");
    date_text(now + from_now)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date_text(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = seconds.div_euclid(86_400);
    let of_day = seconds.rem_euclid(86_400);
    // 1970 to 2399: years have 366 or 365 days by the usual rule.
    let (mut year, mut day) = (1970, days);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while day >= 365 + i64::from(leap(year)) {
        day -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lens = [
        31,
        28 + i64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while day >= lens[month] {
        day -= lens[month];
        month += 1;
    }
    let weekday = DAYS[usize::try_from(days.rem_euclid(7)).expect("a day")];
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let month = MONTHS[month];
    format!(
        "{weekday}, {:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT",
        day + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        // The example of RFC 9110, and the day after a leap day.
        assert_eq!(date_text(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date_text(951_868_800), "Wed, 01 Mar 2000 00:00:00 GMT");
        assert_eq!(date_text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
