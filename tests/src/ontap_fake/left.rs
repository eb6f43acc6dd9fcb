//! What is left behind.

use super::files::base;
use super::state::State;

impl State {
    /// Everything there that has our names, or was made through the interface, also what can be had back.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let is_ours = |name: &str, id: &str| name.starts_with("flr_") || self.made.contains(id);
        let mut left = Vec::new();
        for lun in self.luns.values() {
            if is_ours(base(&lun.path), &lun.uuid) {
                left.push(format!("LUN {} ({})", self.name_of(lun), lun.uuid));
            }
        }
        for volume in self.volumes.values() {
            if is_ours(&volume.name, &volume.uuid) {
                left.push(format!("volume {} ({})", volume.name, volume.uuid));
            }
            for path in volume.files.paths() {
                if is_ours(base(path), &format!("{}/{path}", volume.uuid)) {
                    left.push(format!("file {path} of volume {}", volume.name));
                }
            }
        }
        for deleted in &self.recovery_queue {
            let volume = &deleted.volume;
            if is_ours(&volume.name, &volume.uuid) {
                left.push(format!("volume {} in the recovery queue", volume.name));
            }
        }
        for group in self.igroups.values() {
            if is_ours(&group.name, &group.uuid) {
                left.push(format!("initiator group {}", group.name));
            }
        }
        for map in &self.maps {
            let lun = self.luns.get(&map.lun);
            if lun.is_some_and(|lun| is_ours(base(&lun.path), &lun.uuid)) {
                left.push(format!("map of LUN {}", map.lun));
            }
        }
        left
    }

    /// What was done that must never be done, so far; it is forgotten.
    #[must_use]
    pub fn take_violations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }

    /// What was done that must never be done, so far.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }
}
