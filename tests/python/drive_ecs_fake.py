"""Drives the stand-in for Alibaba Cloud with the vendor's clients, which know nothing of it:
drive_ecs_fake.py PART IMAGE.

Each part expects what tests/tests/ecs_fake.rs has put there. IMAGE is what the snapshots hold.
"""

import base64
import datetime
import json
import os
import sys
import time
import urllib.error
import urllib.request

# To import them takes seconds, and these parts do without.
if sys.argv[1] not in ("old", "hardened", "off"):
    from alibabacloud_ecs20140526 import models as ecs_models
    from alibabacloud_ecs20140526.client import Client as EcsClient
    from alibabacloud_sts20150401.client import Client as StsClient
    from alibabacloud_tea_openapi.exceptions import AlibabaCloudException, ThrottlingException
    from alibabacloud_tea_openapi.models import Config
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.runtime import RuntimeOptions

REGION, ZONE = "cn-hangzhou", "cn-hangzhou-h"
INSTANCE = "i-bp100000000000000001"
SNAPSHOT = "s-bp000000000000000001"
ME = "1234567890123456"
OTHER_KEY = {"access_key_id": "LTAI5fake0000000000002", "access_key_secret": "b" * 30}
URL = os.environ["FLR_ECS_ENDPOINT"]


def client(kind=None, **more):
    given = {
        "access_key_id": os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        "access_key_secret": os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        **more,
    }
    endpoint = URL.removeprefix("http://")
    return (kind or EcsClient)(Config(endpoint=endpoint, protocol="HTTP", region_id=REGION, **given))


def call(operation, request=None, of=None, **parameters):
    """What an operation of ECS answers."""
    of = of or client()
    if request is None:
        name = "".join(word.capitalize() for word in operation.split("_"))
        request = getattr(ecs_models, f"{name}Request")(**parameters)
    options = RuntimeOptions(autoretry=False, read_timeout=20_000, connect_timeout=5_000)
    return getattr(of, f"{operation}_with_options")(request, options).body


def fails(code, operation, status=None, of=None, **parameters):
    """The call fails with this code."""
    try:
        answer = call(operation, of=of, **parameters)
    except AlibabaCloudException as error:
        assert error.code == code, (error.code, error.message)
        assert status in (None, error.status_code), error.status_code
        return error
    raise AssertionError(f"{code} was expected, not {answer}")


def tags(**more):
    given = {"flr:session": "a b*~/ä", "flr:owner": "tester", **more}
    return [ecs_models.CreateDiskRequestTag(key=key, value=value) for key, value in given.items()]


def create(of=None, **more):
    given = {
        "region_id": REGION,
        "zone_id": ZONE,
        "snapshot_id": SNAPSHOT,
        "disk_category": "cloud_essd",
        "performance_level": "PL0",
        "disk_name": "flr-clone",
        "client_token": "token",
        "tag": tags(),
        **more,
    }
    return call("create_disk", of=of, **given).disk_id


def disks(of=None, **parameters):
    return call("describe_disks", of=of, region_id=REGION, **parameters).disks.disk


def disk(disk_id):
    found = disks(disk_ids=json.dumps([disk_id]))
    return found[0] if found else None


def status(disk_id):
    found = disk(disk_id)
    return found and found.status


def advance(seconds):
    """The time of the stand-in stands still but for this."""
    url = f"{URL}/fake/advance?ms={round(seconds * 1000)}"
    urllib.request.urlopen(urllib.request.Request(url, method="POST")).close()


def soon(what, condition):
    """It is so an hour from now, and not before."""
    advance(3599)
    assert not condition(), f"too early: {what}"
    advance(1)
    assert condition(), f"not in time: {what}"


