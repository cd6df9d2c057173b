//! Derived state: memory tables, sorted runs, manifests, merging, loading.
//!
//! Pure: blocks of bytes come in through [`Blocks`] and go out in [`BuiltRun`]. Not a store (nothing here writes
//! or knows a file), not encryption (a layer below), not a schema: what keys and values mean is said in
//! `iris-vnode`. There is no deleting of single rows; rows go when a merge does not keep them or their window
//! expires.
//!
//! - [`Table`], [`Window`]: the closed list of tables, and the day a row expires with.
//! - [`MemTable`]: sorted rows that only the log has yet; becomes [`BuiltRun`]s.
//! - [`RunMeta`], [`Manifest`]: which runs a vnode has.
//! - [`RunSet`]: a snapshot of them to read from; newer runs win.
//! - [`plan_merges`], [`merge`]: few runs instead of many. [`expired`]: runs whose window is over.
//! - [`BlockCache`]: blocks read lately.
//!
//! Every block carries a checksum over all its bytes, its number and its run's name (`block.rs`): what is not
//! what was written is a [`TableError`] for the rows it holds, never an empty answer.

mod arena;
mod block;
mod build;
mod cache;
mod codec;
mod cursor;
mod error;
mod filter;
mod index;
mod manifest;
mod mem;
mod merge;
mod plan;
mod scan;
mod set;
mod table;

pub use build::BuiltRun;
pub use cache::BlockCache;
pub use error::{BlockError, Blocks, ManifestError, TableError};
pub use index::RunIndex;
pub use manifest::{Manifest, RunMeta};
pub use mem::{MemRange, MemTable};
pub use merge::merge;
pub use plan::{MergePlan, expired, plan_merges};
pub use scan::{Direction, Limit, overlay};
pub use set::RunSet;
pub use table::{Table, Window};
