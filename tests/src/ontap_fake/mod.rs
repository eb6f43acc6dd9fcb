//! A stand-in for the REST interface of a NetApp ONTAP cluster on loopback: there is no emulator of one.
//!
//! It is written from what the vendor documents, and held against the vendor's client for Python
//! (`netapp-ontap`), so that it does not share the mistakes of our client. It notes what our client must
//! never do (`State::violations`) and what is left behind (`State::leftovers`).

mod approvals;
mod authority;
mod cluster;
mod config;
mod content;
mod context;
mod effects;
mod error;
mod file_data;
mod file_list;
mod files;
mod identity;
mod jobs;
mod left;
mod lun_clone;
mod lun_data;
mod luns;
mod matching;
mod model;
mod multipart;
mod query;
mod reading;
mod route;
mod san;
mod snapshots;
mod state;
mod times;
mod tree;
mod violations;
mod volumes;

pub use crate::stand_in::{Answer, FakeFault, Outcome, When};
pub use authority::{Authority, ClientCertificate};
pub use config::{Access, Approval, BelowSnapshot, Config, Settings, Sizes, User, Version};
pub use content::Content;
pub use files::{FileKind, FileNode, Files};
pub use model::{
    Deleted, Igroup, Lun, LunMap, Parent, Snapshot, SnapshotLun, Space, Svm, Tables, Volume,
    VolumeType,
};
pub use state::State;

use crate::stand_in::error::{Result, ServiceError, error};
use crate::stand_in::{self, Asked, Caller, Cloud, Request, Setup, Times};
use context::Context;
use reading::Reading;

/// A running stand-in. It ends when this is dropped.
pub type Fake = stand_in::Fake<Ontap>;

/// One request. Operations are called `ListVolumes`, `GetVolume`, `CreateVolume`, `PatchVolume`,
/// `DeleteVolume`, and so for `Lun`, `Snapshot`, `Igroup`, `LunMap`; `ReadLun`, `WriteLun`; `ListFiles`,
/// `StatFile`, `ReadFile`, `CreateFile`, `WriteFile`, `PatchFile`, `DeleteFile`, `CloneFile`; `ListJobs`,
/// `GetJob`; `GetCluster`, `ListSvms`, `GetSvm`; `ListApprovals`, `GetApproval`; `Command` of the CLI;
/// `Unknown`.
pub type Call = stand_in::Call<()>;

/// An ONTAP cluster, as far as it is stood in for.
#[derive(Debug)]
pub struct Ontap;

impl Cloud for Ontap {
    type Config = Config;
    type State = State;
    type Service = ();

    fn setup(config: &Config) -> Setup {
        Setup {
            name: "ontap-fake",
            port: config.port,
            dev_root: None,
            tls: config.tls.as_ref().map(Authority::acceptor),
        }
    }

    fn state(config: &Config) -> State {
        State::new(config)
    }

    fn route(request: &Request) -> stand_in::Route<()> {
        let reading = Reading::new(request);
        let route = route::route(&reading);
        let parameters = route::parameters(&route, &reading);
        ((), route.operation.to_owned(), parameters)
    }

    fn caller(
        state: &mut State,
        request: &Request,
        _call: &stand_in::Route<()>,
        _times: Times,
    ) -> Result<Caller> {
        let reading = Reading::new(request);
        violations::check(state, &route::route(&reading), &reading);
        let user = identity::known(state, request)?;
        Ok(Caller {
            account: user.name.clone(),
            ..Caller::default()
        })
    }

    fn settle(state: &mut State, now: i64) {
        state.settle(now);
    }

    fn request_id(state: &mut State) -> String {
        state.uuid()
    }

