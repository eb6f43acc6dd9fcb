//! Colours of names: few, and never the only way to tell kinds apart.

use flr_fs::{FileKind, Metadata};

/// A name that has been made fit to be shown, in the colour of its kind.
pub(crate) fn name(shown: &str, metadata: &Metadata, color: bool) -> String {
    let code = match metadata.kind {
        _ if !color => return shown.to_owned(),
        FileKind::Directory => "1;34",
        FileKind::Symlink => "1;36",
        FileKind::CharDevice | FileKind::BlockDevice => "1;33",
        FileKind::Fifo => "33",
        FileKind::Socket => "1;35",
        FileKind::File if metadata.mode & 0o111 != 0 => "1;32",
        FileKind::File => return shown.to_owned(),
    };
    format!("\x1b[{code}m{shown}\x1b[0m")
}
