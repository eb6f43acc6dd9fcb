//! Which owner a copy gets: the number that the image has, what a table says, or the number that the same
//! name has here.

use std::collections::HashMap;

/// Entries of an ACL that name a user or a group (`include/uapi/linux/posix_acl.h`).
const ACL_USER: u16 = 0x02;
const ACL_GROUP: u16 = 0x08;
/// `struct posix_acl_xattr_header`, and `struct posix_acl_xattr_entry`.
const ACL_HEADER_BYTES: usize = 4;
const ACL_ENTRY_BYTES: usize = 8;

/// Names of users or of groups, as `passwd` and `group` list them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdNames {
    names: HashMap<u32, Vec<u8>>,
    ids: HashMap<Vec<u8>, u32>,
}

impl IdNames {
    /// Reads `name:password:number:…` lines. Of several lines with one name or one number the first
    /// counts, as for the C library; lines of another form say nothing.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut found = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == b':');
            let (Some(name), Some(id)) = (fields.next(), fields.nth(1)) else {
                continue;
            };
            let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
            let (Some(id), false) = (id, name.is_empty() || name.starts_with(b"#")) else {
                continue;
            };
            found.names.entry(id).or_insert_with(|| name.to_vec());
            found.ids.entry(name.to_vec()).or_insert(id);
        }
        found
    }

    /// The name of a number.
    #[must_use]
    pub fn name_of(&self, id: u32) -> Option<&[u8]> {
        self.names.get(&id).map(Vec::as_slice)
    }

    /// The number of a name.
    #[must_use]
    pub fn id_of(&self, name: &[u8]) -> Option<u32> {
        self.ids.get(name).copied()
    }
}

/// What is said of users, or of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRules {
    /// New numbers, by those in the image.
    pub table: HashMap<u32, u32>,
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
