//! How mounts come and go: signals, kills, repairs, refusals, and images that are free afterwards.

use crate::harness::{Place, mounted_at, output, touch, until};
use flr_mountd::{ErrorKind, UnmountOptions};
use flr_tests::sample::HELLO;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether nobody holds the image.
fn is_free(image: &Path) -> bool {
    let file = rustix::fs::open(image, OFlags::RDONLY, Mode::empty()).unwrap();
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

fn image(place: &Place) -> (std::path::PathBuf, String) {
    let path = place.path("disk.img");
    touch(&path);
    let setting = format!("image={}", path.display());
    (path, setting)
}

#[test]
fn the_mount_is_what_it_says() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&["address=a,b\\c d.img:/x", "read_ahead_kib=2048"]);
    let mount = mounted_at(&server.point).unwrap();
    assert_eq!(mount.fs_type, "fuse.flr");
    assert_eq!(mount.source, "flr:a,b\\c d.img:/x");
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(mount.options.split(',').any(|have| have == option));
    }
    assert!(!mount.fs_options.contains("allow_other"));
    assert!(!mount.fs_options.contains("default_permissions"));
    let bdi = format!("/sys/class/bdi/{}/read_ahead_kb", mount.device);
    assert_eq!(fs::read_to_string(bdi).unwrap().trim(), "2048");
    let records = place.registry().records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].mount_point(), server.point);
    assert_eq!(
        records[0].process.pid,
        i32::try_from(server.child.id()).unwrap()
    );
    assert_eq!(records[0].device.as_ref(), Some(&mount.device));
}

#[test]
fn signals_unmount() {
    let Some(place) = Place::new() else { return };
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut server = place.mount(&[]);
        server.signal(signal);
        assert_eq!(server.exit_code(), Some(code));
        assert_eq!(mounted_at(&server.point), None);
        assert_eq!(place.registry().records(), []);
    }
}

#[test]
fn a_signal_ends_a_mount_that_is_in_use() {
    let Some(place) = Place::new() else { return };
    let mut server = place.mount(&[]);
    let _held = fs::File::open(server.path("hello.txt")).unwrap();
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(143));
    assert_eq!(mounted_at(&server.point), None);
    assert_eq!(place.registry().records(), []);
}

#[test]
fn unmounting_waits_until_the_image_is_free() {
    let Some(place) = Place::new() else { return };
    let (image, setting) = image(&place);
    for _ in 0..10 {
        let mut server = place.mount(&[&setting]);
        assert!(!is_free(&image));
        let outcome = place.unmount(&server.point).unwrap();
        assert!(is_free(&image), "the image is free when unmount returns");
        assert_eq!(outcome.ended, Some(true));
        assert!(!outcome.was_dead);
        assert_eq!(mounted_at(&server.point), None);
        assert_eq!(place.registry().records(), []);
        assert_eq!(server.exit_code(), Some(0));
    }
}

#[test]
fn umount_8_ends_the_process_too() {
    let Some(place) = Place::new() else { return };
    let mut server = place.mount(&[]);
    output(Command::new("umount").arg(&server.point));
    assert_eq!(server.exit_code(), Some(0));
    assert_eq!(place.registry().records(), []);
}

