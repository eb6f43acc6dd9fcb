//! Whether a volume of NTFS is clean: our word against that of `ntfs-3g.probe`, for logs of all kinds.

#![expect(clippy::disallowed_methods, reason = "an image that is made here")]

use flr_fs::{FsState, Volume};
use flr_recover::{OpenOptions, Point};
use flr_tests::FileSource;
use flr_tests::image::scratch;
use flr_tests::require::require;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The restart page of a volume that Windows has let go of, without the zeros behind.
const OF_WINDOWS: &str = "525354521e0009000000000000000000 00100000001000003000010001007900
    00000000000000000000000000000000 15083000000000000100ffff00000200
    2c000000e00040000000720000000000 70000000300040009881ff3000000000
    00000000000000000000000000000000 08083000000000001508300000000000
    ffffffff000000000000000008000000 4e005400460053000000000000000000";

const LOG_LEN: usize = 2 << 20;
const PAGE_LEN: usize = 4096;

/// That page, whole, with other bytes at some places.
fn page(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let digits: Vec<_> = OF_WINDOWS.chars().filter_map(|c| c.to_digit(16)).collect();
    let bytes = digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]));
    let mut page: Vec<u8> = bytes.map(|byte| byte.expect("a byte")).collect();
    page.resize(PAGE_LEN, 0);
    for end in (510..PAGE_LEN).step_by(512) {
        page[end] = 0x79;
    }
    for (at, bytes) in changes {
        page[*at..][..bytes.len()].copy_from_slice(bytes);
    }
    page
}

/// Logs: what they are, and the pages they begin with.
fn logs() -> Vec<(String, Vec<Vec<u8>>)> {
    let clean = |lsn| page(&[(0x30, &[0, 0, lsn])]);
    let open = |lsn| page(&[(0x30, &[0, 0, lsn]), (0x3e, &[0, 0])]);
    let zeros = vec![0; PAGE_LEN];
    let named: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("empty", vec![]),
        ("of Windows", vec![page(&[]), page(&[])]),
        ("clean, then open", vec![clean(1), open(2)]),
        ("open, then clean", vec![open(1), clean(2)]),
        ("the later one first, open", vec![open(2), clean(1)]),
        ("the later one first, clean", vec![clean(2), open(1)]),
        ("as late, open first", vec![open(1), clean(1)]),
        ("as late, clean first", vec![clean(1), open(1)]),
        ("one page", vec![open(1)]),
        ("the second only, open", vec![zeros.clone(), open(1)]),
        ("the second only, clean", vec![zeros.clone(), clean(1)]),
        ("zeros", vec![zeros.clone(), zeros]),
        ("version 2.0", vec![page(&[(0x1a, &[0, 0, 2, 0])])]),
        ("records only", vec![page(&[(0, b"RCRD")]), page(&[])]),
        (
            "Windows 2000",
            vec![page(&[(0x3a, &[0, 0, 0xff, 0xff, 0, 0])])],
        ),
        (
            "chkdsk",
            vec![page(&[
                (0, b"CHKD"),
                (6, &[0, 0]),
                (8, &[9]),
                (1022, &[1, 1]),
            ])],
        ),
        ("torn behind the area", vec![page(&[(1022, &[1, 1])])]),
        (
            "torn before a clean one",
            vec![page(&[(1022, &[1, 1])]), clean(1)],
        ),
        (
            "torn inside the area",
            vec![page(&[(510, &[1, 1]), (0x44, &[0xd8, 1])])],
        ),
    ];
    let mut logs: Vec<_> = named
        .into_iter()
        .map(|(name, pages)| (name.to_owned(), pages))
        .collect();
    // Each byte that is checked, and many that are not. With a greater high byte of the number of clients
    // (0x39) the length of their array overflows 16 bits in ntfs-3g, and fits again.
    for at in (0..0xa0).filter(|at| *at != 0x39) {
        for value in [0, 1, 0x28, 0xff] {
            logs.push((
                format!("byte {at:#x} is {value:#x}"),
                vec![page(&[(at, &[value])])],
            ));
        }
    }
    logs
}

/// Whether ntfs-3g would write to the volume: 0 is yes, 14 a sleeping Windows, 15 an open log.
fn probe(image: &Path) -> Option<i32> {
    let probed = Command::new("ntfs-3g.probe")
        .arg("--readwrite")
        .arg(image)
        .stderr(Stdio::null())
        .status();
    probed.expect("ntfs-3g.probe").code()
}

