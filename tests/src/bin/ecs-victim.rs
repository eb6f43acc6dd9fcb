//! A process that reads snapshots of Alibaba Cloud through temporary disks, or cleans up: see
//! [`flr_tests::victim`].

use flr_provider::ecs::volume::clone_with;
use flr_provider::ecs::{Client, ClientSettings, EcsCloud, clone_disks};
use flr_provider::engine::{Cloud, Engine};
use flr_provider::point::{OpenHow, PointInfo};
use flr_tests::victim::{self, Opened, Victim, flag};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    victim::log();
    let args: Vec<_> = std::env::args().skip(1).collect();
    victim::run(Victim { cloud, open }, &args)
}

fn cloud() -> Arc<dyn Cloud> {
    let client = Client::new(&ClientSettings::default()).expect("a client");
    Arc::new(EcsCloud::new(client))
}

fn open(engine: Option<&Engine>, point: &PointInfo, how: &OpenHow) -> Opened {
    let client = Client::new(&ClientSettings::default())?;
    if flag("FLR_TEST_TRACE") {
        println!("debug {client:?}");
    }
    match engine {
        Some(engine) => clone_with(&client, engine, point, how),
        None => clone_disks(&client, point, how),
    }
}
