//! Where a vnode lives, and the link between edge and core.
//!
//! On one machine the link is a pair of bounded in-process queues; what crosses it is plain data, so that a
//! wire can take its place.
//!
//! - [`link`]: what crosses between edge and core.

pub mod link;

pub use link::{CoreLink, EdgeLink, ToCore, ToEdge};
