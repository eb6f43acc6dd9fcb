"""Drives the stand-in for ONTAP with the vendor's client, which knows nothing of it.

drive_ontap_fake.py PART IMAGE: each part expects what tests/tests/ontap_fake.rs has put there. IMAGE is
what the LUN had when the snapshot was taken.
"""

import json
import os
import sys
import urllib.parse
import urllib.request

from netapp_ontap import HostConnection, config
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import (
    Cluster,
    FileClone,
    FileInfo,
    Igroup,
    Job,
    Lun,
    LunMap,
    MultiAdminVerifyRequest,
    Snapshot,
    Svm,
    Volume,
)

URL = urllib.parse.urlsplit(os.environ["FAKE_URL"])
DATA = {"Accept": "multipart/form-data"}
COMMENT = "flr:session=1"
IMAGE = open(sys.argv[2], "rb").read()


def connect(**more):
    credentials = {"username": os.environ["FAKE_USER"], "password": os.environ["FAKE_PASSWORD"]}
    if "cert" in more or "Authorization" in more.get("headers", {}):
        credentials = {}
    return HostConnection(
        URL.hostname,
        port=URL.port,
        scheme=URL.scheme,
        poll_interval=0.02,
        poll_timeout=20,
        **{"verify": os.environ.get("FAKE_CA", False), **credentials, **more},
    )


def fails(status, code, call, **parameters):
    """The call fails with this status and this code."""
    try:
        answer = call(**parameters)
    except NetAppRestError as error:
        assert error.status_code == status, (error.status_code, str(error))
        found = error.response_body["error"]
        assert found["code"] == code, found
        return found
    raise AssertionError(f"{status} {code} was expected, not {answer}")


def advance(seconds):
    """Sets the time of the stand-in forward."""
    url = f"{URL.geturl()}/fake/advance?ms={round(seconds * 1000)}"
    urllib.request.urlopen(urllib.request.Request(url, method="POST")).close()


def volume(name="vol1"):
    return Volume.find(name=name, **{"svm.name": "svm1"})


def clone(name="/vol/vol1/flr_1", source="/vol/vol1/.snapshot/nightly.0/lun0", **more):
    return Lun.from_dict(
        {
            "svm": {"name": "svm1"},
            "name": name,
            "clone": {"source": {"name": source}},
            "space": {"guarantee": {"requested": False}},
            "comment": COMMENT,
            **more,
        }
    )


def read_lun(lun, offset, size):
    """The bytes of a LUN by the client's own parser of multipart."""
    with connect(headers=dict(DATA), **basic()):
        part = Lun(uuid=lun.uuid)
        part.get(**{"data.offset": offset, "data.size": size})
        (only,) = part.response_parts
        return only["content"]


def basic():
    return {"username": os.environ["FAKE_USER"], "password": os.environ["FAKE_PASSWORD"]}


def read_file(uuid, path, offset, size):
    with connect(headers=dict(DATA), **basic()):
        part = FileInfo(uuid, path)
        part.get(byte_offset=offset, length=size)
        (only,) = part.response_parts
        return only["content"]


def cluster():
    found = Cluster()
    found.get()
    assert (found.version.generation, found.version.major) == (9, 14), found
    assert [svm.name for svm in Svm.get_collection()] == ["svm1", "svm2"]
    one = Svm.find(name="svm1")
    one.get()
    assert one.state == "running", one


def volumes():
    (found,) = Volume.get_collection(name="vol1", **{"svm.name": "svm1"})
    assert set(found.to_dict()) == {"name", "uuid", "svm", "_links"}, found.to_dict()
    found.get()
    assert (found.type, found.style, found.state) == ("rw", "flexvol", "online"), found
    # What is expensive is there only by name.
    assert "nas" not in found.to_dict(), found
    found.get(fields="nas.path,clone")
    assert found.clone.is_flexclone is False, found
    names = {one.name for one in Volume.get_collection(type="dp")}
    assert names == {"mirror", "empty_mirror"}, names
    names = {one.name for one in Volume.get_collection(style="flexgroup")}
    assert names == {"group"}, names
    found = Volume.get_collection(**{"svm.name": "svm2"})
    assert [one.name for one in found] == ["other"]
    fails(404, "4", Volume(uuid="0353dc05-405f-11e9-acb6-005056bbc848").get)
    fails(400, "262197", volume().get, fields="no_such_field")
    fails(400, "262179", lambda: list(Volume.get_collection(no_such_field=1)))


