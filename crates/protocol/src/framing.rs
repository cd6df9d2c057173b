//! Cuts a stream of bytes into frames; keeps nothing but a frame that is not whole.

use std::fmt;

use iris_types::Monotonic;

use crate::frame::{Envelope, FrameTooLong, HEADER_BYTES, split};

/// The beginning of a frame whose rest has not arrived.
#[derive(Default)]
pub(crate) struct Partial {
    bytes: Vec<u8>,
    begun_at: Monotonic,
}

impl Partial {
    /// When the frame's first byte came; `None` while there is none.
    pub(crate) fn begun_at(&self) -> Option<Monotonic> {
        if self.bytes.is_empty() { None } else { Some(self.begun_at) }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Keeps the beginning of a frame.
    pub(crate) fn keep(&mut self, bytes: &[u8], now: Monotonic) {
        if !bytes.is_empty() {
            self.bytes = bytes.to_vec();
            self.begun_at = now;
        }
    }

    /// Moves bytes from `input` to what is kept, up to the end of the frame. The whole frame, once there is one.
    ///
    /// # Errors
    /// [`FrameTooLong`] as soon as the header says more than `payload_bytes_max`.
    pub(crate) fn complete(
        &mut self,
        input: &mut &[u8],
        payload_bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, FrameTooLong> {
        self.take(input, HEADER_BYTES);
        let Some(&[_, high, low]) = self.bytes.first_chunk() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > payload_bytes_max {
            return Err(FrameTooLong);
        }
        self.take(input, HEADER_BYTES + length);
        let is_whole = self.bytes.len() == HEADER_BYTES + length;
        Ok(is_whole.then(|| std::mem::take(&mut self.bytes)))
    }

    fn take(&mut self, input: &mut &[u8], up_to: usize) {
        let missing = up_to.saturating_sub(self.bytes.len()).min(input.len());
        let (taken, rest) = input.split_at(missing);
        self.bytes.extend_from_slice(taken);
        *input = rest;
    }
}

/// Hands every whole frame in `bytes`, with what was kept before it, to `handle` as long as that returns `true`;
/// keeps the rest.
///
/// # Errors
/// [`FrameTooLong`] as soon as a header says more than the current `payload_bytes_max`.
pub(crate) fn each_frame<M>(
    machine: &mut M,
    partial: fn(&mut M) -> &mut Partial,
    payload_bytes_max: fn(&M) -> usize,
    mut bytes: &[u8],
    now: Monotonic,
    mut handle: impl FnMut(&mut M, u8, &[u8]) -> bool,
) -> Result<(), FrameTooLong> {
    if partial(machine).begun_at().is_some() {
        let bound = payload_bytes_max(machine);
        let Some(whole) = partial(machine).complete(&mut bytes, bound)? else { return Ok(()) };
        if let Some(Envelope { opcode, payload, .. }) = split(&whole, bound)?
            && !handle(machine, opcode, payload)
        {
            return Ok(());
        }
    }
    while let Some(Envelope { opcode, payload, rest }) = split(bytes, payload_bytes_max(machine))? {
        if !handle(machine, opcode, payload) {
            return Ok(());
        }
        bytes = rest;
    }
    partial(machine).keep(bytes, now);
    Ok(())
}

/// Shows how much there is, never what: frames hold tokens and messages.
impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partial({} bytes)", self.bytes.len())
    }
}
