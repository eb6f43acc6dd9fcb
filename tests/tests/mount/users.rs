//! Who may mount, and who may look.

use crate::harness::{NOBODY, Place, mounted_at, output};
use flr_tests::sample::HELLO;
use rustix::process::Signal;
use std::fs;
use std::process::Command;

#[test]
fn nobody_mounts_reads_and_unmounts() {
    let Some(place) = Place::of_nobody() else {
        return;
    };
    let mut server = place.mount(&["address=a,b\\c.img"]);
    let mount = mounted_at(&server.point).unwrap();
    assert_eq!(
        (mount.fs_type.as_str(), mount.user_id()),
        ("fuse.flr", Some(NOBODY))
    );
    assert_eq!(mount.source, "flr:a,b\\c.img");
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(mount.options.split(',').any(|have| have == option));
    }
    // Who mounts an image may read all of it.
    for (name, text) in [("hello.txt", "hello, world\n"), ("secret", "secret\n")] {
        let read = output(place.command("cat").arg(server.path(name)));
        assert_eq!(read, text);
    }
    let listed = output(place.command("ls").arg(server.path("many")));
    assert_eq!(listed.lines().count(), 10_000);
    // Nobody else may look, not even root.
    let error = fs::read(server.path("hello.txt")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    let said = output(&mut place.helper("umount", &server.point, &[]));
    assert!(said.contains("ended: Some(true)"), "{said}");
    assert_eq!(server.exit_code(), Some(0));
    assert_eq!(mounted_at(&server.point), None);
}

#[test]
fn what_nobody_leaves_is_repaired() {
    let Some(place) = Place::of_nobody() else {
        return;
    };
    let mut server = place.mount(&[]);
    server.child.kill().unwrap();
    server.exit_code();
    assert!(mounted_at(&server.point).is_some());
    let mut server = place.mount(&[]);
    let read = output(place.command("cat").arg(server.path("hello.txt")));
    assert_eq!(read.as_bytes(), HELLO);
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(143));
    assert_eq!(mounted_at(&server.point), None);
    let mut server = place.mount(&[]);
    server.child.kill().unwrap();
    server.exit_code();
    let said = output(&mut place.helper("umount", &server.point, &[]));
    assert!(said.contains("was_dead: true"), "{said}");
}

#[test]
fn nobody_is_told_what_is_missing() {
    let Some(place) = Place::of_nobody() else {
        return;
    };
    let allowed = fs::read_to_string("/etc/fuse.conf")
        .unwrap_or_default()
        .lines()
        .any(|line| line.trim() == "user_allow_other");
    if !allowed {
        let said = place.refused(&place.point(), &["allow_other=1"]);
        assert!(
            said.starts_with("Denied") && said.contains("/etc/fuse.conf"),
            "{said}"
        );
    }
    // Root's own mount is not theirs to take away.
    let root = Place::new().unwrap();
    let server = root.mount(&[]);
    let chmod = Command::new("chmod")
        .args(["755"])
        .arg(root.dir.path())
        .status();
    assert!(chmod.unwrap().success());
    let mut command = place.helper("umount", &server.point, &[]);
    assert!(!command.output().unwrap().status.success());
    assert!(mounted_at(&server.point).is_some());
    let roots_dir = root.path("roots");
    fs::create_dir(&roots_dir).unwrap();
    let said = place.refused(&roots_dir, &[]);
    assert!(said.starts_with("Denied"), "{said}");
}

#[test]
fn other_users_see_what_permissions_let_them_see() {
    let Some(place) = Place::new() else { return };
    let chmod = Command::new("chmod")
        .args(["755"])
        .arg(place.dir.path())
        .status();
    assert!(chmod.unwrap().success());
    let mut other = Place::new().unwrap();
    other.user = Some(NOBODY);
    let as_other = |path: &std::path::Path| other.command("cat").arg(path).output().unwrap();
    let server = place.mount(&[]);
    assert!(!as_other(&server.path("hello.txt")).status.success());
    place.unmount(&server.point).unwrap();
    let server = place.mount(&["allow_other=1"]);
    assert_eq!(as_other(&server.path("hello.txt")).stdout, HELLO);
    let secret = as_other(&server.path("secret"));
    assert!(!secret.status.success() && secret.stdout.is_empty());
    // Denied by its mode, permitted by its access control list.
    assert_eq!(as_other(&server.path("acl")).stdout, b"listed\n");
    let options = mounted_at(&server.point).unwrap().fs_options;
    assert!(options.contains("default_permissions"));
    place.unmount(&server.point).unwrap();
    // The owner that the options name stands for the stored one.
    let id = NOBODY.to_string();
    let (uid, gid) = (format!("uid={id}"), format!("gid={id}"));
    let server = place.mount(&["allow_other=1", &uid, &gid]);
    assert_eq!(as_other(&server.path("secret")).stdout, b"secret\n");
    use std::os::unix::fs::MetadataExt;
    let stat = fs::metadata(server.path("old")).unwrap();
    assert_eq!((stat.uid(), stat.gid()), (NOBODY, NOBODY));
}

#[test]
fn root_waits_for_the_mount_of_another_user() {
    let Some(place) = Place::of_nobody() else {
        return;
    };
    // Without a runtime folder: the registry is in /tmp, where root finds it by the mount's owner.
    let mut command = place.command(env!("CARGO_BIN_EXE_memory-mount"));
    command
        .arg("sample")
        .arg(place.point())
        .arg("background=parent");
    command
        .env_remove("XDG_RUNTIME_DIR")
        .stderr(std::process::Stdio::null());
    output(&mut command);
    let outcome = flr_mountd::unmount(
        &place.point(),
        &flr_mountd::UnmountOptions {
            registry: flr_mountd::Registry::of_user(),
            ..place.unmount_options()
        },
    );
    assert_eq!(outcome.unwrap().ended, Some(true));
    assert_eq!(mounted_at(&place.point()), None);
}
