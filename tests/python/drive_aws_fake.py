"""Drives the stand-in for AWS with boto3, which knows nothing of it: drive_aws_fake.py PART IMAGE.

Each part expects what tests/tests/aws_fake.rs has put there. IMAGE is what the snapshots hold.
"""

import base64
import datetime
import email.utils
import hashlib
import os
import sys
import types
import urllib.request

import boto3
import botocore.endpoint
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import InstanceMetadataFetcher

BLOCK = 512 * 1024
SNAPSHOT = "snap-00000000000000001"
LATER = "snap-00000000000000002"
OTHER = "snap-00000000000000003"
INSTANCE = "i-0123456789abcdef0"
ONCE = Config(retries={"max_attempts": 0}, read_timeout=20)


def client(service, **more):
    return boto3.client(service, config=ONCE, **more)


def fails(code, call, status=None, reason=None, **parameters):
    """The call fails with this code."""
    try:
        answer = call(**parameters)
    except ClientError as error:
        response = error.response
        assert response["Error"]["Code"] == code, response
        http = response["ResponseMetadata"]["HTTPStatusCode"]
        assert status is None or http == status, response
        assert reason is None or response.get("Reason") == reason, response
        return response
    raise AssertionError(f"{code} was expected, not {answer}")


def advance(seconds):
    """The time of the stand-in stands still but for this."""
    url = f"{os.environ['AWS_ENDPOINT_URL']}/fake/advance?ms={round(seconds * 1000)}"
    urllib.request.urlopen(urllib.request.Request(url, method="POST")).close()


def soon(what, condition):
    """It is so an hour from now, and not before."""
    advance(3599)
    assert not condition(), f"too early: {what}"
    advance(1)
    assert condition(), f"not in time: {what}"


def stored(image):
    """Indexes of the blocks of the image that are not zero all through."""
    with open(image, "rb") as file:
        data = file.read()
    blocks = [data[at : at + BLOCK].ljust(BLOCK, b"\0") for at in range(0, len(data), BLOCK)]
    return {index: block for index, block in enumerate(blocks) if block.strip(b"\0")}


def listing(ebs, snapshot=SNAPSHOT, **parameters):
    """All pages: blocks and the number of pages."""
    blocks, pages = [], 0
    while True:
        answer = ebs.list_snapshot_blocks(SnapshotId=snapshot, **parameters)
        pages += 1
        assert answer["BlockSize"] == BLOCK and answer["VolumeSize"] == 1, answer
        assert answer["ExpiryTime"] > datetime.datetime.now(datetime.timezone.utc), answer
        blocks += answer["Blocks"]
        if "NextToken" not in answer:
            return blocks, pages
        parameters["NextToken"] = answer["NextToken"]


def sts(_image):
    who = client("sts").get_caller_identity()
    assert who["Account"] == "111122223333" and who["Arn"].endswith("user/tester"), who
    other = client("sts", aws_access_key_id="AKIAFAKE000000000002", aws_secret_access_key="b" * 40)
    assert other.get_caller_identity()["Account"] == "444455556666"
    wrong = {"aws_secret_access_key": "c" * 40, "aws_access_key_id": "AKIAFAKE000000000001"}
    fails("SignatureDoesNotMatch", client("sts", **wrong).get_caller_identity, status=403)
    fails("SignatureDoesNotMatch", client("ec2", **wrong).describe_volumes, status=403)
    ebs = client("ebs", **wrong)
    fails("InvalidSignatureException", ebs.list_snapshot_blocks, 403, SnapshotId=SNAPSHOT)
    fails("InvalidSignatureException", client("lightsail", **wrong).get_disks, status=403)
    unknown = {"aws_secret_access_key": "c" * 40, "aws_access_key_id": "AKIANOBODY"}
    fails("InvalidClientTokenId", client("sts", **unknown).get_caller_identity, status=403)
    fails("AuthFailure", client("ec2", **unknown).describe_volumes, status=401)
    ebs = client("ebs", **unknown)
    fails("UnrecognizedClientException", ebs.list_snapshot_blocks, 403, SnapshotId=SNAPSHOT)
    nowhere = client("ebs", region_name="ap-south-1")
    fails("InvalidSignatureException", nowhere.list_snapshot_blocks, 403, SnapshotId=SNAPSHOT)


