"""Fills a mounted filesystem with one of everything that an archive may lose.

    fill.py everything DIR      names, links, owners, ACLs, attributes, holes, devices, times
    fill.py many DIR DIRS FILES so many directories with so many empty files each
    fill.py change DIR          the changes that a comparison must find, on a tree made by `base`
    fill.py base DIR
"""
import os
import struct
import subprocess
import sys

os.umask(0)
what, top = sys.argv[1], os.fsencode(sys.argv[2])
NS = 1_000_000_000
DAY = 1_700_000_000 * NS


def path(name):
    return os.path.join(top, name if isinstance(name, bytes) else name.encode())


def write(name, content=b"", mode=0o644):
    fd = os.open(path(name), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    os.write(fd, content)
    os.close(fd)


def touch_all():
    for folder, dirs, files in os.walk(top, topdown=False):
        for index, name in enumerate(sorted(files + dirs)):
            if name.startswith(b"time-"):
                continue
            at = DAY + index * NS + 123_456_789
            os.utime(os.path.join(folder, name), ns=(at, at), follow_symlinks=False)


def acl(*entries):
    packed = struct.pack("<I", 2)
    for tag, permissions, number in entries:
        packed += struct.pack("<HHI", tag, permissions, number)
    return packed


def names():
    os.mkdir(path("names"))
    for name in [b"n" * 255, b"latin-\xe9", "ü木".encode(), b"line\nbreak", b"a=b%c", b" blank ", b"-dash", b"back\\slash"]:
        write(b"names/" + name, name)
    # Folders and name fit into a header; the same one byte longer; a path of more than 1000 bytes.
    deep = b"names/" + b"p" * 149
    os.mkdir(path(deep))
    for length in (99, 100, 101):
        write(deep + b"/" + b"q" * length, b"deep")
    for letter in b"uvwx":
        deep += b"/" + bytes([letter]) * 250
        os.mkdir(path(deep))
    write(deep + b"/\xff" + b"z" * 200, b"deepest")
    os.link(path(deep + b"/\xff" + b"z" * 200), path("names/link-to-the-deepest"))
    os.symlink(b"t" * 100, path("names/target-100"))
    os.symlink(b"t" * 101, path("names/target-101"))
    os.symlink(b"/" + b"\xfe" * 2000, path("names/target-binary"))


def owners():
    os.mkdir(path("etc"))
    long = "a-user-whose-name-is-longer-than-the-field-of-tar"
    write("etc/passwd", f"root:x:0:0::/:\nbob:x:1000:1000::/:\n{long}:x:3:3::/:\n".encode())
    write("etc/group", b"root:x:0:\nstaff:x:50:bob\n")
    for uid, gid in [(0, 0), (1000, 50), (3, 3), (2_097_151, 2_097_152), (4_294_967_294, 4_000_000_000)]:
        write(f"owned-{uid}", b"x")
        os.chown(path(f"owned-{uid}"), uid, gid)
        os.chmod(path(f"owned-{uid}"), 0o4751)
    os.mkdir(path("sticky"))
    os.chmod(path("sticky"), 0o3777)
    os.mkdir(path("closed"))
    write("closed/inside", b"x")
    os.chmod(path("closed"), 0o500)


def attributes():
    write("attributes", b"x")
    for name, value in [("user.text", b"value"), ("user.empty", b""), ("user.a=b%c", b"\0\xff\n="), ("trusted.t", b"t"), ("security.selinux", b"system_u:object_r:etc_t:s0\0")]:
        os.setxattr(path("attributes"), name, value)
    os.setxattr(path("attributes"), "user.large", os.urandom(40_000))
    write("capable", b"x", 0o755)
    os.setxattr(path("capable"), "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    none = 0xFFFFFFFF
    access = acl((1, 6, none), (2, 7, 1000), (2, 4, 2_100_000), (4, 4, none), (8, 5, 50), (16, 7, none), (32, 0, none))
    write("with-acl", b"x")
    os.setxattr(path("with-acl"), "system.posix_acl_access", access)
    os.mkdir(path("with-default-acl"))
    os.setxattr(path("with-default-acl"), "system.posix_acl_default", access)


def holes():
    for name, size, runs in [
        ("hole-whole", 1 << 33, []),
        ("hole-start", 1 << 20, [(1 << 20) - 4096]),
        ("hole-end", 10_000_000, [0]),
        ("hole-small", 40_000, [8192]),
        ("hole-many", 40_000_000, list(range(0, 40_000_000, 65536))),
        ("hole-far", (5 << 30) + 1, [0, 3 << 20, 5 << 30]),
        ("hole-" + "l" * 120, 1 << 20, [4096]),
    ]:
        fd = os.open(path(name), os.O_CREAT | os.O_WRONLY, 0o644)
        for at in runs:
            os.pwrite(fd, b"x" * min(4096, size - at), at)
        os.truncate(fd, size)
        os.close(fd)


def nodes():
    for number, length in enumerate([0, 1, 511, 512, 513, 1 << 20, (1 << 20) + 1, 3_000_000]):
        write(f"size-{length}", os.urandom(length))
    for number in range(3):
        os.link(path("size-513"), path(f"link-{number}"))
    os.mknod(path("fifo"), 0o010644)
    os.mknod(path("char"), 0o020600, os.makedev(1, 3))
    os.mknod(path("block"), 0o060660, os.makedev(259, 1_048_575))
    os.mknod(path("socket"), 0o140755)
    os.symlink("size-1", path("symlink"))
    for at in [-1, -NS, -NS // 2, 0, 1, -(1 << 31) * NS + 5, (1 << 31) * NS + 7, 14_000_000_000 * NS + 999_999_999]:
        write(f"time-{at}", b"x")
        os.utime(path(f"time-{at}"), ns=(at, at))


def base():
    for folder in ["same", "goes", "goes/deep", "becomes-file", "moves"]:
        os.mkdir(path(folder))
    for number in range(20):
        write(f"same/{number}", b"s" * number * 1000)
    for name in ["gone", "goes/a", "goes/deep/b", "longer", "edited", "edited-in-secret", "mode", "owner", "attribute", "touched", "becomes-dir", "becomes-file/x", "moves/from", "line\nbreak", "goes/\xe9"]:
        write(name, b"content of " + name.encode("utf-8", "surrogateescape"))
    os.symlink("old", path("link"))
    fd = os.open(path("sparse"), os.O_CREAT | os.O_WRONLY, 0o644)
    os.pwrite(fd, b"x", 1 << 30)
    os.close(fd)
    touch_all()


def change():
    def keeping_times(name, act):
        old = os.stat(path(name))
        act()
        os.utime(path(name), ns=(old.st_atime_ns, old.st_mtime_ns))

    os.unlink(path("gone"))
    subprocess.run(["rm", "-r", path("goes")], check=True)
    write("new", b"new")
    os.makedirs(path("new-dir/deep"))
    write("new-dir/deep/c", b"c")
    keeping_times("longer", lambda: write("longer", b"longer than what it was before"))
    write("edited", b"CONTENT of edited")
    keeping_times("edited-in-secret", lambda: write("edited-in-secret", b"CONTENT of edited-in-secret"))
    os.chmod(path("mode"), 0o600)
    os.chown(path("owner"), 7, 8)
    os.setxattr(path("attribute"), "user.new", b"value")
    os.utime(path("touched"), ns=(DAY, DAY))
    os.unlink(path("becomes-dir"))
    os.mkdir(path("becomes-dir"))
    write("becomes-dir/y", b"y")
    subprocess.run(["rm", "-r", path("becomes-file")], check=True)
    write("becomes-file", b"x")
    os.rename(path("moves/from"), path("moves/to"))
    os.unlink(path("link"))
    os.symlink("new", path("link"))
    fd = os.open(path("sparse"), os.O_WRONLY)
    os.pwrite(fd, b"y", 1 << 29)
    os.close(fd)


if what == "everything":
    for part in [names, owners, attributes, holes, nodes]:
        part()
    touch_all()
elif what == "many":
    os.mkdir(top)
    for folder in range(int(sys.argv[3])):
        os.mkdir(path(f"d{folder}"))
        for number in range(int(sys.argv[4])):
            os.mknod(path(f"d{folder}/file-{number}"), 0o100644)
elif what == "base":
    base()
elif what == "change":
    change()
