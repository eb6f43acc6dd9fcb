//! Reading through a temporary volume: what is made is gone when the command ends, however it ends.

use crate::reading::Mounted;
use crate::schema::check;
use crate::stage::{HOUR, NOON, Running, SNAPSHOT, Said, Stage, snapshot, until};
use flr_tests::aws_fake::{Fake, FakeFault, Instance, Volume, When};
use rustix::process::Signal;
use std::process::Stdio;
use std::time::Duration;

/// What is typed to do something through a volume of the snapshot.
fn typed(command: &str, path: &str, more: &[&str]) -> Vec<String> {
    let words = [command, "--access", "clone", &format!("{SNAPSHOT}{path}")].map(str::to_owned);
    let more = more.iter().map(|word| (*word).to_owned());
    words.into_iter().chain(more).collect()
}

/// Does so.
fn cloned(stage: &Stage, command: &str, path: &str, more: &[&str]) -> Said {
    let typed = typed(command, path, more);
    let typed: Vec<_> = typed.iter().map(String::as_str).collect();
    stage.run(&typed)
}

/// The only volume of ours.
#[track_caller]
fn the_one(stage: &Stage) -> String {
    let ours = stage.ours();
    assert_eq!(ours.len(), 1, "{ours:?}");
    ours[0].clone()
}

fn refuse_deletes(fake: &Fake) {
    fake.set_rule(|call| {
        (call.operation == "DeleteVolume").then(|| FakeFault::Error {
            when: When::BeforeEffect,
            status: 403,
            code: "UnauthorizedOperation".to_owned(),
            reason: None,
        })
    });
}

fn what_was_made_is_gone_at_the_end() {
    let stage = Stage::on_an_instance();
    let said = cloned(&stage, "cat", ":/etc/fstab", &[]).ended_with(0);
    assert_eq!(said.out, stage.locally(&["cat", "web01.img:/etc/fstab"]));
    assert!(
        said.err.starts_with("note: made 1 temporary volume of "),
        "{}",
        said.err
    );
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    let changes = stage.changes();
    let account = changes
        .iter()
        .position(|change| change == "GetCallerIdentity");
    let create = changes.iter().position(|change| change == "CreateVolume");
    assert!(
        account.is_some() && account < create,
        "the account first: {changes:?}"
    );
    stage.assert_clean();
    // For programs.
    let said = cloned(&stage, "cp", ":/etc/", &["to", "--json"]).ended_with(0);
    let lines: Vec<_> = said.out.lines().map(check).collect();
    said.err.lines().for_each(|line| drop(check(line)));
    let gone: Vec<_> = lines
        .iter()
        .filter(|line| line["message_type"] == "resource")
        .collect();
    assert_eq!(
        (gone.len(), gone[0]["state"].as_str()),
        (1, Some("gone")),
        "{}",
        said.out
    );
    stage.run(&["cp", "web01.img:/etc/", "here"]).ended_with(0);
    stage
        .shell("diff -r --no-dereference here to")
        .ended_with(0);
    stage.assert_clean();
}

fn what_is_kept_is_kept_until_it_is_closed() {
    let stage = Stage::on_an_instance();
    let more = ["--keep", "--ttl", "2h", "--reason", "a look"];
    let said = cloned(&stage, "cat", ":/etc/hostname", &more).ended_with(0);
    assert_eq!(said.out, "web01\n");
    let id = the_one(&stage);
    said.told(&[&id, " until 20", "to delete it: flr session close "]);
    let said = stage.run(&["session", "ls"]).ended_with(0);
    let session = said.out[..32].to_owned();
    assert!(
        said.out.contains(" kept ") && said.out.contains("1 resource "),
        "{}",
        said.out
    );
    assert!(said.out.contains("a look"), "{}", said.out);
    let said = stage.run(&["session", "show", &session[..8]]).ended_with(0);
    assert!(said.out.contains(&id), "{}", said.out);
    for line in stage
        .run(&["--json", "session", "show", &session])
        .ended_with(0)
        .out
        .lines()
    {
        check(line);
    }
    // Nobody takes it before its time.
    let said = stage.run(&["gc"]).ended_with(0);
    assert!(said.out.contains("kept "), "{}", said.out);
    assert_eq!(stage.ours(), std::slice::from_ref(&id));
    let before = stage.fake.state().volumes[&id].tags["flr:expires"].clone();
    stage
        .run(&["session", "extend", &session, "--ttl", "5h"])
        .ended_with(0);
    let after = stage.fake.state().volumes[&id].tags["flr:expires"].clone();
    assert!(after > before, "{before} {after}");
    let said = stage.run(&["session", "close", &session]).ended_with(0);
    assert!(
        said.out.contains(&format!("gone ebs-volume {id}")),
        "{}",
        said.out
    );
    stage.assert_clean();
}

