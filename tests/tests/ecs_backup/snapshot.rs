//! Snapshots that are taken when they are asked for.

use crate::stage::{DATA, SYSTEM, Stage};
use flr_provider::engine;
use flr_provider::point::{Application, Catalog, Consistency, TakeHow, TakenPoint};
use flr_provider::{Error, FaultKind};
use flr_tests::ecs_fake::{FakeFault, INSTANCE, When};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PRE: &str = "/root/pre.sh";
const POST: &str = "/root/post.sh";

fn how() -> TakeHow {
    TakeHow {
        timeout: Duration::from_secs(600),
        ..TakeHow::default()
    }
}

/// With applications that hold still by scripts.
fn application() -> TakeHow {
    TakeHow {
        application: Some(Application {
            scripts: Some((PRE.to_owned(), POST.to_owned())),
            role: None,
        }),
        ..how()
    }
}

fn with_scripts() -> Stage {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        let instance = state
            .tables
            .instances
            .get_mut(INSTANCE)
            .expect("it is there");
        instance.scripts = [PRE, POST].map(str::to_owned).into();
    }
    stage
}

fn take(stage: &Stage, how: &TakeHow) -> Result<TakenPoint, Error> {
    stage.catalog().take(INSTANCE, how)
}

/// Error and hint in words.
fn words(error: &Error) -> String {
    format!("{error} -- {}", error.hint().unwrap_or_default())
}

#[test]
fn all_disks_at_one_moment() {
    let stage = Stage::new();
    let how = TakeHow {
        name: Some("before-upgrade".to_owned()),
        tags: vec![("CostCenter".to_owned(), "it 42".to_owned())],
        ..how()
    };
    let taken = take(&stage, &how).expect("snapshots");
    assert_eq!(taken.point.consistency, Consistency::Crash);
    assert_eq!(taken.point.state, "accomplished");
    assert_eq!(taken.warnings, [""; 0]);
    let disks: Vec<_> = taken
        .point
        .disks
        .iter()
        .map(|it| it.volume.as_deref())
        .collect();
    assert_eq!(disks, [Some(SYSTEM), Some(DATA)]);
    assert_eq!(taken.point.tags["CostCenter"], "it 42");
    // They are the user's: no session, and nothing to clean up.
    let call = &stage.fake.calls("CreateSnapshotGroup")[0];
    assert!(
        call.parameters
            .iter()
            .all(|(_, value)| !value.starts_with("flr:"))
    );
    assert_eq!(call.parameter("ClientToken").map(str::len), Some(64));
    assert_eq!(stage.fake.count("RunCommand"), 0);
    // One disk left out: it is not missing.
    stage.fake.advance(Duration::from_secs(60));
    let how = TakeHow {
        exclude: vec![DATA.to_owned()],
        ..self::how()
    };
    let taken = take(&stage, &how).expect("snapshots");
    assert_eq!(
        (taken.point.disks.len(), taken.point.state.as_str()),
        (1, "accomplished")
    );
}

#[test]
fn an_answer_that_is_lost_does_not_take_them_twice() {
    for operation in ["CreateSnapshotGroup", "RunCommand"] {
        let stage = with_scripts();
        stage.fake.set_rule(move |call| {
            let is_first = call.operation == operation && call.nth == 1;
            is_first.then_some(FakeFault::Status(When::AfterEffect, 500))
        });
        let how = match operation {
            "RunCommand" => application(),
            _ => how(),
        };
        take(&stage, &how).expect("snapshots");
        assert!(stage.fake.count(operation) >= 2, "{operation}");
        assert_eq!(stage.fake.state().tables.groups.len(), 1, "{operation}");
    }
}

#[test]
fn the_tags_say_what_it_has_come_to_and_not_what_was_asked_for() {
    let stage = with_scripts();
    let taken = take(&stage, &application()).expect("snapshots");
    assert_eq!(taken.point.consistency, Consistency::Application);
    assert_eq!(taken.warnings, [""; 0]);
    let call = &stage.fake.calls("RunCommand")[0];
    let line = call.parameter("CommandContent").expect("a command");
    assert!(line.contains("-RamRoleName=\"flr-tester\""), "{line}");
    assert!(line.contains("-PreScriptPath=\"/root/pre.sh\""), "{line}");
    assert_eq!(call.parameter("Timeout"), Some("600"));
    // The scripts are not there, and nobody says so.
    let stage = Stage::new();
    let taken = take(&stage, &application()).expect("snapshots");
    assert_eq!(taken.point.consistency, Consistency::Filesystem);
    assert!(taken.warnings[0].contains("filesystems only"), "{taken:?}");
    // Without scripts there is no more to be had on Linux.
    let mut how = application();
    how.application = Some(Application::default());
    let taken = take(&Stage::new(), &how).expect("snapshots");
    assert!(taken.warnings[0].contains("--pre and --post"), "{taken:?}");
    // On Windows there is.
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        let instance = state
            .tables
            .instances
            .get_mut(INSTANCE)
            .expect("it is there");
        "windows".clone_into(&mut instance.os);
    }
    let taken = take(&stage, &how).expect("snapshots");
    assert_eq!(taken.point.consistency, Consistency::Application);
    let call = &stage.fake.calls("RunCommand")[0];
    assert_eq!(call.parameter("Type"), Some("RunBatScript"));
}

