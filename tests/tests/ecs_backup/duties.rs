//! What is owed once a disk was made of a snapshot of Cloud Backup.

use crate::stage::{EXPIRES, OF_DATA, PLAIN, Stage};
use flr_tests::ecs_fake::{AccessKey, Config, FakeFault, When};

/// Lines of a clean-up about duties.
fn duties(said: &str) -> Vec<&str> {
    let lines = said.lines().filter(|line| line.starts_with("duty "));
    lines.collect()
}

#[test]
fn nothing_is_made_without_the_users_word() {
    let stage = Stage::new();
    stage.run(&["use", OF_DATA], 13);
    assert_eq!(stage.fake.count("CreateDisk"), 0);
    assert_eq!(duties(&stage.run(&["gc"], 0)), [""; 0]);
}

#[test]
fn what_was_made_is_owed_and_what_was_not_managed_is_not() {
    let stage = Stage::new();
    let said = stage.run(&["use", OF_DATA, "yes"], 0);
    assert!(said.contains("read 2"), "{said}");
    assert!(said.contains(EXPIRES), "{said}");
    assert_eq!(stage.disks(), [""; 0]);
    assert_eq!(stage.fake.left_lifecycle().len(), 1);
    let said = stage.run(&["gc"], 0);
    let told = duties(&said);
    assert_eq!(told.len(), 1, "{said}");
    assert!(
        told[0].contains(OF_DATA) && told[0].contains(EXPIRES),
        "{said}"
    );
    // Once more, when Cloud Backup has no word for its end any more: the duty keeps it.
    stage.run(&["use", OF_DATA, "yes"], 0);
    let said = stage.run(&["gc"], 0);
    let told = duties(&said);
    assert_eq!(told.len(), 1, "{said}");
    assert!(told[0].contains(EXPIRES), "{said}");
    // Another account sees none of it, and does not say that it is gone.
    let other: AccessKey = Config::default().keys[1].clone();
    let output = stage
        .victim(&["gc"])
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", &other.id)
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &other.secret)
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(duties(&said)[0].contains("Unknown"), "{said}");
    // The user deletes it: then nothing is owed.
    stage.fake.state().tables.snapshots.remove(OF_DATA);
    let said = stage.run(&["gc"], 0);
    assert!(duties(&said)[0].contains("Settled"), "{said}");
    assert_eq!(duties(&stage.run(&["gc"], 0)), [""; 0]);
    stage.run(&["use", PLAIN], 0);
    assert_eq!(duties(&stage.run(&["gc"], 0)), [""; 0]);
}

#[test]
fn what_is_known_not_to_have_been_made_is_not_owed() {
    let stage = Stage::new();
    stage.fake.state().settings.disks_max = Some(0);
    let said = stage.run(&["use", OF_DATA, "yes"], 1);
    assert!(stage.fake.count("CreateDisk") > 0, "{said}");
    assert_eq!(stage.fake.left_lifecycle(), [""; 0]);
    assert_eq!(duties(&stage.run(&["gc"], 0)), [""; 0]);
    // It was made, and whoever asked for it has not heard so: it is owed whatever comes then.
    stage.fake.state().settings.disks_max = None;
    stage.fake.set_rule(|call| match call.operation.as_str() {
        "CreateDisk" => Some(FakeFault::Status(When::AfterEffect, 500)),
        "AttachDisk" => Some(FakeFault::Error {
            when: When::BeforeEffect,
            status: 403,
            code: "DiskNotPortable".to_owned(),
            reason: None,
        }),
        _ => None,
    });
    stage.run(&["use", OF_DATA, "yes"], 1);
    stage.fake.clear_rule();
    assert_eq!(stage.disks(), [""; 0]);
    assert_eq!(stage.fake.left_lifecycle().len(), 1);
    let said = stage.run(&["gc"], 0);
    assert_eq!(duties(&said).len(), 1, "{said}");
}

#[test]
fn a_category_that_is_refused_leaves_one_duty_for_the_next() {
    let stage = Stage::new();
    let refusal = (403, "InvalidDiskCategory.NotSupported".to_owned());
    {
        let mut state = stage.fake.state();
        let refused = &mut state.settings.refused;
        refused.insert("cloud_auto".to_owned(), refusal);
    }
    stage.run(&["use", OF_DATA, "yes"], 0);
    assert!(stage.fake.count("CreateDisk") > 1);
    let said = stage.run(&["gc"], 0);
    assert_eq!(duties(&said).len(), 1, "{said}");
}
