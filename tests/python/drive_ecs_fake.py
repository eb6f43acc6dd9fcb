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
import types
import urllib.error
import urllib.request

from alibabacloud_ecs20140526 import models as ecs_models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_hbr20170908 import models as hbr_models
from alibabacloud_hbr20170908.client import Client as HbrClient
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_openapi.utils import Utils
from darabonba.runtime import RuntimeOptions

REGION, ZONE = "cn-hangzhou", "cn-hangzhou-h"
INSTANCE = "i-bp100000000000000001"
SNAPSHOT = "s-bp000000000000000001"
OTHER_KEY = {"access_key_id": "LTAI5fake0000000000002", "access_key_secret": "b" * 30}
URL = os.environ["FLR_ECS_ENDPOINT"]


def client(kind=EcsClient, **more):
    given = {
        "access_key_id": os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        "access_key_secret": os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        **more,
    }
    endpoint = URL.removeprefix("http://")
    return kind(Config(endpoint=endpoint, protocol="HTTP", region_id=REGION, **given))


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
    except ClientException as error:
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

    fails("InvalidDisk.InUse", "attach_disk", 403, disk_id=disk_id, instance_id=INSTANCE,
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
        except ClientException as error:
            assert (error.code, error.status_code) == (code, status), error
            return error
        raise AssertionError(f"{code} was expected")

    said = refused("SignatureDoesNotMatch", 400, access_key_secret="c" * 30)
    assert "server string to sign is:ACS3-HMAC-SHA256" in said.message, said.message
    refused("InvalidAccessKeyId.NotFound", 404, access_key_id="LTAInobody")
    fails("SignatureDoesNotMatch", "describe_disks", 400,
          of=client(access_key_secret="c" * 30), region_id=REGION)


def metadata(_image):
    def get(path, method="GET", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{URL}/latest/{path}", method=method, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code

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


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
