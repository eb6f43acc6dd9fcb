//! The guest's `/etc/fstab`: what is mounted where.
//!
//! Source: fstab(5) of util-linux. Six fields separated by blanks; blanks inside of a field are
//! written in octal (`\040`). Only what a boot would mount matters here.

/// One line that a boot would mount, or would try to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is mounted.
    pub device: Device,
    /// Where, absolute.
    pub mount_point: Vec<u8>,
    /// Filesystem type as written.
    pub kind: Vec<u8>,
    /// The device as written, for messages.
    pub spelled: Vec<u8>,
}

/// How a line names its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// UUID of the filesystem.
    Uuid(Vec<u8>),
    /// Label of the filesystem.
    Label(Vec<u8>),
    /// UUID of the partition.
    PartUuid(Vec<u8>),
    /// Name of the partition.
    PartLabel(Vec<u8>),
    /// A disk by its letter or number, counted from 0, and a partition of it.
    Partition {
        /// 0 for `sda`, `vda`, `nvme0n1`.
        disk: usize,
        /// 1 for `sda1`, `nvme0n1p1`.
        number: u32,
    },
    /// A bind mount of a directory.
    Bind {
        /// Whether what is mounted below the directory comes along.
        recursive: bool,
    },
    /// Something else below `/dev`: a logical volume, a by-id link.
    Other,
}

/// Types that hold nothing which a disk keeps, or that come over a network.
const NOT_ON_DISK: &[&[u8]] = &[
    b"swap",
    b"proc",
    b"sysfs",
    b"tmpfs",
    b"devtmpfs",
    b"devpts",
    b"cgroup",
    b"cgroup2",
    b"debugfs",
    b"tracefs",
    b"securityfs",
    b"hugetlbfs",
    b"mqueue",
    b"configfs",
    b"efivarfs",
    b"ramfs",
    b"none",
    b"nfs",
    b"nfs4",
    b"cifs",
    b"smb3",
    b"smbfs",
    b"9p",
    b"virtiofs",
    b"ceph",
    b"glusterfs",
    b"fuse",
    b"overlay",
    b"ignore",
];

/// The lines that mount something from a disk, in an order in which every mount point exists when its
/// turn comes: bind mounts last, since they show what the others mount.
#[must_use]
pub fn parse(text: &[u8]) -> Vec<Entry> {
    let mut entries: Vec<_> = text
        .split(|byte| *byte == b'\n')
        .filter_map(entry)
        .collect();
    entries.sort_by_key(|entry| {
        let is_bind = matches!(entry.device, Device::Bind { .. });
        let slashes = entry.mount_point.iter().filter(|byte| **byte == b'/');
        (is_bind, slashes.count())
    });
    entries
}