/// What slows a moment down, so that a signal can come in it, and how it is seen.
type Moment = (&'static str, fn(&Stage), fn(&Fake) -> bool);

/// The moment that comes after everything was done.
const DELETED: &str = "while it is being deleted";

const MOMENTS: [Moment; 5] = [
    (
        "in the call that creates",
        |stage| {
            stage.fake.set_rule(|call| {
                let it = call.operation == "CreateVolume" && call.nth == 1;
                it.then_some(FakeFault::Delayed(Duration::from_secs(2)))
            });
        },
        |fake| fake.count("CreateVolume") > 0,
    ),
    (
        "while it is being created",
        |stage| stage.fake.state().settings.create_time = Duration::from_secs(6),
        |fake| fake.count("DescribeVolumes") > 1 && fake.count("CreateVolume") > 0,
    ),
    (
        "while it is being attached",
        |stage| stage.fake.state().settings.attach_time = Duration::from_secs(600),
        |fake| fake.count("AttachVolume") > 0,
    ),
    ("while it is read", |_| {}, is_read),
    (DELETED, |_| {}, |fake| fake.count("DeleteVolume") > 0),
];

/// Whether a disk of ours is there, and is being read.
fn is_read(fake: &Fake) -> bool {
    let links = fake.dev_root().unwrap().join("dev/disk/by-id");
    let count = std::fs::read_dir(links).map_or(0, Iterator::count);
    // The root disk is there from the beginning.
    count > 1
}

/// A command that takes until it is stopped, unless it is the one that is to get to its end.
fn long_or_short(stage: &Stage, what: &str) -> Running {
    let path = match what {
        DELETED => ":/etc/hostname",
        _ => "::raw",
    };
    let mut command = stage.flr(&[]);
    command.args(typed("cat", path, &[]));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    Running::of(&mut command)
}

fn a_signal_cleans_up_whenever_it_comes() {
    let cells = MOMENTS
        .into_iter()
        .flat_map(|moment| [(moment, Signal::INT, 130), (moment, Signal::TERM, 143)]);
    std::thread::scope(|scope| {
        for ((what, prepare, come), signal, code) in cells {
            scope.spawn(move || {
                let stage = Stage::on_an_instance();
                prepare(&stage);
                let running = long_or_short(&stage, what);
                until(what, || come(&stage.fake));
                running.signal(signal);
                let said = running.finish();
                // What was done already is not undone by a signal.
                let code = if what == DELETED { 0 } else { code };
                assert_eq!(said.code, code, "{what}: {}", said.err);
                stage.assert_clean();
            });
        }
    });
}

fn what_a_killed_command_leaves_is_cleaned_up() {
    std::thread::scope(|scope| {
        for (what, prepare, come) in MOMENTS {
            scope.spawn(move || {
                let stage = Stage::on_an_instance();
                prepare(&stage);
                let running = long_or_short(&stage, what);
                until(what, || come(&stage.fake));
                running.signal(Signal::KILL);
                running.finish();
                // What was slow is not the matter any more.
                stage.fake.clear_rule();
                let mut state = stage.fake.state();
                state.settings.create_time = Duration::from_millis(20);
                state.settings.attach_time = Duration::from_millis(20);
                drop(state);
                stage.fake.advance(Duration::from_secs(601));
                let said = stage.run(&["session", "ls"]).ended_with(0);
                assert!(said.out.contains(" left "), "{what}: {}", said.out);
                let said = stage.run(&["doctor"]);
                assert!(
                    said.out.contains("a session was left behind: flr gc"),
                    "{}",
                    said.out
                );
                let said = stage.run(&["gc", "-n"]);
                assert_eq!(said.code, 0, "{what}: {}", said.err);
                stage.assert_others();
                let said = stage.run(&["gc"]);
                assert_eq!(said.code, 0, "{what}: {}\n{}", said.out, said.err);
                stage.assert_clean();
                let said = stage.run(&["gc"]).ended_with(0);
                assert_eq!(
                    (said.out, said.err),
                    (String::new(), String::new()),
                    "{what}"
                );
            });
        }
    });
}

fn what_cannot_be_deleted_is_named() {
    let stage = Stage::on_an_instance();
    refuse_deletes(&stage.fake);
    let said = cloned(&stage, "cat", ":/etc/hostname", &["--json"]).ended_with(20);
    let id = the_one(&stage);
    assert_eq!(said.out, "web01\n");
    let last = said.exit_error();
    assert_eq!(
        (&last["resources"][0]["id"], &last["code"]),
        (&id.clone().into(), &20.into())
    );
    let session = last["resources"][0]["session"].as_str().unwrap();
    assert_eq!(last["session"], session, "{last}");
    let said = stage.run(&["gc"]).ended_with(20);
    said.told(&[&id, "flr gc"]);
    stage.fake.clear_rule();
    let said = stage.run(&["gc"]).ended_with(0);
    assert!(
        said.out.contains(&format!("gone ebs-volume {id}")),
        "{}",
        said.out
    );
    stage.assert_clean();
}

fn people_are_told_what_cannot_be_deleted() {
    let stage = Stage::on_an_instance();
    refuse_deletes(&stage.fake);
    let said = cloned(&stage, "cat", ":/etc/hostname", &[]).ended_with(20);
    said.told(&[
        &the_one(&stage),
        "warning: remains: ebs-volume ",
        "UnauthorizedOperation",
        "flr: temporary resources may remain",
        "hint: run flr gc",
    ]);
}

fn what_failed_as_well_is_told_too() {
    let stage = Stage::on_an_instance();
    refuse_deletes(&stage.fake);
    let said = cloned(&stage, "cat", ":/etc/nothing", &["--json"]).ended_with(21);
    assert_eq!(said.exit_error()["resources"][0]["id"], the_one(&stage));
    stage.fake.clear_rule();
    stage.run(&["gc"]).ended_with(0);
    stage.assert_clean();
}

/// Leaves a volume behind that is attached to nothing.
fn leave(stage: &Stage) -> String {
    stage.fake.state().settings.create_time = Duration::from_secs(600);
    let running = long_or_short(stage, "");
    until("it is being created", || {
        stage.fake.count("CreateVolume") > 0 && stage.fake.count("DescribeVolumes") > 1
    });
    running.signal(Signal::KILL);
    running.finish();
    stage.fake.advance(Duration::from_secs(601));
    the_one(stage)
}

fn only_the_account_that_it_is_in_cleans_up() {
    let stage = Stage::on_an_instance();
    let id = leave(&stage);
    let key = stage.fake.state().keys[1].clone();
    let as_other = |args: &[&str]| {
        let mut command = stage.flr(args);
        command
            .env("AWS_ACCESS_KEY_ID", &key.id)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret);
        Said::of(&command.output().unwrap())
    };
    let said = as_other(&["gc"]);
    assert!(
        [12, 20].contains(&said.code),
        "{} {}\n{}",
        said.code,
        said.out,
        said.err
    );
    let all = format!("{}{}", said.out, said.err);
    assert!(
        all.contains("111122223333") && all.contains("444455556666"),
        "{all}"
    );
    assert_eq!(stage.ours(), std::slice::from_ref(&id));
    let said = as_other(&["session", "close", &stage.run(&["session", "ls"]).out[..32]]);
    assert_ne!(said.code, 0, "{}", said.out);
    assert_eq!(stage.ours(), [id]);
    stage.run(&["gc"]).ended_with(0);
    stage.assert_clean();
}