#[test]
fn a_mount_in_use_stays_and_its_users_are_named() {
    let Some(place) = Place::new() else { return };
    let (image, setting) = image(&place);
    let mut server = place.mount(&[&setting]);
    let sleep = |dir: &Path| Command::new("sleep").arg("600").current_dir(dir).spawn();
    let mut user = sleep(&server.path("sub")).unwrap();
    let error = place.unmount(&server.point).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Busy);
    let name = format!("sleep ({})", user.id());
    assert!(error.message.contains(&name), "{error}");
    assert!(error.hint.unwrap().contains("--lazy"));
    assert_eq!(fs::read(server.path("hello.txt")).unwrap(), HELLO);
    let lazy = UnmountOptions {
        lazy: true,
        ..place.unmount_options()
    };
    let outcome = flr_mountd::unmount(&server.point, &lazy).unwrap();
    assert_eq!(outcome.ended, None);
    assert_eq!(mounted_at(&server.point), None);
    assert!(!is_free(&image), "its user still reads it");
    user.kill().unwrap();
    user.wait().unwrap();
    until("the image is free", || is_free(&image));
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_killed_process_is_repaired_and_nothing_else_is_touched() {
    let Some(place) = Place::new() else { return };
    // Decoys: a mount of another kind, and a dead one of ours that another registry knows.
    let tmpfs = place.path("tmpfs");
    fs::create_dir(&tmpfs).unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("decoy", &tmpfs, "tmpfs", flags, None).unwrap();
    let other = Place::new().unwrap();
    let mut stranger = other.mount(&[]);
    stranger.child.kill().unwrap();
    stranger.exit_code();
    for _ in 0..10 {
        let mut server = place.mount(&[]);
        server.child.kill().unwrap();
        server.exit_code();
        let error = fs::read_dir(&server.point).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(107), "the mount is dead");
        // Mounting again takes the dead mount away.
        let server = place.mount(&[]);
        assert_eq!(fs::read(server.path("hello.txt")).unwrap(), HELLO);
        let outcome = place.unmount(&server.point).unwrap();
        assert!(!outcome.was_dead);
        assert_eq!(mounted_at(&server.point), None, "only one mount was there");
    }
    let mut server = place.mount(&[]);
    server.child.kill().unwrap();
    server.exit_code();
    let outcome = place.unmount(&server.point).unwrap();
    assert!(outcome.was_dead);
    assert_eq!(place.registry().records(), []);
    let said = place.refused(&tmpfs, &[]);
    assert!(
        said.starts_with("Busy") && said.contains("tmpfs is mounted here"),
        "{said}"
    );
    let said = place.refused(&stranger.point, &[]);
    assert!(
        said.starts_with("Busy") && said.contains("somebody else"),
        "{said}"
    );
    let error = place.unmount(&tmpfs).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotMounted);
    assert!(mounted_at(&tmpfs).is_some() && mounted_at(&stranger.point).is_some());
}

#[test]
fn one_that_lives_is_not_mounted_over() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let said = place.refused(&server.point, &[]);
    let by = format!("process {}", server.child.id());
    assert!(said.contains(&by) && said.contains("flr umount"), "{said}");
    let said = place.refused(&server.path("sub"), &[]);
    assert!(said.contains("inside of the flr mount"), "{said}");
    let error = place.unmount(&server.path("sub")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotMounted);
    assert!(error.message.contains("lies in the mount at"), "{error}");
}

#[test]
fn mounting_over_the_image_or_the_state_is_refused() {
    let Some(place) = Place::new() else { return };
    let point = place.point();
    fs::create_dir(point.join("below")).unwrap();
    touch(&point.join("below/disk.img"));
    // Through a link, as hidden as can be.
    let link = place.path("link.img");
    std::os::unix::fs::symlink(point.join("below/disk.img"), &link).unwrap();
    let said = place.refused(&point, &[&format!("image={}", link.display())]);
    assert!(
        said.starts_with("Usage") && said.contains("hide the image"),
        "{said}"
    );
    let below = point.join("below");
    for (point, state) in [(&point, &below), (&below, &point), (&point, &point)] {
        let said = place.refused(point, &[&format!("state={}", state.display())]);
        assert!(said.contains("overlaps the state"), "{said}");
    }
    let said = place.refused(&place.path("nowhere"), &[]);
    assert!(
        said.starts_with("Usage") && said.contains("mkdir -p"),
        "{said}"
    );
    let said = place.refused(&point.join("below/disk.img"), &[]);
    assert!(said.contains("not a directory"), "{said}");
    assert_eq!(mounted_at(&point), None);
    assert_eq!(place.registry().records(), []);
}

