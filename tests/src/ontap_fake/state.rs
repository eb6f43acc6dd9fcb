//! All that the stand-in knows, behind one lock.

use super::Call;
use super::approvals::Request;
use super::config::{Config, Settings, User, Version};
use super::content::Content;
use super::files::Files;
use super::jobs::Job;
use super::model::{Lun, Snapshot, SnapshotLun, Svm, Tables, Volume, VolumeType};
use crate::stand_in::history::History;
use crate::stand_in::ids::Ids;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Deref, DerefMut};

type Watcher = dyn FnMut(&Call, &mut State) + Send;

/// What is called before each request.
#[derive(Default)]
pub(crate) struct Watch(Option<Box<Watcher>>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({})", self.0.is_some())
    }
}

/// The model of the stand-in, and how it behaves. The tables are reached through it directly.
#[derive(Debug)]
pub struct State {
    /// What the cluster has.
    pub tables: Tables,
    /// Who is known.
    pub users: Vec<User>,
    /// How it behaves.
    pub settings: Settings,
    pub(crate) version: Version,
    pub(crate) cluster: String,
    pub(crate) jobs: BTreeMap<String, Job>,
    pub(crate) approvals: Vec<Request>,
    pub(crate) violations: Vec<String>,
    /// UUIDs of LUNs and volumes, and `VOLUME/PATH` of files, that were made through the interface.
    pub(crate) made: BTreeSet<String>,
    history: History<Tables>,
    watch: Watch,
    ids: Ids,
    now: i64,
}

impl Deref for State {
    type Target = Tables;

    fn deref(&self) -> &Tables {
        &self.tables
    }
}

impl DerefMut for State {
    fn deref_mut(&mut self) -> &mut Tables {
        &mut self.tables
    }
}

impl State {
    pub(crate) fn new(config: &Config) -> Self {
        let mut ids = Ids::new(config.seed);
        Self {
            tables: Tables::default(),
            users: config.users.clone(),
            settings: Settings::default(),
            version: config.version,
            cluster: ids.uuid(),
            jobs: BTreeMap::new(),
            approvals: Vec::new(),
            violations: Vec::new(),
            made: BTreeSet::new(),
            history: History::default(),
            watch: Watch::default(),
            ids,
            // 20 November 2026, until the first request.
            now: 1_795_176_000_000,
        }
    }

    pub(crate) fn uuid(&mut self) -> String {
        self.ids.uuid()
    }

