//! Which owner a copy gets: the number that the image has, what a table says, or the number that the same
//! name has here.

use crate::id_names::IdNames;
use flr_fs::Sids;
use std::collections::HashMap;

/// Entries of an ACL that name a user or a group (`include/uapi/linux/posix_acl.h`).
const ACL_USER: u16 = 0x02;
const ACL_GROUP: u16 = 0x08;
/// `struct posix_acl_xattr_header`, and `struct posix_acl_xattr_entry`.
const ACL_HEADER_BYTES: usize = 4;
const ACL_ENTRY_BYTES: usize = 8;

/// What is said of users, or of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRules {
    /// New numbers, by those in the image.
    pub table: HashMap<u32, u32>,
    /// New numbers, by the security identifiers that NTFS has in place of numbers (`S-1-5-…`).
    pub sids: HashMap<Box<str>, u32>,
    /// The new number of all that the table does not name.
    pub others: Option<u32>,
    /// Names in the image.
    pub guest: IdNames,
    /// Names here.
    pub host: IdNames,
}

impl IdRules {
    /// The number that a copy gets. The table comes first, then the name, then the number as it is.
    #[must_use]
    pub fn map(&self, id: u32) -> u32 {
        let by_name = || self.host.id_of(self.guest.name_of(id)?);
        let found = self.table.get(&id).copied().or(self.others);
        found.or_else(by_name).unwrap_or(id)
    }

    /// The number for a node that has this identifier in place of a number, if the table names it.
    fn of_sid(&self, sid: Option<&str>) -> Option<u32> {
        self.sids.get(sid?).copied()
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which owners copies get. By default those of the image, as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Of users.
    pub users: IdRules,
    /// Of groups.
    pub groups: IdRules,
}

impl Owners {
    /// Whether identifiers of nodes have to be known.
    #[must_use]
    pub fn has_sids(&self) -> bool {
        !(self.users.sids.is_empty() && self.groups.sids.is_empty())
    }

    /// Owner and group of a copy whose source has the numbers `uid` and `gid`, or these identifiers.
    #[must_use]
    pub fn map(&self, (uid, gid): (u32, u32), sids: &Sids) -> (u32, u32) {
        let user = self.users.of_sid(sids.user.as_deref());
        let group = self.groups.of_sid(sids.group.as_deref());
        (
            user.unwrap_or_else(|| self.users.map(uid)),
            group.unwrap_or_else(|| self.groups.map(gid)),
        )
    }

    /// An ACL in the kernel's form with the numbers that copies get. What has another form stays as it is:
    /// the kernel will say so.
    #[must_use]
    pub fn map_acl(&self, value: &[u8]) -> Vec<u8> {
        let mut mapped = value.to_vec();
        if self.users.is_empty() && self.groups.is_empty() {
            return mapped;
        }
        let entries = mapped.get_mut(ACL_HEADER_BYTES..).unwrap_or_default();
        for entry in entries.chunks_exact_mut(ACL_ENTRY_BYTES) {
            let [tag_low, tag_high, _, _, id @ ..] = entry else {
                continue;
            };
            let rules = match u16::from_le_bytes([*tag_low, *tag_high]) {
                ACL_USER => &self.users,
                ACL_GROUP => &self.groups,
                _ => continue,
            };
            if let Ok(bytes) = <[u8; 4]>::try_from(&*id) {
                let new = rules.map(u32::from_le_bytes(bytes)).to_le_bytes();
                id.copy_from_slice(&new);
            }
        }
        mapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> IdRules {
        IdRules {
            table: HashMap::from([(7, 70)]),
            sids: HashMap::from([("S-1-5-18".into(), 71)]),
            others: None,
            guest: IdNames::parse(
                b"root:x:0:0::/:\nbob:x:1000:1000\nbroken\n#c:x:5:\nbob:x:1001:1\n",
            ),
            host: IdNames::parse(b"root:x:0:0\nbob:x:2000:2000\n"),
        }
    }

    #[test]
    fn the_table_then_the_name_then_the_number() {
        let mut rules = rules();
        for (id, expected) in [(7, 70), (1000, 2000), (1001, 2000), (0, 0), (5, 5), (9, 9)] {
            assert_eq!(rules.map(id), expected, "{id}");
        }
        rules.others = Some(42);
        assert_eq!((rules.map(7), rules.map(1000)), (70, 42));
        let owners = Owners {
            users: rules,
            groups: IdRules::default(),
        };
        for (user, expected) in [(Some("S-1-5-18"), 71), (Some("S-1-5-19"), 42), (None, 42)] {
            let sids = Sids {
                user: user.map(Into::into),
                group: Some("S-1-5-18".into()),
            };
            assert_eq!(owners.map((0, 5), &sids), (expected, 5), "{user:?}");
        }
    }

    #[test]
    fn acls_name_the_same_people_as_before() {
        let entry =
            |tag: u16, id: u32| [&tag.to_le_bytes()[..], &[6, 0], &id.to_le_bytes()].concat();
        let acl = |user, group| {
            let none = u32::MAX;
            let entries = [
                entry(1, none),
                entry(2, user),
                entry(8, group),
                entry(0x20, none),
            ];
            [2_u32.to_le_bytes().to_vec(), entries.concat()].concat()
        };
        let owners = Owners {
            users: rules(),
            groups: IdRules::default(),
        };
        assert_eq!(owners.map_acl(&acl(1000, 1000)), acl(2000, 1000));
        assert_eq!(owners.map_acl(b"short"), b"short");
        assert_eq!(Owners::default().map_acl(&acl(1, 2)), acl(1, 2));
    }
}