def paging():
    names = [f"many_{number:02}" for number in range(23)]
    for size in (1, 5, 23, 100):
        pages = Lun.get_collection(max_records=size, name="/vol/many/many_*")
        found = [lun.name for lun in pages]
        assert found == [f"/vol/many/{name}" for name in names], (size, found)
    assert Lun.count_collection(name="/vol/many/*") == 23
    assert Lun.count_collection(name="/vol/many/many_0*|/vol/many/many_22") == 11
    assert Lun.count_collection(name="!/vol/many/*", **{"svm.name": "svm1"}) == 3
    assert list(Lun.get_collection(name="flr_*")) == []
    pages = Lun.get_collection(max_records=4, name="/vol/many/*", order_by="name desc")
    assert [lun.name for lun in pages] == [f"/vol/many/{name}" for name in reversed(names)]
    session = connect().session
    url = f"{URL.geturl()}/api/storage/luns"
    page = session.get(url, params={"max_records": 2, "fields": "space.size"}).json()
    assert page["num_records"] == 2 and page["_links"]["next"]["href"], page
    assert all(set(lun["space"]) == {"size"} for lun in page["records"]), page


def snapshots():
    home = volume()
    found = list(Snapshot.get_collection(home.uuid, fields="*"))
    assert [one.name for one in found] == ["nightly.1", "nightly.0"], found
    assert found[0].create_time < found[1].create_time
    assert found[1].snapmirror_label == "daily" and found[1].expiry_time, found[1]
    one = Snapshot.find(home.uuid, name="nightly.0")
    one.get()
    assert one.volume.name == "vol1" and one.svm.name == "svm1", one
    assert one.uuid == found[1].uuid
    fails(404, "4", Snapshot(home.uuid, uuid=home.uuid).get)


def luns():
    lun = clone()
    lun.post(hydrate=True, **{"return_records": "true"})
    assert lun.status.state == "online" and lun.comment == COMMENT, lun
    assert lun.space.size == len(IMAGE) and len(lun.serial_number) == 12, lun
    assert lun.location.volume.name == "vol1" and lun.os_type == "linux", lun
    assert lun.class_ == "regular" and lun.enabled is True, lun
    for offset, size in [(0, 9), (511, 1024), (len(IMAGE) - 5, 5), (4096, 1 << 20)]:
        assert read_lun(lun, offset, size) == IMAGE[offset : offset + size], (offset, size)
    live = Lun.find(name="/vol/vol1/lun0")
    assert read_lun(live, 0, 4) == b"LIVE"
    # Any bytes, read without the client's belief that they are text.
    binary = clone("/vol/vol1/flr_binary", "/vol/vol1/.snapshot/nightly.0/binary")
    binary.post()
    session = connect(headers=dict(DATA), **basic()).session
    url = f"{URL.geturl()}/api/storage/luns/{binary.uuid}"
    answer = session.get(url, params={"data.offset": 0, "data.size": 1024})
    from requests_toolbelt.multipart import decoder

    (part,) = decoder.MultipartDecoder.from_response(answer).parts
    assert part.headers[b"Content-Type"] == b"application/octet-stream"
    assert part.content == bytes(range(256)) * 4
    names = {one.name for one in Lun.get_collection(name="*/flr_*")}
    assert names == {"/vol/vol1/flr_1", "/vol/vol1/flr_binary"}, names
    for one in (lun, binary):
        one.delete()
        fails(404, "4", one.get)