fn without_the_journal_the_tags_tell_and_the_clock_of_the_provider() {
    let stage = Stage::on_an_instance();
    let id = leave(&stage);
    let elsewhere = |args: &[&str]| {
        let mut command = stage.flr(args);
        command.env("XDG_STATE_HOME", stage.path("elsewhere"));
        Said::of(&command.output().unwrap())
    };
    let said = elsewhere(&["gc"]).ended_with(0);
    assert_eq!(said.out, "", "it may still be needed");
    // It expires after 30 minutes, and an hour later others may take it.
    stage.fake.set_clock_skew(80 * 60);
    assert_eq!(elsewhere(&["gc"]).ended_with(0).out, "", "not yet");
    stage.fake.set_clock_skew(95 * 60);
    let said = elsewhere(&["gc", "-n"]);
    assert!(said.out.contains(&id), "{} {}", said.out, said.err);
    assert!(
        !stage.fake.state().volumes[&id]
            .tags
            .contains_key("flr:marked")
    );
    let said = elsewhere(&["gc"]).ended_with(20);
    assert!(
        said.out.contains(&id) && said.out.contains("marked"),
        "{}",
        said.out
    );
    let said = elsewhere(&["gc"]).ended_with(20);
    assert!(
        said.out.contains(&id),
        "the mark is too young: {}",
        said.out
    );
    assert_eq!(stage.ours(), std::slice::from_ref(&id));
    stage.fake.set_clock_skew(115 * 60);
    let said = elsewhere(&["gc"]).ended_with(0);
    assert!(
        said.out.contains(&format!("gone ebs-volume {id}")),
        "{}",
        said.out
    );
    assert_eq!(stage.ours(), [""; 0]);
    stage.assert_others();
    // And the journal finds nothing to do.
    stage.run(&["gc"]).ended_with(0);
    stage.assert_clean();
}

