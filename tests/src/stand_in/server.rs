//! The server: takes requests, lets the services answer, and makes of the answers what was asked for.

use super::call::{Call, Outcome};
use super::clock::{Clock, http_date};
use super::device::Devices;
use super::error::{Caller, ServiceError, error};
use super::fault::{FakeFault, When};
use super::http::{Answer, Request, read};
use super::{Asked, Cloud, Setup, Times, lock};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Where those outside of the process set the model's time forward. It is no call of any service.
const ADVANCE: &str = "/fake/advance";

type Rule<S> = dyn FnMut(&Call<S>) -> Option<FakeFault> + Send;
type Change<S> = dyn FnMut(&Call<S>, &mut Answer) + Send;

/// What all connections share.
pub(super) struct Shared<C: Cloud> {
    pub(super) state: Mutex<C::State>,
    pub(super) clock: Clock,
    pub(super) calls: Mutex<Vec<Call<C::Service>>>,
    pub(super) counts: Mutex<BTreeMap<String, usize>>,
    pub(super) rule: Mutex<Option<Box<Rule<C::Service>>>>,
    pub(super) change: Mutex<Option<Box<Change<C::Service>>>>,
    pub(super) latency_us: AtomicU64,
    tls: Option<TlsAcceptor>,
    devices: Option<Mutex<Devices>>,
    in_flight: AtomicUsize,
    pub(super) in_flight_max: AtomicUsize,
}

/// An answer and what is to become of it.
struct Delivery {
    answer: Answer,
    date: String,
    fault: Option<FakeFault>,
}

impl<C: Cloud> Shared<C> {
    pub(super) fn new(state: C::State, setup: Setup) -> Self {
        Self {
            state: Mutex::new(state),
            clock: Clock::new(),
            calls: Mutex::default(),
            counts: Mutex::default(),
            rule: Mutex::default(),
            change: Mutex::default(),
            latency_us: AtomicU64::new(0),
            tls: setup.tls,
            devices: setup.dev_root.map(|root| Mutex::new(Devices::new(root))),
            in_flight: AtomicUsize::new(0),
            in_flight_max: AtomicUsize::new(0),
        }
    }

    /// Makes what time has brought about, also devices made and removed.
    pub(super) fn settle(&self) {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        C::settle(&mut state, now);
        if let Some(devices) = &self.devices {
            lock(devices).settle(&C::disks(&state, now));
        }
    }

    fn advance(&self, request: &Request) -> Answer {
        let by = request.query.strip_prefix("ms=");
        let by = by.and_then(|text| text.parse().ok());
        let status = if by.is_some() { 200 } else { 400 };
        self.clock.advance(Duration::from_millis(by.unwrap_or(0)));
        self.settle();
        Answer::new(status, "text/plain", Vec::new())
    }

    /// Writes the call down. Its number is one more than its place.
    fn note(&self, request: &Request) -> (Call<C::Service>, Result<Caller, ServiceError>) {
        let route = C::route(request);
        let times = Times {
            wire: self.clock.wire(),
            model: self.clock.now(),
        };
        let caller = C::caller(&mut lock(&self.state), request, &route, times);
        let (service, operation, parameters) = route;
        let mut calls = lock(&self.calls);
        let nth = {
            let mut counts = lock(&self.counts);
            let count = counts.entry(operation.clone()).or_default();
            *count += 1;
            *count
        };
        let known = caller.as_ref().ok();
        let call = Call {
            number: calls.len() + 1,
            nth,
            service,
            operation,
            parameters,
            account: known.map(|caller| caller.account.clone()),
            region: known.map(|caller| caller.region.clone()),
            at: self.clock.elapsed(),
            outcome: None,
        };
        calls.push(call.clone());
        (call, caller)
    }