#[test]
fn mount_points_may_have_any_name_and_be_links() {
    let Some(place) = Place::new() else { return };
    let odd = place.dir.path().join(OsStr::from_bytes(b"a b,\\040\xff\n"));
    fs::create_dir(&odd).unwrap();
    let link = place.path("link");
    std::os::unix::fs::symlink(&odd, &link).unwrap();
    let server = place.mount_at(&link, &[]);
    assert!(mounted_at(&odd).unwrap().is_flr());
    assert_eq!(fs::read(odd.join("hello.txt")).unwrap(), HELLO);
    assert_eq!(place.unmount(&link).unwrap().mount_point, odd);
    assert_eq!(mounted_at(&odd), None);
    drop(server);
}

#[test]
fn a_process_in_the_background_is_ready_when_the_command_returns() {
    let Some(place) = Place::new() else { return };
    let (image, setting) = image(&place);
    let point = place.point();
    let mut command = place.helper("sample", &point, &["background=parent", &setting]);
    // If the child kept the pipe this would wait for ever.
    let pid = output(command.stderr(Stdio::piped()));
    assert_eq!(fs::read(point.join("hello.txt")).unwrap(), HELLO);
    let pid = pid.trim();
    assert_eq!(
        fs::read_link(format!("/proc/{pid}/cwd")).unwrap(),
        Path::new("/")
    );
    let stdin = fs::read_link(format!("/proc/{pid}/fd/0")).unwrap();
    assert_eq!(stdin, Path::new("/dev/null"));
    let session = output(Command::new("ps").args(["-o", "sid=", "-p", pid]));
    assert_eq!(session.trim(), pid);
    assert_eq!(place.unmount(&point).unwrap().ended, Some(true));
    assert!(is_free(&image));
    let nowhere = place.path("nowhere");
    let mut command = place.helper("sample", &nowhere, &["background=parent"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("does not exist") && said.contains("hint: mkdir"),
        "{said}"
    );
}

#[test]
fn all_of_a_registry_go_at_once() {
    let Some(place) = Place::new() else { return };
    let points: Vec<_> = (0..3).map(|i| place.path(&format!("all-{i}"))).collect();
    let mut servers: Vec<_> = points
        .iter()
        .map(|point| {
            fs::create_dir(point).unwrap();
            place.mount_at(point, &[])
        })
        .collect();
    servers[1].child.kill().unwrap();
    servers[1].exit_code();
    let other = Place::new().unwrap();
    let stranger = other.mount(&[]);
    let outcomes = flr_mountd::unmount_all(&place.unmount_options()).unwrap();
    let dead = |dead| {
        let of = |outcome: &&flr_mountd::Result<_>| {
            let outcome: &flr_mountd::Outcome = outcome.as_ref().unwrap();
            outcome.ended == Some(true) && outcome.was_dead == dead
        };
        outcomes.iter().filter(of).count()
    };
    assert_eq!((dead(true), dead(false)), (1, 2));
    assert!(
        mounted_at(&stranger.point).is_some(),
        "not of this registry"
    );
    assert!(points.iter().all(|point| mounted_at(point).is_none()));
    until("the records are gone", || {
        place.registry().records().is_empty()
    });
}

#[test]
fn a_read_that_never_ends_does_not_keep_the_mount() {
    let Some(place) = Place::new() else { return };
    let mut server = place.mount(&[]);
    let mut file = fs::File::open(server.path("stall")).unwrap();
    let reader = std::thread::spawn(move || file.read(&mut [0; 100]));
    let busy = place.unmount(&server.point).unwrap_err();
    assert_eq!(busy.kind, ErrorKind::Busy);
    // Others go on meanwhile.
    assert_eq!(fs::read(server.path("hello.txt")).unwrap(), HELLO);
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(143));
    assert_eq!(mounted_at(&server.point), None);
    reader.join().unwrap().unwrap_err();
}
