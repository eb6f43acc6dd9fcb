//! Volumes that are made of snapshots for a while, attached to this machine, and read as its devices.
//!
//! ```text
//! journal ─► create ─► ready ─► attach ─► device ─► open
//!    └───────── any failure: detach, delete, see gone ──┘
//! ```

use crate::engine::{self, BoxFuture, Engine, OpId, Owed, Plan, Session};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::file::FileSource;
use crate::held::HeldSession;
use crate::interruptible::Interruptible;
use crate::point::{Access, Disk, DiskInfo, Held, OpenHow, PointInfo};
use crate::remote::block_on;
use flr_fs::ByteSource;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// What a provider does in its own way.
pub(crate) trait Volumes: fmt::Debug + Sync {
    /// What is known of a volume that was attached: whatever leads to its device.
    type Attached: Send;

    /// How many ways there are to make a volume, at least one.
    fn rungs(&self) -> usize {
        1
    }

    /// What to make of a disk's snapshot, in the way of this number. Each has a token of its own.
    fn plan(&self, disk: &DiskInfo, rung: usize) -> Plan;

    /// What is left to be done once a volume is made of this disk's snapshot.
    fn owed(&self, _disk: &DiskInfo) -> Option<Owed> {
        None
    }

    /// Whether another way may do, after nothing was made in this one.
    fn next_rung(&self, _fault: &Fault) -> bool {
        false
    }

    /// A volume was attached.
    ///
    /// # Errors
    /// Its device cannot be told from others.
    fn attached(&self, id: String) -> BoxFuture<'_, Result<Self::Attached>>;