def life(image):
    """A disk of a snapshot, attached, read, detached, deleted."""
    disk_id = create()
    assert disk_id.startswith("d-bp") and len(disk_id) == 22, disk_id
    assert status(disk_id) == "Creating"
    fails("IncorrectDiskStatus", "attach_disk", 403, disk_id=disk_id, instance_id=INSTANCE,
          delete_with_instance=True)
    soon("made", lambda: status(disk_id) == "Available")
    fails("IncorrectDiskStatus.Initializing", "delete_disk", 403, disk_id=disk_id)
    made = disk(disk_id)
    assert made.size == 1 and made.category == "cloud_essd" and made.performance_level == "PL0"
    assert made.serial_number == disk_id.removeprefix("d-"), made.serial_number
    assert made.source_snapshot_id == SNAPSHOT and made.portable and made.type == "data"
    assert made.disk_charge_type == "PostPaid" and made.delete_with_instance is False
    seen = {tag.tag_key: tag.tag_value for tag in made.tags.tag}
    assert seen == {"flr:session": "a b*~/ä", "flr:owner": "tester"}, seen
    datetime.datetime.strptime(made.creation_time, "%Y-%m-%dT%H:%M:%SZ")

    call("attach_disk", disk_id=disk_id, instance_id=INSTANCE, delete_with_instance=True)
    assert status(disk_id) == "Attaching"
    fails("IncorrectDiskStatus", "detach_disk", 403, disk_id=disk_id, instance_id=INSTANCE)
    root = os.environ["FLR_DEV_ROOT"]
    link = f"{root}/dev/disk/by-id/virtio-{made.serial_number}"
    assert not os.path.exists(link)
    soon("attached", lambda: status(disk_id) == "In_use")
    there = disk(disk_id)
    assert there.instance_id == INSTANCE and there.device == "/dev/xvdb", there
    assert there.attachments.attachment[0].instance_id == INSTANCE
    assert there.delete_with_instance is True
    name = os.path.basename(os.readlink(link))
    assert name.startswith("vd"), name
    with open(f"{root}/sys/block/{name}/serial") as serial:
        assert serial.read() == made.serial_number + "\n"
    with open(image, "rb") as file:
        held = file.read()
    with open(link, "rb") as device:
        assert device.read(len(held)) == held
    assert os.path.getsize(link) == 1 << 30

    fails("InvalidDisk.InUse", "attach_disk", 404, disk_id=disk_id, instance_id=INSTANCE,
          delete_with_instance=True)
    fails("DiskStillAttached", "delete_disk", 403, disk_id=disk_id)
    call("detach_disk", disk_id=disk_id, instance_id=INSTANCE)
    assert status(disk_id) == "Detaching" and not os.path.exists(link)
    fails("IncorrectDiskStatus", "delete_disk", 403, disk_id=disk_id)
    soon("detached", lambda: status(disk_id) == "Available")
    fails("IncorrectDiskStatus", "detach_disk", 403, disk_id=disk_id, instance_id=INSTANCE)
    call("delete_disk", disk_id=disk_id)
    # What is not there is ignored.
    call("delete_disk", disk_id=disk_id)
    call("delete_disk", disk_id="d-bp000000000000nobody")
    soon("gone", lambda: status(disk_id) is None)
    fails("InvalidDiskId.NotFound", "attach_disk", 404, disk_id=disk_id, instance_id=INSTANCE,
          delete_with_instance=True)
    # The disk is looked for first, whatever it is to be detached from.
    for instance_id in (INSTANCE, "i-nobody"):
        fails("InvalidDiskId.NotFound", "detach_disk", 404, disk_id=disk_id, instance_id=instance_id)


def sts(_image):
    def who(**more):
        return client(StsClient, **more).get_caller_identity().body

    me = who()
    assert me.account_id == "1234567890123456" and me.identity_type == "RAMUser", me
    assert me.arn == "acs:ram::1234567890123456:user/tester", me.arn
    assert who(**OTHER_KEY).account_id == "6543210987654321"

    def refused(code, status, **more):
        try:
            who(**more)
        except AlibabaCloudException as error:
            assert (error.code, error.status_code) == (code, status), error
            return error
        raise AssertionError(f"{code} was expected")

    said = refused("SignatureDoesNotMatch", 400, access_key_secret="c" * 30)
    assert "server string to sign is:ACS3-HMAC-SHA256" in said.message, said.message
    refused("InvalidAccessKeyId.NotFound", 404, access_key_id="LTAInobody")
    fails("SignatureDoesNotMatch", "describe_disks", 400,
          of=client(access_key_secret="c" * 30), region_id=REGION)


def roles(_image):
    """Sessions of roles, for whoever has a key or a token of an identity provider."""
    from alibabacloud_sts20150401 import models

    role, other = f"acs:ram::{ME}:role/flr-tester", f"acs:ram::{ME}:role/other"

    def refused(code, status, ask, request):
        try:
            ask(request)
        except AlibabaCloudException as error:
            assert (error.code, error.status_code) == (code, status), error
            return
        raise AssertionError(f"{code} was expected")

    def session(answer, seconds):
        given = answer.body.credentials
        ends = datetime.datetime.strptime(given.expiration, "%Y-%m-%dT%H:%M:%SZ")
        left = ends - datetime.datetime.utcnow()
        assert seconds - 60 < left.total_seconds() < seconds + 60, left
        me = client(StsClient, access_key_id=given.access_key_id,
                    access_key_secret=given.access_key_secret,
                    security_token=given.security_token).get_caller_identity().body
        assert me.account_id == ME and me.arn == answer.body.assumed_role_user.arn, me
        assert me.arn.endswith("/flr-session"), me

    ask = client(StsClient).assume_role
    plain = models.AssumeRoleRequest
    named = {"role_session_name": "flr-session"}
    session(ask(plain(role_arn=role, **named)), 3600)
    session(ask(plain(role_arn=other, external_id="x1", duration_seconds=900, **named)), 900)
    refused("NoPermission", 403, ask, plain(role_arn=other, **named))
    refused("EntityNotExist.Role", 404, ask, plain(role_arn=role + "x", **named))
    refused("MissingParameter", 400, ask, plain(role_arn=role))
    refused("InvalidParameter.RoleSessionName", 400, ask,
            plain(role_arn=role, role_session_name="a b"))
    refused("InvalidParameter.DurationSeconds", 400, ask,
            plain(role_arn=role, duration_seconds=899, **named))

    ask = client(StsClient).assume_role_with_oidc
    plain = models.AssumeRoleWithOIDCRequest
    given = {"role_arn": role, "oidcprovider_arn": "idp", "oidctoken": "token-1", **named}
    session(ask(plain(**given)), 3600)
    refused("AuthenticationFail.OIDCToken.Invalid", 400, ask, plain(**{**given, "oidctoken": "x"}))
    refused("EntityNotExist.OIDCProvider", 404, ask, plain(**{**given, "oidcprovider_arn": "x"}))


