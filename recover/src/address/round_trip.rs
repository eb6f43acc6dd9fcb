//! Printing and reading back, for cases that were thought of and for random ones.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Address, Locator, Object, PointSpec, Provider};

fn sources() -> Vec<String> {
    vec!["prod-eu".to_owned()]
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

fn in_local(path: &str, inside: &str) -> Address {
    Address {
        object: Object::Local(path.into()),
        point: None,
        locator: Locator::None,
    }
    .with_path(OsStr::new(inside))
}

/// One way for a local file's path to be written.
fn plain_path(path: &OsStr) -> Vec<u8> {
    let mut bytes = path.as_bytes().to_vec();
    while let Some(at) = bytes.windows(2).position(|pair| pair == b"//") {
        bytes.remove(at);
    }
    if bytes.len() > 2 && bytes.starts_with(b"./") {
        bytes.split_off(2)
    } else {
        bytes
    }
}

/// The same but for the spelling of a file.
fn assert_same(read: &Address, meant: &Address) {
    match (&read.object, &meant.object) {
        (Object::Local(read), Object::Local(meant)) => {
            assert_eq!(plain_path(read), plain_path(meant));
        }
        (
            Object::Provider {
                provider: Provider::File,
                name: read,
                keys,
            },
            Object::Provider {
                provider: Provider::File,
                name: meant,
                keys: meant_keys,
            },
        ) => assert_eq!((plain_path(read), keys), (plain_path(meant), meant_keys)),
        (read, meant) => assert_eq!(read, meant),
    }
    assert_eq!((&read.point, &read.locator), (&meant.point, &meant.locator));
}

/// Prints, reads back and compares, by the escape hatch where there is no text.
fn check(meant: &Address) {
    match meant.to_os_string() {
        Ok(text) => {
            let read = Address::parse(&text, &sources()).unwrap();
            assert_same(&read, meant);
            assert_eq!(
                read.to_os_string().unwrap(),
                text,
                "printing twice changes nothing"
            );
        }
        Err(unspellable) => {
            let words = unspellable.arguments();
            let options: Vec<_> = words.iter().take_while(|word| *word != "--").collect();
            let value = |flag: &str| {
                let value =
                    |word: &&OsString| word.as_bytes().strip_prefix(flag.as_bytes()).map(os);
                options.iter().find_map(value)
            };
            let object = Object::parse(&value("--from=").unwrap(), &sources()).unwrap();
            let point = value("--at=").map(|at| PointSpec::parse(at.to_str().unwrap()).unwrap());
            let path = words.get(options.len()..).and_then(|rest| rest.get(1));
            let volume = value("--volume=");
            let path = path.map(OsString::as_os_str);
            let read = Address::from_parts(object, point, volume.as_deref(), path);
            assert_same(&read, meant);
        }
    }
}

#[test]
fn local_files_are_spelled_so_that_they_stay_local() {
    for (path, text) in [
        ("disk.img", "disk.img:/etc"),
        ("/img/a:bc", "/img/a:bc:/etc"),
        ("a:bc", "./a:bc:/etc"),
        ("aws:web", "./aws:web:/etc"),
        ("vol-01234567", "./vol-01234567:/etc"),
        ("a:/b", "./a://b:/etc"),
        ("/a:/b/c:/d", "/a://b/c://d:/etc"),
        ("a@b", "a@b:/etc"),
        ("nbd://h/x", "./nbd://h/x:/etc"),
    ] {
        let address = in_local(path, "/etc");
        assert_eq!(address.to_os_string().unwrap(), text);
        assert_eq!(address.to_string(), text);
        check(&address);
    }
}

#[test]
fn what_has_no_spelling_has_arguments() {
    for (path, words) in [
        ("a::b", "--from=./a::b -- /e"),
        ("/a:C:/b", "--from=/a:C:/b -- /e"),
        ("a:", "--from=./a: -- /e"),
        // ":b:/" would be a drive.
        ("a:b", "--from=./a:b -- /e"),
        ("/x y:C:\\z", "'--from=/x y:C:\\z' -- /e"),
    ] {
        let address = in_local(path, "/e");
        let error = address.to_os_string().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("no address spells this, use {words}")
        );
        assert_eq!(address.to_string(), words);
        check(&address);
    }
    let parts = |volume: &str| Address {
        object: Object::Local("a::b".into()),
        point: None,
        locator: Locator::volume(OsStr::new(volume)),
    };
    for (volume, words) in [
        ("part/2/etc", "--from=./a::b --volume=part/2 -- /etc"),
        (
            "disk/1/lvm/vg/root/etc/",
            "--from=./a::b --volume=disk/1/lvm/vg/root -- /etc/",
        ),
        ("raw//::part/1", "--from=./a::b --volume=raw -- //::part/1"),
        ("part/2", "--from=./a::b --volume=part/2"),
        ("part", "--from=./a::b --volume=part"),
        ("", "--from=./a::b --volume="),
    ] {
        assert_eq!(parts(volume).to_string(), words);
        check(&parts(volume));
    }
}