    /// Opens its device.
    ///
    /// # Errors
    /// It does not appear, it is not the volume, somebody uses it, or `go_on` fails.
    fn open(
        &self,
        attached: &Self::Attached,
        disk: &DiskInfo,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<FileSource>;

    /// An error of the engine in the provider's words.
    fn told(&self, error: engine::Error) -> Error {
        Error::Engine(error)
    }
}

/// Refuses a point that cannot be read.
pub(crate) fn check_access(point: &PointInfo) -> Result<()> {
    match &point.access {
        Access::None(why) => Err(Error::Refused {
            what: format!("{} cannot be read: {why}", point.id),
            hint: None,
        }),
        Access::Direct | Access::Clone => Ok(()),
    }
}

/// Opens all disks of a point through volumes that are attached to `target`, which is this machine.
/// Blocks.
///
/// # Errors
/// A volume cannot be made, attached or found. What was made by then is deleted, and
/// [`Error::Leftover`] tells what could not be.
pub(crate) fn open_point<V: Volumes>(
    volumes: &V,
    engine: &Engine,
    target: &str,
    point: &PointInfo,
    how: &OpenHow,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    let purpose = how.reason.clone();
    let purpose = purpose.unwrap_or_else(|| format!("{} of {}", point.id, point.object));
    let opened = block_on(engine.open(&purpose, how.keep));
    let mut session = opened.map_err(|error| volumes.told(error))?;
    tracing::debug!("{} volumes are made for {}", point.disks.len(), point.id);
    let made = block_on(make(volumes, &mut session, target, point));
    let opened = made.and_then(|made| open(volumes, &mut session, &made, point, how));
    match opened {
        Ok(disks) => {
            let reader = |disk: &Disk| -> Weak<dyn ByteSource> { Arc::downgrade(&disk.source) };
            let readers = disks.iter().map(reader).collect();
            Ok((disks, Box::new(HeldSession::new(session, readers))))
        }
        Err(error) => {
            // Whoever asked for volumes to be kept has not asked for broken ones.
            let cleanup = block_on(session.abandon());
            Err(error.with_leftovers(cleanup))
        }
    }
}

/// Makes and attaches a volume for each disk.
async fn make<V: Volumes>(
    volumes: &V,
    session: &mut Session,
    target: &str,
    point: &PointInfo,
) -> Result<Vec<V::Attached>> {
    let told = |error| volumes.told(error);
    // All of it is written down before the first call.
    let plans = point.disks.iter().map(|disk| volumes.plan(disk, 0));
    let ops = session.prepare(plans.collect()).await.map_err(told)?;
    let mut made = Vec::new();
    let mut rung = 0;
    for (op, disk) in ops.into_iter().zip(&point.disks) {
        made.push(create(volumes, session, (op, 0), disk, &mut rung).await?);
    }
    for (op, _) in &made {
        session.ready(*op).await.map_err(told)?;
    }
    let mut attached = Vec::new();
    for ((op, id), disk) in made.into_iter().zip(&point.disks) {
        let id = attach(volumes, session, (op, id), disk, (target, &mut rung)).await?;
        attached.push(volumes.attached(id).await?);
    }
    Ok(attached)
}

/// Attaches a volume, or one that is made in another way if this machine cannot have it. What cannot be
/// had goes with the rest of the session.
async fn attach<V: Volumes>(
    volumes: &V,
    session: &mut Session,
    (mut op, mut id): (OpId, String),
    disk: &DiskInfo,
    (target, rung): (&str, &mut usize),
) -> Result<String> {
    let told = |error| volumes.told(error);
    loop {
        if session.wants_renewal() {
            session.renew().await.map_err(told)?;
        }
        let next = rung.saturating_add(1);
        match session.attach(op, target).await {
            Ok(()) => return Ok(id),
            Err(engine::Error::Fault { fault, .. })
                if next < volumes.rungs() && volumes.next_rung(&fault) =>
            {
                tracing::debug!("{id} is made in another way: {fault}");
                *rung = next;
                let plan = volumes.plan(disk, next);
                let ops = session.prepare(vec![plan]).await.map_err(told)?;
                let first = ops.into_iter().next().unwrap_or(op);
                (op, id) = create(volumes, session, (first, next), disk, rung).await?;
                session.ready(op).await.map_err(told)?;
            }
            Err(error) => return Err(told(error)),
        }
    }
}

/// Makes a volume in the first way that works, and begins the next one there.
async fn create<V: Volumes>(
    volumes: &V,
    session: &mut Session,
    (mut op, mut planned): (OpId, usize),
    disk: &DiskInfo,
    rung: &mut usize,
) -> Result<(OpId, String)> {
    loop {
        if planned != *rung {
            // Another way is another operation: parameters and token stay what they were for one.
            let plan = volumes.plan(disk, *rung);
            let ops = session.prepare(vec![plan]).await;
            let ops = ops.map_err(|error| volumes.told(error))?;
            op = ops.into_iter().next().unwrap_or(op);
            planned = *rung;
        }
        let next = rung.saturating_add(1);
        match create_owing(volumes, session, op, disk).await {
            Ok(id) => return Ok((op, id)),
            Err(engine::Error::Fault { fault, .. })
                if next < volumes.rungs() && volumes.next_rung(&fault) =>
            {
                tracing::debug!("{} is made in another way: {fault}", disk.id);
                *rung = next;
            }
            Err(error) => return Err(volumes.told(error)),
        }
    }
}

/// Makes a volume. What that leaves to be done is in the journal before, and is taken out of it if nothing
/// was made.
async fn create_owing<V: Volumes>(
    volumes: &V,
    session: &mut Session,
    op: OpId,
    disk: &DiskInfo,
) -> Result<String, engine::Error> {
    let duty = match volumes.owed(disk) {
        Some(owed) => session.owe(op, owed).await?,
        None => None,
    };
    let made = session.create(op).await;
    if let (Err(_), Some(duty)) = (&made, duty)
        && session.is_known_not_made(op)
    {
        session.withdraw(&duty).await?;
    }
    made
}

/// Opens the devices of volumes.
fn open<V: Volumes>(
    volumes: &V,
    session: &mut Session,
    attached: &[V::Attached],
    point: &PointInfo,
    how: &OpenHow,
) -> Result<Vec<Disk>> {
    let go_on = || match &how.interrupt {
        Some(flag) if flag.load(Ordering::Relaxed) => {
            Err(Error::Engine(engine::Error::Interrupted))
        }
        _ => Ok(()),
    };
    let open_one = |(attached, disk): (&V::Attached, &DiskInfo)| {
        let device = volumes.open(attached, disk, &go_on)?;
        let source: Arc<dyn ByteSource> = match &how.interrupt {
            Some(flag) => Arc::new(Interruptible::new(Arc::new(device), Arc::clone(flag))),
            None => Arc::new(device),
        };
        Ok(Disk {
            source,
            // A guest can write any header on a disk of its own.
            may_be_container: false,
        })
    };
    let disks = attached.iter().zip(&point.disks).map(open_one);
    let disks = disks.collect::<Result<Vec<_>>>()?;
    if session.wants_renewal() {
        block_on(session.renew()).map_err(|error| volumes.told(error))?;
    }
    Ok(disks)
}

/// What a provider takes as tags of what is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TagRules {
    /// How many of the user's.
    pub(crate) count: usize,
    /// Bytes of a key.
    pub(crate) key: usize,
    /// Bytes of a value.
    pub(crate) value: usize,
    /// How keys begin that the provider keeps for itself.
    pub(crate) reserved: &'static [&'static str],
    /// What no value may hold.
    pub(crate) forbidden: &'static [&'static str],
}

/// Refuses tags of the user that the provider would not take, or that are ours.
pub(crate) fn check_tags(tags: &[(String, String)], rules: TagRules) -> Result<()> {
    let usage = |what: String| {
        Err(Error::Usage {
            what,
            hint: Some("a tag is KEY=VALUE".to_owned()),
        })
    };
    if tags.len() > rules.count {
        let (count, max) = (tags.len(), rules.count);
        return usage(format!("expected at most {max} tags, not {count}"));
    }
    for (key, value) in tags {
        if key.is_empty() || key.len() > rules.key || value.len() > rules.value {
            return usage(format!(
                "the tag {key:?} is too long for a volume, or empty"
            ));
        }
        if key.starts_with("flr:") || rules.reserved.iter().any(|taken| key.starts_with(taken)) {
            return usage(format!("the tag {key:?} is not for users to set"));
        }
        let mut texts = rules.forbidden.iter();
        if let Some(text) = texts.find(|text| key.contains(**text) || value.contains(**text)) {
            return usage(format!("the tag {key:?} holds {text}, which no tag may"));
        }
        if tags.iter().filter(|(other, _)| other == key).count() > 1 {
            return usage(format!("the tag {key:?} is given twice"));
        }
    }
    Ok(())
}