def lun_errors():
    uuid = Lun.find(name="/vol/vol1/lun0").uuid
    for more, code in [
        ({"os_type": "linux"}, "5374883"),
        ({"space": {"size": 1 << 20}}, "5374883"),
    ]:
        found = fails(400, code, clone(**more).post)
        assert found["target"] in ("os_type", "space.size"), found
    both = {"source": {"uuid": uuid, "name": "/vol/vol1/.snapshot/nightly.0/lun0"}}
    fails(400, "5374899", clone(clone=both).post)
    other = "/vol/many/.snapshot/none/many_00"
    fails(400, "5374886", clone(source=other).post)
    fails(404, "4", clone(source="/vol/vol1/.snapshot/gone/lun0").post)
    fails(404, "4", clone(source="/vol/vol1/.snapshot/nightly.0/gone").post)
    fails(404, "917927", clone("/vol/gone/flr_1", "/vol/gone/.snapshot/a/b").post)
    fails(400, "262197", clone("flr_1").post)
    clone().post()
    fails(409, "1", clone().post)
    mirrored = "/vol/mirror/.snapshot/nightly.0/lun0"
    fails(400, "5242886", clone("/vol/mirror/flr_1", mirrored).post)
    fails(400, "917536", clone("/vol/empty_mirror/flr_1", "/vol/empty_mirror/x").post)
    # Reading: all of it or nothing.
    lun = Lun.find(name="/vol/vol1/flr_1")
    with connect(headers=dict(DATA), **basic()):
        part = Lun(uuid=lun.uuid)
        fails(400, "262190", part.get, **{"data.offset": 0})
        fails(400, "262190", part.get, **{"data.size": 512})
        fails(400, "262179", part.get, **{"data.offset": 0, "data.size": 512, "fields": "*"})
        fails(400, "262197", part.get, **{"data.offset": 0, "data.size": (1 << 20) + 1})
        fails(400, "2", part.get, **{"data.offset": len(IMAGE), "data.size": 512})
    fails(400, "262179", lun.get, **{"data.offset": 0, "data.size": 512})
    lun.delete()


def lun_jobs():
    lun = clone()
    lun.post(hydrate=True)
    assert lun.status.state == "online" and lun.comment == COMMENT, lun
    lun.delete()
    fails(404, "4", lun.get)


def full():
    lun = clone()
    lun.post(hydrate=True)
    assert lun.status.state == "space_error", lun
    lun.delete()


def files():
    home = volume()
    listed = {one.name: one for one in FileInfo.get_collection(home.uuid, fields="*")}
    assert {".", "..", ".snapshot", "vm", "lun0"} <= set(listed), set(listed)
    assert listed["lun0"].type == "lun" and listed["vm"].type == "directory"
    listed = {one.name: one for one in FileInfo.get_collection(home.uuid, ".snapshot", fields="*")}
    assert listed["nightly.0"].is_snapshot is True, listed
    inside = ".snapshot/nightly.0/vm"
    listed = {one.name: one for one in FileInfo.get_collection(home.uuid, inside, fields="*")}
    assert listed["disk.vmdk"].type == "file" and listed["disk.vmdk"].size == 11, listed
    path = f"{inside}/disk.vmdk"
    one = FileInfo(home.uuid, path)
    one.get(return_metadata=True)
    assert (one.size, one.type, one.unix_permissions) == (11, "file", 644), one
    assert read_file(home.uuid, path, 0, 100) == b"vmdk before"
    assert read_file(home.uuid, path, 5, 3) == b"bef"
    assert read_file(home.uuid, "vm/disk.vmdk", 0, 100) == b"vmdk after!"
    assert read_file(home.uuid, "vm/a b+c.txt", 0, 9) == b"odd"
    link = FileInfo(home.uuid, "vm/link")
    link.get(return_metadata=True, fields="target")
    assert link.target == "disk.vmdk", link
    only = FileInfo.get_collection(home.uuid, "vm", type="file")
    assert {one.name for one in only} == {"disk.vmdk", "a b+c.txt"}
    fails(404, "6684674", FileInfo(home.uuid, "gone").get, return_metadata=True)
    with connect(headers=dict(DATA), **basic()):
        fails(400, "262190", FileInfo(home.uuid, "vm/disk.vmdk").get)
        fails(400, "6684693", FileInfo(home.uuid, "vm").get, length=5)
        fails(400, "262197", FileInfo(home.uuid, "vm/disk.vmdk").get, length=(1 << 20) + 1)
    # Dots and slashes encoded, as the vendor's pages have it.
    encoded = path.replace("/", "%2F").replace(".", "%2E")
    url = f"{URL.geturl()}/api/storage/volumes/{home.uuid}/files/{encoded}?byte_offset=0&length=4"
    request = urllib.request.Request(url, headers={**DATA, "Authorization": header()})
    with urllib.request.urlopen(request) as answer:
        assert b"\r\n\r\nvmdk\r\n--" in answer.read()