    fn of_fault(fault: &FakeFault, _service: (), _now: i64) -> Option<ServiceError> {
        match fault {
            FakeFault::Status(_, status) => Some(error(*status, "500", "Internal error.")),
            FakeFault::Error {
                status,
                code,
                reason,
                ..
            } => {
                let mut wrong = error(*status, code, "An error that was asked for");
                wrong.reason.clone_from(reason);
                Some(wrong)
            }
            FakeFault::Throttled | FakeFault::AccountThrottled => {
                let message = "Too many requests: the server is busy.";
                Some(error(429, "65536007", message))
            }
            FakeFault::ExpiredToken | FakeFault::ClockSkew(_) => Some(error::unknown_user()),
            FakeFault::Quota => Some(error(503, "65536007", "The server is busy.")),
            FakeFault::NoAnswer(_)
            | FakeFault::HalfClosed(_)
            | FakeFault::Reset(..)
            | FakeFault::SlowBody(_)
            | FakeFault::TruncatedBody(_)
            | FakeFault::FlippedByte(_)
            | FakeFault::Stale(_)
            | FakeFault::Delayed(_) => None,
        }
    }

    fn answer(asked: &Asked<'_, Self>, _caller: Caller) -> Result {
        let reading = Reading::new(asked.request);
        let user = {
            let mut state = stand_in::lock(asked.state);
            state.tell(asked.call);
            identity::known(&state, asked.request)?.clone()
        };
        let route = route::route(&reading);
        if !identity::may(&user, &reading.method, &reading.parts) {
            return Err(error::denied());
        }
        let context = Context {
            asked,
            reading,
            route,
            user,
            now: asked.now,
        };
        dispatch(&context)
    }

    fn ended(state: &State) {
        let violations = state.violations();
        assert!(violations.is_empty(), "forbidden requests: {violations:#?}");
    }

    fn refuse(_service: (), error: &ServiceError, _request_id: &str) -> Answer {
        error::answer(error)
    }
}

fn dispatch(context: &Context<'_>) -> Result {
    match context.route.operation {
        "GetCluster" => cluster::get(context),
        "ListSvms" => cluster::list_svms(context),
        "GetSvm" => cluster::get_svm(context),
        "ListJobs" => cluster::list_jobs(context),
        "GetJob" => cluster::get_job(context),
        "ListVolumes" => volumes::list(context),
        "GetVolume" => volumes::get(context),
        "CreateVolume" => volumes::create(context),
        "PatchVolume" => volumes::patch(context),
        "DeleteVolume" => volumes::delete(context),
        "ListSnapshots" => snapshots::list(context),
        "GetSnapshot" => snapshots::get(context),
        "CreateSnapshot" => snapshots::create(context),
        "PatchSnapshot" => snapshots::patch(context),
        "DeleteSnapshot" => snapshots::delete(context),
        "ListLuns" => luns::list(context),
        "GetLun" => luns::get(context),
        "CreateLun" => lun_clone::create(context),
        "PatchLun" => luns::patch(context),
        "DeleteLun" => luns::delete(context),
        "ReadLun" => lun_data::read(context),
        "WriteLun" => lun_data::write(context),
        "ListFiles" => file_list::list(context),
        "StatFile" => file_list::stat(context),
        "ReadFile" => file_data::read(context),
        "CreateFile" | "WriteFile" => file_list::create(context),
        "DeleteFile" => file_list::delete(context),
        "CloneFile" => file_data::clone(context),
        "ListIgroups" => san::list_igroups(context),
        "GetIgroup" => san::get_igroup(context),
        "CreateIgroup" => san::create_igroup(context),
        "DeleteIgroup" => san::delete_igroup(context),
        "ListLunMaps" => san::list_maps(context),
        "GetLunMap" => san::get_map(context),
        "CreateLunMap" => san::create_map(context),
        "DeleteLunMap" => san::delete_map(context),
        "ListApprovals" => approvals::list(context),
        "GetApproval" => approvals::get(context),
        "Command" => Err(error::denied()),
        _ => Err(error::no_such_path()),
    }
}

impl Fake {
    /// The section of a configuration that leads flr here, as the first user with its password.
    ///
    /// # Panics
    /// If that user has no password.
    #[must_use]
    pub fn source(&self, name: &str) -> String {
        let user = self.config().users.first().expect("a user");
        let password = user.password.as_ref().expect("a password");
        format!(
            "[source.{name}]\ntype = \"ontap\"\nendpoint = \"{}\"\nusername = \"{}\"\n\
             password_command = \"printf %s '{password}'\"\n",
            self.url(),
            user.name
        )
    }
}