def get(path, method="GET", **headers):
    """What the metadata answer, or the status of their refusal."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{URL}/latest/{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code


def old(_image):
    """Metadata without tokens."""
    assert get("api/token", "PUT", X_aliyun_ecs_metadata_token_ttl_seconds="60") == 404
    assert get("meta-data/instance-id") == INSTANCE


def hardened(_image):
    """Metadata with tokens only."""
    assert get("meta-data/instance-id") == 403
    token = get("api/token", "PUT", X_aliyun_ecs_metadata_token_ttl_seconds="21600")
    assert get("meta-data/instance-id", X_aliyun_ecs_metadata_token=token) == INSTANCE
    too_long = get("api/token", "PUT", X_aliyun_ecs_metadata_token_ttl_seconds="21601")
    assert too_long == 400


def off(_image):
    assert get("meta-data/instance-id") == 404


def metadata(_image):
    assert get("meta-data/instance-id") == INSTANCE
    assert get("meta-data/region-id") == REGION and get("meta-data/zone-id") == ZONE
    assert get("meta-data/nothing") == 404
    assert get("api/token", "PUT") == 400
    token = get("api/token", "PUT", X_aliyun_ecs_metadata_token_ttl_seconds="60")
    given = {"X_aliyun_ecs_metadata_token": token}
    assert get("meta-data/instance-id", **given) == INSTANCE
    assert get("meta-data/instance-id", X_aliyun_ecs_metadata_token="other") == 401
    role = get("meta-data/ram/security-credentials/", **given)
    keys = json.loads(get(f"meta-data/ram/security-credentials/{role}", **given))
    assert keys["Code"] == "Success", keys
    pair = {
        "access_key_id": keys["AccessKeyId"],
        "access_key_secret": keys["AccessKeySecret"],
    }
    session = client(StsClient, security_token=keys["SecurityToken"], **pair)
    me = session.get_caller_identity().body
    assert me.identity_type == "AssumedRoleUser" and role in me.arn, me
    assert disks(of=client(security_token=keys["SecurityToken"], **pair)) == []
    fails("MissingSecurityToken", "describe_disks", 400, of=client(**pair), region_id=REGION)
    fails("InvalidSecurityToken.MismatchWithAccessKey", "describe_disks", 400,
          of=client(security_token="other", **pair), region_id=REGION)
    advance(3600 * 6)
    fails("InvalidSecurityToken.Expired", "describe_disks", 400,
          of=client(security_token=keys["SecurityToken"], **pair), region_id=REGION)
    assert get("meta-data/instance-id", **given) == 401


def named(found):
    return [one.snapshot_id for one in found]


def snapshots(of=None, **parameters):
    body = call("describe_snapshots", of=of, region_id=REGION, **parameters)
    return body.snapshots.snapshot


def described(_image):
    """What there is: filters and pages. There are 25 more snapshots, each a minute later."""
    regions = call("describe_regions").regions.region
    assert [one.region_id for one in regions] == [REGION, "cn-shanghai"], regions
    zones = call("describe_zones", region_id=REGION).zones.zone
    assert [one.zone_id for one in zones] == [ZONE, "cn-hangzhou-k"], zones
    assert "cloud_essd" in zones[0].available_disk_categories.disk_categories
    sold = call("describe_available_resource", region_id=REGION, zone_id=ZONE,
                destination_resource="DataDisk").available_zones.available_zone[0]
    assert sold.available_resources.available_resource[0].supported_resources.supported_resource

    page = call("describe_snapshots", region_id=REGION)
    assert (page.page_number, page.page_size, page.total_count) == (1, 10, 27), page
    newest = page.snapshots.snapshot[0]
    assert newest.snapshot_id == "s-bp0000000000000more24" and newest.status == "accomplished"
    assert newest.progress == "100%" and newest.available is True and newest.snapshot_type == "user"
    assert newest.source_disk_type == "data" and int(newest.source_disk_size) == 1
    assert newest.creation_time == "2026-11-20T12:25:00Z", newest.creation_time
    last = call("describe_snapshots", region_id=REGION, page_number=3, page_size=10)
    assert len(last.snapshots.snapshot) == 7 and last.total_count == 27
    fails("InvalidParameter.PageSize", "describe_snapshots", 400, region_id=REGION, page_size=101)
    fails("InvalidParameter.MaxResults", "describe_snapshots", 400, region_id=REGION,
          max_results=101)
    fails("InvalidParameter.NextToken", "describe_snapshots", 400, region_id=REGION,
          next_token="other")
    fails("MissingParameter", "describe_snapshots", 400)
    fails("InvalidRegionId.NotFound", "describe_snapshots", 404, region_id="cn-nowhere")
    fails("DryRunOperation", "describe_snapshots", 400, region_id=REGION, dry_run=True)

    every, token, pages = [], None, 0
    while token != "":
        page = call("describe_snapshots", region_id=REGION, max_results=10, next_token=token)
        assert page.total_count == 0, "invalid with tokens"
        every += named(page.snapshots.snapshot)
        token, pages = page.next_token, pages + 1
    assert pages == 3 and len(set(every)) == 27, every
    one = ["s-bp0000000000000more07"]
    assert named(snapshots(snapshot_ids=json.dumps(one + ["s-nobody"]))) == one
    assert named(snapshots(disk_id="d-bp0000000000000more07")) == one
    assert named(snapshots(snapshot_name="more 7")) == one
    label = ecs_models.DescribeSnapshotsRequestTag
    assert named(snapshots(tag=[label(key="n", value="7")])) == one
    assert named(snapshots(tag=[label(key="n", value="7"), label(key="m")])) == []
    since = ecs_models.DescribeSnapshotsRequestFilter
    found = snapshots(filter=[since(key="CreationStartTime", value="2026-11-20T12:24Z")])
    assert named(found) == ["s-bp0000000000000more24", "s-bp0000000000000more23"], named(found)
    assert named(snapshots(status="progressing")) == ["s-bp00000000000progress"]
    (half,) = snapshots(status="progressing")
    assert half.available is False and half.progress == "50%" and half.remain_time > 0, half
    assert named(snapshots(source_disk_type="system", max_results=100)) == []
    assert snapshots(of=client(**OTHER_KEY)) == []

    kept = snapshots(snapshot_ids=json.dumps(["s-bp0000000000000more00"]))[0]
    assert kept.retention_days == 30 and kept.encrypted and kept.kmskey_id == "key-1", kept

    (instance,) = call("describe_instances", region_id=REGION).instances.instance
    assert instance.instance_id == INSTANCE and instance.status == "Running", instance
    assert instance.creation_time == "2026-11-20T12:00Z" and instance.ostype == "linux", instance
    ids = json.dumps(["i-nobody"])
    nobody = call("describe_instances", region_id=REGION, instance_ids=ids)
    assert nobody.instances.instance == []
    (image,) = call("describe_images", region_id=REGION, image_owner_alias="self").images.image
    (mapping,) = image.disk_device_mappings.disk_device_mapping
    assert (mapping.snapshot_id, mapping.type) == (SNAPSHOT, "system"), mapping
    (old,) = disks()
    assert old.disk_id == "d-bp000000000000000old" and old.serial_number == "", old
    assert old.status == "In_use" and old.device == "/dev/xvda" and old.type == "system"
    assert [one.lock_reason for one in old.operation_locks.operation_lock] == ["financial"]
    fails("DryRunOperation", "describe_disks", 400, region_id=REGION, dry_run=True)
    assert disks(of=client(**OTHER_KEY)) == []
    # Of old instances there is a device, but nothing says of which disk.
    root = os.environ["FLR_DEV_ROOT"]
    assert os.listdir(f"{root}/sys/block") == ["vdb"], os.listdir(f"{root}/sys/block")
    assert not os.path.exists(f"{root}/sys/block/vdb/serial")
    assert not os.path.exists(f"{root}/dev/disk/by-id")


def loose(_image):
    """Times without seconds, numbers that are texts, no token on the last page, no serial number."""
    body = call("describe_snapshots", region_id=REGION, max_results=10)
    assert body.next_token is None, body
    (found,) = body.snapshots.snapshot
    assert found.creation_time == "2026-11-20T12:00Z" and found.source_disk_size == 1, found
    made = disk(create())
    assert made.size == "1" and made.serial_number == "", made


def created(_image):
    """What a disk can be made of, and what not."""
    first = create()
    assert create() == first, "one token, one disk"
    fails("IdempotentParameterMismatch", "create_disk", 400, region_id=REGION, zone_id=ZONE,
          snapshot_id=SNAPSHOT, disk_category="cloud_auto", client_token="token", tag=tags())
    assert create(client_token="other") != first

    given = {"region_id": REGION, "zone_id": ZONE, "disk_category": "cloud_essd", "tag": tags()}
    count = iter(range(1000))

    def refused(code, status, **more):
        token = f"refused-{next(count)}"
        return fails(code, "create_disk", status, **{**given, "client_token": token, **more})

    refused("MissingParameter", 400)
    refused("InvalidSnapshotId.NotFound", 404, snapshot_id="s-nobody")
    refused("InvalidSnapshotId.NotReady", 403, snapshot_id="s-bp00000000000progress")
    refused("InvalidSnapshotId.NotFound", 404, snapshot_id="s-bp0000000000000foreign")
    refused("OperationDenied", 403, snapshot_id="s-bp0000000000000archive")
    refused("InvalidRegionId.NotFound", 404, region_id="cn-nowhere", size=20)
    refused("InvalidZoneId.NotFound", 404, zone_id="cn-hangzhou-z", size=20)
    refused("MissingParameter", 400, zone_id=None, size=20)
    refused("InvalidDiskCategory.ValueNotSupported", 400, disk_category="floppy", size=20)
    refused("InvalidPerformanceLevel.Malformed", 400, performance_level="PL9", size=20)
    refused("OperationDenied.PerformanceLevelNotMatch", 403, performance_level="PL2", size=460)
    refused("OperationDenied.PerformanceLevelNotMatch", 403, snapshot_id=SNAPSHOT)
    refused("InvalidDiskSize.NotSupported", 403, disk_category="cloud_efficiency", size=19)
    refused("InvalidDataDiskSize.ValueNotSupported", 400, disk_category="cloud_essd_entry",
            size=9)
    refused("InvalidDataDiskCategory.NotSupported", 403, disk_category="cloud_auto", size=20)
    refused("InvalidDiskCategory.NotSupported", 400, performance_level="PL0", size=20,
            zone_id="cn-hangzhou-h", disk_category="cloud_ssd")
    refused("Zone.NotOnSale", 400, zone_id="cn-hangzhou-k", size=20)
    refused("InvalidDiskName.Malformed", 400, size=20, disk_name="1")
    refused("InvalidDescription.Malformed", 400, size=20, description="http://here")
    refused("InvalidTagKey.Malformed", 400, size=20, tag=tags(**{"acs:x": "1"}))
    refused("InvalidTagKey.Malformed", 400, size=20, tag=tags(aliyunx="1"))
    refused("Duplicate.TagKey", 400, size=20, tag=tags() + tags())
    many = {f"k{n}": "v" for n in range(19)}
    refused("QuotaExceed.Tags", 403, size=20, tag=tags(**many))
    refused("InvalidClientToken.ValueNotSupported", 400, size=20, client_token="x" * 65)
    large = create(client_token="x" * 64, size=40, performance_level="PL1")
    assert disk(large).size == 40
    shared = create(client_token="s", snapshot_id="s-bp00000000000000shared", size=20)
    assert disk(shared).encrypted and disk(shared).kmskey_id == "key-1", disk(shared)
    few = disks(max_results=1)
    assert len(few) == 4, "no fewer than ten on a page"
    assert len(disks(snapshot_id=SNAPSHOT)) == 3
    found = disks(tag=[ecs_models.DescribeDisksRequestTag(key="flr:session")], status="Creating")
    assert len(found) == 4, found
    assert disks(status="Available") == []

    refused("QuotaExceed.PostPaidDisk", 403, size=20)
    of = client(**OTHER_KEY)
    refused("Account.Arrearage", 400, size=20, of=of)
    (owed,) = disks(of=of)
    assert owed.operation_locks.operation_lock[0].lock_reason == "financial", owed


def failed(_image):
    """A creation that was answered and comes to nothing."""
    disk_id = create()
    fails("IdempotentProcessing", "create_disk", 403, region_id=REGION, zone_id=ZONE,
          snapshot_id=SNAPSHOT, disk_category="cloud_essd", performance_level="PL0",
          disk_name="flr-clone", client_token="token", tag=tags())
    assert status(disk_id) == "Creating"
    soon("failed", lambda: status(disk_id) is None)
    assert create() == disk_id, "the token is used up"
    hangs = create(client_token="hangs")
    advance(3600)
    call("attach_disk", disk_id=hangs, instance_id=INSTANCE, delete_with_instance=True)
    advance(24 * 3600)
    assert status(hangs) == "Attaching"
    stays = create(client_token="stays")
    advance(2 * 3600)
    call("delete_disk", disk_id=stays)
    advance(24 * 3600)
    assert status(stays) == "Available", "the deletion was lost"
    call("delete_disk", disk_id=stays)
    soon("gone", lambda: status(stays) is None)


def attached(_image):
    """What cannot be attached."""
    def disk_of(token, **more):
        disk_id = create(client_token=token, **more)
        advance(3600)
        return disk_id

    def refused(code, status, disk_id, instance_id):
        fails(code, "attach_disk", status, disk_id=disk_id, instance_id=instance_id,
              delete_with_instance=True)

    here = disk_of("here")
    refused("InvalidInstanceId.NotFound", 404, here, "i-nobody")
    refused("InvalidDiskId.NotFound", 404, "d-nobody", INSTANCE)
    refused("ResourcesNotInSameZone", 403, here, "i-elsewhere")
    refused("IncorrectInstanceStatus", 400, here, "i-starting")
    refused("InstanceLockedForSecurity", 403, here, "i-locked")
    refused("InstanceDiskLimitExceeded", 403, here, "i-full")
    refused("InvalidInstanceType.NotSupportDiskCategory", 403, here, "i-picky")
    refused("InvalidInstanceId.NotFound", 404, here, "i-foreign")
    other = disk_of("other")
    call("attach_disk", disk_id=here, instance_id=INSTANCE, delete_with_instance=True)
    refused("OperationConflict.DisksAttachingParallellyExceed", 400, other, INSTANCE)
    fails("InvalidDiskId.NotFound", "detach_disk", 404, of=client(**OTHER_KEY), disk_id=here,
          instance_id=INSTANCE)
    advance(3600)
    fails("IncorrectDiskStatus", "detach_disk", 403, disk_id=here, instance_id="i-locked")
    root = os.environ["FLR_DEV_ROOT"]
    serial = here.removeprefix("d-")
    link = f"{root}/dev/disk/by-id/nvme-Alibaba_Cloud_Elastic_Block_Storage_{serial}"
    name = os.path.basename(os.readlink(link))
    with open(f"{root}/sys/block/{name}/device/serial") as file:
        assert file.read().strip() == serial
    with open(f"{root}/sys/block/{name}/device/model") as file:
        assert file.read().strip() == "Alibaba Cloud Elastic Block Storage"


def taken(_image):
    """Snapshots made, copied, grouped and deleted."""
    fails("IncorrectDiskStatus.NeverAttached", "create_snapshot", 403, disk_id="d-bp-never")
    fails("InvalidSnapshotName.Malformed", "create_snapshot", 400, disk_id="d-bp-one",
          snapshot_name="auto2")
    label = ecs_models.CreateSnapshotRequestTag
    given = {
        "disk_id": "d-bp-one",
        "snapshot_name": "flr-snap",
        "retention_days": 3,
        "client_token": "t",
        "tag": [label(key="flr:session", value="1")],
    }
    made = call("create_snapshot", **given).snapshot_id
    assert call("create_snapshot", **given).snapshot_id == made
    fails("IdempotentParameterMismatch", "create_snapshot", 403, **{**given, "retention_days": 4})
    fails("IncorrectDiskStatus.CreatingSnapshot", "create_snapshot", 403, disk_id="d-bp-one")

    def one(snapshot_id=made):
        return snapshots(snapshot_ids=json.dumps([snapshot_id]))[0]

    # Those of the newer categories can be used before they are accomplished.
    assert one().status == "progressing" and one().available is True, one()
    assert one().retention_days == 3 and one().tags.tag[0].tag_key == "flr:session", one()
    soon("accomplished", lambda: one().status == "accomplished")
    of_it = create(snapshot_id=made)
    fails("SnapshotCreatedDisk", "delete_snapshot", 403, snapshot_id=made)
    assert one().usage == "disk"
    call("delete_snapshot", snapshot_id=made, force=True)
    call("delete_snapshot", snapshot_id=made)
    assert snapshots(snapshot_ids=json.dumps([made])) == []
    advance(2 * 3600)
    call("delete_disk", disk_id=of_it)

    copying = {
        "region_id": REGION,
        "snapshot_id": SNAPSHOT,
        "destination_region_id": "cn-shanghai",
        "destination_snapshot_name": "flr-copy",
        "destination_snapshot_description": "of flr",
        "client_token": "c",
    }
    fails("InvalidOperation.NotSupportCopyInSameRegion", "copy_snapshot", 403,
          **{**copying, "destination_region_id": REGION})
    copy = call("copy_snapshot", **copying).snapshot_id
    assert call("copy_snapshot", **copying).snapshot_id == copy
    there = call("describe_snapshots", region_id="cn-shanghai").snapshots.snapshot
    assert [(x.snapshot_id, x.source_snapshot_id) for x in there] == [(copy, SNAPSHOT)], there
    call("delete_snapshot", snapshot_id=copy)

    group = {
        "region_id": REGION,
        "instance_id": INSTANCE,
        "exclude_disk_id": ["d-bp-three"],
        "name": "flr-group",
        "client_token": "g",
    }
    group_id = call("create_snapshot_group", **group).snapshot_group_id
    assert group_id.startswith("ssg-")
    assert call("create_snapshot_group", **group).snapshot_group_id == group_id

    def seen(**more):
        body = call("describe_snapshot_groups", region_id=REGION, **more)
        return body.snapshot_groups.snapshot_group

    (found,) = seen(snapshot_group_id=[group_id])
    assert (found.status, found.instance_id) == ("progressing", INSTANCE), found
    parts = {x.source_disk_id: x.snapshot_id for x in found.snapshots.snapshot}
    assert set(parts) == {"d-bp-one", "d-bp-two"}, parts
    assert seen(status=["accomplished"]) == []
    fails("DiskStillAttached", "delete_disk", 403, disk_id="d-bp-two")
    advance(3600)
    assert seen(status=["accomplished"])[0].snapshot_group_id == group_id

    tag = ecs_models.TagResourcesRequestTag
    call("tag_resources", region_id=REGION, resource_type="snapshot",
         resource_id=list(parts.values()), tag=[tag(key="flr:session", value="2")])
    listed = call("list_tag_resources", region_id=REGION, resource_type="snapshot",
                  tag=[ecs_models.ListTagResourcesRequestTag(key="flr:session", value="2")])
    listed = {x.resource_id for x in listed.tag_resources.tag_resource}
    assert listed == set(parts.values()), listed
    fails("InvalidResourceId.NotFound", "tag_resources", 404, region_id=REGION,
          resource_type="disk", resource_id=["d-nobody"], tag=[tag(key="a", value="b")])
    for part in parts.values():
        call("delete_snapshot", snapshot_id=part)
    assert seen(snapshot_group_id=[group_id]) == []


def backups(_image):
    """Cloud Backup's points, and a disk of one of them."""
    from alibabacloud_hbr20170908 import models as hbr_models
    from alibabacloud_hbr20170908.client import Client as HbrClient

    hbr = client(HbrClient)

    def points(source="UDM_ECS", start=1795175000, end=1795177000, region=REGION, **more):
        request = hbr_models.DescribeUdmSnapshotsRequest(
            source_type=source, start_time=start, end_time=end, udm_region_id=region, **more
        )
        body = hbr.describe_udm_snapshots(request).body
        assert body.code == "200" and body.success is True, body
        assert body.total_count == len(body.snapshots)
        return body.snapshots

    (point,) = points()
    assert point.snapshot_id == "s-hbr-1" and point.status == "COMPLETE", point
    assert point.detail.native_snapshot_id_list == [SNAPSHOT, "s-bp000000000000000002"]
    assert point.detail.disk_id_list == ["d-bp-one", "d-bp-two"], point.detail
    assert point.detail.consistent_level == "APP" and point.detail.snapshot_group_id == "ssg-1"
    assert point.expire_time == 1795176000 + 7 * 86400 and point.retention == 7, point
    assert points(snapshot_ids=["s-hbr-1"]) and points(snapshot_ids=["s-hbr-9"]) == []
    assert points(instance_id="i-nobody") == [] and points(disk_id="d-bp-two")
    assert points(end=1795175999) == [] and points(region="cn-shanghai") == []
    (single,) = points(source="UDM_DISK")
    assert single.native_snapshot_id == "s-bp000000000000000003", single
    assert single.status == "PARTIAL_COMPLETE" and single.detail.downgrade_reason == "agent"
    # To ECS it is a snapshot as every other, kept for ever.
    (native,) = snapshots(snapshot_ids=json.dumps([SNAPSHOT]))
    assert native.retention_days is None
    create()
    (point,) = points()
    assert point.expire_time == 0