    async fn respond(&self, request: &Request) -> Delivery {
        let (call, caller) = self.note(request);
        let fault = lock(&self.rule).as_mut().and_then(|rule| rule(&call));
        let mut wait = Duration::from_micros(self.latency_us.load(Ordering::Relaxed));
        if let Some(FakeFault::Delayed(longer)) = fault {
            wait += longer;
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let wire = self.clock.wire();
        let wanted = fault
            .as_ref()
            .and_then(|fault| C::of_fault(fault, call.service, wire));
        let request_id = C::request_id(&mut lock(&self.state));
        let result = if fault.as_ref().is_some_and(is_before) {
            Err(wanted.unwrap_or_else(|| error(500, "InternalError", "")))
        } else {
            let stale = match fault {
                Some(FakeFault::Stale(stale)) => Some(stale),
                _ => None,
            };
            self.settle();
            let result = caller.and_then(|caller| {
                let asked = Asked {
                    state: &self.state,
                    call: &call,
                    request,
                    now: self.clock.now(),
                    stale,
                    request_id: request_id.clone(),
                };
                C::answer(&asked, caller)
            });
            match wanted {
                Some(wanted) => Err(wanted),
                None => result,
            }
        };
        let answer = result.unwrap_or_else(|error| C::refuse(call.service, &error, &request_id));
        self.finish(&call, answer, fault)
    }

    /// Changes the answer as asked, and writes down what it came to.
    fn finish(
        &self,
        call: &Call<C::Service>,
        mut answer: Answer,
        fault: Option<FakeFault>,
    ) -> Delivery {
        if let Some(change) = lock(&self.change).as_mut() {
            change(call, &mut answer);
        }
        if let (Some(FakeFault::FlippedByte(at)), false) = (&fault, answer.body.is_empty()) {
            let at = at % answer.body.len();
            answer.body[at] ^= 1;
        }
        let ahead = match fault {
            Some(FakeFault::ClockSkew(seconds)) => seconds * 1000,
            _ => 0,
        };
        let mut calls = lock(&self.calls);
        // It is gone if the log was cleared meanwhile.
        let noted = calls
            .get_mut(call.number - 1)
            .filter(|noted| noted.at == call.at);
        if let Some(noted) = noted {
            noted.outcome = Some(Outcome {
                status: answer.status,
                body_len: answer.body.len(),
                fault: fault.clone(),
                at: self.clock.elapsed(),
            });
        }
        Delivery {
            answer,
            date: http_date(self.clock.wire() + ahead),
            fault,
        }
    }
}

/// Whether nothing is to be done.
fn is_before(fault: &FakeFault) -> bool {
    match fault {
        FakeFault::Status(when, _)
        | FakeFault::Error { when, .. }
        | FakeFault::NoAnswer(when)
        | FakeFault::HalfClosed(when)
        | FakeFault::Reset(when, _) => *when == When::BeforeEffect,
        FakeFault::Throttled
        | FakeFault::AccountThrottled
        | FakeFault::ExpiredToken
        | FakeFault::ClockSkew(_)
        | FakeFault::Quota => true,
        FakeFault::SlowBody(_)
        | FakeFault::TruncatedBody(_)
        | FakeFault::FlippedByte(_)
        | FakeFault::Stale(_)
        | FakeFault::Delayed(_) => false,
    }
}

/// A connection: bytes, over TCP.
trait Wire: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Takes connections for as long as the runtime lives.
pub(super) async fn run<C: Cloud>(listener: TcpListener, shared: Arc<Shared<C>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // A client that has gone is its own affair.
        tokio::spawn(accept(stream, Arc::clone(&shared)));
    }
}

async fn accept<C: Cloud>(stream: TcpStream, shared: Arc<Shared<C>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match &shared.tls {
        None => serve(stream, &shared).await,
        Some(tls) => serve(tls.accept(stream).await?, &shared).await,
    }
}

async fn serve<C: Cloud, W: Wire>(stream: W, shared: &Shared<C>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        if request.path == ADVANCE {
            let answer = shared.advance(&request);
            stream.write_all(&answer.head("")).await?;
            stream.flush().await?;
            continue;
        }
        let busy = shared.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        shared.in_flight_max.fetch_max(busy, Ordering::Relaxed);
        let delivery = shared.respond(&request).await;
        shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !deliver(&mut stream, &delivery).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends an answer, or what a fault leaves of it. Whether the connection goes on.
async fn deliver<W: Wire>(stream: &mut BufReader<W>, delivery: &Delivery) -> io::Result<bool> {
    let Delivery {
        answer,
        date,
        fault,
    } = delivery;
    let head = answer.head(date);
    match fault {
        Some(FakeFault::NoAnswer(_)) => {
            wait_for_end(stream).await?;
            Ok(false)
        }
        Some(FakeFault::HalfClosed(_)) => {
            stream.shutdown().await?;
            wait_for_end(stream).await?;
            Ok(false)
        }
        Some(FakeFault::Reset(_, after)) => {
            let all = [&head[..], &answer.body[..]].concat();
            stream.write_all(&all[..all.len().min(*after)]).await?;
            stream.flush().await?;
            if *after > 0 {
                // What was sent has to arrive before the reset throws it away.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stream.get_ref().tcp().set_zero_linger()?;
            Ok(false)
        }
        Some(FakeFault::TruncatedBody(after)) => {
            let part = &answer.body[..answer.body.len().min(*after)];
            stream.write_all(&[&head[..], part].concat()).await?;
            stream.shutdown().await?;
            Ok(false)
        }
        Some(FakeFault::SlowBody(per_second)) => {
            stream.write_all(&head).await?;
            let piece = usize::try_from((per_second / 10).max(1)).unwrap_or(usize::MAX);
            for piece in answer.body.chunks(piece) {
                stream.write_all(piece).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok(true)
        }
        _ => {
            stream.write_all(&head).await?;
            stream.write_all(&answer.body).await?;
            stream.flush().await?;
            Ok(true)
        }
    }
}

/// Until the other side is done, too.
async fn wait_for_end<W: Wire>(stream: &mut BufReader<W>) -> io::Result<()> {
    let mut nothing = [0; 1024];
    while stream.read(&mut nothing).await? > 0 {}
    Ok(())
}
