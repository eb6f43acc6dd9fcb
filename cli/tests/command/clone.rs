//! Temporary volumes by the command itself, against a stand-in for AWS: `--access clone`, and what
//! `flr gc` does about those of others.

use crate::place::{Place, Said};
use crate::session::id;
use flr_provider::engine::{Owner, Processes, SqliteStore, Store, SystemProcesses, block_on};
use flr_provider::engine::{Record, Scope, SessionRecord, State, UnixTime};
use flr_tests::aws_fake::{
    ACCOUNT, Blocks, Config, Fake, Instance, OTHER_ACCOUNT, REGION, Snapshot, Volume,
};
use flr_tests::image::image_path;
use std::process::Command;
use std::time::Duration;

const SNAPSHOT: &str = "snap-0123456789abcdef0";
const LEFT: &str = "vol-0123456789abcdef0";

fn fake(place: &Place) -> Fake {
    let fake = Fake::start(Config {
        dev_root: Some(place.path("root")),
        ..Config::default()
    });
    let mut state = fake.state();
    state.settings.delete_time = Duration::from_secs(5);
    state.add_instance(Instance::new("i-0123456789abcdef0"));
    let blocks = Blocks::from_file(&image_path("ext4-4k")).unwrap();
    state.add_snapshot(Snapshot::new(SNAPSHOT, blocks));
    state.add_volume(Volume::new("vol-0others", 1));
    drop(state);
    fake
}

fn flr(place: &Place, fake: &Fake, args: &[&str]) -> Command {
    let mut command = place.flr(args);
    command.envs(fake.environment());
    command
}

fn run(place: &Place, fake: &Fake, args: &[&str]) -> Said {
    Said::of(&flr(place, fake, args).output().unwrap())
}

/// Ids of volumes that are there.
fn volumes(fake: &Fake) -> Vec<String> {
    let now = fake.now();
    let state = fake.state();
    let there = state.volumes.values();
    let there = there.filter(|volume| volume.state(now).is_some());
    there.map(|volume| volume.id.clone()).collect()
}

/// A volume that has all of our tags and expired years ago.
fn leave(fake: &Fake, account: &str, region: &str, marked: Option<&str>) {
    let mut volume = Volume::new(LEFT, 1);
    volume.owner = account.to_owned();
    volume.region = region.to_owned();
    let pairs = [
        ("flr:session", id('a')),
        ("flr:op", id('1')),
        ("flr:owner", "alice@web-1".to_owned()),
        ("flr:created", "2020-01-01T00:00:00Z".to_owned()),
        ("flr:expires", "2020-01-01T00:30:00Z".to_owned()),
    ];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
    volume.tags.extend(pairs);
    let mark = marked.map(|time| ("flr:marked".to_owned(), time.to_owned()));
    volume.tags.extend(mark);
    fake.state().add_volume(volume);
}

#[test]
fn a_file_comes_out_of_a_temporary_volume_that_is_gone_afterwards() {
    let place = Place::new();
    let fake = fake(&place);
    let local = place.run(&["ls", "-R", "ext4-4k.img:/"]).quiet();
    let address = format!("{SNAPSHOT}:/");
    let said = run(&place, &fake, &["ls", "-R", "--access", "clone", &address]);
    assert_eq!(said.code, 0, "{}", said.err);
    let names = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.replace("ext4-4k.img", SNAPSHOT));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(names(&said.out), names(&local));
    assert_eq!(fake.count("CreateVolume"), 1);
    assert_eq!(fake.count("GetSnapshotBlock"), 0);
    assert_eq!(volumes(&fake), ["vol-0others"]);
    let left = place.run(&["session", "ls"]).quiet();
    assert_eq!(left, "");
}

#[test]
fn elsewhere_it_is_refused_with_what_to_do_instead() {
    let place = Place::new();
    let fake = fake(&place);
    fake.state().metadata.enabled = false;
    let address = format!("{SNAPSHOT}:/");
    let said = run(&place, &fake, &["ls", "--access", "clone", &address]);
    assert_eq!(said.code, 7, "{}", said.err);
    assert!(said.err.contains("hint: --access direct"), "{}", said.err);
    assert_eq!(fake.count("CreateVolume"), 0);
}