def refusing(_image):
    """Cloud Backup says no in the body of an answer that is well."""
    from alibabacloud_hbr20170908 import models as hbr_models
    from alibabacloud_hbr20170908.client import Client as HbrClient

    request = hbr_models.DescribeUdmSnapshotsRequest(
        source_type="UDM_ECS", start_time=1, end_time=2, udm_region_id=REGION
    )
    body = client(HbrClient).describe_udm_snapshots(request).body
    assert (body.code, body.success) == ("403", False), body


LINE = (
    'acs-plugin-manager --exec --plugin app-snapshot-plugin --params=-RamRoleName="flr-tester"'
    ',-EnableFsFreeze=true,-TimeoutInSeconds=30,-PreScriptPath="/tmp/pre.sh"'
    ',-PostScriptPath="/tmp/post.sh",-ExcludeDiskId="d-bp-three",-Name="flr-app"'
)


def run(line=LINE, **more):
    given = {"type": "RunShellScript", "region_id": REGION, "instance_id": [INSTANCE], **more}
    return call("run_command", command_content=line, timeout=1800 * 3, **given)


def result(invoke, **more):
    body = call("describe_invocation_results", region_id=REGION, invoke_id=invoke, **more)
    (found,) = body.invocation.invocation_results.invocation_result
    return found