def ebs(image):
    api = client("ebs")
    there = stored(image)
    blocks, pages = listing(api)
    assert pages == 1 and [block["BlockIndex"] for block in blocks] == sorted(there), blocks
    tokens = {block["BlockIndex"]: block["BlockToken"] for block in blocks}
    for index, data in there.items():
        get = {"SnapshotId": SNAPSHOT, "BlockIndex": index, "BlockToken": tokens[index]}
        answer = api.get_snapshot_block(**get)
        body = answer["BlockData"].read()
        assert body == data and answer["DataLength"] == BLOCK, index
        assert answer["ChecksumAlgorithm"] == "SHA256"
        assert answer["Checksum"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert len(there) > 120 and all(set("+/=") <= set(token) for token in tokens.values())

    blocks, pages = listing(api, MaxResults=100)
    assert pages == 2 and [block["BlockIndex"] for block in blocks] == sorted(there)
    half = sorted(there)[len(there) // 2]
    blocks, pages = listing(api, StartingBlockIndex=half)
    assert [block["BlockIndex"] for block in blocks] == [at for at in sorted(there) if at >= half]
    # With a token the start is ignored.
    first = api.list_snapshot_blocks(SnapshotId=SNAPSHOT, MaxResults=100)
    blocks, pages = listing(api, NextToken=first["NextToken"], StartingBlockIndex=0)
    assert blocks[0]["BlockIndex"] == sorted(there)[100]

    listed, get = api.list_snapshot_blocks, api.get_snapshot_block
    bad = "ValidationException"
    raw = boto3.client("ebs", config=ONCE.merge(Config(parameter_validation=False)))
    for wrong in (99, 10001):
        fails(bad, raw.list_snapshot_blocks, 400, SnapshotId=SNAPSHOT, MaxResults=wrong)
    token = "AAAB" + "x" * 40
    fails(bad, listed, 400, "INVALID_PAGE_TOKEN", SnapshotId=SNAPSHOT, NextToken=token)
    one, two, *_ = sorted(there)
    of_one = {"SnapshotId": SNAPSHOT, "BlockToken": tokens[one]}
    fails(bad, get, 400, "INVALID_BLOCK_TOKEN", BlockIndex=two, **of_one)
    of_other = {"SnapshotId": LATER, "BlockIndex": one, "BlockToken": tokens[one]}
    fails(bad, get, 400, "INVALID_BLOCK_TOKEN", **of_other)
    nothing = "snap-0000000000000dead"
    fails("ResourceNotFoundException", listed, 404, "SNAPSHOT_NOT_FOUND", SnapshotId=nothing)
    denied = "AccessDeniedException"
    for state in ("archived", "pending", "public"):
        snapshot = os.environ["FAKE_" + state.upper()]
        fails(bad, listed, 400, "INVALID_SNAPSHOT_ID", SnapshotId=snapshot)
    snapshot = os.environ["FAKE_KEYLESS"]
    fails(denied, listed, 403, "DEPENDENCY_ACCESS_DENIED", SnapshotId=snapshot)
    snapshot = os.environ["FAKE_FOREIGN"]
    fails(denied, listed, 403, "UNAUTHORIZED_ACCOUNT", SnapshotId=snapshot)
    listing(api, os.environ["FAKE_SHARED"])

    changed = api.list_changed_blocks(FirstSnapshotId=SNAPSHOT, SecondSnapshotId=LATER)
    sides = {
        block["BlockIndex"]: ("FirstBlockToken" in block, "SecondBlockToken" in block)
        for block in changed["ChangedBlocks"]
    }
    # One was changed, one taken away, one added, as the test says.
    assert sides == {one: (True, True), two: (True, False), 2047: (False, True)}, sides
    block = next(block for block in changed["ChangedBlocks"] if block["BlockIndex"] == one)
    for snapshot, side in ((SNAPSHOT, "FirstBlockToken"), (LATER, "SecondBlockToken")):
        answer = get(SnapshotId=snapshot, BlockIndex=one, BlockToken=block[side])
        assert (answer["BlockData"].read() == there[one]) == (snapshot == SNAPSHOT)
    two_of = {"FirstSnapshotId": SNAPSHOT, "SecondSnapshotId": OTHER}
    fails(bad, api.list_changed_blocks, 400, "UNRELATED_SNAPSHOTS", **two_of)
    alone = api.list_changed_blocks(SecondSnapshotId=SNAPSHOT)["ChangedBlocks"]
    assert [block["BlockIndex"] for block in alone] == sorted(there)

    page = {"SnapshotId": SNAPSHOT, "NextToken": first["NextToken"]}
    block = {"SnapshotId": SNAPSHOT, "BlockIndex": one, "BlockToken": tokens[one]}
    advance(3599)
    listed(**page)
    advance(1)
    fails(bad, listed, 400, "INVALID_PAGE_TOKEN", **page)
    get(**block)
    advance(7 * 24 * 3600)
    fails(bad, get, 400, "INVALID_BLOCK_TOKEN", **block)
    fresh = listed(SnapshotId=SNAPSHOT, StartingBlockIndex=one, MaxResults=100)["Blocks"][0]
    get(SnapshotId=SNAPSHOT, **fresh)


def pages(image):
    """Short and empty pages."""
    blocks, pages = listing(client("ebs"), MaxResults=100)
    assert [block["BlockIndex"] for block in blocks] == sorted(stored(image)) and pages > 20, pages


def throttled(_image):
    """Ten requests a second, two at once."""
    api = client("ebs")
    blocks, _ = listing(api)
    get = {"SnapshotId": SNAPSHOT, **blocks[0]}
    codes = []
    for _ in range(8):
        try:
            api.get_snapshot_block(**get)["BlockData"].read()
            codes.append("")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            codes.append(error.response["Error"]["Code"])
    assert codes == ["", ""] + ["RequestThrottledException"] * 6, codes
    advance(0.1)
    api.get_snapshot_block(**get)
    fails("RequestThrottledException", api.get_snapshot_block, 400, "RESOURCE_LEVEL_THROTTLE", **get)


def described(_image):
    api = client("ec2")
    own = api.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    by_id = {snapshot["SnapshotId"]: snapshot for snapshot in own}
    assert SNAPSHOT in by_id and os.environ["FAKE_FOREIGN"] not in by_id
    first = by_id[SNAPSHOT]
    assert first["State"] == "completed" and first["VolumeSize"] == 1, first
    assert first["Tags"] == [{"Key": "Name", "Value": "web <1>"}], first
    assert first["StartTime"].year == 2026 and first["OwnerId"] == "111122223333"
    assert by_id[os.environ["FAKE_PENDING"]]["State"] == "pending"
    assert by_id[os.environ["FAKE_ARCHIVED"]]["StorageTier"] == "archive"
    everything = api.describe_snapshots()["Snapshots"]
    assert os.environ["FAKE_SHARED"] in {one["SnapshotId"] for one in everything}
    filters = {
        "tag:Name": "web*",
        "volume-id": first["VolumeId"],
        "status": "completed",
        "tag-key": "Name",
    }
    filters = [{"Name": name, "Values": [value]} for name, value in filters.items()]
    found = api.describe_snapshots(Filters=filters)["Snapshots"]
    assert [one["SnapshotId"] for one in found] == [SNAPSHOT], found
    pages = api.get_paginator("describe_snapshots").paginate(
        OwnerIds=["self"], PaginationConfig={"PageSize": 5}
    )
    pages = [page["Snapshots"] for page in pages]
    assert len(pages) > 1 and sum(pages, []) == own, len(pages)
    fails("InvalidParameterValue", api.describe_snapshots, 400, MaxResults=4)
    both = {"MaxResults": 5, "SnapshotIds": [SNAPSHOT]}
    fails("InvalidParameterCombination", api.describe_snapshots, 400, **both)
    fails("InvalidSnapshot.NotFound", api.describe_snapshots, 400, SnapshotIds=["snap-0dead"])
    fails("InvalidVolume.NotFound", api.describe_volumes, 400, VolumeIds=["vol-0dead"])
    fails("InvalidInstanceID.NotFound", api.describe_instances, 400, InstanceIds=["i-0dead"])
    fails("InvalidAMIID.NotFound", api.describe_images, 400, ImageIds=["ami-0dead"])
    wrong = [{"Name": "colour", "Values": ["red"]}]
    fails("InvalidParameterValue", api.describe_volumes, 400, Filters=wrong)

    instance = api.describe_instances(InstanceIds=[INSTANCE])["Reservations"][0]["Instances"][0]
    disk = instance["BlockDeviceMappings"][0]
    assert (disk["DeviceName"], disk["Ebs"]["Status"]) == ("/dev/xvda", "attached"), instance
    assert instance["State"] == {"Code": 16, "Name": "running"}
    assert instance["Placement"]["AvailabilityZone"] == "us-east-1a"
    image = api.describe_images(Owners=["self"])["Images"][0]
    assert image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == SNAPSHOT, image
    zones = api.describe_availability_zones()["AvailabilityZones"]
    assert [zone["ZoneName"][-1] for zone in zones] == ["a", "b", "c"], zones
    assert zones[0]["ZoneId"] == "use1-az1"
    regions = api.describe_regions()["Regions"]
    assert [region["RegionName"] for region in regions] == ["us-east-1", "eu-west-1"], regions
    assert client("ec2", region_name="eu-west-1").describe_volumes()["Volumes"] == []
    other = {"aws_access_key_id": "AKIAFAKE000000000002", "aws_secret_access_key": "b" * 40}
    assert client("ec2", **other).describe_instances()["Reservations"] == []


def state_of(api, volume):
    try:
        return api.describe_volumes(VolumeIds=[volume])["Volumes"][0]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidVolume.NotFound", error
        return {"State": "gone", "Attachments": []}


def life(image):
    """A volume is made, attached, read, detached and deleted."""
    api = client("ec2")
    zone = {"AvailabilityZone": "us-east-1a"}
    tags = [{"Key": "flr:owner", "Value": "me@host"}, {"Key": "flr:session", "Value": "a b&c"}]
    spec = [{"ResourceType": "volume", "Tags": tags}]
    asked = {
        **zone,
        "SnapshotId": SNAPSHOT,
        "VolumeType": "gp3",
        "ClientToken": "token",
        "TagSpecifications": spec,
    }
    fails("DryRunOperation", api.create_volume, 412, DryRun=True, **asked)
    raw = boto3.client("ec2", config=ONCE.merge(Config(parameter_validation=False)))
    fails("MissingParameter", raw.create_volume, 400, SnapshotId=SNAPSHOT)
    fails("MissingParameter", api.create_volume, 400, **zone)
    fails("InvalidZone.NotFound", api.create_volume, 400, AvailabilityZone="us-east-1x", Size=1)
    fails("InvalidSnapshot.NotFound", api.create_volume, 400, SnapshotId="snap-0dead", **zone)
    pending = os.environ["FAKE_PENDING"]
    fails("IncorrectState", api.create_volume, 400, SnapshotId=pending, **zone)
    made = api.create_volume(**asked)
    volume = made["VolumeId"]
    assert made["State"] == "creating" and made["Tags"] == tags and made["Size"] == 1, made
    again = api.create_volume(**asked)
    assert again["VolumeId"] == volume, again
    fails("IdempotentParameterMismatch", api.create_volume, 400, **{**asked, "Size": 2})
    elsewhere = api.create_volume(**{**asked, "AvailabilityZone": "us-east-1b"})
    assert elsewhere["VolumeId"] != volume
    attach = {"VolumeId": volume, "InstanceId": INSTANCE, "Device": "/dev/xvdaa"}
    fails("IncorrectState", api.attach_volume, 400, **attach)
    soon("available", lambda: state_of(api, volume)["State"] == "available")
    other = {**attach, "VolumeId": elsewhere["VolumeId"]}
    assert state_of(api, other["VolumeId"])["State"] == "available"
    fails("InvalidVolume.ZoneMismatch", api.attach_volume, 400, **other)
    fails("InvalidInstanceID.NotFound", api.attach_volume, 400, **{**attach, "InstanceId": "i-0"})
    taken = {**attach, "Device": "/dev/xvda"}
    message = fails("InvalidParameterValue", api.attach_volume, 400, **taken)["Error"]["Message"]
    assert "already in use" in message
    assert api.attach_volume(**attach)["State"] == "attaching"
    fails("VolumeInUse", api.attach_volume, 400, **attach)

    def attachment():
        return state_of(api, volume)["Attachments"][0]

    soon("attached", lambda: attachment()["State"] == "attached")
    assert state_of(api, volume)["State"] == "in-use"
    fails("VolumeInUse", api.delete_volume, 400, VolumeId=volume)
    mapping = [{"DeviceName": "/dev/xvdaa", "Ebs": {"DeleteOnTermination": True}}]
    api.modify_instance_attribute(InstanceId=INSTANCE, BlockDeviceMappings=mapping)
    assert attachment()["DeleteOnTermination"] is True

    root = os.environ["FLR_DEV_ROOT"]
    serial = volume.replace("-", "")
    link = f"{root}/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{serial}"
    device = os.path.realpath(link)
    sysfs = f"{root}/sys/block/{os.path.basename(device)}/device"
    with open(device, "rb") as disk, open(image, "rb") as source:
        data = source.read()
        assert disk.read(len(data)) == data and os.path.getsize(device) == 1 << 30
    with open(sysfs + "/serial") as file:
        assert file.read().strip() == serial
    with open(sysfs + "/model") as file:
        assert file.read().strip() == "Amazon Elastic Block Store"

    detach = {"VolumeId": volume, "InstanceId": INSTANCE}
    elsewhere_id = {**detach, "InstanceId": "i-0aaaaaaaaaaaaaaaa"}
    fails("InvalidAttachment.NotFound", api.detach_volume, 400, **elsewhere_id)
    assert api.detach_volume(**detach)["State"] == "detaching"
    fails("IncorrectState", api.detach_volume, 400, **detach)
    soon("available", lambda: state_of(api, volume)["State"] == "available")
    fails("IncorrectState", api.detach_volume, 400, **detach)
    assert not os.path.lexists(link) and not os.path.exists(sysfs)
    api.create_tags(Resources=[volume], Tags=[{"Key": "more", "Value": ""}])
    assert {"Key": "more", "Value": ""} in state_of(api, volume)["Tags"]
    by_tag = [{"Name": "tag:flr:session", "Values": ["a b&c"]}]
    found = api.describe_volumes(Filters=by_tag)["Volumes"]
    assert {one["VolumeId"] for one in found} == {volume, elsewhere["VolumeId"]}, found
    api.delete_volume(VolumeId=volume)
    assert state_of(api, volume)["State"] == "deleting"
    soon("gone", lambda: state_of(api, volume)["State"] == "gone")
    fails("InvalidVolume.NotFound", api.delete_volume, 400, VolumeId=volume)
    # The token stands for the volume that was.
    assert api.create_volume(**asked)["VolumeId"] == volume
    assert state_of(api, volume)["State"] == "gone"

    fails("InvalidSnapshot.InUse", api.delete_snapshot, 400, SnapshotId=SNAPSHOT)
    image_id = api.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    api.deregister_image(ImageId=image_id)
    fails("InvalidAMIID.NotFound", api.describe_images, 400, ImageIds=[image_id])
    api.delete_snapshot(SnapshotId=SNAPSHOT)
    fails("InvalidSnapshot.NotFound", api.delete_snapshot, 400, SnapshotId=SNAPSHOT)


def quota(_image):
    """There may be three volumes; there are two."""
    api = client("ec2")
    asked = {"AvailabilityZone": "us-east-1a", "Size": 1, "ClientToken": "q"}
    api.create_volume(**asked)
    fails("VolumeLimitExceeded", api.create_volume, 400, **asked)


def failing(_image):
    """The next creation fails when it was answered, the next attachment and deletion hang."""
    api = client("ec2")
    asked = {"AvailabilityZone": "us-east-1a", "Size": 1, "ClientToken": "burned"}
    volume = api.create_volume(**asked)["VolumeId"]
    soon("gone", lambda: state_of(api, volume)["State"] == "gone")
    assert api.create_volume(**asked)["VolumeId"] == volume
    assert state_of(api, volume)["State"] == "gone"
    volume = api.create_volume(**{**asked, "ClientToken": "fresh"})["VolumeId"]
    soon("available", lambda: state_of(api, volume)["State"] == "available")
    attach = {"VolumeId": volume, "InstanceId": INSTANCE, "Device": "/dev/xvdab"}
    api.attach_volume(**attach)
    advance(24 * 3600)
    assert state_of(api, volume)["Attachments"][0]["State"] == "attaching"
    api.detach_volume(**attach)
    soon("available", lambda: state_of(api, volume)["State"] == "available")
    api.delete_volume(VolumeId=volume)
    advance(24 * 3600)
    assert state_of(api, volume)["State"] == "deleting"
    fails("IncorrectState", api.delete_volume, 400, VolumeId=volume)


def stale(_image):
    """Describing is a minute behind."""
    api = client("ec2")
    volume = api.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    advance(59)
    assert state_of(api, volume)["State"] == "gone"
    advance(1)
    assert state_of(api, volume)["State"] == "creating"
    soon("seen", lambda: state_of(api, volume)["State"] == "available")
    api.delete_volume(VolumeId=volume)
    advance(59)
    assert state_of(api, volume)["State"] == "available"
    advance(1)
    assert state_of(api, volume)["State"] == "deleting"
    soon("gone", lambda: state_of(api, volume)["State"] == "gone")


def metadata(_image):
    """The credentials of the instance, as botocore finds them, and what they are good for."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del os.environ[name]
    session = botocore.session.get_session()
    credentials = session.get_credentials()
    assert credentials.method == "iam-role", credentials.method
    who = boto3.Session(botocore_session=session).client("sts", config=ONCE).get_caller_identity()
    expected = f"arn:aws:sts::111122223333:assumed-role/flr-tester/{INSTANCE}"
    assert who["Arn"] == expected, who
    fetched = InstanceMetadataFetcher(
        base_url=os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    ).retrieve_iam_role_credentials()
    assert fetched["role_name"] == "flr-tester" and fetched["expiry_time"].endswith("Z")

    http = URLLib3Session()
    base = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]

    def ask(method, path, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = botocore.awsrequest.AWSRequest(method, base + path, headers)
        answer = http.send(request.prepare())
        return answer.status_code, answer.text

    ttl = {"x_aws_ec2_metadata_token_ttl_seconds": "60"}
    assert ask("GET", "/latest/meta-data/instance-id")[0] == 401
    assert ask("PUT", "/latest/api/token")[0] == 400
    status, token = ask("PUT", "/latest/api/token", **ttl)
    assert status == 200
    known = {"x_aws_ec2_metadata_token": token}
    for path, value in {
        "instance-id": INSTANCE,
        "placement/availability-zone": "us-east-1a",
        "placement/region": "us-east-1",
    }.items():
        assert ask("GET", "/latest/meta-data/" + path, **known) == (200, value)
    assert ask("GET", "/latest/meta-data/colour", **known)[0] == 404


def expired(_image):
    """The session of the key in the environment is over."""
    fails("ExpiredToken", client("sts").get_caller_identity, 403)
    fails("RequestExpired", client("ec2").describe_volumes, 400)
    listed = client("ebs").list_snapshot_blocks
    fails("ExpiredTokenException", listed, 403, SnapshotId=SNAPSHOT)
    fails("ExpiredTokenException", client("lightsail").get_disks, 400)


def skewed(_image):
    """The clock there is an hour ahead."""
    listed = client("ebs").list_snapshot_blocks
    response = fails("InvalidSignatureException", listed, 403, SnapshotId=SNAPSHOT)
    assert "Signature expired" in response["Error"]["Message"]
    fails("RequestExpired", client("ec2").describe_volumes, 400)
    # A client that does better than this one learns the time from here.
    date = email.utils.parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
    ahead = date - datetime.datetime.now(datetime.timezone.utc)
    assert 3590 < ahead.total_seconds() < 3610, ahead


def retried(_image):
    """Each operation fails six times in different ways before it does what it should."""
    # botocore waits up to twenty seconds between two.
    botocore.endpoint.time = types.SimpleNamespace(sleep=lambda _: None)
    more = Config(retries={"max_attempts": 9, "mode": "standard"}, read_timeout=2)
    api = boto3.client("ebs", config=more)
    blocks = api.list_snapshot_blocks(SnapshotId=SNAPSHOT)["Blocks"]
    assert blocks
    get = {"SnapshotId": SNAPSHOT, **blocks[0]}
    body = api.get_snapshot_block(**get)["BlockData"].read()
    assert len(body) == BLOCK
    ec2 = boto3.client("ec2", config=more)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    assert state_of(ec2, volume)["State"] in ("creating", "available")


def lightsail(image):
    api = client("lightsail")
    instances = api.get_instances()["instances"]
    assert [one["name"] for one in instances] == ["web"], instances
    assert instances[0]["createdAt"].year == 2026
    disks = api.get_disks()["disks"]
    assert [(one["name"], one["state"]) for one in disks] == [("data", "in-use")], disks
    snapshots = api.get_instance_snapshots()["instanceSnapshots"]
    assert [(one["name"], one["state"]) for one in snapshots] == [("web-1", "available")]
    assert snapshots[0]["fromAttachedDisks"][0]["path"] == "/dev/xvdf", snapshots
    snapshots = api.get_disk_snapshots()["diskSnapshots"]
    assert [(one["name"], one["state"]) for one in snapshots] == [("data-1", "completed")]
    autos = api.get_auto_snapshots(resourceName="web")["autoSnapshots"]
    assert [(one["date"], one["status"]) for one in autos] == [
        ("2026-11-19", "Success"),
        ("2026-11-20", "Success"),
        ("2026-11-21", "InProgress"),
    ], autos
    fails("NotFoundException", api.get_auto_snapshots, 400, resourceName="nobody")

    copy = {
        "sourceResourceName": "web",
        "restoreDate": "2026-11-20",
        "targetSnapshotName": "flr-copy",
        "sourceRegion": "us-east-1",
    }
    operation = api.copy_snapshot(**copy)["operations"][0]
    assert operation["status"] == "Started" and operation["isTerminal"] is False, operation
    fails("InvalidInputException", api.copy_snapshot, 400, **copy)
    missing = {**copy, "restoreDate": "2026-11-21", "targetSnapshotName": "flr-other"}
    fails("NotFoundException", api.copy_snapshot, 400, **missing)
    fails("OperationFailureException", api.export_snapshot, 400, sourceSnapshotName="flr-copy")

    def ended(operation):
        found = api.get_operation(operationId=operation["id"])["operation"]
        assert found["status"] == ("Succeeded" if found["isTerminal"] else "Started"), found
        return found["isTerminal"]

    soon("copied", lambda: ended(operation))
    api.tag_resource(resourceName="flr-copy", tags=[{"key": "flr:session", "value": "1"}])
    snapshots = {one["name"]: one for one in api.get_instance_snapshots()["instanceSnapshots"]}
    assert snapshots["flr-copy"]["isFromAutoSnapshot"] is True
    assert snapshots["flr-copy"]["tags"] == [{"key": "flr:session", "value": "1"}]

    def exported(name):
        operation = api.export_snapshot(sourceSnapshotName=name)["operations"][0]
        assert operation["operationType"] == "ExportSnapshot", operation
        records = api.get_export_snapshot_records()["exportSnapshotRecords"]
        record = next(one for one in records if one["sourceInfo"]["name"] == name)
        assert record["state"] == "Started" and "destinationInfo" not in record, record
        soon("exported", lambda: ended(operation))
        records = api.get_export_snapshot_records()["exportSnapshotRecords"]
        record = next(one for one in records if one["sourceInfo"]["name"] == name)
        assert record["state"] == "Succeeded", record
        return record["destinationInfo"]["id"]

    there = stored(image)
    ec2, direct = client("ec2"), client("ebs")
    ami = exported("flr-copy")
    mappings = ec2.describe_images(ImageIds=[ami])["Images"][0]["BlockDeviceMappings"]
    assert [one["DeviceName"] for one in mappings] == ["/dev/xvda", "/dev/xvdf"], mappings
    snapshots = [one["Ebs"]["SnapshotId"] for one in mappings] + [exported("data-1")]
    for snapshot in snapshots:
        blocks, _ = listing(direct, snapshot)
        assert [block["BlockIndex"] for block in blocks] == sorted(there)
        answer = direct.get_snapshot_block(SnapshotId=snapshot, **blocks[0])
        assert answer["BlockData"].read() == there[blocks[0]["BlockIndex"]]
    fails("InvalidSnapshot.InUse", ec2.delete_snapshot, 400, SnapshotId=snapshots[0])
    ec2.deregister_image(ImageId=ami)
    for snapshot in snapshots:
        ec2.delete_snapshot(SnapshotId=snapshot)
    api.delete_instance_snapshot(instanceSnapshotName="flr-copy")
    gone = {"instanceSnapshotName": "flr-copy"}
    fails("NotFoundException", api.delete_instance_snapshot, 400, **gone)
    api.delete_disk_snapshot(diskSnapshotName="data-1")
    assert api.get_disk_snapshots()["diskSnapshots"] == []
    other = {"aws_access_key_id": "AKIAFAKE000000000002", "aws_secret_access_key": "b" * 40}
    assert client("lightsail", **other).get_instances()["instances"] == []


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