    /// Twelve characters of those that serial numbers have.
    pub(crate) fn serial(&mut self) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
        let random = self.ids.random();
        let chosen = random.iter().take(12).map(|byte| usize::from(byte % 64));
        chosen.map(|at| char::from(ALPHABET[at])).collect()
    }

    pub(crate) fn boundary(&mut self) -> String {
        crate::stand_in::encoding::hex(&self.ids.random())[..16].to_owned()
    }

    /// Notes the model's time, and lets time have its effects.
    pub(crate) fn settle(&mut self, now: i64) {
        self.now = now;
        self.tables
            .recovery_queue
            .retain(|deleted| deleted.until > now);
        super::jobs::settle(self, now);
    }

    /// The model's time when something was last asked, in milliseconds since 1970.
    #[must_use]
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// The tables, to be changed: what was there is remembered for those who are behind.
    pub(crate) fn change(&mut self, now: i64) -> &mut Tables {
        self.history.keep(now, self.tables.clone());
        &mut self.tables
    }

    /// The tables as they were at a time.
    pub(crate) fn at(&self, at: i64) -> &Tables {
        self.history.at(at).unwrap_or(&self.tables)
    }

    /// Calls this before each request is worked on: a server whose snapshots rotate in the middle of things.
    pub fn watch(&mut self, watcher: impl FnMut(&Call, &mut Self) + Send + 'static) {
        self.watch = Watch(Some(Box::new(watcher)));
    }

    pub(crate) fn tell(&mut self, call: &Call) {
        if let Some(mut watcher) = self.watch.0.take() {
            watcher(call, self);
            if self.watch.0.is_none() {
                self.watch = Watch(Some(watcher));
            }
        }
    }

    pub(crate) fn violate(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Adds a volume, and its SVM if there is none.
    pub fn add_volume(&mut self, svm: &str, name: &str) -> &mut Volume {
        if !self.tables.svms.contains_key(svm) {
            let new = Svm {
                uuid: self.uuid(),
                name: svm.to_owned(),
                state: "running".to_owned(),
            };
            self.tables.svms.insert(svm.to_owned(), new);
        }
        let uuid = self.uuid();
        let volume = Volume {
            uuid: uuid.clone(),
            name: name.to_owned(),
            svm: svm.to_owned(),
            kind: VolumeType::Rw,
            flexgroup: false,
            initialised: true,
            state: "online".to_owned(),
            size: 100 << 30,
            space: super::model::Space::Enough,
            junction: None,
            snapshot_directory: true,
            comment: String::new(),
            parent: None,
            files: Files::default(),
            snapshots: Vec::new(),
            created: self.now,
        };
        self.tables.volumes.entry(uuid).or_insert(volume)
    }

    /// Adds a LUN to a volume. Its UUID.
    ///
    /// # Panics
    /// If there is no such volume.
    pub fn add_lun(&mut self, svm: &str, volume: &str, path: &str, content: Content) -> String {
        let volume = self.volume(svm, volume).expect("a volume").uuid.clone();
        let lun = Lun {
            uuid: self.uuid(),
            volume,
            path: path.to_owned(),
            content,
            os_type: "linux".to_owned(),
            serial: self.serial(),
            comment: None,
            state: "online".to_owned(),
            guaranteed: false,
            auto_delete: false,
            created: self.now,
        };
        let uuid = lun.uuid.clone();
        self.tables.luns.insert(uuid.clone(), lun);
        uuid
    }

    /// Takes a snapshot of a volume as it is now. Later ones are a minute later.
    ///
    /// # Panics
    /// If there is no such volume.
    pub fn take_snapshot(&mut self, svm: &str, volume: &str, name: &str) -> &mut Snapshot {
        let uuid = self.uuid();
        let tables = &mut self.tables;
        let volume = tables.volume(svm, volume).expect("a volume");
        let last = volume.snapshots.last().map(|last| last.created + 60_000);
        let luns = tables.luns.values();
        let snapshot_of = |lun: &Lun| SnapshotLun {
            content: lun.content.clone(),
            os_type: lun.os_type.clone(),
        };
        let volume_uuid = volume.uuid.clone();
        let luns = luns.filter(|lun| lun.volume == volume_uuid);
        let luns = luns
            .map(|lun| (lun.path.clone(), snapshot_of(lun)))
            .collect();
        let volume = tables.volumes.get_mut(&volume_uuid).expect("a volume");
        volume.snapshots.push(Snapshot {
            uuid,
            name: name.to_owned(),
            created: last.unwrap_or(self.now - 86_400_000),
            expires: None,
            owners: Vec::new(),
            state: volume.flexgroup.then(|| "valid".to_owned()),
            size: 122_880,
            comment: None,
            snapmirror_label: None,
            luns,
            files: volume.files.clone(),
        });
        volume.snapshots.last_mut().expect("the one just taken")
    }

    /// What a schedule does: `NAME.0` becomes `NAME.1` and so on, a new `NAME.0` is taken, and those beyond
    /// `keep` go, unless something needs them.
    ///
    /// # Panics
    /// If there is no such volume.
    pub fn rotate(&mut self, svm: &str, volume: &str, name: &str, keep: u32) {
        let number = |full: &str| -> Option<u32> {
            full.strip_prefix(name)?.strip_prefix('.')?.parse().ok()
        };
        let of = self.volume(svm, volume).expect("a volume").clone();
        let is_busy = |uuid: &str| self.tables.is_busy(&of.uuid, uuid);
        let uuids = of.snapshots.iter().map(|snapshot| &snapshot.uuid);
        let busy: BTreeSet<_> = uuids.filter(|uuid| is_busy(uuid)).cloned().collect();
        let now = self.now;
        let there = self.tables.volume_mut(svm, volume).expect("a volume");
        there.snapshots.retain(|snapshot| {
            let goes = number(&snapshot.name).is_some_and(|number| number + 1 >= keep);
            !goes || busy.contains(&snapshot.uuid)
        });
        for snapshot in &mut there.snapshots {
            if let Some(number) = number(&snapshot.name) {
                snapshot.name = format!("{name}.{}", number + 1);
            }
        }
        let newest = self.take_snapshot(svm, volume, &format!("{name}.0"));
        newest.created = newest.created.max(now);
    }
}
