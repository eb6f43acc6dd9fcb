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
    /// The copy of the boot sector is damaged, or describes another volume.
    BOOT_SPARE = "ntfs.boot.spare";
    /// Bytes behind the end of an image that was cut short.
    VOLUME_SIZE = "ntfs.volume.size";
    /// A record of the `$MFT` is damaged and its copy in the `$MFTMirr` is used.
    MIRROR = "ntfs.mirror";
    /// The copy of a record in the `$MFTMirr` is damaged, or differs from a sound record.
    MIRROR_SPARE = "ntfs.mirror.spare";
    /// A list of attributes that makes no sense.
    ATTRIBUTE_LIST = "ntfs.attribute_list";
    /// A part of a file that the list of attributes names and that is not there.
    MISSING_PIECE = "ntfs.attribute_list.missing";
    /// A stream whose sizes and pieces contradict each other.
    STREAM = "ntfs.stream";
    /// Content that only a key can read (EFS).
    ENCRYPTED = "ntfs.encrypted";
    /// Content that is compressed in a way that is not read.
    COMPRESSED = "ntfs.compressed";
    /// The table by which names are compared cannot be read.
    UPCASE = "ntfs.upcase";
    /// A value that is longer than it can be.
    VALUE_SIZE = "ntfs.value.size";
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
    /// An entry of a directory that leads to a file which has no such name.
    DIRECTORY_FOREIGN = "ntfs.directory.foreign";
    /// An entry of a directory that is meant for another directory.
    DIRECTORY_PARENT = "ntfs.directory.parent";
    /// Names that the damaged index of a directory does not have, found at the files themselves.
    DIRECTORY_REBUILT = "ntfs.directory.rebuilt";
    /// Records that could not be read while the names of a damaged directory were looked for.
    DIRECTORY_INCOMPLETE = "ntfs.directory.incomplete";
    /// More names on the volume than are kept in memory to list damaged directories.
    DIRECTORY_LIMIT = "ntfs.directory.limit";
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
    /// A compression unit that does not give its bytes.
    COMPRESSED_UNIT = "ntfs.compressed.unit";
    /// The reparse data or the table of chunks of a file of the Windows Overlay Filter makes no sense.
    WOF = "ntfs.wof";
    /// A chunk of a file of the Windows Overlay Filter that does not give its bytes.
    WOF_CHUNK = "ntfs.wof.chunk";
    /// Content that the Windows Overlay Filter keeps in a WIM archive, or in a way that is not known.
    WOF_PROVIDER = "ntfs.wof.provider";
    /// `$Bitmap`, or the bitmap of the `$MFT`, is missing, too short, or cannot be read.
    BITMAP = "ntfs.bitmap";
    /// Clusters in use that `$Bitmap` marks as free.
    BITMAP_FREE = "ntfs.bitmap.free";
    /// Clusters that `$Bitmap` marks as used and that no file has. A remark, not damage.
    BITMAP_LOST = "ntfs.bitmap.lost";
    /// More clusters than are compared with `$Bitmap`. A remark, not damage.
    BITMAP_LIMIT = "ntfs.bitmap.limit";
    /// A cluster that two files own, or one file twice.
    CLUSTER_SHARED = "ntfs.cluster.shared";
    /// Records in use that the bitmap of the `$MFT` marks as free.
    MFT_BITMAP_FREE = "ntfs.mft.bitmap.free";
    /// Records that the bitmap of the `$MFT` marks as used and that are not. A remark, not damage.
    MFT_BITMAP_LOST = "ntfs.mft.bitmap.lost";
    /// A record with overflow of a file that does not know of it.
    RECORD_BASE = "ntfs.record.base";
    /// Files to which no directory leads.
    RECORD_UNREACHABLE = "ntfs.record.unreachable";
    /// A name of a file that the index of its directory does not have.
    NAME_UNLISTED = "ntfs.name.unlisted";
    /// A file with more or fewer names than it counts.
    LINK_COUNT = "ntfs.link_count";
}
