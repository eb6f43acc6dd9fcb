//! A process that reads a snapshot of Alibaba Cloud as flr does, asks Cloud Backup before, and may be
//! killed in the middle by whoever answers its requests.
//!
//! `backup-victim use SNAPSHOT [yes]` and `backup-victim gc`, which also looks after duties. Where the
//! provider is and who asks stands in the environment, as for flr.

use flr_provider::Error;
use flr_provider::ecs::backup::CloudBackup;
use flr_provider::ecs::volume::clone_owing_with;
use flr_provider::ecs::{BeforeClone, Client, ClientSettings, EcsCatalog, EcsCloud};
use flr_provider::engine::{Engine, GcOptions};
use flr_provider::point::{Catalog, OpenHow};
use flr_provider::remote::block_on;
use flr_tests::victim;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let done = match args[0].as_str() {
        "gc" => gc(),
        _ => read(&args[1], args.len() > 2),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            println!("{error}");
            ExitCode::from(match error {
                Error::Cost { .. } => 13,
                Error::Leftover { .. } => 21,
                _ => 1,
            })
        }
    }
}

fn engine(client: Client) -> Engine {
    victim::engine(Arc::new(EcsCloud::new(client)), Arc::default())
}

fn read(snapshot: &str, yes: bool) -> Result<u8, Error> {
    let client = Client::new(&ClientSettings::default())?;
    let how = OpenHow {
        yes,
        ..OpenHow::default()
    };
    let points = EcsCatalog::with_client(client.clone()).points(snapshot)?;
    let point = points.first().expect("a point");
    let checked = CloudBackup.check(&client, point, &how)?;
    for note in &checked.notes {
        println!("note {note}");
    }
    let engine = engine(client.clone());
    let (disks, held) = clone_owing_with(&client, &engine, point, &how, &checked.owed)?;
    for disk in disks {
        let mut bytes = vec![0; 512];
        disk.source.read_at(0, &mut bytes)?;
        println!("read {}", bytes[0]);
    }
    let cleanup = held.close();
    for (item, why) in &cleanup.left {
        println!("left {item}: {why}");
    }
    Ok(cleanup.exit_code(true))
}

fn gc() -> Result<u8, Error> {
    let engine = engine(Client::new(&ClientSettings::default())?);
    let cleanup = block_on(engine.gc(GcOptions::default()))?;
    for (item, why) in &cleanup.left {
        println!("left {item}: {why}");
    }
    for (duty, state) in block_on(engine.look_after_duties(false))? {
        let due = duty.due.map(|due| due.to_string());
        let due = due.unwrap_or_else(|| "never".to_owned());
        println!("duty {} {state:?} {due} {}", duty.id, duty.settle);
    }
    Ok(cleanup.exit_code(true))
}
