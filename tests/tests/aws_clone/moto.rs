//! The calls themselves against somebody else's EC2, looked at by Amazon's own client.
//!
//! It takes no notice of client tokens, has nothing in its volumes, and no device appears; what it says
//! of volumes, attachments and tags is right.

use flr_tests::servers::{Server, moto, python_with};
use flr_tests::victim::harness::Said;
use flr_tests::victim::stage::DEADLINE;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

const SETUP: &str = "import boto3, sys
ec2 = boto3.client('ec2', endpoint_url=sys.argv[1])
image = ec2.describe_images()['Images'][0]['ImageId']
place = {'AvailabilityZone': 'us-east-1a'}
run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, Placement=place)
volume = ec2.create_volume(Size=1, **place)['VolumeId']
print(run['Instances'][0]['InstanceId'], ec2.create_snapshot(VolumeId=volume)['SnapshotId'])
ec2.delete_volume(VolumeId=volume)
ec2.create_volume(Size=1, TagSpecifications=[{'ResourceType': 'volume',
    'Tags': [{'Key': 'flr:session', 'Value': 'prod'}]}], **place)
";

/// Volumes beside that of the instance: id, state, what it is attached to, and tags in their order.
const LIST: &str = "import boto3, sys
ec2 = boto3.client('ec2', endpoint_url=sys.argv[1])
for v in ec2.describe_volumes()['Volumes']:
    if any(a['Device'] == '/dev/sda1' for a in v['Attachments']): continue
    to = [a['InstanceId'] for a in v['Attachments']] or ['-']
    tags = sorted(t['Key'] + '=' + t['Value'] for t in v.get('Tags', []))
    print(v['VolumeId'], v['State'], to[0], v['VolumeType'], ';'.join(tags))
";

const DETACH: &str = "import boto3, sys
ec2 = boto3.client('ec2', endpoint_url=sys.argv[1])
ec2.detach_volume(VolumeId=sys.argv[2], InstanceId=sys.argv[3])
";

struct Ec2 {
    server: Server,
    folder: TempDir,
    instance: String,
    snapshot: String,
}

fn script(server: &Server, script: &str, more: &[&str]) -> Option<String> {
    let url = server.url();
    let args: Vec<_> = std::iter::once(url.as_str())
        .chain(more.iter().copied())
        .collect();
    let output = python_with(script, &args, &[])?;
    Some(String::from_utf8(output.stdout).expect("text"))
}

impl Ec2 {
    /// `None` where its program or Amazon's client is missing.
    fn start() -> Option<Self> {
        let server = moto()?;
        let said = script(&server, SETUP, &[])?;
        let (instance, snapshot) = said.trim().split_once(' ').expect("two ids");
        Some(Self {
            folder: tempfile::tempdir().expect("a folder"),
            instance: instance.to_owned(),
            snapshot: snapshot.to_owned(),
            server,
        })
    }

    fn volumes(&self) -> Vec<String> {
        let said = script(&self.server, LIST, &[]).expect("Amazon's client");
        said.lines().map(str::to_owned).collect()
    }

    fn victim(&self, host: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-victim"));
        command.args(args).stdin(Stdio::null()).env_clear();
        let folder: &Path = self.folder.path();
        command
            .env("HOME", folder)
            .env("XDG_STATE_HOME", folder.join(host))
            .env("AWS_ENDPOINT_URL", self.server.url())
            .env("AWS_ACCESS_KEY_ID", "testing")
            .env("AWS_SECRET_ACCESS_KEY", "testing")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// Starts a process that makes a volume; gives it and the volume's id once that is attached.
    fn hold(&self, ttl: u32) -> (Child, String) {
        let mut command = self.victim("here", &["plain", &self.instance, &self.snapshot]);
        command.env("FLR_TEST_TTL", ttl.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let out = child.stdout.as_mut().expect("its output");
        let mut lines = BufReader::new(out).lines();
        let made = lines.next().expect("a line").expect("text");
        let id = made
            .strip_prefix("made ")
            .unwrap_or_else(|| panic!("{made}"));
        let renewed = lines.next().expect("a line").expect("text");
        assert_eq!(renewed, "renewed");
        (child, id.to_owned())
    }

    fn gc(&self) -> Said {
        let mut command = self.victim("other", &["gc"]);
        let output = command.env("FLR_TEST_OLDER_THAN", "0").output();
        Said::of(&output.expect("a process"))
    }
}

#[test]
fn a_volume_is_made_attached_renewed_detached_and_deleted() {
    let Some(ec2) = Ec2::start() else { return };
    let before = ec2.volumes();
    assert_eq!(before.len(), 1, "{before:?}");
    let (mut child, id) = ec2.hold(600);
    let volumes = ec2.volumes();
    let made = volumes
        .iter()
        .find(|line| line.starts_with(&id))
        .expect("it");
    let instance = &ec2.instance;
    assert!(
        made.starts_with(&format!("{id} in-use {instance} gp3 ")),
        "{made}"
    );
    for tag in [
        "CostCenter=it 42 & more;",
        "flr:created=2",
        "flr:expires=2",
        "flr:op=",
        "flr:owner=",
        "flr:session=",
    ] {
        assert!(made.contains(tag), "{tag} in {made}");
    }
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("its end");
    Said::of(&output).ended_with(0);
    assert_eq!(ec2.volumes(), before);
}

#[test]
fn what_a_killed_process_left_is_found_by_its_tags() {
    let Some(ec2) = Ec2::start() else { return };
    let before = ec2.volumes();
    let (mut child, id) = ec2.hold(2);
    child.kill().expect("a process");
    child.wait().expect("its end");
    let begun = Instant::now();
    let said = loop {
        let said = ec2.gc();
        if said.code != Some(0) {
            break said;
        }
        assert!(begun.elapsed() < DEADLINE, "it never expires");
    };
    assert!(said.out.contains("it is attached to i-"), "{said:#?}");
    script(&ec2.server, DETACH, &[&id, &ec2.instance]).expect("Amazon's client");
    let said = ec2.gc().ended_with(20);
    assert!(said.out.contains("marked as left behind"), "{said:#?}");
    let marked = ec2.volumes().into_iter().find(|line| line.starts_with(&id));
    assert!(marked.expect("it").contains(";flr:marked=2"));
    let said = ec2.gc().ended_with(0);
    assert!(
        said.out.contains(&format!("gone ebs-volume {id}")),
        "{said:#?}"
    );
    assert_eq!(ec2.volumes(), before, "and nothing of others");
}
