//! The client protocol: frames, codec, and both connection machines.
