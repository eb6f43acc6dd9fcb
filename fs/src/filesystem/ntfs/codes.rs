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
}
