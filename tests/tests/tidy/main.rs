//! The project's rules about itself, as tests: what `ARCHITECTURE.md` calls an invariant is held here.
//!
//! No root, no mount, no image: these read the tree that they lie in.

mod codes;
mod crates;
mod docs;
mod source;
mod tree;
