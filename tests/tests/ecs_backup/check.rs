//! Before a disk is made of a snapshot that Cloud Backup manages.

use crate::stage::{BACKUP, EXPIRES, OF_DATA, PLAIN, Stage};
use flr_provider::Error;
use flr_provider::ecs::backup::CloudBackup;
use flr_provider::ecs::{BeforeClone, Checked};
use flr_provider::point::{Catalog, OpenHow};
use flr_tests::ecs_fake::{FakeFault, INSTANCE, When};

fn check(stage: &Stage, object: &str, yes: bool) -> Result<Checked, Error> {
    let how = OpenHow {
        yes,
        ..OpenHow::default()
    };
    let point = stage.points(object).remove(0);
    CloudBackup.check(&stage.client(), &point, &how)
}

/// What is said to a point that needs the user's word.
#[track_caller]
fn refused(checked: Result<Checked, Error>) -> String {
    let error = checked.expect_err("it is refused");
    assert!(matches!(error, Error::Cost { .. }), "{error:?}");
    format!("{error} -- {}", error.hint().unwrap_or_default())
}

#[test]
fn it_is_explained_and_asked_for() {
    let stage = Stage::new();
    for object in [OF_DATA, INSTANCE, BACKUP] {
        let said = refused(check(&stage, object, false));
        for word in [EXPIRES, BACKUP, OF_DATA, "never expires", "--yes", "flr gc"] {
            assert!(said.contains(word), "{object}: no {word} in {said}");
        }
    }
    // By way of the catalog, as commands do, nothing is made either.
    let catalog = stage.catalog();
    let point = stage.points(OF_DATA).remove(0);
    let opened = catalog.open(&point, &OpenHow::default());
    assert!(matches!(opened, Err(Error::Cost { .. })), "{opened:?}");
    assert_eq!(stage.fake.count("CreateDisk"), 0);
    let cost = catalog
        .cost(&point, &OpenHow::default(), 0)
        .expect("a cost");
    assert!(
        cost.notes.iter().any(|note| note.contains("--yes")),
        "{cost:?}"
    );
    assert_eq!(stage.fake.left_lifecycle(), [""; 0]);
}

#[test]
fn with_the_users_word_it_is_owed_at_its_end() {
    let stage = Stage::new();
    let checked = check(&stage, INSTANCE, true).expect("it may be done");
    assert_eq!(checked.owed.len(), 2, "{checked:?}");
    let owed = &checked.owed[OF_DATA];
    assert_eq!(
        owed.due.map(|due| due.to_string()).as_deref(),
        Some(EXPIRES)
    );
    assert_eq!(
        owed.settle,
        format!("aliyun ecs DeleteSnapshot --RegionId cn-hangzhou --SnapshotId {OF_DATA}")
    );
    assert!(checked.notes[0].contains(EXPIRES), "{checked:?}");
}

#[test]
fn what_cloud_backup_does_not_manage_is_not_asked_about() {
    let stage = Stage::new();
    let checked = check(&stage, PLAIN, false).expect("it may be done");
    assert!(
        checked.owed.is_empty() && checked.notes.is_empty(),
        "{checked:?}"
    );
}

fn deny(stage: &Stage) {
    let action = "hbr:DescribeUdmSnapshots".to_owned();
    stage.fake.state().settings.denied.insert(action);
}

#[test]
fn without_an_answer_signs_count() {
    let stage = Stage::new();
    deny(&stage);
    let checked = check(&stage, OF_DATA, false).expect("it has no sign");
    assert!(checked.owed.is_empty());
    assert!(checked.notes[0].contains("is not known"), "{checked:?}");
    let text = "Created by Cloud Backup";
    {
        let mut state = stage.fake.state();
        let snapshot = state
            .tables
            .snapshots
            .get_mut(OF_DATA)
            .expect("it is there");
        text.clone_into(&mut snapshot.description);
    }
    let said = refused(check(&stage, OF_DATA, false));
    for word in [text, OF_DATA, "--yes", "hbr:DescribeUdmSnapshots"] {
        assert!(said.contains(word), "no {word} in {said}");
    }
    let checked = check(&stage, OF_DATA, true).expect("it may be done");
    let owed = &checked.owed[OF_DATA];
    // Nobody must take it for due.
    assert_eq!(owed.due, None);
    assert!(owed.settle.contains("not before"), "{}", owed.settle);
}

#[test]
fn an_answer_that_may_come_later_is_not_guessed() {
    let stage = Stage::new();
    let point = stage.points(PLAIN).remove(0);
    stage.fake.set_rule(|call| {
        let asked = call.operation == "DescribeUdmSnapshots";
        asked.then_some(FakeFault::Status(When::BeforeEffect, 503))
    });
    let how = OpenHow::default();
    let error = CloudBackup.check(&stage.client(), &point, &how);
    let error = error.expect_err("it is not known");
    assert!(matches!(error, Error::Remote { .. }), "{error:?}");
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("try again"), "{hint}");
}