fn a_mount_takes_what_it_needs_with_it() {
    let stage = Stage::on_an_instance();
    let Some(_mounted) = mounted(&stage) else {
        return;
    };
    let id = the_one(&stage);
    let said = stage.run(&["session", "ls"]).ended_with(0);
    assert!(said.out.contains(" live "), "{}", said.out);
    // In use: nobody takes it.
    let session = said.out[..32].to_owned();
    let said = stage.run(&["gc"]).ended_with(0).told(&["is in use by"]);
    assert_eq!(said.out, "");
    stage.run(&["session", "close", &session]).ended_with(11);
    assert_eq!(stage.ours(), [id]);

    stage.run(&["umount", "m"]).ended_with(0);
    stage.assert_clean();
}

/// Mounts the snapshot through a volume.
fn mounted(stage: &Stage) -> Option<Mounted<'_>> {
    if !flr_tests::require::require(&["root", "fuse"]) {
        return None;
    }
    std::fs::create_dir(stage.path("m")).unwrap();
    let mounted = Mounted(stage);
    cloned(stage, "mount", "", &["m"]).ended_with(0);
    let text = std::fs::read_to_string(stage.path("m/etc/hostname"));
    assert_eq!(text.unwrap(), "web01\n");
    Some(mounted)
}

fn what_cannot_be_mounted_leaves_nothing() {
    let stage = Stage::on_an_instance();
    std::fs::create_dir(stage.path("m")).unwrap();
    cloned(&stage, "mount", ":/etc/hostname", &["m"])
        .ended_with(2)
        .told(&["not a directory"]);
    stage.assert_clean();
}

fn a_mount_whose_volume_cannot_be_deleted() {
    let stage = Stage::on_an_instance();
    let Some(_mounted) = mounted(&stage) else {
        return;
    };
    refuse_deletes(&stage.fake);
    let id = the_one(&stage);
    let said = stage.run(&["umount", "--json", "m"]).ended_with(20);
    assert_eq!(said.exit_error()["resources"][0]["id"], id);
    stage.fake.clear_rule();
    stage.run(&["gc"]).ended_with(0);
    stage.assert_clean();
}

fn a_mount_whose_process_dies() {
    let stage = Stage::on_an_instance();
    let Some(_mounted) = mounted(&stage) else {
        return;
    };
    let said = stage.run(&["session", "ls", "--json"]).ended_with(0);
    let pid = check(said.out.lines().next().unwrap())["pid"]
        .as_i64()
        .unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    // Of what the kernel does not have yet.
    let dead = || std::fs::read_dir(stage.path("m/usr")).is_err();
    until("it is dead", dead);
    stage.run(&["umount", "m"]).ended_with(20).told(&["flr gc"]);
    let said = stage.run(&["gc"]).ended_with(0);
    assert!(said.out.contains("gone ebs-volume "), "{}", said.out);
    stage.assert_clean();
}

