//! The Encrypting File System: what is stored of a file that only its owner's key can read.
//!
//! Reading such a file is refused. What is stored can be saved all the same, for those who have the key
//! elsewhere: the encrypted bytes as the stream `$CIPHERTEXT`, and the keys of the file, which are
//! themselves encrypted for each user who may read it, as the stream `$EFS`. Both exist for encrypted
//! files only, are not listed, and give way to a stream that is really called so. Windows keeps the
//! second one under this name in a `$LOGGED_UTILITY_STREAM` (MS-EFSR section 2.2.2, "EFSRPC Metadata").

use super::attribute::types;
use super::content;
use super::disk::Disk;
use super::file::File;
use super::stream::{Stream, Value};
use crate::error::Result;
use crate::source::ByteSource;
use std::sync::Arc;

/// Stream of the encrypted bytes.
const CIPHERTEXT: &[u8] = b"$CIPHERTEXT";
/// Stream of the keys.
const KEYS: &[u8] = b"$EFS";
/// The latter's name on disk, in UTF-16.
const KEYS_STORED: &[u8] = b"$\0E\0F\0S\0";
/// What is encrypted at a time, in bytes: the last sector goes on behind the end of the content.
const SECTOR_LEN: u64 = 512;

/// The stream `name`, if it is one of the two and `main`, the unnamed `$DATA` of `file`, is encrypted.
///
/// # Errors
/// Damage of the keys.
pub(super) fn open(
    disk: &Arc<Disk>,
    file: &File<'_>,
    main: &Arc<Stream>,
    name: &[u8],
) -> Result<Option<Arc<dyn ByteSource>>> {
    if !main.flags.is_encrypted() {
        return Ok(None);
    }
    match name {
        CIPHERTEXT => Ok(Some(content::open(disk, &Arc::new(whole_sectors(main))))),
        KEYS => {
            let keys = file.stream(types::LOGGED_UTILITY_STREAM, KEYS_STORED)?;
            Ok(keys.map(|keys| content::open(disk, &Arc::new(keys))))
        }
        _ => Ok(None),
    }
}

/// The stream with all of its last sectors, of what has been written and of the content.
fn whole_sectors(main: &Stream) -> Stream {
    let mut stored = main.clone();
    if let Value::Mapped(_) = stored.value {
        // The sector lies inside of the last cluster, which is mapped as a whole.
        let whole = |len: u64| len.checked_next_multiple_of(SECTOR_LEN).unwrap_or(len);
        stored.data_size = whole(main.data_size);
        stored.initialized_size = whole(main.initialized_size);
    }
    stored
}