#[test]
fn every_end_of_the_plugin_has_its_words() {
    for code in (1..=16).chain([255, 77]) {
        let stage = with_scripts();
        stage.fake.state().settings.assistant.exit_code = Some(code);
        let error = take(&stage, &application()).expect_err("it fails");
        let said = words(&error);
        assert!(
            said.contains(&format!("ended with code {code}: ")),
            "{said}"
        );
        assert!(said.contains("(command t-"), "{said}");
        assert!(error.hint().is_some(), "{said}");
        assert_eq!(said.contains("ALARM"), code == 12, "{said}");
        assert_eq!(said.contains("fsfreeze --unfreeze"), code == 12, "{said}");
        let Error::Remote { fault, .. } = &error else {
            panic!("{error:?}")
        };
        let kind = match code {
            1 => FaultKind::Unavailable,
            3 | 13 => FaultKind::Denied,
            6 => FaultKind::Unknown,
            14 => FaultKind::Quota,
            16 => FaultKind::InUse,
            _ => FaultKind::Refused,
        };
        assert_eq!(fault.kind, kind, "{said}");
    }
}

#[test]
fn what_is_in_the_way_is_told() {
    type Change = fn(&mut flr_tests::ecs_fake::State);
    fn instance(state: &mut flr_tests::ecs_fake::State) -> &mut flr_tests::ecs_fake::Instance {
        let found = state.tables.instances.get_mut(INSTANCE);
        found.expect("it is there")
    }
    let cases: [(Change, &str, usize); 6] = [
        (
            |state| "Stopped".clone_into(&mut instance(state).status),
            "its state is Stopped",
            0,
        ),
        (|state| instance(state).role = None, "has no role", 0),
        (
            |state| "".clone_into(&mut instance(state).os),
            "there is no plug-in",
            0,
        ),
        (
            |state| instance(state).assistant = false,
            "did not run the command",
            1,
        ),
        (
            |state| instance(state).role_allows = false,
            "ended with code 3",
            1,
        ),
        (
            |state| state.settings.assistant.output = Some("[message=\"create success\"]".into()),
            "not which group it made",
            1,
        ),
    ];
    for (change, word, commands) in cases {
        let stage = with_scripts();
        change(&mut stage.fake.state());
        let error = take(&stage, &application()).expect_err(word);
        assert!(words(&error).contains(word), "{}", words(&error));
        assert_eq!(stage.fake.count("RunCommand"), commands, "{word}");
    }
}

#[test]
fn nothing_of_a_user_gets_into_the_instance_but_plain_words() {
    let stage = with_scripts();
    let bad = "/root/x.sh\";reboot;\"";
    let mut all = Vec::new();
    let mut how = application();
    how.name = Some("x\",-Name=\"y".to_owned());
    all.push(how);
    let mut how = application();
    how.exclude = vec![format!("{DATA}\";reboot")];
    all.push(how);
    for (scripts, role) in [
        (Some((bad.to_owned(), POST.to_owned())), None),
        (Some((PRE.to_owned(), bad.to_owned())), None),
        (None, Some("R\";reboot;\"".to_owned())),
    ] {
        let mut how = application();
        how.application = Some(Application { scripts, role });
        all.push(how);
    }
    for how in all {
        let error = take(&stage, &how).expect_err("it is refused");
        assert!(matches!(error, Error::Usage { .. }), "{error:?}");
    }
    // What the provider says is not believed either.
    {
        let mut state = stage.fake.state();
        let instance = state
            .tables
            .instances
            .get_mut(INSTANCE)
            .expect("it is there");
        instance.role = Some("R\" ; reboot ; \"".to_owned());
    }
    take(&stage, &application()).expect_err("it is refused");
    assert_eq!(stage.fake.count("RunCommand"), 0);
    assert_eq!(stage.fake.count("CreateSnapshotGroup"), 0);
}

#[test]
fn interrupted_it_goes_on_in_the_instance() {
    let stage = with_scripts();
    stage.fake.state().settings.assistant.run_time = Duration::from_secs(3600);
    let flag = Arc::new(AtomicBool::new(false));
    let how = TakeHow {
        interrupt: Some(Arc::clone(&flag)),
        ..application()
    };
    let catalog = stage.catalog();
    let taken = std::thread::scope(|scope| {
        let taking = scope.spawn(|| catalog.take(INSTANCE, &how));
        while stage.fake.count("DescribeInvocationResults") == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        flag.store(true, Ordering::Relaxed);
        taking.join().expect("no panic")
    });
    let error = taken.expect_err("it was interrupted");
    let is_interrupted = matches!(error, Error::Engine(engine::Error::Interrupted));
    assert!(is_interrupted, "{error:?}");
}

#[test]
fn a_command_that_takes_too_long_is_an_alarm() {
    let stage = with_scripts();
    {
        let mut state = stage.fake.state();
        state.settings.assistant.run_time = Duration::from_secs(100_000);
    }
    stage.fake.freeze();
    let catalog = stage.catalog();
    let how = application();
    let taken = std::thread::scope(|scope| {
        let taking = scope.spawn(|| catalog.take(INSTANCE, &how));
        while stage.fake.count("DescribeInvocationResults") == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        stage.fake.advance(Duration::from_secs(601));
        taking.join().expect("no panic")
    });
    let said = words(&taken.expect_err("it was ended"));
    assert!(said.contains("ALARM") && said.contains("Timeout"), "{said}");
}

#[test]
fn only_instances_are_taken() {
    let stage = Stage::new();
    let error = stage.catalog().take(DATA, &how()).expect_err("a disk");
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let error = stage.catalog().take("nobody", &how()).expect_err("nothing");
    assert!(matches!(error, Error::NoSuch { .. }), "{error:?}");
    stage
        .catalog()
        .take(&format!("{INSTANCE}x"), &how())
        .expect_err("no id");
}
