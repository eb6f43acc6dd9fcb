//! Every code that the NTFS reader can report.

use crate::error::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code::new($text);)*

        /// All of them.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// A run list that makes no sense: a cut field, an overflow, a run outside of the volume.
    RUN_LIST = "ntfs.run_list";
    /// A `$STANDARD_INFORMATION` attribute that is too short.
    STANDARD_INFORMATION = "ntfs.standard_information";
    /// A `$FILE_NAME` attribute that is cut or of no known namespace.
    FILE_NAME = "ntfs.file_name";
    /// One file in more pieces than are kept in memory.
    RUN_COUNT = "ntfs.run_list.count";
    /// An update sequence that does not fit: a structure of which only a part was written.
    FIXUP = "ntfs.fixup";
    /// A record of the `$MFT` whose header makes no sense.
    RECORD = "ntfs.record";
    /// An attribute whose header makes no sense.
    ATTRIBUTE = "ntfs.attribute";
    /// An `$INDEX_ROOT` that makes no sense.
    INDEX_ROOT = "ntfs.index.root";
    /// An index of more bytes than are read.
    INDEX_SIZE = "ntfs.index.size";
    /// An index block that is none, or that does not fit its tree.
    INDEX_BLOCK = "ntfs.index.block";
    /// An entry of an index that makes no sense.
    INDEX_ENTRY = "ntfs.index.entry";
    /// An index block that could not be read.
    INDEX_READ = "ntfs.index.read";
    /// An index whose bitmap is missing or says that a block of the tree is free.
    INDEX_BITMAP = "ntfs.index.bitmap";
    /// Index blocks in use to which no entry leads.
    INDEX_ORPHAN = "ntfs.index.orphan";
    /// An entry of a directory that names a file which is no longer there.
    DIRECTORY_STALE = "ntfs.directory.stale";
    /// An entry of a directory that is meant for another directory.
    DIRECTORY_PARENT = "ntfs.directory.parent";
    /// Names that the damaged index of a directory does not have, found at the files themselves.
    DIRECTORY_REBUILT = "ntfs.directory.rebuilt";
    /// Records that could not be read while the names of a damaged directory were looked for.
    DIRECTORY_INCOMPLETE = "ntfs.directory.incomplete";
    /// More names on the volume than are kept in memory to list damaged directories.
    DIRECTORY_LIMIT = "ntfs.directory.limit";
}