def header():
    import base64

    text = f"{os.environ['FAKE_USER']}:{os.environ['FAKE_PASSWORD']}"
    return "Basic " + base64.b64encode(text.encode()).decode()


def file_clone(home, source, to="flr_1.vmdk", **more):
    return FileClone.from_dict(
        {
            "volume": {"name": home.name, "uuid": home.uuid},
            "source_path": source,
            "destination_path": to,
            "autodelete": True,
            **more,
        }
    )


def file_clones():
    home = volume()
    source = "./.snapshot/nightly.0/vm/disk.vmdk"
    with_snapshot = f"{source[2:]}"
    with connect(headers=dict(DATA), **basic()):
        fails(403, "6684685", FileInfo(home.uuid, with_snapshot).get, length=5)
    file_clone(home, source).post()
    assert read_file(home.uuid, "flr_1.vmdk", 0, 100) == b"vmdk before"
    fails(409, "6684689", file_clone(home, source).post)
    fails(404, "6684674", file_clone(home, "./.snapshot/gone/vm/disk.vmdk", "flr_2").post)
    FileInfo(home.uuid, "flr_1.vmdk").delete()
    fails(404, "6684674", FileInfo(home.uuid, "flr_1.vmdk").delete)
    group = volume("group")
    fails(400, "3", file_clone(group, "./.snapshot/a/a", "flr_1").post)
    mirror = volume("mirror")
    fails(403, "6684702", file_clone(mirror, "./.snapshot/nightly.0/a", "flr_1").post)


def file_clone_approvals():
    home = volume()
    source = "./.snapshot/nightly.0/vm/disk.vmdk"
    fails(403, "262328", file_clone(home, source).post)


def flexclone(**more):
    return Volume.from_dict(
        {
            "svm": {"name": "svm1"},
            "name": "flr_1",
            "comment": COMMENT,
            "clone": {
                "is_flexclone": True,
                "parent_volume": {"name": "vol1"},
                "parent_snapshot": {"name": "nightly.1"},
            },
            **more,
        }
    )


def flexclones():
    made = flexclone(nas={"path": "/flr_1"})
    made.post(hydrate=True)
    assert made.state == "online" and made.clone.is_flexclone is True, made
    made.get(fields="clone,nas")
    assert made.clone.parent_snapshot.name == "nightly.1" and made.nas.path == "/flr_1", made
    snapshot = Snapshot.find(volume().uuid, name="nightly.1")
    snapshot.get()
    assert snapshot.owners == ["volume_clone"], snapshot
    fails(409, "1638555", snapshot.delete)
    (lun,) = Lun.get_collection(name="/vol/flr_1/lun0")
    assert read_lun(lun, 0, 5) == IMAGE[:5]
    # It has to be unmounted first.
    found = failing_job(made.delete, force=True)
    assert "mounted" in found, found
    change(made, nas={"path": ""})
    change(made, state="offline")
    made.get(fields="state")
    assert made.state == "offline", made
    made.delete(force=True)
    fails(404, "4", made.get)
    assert Lun.count_collection(name="/vol/flr_1/*") == 0
    # The SnapMirror's destination has clones, too.
    mirrored = flexclone(
        clone={
            "is_flexclone": True,
            "parent_volume": {"name": "mirror"},
            "parent_snapshot": {"name": "nightly.0"},
        }
    )
    mirrored.post()
    mirrored.delete(force=True)


def change(what, **fields):
    changed = Volume(uuid=what.uuid)
    for name, value in fields.items():
        setattr(changed, name, value)
    changed.patch()


def failing_job(call, **parameters):
    try:
        call(**parameters)
    except NetAppRestError as error:
        return str(error)
    raise AssertionError("a job that fails was expected")


def recovery_queue():
    made = flexclone()
    made.post()
    made.delete()
    fails(404, "4", made.get)
    # It is gone, and keeps its snapshot busy.
    snapshot = Snapshot.find(volume().uuid, name="nightly.1")
    fails(409, "1638555", snapshot.delete)
    advance(12 * 3600 + 1)
    snapshot.delete()


