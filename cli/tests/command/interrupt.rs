//! Interrupted copies: the code says so, and nothing half is left.

use crate::place::{Place, until};
use flr_tests::require::require;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::FileExt;
use std::process::Stdio;

/// Stretches of data in a disk that is too large to be copied before a signal arrives.
const STRETCH_COUNT: u64 = 40_000;
const STRETCH_DISTANCE: u64 = 64 << 10;

/// A disk without a filesystem, made once for each build folder.
pub(crate) fn large_disk(place: &Place) {
    let dir = flr_tests::image::scratch();
    let path = dir.join("large.img");
    let size = STRETCH_COUNT * STRETCH_DISTANCE;
    if !path.metadata().is_ok_and(|metadata| metadata.len() == size) {
        let file = tempfile::NamedTempFile::new_in(&dir).unwrap();
        file.as_file().set_len(size).unwrap();
        for index in 0..STRETCH_COUNT {
            let offset = index * STRETCH_DISTANCE;
            file.as_file().write_all_at(b"data", offset).unwrap();
        }
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(all).unwrap();
        file.persist(&path).unwrap();
    }
    std::os::unix::fs::symlink(path, place.path("large.img")).unwrap();
}

pub(crate) fn interrupted(
    signal: Signal,
    args: &[&str],
    begun: impl Fn(&Place) -> bool,
) -> (Place, i32, String) {
    let place = Place::new();
    large_disk(&place);
    std::fs::create_dir(place.path("to")).unwrap();
    let mut command = place.flr(args);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    until("the copy begins", || begun(&place));
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    let mut status = None;
    until("the copy ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    (place, status.unwrap().code().unwrap(), said)
}

/// Whether a file under a temporary name has content.
pub(crate) fn in_the_middle(place: &Place) -> bool {
    place.names("to").iter().any(|name| {
        let path = place.path("to").join(name);
        name.starts_with(".flr-") && path.metadata().is_ok_and(|metadata| metadata.len() > 0)
    })
}

#[test]
fn in_the_middle_of_a_file() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (place, found, said) =
            interrupted(signal, &["cp", "large.img::raw", "to"], in_the_middle);
        assert_eq!(found, code, "{said}");
        assert_eq!(place.names("to"), [""; 0]);
        assert!(
            said.contains("warning: interrupted: 0 files were copied"),
            "{said}"
        );
    }
}

#[test]
fn amid_many_files() {
    let args = ["cp", "--json", "web01.img", "large.img::raw", "to"];
    let (place, code, said) = interrupted(Signal::INT, &args, in_the_middle);
    assert_eq!(code, 130, "{said}");
    let left = place.shell("find to -name '.flr-*'").quiet();
    assert_eq!(left, "");
    // What was copied before is whole.
    let same = place.shell("sha256sum < to/etc/hosts; flr cat web01.img:/etc/hosts | sha256sum");
    let lines: Vec<_> = same.out.lines().collect();
    assert_eq!(lines[0], lines[1]);
    let last = said.lines().last().unwrap();
    assert!(
        last.contains(r#""message_type":"exit_error","code":130"#),
        "{last}"
    );
}

#[test]
fn commands_that_have_nothing_to_clean_up_just_end() {
    let place = Place::new();
    large_disk(&place);
    let script = "mkfifo pipe; flr cat large.img::raw > pipe & \
        exec 3< pipe; head -c 1 <&3 > /dev/null; kill -TERM $!; wait $!";
    assert_eq!(place.shell(script).code, 143);
}

#[test]
fn a_key_press_on_a_terminal() {
    if !require(&["script", "timeout"]) {
        return;
    }
    let place = Place::new();
    large_disk(&place);
    std::fs::create_dir(place.path("to")).unwrap();
    // The terminal turns the byte 3 into SIGINT for what runs on it.
    let mut command = place.program("script");
    // Many times the same, so that there is always something left to do.
    let line = format!("flr cp {}to", "large.img::raw ".repeat(50));
    command.args(["-qec", &line, "/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut seen = Vec::new();
    let mut screen = child.stdout.take().unwrap();
    // Who has waited for half a second is told how long it will take.
    while !seen.windows(5).any(|text| text == b" left") {
        let mut piece = [0; 512];
        let len = std::io::Read::read(&mut screen, &mut piece).unwrap();
        assert!(len > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..len]);
    }
    let mut keys = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut keys, b"\x03").unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let left = place.names("to");
    assert!(left.iter().all(|name| name == "raw"), "{left:?}");
}
