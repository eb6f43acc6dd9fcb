//! The servers that other tests talk to come up, answer, and are gone afterwards.

use flr_tests::servers;
use std::path::Path;

/// Whether a process of this id runs our server still.
fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn moto_answers_its_own_vendors_client() {
    let Some(moto) = servers::moto() else { return };
    let script = "import boto3, sys\n\
                  ec2 = boto3.client('ec2', endpoint_url=sys.argv[1])\n\
                  print(ec2.create_volume(AvailabilityZone='us-east-1a', Size=1)['VolumeId'])\n";
    let Some(output) = servers::python_with(script, &[&moto.url()], &[]) else {
        return;
    };
    assert!(output.stdout.starts_with(b"vol-"), "{output:?}");
    let pid = moto.pid();
    drop(moto);
    assert!(!is_alive(pid));
}

#[test]
fn azurite_answers_its_own_vendors_client() {
    let Some(azurite) = servers::azurite() else {
        return;
    };
    let script = "import sys\n\
                  from azure.storage.blob import BlobServiceClient\n\
                  url, account, key = sys.argv[1:]\n\
                  credential = {'account_name': account, 'account_key': key}\n\
                  service = BlobServiceClient(url + '/' + account, credential)\n\
                  service.create_container('images')\n\
                  print([c.name for c in service.list_containers()])\n";
    let arguments = [&azurite.url(), servers::AZURE_ACCOUNT, servers::AZURE_KEY];
    let Some(output) = servers::python_with(script, &arguments, &[]) else {
        return;
    };
    assert_eq!(output.stdout, b"['images']\n");
    let pid = azurite.pid();
    drop(azurite);
    assert!(!is_alive(pid));
}
