//! Bounds on the work and memory that an image can ask for. Counts, never time.

/// Every bound, in one place. `Limits::default()` is what the command uses.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Layers on top of each other in one discovery.
    pub layer_depth_max: u32,
    /// Volumes found in one discovery.
    pub volume_count_max: usize,
    /// Entries of one GPT. The specification names no bound; real disks have 128, one known oddity 130.
    pub gpt_entry_count_max: u32,
    /// Links of one chain of extended boot records.
    pub ebr_count_max: u32,
    /// Bytes of one directory. ext4 itself stops at 2 GiB (4 GiB with large directories).
    pub directory_bytes_max: u64,
    /// Runs of one file's map: 4 million runs of 24 bytes are 96 MiB.
    pub run_count_max: usize,
    /// Bytes of one extended attribute's value. Linux hands out at most 64 KiB; ext4 can store 1 MiB.
    pub xattr_value_bytes_max: u64,
    /// Bytes of parsed structures that one filesystem may keep in memory.
    pub cache_bytes: usize,
    /// Bytes of the bits that a check keeps at a time, one for each cluster: 64 MiB are 2 TiB of clusters
    /// of 4 KiB. A larger volume takes more passes.
    pub check_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            layer_depth_max: 16,
            volume_count_max: 4096,
            gpt_entry_count_max: 1024,
            ebr_count_max: 256,
            directory_bytes_max: 4 << 30,
            run_count_max: 4 << 20,
            xattr_value_bytes_max: 1 << 20,
            cache_bytes: 16 << 20,
            check_bytes: 64 << 20,
        }
    }
}
