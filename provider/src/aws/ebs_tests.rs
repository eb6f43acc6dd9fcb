use super::*;

fn blocks(json: &str) -> Result<Page<BlockToken>, Fault> {
    let listed = serde_json::from_str(json);
    let listed = listed.map_err(|error| senseless("List", &error.to_string()))?;
    page("List", listed, |block: ListedBlock| {
        Some((block.block_index, BlockToken::new(&block.block_token)?))
    })
}

#[test]
fn a_page_as_the_manual_has_it() {
    let page = blocks(
        r#"{"Blocks":[{"BlockIndex":1001,"BlockToken":"AAABAV3/PNhX0ynVdMYHUpPsetaSvjLB1dtIGfbJv5OJ0sX855EzGTWos4a4"},
        {"BlockIndex":1002,"BlockToken":"AAABATGQIgwr0WwIuqIMjCA/Sy7e/YoQFZsHejzGNvjKauzNgzeI13YHBfQB"}],
        "ExpiryTime":1.592976647009E9,"VolumeSize":3,"BlockSize":524288,"NextToken":"AAA="}"#,
    )
    .unwrap();
    assert_eq!(page.entries[1].0, 1002);
    assert_eq!(page.volume.blocks, 6144);
    assert_eq!(page.expires, Some(UnixTime(1_592_976_647)));
    assert_eq!(page.next.as_deref(), Some("AAA="));
    assert_eq!(format!("{:?}", page.entries[0].1), "BlockToken(…)");
}

#[test]
fn a_page_that_makes_no_sense_is_no_page() {
    let last =
        r#"{"Blocks":[{"BlockIndex":2047,"BlockToken":"a"}],"VolumeSize":1,"BlockSize":512}"#;
    blocks(last).unwrap();
    blocks(r#"{"NextToken":"a","VolumeSize":1,"BlockSize":1}"#).unwrap();
    for (bad, why) in [
        (r#"{"VolumeSize":1,"BlockSize":1}"#, "no list"),
        (r#"{"Blocks":[],"BlockSize":1}"#, "VolumeSize"),
        (r#"{"Blocks":[],"VolumeSize":1}"#, "BlockSize"),
        (r#"{"Blocks":[],"VolumeSize":0,"BlockSize":1}"#, "size"),
        (
            r#"{"Blocks":[],"VolumeSize":1048577,"BlockSize":1}"#,
            "size",
        ),
        (
            r#"{"Blocks":[],"VolumeSize":1,"BlockSize":1,"NextToken":""}"#,
            "next page",
        ),
        (
            r#"{"Blocks":[],"VolumeSize":1,"BlockSize":1,"ExpiryTime":-1}"#,
            "expire",
        ),
        (r#"{"Blocks":[],"VolumeSize":1,"BlockSize":1"#, "EOF"),
        (
            r#"{"Blocks":[{"BlockIndex":0,"BlockToken":"a"},{"BlockIndex":0,"BlockToken":"a"}],"VolumeSize":1,"BlockSize":1}"#,
            "twice",
        ),
        (
            r#"{"Blocks":[{"BlockIndex":0,"BlockToken":""}],"VolumeSize":1,"BlockSize":1}"#,
            "token",
        ),
        (
            r#"{"Blocks":[{"BlockIndex":0}],"VolumeSize":1,"BlockSize":1}"#,
            "BlockToken",
        ),
        (&last.replace("2047", "2048"), "below 2048"),
        (&last.replace("2047", "4294967296"), "below 2048"),
        (&last.replace("2047", "-1"), "invalid value"),
        ("[]", "List"),
        ("", "EOF"),
    ] {
        let fault = blocks(bad).err().unwrap_or_else(|| panic!("{bad}"));
        assert_eq!(fault.kind, FaultKind::Unknown);
        assert!(fault.message.contains(why), "{bad}: {}", fault.message);
    }
}

#[test]
fn changed_blocks_need_no_tokens() {
    let listed = r#"{"ChangedBlocks":[{"BlockIndex":0,"FirstBlockToken":"a"},{"BlockIndex":6,
        "SecondBlockToken":"b"}],"VolumeSize":1,"BlockSize":524288}"#;
    let listed = serde_json::from_str(listed).unwrap();
    let page = page("List", listed, |block: ChangedBlock| {
        Some((block.block_index, ()))
    });
    let page = page.unwrap();
    assert_eq!(page.entries, [(0, ()), (6, ())]);
    assert!(page.next.is_none());
}

#[test]
fn a_block_is_what_its_headers_say() {
    // printf abc | openssl dgst -sha256 -binary | base64
    let sum = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let sha = Some("SHA256");
    verify(b"abc", Some("3"), sha, Some(sum)).unwrap();
    for (body, length, algorithm, checksum, why) in [
        (&b"abd"[..], Some("3"), sha, Some(sum), "match"),
        (b"ab", Some("3"), sha, Some(sum), "expected 3 bytes, got 2"),
        (b"abc", Some("2"), sha, Some(sum), "expected 2 bytes"),
        (b"abc", None, sha, Some(sum), "how long"),
        (b"abc", Some("x"), sha, Some(sum), "how long"),
        (b"abc", Some("3"), None, Some(sum), "no word"),
        (b"abc", Some("3"), Some("MD5"), Some(sum), "SHA-256"),
        (b"abc", Some("3"), sha, None, "no checksum"),
        (b"abc", Some("3"), sha, Some(""), "match"),
        (b"abc", Some("3"), sha, Some("*"), "base64"),
    ] {
        let said = verify(body, length, algorithm, checksum).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}