def jobs():
    lun = clone()
    answer = lun.post(poll=False)
    assert answer.http_response.status_code == 202, answer.http_response.text
    uuid = answer.http_response.json()["job"]["uuid"]
    job = Job(uuid=uuid)
    job.get()
    assert job.state in ("queued", "running") and job.code == 0, job
    fails(404, "4", lun.get)
    advance(3600)
    job.get()
    assert job.state == "success", job
    lun.get()
    advance(300)
    fails(404, "4", job.get)
    # Whoever waits long enough needs no job.
    answer = lun.delete(poll=False, return_timeout=120)
    assert answer.http_response.status_code == 202
    advance(3601)
    fails(404, "4", lun.get)


def jobs_that_fail():
    found = failing_job(clone().post)
    assert "aborted" in found, found
    assert Lun.count_collection(name="*/flr_*") == 0


def jobs_that_vanish():
    """The job has its effect and is never heard of; the next one never ends."""
    lun = clone()
    answer = lun.post(poll=False)
    job = Job(uuid=answer.http_response.json()["job"]["uuid"])
    fails(404, "4", job.get)
    lun.get()
    answer = lun.delete(poll=False)
    job = Job(uuid=answer.http_response.json()["job"]["uuid"])
    advance(100_000)
    job.get()
    assert job.state == "running", job
    lun.get()
    lun.delete()


def lost():
    """Nobody hears that the clone was made, and that it was deleted."""
    lun = clone()
    broken(lun.post)
    lun = Lun.find(name="/vol/vol1/flr_1")
    lun.get()
    assert lun.comment == COMMENT, lun
    broken(lun.delete)
    fails(404, "4", lun.get)


def broken(call):
    try:
        call()
    except NetAppRestError as error:
        assert error.status_code in (None, 404), error
        return
    raise AssertionError("no answer was expected")


def waited():
    answer = flexclone().post(poll=False, return_timeout=15)
    assert answer.http_response.status_code == 201, answer.http_response.text
    answer = volume("flr_1").delete(poll=False, force=True, return_timeout=15)
    assert answer.http_response.status_code == 200, answer.http_response.text


def roles():
    for wrong in ({"password": "wrong"}, {"username": "nobody"}):
        with connect(**wrong):
            fails(401, "6691623", Cluster().get)
    token = os.environ["FAKE_TOKEN"]
    with connect(headers={"Authorization": f"Bearer {token}"}):
        Cluster().get()
    with connect(headers={"Authorization": f"Bearer {token}x"}):
        fails(401, "6691623", Cluster().get)
    with connect(username="reader", password="reads"):
        lun = Lun.find(name="/vol/vol1/lun0")
        lun.get()
        fails(403, "6", clone().post)
        fails(403, "6", lambda: list(Snapshot.get_collection(volume().uuid)))
    with connect(username="of_svm2", password="reads"):
        assert [one.name for one in Volume.get_collection()] == ["other"]
        assert list(Lun.get_collection()) == []


def approvals():
    lun = clone()
    lun.post()
    answer = lun.delete(poll=False)
    assert answer.http_response.status_code == 202 and not answer.is_job, answer
    place = answer.http_response.headers["Location"]
    assert place == "/api/security/multi-admin-verify/requests/1", place
    lun.get()
    request = MultiAdminVerifyRequest(index=1)
    request.get()
    assert request.state == "pending", request


def approved():
    lun = Lun.find(name="/vol/vol1/flr_1")
    lun.delete()
    fails(404, "4", lun.get)


def san():
    group = Igroup.from_dict(
        {
            "svm": {"name": "svm1"},
            "name": "flr_1",
            "os_type": "linux",
            "protocol": "iscsi",
            "initiators": [{"name": "iqn.1994-05.com.example:1"}],
            "delete_on_unmap": True,
        }
    )
    group.post(hydrate=True)
    assert group.delete_on_unmap is True, group
    lun = clone()
    lun.post()
    mapped = LunMap.from_dict(
        {"svm": {"name": "svm1"}, "lun": {"name": lun.name}, "igroup": {"name": "flr_1"}}
    )
    mapped.post()
    fails(400, "1254197", lun.delete)
    lun.get(fields="lun_maps,status.mapped")
    assert lun.status.mapped is True and lun.lun_maps[0].igroup.name == "flr_1", lun
    LunMap(**{"lun.uuid": lun.uuid, "igroup.uuid": group.uuid}).delete()
    fails(404, "5374852", group.get)
    lun.delete()


