//! Who gets which drive letter: what the registry says, and what Windows would do where it says
//! nothing.

use super::mounted_devices::{Mapping, Name};
use std::collections::{BTreeMap, BTreeSet};

/// A volume that may have a letter.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its address, for messages.
    pub(super) address: String,
    /// PARTUUID.
    pub(super) partuuid: Option<String>,
    /// Offset on its disk, in bytes.
    pub(super) start: Option<u64>,
    /// Number of its disk.
    pub(super) disk: usize,
    /// Whether Windows gives a letter to a volume of this sort that it sees for the first time.
    pub(super) takes_letter: bool,
}

/// What stands behind a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Drive {
    /// The candidate with this index.
    Volume(usize),
    /// What these words name, which is not there.
    Absent(String),
}

/// All letters.
#[derive(Debug, Default)]
pub(super) struct Letters {
    /// By letter.
    pub(super) drives: BTreeMap<char, Drive>,
    /// `Volume{GUID}` of candidates.
    pub(super) volumes: Vec<(String, usize)>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

/// Gives letters to `candidates`, of which `system` holds Windows. `mapped`: what the registry says;
/// without it, letters are given in order.
pub(super) fn assign(
    candidates: &[Candidate],
    system: usize,
    mapped: Option<&[Mapping]>,
) -> Letters {
    let mut letters = Letters::default();
    let known = letters.follow(candidates, system, mapped.unwrap_or_default());
    letters.give_to_system(candidates, system, mapped.is_some());
    for (index, candidate) in candidates.iter().enumerate() {
        let is_new = candidate.takes_letter && index != system && !known.contains(&index);
        if is_new {
            letters.give_next(index, candidate, mapped.is_some());
        }
    }
    letters
}

impl Letters {
    /// Takes over what the registry says, and returns the candidates it knows.
    fn follow(
        &mut self,
        candidates: &[Candidate],
        system: usize,
        mapped: &[Mapping],
    ) -> BTreeSet<usize> {
        let own_disk = candidates.get(system).map(|candidate| candidate.disk);
        let mut known = BTreeSet::new();
        for Mapping { name, device } in mapped {
            let is_meant = |candidate: &Candidate| {
                (
                    device.is(candidate.partuuid.as_deref(), candidate.start),
                    candidate.disk,
                )
            };
            let found = candidates.iter().map(is_meant).enumerate();
            let found = found.filter(|(_, (is_meant, _))| *is_meant);
            let found: Vec<_> = found.map(|(index, (_, disk))| (index, disk)).collect();
            // The copy of a disk beside it has the same numbers.
            let near = found.iter().find(|(_, disk)| Some(*disk) == own_disk);
            let index = near.or(found.first()).map(|(index, _)| *index);
            known.extend(found.iter().map(|(index, _)| *index));
            match (name, index) {
                (Name::Letter(letter), Some(index)) => {
                    if found.len() > 1 {
                        let address = address(candidates, index);
                        self.notes.push(format!(
                            "{letter}: is {address}; the registry's words fit another volume as well"
                        ));
                    }
                    self.drives.insert(*letter, Drive::Volume(index));
                }
                (Name::Letter(letter), None) => {
                    self.drives.insert(*letter, Drive::Absent(device.words()));
                }
                (Name::Volume(name), Some(index)) => self.volumes.push((name.clone(), index)),
                (Name::Volume(_), None) => {}
            }
        }
        known
    }

    /// The volume with Windows has its own letter, or C.
    fn give_to_system(&mut self, candidates: &[Candidate], system: usize, is_read: bool) {
        let has_letter = |drive: &Drive| *drive == Drive::Volume(system);
        if self.drives.values().any(has_letter) {
            return;
        }
        let address = address(candidates, system);
        let letter = match self.drives.get(&'C') {
            Some(Drive::Volume(_)) => self.free('D'),
            Some(Drive::Absent(_)) | None => Some('C'),
        };
        let Some(letter) = letter else {
            self.notes.push(format!("no letter is left for {address}"));
            return;
        };
        if is_read {
            self.notes.push(format!(
                "the registry gives no letter to {address}, which holds Windows: it is shown as {letter}:"
            ));
        }
        self.drives.insert(letter, Drive::Volume(system));
    }

