//! Owners of NTFS by a table, in a mount.

use crate::place::{Place, Said};
use flr_tests::image::image_path;
use flr_tests::require::require;

/// Machine of the users whom ntfs-3g makes up in the fixture.
const MACHINE: &str = "S-1-5-21-3141592653-589793238-462843383";
/// Owner of `owner-003`.
const DAMAGED: u32 = 12_006;

/// A place with the image, a folder to mount on, and a table in `map`.
struct Owners(Place);

impl Owners {
    fn new(image: &str, table: &str) -> Self {
        let place = Place::new();
        std::os::unix::fs::symlink(image_path(image), place.path("disk.img")).unwrap();
        std::fs::create_dir(place.path("m")).unwrap();
        std::fs::write(place.path("map"), table).unwrap();
        Self(place)
    }

    /// `name uid gid` of everything in the mount, in order.
    fn shown(&self, args: &[&str]) -> String {
        let mounted = self.0.run(&[args, &["disk.img", "m"]].concat());
        assert_eq!(mounted.code, 0, "{}", mounted.err);
        let listed = self.0.shell(&list("m"));
        assert_eq!(self.0.run(&["umount", "m"]).quiet(), "");
        listed.quiet()
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        let _ = self.0.run(&["umount", "--lazy", "m"]);
    }
}

pub(crate) fn list(dir: &str) -> String {
    format!("find {dir} -printf '/%P %U %G\\n' | sort")
}

/// Some users, and the group of all. No empty line: there ntfs-3g ends.
pub(crate) fn users() -> String {
    let user = |i: u32| format!("{}:{}:{MACHINE}-{}\n", 5000 + i, 6000 + i, 12_000 + 2 * i);
    let users: String = (0..200).step_by(3).map(user).collect();
    format!("# uid:gid:SID\n{users}:7002:{MACHINE}-14001\n")
}

fn has(shown: &str, line: &str) {
    assert!(shown.lines().any(|found| found == line), "{line}: {shown}");
}

#[test]
fn a_table_gives_the_owners_that_ntfs_3g_gives_by_it() {
    if !require(&["root", "fuse", "unshare", "ntfs-3g"]) {
        return;
    }
    let owners = Owners::new("ntfs-security", &users());
    let ours = owners.shown(&["mount", "-o", "map=map"]);
    let place = &owners.0;
    std::fs::create_dir(place.path("k")).unwrap();
    let script = format!(
        "ntfs-3g -o ro,usermapping=\"$PWD/map\" \"$(readlink -f disk.img)\" k >&2 && {}; umount k",
        list("k")
    );
    let mut unshare = place.program("unshare");
    let said = Said::of(&unshare.args(["-m", "sh", "-c", &script]).output().unwrap());
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(ours, said.out);
    has(&ours, "/owner-003 5003 7002");
    has(&ours, "/owner-001 0 7002");
    assert!(ours.lines().count() > 300);
}

#[test]
fn a_table_comes_behind_numbers_of_wsl_and_before_a_common_owner() {
    if !require(&["root", "fuse"]) {
        return;
    }
    let owners = Owners::new("ntfs-special", "7000:7001:S-1-5-32-544\n");
    let shown = owners.shown(&["mount", "-o", "map=map,uid=8,gid=9"]);
    for line in [
        "/wsl/owned 1000 2000",
        "/wsl/dir 1 2",
        "/plain-ea 7000 7001",
    ] {
        has(&shown, line);
    }
    // The system's own files.
    has(&shown, "/ 8 9");
}

#[test]
fn a_descriptor_that_cannot_be_read_hides_no_file() {
    if !require(&["root", "fuse"]) {
        return;
    }
    let owners = Owners::new("ntfs-security", &users());
    let place = &owners.0;
    let mut image = std::fs::read(place.path("disk.img")).unwrap();
    let sid = [462_843_383, DAMAGED].map(u32::to_le_bytes).concat();
    let found: Vec<_> = (0..image.len() - 8)
        .filter(|at| image[*at..].starts_with(&sid))
        .collect();
    // The descriptor and its copy, in each of which the owner is named more than once.
    assert!(found.len() >= 4, "{found:?}");
    for at in found {
        image[at] ^= 0x55;
    }
    std::fs::remove_file(place.path("disk.img")).unwrap();
    std::fs::write(place.path("disk.img"), image).unwrap();
    let log = ["-v", "--log-file", "log", "mount", "-o"];
    let shown = owners.shown(&[&log[..], &["map=map,uid=8,gid=9"]].concat());
    // Two files share the descriptor.
    for line in ["/owner-003 8 9", "/owner-293 8 9", "/owner-006 5006 7002"] {
        has(&shown, line);
    }
    let said = place.read("log");
    let told = said.matches("owners that cannot be read").count();
    assert_eq!(told, 1, "{said}");
}

#[test]
fn a_table_that_makes_no_sense_is_refused() {
    let owners = Owners::new("ntfs-security", "# names\nbob:users:S-1-5-18\n");
    let refused = |map: &str| owners.0.run(&["mount", "-o", map, "disk.img", "m"]);
    let said = refused("map=map");
    let text =
        "flr: -o map=map: line 2: names of users and groups are not taken, only their numbers";
    assert_eq!(
        (said.code, said.err.starts_with(text)),
        (2, true),
        "{}",
        said.err
    );
    let said = refused("map=nosuch");
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("-o map=nosuch: No such file"),
        "{}",
        said.err
    );
}