fn entry(line: &[u8]) -> Option<Entry> {
    let mut fields = line
        .split(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        .filter(|field| !field.is_empty())
        .map(unescape);
    let spelled = fields.next().filter(|spec| !spec.starts_with(b"#"))?;
    let mount_point = fields.next()?;
    let kind = fields.next().unwrap_or_default();
    let options = fields.next().unwrap_or_default();
    let has = |option: &[u8]| options.split(|byte| *byte == b',').any(|one| one == option);
    let base = kind.split(|byte| *byte == b'.').next().unwrap_or_default();
    let skipped = NOT_ON_DISK.contains(&base) && !has(b"bind") && !has(b"rbind");
    if !mount_point.starts_with(b"/") || mount_point == b"/" || skipped || has(b"noauto") {
        return None;
    }
    let device = if has(b"bind") || has(b"rbind") {
        let recursive = has(b"rbind");
        Device::Bind { recursive }
    } else {
        device(&spelled)?
    };
    Some(Entry {
        device,
        mount_point,
        kind,
        spelled,
    })
}

/// How the device is named; `None` if it is not a device at all.
fn device(spec: &[u8]) -> Option<Device> {
    type Make = fn(Vec<u8>) -> Device;
    let tagged: [(&[u8], Make); 8] = [
        (b"UUID=", Device::Uuid),
        (b"LABEL=", Device::Label),
        (b"PARTUUID=", Device::PartUuid),
        (b"PARTLABEL=", Device::PartLabel),
        (b"/dev/disk/by-uuid/", Device::Uuid),
        (b"/dev/disk/by-label/", Device::Label),
        (b"/dev/disk/by-partuuid/", Device::PartUuid),
        (b"/dev/disk/by-partlabel/", Device::PartLabel),
    ];
    for (prefix, make) in tagged {
        if let Some(value) = spec.strip_prefix(prefix) {
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            return Some(make(value.strip_suffix(b"\"").unwrap_or(value).to_vec()));
        }
    }
    let name = spec.strip_prefix(b"/dev/")?;
    Some(partition(name).unwrap_or(Device::Other))
}

/// `sda1`, `vdb2`, `xvda1`, `hda1`, `nvme0n1p1`, `mmcblk0p1`.
fn partition(name: &[u8]) -> Option<Device> {
    let name = str::from_utf8(name).ok()?;
    for prefix in ["sd", "vd", "xvd", "hd"] {
        let Some(rest) = name.strip_prefix(prefix) else {
            continue;
        };
        let letter = rest.bytes().next().filter(u8::is_ascii_lowercase)?;
        let disk = usize::from(letter.checked_sub(b'a')?);
        return Some(Device::Partition {
            disk,
            number: rest.get(1..)?.parse().ok()?,
        });
    }
    let (disk, number) = if let Some(rest) = name.strip_prefix("nvme") {
        let (disk, rest) = rest.split_once('n')?;
        (disk, rest.split_once('p')?.1)
    } else {
        name.strip_prefix("mmcblk")?.split_once('p')?
    };
    Some(Device::Partition {
        disk: disk.parse().ok()?,
        number: number.parse().ok()?,
    })
}

/// Undoes the octal escapes of a field.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut left = field;
    while let Some((byte, rest)) = left.split_first() {
        left = rest;
        if *byte == b'\\'
            && let Some(([a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'], rest)) =
                rest.split_first_chunk::<3>()
        {
            out.push(((a & 3) << 6) | ((b & 7) << 3) | (c & 7));
            left = rest;
            continue;
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_boot_mounts() {
        let text = br#"
# comment
UUID=aaaa-1 / ext4 errors=remount-ro 0 1
LABEL="my data" /not/a/blank/in/quotes ext4 defaults 0 2
LABEL=my\040data	/srv\040x	ext4
PARTUUID=12-02 /boot ext4 defaults
/dev/sdb3 /data xfs defaults
/dev/nvme1n1p2 /nv ext4 defaults
/dev/mapper/vg-lv /var ext4 defaults
/dev/disk/by-uuid/bbbb /home ext4 defaults
/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0
/swap.img none swap sw 0 0
proc /proc proc defaults
srv:/x /net nfs defaults
/srv /export none bind
fuse#thing /f fuse.sshfs defaults
tmpfs /tmp tmpfs
"#;
        let got: Vec<_> = parse(text)
            .into_iter()
            .map(|e| (String::from_utf8(e.mount_point).unwrap(), e.device))
            .collect();
        let expected = [
            ("/srv x", Device::Label(b"my data".to_vec())),
            ("/boot", Device::PartUuid(b"12-02".to_vec())),
            ("/data", Device::Partition { disk: 1, number: 3 }),
            ("/nv", Device::Partition { disk: 1, number: 2 }),
            ("/var", Device::Other),
            ("/home", Device::Uuid(b"bbbb".to_vec())),
            ("/export", Device::Bind { recursive: false }),
        ]
        .map(|(path, device)| (path.to_owned(), device));
        assert_eq!(got, expected);
    }

    #[test]
    fn escapes_that_are_none_stay() {
        assert_eq!(unescape(br"a\040b\9\04"), br"a b\9\04");
    }
}