#[test]
fn gc_marks_what_other_hosts_left_and_deletes_what_was_marked_before() {
    let place = Place::new();
    let fake = fake(&place);
    leave(&fake, ACCOUNT, REGION, None);
    let said = run(&place, &fake, &["gc", "-n"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.contains("would delete ebs-volume vol-0123"),
        "{}",
        said.out
    );
    for _ in 0..2 {
        let said = run(&place, &fake, &["gc"]);
        assert_eq!(said.code, 20, "{}", said.err);
        assert!(
            said.out.contains("marked as left behind at"),
            "{}",
            said.out
        );
    }
    assert_eq!(volumes(&fake), [LEFT, "vol-0others"]);
    leave(&fake, ACCOUNT, REGION, Some("2020-01-02T00:00:00Z"));
    let said = run(&place, &fake, &["gc"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.contains("gone ebs-volume vol-0123"),
        "{}",
        said.out
    );
    assert_eq!(volumes(&fake), ["vol-0others"]);
    assert!(!place.path("state").exists(), "no journal was made");
}

#[test]
fn gc_looks_into_other_regions_if_asked_to() {
    let place = Place::new();
    let fake = fake(&place);
    leave(&fake, ACCOUNT, "eu-west-1", Some("2020-01-02T00:00:00Z"));
    let said = run(&place, &fake, &["gc"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    let said = run(&place, &fake, &["gc", "--all-regions"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let gone = format!("gone ebs-volume {LEFT} (aws {ACCOUNT} eu-west-1)");
    assert!(said.out.contains(&gone), "{}", said.out);
    assert_eq!(volumes(&fake), ["vol-0others"]);
}

#[test]
fn gc_without_credentials_says_so_and_fails_only_if_it_was_asked_for_more() {
    let place = Place::new();
    let fake = fake(&place);
    let without = |args: &[&str]| {
        let mut command = flr(&place, &fake, args);
        command.env_remove("AWS_ACCESS_KEY_ID");
        command.env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_SHARED_CREDENTIALS_FILE", place.path("none"));
        Said::of(&command.output().unwrap())
    };
    let said = without(&["gc"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(
        said.err.contains("aws us-east-1 was not looked at"),
        "{}",
        said.err
    );
    let said = without(&["gc", "--all-regions"]);
    assert_eq!(said.code, 12, "{}", said.err);
}

/// What a process that is no more has made, with a profile.
fn write_down(place: &Place, account: &str, profile: &str) {
    let mut owner: Owner = SystemProcesses::new().unwrap().current();
    owner.boot = "another".into();
    let session = SessionRecord {
        id: id('a').parse().unwrap(),
        owner: owner.clone(),
        purpose: "a test".into(),
        created: UnixTime(1_577_836_800),
        expires: UnixTime(1_577_838_600),
        keep: false,
        closed: false,
    };
    let record = Record {
        op: id('1').parse().unwrap(),
        session: session.id,
        sequence: 0,
        scope: Scope {
            provider: "aws".into(),
            account: account.into(),
            region: REGION.into(),
        },
        kind: "ebs-volume".into(),
        parent: SNAPSHOT.into(),
        parameters: format!(r#"{{"zone":"us-east-1a","volume_type":"gp3","profile":"{profile}"}}"#),
        needs: Vec::new(),
        owner_tag: "alice@web-1".into(),
        created: session.created,
        expires: session.expires,
        state: State::Ready,
        attempt: 1,
        id: Some(LEFT.into()),
        called: None,
        doubtful: false,
        target: None,
        note: String::new(),
    };
    let store = SqliteStore::open(&place.path("state/flr")).unwrap();
    block_on(store.begin(&session)).unwrap();
    block_on(store.insert(&owner, &[record])).unwrap();
}

#[test]
fn gc_takes_the_way_that_the_journal_has() {
    let place = Place::new();
    let fake = fake(&place);
    leave(&fake, OTHER_ACCOUNT, REGION, None);
    write_down(&place, OTHER_ACCOUNT, "prod");
    let key = &Config::default().keys[1];
    let text = format!(
        "[profile prod]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        key.id, key.secret
    );
    std::fs::write(place.path("aws-config"), text).unwrap();
    let gc = |default: &str| {
        let mut command = flr(&place, &fake, &["gc"]);
        command.env("AWS_CONFIG_FILE", place.path("aws-config"));
        command.env("AWS_SHARED_CREDENTIALS_FILE", place.path("none"));
        if default.is_empty() {
            // Otherwise keys in the environment come before any profile.
            command.env_remove("AWS_ACCESS_KEY_ID");
            command.env_remove("AWS_SECRET_ACCESS_KEY");
            command.env("AWS_EC2_METADATA_DISABLED", "true");
        }
        Said::of(&command.output().unwrap())
    };
    let said = gc("");
    let gone = format!("gone ebs-volume {LEFT} (aws {OTHER_ACCOUNT} {REGION})");
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.contains(&gone), "{}", said.out);
    assert_eq!(volumes(&fake), ["vol-0others"]);
}