fn state(image: &Path) -> (FsState, Vec<&'static str>) {
    let file = std::fs::File::open(image).expect("the image");
    let disk = Volume::disk(Arc::new(FileSource::new(file)));
    let view = Point::open(vec![disk], &OpenOptions::default())
        .guest()
        .expect("the volume")
        .view;
    let info = view.filesystems()[0].info();
    (
        info.state.clone(),
        info.notes.iter().map(|note| note.code.as_str()).collect(),
    )
}

/// A new volume in a folder that is removed at the end.
fn volume() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let image = dir.path().join("image");
    let made = Command::new("sh")
        .args([
            "-ec",
            "truncate -s 16M \"$0\"; mkntfs -F -q -Q -c 4096 \"$0\"",
        ])
        .arg(&image)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("mkntfs").success());
    (dir, image)
}

#[test]
fn logs_are_clean_where_ntfs_3g_says_so() {
    if !require(&["mkntfs", "ntfs-3g.probe"]) {
        return;
    }
    let (_dir, image) = volume();
    let bytes = std::fs::read(&image).expect("the image");
    // mkntfs fills the log with ones, and nothing else of a volume this small.
    let is_ones = |cluster: &&[u8]| cluster.iter().all(|byte| *byte == 0xff);
    let first = bytes
        .chunks(PAGE_LEN)
        .position(|cluster| is_ones(&cluster))
        .expect("the log");
    let at = first * PAGE_LEN;
    assert!(
        bytes[at..at + LOG_LEN]
            .chunks(PAGE_LEN)
            .all(|cluster| is_ones(&cluster))
    );
    let file = std::fs::File::options().read(true).write(true).open(&image);
    let file = file.expect("the image");
    let at = u64::try_from(at).expect("small");
    let (mut clean, mut unclean) = (0, 0);
    for (name, pages) in logs() {
        let mut log = pages.concat();
        log.resize(PAGE_LEN * 4, 0xff);
        file.write_all_at(&log, at).expect("written");
        let probed = probe(&image).expect("a code");
        let (state, codes) = state(&image);
        let expected = match probed {
            0 => FsState::Clean,
            14 | 15 => FsState::NotReplayed,
            other => panic!("{name}: {other}"),
        };
        assert_eq!(state, expected, "{name}: {codes:?}");
        let told = codes.iter().any(|code| code.starts_with("ntfs.log."));
        assert_eq!(told, state != FsState::Clean, "{name}: {codes:?}");
        match state {
            FsState::Clean => clean += 1,
            _ => unclean += 1,
        }
    }
    assert!(clean > 100 && unclean > 100, "{clean} clean, {unclean} not");
}

#[test]
fn a_sleeping_windows_is_told_where_ntfs_3g_tells_it() {
    if !require(&[
        "root",
        "fuse",
        "unshare",
        "mkntfs",
        "ntfs-3g",
        "ntfs-3g.probe",
    ]) {
        return;
    }
    for (content, expected) in [
        ("printf hibr; head -c 5000 /dev/zero", 14),
        ("printf HIBR; head -c 5000 /dev/zero", 14),
        ("printf WAKE; head -c 5000 /dev/zero", 0),
        ("head -c 5000 /dev/zero", 0),
        ("printf WAKE", 14),
    ] {
        let (dir, image) = volume();
        let mount = dir.path().join("mount");
        std::fs::create_dir(&mount).expect("a folder");
        let filled = Command::new("unshare")
            .args(["--mount", "sh", "-ec"])
            .arg(format!(
                "ntfs-3g \"$0\" \"$1\"; ({content}) > \"$1/hiberfil.sys\"; umount \"$1\""
            ))
            .args([&image, &mount])
            .status();
        assert!(filled.expect("unshare").success(), "{content}");
        assert_eq!(probe(&image), Some(expected), "{content}");
        let (state, codes) = state(&image);
        match expected {
            0 => assert_eq!((state, codes), (FsState::Clean, vec![]), "{content}"),
            _ => {
                assert_eq!(state, FsState::NotReplayed, "{content}");
                assert_eq!(codes, ["ntfs.hibernated"], "{content}");
            }
        }
    }
}