    /// The next letter for a volume that the registry does not know.
    fn give_next(&mut self, index: usize, candidate: &Candidate, is_read: bool) {
        let address = &candidate.address;
        let Some(letter) = self.free('D') else {
            self.notes.push(format!("no letter is left for {address}"));
            return;
        };
        if is_read {
            self.notes.push(format!(
                "the registry does not know {address}: it is shown as {letter}:"
            ));
        }
        self.drives.insert(letter, Drive::Volume(index));
    }

    fn free(&self, first: char) -> Option<char> {
        (first..='Z').find(|letter| !self.drives.contains_key(letter))
    }
}

fn address(candidates: &[Candidate], index: usize) -> &str {
    candidates
        .get(index)
        .map_or("", |candidate| &candidate.address)
}

#[cfg(test)]
mod tests {
    use super::super::mounted_devices::Device;
    use super::*;

    /// Partitions of the disk `a5a5a5a5`, a megabyte each; `!`: no letter for the like of it.
    fn candidates(addresses: &[&str]) -> Vec<Candidate> {
        let candidate = |(index, address): (usize, &&str)| Candidate {
            address: address.trim_matches('!').to_owned(),
            partuuid: Some(format!("a5a5a5a5-{index:02x}")),
            start: u64::try_from(index).ok().map(|index| index << 20),
            disk: 0,
            takes_letter: !address.ends_with('!'),
        };
        addresses.iter().enumerate().map(candidate).collect()
    }

    /// `C1`: C is the second partition; `-1`: the registry knows it without a letter.
    fn mapped(words: &str) -> Vec<Mapping> {
        let one = |word: &str| {
            let mut chars = word.chars();
            let name = match chars.next().unwrap() {
                '-' => Name::Volume("Volume{x}".into()),
                letter => Name::Letter(letter),
            };
            let offset = u64::from(chars.next().unwrap().to_digit(10).unwrap()) << 20;
            let signature = 0xa5a5_a5a5;
            let device = Device::Mbr { signature, offset };
            Mapping { name, device }
        };
        words.split_whitespace().map(one).collect()
    }

    fn shown(letters: &Letters) -> String {
        let drives = letters.drives.iter().map(|(letter, drive)| match drive {
            Drive::Volume(index) => format!("{letter}{index}"),
            Drive::Absent(_) => format!("{letter}?"),
        });
        drives.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_registry_decides() {
        let all = candidates(&["reserved", "windows", "data"]);
        for (says, expected, notes) in [
            ("C1 E2 -0", "C1 E2", 0),
            // Windows on another letter than C.
            ("X1 C2 -0", "C2 X1", 0),
            // One volume under two letters.
            ("C1 D2 E2 -0", "C1 D2 E2", 0),
            // A disk that is not there.
            ("C1 D2 E9 -0", "C1 D2 E?", 0),
            // A volume that Windows has not seen yet.
            ("C1 -0", "C1 D2", 1),
            ("C1 D9 -0", "C1 D? E2", 1),
            // Windows itself is not named: a disk that was copied.
            ("D2 -0", "C1 D2", 1),
            ("C9 D2 -0", "C1 D2", 1),
            ("C2 -0", "C2 D1", 1),
        ] {
            let letters = assign(&all, 1, Some(&mapped(says)));
            assert_eq!(shown(&letters), expected, "{says}");
            assert_eq!(letters.notes.len(), notes, "{says}: {:?}", letters.notes);
        }
    }

    #[test]
    fn without_the_registry_letters_are_given_in_order() {
        let all = candidates(&["efi!", "data", "windows", "recovery!", "more"]);
        let letters = assign(&all, 2, None);
        assert_eq!(shown(&letters), "C2 D1 E4");
        assert!(letters.notes.is_empty(), "said once, by the caller");
    }

    #[test]
    fn letters_end_with_z() {
        let names: Vec<_> = (0..30).map(|index| format!("part/{index}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let letters = assign(&candidates(&names), 0, Some(&[]));
        assert_eq!(letters.drives.len(), 24);
        let told = |note: &&String| note.contains("no letter is left");
        assert_eq!(letters.notes.iter().filter(told).count(), 6);
    }

    #[test]
    fn the_copy_of_a_disk_beside_it_is_told() {
        let mut all = candidates(&["disk/1/part/1", "disk/2/part/1"]);
        all[1] = Candidate {
            address: "disk/2/part/1".into(),
            disk: 1,
            ..all[0].clone()
        };
        let letters = assign(&all, 1, Some(&mapped("C0")));
        assert_eq!(shown(&letters), "C1");
        assert_eq!(letters.notes.len(), 1, "{:?}", letters.notes);
    }
}
