//! A process that makes something temporary, or cleans up, and may be killed in the middle.
//!
//! `engine-victim use|gc FOLDER`: the provider is FOLDER/cloud, the journal FOLDER/state. With
//! `FLR_TEST_KILL_AT=N` it dies at the Nth step. Prints how many steps there were.

use flr_provider::engine::{
    Cleanup, Engine, Error, GcOptions, Parts, Plan, Session, Settings, SqliteStore, SystemClock,
    SystemProcesses, SystemRand, block_on,
};
use flr_tests::file_cloud::{FileCloud, SteppedStore, Steps};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let what = args.next().expect("use or gc");
    let folder = PathBuf::from(args.next().expect("a folder"));
    let killed_at = std::env::var("FLR_TEST_KILL_AT").ok();
    let killed_at = killed_at.map(|text| text.parse().expect("a number"));
    let steps = Arc::new(Steps::new(killed_at));
    let engine = engine(&folder, &steps);
    let cleanup = match what.to_str() {
        Some("use") => block_on(use_something(&engine)),
        _ => block_on(engine.gc(GcOptions::default())),
    };
    println!("{}", steps.count());
    match cleanup {
        Ok(cleanup) => {
            for (item, why) in &cleanup.left {
                eprintln!("{item} remains: {why}");
            }
            cleanup.exit_code(true).into()
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}

fn engine(folder: &std::path::Path, steps: &Arc<Steps>) -> Engine {
    let ms = Duration::from_millis;
    let settings = Settings {
        consistency_window: ms(50),
        call_limit: ms(200),
        look_gap: ms(1),
        gone_gap: ms(2),
        backoff_min: ms(1),
        backoff_max: ms(10),
        ..Settings::default()
    };
    Engine::new(Parts {
        cloud: Arc::new(FileCloud {
            folder: folder.join("cloud"),
            steps: Arc::clone(steps),
        }),
        store: Arc::new(SteppedStore {
            store: SqliteStore::open(&folder.join("state")).expect("a journal"),
            steps: Arc::clone(steps),
        }),
        clock: Arc::new(SystemClock),
        rand: Arc::new(SystemRand),
        processes: Arc::new(SystemProcesses::new().expect("/proc")),
        settings,
        interrupt: Arc::default(),
    })
}

/// A volume that is attached, and a LUN made from it.
async fn use_something(engine: &Engine) -> Result<Cleanup, Error> {
    let mut session = engine.open("file:point", false).await?;
    if let Err(error) = make(&mut session).await {
        eprintln!("{error}");
    }
    Ok(session.close().await)
}

async fn make(session: &mut Session) -> Result<(), Error> {
    let mut plan = Plan {
        kind: "volume".into(),
        parent: "snap-1".into(),
        parameters: "size=1".into(),
        needs: Vec::new(),
    };
    let volume = session.prepare(vec![plan.clone()]).await?;
    for op in volume {
        session.create(op).await?;
        session.ready(op).await?;
        session.attach(op, "i-1").await?;
        plan.kind = "lun".into();
        plan.needs = vec![op];
        for op in session.prepare(vec![plan.clone()]).await? {
            session.create(op).await?;
            session.ready(op).await?;
        }
    }
    session.renew().await?;
    Ok(())
}
