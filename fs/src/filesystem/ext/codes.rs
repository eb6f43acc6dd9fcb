//! Every code that the ext2/3/4 reader can report.

use crate::error::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code::new($text);)*

        /// All of them.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// A field of the superblock contradicts itself or the others.
    SUPERBLOCK_FIELD = "ext4.superblock.field";
    /// The superblock's checksum does not fit.
    SUPERBLOCK_CHECKSUM = "ext4.superblock.checksum";
    /// The filesystem is larger than the bytes there are.
    SUPERBLOCK_SIZE = "ext4.superblock.size";
    /// The first superblock is damaged and a copy of it is used.
    SUPERBLOCK_BACKUP = "ext4.superblock.backup";
    /// A spare copy of the superblock is damaged, or describes another filesystem.
    SUPERBLOCK_COPY = "ext4.superblock.copy";
    /// A spare copy of group descriptors is damaged, or differs in what never changes.
    GROUP_COPY = "ext4.group.copy";
    /// The checksum of a bitmap of blocks or inodes does not fit.
    BITMAP_CHECKSUM = "ext4.bitmap.checksum";
    /// A bitmap of blocks or inodes that cannot be read.
    BITMAP_READ = "ext4.bitmap.read";
    /// A part of an inode table that cannot be read.
    INODE_READ = "ext4.inode.read";
    /// An inode in use that no directory names.
    INODE_UNREACHABLE = "ext4.inode.unreachable";
    /// An incompatible feature that is not read.
    FEATURE = "ext4.feature";
    /// The device holds only the journal of another filesystem.
    JOURNAL_DEVICE = "ext4.journal.device";
    /// The journal lies on a device of its own, which is not at hand.
    JOURNAL_MISSING = "ext4.journal.missing";
    /// There must be a journal and there is none that can be found.
    JOURNAL_INODE = "ext4.journal.inode";
    /// The journal's own superblock makes no sense.
    JOURNAL_SUPERBLOCK = "ext4.journal.superblock";
    /// A feature of the journal that is not read.
    JOURNAL_FEATURE = "ext4.journal.feature";
    /// A checksum in the journal does not fit.
    JOURNAL_CHECKSUM = "ext4.journal.checksum";
    /// The journal names a block that the filesystem does not have, or too many.
    JOURNAL_BLOCK = "ext4.journal.block";
    /// A transaction longer than the journal.
    JOURNAL_LOOP = "ext4.journal.loop";
    /// A block of the journal that is not stored anywhere.
    JOURNAL_HOLE = "ext4.journal.hole";
    /// The journal held changes, which are shown. A remark, not damage.
    JOURNAL_REPLAYED = "ext4.journal.replayed";
    /// The filesystem was in use or had errors when the image was taken.
    STATE = "ext4.state";
    /// Files were deleted while still open; their space was not freed yet.
    ORPHANS = "ext4.orphans";
    /// The orphan file, or a block of it, is missing, cannot be read, or does not carry its signature.
    ORPHAN_FILE = "ext4.orphan.file";
    /// The checksum of a block of the orphan file does not fit.
    ORPHAN_CHECKSUM = "ext4.orphan.checksum";
    /// The MMP block is missing, cannot be read, or does not carry its signature.
    MMP_BLOCK = "ext4.mmp.block";
    /// The checksum of the MMP block does not fit.
    MMP_CHECKSUM = "ext4.mmp.checksum";
    /// A group descriptor's checksum does not fit.
    GROUP_CHECKSUM = "ext4.group.checksum";
    /// A group's inode table lies outside of the filesystem.
    GROUP_TABLE = "ext4.group.table";
    /// A group's descriptor is damaged and a copy of it is used.
    GROUP_BACKUP = "ext4.group.backup";
    /// Group descriptors that could not be read.
    GROUP_READ = "ext4.group.read";
    /// An inode number that the filesystem cannot have.
    INODE_NUMBER = "ext4.inode.number";
    /// An inode's checksum does not fit.
    INODE_CHECKSUM = "ext4.inode.checksum";
    /// A field of the inode makes no sense.
    INODE_FIELD = "ext4.inode.field";
    /// A name leads to an inode that is free or deleted.
    INODE_DELETED = "ext4.inode.deleted";
    /// The header of an extent node makes no sense.
    EXTENT_HEADER = "ext4.extent.header";
    /// An extent tree deeper than five levels, or a child that is not one level below its parent.
    EXTENT_DEPTH = "ext4.extent.depth";
    /// Extents out of order, overlapping, or outside of their parent's range.
    EXTENT_ORDER = "ext4.extent.order";
    /// An extent or a node outside of the filesystem.
    EXTENT_RANGE = "ext4.extent.range";
    /// A block of an extent tree is used twice.
    EXTENT_LOOP = "ext4.extent.loop";
    /// An extent block's checksum does not fit.
    EXTENT_CHECKSUM = "ext4.extent.checksum";
    /// A block map points outside of the filesystem.
    BLOCK_MAP_RANGE = "ext4.blockmap.range";
    /// A block of a block map is used twice.
    BLOCK_MAP_LOOP = "ext4.blockmap.loop";
    /// A file in more pieces than are held in memory.
    RUN_COUNT = "ext4.runs.count";
    /// A directory entry whose length or name does not fit.
    DIRECTORY_ENTRY = "ext4.directory.entry";
    /// A directory block's checksum does not fit.
    DIRECTORY_CHECKSUM = "ext4.directory.checksum";
    /// A hole, or unwritten space, amid a directory.
    DIRECTORY_HOLE = "ext4.directory.hole";
    /// A directory block that could not be read.
    DIRECTORY_READ = "ext4.directory.read";
    /// Two places of a directory lie in the same block, so that a small disk could claim any number of
    /// names.
    DIRECTORY_SHARED = "ext4.directory.shared";
    /// A directory whose size makes no sense.
    DIRECTORY_SIZE = "ext4.directory.size";
    /// Inline data that is missing or shorter than the inode says.
    INLINE_DATA = "ext4.inline";
    /// A symbolic link whose length makes no sense.
    SYMLINK_SIZE = "ext4.symlink.size";
    /// A block or region of extended attributes that makes no sense.
    XATTR_HEADER = "ext4.xattr.header";
    /// An extended attribute that does not fit in its block.
    XATTR_ENTRY = "ext4.xattr.entry";
    /// The checksum of a block of extended attributes, or of a value in an inode, does not fit.
    XATTR_CHECKSUM = "ext4.xattr.checksum";
    /// An attribute's value lies in an inode that is not made for it.
    XATTR_INODE = "ext4.xattr.inode";
    /// A value over the bound.
    XATTR_SIZE = "ext4.xattr.size";
    /// A POSIX ACL that makes no sense.
    ACL = "ext4.acl";
    /// Content, a link's target or names that only a key can read.
    ENCRYPTED = "ext4.encrypted";
    /// A file compressed by the old e2compr patches.
    COMPRESSED = "ext4.compressed";
}
