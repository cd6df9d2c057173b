//! The engine on files, over a small disk trait.
