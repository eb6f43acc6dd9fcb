//! Changing the bytes of an ext image by hand: just enough of the format to find the place.

use crate::image::image_bytes;
use flr_fs::bytes::{get_le_u16, get_le_u32};
use flr_fs::{ByteSource, Memory};
use std::sync::Arc;

/// Where the superblock lies.
pub const SUPERBLOCK: usize = 1024;
/// `i_block` in an inode.
pub const I_BLOCK: usize = 0x28;

/// The bytes of an image.
#[derive(Clone, Debug)]
pub struct Patch {
    /// All of them.
    pub bytes: Vec<u8>,
}

impl Patch {
    /// A small image of the fixtures.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let bytes = image_bytes(name);
        Self { bytes }
    }

    /// The image as a source.
    #[must_use]
    pub fn source(self) -> Arc<dyn ByteSource> {
        Arc::new(Memory::new(self.bytes))
    }

    /// 16 bits at a byte.
    ///
    /// # Panics
    /// Past the end, as everything here.
    #[must_use]
    pub fn u16(&self, at: usize) -> u16 {
        get_le_u16(&self.bytes, at).expect("inside of the image")
    }

    /// 32 bits at a byte.
    ///
    /// # Panics
    /// Past the end.
    #[must_use]
    pub fn u32(&self, at: usize) -> u32 {
        get_le_u32(&self.bytes, at).expect("inside of the image")
    }

    /// 32 bits at a byte, as a place.
    ///
    /// # Panics
    /// Past the end.
    #[must_use]
    pub fn word(&self, at: usize) -> usize {
        usize::try_from(self.u32(at)).expect("a small number")
    }

    /// Writes bytes.
    ///
    /// # Panics
    /// Past the end.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes 32 bits.
    pub fn put_u32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    /// Turns the lowest bit of a byte.
    pub fn flip(&mut self, at: usize) {
        self.bytes[at] ^= 1;
    }

    /// Block size in bytes.
    #[must_use]
    pub fn block_size(&self) -> usize {
        1024 << self.u32(SUPERBLOCK + 0x18)
    }

    /// Byte of the first group's descriptor.
    #[must_use]
    pub fn descriptor(&self) -> usize {
        (self.word(SUPERBLOCK + 0x14) + 1) * self.block_size()
    }

    /// Byte of an inode of the first group.
    #[must_use]
    pub fn inode(&self, number: usize) -> usize {
        let table = self.word(self.descriptor() + 8) * self.block_size();
        table + (number - 1) * usize::from(self.u16(SUPERBLOCK + 0x58))
    }

    /// Byte of the first block of an inode's content, by its first extent or block pointer.
    #[must_use]
    pub fn content(&self, number: usize) -> usize {
        let i_block = self.inode(number) + I_BLOCK;
        let has_extents = self.u16(i_block) == 0xf30a;
        let block = self.word(if has_extents { i_block + 20 } else { i_block });
        block * self.block_size()
    }

    /// Byte of the directory entry with this name in the first block of a directory.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn entry(&self, directory: usize, name: &str) -> usize {
        let start = self.content(directory);
        let block = &self.bytes[start..start + self.block_size()];
        let found = block
            .windows(name.len())
            .position(|part| part == name.as_bytes());
        start + found.expect("a name of the directory") - 8
    }

    /// Byte of an inode's block of attributes.
    #[must_use]
    pub fn attributes(&self, number: usize) -> usize {
        self.word(self.inode(number) + 0x68) * self.block_size()
    }

    /// Byte of the first attribute inside of an inode.
    #[must_use]
    pub fn inline_attributes(&self, number: usize) -> usize {
        let inode = self.inode(number);
        inode + 128 + usize::from(self.u16(inode + 128)) + 4
    }
}
