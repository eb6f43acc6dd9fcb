//! Names that volumes are attached under. EC2 wants one, refuses one that is taken, and on most
//! instances it means nothing more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Where each volume's names begin, so that several processes seldom take the same.
#[derive(Debug, Default)]
pub(super) struct DeviceNames {
    /// How many names were given to a volume.
    given: Mutex<BTreeMap<String, usize>>,
}

/// `/dev/xvdba` to `/dev/xvddx`: what EC2 accepts beyond the names that people and images use.
const COUNT: usize = 26 + 26 + 24;

fn name(number: usize) -> String {
    let number = number.checked_rem(COUNT).unwrap_or(0);
    let letter = |from: u8, number: usize| {
        let number = u8::try_from(number).unwrap_or(0);
        char::from(from.saturating_add(number))
    };
    let (first, second) = (number / 26, number % 26);
    format!("/dev/xvd{}{}", letter(b'b', first), letter(b'a', second))
}

impl DeviceNames {
    /// A name for a volume; another one at each call until all were given.
    pub(super) fn next(&self, volume_id: &str) -> String {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let count = given.entry(volume_id.to_owned()).or_default();
        let number = start(volume_id).saturating_add(*count);
        *count = count.saturating_add(1);
        name(number)
    }
}

/// Any number below [`COUNT`], the same for the same volume.
fn start(volume_id: &str) -> usize {
    let mix = |sum: usize, byte: u8| sum.wrapping_mul(31).wrapping_add(usize::from(byte));
    let sum = volume_id.bytes().fold(0, mix);
    sum.checked_rem(COUNT).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_those_that_ec2_takes_and_come_around() {
        assert_eq!(
            (name(0), name(25)),
            ("/dev/xvdba".into(), "/dev/xvdbz".into())
        );
        assert_eq!(
            (name(26), name(75)),
            ("/dev/xvdca".into(), "/dev/xvddx".into())
        );
        let names = DeviceNames::default();
        let first = names.next("vol-1");
        let mut all = BTreeSet::from([first.clone()]);
        all.extend((1..COUNT).map(|_| names.next("vol-1")));
        assert_eq!(all.len(), COUNT);
        assert_eq!(names.next("vol-1"), first);
        assert_ne!(names.next("vol-0a1"), names.next("vol-0a2"));
    }
}