def assisted(_image):
    """A consistent group through Cloud Assistant."""
    assert run(repeat_mode="DryRun").invoke_id is None
    started = run(client_token="r")
    again = run(client_token="r")
    assert again.invoke_id == started.invoke_id and again.command_id == started.command_id
    running = result(started.invoke_id)
    assert (running.invoke_record_status, running.invocation_status) == ("Running", "Running")
    # The group is there before the command says so.
    def groups():
        body = call("describe_snapshot_groups", region_id=REGION)
        return body.snapshot_groups.snapshot_group

    assert len(groups()) == 1
    advance(3600)
    done = result(started.invoke_id)
    assert (done.invoke_record_status, done.exit_code) == ("Finished", 0), done
    said = base64.b64decode(done.output).decode()
    plain = result(started.invoke_id, content_encoding="PlainText")
    assert plain.output == said and said.startswith('[snapshotgroup="ssg-'), said
    (group,) = groups()
    assert f'"{group.snapshot_group_id}"' in said and group.name == "flr-app", group
    assert [(x.key, x.value) for x in group.tags.tag] == [("APPConsistent", "True")], group
    parts = {x.source_disk_id for x in group.snapshots.snapshot}
    assert parts == {"d-bp-one", "d-bp-two"}, parts
    (first, _) = snapshots(tag=[ecs_models.DescribeSnapshotsRequestTag(key="APPConsistent")])
    assert first.tags.tag[0].tag_value == "True"

    def code(line, **more):
        invoke = run(line, **more).invoke_id
        advance(3600)
        return result(invoke).exit_code

    assert code("rm -rf /") == 127
    assert code(LINE.replace("RamRoleName", "RoleName")) == 2
    assert code(LINE.replace("flr-tester", "other")) == 13
    encoded = base64.b64encode(LINE.replace("pre.sh", "nothing.sh").encode()).decode()
    assert code(encoded, content_encoding="Base64") == 0
    body = call("describe_snapshot_groups", region_id=REGION)
    found = [[x.key for x in one.tags.tag] for one in body.snapshot_groups.snapshot_group]
    assert sorted(found) == [["APPConsistent"], ["FsConsistent"]], "nobody said so"
    fails("InvalidInstance.NotFound", "run_command", 404, region_id=REGION,
          instance_id=["i-nobody"], type="RunShellScript", command_content="x")
    off = run(instance_id=["i-off"]).invoke_id
    assert result(off).invocation_status == "Failed" and result(off).error_code
    invoke = call("run_command", command_content=LINE, type="RunShellScript", region_id=REGION,
                  instance_id=[INSTANCE], timeout=10).invoke_id
    advance(60)
    late = result(invoke)
    assert (late.invoke_record_status, late.invocation_status) == ("Failed", "Timeout"), late


