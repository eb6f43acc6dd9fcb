//! Devices of a made-up machine.

use super::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

const ID: &str = "vol-0123456789abcdef0";
const SERIAL: &str = "vol0123456789abcdef0";
const SIZE: u64 = 1 << 20;
const MODEL: &str = "Amazon Elastic Block Store";
const FAMILY: &Family = &crate::aws::DEVICES;

struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(machine.path("dev/disk/by-id")).unwrap();
        fs::create_dir_all(machine.path("sys/block")).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn device(&self, name: &str, serial: &str, size: u64) {
        self.device_with(name, "device/serial", serial, size);
    }

    #[expect(clippy::disallowed_methods, reason = "a made-up machine")]
    fn device_with(&self, name: &str, file: &str, serial: &str, size: u64) {
        let device = fs::File::create(self.path("dev").join(name)).unwrap();
        device.set_len(size).unwrap();
        let sys = self.path("sys/block").join(name);
        fs::create_dir_all(sys.join("device")).unwrap();
        fs::write(sys.join(file), format!("{serial}\n")).unwrap();
        fs::write(sys.join("device/model"), format!("{MODEL:<40}\n")).unwrap();
    }

    fn link(&self, to: &str) {
        let link = format!("dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{SERIAL}");
        symlink(to, self.path(&link)).unwrap();
    }

    fn open(&self, limit: Duration) -> Result<FileSource> {
        self.open_as(None, limit)
    }

    fn open_as(&self, name: Option<&str>, limit: Duration) -> Result<FileSource> {
        let wanted = Wanted {
            volume_id: ID,
            serial: SERIAL,
            size: SIZE,
            name,
        };
        Devices::below(FAMILY, self.0.path()).open(wanted, limit, || Ok(()))
    }

    fn refusal(&self) -> String {
        self.open(Duration::ZERO).unwrap_err().to_string()
    }
}

#[test]
fn by_its_link() {
    let machine = Machine::new();
    machine.device("nvme1n1", SERIAL, SIZE);
    machine.link("../../nvme1n1");
    let source = machine.open(Duration::ZERO).unwrap();
    assert_eq!(source.path(), machine.path("dev/nvme1n1"));
}

#[test]
fn a_link_is_that_of_the_machine_whose_root_it_is() {
    let machine = Machine::new();
    machine.device("nvme1n1", SERIAL, SIZE);
    machine.link("/dev/nvme1n1");
    let source = machine.open(Duration::ZERO).unwrap();
    assert_eq!(source.path(), machine.path("dev/nvme1n1"));
}

#[test]
fn by_its_serial_number_where_nobody_makes_links() {
    let machine = Machine::new();
    machine.device("nvme0n1", "vol0fffffffffffffff0", SIZE);
    machine.device("nvme7n1", SERIAL, SIZE);
    let source = machine.open(Duration::ZERO).unwrap();
    assert_eq!(source.path(), machine.path("dev/nvme7n1"));
}

#[test]
fn a_link_to_another_volume_is_not_followed() {
    let machine = Machine::new();
    machine.device("nvme1n1", "vol0fffffffffffffff0", SIZE);
    machine.link("../../nvme1n1");
    assert!(machine.refusal().contains("did not appear"));
    // The right one, which the link does not lead to.
    machine.device("nvme2n1", SERIAL, SIZE);
    let source = machine.open(Duration::ZERO).unwrap();
    assert_eq!(source.path(), machine.path("dev/nvme2n1"));
}

#[test]
fn a_device_of_another_size_is_refused() {
    let machine = Machine::new();
    machine.device("nvme1n1", SERIAL, SIZE + 512);
    assert!(machine.refusal().contains("has 1049088 bytes, not 1048576"));
}

#[test]
fn a_link_leads_nowhere_outside() {
    let machine = Machine::new();
    machine.link("../../../../../../etc/passwd");
    assert!(machine.refusal().contains("did not appear"));
    let machine = Machine::new();
    machine.link(&format!("nvme-Amazon_Elastic_Block_Store_{SERIAL}"));
    assert!(machine.refusal().contains("did not appear"));
}

#[test]
fn by_name_only_where_no_volume_has_a_serial_number() {
    let machine = Machine::new();
    machine.device("xvdba", "", SIZE);
    let source = machine.open_as(Some("/dev/xvdba"), Duration::ZERO).unwrap();
    assert_eq!(source.path(), machine.path("dev/xvdba"));
    assert!(machine.open_as(Some("/dev/../x"), Duration::ZERO).is_err());
    machine.device("nvme0n1", "vol0fffffffffffffff0", SIZE);
    assert!(machine.open_as(Some("/dev/xvdba"), Duration::ZERO).is_err());
}

#[test]
fn it_is_waited_for_and_the_wait_can_be_ended() {
    let machine = Machine::new();
    std::thread::scope(|scope| {
        let opened = scope.spawn(|| machine.open(Duration::from_secs(20)));
        std::thread::sleep(LOOK_GAP * 3);
        machine.device("nvme1n1", SERIAL, SIZE);
        // Seen before it was complete, it is refused, and looked at once more.
        opened.join().unwrap().unwrap();
    });
    let machine = Machine::new();
    let wanted = Wanted {
        volume_id: ID,
        serial: SERIAL,
        size: SIZE,
        name: None,
    };
    let stop = || Err(Error::Engine(crate::engine::Error::Interrupted));
    let ended = Devices::below(FAMILY, machine.0.path()).open(wanted, APPEAR_LIMIT, stop);
    assert!(matches!(ended, Err(Error::Engine(_))));
}

/// Disks of Alibaba Cloud, whose serial numbers stand elsewhere.
#[test]
fn by_the_serial_number_of_virtio_and_nvme() {
    const SERIAL: &str = "bp67acfmxazb4p4fsnk1";
    for (name, file, link) in [
        ("vdb", "serial", "virtio-bp67acfmxazb4p4fsnk1"),
        (
            "nvme1n1",
            "device/serial",
            "nvme-Alibaba_Cloud_Elastic_Block_Storage_bp67acfmxazb4p4fsnk1",
        ),
    ] {
        for linked in [false, true] {
            let machine = Machine::new();
            machine.device_with(name, file, SERIAL, SIZE);
            machine.device_with("vda", "serial", "bp60000000000000000a", SIZE);
            if linked {
                let link = machine.path("dev/disk/by-id").join(link);
                symlink(format!("../../{name}"), link).unwrap();
            }
            let wanted = Wanted {
                volume_id: "d-bp67acfmxazb4p4fsnk1",
                serial: SERIAL,
                size: SIZE,
                name: Some("/dev/xvdb"),
            };
            let devices = Devices::below(&crate::ecs::DEVICES, machine.0.path());
            let source = devices.open(wanted, Duration::ZERO, || Ok(())).unwrap();
            assert_eq!(source.path(), machine.path("dev").join(name));
            let other = Wanted {
                serial: "bp67acfmxazb4p4fsnk2",
                ..wanted
            };
            assert!(devices.open(other, Duration::ZERO, || Ok(())).is_err());
            let senseless = Wanted {
                serial: "../../etc",
                ..wanted
            };
            assert!(devices.open(senseless, Duration::ZERO, || Ok(())).is_err());
        }
    }
}
