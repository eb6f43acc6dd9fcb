//! Against moto: snapshots that boto3 wrote.

use super::{client, content, filesystem, noise, source};
use flr_provider::FaultKind;
use flr_provider::aws::EbsSnapshot;
use flr_provider::remote::{ChunkState, ChunkStore, block_on};
use flr_tests::aws_fake::AccessKey;
use flr_tests::{e2fsprogs, require, servers};
use std::path::Path;

/// Puts the blocks of an image that are not zeros into a new snapshot, the last one first, one of them
/// with the checksum of something else. Prints the snapshot's id.
const PUT: &str = r"
import base64, boto3, hashlib, sys
url, image, gib, wrong = sys.argv[1:]
size = 512 * 1024
ebs = boto3.client('ebs', endpoint_url=url)
snapshot = ebs.start_snapshot(VolumeSize=int(gib))['SnapshotId']
blocks = []
with open(image, 'rb') as file:
    index = 0
    while True:
        block = file.read(size)
        if not block: break
        if block.strip(b'\0'): blocks.append((index, block.ljust(size, b'\0')))
        index += 1
for index, block in reversed(blocks):
    of = b'something else' if index == int(wrong) else block
    checksum = base64.b64encode(hashlib.sha256(of).digest()).decode()
    ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockData=block,
        DataLength=size, Checksum=checksum, ChecksumAlgorithm='SHA256')
ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=len(blocks))
print(snapshot)
print(*[index for index, _ in blocks])
";

/// The id of a snapshot of an image, and the indexes of its blocks.
fn put(url: &str, image: &Path, gib: u64, wrong: i64) -> Option<(String, Vec<u64>)> {
    let arguments = [
        url,
        image.to_str().unwrap(),
        &gib.to_string(),
        &wrong.to_string(),
    ];
    let output = servers::python_with(PUT, &arguments, &[])?;
    let text = String::from_utf8(output.stdout).unwrap();
    let (id, blocks) = text.split_once('\n').unwrap();
    let blocks = blocks
        .split_whitespace()
        .map(|index| index.parse().unwrap());
    Some((id.to_owned(), blocks.collect()))
}

fn anybody() -> AccessKey {
    AccessKey::new("testing", "testing", "123456789012")
}

#[test]
fn files_of_a_snapshot_that_boto3_wrote() {
    if !require::require(&["mke2fs"]) {
        return;
    }
    let Some(moto) = servers::moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    let files = [
        ("etc/hosts", b"127.0.0.1 localhost\n".to_vec()),
        ("var/large", noise(1, 3_000_001)),
        ("var/empty", Vec::new()),
    ];
    for (name, bytes) in &files {
        let path = tree.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    let image = folder.path().join("image");
    let tree = tree.to_str().unwrap();
    e2fsprogs::mke2fs(&image, &["-t", "ext4", "-d", tree], "64M");
    let Some((id, stored)) = put(&moto.url(), &image, 1, -1) else {
        return;
    };
    let client = client(&moto.url(), &anybody());
    assert_eq!(block_on(client.account()).unwrap(), "123456789012");
    let snapshot = block_on(EbsSnapshot::open(&client, &id)).unwrap();
    assert_eq!(snapshot.size(), 1 << 30);
    // The map is what was put, to the block.
    let runs = block_on(snapshot.map(0..2048)).unwrap();
    let present = runs.iter().filter(|run| run.state == ChunkState::Present);
    let listed: Vec<u64> = present.flat_map(|run| run.chunks.clone()).collect();
    assert_eq!(listed, stored);
    let view = filesystem(source(snapshot));
    for (name, bytes) in &files {
        assert_eq!(&content(&view, &format!("/{name}")), bytes, "{name}");
    }
}

#[test]
fn a_block_with_a_wrong_checksum_is_refused() {
    let Some(moto) = servers::moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let bytes = noise(2, 3 << 19);
    std::fs::write(&image, &bytes).unwrap();
    let Some((id, stored)) = put(&moto.url(), &image, 1, 1) else {
        return;
    };
    assert_eq!(stored, [0, 1, 2]);
    let client = client(&moto.url(), &anybody());
    let snapshot = block_on(EbsSnapshot::open(&client, &id)).unwrap();
    for index in [0, 2] {
        let block = block_on(snapshot.fetch(index..index + 1)).unwrap();
        let from = usize::try_from(index).unwrap() << 19;
        assert!(block == bytes[from..from + (1 << 19)], "{index}");
    }
    let fault = block_on(snapshot.fetch(1..2)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unknown);
    assert!(fault.message.contains("checksum does not match"), "{fault}");
    let mut byte = [0];
    let error = source(snapshot).read_at(1 << 19, &mut byte).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn what_moto_does_not_know_is_no_snapshot() {
    let Some(moto) = servers::moto() else { return };
    let client = client(&moto.url(), &anybody());
    let fault = block_on(EbsSnapshot::open(&client, "snap-0123456789abcdef0")).unwrap_err();
    assert_eq!(
        fault.kind,
        FaultKind::Unknown,
        "moto answers with a page of HTML"
    );
    assert!(fault.message.contains("HTTP 500"), "{fault}");
    let none = serde_json::Value::Null;
    let answer = block_on(client.ec2::<serde_json::Value>(
        "DescribeVolumes",
        vec![("VolumeId.1".to_owned(), "vol-0123456789abcdef0".to_owned())],
    ));
    let fault = answer.map(|_| none).unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    assert!(fault.is("InvalidVolume.NotFound"));
}

/// moto checks signatures of EC2 with code that is not ours, once it has been told who there is: in three
/// calls, beside the one that finds out whether it is up.
#[test]
fn signatures_are_those_of_somebody_elses_verifier() {
    let Some(moto) = servers::moto_with(&[("INITIAL_NO_AUTH_ACTION_COUNT", "4")]) else {
        return;
    };
    let script = r#"
import boto3, json, sys
iam = boto3.client('iam', endpoint_url=sys.argv[1])
iam.create_user(UserName='u')
key = iam.create_access_key(UserName='u')['AccessKey']
allow = {'Effect': 'Allow', 'Action': '*', 'Resource': '*'}
everything = {'Version': '2012-10-17', 'Statement': [allow]}
iam.put_user_policy(UserName='u', PolicyName='p', PolicyDocument=json.dumps(everything))
print(key['AccessKeyId'], key['SecretAccessKey'])
"#;
    let Some(output) = servers::python_with(script, &[&moto.url()], &[]) else {
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let (id, secret) = text.trim().split_once(' ').unwrap();
    let good = AccessKey::new(id, secret, "123456789012");
    let bad = AccessKey::new(id, &"x".repeat(40), "123456789012");
    let describe = |key: &AccessKey| {
        let odd = vec![
            ("Filter.1.Name".to_owned(), "tag:flr +/=&é*~'".to_owned()),
            ("Filter.1.Value.1".to_owned(), "a b%20".to_owned()),
        ];
        let client = client(&moto.url(), key);
        block_on(client.ec2::<serde_json::Value>("DescribeVolumes", odd))
    };
    describe(&good).unwrap();
    let fault = describe(&bad).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
    assert!(!fault.message.contains(&"x".repeat(40)));
}