def thawing(_image):
    """The plugin's worst end: the filesystems may still be frozen."""
    invoke = run().invoke_id
    advance(3600)
    ended = result(invoke, content_encoding="PlainText")
    assert (ended.exit_code, ended.invocation_status) == (12, "Failed"), ended
    assert "thaw" in ended.output, ended.output


def stale(_image):
    """What describing calls see is a minute old."""
    disk_id = create()
    assert disk(disk_id) is None
    advance(59)
    assert disk(disk_id) is None
    advance(1)
    assert disk(disk_id) is not None


def throttled(_image):
    """Three calls at once, and then so many a second."""
    for _ in range(3):
        disks()
    error = fails("Throttling.User", "describe_disks", 400, region_id=REGION)
    assert isinstance(error, ThrottlingException) and error.retry_after == 1500, error
    assert disks(of=client(**OTHER_KEY)) == [], "each account has its own bound"
    advance(1)
    disks()
    fails("Throttling.User", "describe_disks", 400, region_id=REGION)
    fails("Forbidden.RAM", "describe_regions", 403)


def skewed(_image):
    fails("InvalidTimeStamp.Expired", "describe_disks", 400, region_id=REGION)


def retried(_image):
    """What fails is asked again, with the same token: one disk comes of it."""
    ended = []
    for _ in range(20):
        try:
            ended.append(create())
            break
        except Exception as error:  # a reset is not the same exception everywhere
            ended.append(getattr(error, "code", type(error).__name__))
            time.sleep(0.01)
    assert ended[-1].startswith("d-bp"), ended
    assert ended[:3] == ["InternalError", "Throttling.Api", "ServiceUnavailable"], ended
    assert len(ended) == 6, ended
    call("attach_disk", disk_id=ended[-1], instance_id=INSTANCE, delete_with_instance=True)


