//! A process that reads snapshots of AWS through temporary volumes, or cleans up: see
//! [`flr_tests::victim`]. `aws-victim plain INSTANCE SNAPSHOT` does without a device, and waits for the end of
//! its input before it closes.

use flr_provider::aws::ebs_volume::{EBS_VOLUME, VolumeParameters};
use flr_provider::aws::volume::clone_with;
use flr_provider::aws::{AwsCloud, Client, ClientSettings, clone_disks};
use flr_provider::clouds::Way;
use flr_provider::engine::{Cloud, Engine, Plan};
use flr_provider::point::{OpenHow, PointInfo};
use flr_provider::remote::block_on;
use flr_tests::victim::{self, Opened, Victim, engine, flag, told, wait_for_input};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    victim::log();
    let args: Vec<_> = std::env::args().skip(1).collect();
    match args[0].as_str() {
        "plain" => plain(&args[1], &args[2]),
        _ => victim::run(Victim { cloud, open }, &args),
    }
}

fn cloud() -> Arc<dyn Cloud> {
    let client = Client::new(&ClientSettings::default()).expect("a client");
    Arc::new(AwsCloud::new(client))
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

/// A volume that is made, attached and renewed, for a provider without instances to run on.
fn plain(instance: &str, snapshot: &str) -> ExitCode {
    let client = Client::new(&ClientSettings::default()).expect("a client");
    let parameters = VolumeParameters {
        zone: format!("{}a", client.region()),
        volume_type: "gp3".to_owned(),
        kms_key_id: None,
        tags: vec![("CostCenter".to_owned(), "it 42 & more".to_owned())],
        way: Way::default(),
    };
    let engine = engine(Arc::new(AwsCloud::new(client)), Arc::default());
    let plan = Plan {
        kind: EBS_VOLUME.to_owned(),
        parent: snapshot.to_owned(),
        parameters: parameters.to_text(),
        needs: Vec::new(),
    };
    let cleanup = block_on(async {
        let mut session = engine.open("plain", false).await?;
        for op in session.prepare(vec![plan]).await? {
            let id = session.create(op).await?;
            session.ready(op).await?;
            session.attach(op, instance).await?;
            println!("made {id}");
        }
        session.renew().await?;
        println!("renewed");
        wait_for_input();
        Ok::<_, flr_provider::engine::Error>(session.close().await)
    });
    match cleanup {
        Ok(cleanup) => told(&cleanup),
        Err(error) => {
            println!("{error}");
            println!("debug {error:?}");
            ExitCode::from(1)
        }
    }
}
