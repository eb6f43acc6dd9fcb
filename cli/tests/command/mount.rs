//! Mounting and unmounting through the command.

use crate::place::{Place, Said};
use flr_tests::require::require;
use serde_json::Value;

/// Takes away what a failed test leaves.
struct Mounts(Place);

impl Mounts {
    fn new() -> Option<Self> {
        if !require(&["root", "fuse", "findmnt"]) {
            return None;
        }
        let place = Place::new();
        std::fs::create_dir(place.path("m")).unwrap();
        Some(Self(place))
    }

    fn mounted(&self, dir: &str) -> Option<String> {
        let dir = self.0.path(dir);
        let said = Said::of(
            &(self
                .0
                .program("findmnt")
                .args(["-n", "-o", "OPTIONS", "--mountpoint"])
                .arg(dir))
            .output()
            .unwrap(),
        );
        (said.code == 0).then_some(said.out)
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for dir in ["m", "n"] {
            let _ = self.0.run(&["umount", "--lazy", dir]);
        }
    }
}

#[test]
fn a_mount_is_ready_when_the_command_returns_and_gone_after_umount() {
    let Some(mounts) = Mounts::new() else { return };
    let place = &mounts.0;
    let said = place.run(&["mount", "web01.img", "m"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    let point = place.path("m");
    let text = format!(
        "note: mounted at {0}; to take it away: flr umount {0}\n",
        point.display()
    );
    assert_eq!(said.err, text);
    assert_eq!(place.read("m/etc/hostname"), "web01\n");
    assert!(
        mounts
            .mounted("m")
            .unwrap()
            .starts_with("ro,nosuid,nodev,noexec")
    );
    // Nothing of the image may be written, and the same place not be taken twice.
    assert!(std::fs::write(place.path("m/etc/hostname"), "x").is_err());
    let again = place.run(&["mount", "nested.img", "m"]);
    assert_eq!(again.code, 11);
    assert!(
        again.err.contains("web01.img is mounted here by process "),
        "{}",
        again.err
    );
    assert!(again.err.contains("\nhint: flr umount "));
    // While somebody is in it, it stays.
    let busy = place.shell("cd m/etc && flr umount ../../m");
    assert_eq!(busy.code, 11, "{}", busy.err);
    assert!(busy.err.contains("in use by "), "{}", busy.err);
    assert_eq!(place.run(&["umount", "m"]).quiet(), "");
    assert_eq!(mounts.mounted("m"), None);
    assert_eq!(place.names("m"), [""; 0]);
    let gone = place.run(&["umount", "m"]);
    assert_eq!(gone.code, 2);
    assert!(gone.err.contains("no mount of flr is known here"));
}

#[test]
fn the_mount_shows_what_the_kernel_shows() {
    let Some(mounts) = Mounts::new() else { return };
    if !require(&["mount", "losetup", "diff"]) {
        return;
    }
    let place = &mounts.0;
    // All in one mount namespace: whatever happens, nothing stays mounted.
    for image in ["ext4-4k.img", "ext4-nodes.img"] {
        let list = "find . -path ./lost+found -prune -o \
                    -printf \"%p %i %y %m %U %G %n %T@ %l\\n\" | grep -a -v \"^. \" | sort";
        let script = format!(
            "mkdir -p k; mount -o ro,loop,noload {image} k && flr -q mount {image} m || exit 99; \
             (cd k && {list}) > kernel; (cd m && {list}) > ours; \
             diff -a kernel ours && \
             diff -r --no-dereference -x dev-\\* -x fifo -x null -x socket -x verity k m; \
             code=$?; flr umount m; exit $code"
        );
        let mut command = place.program("unshare");
        let said = Said::of(&command.args(["-m", "sh", "-c", &script]).output().unwrap());
        let first: Vec<_> = said.out.lines().take(9).collect();
        assert_eq!((said.code, first), (0, vec![]), "{image}: {}", said.err);
        assert!(place.path("kernel").metadata().unwrap().len() > 500);
    }
}

#[test]
fn volumes_directories_and_nested_images_can_be_mounted() {
    let Some(mounts) = Mounts::new() else { return };
    let place = &mounts.0;
    for (address, file, text) in [
        ("web01.img::", "part/3/etc/hostname", "web01\n"),
        ("web01.img::part/3/", "etc/hostname", "web01\n"),
        ("web01.img:/etc", "hostname", "web01\n"),
        (
            "web01.img:/home/bob/Documents/..",
            "Documents/shared.txt",
            "",
        ),
        ("nested.img:/vm/disk.img//dir", "in-dir", ""),
        ("nested.img:/vm/disk.img//::", "part/1/dir/in-dir", ""),
    ] {
        let said = place.run(&["-q", "mount", address, "m"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{address}");
        let found = place.read(&format!("m/{file}"));
        assert!(found == text || text.is_empty(), "{address}: {found}");
        // What is joined below a directory is there as well.
        if address == "web01.img::" {
            assert_eq!(place.names("m/part").len(), 7);
        }
        place.run(&["umount", "m"]).quiet();
    }
    // /srv/my data is a filesystem of its own, mounted by the guest's fstab.
    place.run(&["-q", "mount", "web01.img:/srv", "m"]).quiet();
    assert!(place.names("m/my data").contains(&"www".to_owned()));
    place.run(&["umount", "m"]).quiet();
    // A place whose filesystem is not there is not an empty folder.
    let said = place.run(&["mount", "web01.img:/mnt/backup", "m"]);
    assert_eq!(said.code, 7, "{}", said.err);
    assert_eq!(mounts.mounted("m"), None);
}

#[test]
fn options_of_a_mount() {
    let Some(mounts) = Mounts::new() else { return };
    let place = &mounts.0;
    let said = place.run(&[
        "-q",
        "mount",
        "-o",
        "ro,noauto,x-systemd.automount,uid=7,gid=8",
        "web01.img",
        "m",
    ]);
    assert_eq!(said.quiet(), "");
    let owner = place.shell("stat -c %u:%g m/etc/shadow").quiet();
    assert_eq!(owner, "7:8\n");
    place.run(&["umount", "m"]).quiet();
    place
        .run(&["-q", "mount", "--allow-other", "web01.img", "m"])
        .quiet();
    let options = mounts.mounted("m").unwrap();
    assert!(options.contains("allow_other") && options.contains("default_permissions"));
    if require(&["setpriv"]) {
        let enter = "chmod 755 .; setpriv --reuid 65534 --regid 65534 --clear-groups cat";
        assert_eq!(
            place.shell(&format!("{enter} m/etc/hostname")).quiet(),
            "web01\n"
        );
        let secret = place.shell(&format!("{enter} m/etc/shadow"));
        assert_eq!((secret.code, secret.out.as_str()), (1, ""));
    }
    place.run(&["umount", "m"]).quiet();
    // The image itself, and what holds it, must stay reachable.
    let image = flr_tests::image::image_path("web01");
    let dir = image.parent().unwrap().to_str().unwrap();
    let said = place.run(&["mount", "web01.img", dir]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("would hide the image"), "{}", said.err);
}

#[test]
fn programs_are_told_what_is_mounted() {
    let Some(mounts) = Mounts::new() else { return };
    let place = &mounts.0;
    std::fs::create_dir(place.path("n")).unwrap();
    let said = place.run(&["mount", "--json", "web01.img", "m"]);
    let session = crate::schema::check(said.out.lines().next().unwrap());
    assert_eq!(session["message_type"], "session");
    assert_eq!(session["mount_point"], place.path("m").to_str().unwrap());
    let pid = session["pid"].as_u64().unwrap();
    assert!(is_alive(pid));
    place
        .run(&["-q", "mount", "--from", "nested.img", "n"])
        .quiet();
    let said = place.run(&["umount", "--json", "m", "n"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let lines: Vec<Value> = (said.out.lines()).map(crate::schema::check).collect();
    assert_eq!(
        (&lines[0]["state"], &lines[0]["ended"]),
        (&"unmounted".into(), &true.into())
    );
    assert_eq!(lines[0]["address"], "web01.img");
    assert_eq!((lines.len(), &lines[2]["exit_code"]), (3, &0.into()));
    assert!(!is_alive(pid));
}

/// Whether the process is there and has not ended. Somebody else may still have to collect it.
fn is_alive(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn in_the_foreground_a_signal_unmounts() {
    let Some(mounts) = Mounts::new() else { return };
    let place = &mounts.0;
    let mut command = place.flr(&["mount", "--foreground", "web01.img", "m"]);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    crate::place::until("the mount is there", || mounts.mounted("m").is_some());
    assert_eq!(place.read("m/etc/hostname"), "web01\n");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(mounts.mounted("m"), None);
}

#[test]
fn nobody_mounts_through_the_helper() {
    if !require(&["root", "fuse", "setpriv", "unshare", "fusermount3"]) {
        return;
    }
    let place = Place::new();
    for dir in [".", "m"] {
        let _ = std::fs::create_dir(place.path(dir));
        std::os::unix::fs::chown(place.path(dir), Some(65534), Some(65534)).unwrap();
    }
    // /dev/fuse as udev makes it, whatever it is on this machine, for this mount namespace alone.
    let script = "mknod -m 666 fuse c 10 229 && mount --bind fuse /dev/fuse || exit 99; \
        exec setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent sh -c '\
        flr -q mount web01.img m && cat m/etc/shadow && flr mount web01.img m; echo \"code $?\"; \
        flr umount m; echo \"code $?\"; ls -A m'";
    let mut command = place.program("unshare");
    let said = Said::of(&command.args(["-m", "sh", "-c", script]).output().unwrap());
    let (shadow, rest) = said.out.split_at(said.out.find("code").unwrap_or(0));
    assert!(shadow.starts_with("root:"), "{}{}", said.out, said.err);
    assert_eq!(rest, "code 11\ncode 0\n", "{}", said.err);
}