def written():
    lun = Lun.find(name="/vol/vol1/lun0")
    lun.patch(data="new", **{"data.offset": 2})
    assert read_lun(lun, 0, 6) == b"LInewI"
    lun.comment = "changed"
    lun.patch()
    lun.get()
    assert lun.comment == "changed", lun


def encrypted():
    with connect():
        Cluster().get()
    with connect(cert=os.environ["FAKE_CERT"], key=os.environ["FAKE_KEY"]):
        lun = Lun.find(name="/vol/vol1/lun0")
        lun.get()
    with connect(cert=os.environ["FAKE_OTHER_CERT"], key=os.environ["FAKE_OTHER_KEY"]):
        fails(401, "6691623", Cluster().get)


def old():
    """9.8 reads no data of LUNs, and has no way past the recovery queue."""
    lun = clone()
    lun.post()
    with connect(headers=dict(DATA), **basic()):
        part = Lun(uuid=lun.uuid)
        fails(400, "262179", part.get, **{"data.offset": 0, "data.size": 512})
    lun.delete()
    made = flexclone()
    made.post()
    fails(400, "262179", made.delete, force=True)
    made.delete()
    advance(12 * 3600 + 1)


def rotated():
    """The snapshots rotate while one of them is read."""
    home = volume()
    before = {one.name: one.uuid for one in Snapshot.get_collection(home.uuid)}
    path = ".snapshot/nightly.0/vm/disk.vmdk"
    assert read_file(home.uuid, path, 0, 100) == b"vmdk before"
    # The same path is another snapshot now.
    assert read_file(home.uuid, path, 0, 100) == b"vmdk after!"
    after = {one.name: one.uuid for one in Snapshot.get_collection(home.uuid)}
    assert set(after) == {"nightly.0", "nightly.1", "nightly.2"}, after
    assert after["nightly.1"] == before["nightly.0"], (before, after)
    assert after["nightly.2"] == before["nightly.1"], (before, after)


def stale():
    lun = clone()
    lun.post()
    fails(404, "4", lun.get)
    assert list(Lun.get_collection(name="*/flr_*")) == []
    assert read_lun(lun, 0, 5) == IMAGE[:5]
    advance(61)
    lun.get()
    lun.delete()
    lun.get()
    advance(61)
    fails(404, "4", lun.get)


def below_refused():
    home = volume()
    fails(403, "6684685", lambda: list(FileInfo.get_collection(home.uuid, ".snapshot")))


def below_nothing():
    home = volume()
    fails(404, "6684674", lambda: list(FileInfo.get_collection(home.uuid, ".snapshot")))


def no_space():
    fails(400, "5242886", clone().post)


def disaggregated():
    found = Cluster()
    found.get(fields="disaggregated")
    assert found.disaggregated is True, found
    found = fails(400, "262196", clone().post)
    assert found["target"] == "clone", found


def approval_refused():
    lun = clone()
    lun.post()
    found = fails(403, "262328", lun.delete)
    assert "(index 1) requires approval" in found["message"], found
    found = fails(403, "262328", lun.delete)
    assert "(index 1) is pending" in found["message"], found


def forbidden():
    """What is noted by what it is; the stand-in does it all the same."""
    home = Volume(uuid=volume().uuid)
    home.patch(**{"restore_to.snapshot.name": "nightly.0"})
    Lun.find(name="/vol/many/many_00").delete()
    unmarked = Lun.from_dict(
        {
            "svm": {"name": "svm1"},
            "name": "/vol/vol1/flr_1",
            "clone": {"source": {"name": "/vol/vol1/.snapshot/nightly.0/lun0"}},
        }
    )
    unmarked.post()
    unmarked.delete()
    url = f"{URL.geturl()}/api/storage/luns"
    connect().session.get(url, params={"comment": os.environ["FAKE_PASSWORD"]})
    FileInfo(home.uuid, "vm/link").delete()


def main():
    config.CONNECTION = None
    with connect():
        globals()[sys.argv[1]]()


main()
