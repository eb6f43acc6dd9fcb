//! What a stand-in starts with, and what of it may be changed while it runs.

use super::authority::Authority;
use std::collections::BTreeSet;
use std::time::Duration;

/// A release of ONTAP, such as 9.14.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// What a role may do below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    None,
    /// `GET`.
    ReadOnly,
    /// Everything.
    All,
}

/// A user, with all the ways in which it may be known.
#[derive(Clone, Debug)]
pub struct User {
    /// Name.
    pub name: String,
    /// Password, for basic authentication.
    pub password: Option<String>,
    /// Token of OAuth 2.0.
    pub token: Option<String>,
    /// Certificate as DER, for TLS.
    pub certificate: Option<Vec<u8>>,
    /// The only SVM whose things it sees.
    pub svm: Option<String>,
    /// What its role says: paths, in which `*` is any part, and access. The longest one that fits holds; where
    /// none fits all is allowed.
    pub role: Vec<(String, Access)>,
}

impl User {
    /// A user with a password, who may do everything.
    #[must_use]
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: Some(password.to_owned()),
            token: None,
            certificate: None,
            svm: None,
            role: Vec::new(),
        }
    }

    /// Denies everything below a path, or all but reading.
    #[must_use]
    pub fn with_access(mut self, path: &str, access: Access) -> Self {
        self.role.push((path.to_owned(), access));
        self
    }
}

/// What a stand-in starts with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// The release that it says it is, and behaves like.
    pub version: Version,
    /// Who is known. The first is the one of the exports.
    pub users: Vec<User>,
    /// With it every connection is TLS, and clients may show certificates of it.
    pub tls: Option<Authority>,
    /// What is chosen at random is chosen by this.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        let mut user = User::new("flr", "netapp1!secret");
        user.token = Some("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmbHIifQ.c2lnbmF0dXJl".to_owned());
        Self {
            port: 0,
            version: Version(9, 14, 1),
            users: vec![user],
            tls: None,
            seed: 1,
        }
    }
}

/// How reading below `.snapshot` by the files interface goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BelowSnapshot {
    /// It goes.
    Allowed,
    /// Directories are listed, data is refused.
    DataRefused,
    /// All is refused.
    Refused,
    /// There is nothing.
    NotThere,
}

/// Which sizes of files are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All.
    Told,
    /// Only that of a file that is asked for by itself.
    NotListed,
    /// None.
    Untold,
}

/// How an operation that more than one administrator must agree to is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// 202 with a link to the request for approval, without a job.
    Accepted,
    /// 403 with the number of the request in the message.
    Refused,
}

/// What of the behaviour may be changed while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a job takes.
    pub job_time: Duration,
    /// How long a job is known after its end.
    pub job_life: Duration,
    /// The next so many jobs fail, without an effect.
    pub jobs_that_fail: u32,
    /// The next so many jobs have their effect and are never heard of: 404 from the start.
    pub jobs_that_vanish: u32,
    /// The next so many jobs never end, and have no effect.
    pub jobs_that_hang: u32,
    /// Whether LUNs are made and deleted by jobs: newer releases answer 202.
    pub luns_by_jobs: bool,
    /// Whether the bytes of LUNs can be read; none: from 9.11 on.
    pub lun_data: Option<bool>,
    /// The most bytes that are read at once.
    pub read_max: u64,
    /// How reading below `.snapshot` goes.
    pub below_snapshot: BelowSnapshot,
    /// Which sizes of files are told.
    pub sizes: Sizes,
    /// Whether owner and group of files are told.
    pub owners: bool,
    /// Whether files are cloned by jobs.
    pub file_clones_by_jobs: bool,
    /// How far every `GET` but those of data and jobs is behind.
    pub lag: Duration,
    /// The most records on a page, whatever was asked for.
    pub page_max: Option<usize>,
    /// Operations that wait for approval: `DeleteLun`, `DeleteVolume`, `DeleteFile`, `CloneFile`.
    pub needs_approval: BTreeSet<String>,
    /// How these are answered.
    pub approval: Approval,
    /// How long a deleted volume is in the recovery queue.
    pub recovery_time: Duration,
    /// Whether it is a system that has no clones of LUNs by this interface (ASA r2).
    pub disaggregated: bool,
    /// The code of "there is no such LUN": pages of the vendor give this one; others give `4`.
    pub no_such_lun: String,
    /// The code of "there is such a LUN".
    pub lun_exists: String,
    /// The offset of times from UTC, in minutes.
    pub utc_offset: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            job_time: Duration::from_millis(20),
            job_life: Duration::from_secs(300),
            jobs_that_fail: 0,
            jobs_that_vanish: 0,
            jobs_that_hang: 0,
            luns_by_jobs: false,
            lun_data: None,
            read_max: 1 << 20,
            below_snapshot: BelowSnapshot::Allowed,
            sizes: Sizes::Told,
            owners: true,
            file_clones_by_jobs: true,
            lag: Duration::ZERO,
            page_max: None,
            needs_approval: BTreeSet::new(),
            approval: Approval::Accepted,
            recovery_time: Duration::from_secs(12 * 3600),
            disaggregated: false,
            no_such_lun: "4".to_owned(),
            lun_exists: "1".to_owned(),
            utc_offset: 60,
        }
    }
}
