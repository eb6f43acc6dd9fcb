//! One export from end to end: copy, export, tag what was made.

use super::cloud::LightsailCloud;
use super::export::{self, Exports};
use super::made::{self, Made};
use super::parameters::Parameters;
use super::points::Found;
use super::{api, copies, ec2};
use crate::aws::{Client, fault};
use crate::engine::{Clock, Error as EngineError, OpId, Phase, Plan, Session};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::remote::{TokioClock, retry_calls};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two looks at what takes minutes; at the beginning they are closer together.
const LOOK_GAP_MAX: Duration = Duration::from_secs(20);

/// What an export needs beside the session.
#[derive(Debug)]
pub(super) struct Exporting<'a> {
    /// The point's id, for messages.
    pub(super) point: &'a str,
    pub(super) cloud: &'a LightsailCloud,
    pub(super) client: &'a Client,
    pub(super) interrupt: Option<&'a AtomicBool>,
    /// First wait between two looks.
    pub(super) look_gap: Duration,
    /// For the copy, and again for the export.
    pub(super) limit: Duration,
}

/// A disk that was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExportedDisk {
    /// Where it was attached.
    pub(super) device: Option<String>,
    /// The snapshot of EBS.
    pub(super) snapshot: String,
    /// Bytes.
    pub(super) size: u64,
}

/// What came of an export.
#[derive(Debug)]
pub(super) struct Exported {
    /// What it is in EC2.
    pub(super) made: Made,
    /// Its disks, that of the system first.
    pub(super) disks: Vec<ExportedDisk>,
}

