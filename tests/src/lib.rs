//! What the tests share: images and their golden trees, a filesystem held in memory, sources with
//! faults, and the tools of the machine they run on.

pub mod aws_fake;
pub mod compare;
mod compare_ntfs;
pub mod compressed_stream;
pub mod content;
pub mod crash;
pub mod e2fsprogs;
pub mod ecs_fake;
pub mod exercise;
pub mod fault;
pub mod faulty;
pub mod file_cloud;
pub mod fuzz;
pub mod golden;
pub mod heap;
pub mod image;
pub mod jbd2;
pub mod judged;
pub mod kernels_tree;
pub mod live;
pub mod memory;
mod mounted;
pub mod ntfs_patch;
pub mod overlaid;
pub mod patch;
pub mod proxy;
pub mod recorder;
pub mod require;
pub mod sample;
pub mod servers;
pub mod sim;
pub mod stand_in;
pub mod vectors;
pub mod victim;

pub use compare::{Rules, compare};
pub use exercise::exercise;
pub use fault::{Counting, Flaky, Truncated};
pub use golden::{Expect, Golden, Node, VolumeRow};
pub use heap::Heap;
pub use image::{FileSource, image};
pub use ntfs_patch::NtfsPatch;
pub use overlaid::Overlaid;
pub use patch::Patch;