#[test]
fn a_local_file_with_a_point_is_a_file_object() {
    let point = Some(PointSpec::Name("s1".to_owned()));
    let object = Object::Local("disk.qcow2".into());
    let address = Address::from_parts(object, point, None, Some(OsStr::new("C:\\x")));
    assert_eq!(address.to_os_string().unwrap(), "file:disk.qcow2@s1:/C:/x");
    for (path, words) in [
        ("a,format=raw", "--from=a,format=raw --at=3d"),
        ("a::b", "--from=./a::b --at=3d"),
        (":", "file:./:@3d"),
        ("a:/b", "file:a://b@3d"),
    ] {
        let point = Some(PointSpec::DaysAgo(3));
        let address = Address::from_parts(Object::Local(path.into()), point, None, None);
        assert_eq!(address.to_string(), words);
        check(&address);
    }
}

#[test]
fn signatures_of_urls_are_not_shown() {
    let typed = "https://h/disk.img?X-Amz-Signature=1:/etc/hosts";
    let address = Address::parse(OsStr::new(typed), &sources()).unwrap();
    assert_eq!(address.to_os_string().unwrap(), typed);
    assert_eq!(address.to_string(), "https://h/disk.img?…:/etc/hosts");
    // The export of a server and the version of an object are no secrets.
    let typed = "nbd+unix:///a?socket=/s:/etc/hosts";
    let address = Address::parse(OsStr::new(typed), &sources()).unwrap();
    assert_eq!(address.to_string(), typed);
}

#[test]
fn names_are_shown_without_their_control_characters() {
    let address = in_local("disk.img", "/").child(OsStr::from_bytes(b"\x1b[2J\xff"));
    assert_eq!(address.to_string(), r"disk.img:/\x1b[2J\xff");
    assert_eq!(
        address.to_os_string().unwrap().as_bytes(),
        b"disk.img:/\x1b[2J\xff"
    );
}

/// Bytes among which the marks are frequent.
fn marked(len: usize) -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        8 => proptest::sample::select(b":/@[]\\,=.~aC1-".to_vec()).prop_map(|byte| vec![byte]),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => proptest::sample::select(vec![
            "::", "//", "://", "//::", ":/", ":C:\\", "aws:", "file:", "prod-eu:", "https://h/",
            "nbd://[::1]/", "vol-01234567", "arn:aws:ec2:::", "@latest~2", "@2026-11-18T03:00",
            "@3d", ",a=b", "part/2",
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
    ];
    vec(word, 0..len).prop_map(|words| words.concat())
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    marked(8).prop_map(|bytes| bytes.into_iter().filter(|byte| *byte != 0).collect())
}

fn object() -> impl Strategy<Value = Object> {
    let local = name()
        .prop_filter("a file has a name", |name| !name.is_empty())
        .prop_map(|name| Object::Local(os(&name)));
    // Whatever reads as an object is one.
    let read = (
        proptest::sample::select(vec![
            "aws:", "file:", "prod-eu:", "https://", "ontap:a", "s3://b/",
        ]),
        name(),
    )
        .prop_filter_map("an object", |(head, tail)| {
            Object::parse(&os(&[head.as_bytes(), &tail].concat()), &sources()).ok()
        });
    let id = Just(Object::Cloud {
        provider: Provider::Aws,
        id: "vol-01234567".to_owned(),
    });
    prop_oneof![4 => local, 4 => read, 1 => id]
}

fn address() -> impl Strategy<Value = Address> {
    let point = prop_oneof![
        Just(None),
        "[a-z0-9:/@~T-]{1,12}".prop_map(|text| PointSpec::parse(&text).ok()),
    ];
    (
        object(),
        point,
        proptest::option::of(name()),
        proptest::option::of(name()),
    )
        .prop_map(|(object, point, volume, path)| {
            let (volume, path) = (volume.map(|name| os(&name)), path.map(|name| os(&name)));
            Address::from_parts(object, point, volume.as_deref(), path.as_deref())
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_text_panics(text in prop_oneof![vec(any::<u8>(), 0..200), marked(30)]) {
        let text = os(&text);
        let _ = Object::parse(&text, &sources());
        if let Some(text) = text.to_str() {
            let _ = PointSpec::parse(text);
        }
        if let Ok(address) = Address::parse(&text, &sources()) {
            check(&address);
            let _ = address.to_string();
            for boundary in 0..3 {
                let merged = address.locator.merged(boundary);
                check(&Address { locator: merged, ..address.clone() });
            }
        }
    }

    #[test]
    fn every_address_is_read_back(address in address()) {
        check(&address);
    }

    #[test]
    fn every_node_below_has_an_address(address in address(), path in name(), child in name()) {
        let node = address.with_path(&os(&path));
        check(&node);
        let child: Vec<u8> = child.into_iter().filter(|byte| *byte != b'/').collect();
        if !child.is_empty() {
            let below = node.child(&os(&child));
            prop_assert!(below.locator.last().unwrap().1.as_bytes().ends_with(&child));
            check(&below);
        }
    }
}