/// An instance of two disks, with a point: an address in it, and the volumes that are there.
fn two_disks(stage: &Stage) -> (String, Vec<String>) {
    let instance = "i-0aaaaaaaaaaaaaaa1";
    {
        let mut state = stage.fake.state();
        state.add_instance(Instance::new(instance));
        for (volume, id, device) in [
            (
                "vol-0aaaaaaaaaaaaaa01",
                "snap-0aaaaaaaaaaaaa101",
                "/dev/xvda",
            ),
            (
                "vol-0aaaaaaaaaaaaaa02",
                "snap-0aaaaaaaaaaaaa102",
                "/dev/sdf",
            ),
        ] {
            state.add_volume(Volume::new(volume, 20));
            state.attach(volume, instance, device);
            state.add_snapshot(snapshot(id, volume, NOON - HOUR));
        }
    }
    (
        format!("{instance}::disk/2/part/3/etc/hostname"),
        stage.ours(),
    )
}

fn two_disks_are_two_volumes() {
    let stage = Stage::on_an_instance();
    let (address, before) = two_disks(&stage);
    let args = ["cat", "--access", "clone", &address];
    let said = stage
        .run(&args)
        .ended_with(0)
        .told(&["made 2 temporary volumes of "]);
    assert_eq!(said.out, "web01\n");
    assert_eq!(stage.fake.count("CreateVolume"), 2);
    assert_eq!(stage.ours(), before);
}

fn where_the_second_disk_cannot_be_made_the_first_one_goes() {
    let stage = Stage::on_an_instance();
    let (address, before) = two_disks(&stage);
    let args = ["cat", "--access", "clone", &address];
    stage.fake.set_rule(|call| {
        (call.operation == "CreateVolume" && call.nth > 1).then_some(FakeFault::Quota)
    });
    stage
        .run(&args)
        .ended_with(11)
        .told(&["VolumeLimitExceeded"]);
    assert_eq!(stage.ours(), before);
}

/// What happens, by name. It is waiting nearly all the time: for volumes that come and go.
const SCENARIOS: [(&str, fn()); 15] = [
    (
        "what_was_made_is_gone_at_the_end",
        what_was_made_is_gone_at_the_end,
    ),
    (
        "what_is_kept_is_kept_until_it_is_closed",
        what_is_kept_is_kept_until_it_is_closed,
    ),
    (
        "a_signal_cleans_up_whenever_it_comes",
        a_signal_cleans_up_whenever_it_comes,
    ),
    (
        "what_a_killed_command_leaves_is_cleaned_up",
        what_a_killed_command_leaves_is_cleaned_up,
    ),
    (
        "what_cannot_be_deleted_is_named",
        what_cannot_be_deleted_is_named,
    ),
    (
        "people_are_told_what_cannot_be_deleted",
        people_are_told_what_cannot_be_deleted,
    ),
    (
        "what_failed_as_well_is_told_too",
        what_failed_as_well_is_told_too,
    ),
    (
        "only_the_account_that_it_is_in_cleans_up",
        only_the_account_that_it_is_in_cleans_up,
    ),
    (
        "without_the_journal_the_tags_tell_and_the_clock_of_the_provider",
        without_the_journal_the_tags_tell_and_the_clock_of_the_provider,
    ),
    (
        "a_mount_takes_what_it_needs_with_it",
        a_mount_takes_what_it_needs_with_it,
    ),
    (
        "what_cannot_be_mounted_leaves_nothing",
        what_cannot_be_mounted_leaves_nothing,
    ),
    (
        "a_mount_whose_volume_cannot_be_deleted",
        a_mount_whose_volume_cannot_be_deleted,
    ),
    ("a_mount_whose_process_dies", a_mount_whose_process_dies),
    ("two_disks_are_two_volumes", two_disks_are_two_volumes),
    (
        "where_the_second_disk_cannot_be_made_the_first_one_goes",
        where_the_second_disk_cannot_be_made_the_first_one_goes,
    ),
];

#[test]
fn whatever_happens_nothing_is_left() {
    let threads = SCENARIOS.map(|(name, scenario)| {
        let thread = std::thread::Builder::new().name(name.to_owned());
        (name, thread.spawn(scenario).unwrap())
    });
    // All of them end, so that each is told of.
    let failed = threads.map(|(name, thread)| thread.join().err().map(|_| name));
    let failed: Vec<_> = failed.into_iter().flatten().collect();
    assert_eq!(failed, [""; 0]);
}
