//! The domain: a command against a vnode's state becomes events and effects.