def released(_image):
    """A disk that ends with its instance."""
    disk_id = create()
    advance(3600)
    call("attach_disk", disk_id=disk_id, instance_id=INSTANCE, delete_with_instance=True)
    advance(3600)
    print(disk_id)


def never(_image):
    """What no client may ever do."""
    def ignored(operation, **parameters):
        try:
            return call(operation, **parameters)
        except AlibabaCloudException:
            return None

    given = {"region_id": REGION, "zone_id": ZONE, "size": 20}
    ignored("create_disk", **given)
    ignored("create_disk", region_id=REGION, instance_id=INSTANCE, size=20, client_token="t",
            disk_category="cloud_essd", tag=tags())
    ignored("attach_disk", disk_id="d-bp-prod", instance_id=INSTANCE, force=True)
    ignored("detach_disk", disk_id="d-bp-prod", instance_id=INSTANCE)
    ignored("detach_disk", disk_id="d-bp-nobody", instance_id=INSTANCE)
    ignored("delete_disk", disk_id="d-bp-prod")
    ignored("reset_disk", disk_id="d-bp-prod", snapshot_id=SNAPSHOT)
    ignored("delete_snapshot", snapshot_id=SNAPSHOT)
    ignored("describe_disks", region_id=REGION, disk_name="a" * 30)
    nonce, Utils.get_nonce = Utils.get_nonce, staticmethod(lambda: "once")
    disks()
    fails("SignatureNonceUsed", "describe_disks", 400, region_id=REGION)
    Utils.get_nonce = nonce


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
