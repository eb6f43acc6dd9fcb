//! Whole addresses: kinds of objects, points, mistakes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{Address, AddressError, Object, is_source_name};

fn sources() -> Vec<String> {
    vec!["prod-eu".to_owned(), "x".to_owned()]
}

fn parse(text: &[u8]) -> Result<Address, AddressError> {
    Address::parse(OsStr::from_bytes(text), &sources())
}

fn local(text: &[u8], path: &[u8]) {
    let object = Object::Local(OsStr::from_bytes(path).to_owned());
    let address = parse(text).unwrap();
    assert_eq!((address.object, address.point), (object, None));
}

#[test]
fn everything_else_is_a_local_file() {
    local(b":", b":");
    local(b"a:b", b"a:b");
    local(b"C:\\x", b"C:\\x");
    local(b"x@y:/p", b"x@y");
    local(b"./x@y:/p", b"./x@y");
    local(b"/a@b/c.img::", b"/a@b/c.img");
    local(b"./aws:web-1:/etc", b"./aws:web-1");
    local(b"~/aws:xy:/", b"~/aws:xy");
    local(b"../vol-01234567", b"../vol-01234567");
    local(b"snap-01234567.img:/etc", b"snap-01234567.img");
    local(b"http//x", b"http//x");
    local(b"unknown:web:/etc", b"unknown:web");
    local(b"gopher://h/x:/etc", b"gopher://h/x");
    local(b"disk://etc", b"disk://etc");
    local("Größe 木.img:/é".as_bytes(), "Größe 木.img".as_bytes());
    local(b"\xff\xfe:/\xff", b"\xff\xfe");
    local(b"AWS:web", b"AWS:web");
    let long = vec![b'n'; 10_000];
    local(&[&long, b":/".as_slice(), &long].concat(), &long);
}

#[test]
fn an_object_is_needed() {
    for text in [b"".as_slice(), b"::", b":/etc", b":C:\\x", b":::", b"a\0b"] {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().starts_with("expected "), "{error}");
    }
}

#[test]
fn points_are_told_from_names() {
    for (text, point) in [
        ("aws:bob@corp@yesterday:/etc", Some("yesterday")),
        ("aws:web@latest~2::", Some("latest~2")),
        ("prod-eu:web@3d", Some("3d")),
        ("x:C:/y", None),
        ("file:/mnt/a@b/c.img:/etc", None),
        ("file:/mnt/a@b/c.img@s:/etc", Some("s")),
        ("file:a\u{e9}@s p", Some("s p")),
        ("https://bob@host:/x", None),
        ("s3://bucket/key@v:/etc", Some("v")),
        ("vol-01234567@a@b::", Some("a@b")),
        ("arn:aws:ec2:r::volume/vol-1@3d:/", Some("3d")),
        ("i-01234567@2026-11-19T03:00:C:/x", Some("2026-11-19T03:00")),
    ] {
        let found = parse(text.as_bytes())
            .unwrap()
            .point
            .map(|point| point.to_string());
        assert_eq!(found.as_deref(), point, "{text}");
    }
}

#[test]
fn mistakes_have_a_place_and_a_way_out() {
    for (text, message) in [
        ("aws:", "expected a name behind 'aws:' at byte 4"),
        ("aws::part/2", "expected a name behind 'aws:' at byte 4"),
        ("aws:@3d:/etc", "expected a name behind 'aws:' at byte 4"),
        ("aws:,a=b", "expected a name behind 'aws:' at byte 4"),
        ("prod-eu::", "expected a name behind 'prod-eu:' at byte 8"),
        ("aws:web@:/etc", "expected a point in time at byte 8"),
        (
            "aws:web@2026-02-30:/etc",
            "expected a day that exists at byte 8",
        ),
        ("aws:web@latest~x", "expected a count at byte 15"),
        (
            "aws:web@3d,profile=x",
            "expected no keys behind a point at byte 10",
        ),
        ("aws:web,a=1,a=2", "expected one 'a=' at byte 7"),
        (
            "vol-01234567:etc",
            "expected '@POINT', ':/PATH' or '::' behind the identifier at byte 12",
        ),
        ("https:/h/x", "expected '//' at byte 6"),
        ("arn:aws:ec2:r", "expected an ARN's resource at byte 13"),
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
        assert!(!error.hint().is_empty() && !error.hint().ends_with('.'));
    }
    assert_eq!(parse(b"aws:web@\xff").unwrap_err().position(), 8);
    assert_eq!(parse(b"arn:aws:ec2:r::v\xff").unwrap_err().position(), 16);
}

#[test]
fn names_may_hold_commas_and_bytes() {
    let Object::Provider { name, keys, .. } =
        parse(b"file:a,b\xff,=,c=d,format=raw:/x").unwrap().object
    else {
        panic!()
    };
    assert_eq!(name.as_bytes(), b"a,b\xff,=");
    let keys: Vec<_> = keys
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(keys, [("c", "d"), ("format", "raw")]);
}

#[test]
fn a_missing_file_was_perhaps_a_source() {
    let prefix = |text: &[u8]| {
        parse(text)
            .unwrap()
            .object
            .mistaken_prefix()
            .map(str::to_owned)
    };
    assert_eq!(prefix(b"prod-us:web:/etc").as_deref(), Some("prod-us"));
    assert_eq!(prefix(b"gopher://h/x").as_deref(), Some("gopher"));
    assert_eq!(prefix(b"disk.img:etc").as_deref(), Some("disk.img"));
    assert_eq!(prefix(b"./prod-us:web:/etc"), None);
    assert_eq!(prefix(b"a b:web"), None);
    assert_eq!(prefix(b"disk.img:/etc"), None);
    assert_eq!(prefix(b"aws:web"), None);
}

#[test]
fn source_names_leave_the_rest_alone() {
    for name in ["prod-eu", "filer", "a.b_c", "x", "7"] {
        assert!(is_source_name(name), "{name}");
    }
    for name in [
        "",
        "aws",
        "nbd+unix",
        "http",
        "arn",
        "a b",
        "a:b",
        ".a",
        "i-01234567",
        "é",
    ] {
        assert!(!is_source_name(name), "{name}");
    }
}
