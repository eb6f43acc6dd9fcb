//! POSIX access control lists: from the kernel's form to the text that archives hold.
//!
//! Sources: `include/uapi/linux/posix_acl_xattr.h` (a version, then entries of tag, permissions and id, all
//! little-endian); acl(5) for the text. Users and groups are numbers in it: their names belong to the guest.

/// Version of the kernel's form.
const VERSION: u32 = 2;
/// Bytes of an entry.
const ENTRY_LEN: usize = 8;

/// The list as text, entries with commas between them. `None`: it is no such list.
pub(super) fn text(value: &[u8]) -> Option<String> {
    let (version, entries) = value.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != VERSION {
        return None;
    }
    let mut texts = Vec::new();
    for entry in entries.chunks(ENTRY_LEN) {
        let (tag, rest) = entry.split_first_chunk::<2>()?;
        let (permissions, rest) = rest.split_first_chunk::<2>()?;
        let (id, _) = rest.split_first_chunk::<4>()?;
        let id = u32::from_le_bytes(*id);
        let who = match u16::from_le_bytes(*tag) {
            0x01 => "user:".to_owned(),
            0x02 => format!("user:{id}"),
            0x04 => "group:".to_owned(),
            0x08 => format!("group:{id}"),
            0x10 => "mask:".to_owned(),
            0x20 => "other:".to_owned(),
            _ => return None,
        };
        let permissions = u16::from_le_bytes(*permissions);
        let bit = |bit: u16, letter| if permissions & bit != 0 { letter } else { '-' };
        let (r, w, x) = (bit(4, 'r'), bit(2, 'w'), bit(1, 'x'));
        texts.push(format!("{who}:{r}{w}{x}"));
    }
    (!texts.is_empty()).then(|| texts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_kernel_becomes_that_of_setfacl() {
        let mut value = VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in [
            (1_u16, 6_u16, u32::MAX),
            (2, 7, 1000),
            (4, 4, u32::MAX),
            (8, 5, 3_000_000_000),
            (16, 7, u32::MAX),
            (32, 0, u32::MAX),
        ] {
            value.extend(tag.to_le_bytes());
            value.extend(permissions.to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        let expected =
            "user::rw-,user:1000:rwx,group::r--,group:3000000000:r-x,mask::rwx,other::---";
        assert_eq!(text(&value).as_deref(), Some(expected));
        value.pop();
        assert_eq!(text(&value), None);
        assert_eq!(text(&[2, 0, 0, 0]), None);
        assert_eq!(text(b"\x01\0\0\0\x01\0\x06\0\xff\xff\xff\xff"), None);
    }
}