impl Exporting<'_> {
    /// Exports a point. Whatever was made by the time of an error is in the session.
    pub(super) async fn run(&self, session: &mut Session, point: &Found) -> Result<Exported> {
        let copy = self.copy(session, point).await?;
        let record = session.record(copy).and_then(|record| record.id.clone());
        let source = record.ok_or(EngineError::Misuse("the copy was not made"))?;
        let (export, exports) = self.export(session, copy, &source).await?;
        let found = exports.found.into_iter().next();
        let found = found.ok_or(EngineError::Misuse("nothing was exported"))?;
        let made = found.made().map_err(|fault| self.remote(fault))?;
        let plan = Plan {
            kind: made::KIND.to_owned(),
            parent: source.clone(),
            parameters: self.parameters(|to| to.made = Some(made.to_string())),
            needs: vec![export],
        };
        let op = prepare(session, plan).await?;
        session.create(op).await?;
        session.ready(op).await?;
        let complete = retry_calls(|| made.look(self.client)).await;
        let complete = complete.map_err(|fault| self.remote(fault))?;
        let size = |id: &str| {
            let mut snapshots = complete.snapshots.iter();
            let snapshot = snapshots.find(|snapshot| snapshot.snapshot_id == id);
            snapshot.map_or(0, |snapshot| snapshot.volume_size.saturating_mul(1 << 30))
        };
        let disk = |device: Option<&str>, id: &str| ExportedDisk {
            device: device.map(str::to_owned),
            snapshot: id.to_owned(),
            size: size(id),
        };
        let disks = match &found.image {
            Some(image) => {
                let disks = ec2::disks_of(image).into_iter();
                disks.map(|(device, id)| disk(device, id)).collect()
            }
            None => made.snapshots.iter().map(|id| disk(None, id)).collect(),
        };
        Ok(Exported { made, disks })
    }

    async fn copy(&self, session: &mut Session, point: &Found) -> Result<OpId> {
        let plan = Plan {
            kind: point.kind.to_owned(),
            parent: point.info.id.clone(),
            parameters: self.parameters(|to| to.source = Some(point.source.fields())),
            needs: Vec::new(),
        };
        let op = prepare(session, plan).await?;
        let name = session.create(op).await?;
        let mut wait = self.wait();
        loop {
            let copies = copies::all(self.client, point.kind).await;
            let copy = copies.map(|copies| copies.into_iter().find(|copy| copy.id == name));
            // What has failed is told by `ready`.
            match copy {
                Ok(Some(copy)) if copy.phase != Phase::Pending => break,
                Err(fault) if !fault.is_temporary() => return Err(self.remote(fault)),
                _ => {}
            }
            let doing = || format!("copy {}", point.info.id);
            wait.step(session, doing).await?;
        }
        session.ready(op).await?;
        Ok(op)
    }

    async fn export(
        &self,
        session: &mut Session,
        copy: OpId,
        source: &str,
    ) -> Result<(OpId, Exports)> {
        let plan = Plan {
            kind: export::KIND.to_owned(),
            parent: source.to_owned(),
            parameters: self.parameters(|_| {}),
            needs: vec![copy],
        };
        let op = prepare(session, plan).await?;
        session.create(op).await?;
        let mut wait = self.wait();
        let exports = loop {
            match self.cloud.looker().look(source).await {
                Ok(exports) if !exports.found.is_empty() && !exports.running => break exports,
                Ok(exports) if exports.failed > 0 && !exports.running => {
                    return Err(self.why_failed(source).await);
                }
                Err(fault) if !fault.is_temporary() => return Err(self.remote(fault)),
                _ => {}
            }
            let doing = || format!("export {}", self.point);
            wait.step(session, doing).await?;
        };
        session.ready(op).await?;
        Ok((op, exports))
    }

    /// The reason, as far as Lightsail tells.
    async fn why_failed(&self, source: &str) -> Error {
        let why = match self.cloud.operation(source) {
            Some(id) => match api::operation(self.client, &id).await {
                Ok(operation) => operation.why(),
                Err(fault) => format!("its reason cannot be read: {fault}"),
            },
            // Its call got no answer.
            None => "its reason is not known".to_owned(),
        };
        Error::Refused {
            what: format!(
                "the export of lightsail:{} to EC2 failed: {why}",
                self.point
            ),
            hint: Some("try again, or look at `aws lightsail get-export-snapshot-records`".into()),
        }
    }

    fn parameters(&self, change: impl FnOnce(&mut Parameters)) -> String {
        let mut parameters = Parameters {
            way: self.cloud.way().clone(),
            ..Parameters::default()
        };
        change(&mut parameters);
        parameters.to_text()
    }

    fn remote(&self, fault: Fault) -> Error {
        fault::error(format!("export lightsail:{}", self.point), fault)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt
            .is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    fn wait(&self) -> Wait<'_> {
        Wait {
            exporting: self,
            deadline: TokioClock.since_boot().saturating_add(self.limit),
            gap: self.look_gap,
        }
    }
}

/// Waits of doubling length between looks; the session is renewed meanwhile.
#[derive(Debug)]
struct Wait<'a> {
    exporting: &'a Exporting<'a>,
    deadline: Duration,
    gap: Duration,
}

impl Wait<'_> {
    async fn step(&mut self, session: &mut Session, doing: impl Fn() -> String) -> Result<()> {
        let exporting = self.exporting;
        if exporting.is_interrupted() {
            return Err(EngineError::Interrupted.into());
        }
        if TokioClock.since_boot() >= self.deadline {
            let (doing, last) = (doing(), None);
            return Err(EngineError::Deadline { doing, last }.into());
        }
        if session.wants_renewal() {
            session.renew().await?;
        }
        // In short naps: a signal is answered soon.
        let mut rest = self.gap;
        while !rest.is_zero() && !exporting.is_interrupted() {
            let nap = rest.min(Duration::from_millis(500));
            TokioClock.sleep(nap).await;
            rest = rest.saturating_sub(nap);
        }
        self.gap = self.gap.saturating_mul(2).min(LOOK_GAP_MAX);
        Ok(())
    }
}

async fn prepare(session: &mut Session, plan: Plan) -> Result<OpId> {
    let ops = session.prepare(vec![plan]).await?;
    let op = ops.into_iter().next();
    Ok(op.ok_or(EngineError::Misuse("nothing was planned"))?)
}
