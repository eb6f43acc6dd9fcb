//! Snapshots of Alibaba Cloud, as real processes read them against a stand-in: what is read is right, and
//! whatever happens on the way, nothing is left.

mod credentials;
mod documents;
mod faults;
mod gone;
mod kills;
mod life;
mod points;
mod stage;

#[global_allocator]
static HEAP: flr_tests::Heap = flr_tests::Heap;
