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
    /// A boot sector whose fields make no sense.
    BOOT = "ntfs.boot";
    /// The boot sector is damaged and its copy is used.
    BOOT_COPY = "ntfs.boot.copy";
    /// Bytes behind the end of an image that was cut short.
    VOLUME_SIZE = "ntfs.volume.size";
    /// A record of the `$MFT` is damaged and its copy in the `$MFTMirr` is used.
    MIRROR = "ntfs.mirror";
    /// A reference to a record that is another file's by now, or nobody's.
    STALE_REFERENCE = "ntfs.reference.stale";
    /// A list of attributes that makes no sense.
    ATTRIBUTE_LIST = "ntfs.attribute_list";
    /// A part of a file that the list of attributes names and that is not there.
    MISSING_PIECE = "ntfs.attribute_list.missing";
    /// A stream whose sizes and pieces contradict each other.
    STREAM = "ntfs.stream";
    /// Content that only a key can read (EFS).
    ENCRYPTED = "ntfs.encrypted";
    /// Content that is compressed.
    COMPRESSED = "ntfs.compressed";
    /// The table by which names are compared cannot be read.
    UPCASE = "ntfs.upcase";
    /// What the volume says about itself cannot be read.
    VOLUME = "ntfs.volume";
    /// A value that is longer than it can be.
    VALUE_SIZE = "ntfs.value.size";
    /// A record of the `$MFT` whose header makes no sense.
    RECORD = "ntfs.record";
    /// An attribute whose header makes no sense.
    ATTRIBUTE = "ntfs.attribute";
    /// A reparse point whose header makes no sense.
    REPARSE = "ntfs.reparse";
    /// A link, or a special file of the NFS server, whose reparse data makes no sense.
    REPARSE_LINK = "ntfs.reparse.link";
    /// Content that is kept elsewhere: deduplicated, in the cloud, on tape.
    REPARSE_CONTENT = "ntfs.reparse.content";
    /// Content behind a reparse tag that is not known.
    REPARSE_TAG = "ntfs.reparse.tag";
    /// A link as Interix and ntfs-3g write it whose target makes no sense.
    INTERIX = "ntfs.interix";
    /// Extended attributes of OS/2 or WSL that make no sense.
    EA = "ntfs.ea";
    /// A security descriptor that makes no sense.
    SECURITY_DESCRIPTOR = "ntfs.security_descriptor";
    /// The store of security descriptors is damaged, or lacks one that a file names.
    SECURE = "ntfs.secure";
    /// The volume's version and flags make no sense.
    VOLUME_INFORMATION = "ntfs.volume_information";
    /// The volume is marked dirty. A remark, not damage.
    VOLUME_DIRTY = "ntfs.volume.dirty";
    /// The log was not closed; its changes are not replayed. A remark, not damage.
    LOG_OPEN = "ntfs.log.open";
    /// The log makes no sense, so that nobody can tell whether changes are missing.
    LOG_DAMAGED = "ntfs.log.damaged";
    /// Windows sleeps and keeps changes in memory. A remark, not damage.
    HIBERNATED = "ntfs.hibernated";
}
