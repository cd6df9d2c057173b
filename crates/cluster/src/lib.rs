//! Where a vnode lives, and the link between edge and core.
