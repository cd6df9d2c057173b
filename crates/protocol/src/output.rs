//! Bytes that wait to be sent; in version 2 consecutive items share a batch frame.

use std::fmt;

use iris_types::limits::{BATCH_ITEMS_MAX, FRAME_PAYLOAD_BYTES_MAX};

use crate::frame::{HEADER_BYTES, set_length};

/// Frames in the order they were put. At most one batch frame is open, always the last.
#[derive(Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    open: Option<OpenBatch>,
}

/// Room set aside when a batch is begun.
const FIRST_BYTES: usize = iris_types::limits::BATCH_ROOM_BYTES;

#[derive(Clone, Copy, Debug)]
struct OpenBatch {
    start: u32,
    items: u16,
}

impl Output {
    /// Where a whole frame may be appended.
    pub(crate) fn frames(&mut self) -> &mut Vec<u8> {
        self.close_batch();
        &mut self.bytes
    }

    /// Where an item of `item_bytes` may be appended: in the open batch frame, or in a new one. One output only
    /// ever has batches of one opcode.
    pub(crate) fn item(&mut self, opcode: u8, item_bytes: usize) -> &mut Vec<u8> {
        let fits = self.open.is_some_and(|open| {
            let payload = self.bytes.len() - open.start as usize - HEADER_BYTES;
            payload + item_bytes <= FRAME_PAYLOAD_BYTES_MAX && usize::from(open.items) < BATCH_ITEMS_MAX
        });
        if !fits {
            self.close_batch();
            // Batches mostly hold several items; growing from nothing would copy the first ones repeatedly.
            self.bytes.reserve(FIRST_BYTES.max(item_bytes + HEADER_BYTES + 2));
            self.open = Some(OpenBatch { start: self.bytes.len() as u32, items: 0 });
            self.bytes.extend_from_slice(&[opcode, 0, 0, 0, 0]);
        }
        if let Some(open) = &mut self.open {
            open.items += 1;
        }
        &mut self.bytes
    }

    /// Appends everything and keeps no memory; `true` when there was anything.
    pub(crate) fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.close_batch();
        let bytes = std::mem::take(&mut self.bytes);
        out.extend_from_slice(&bytes);
        !bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn close_batch(&mut self) {
        let Some(open) = self.open.take() else { return };
        let start = open.start as usize;
        set_length(&mut self.bytes, start);
        if let Some(count) = self.bytes.get_mut(start + HEADER_BYTES..start + HEADER_BYTES + 2) {
            count.copy_from_slice(&open.items.to_be_bytes());
        }
    }
}

/// Shows how much there is, never what: frames hold tokens and messages.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::split;

    #[test]
    fn items_share_a_frame_until_it_is_full_or_another_frame_comes() {
        let mut output = Output::default();
        for _ in 0..BATCH_ITEMS_MAX + 1 {
            output.item(0x20, 1).push(7);
        }
        output.frames().extend_from_slice(&[1, 0, 0]);
        for _ in 0..3 {
            output.item(0x20, 30_000).extend_from_slice(&[7; 30_000]);
        }
        let mut out = Vec::new();
        assert!(output.transmit(&mut out));
        assert!(!output.transmit(&mut out));
        assert_eq!(output.heap_bytes(), 0);
        let mut seen = Vec::new();
        let mut rest = out.as_slice();
        while let Ok(Some(frame)) = split(rest, FRAME_PAYLOAD_BYTES_MAX) {
            let items = frame.payload.first_chunk().map(|count| u16::from_be_bytes(*count));
            seen.push((frame.opcode, items));
            rest = frame.rest;
        }
        assert!(rest.is_empty());
        assert_eq!(seen, [(0x20, Some(1_024)), (0x20, Some(1)), (1, None), (0x20, Some(2)), (0x20, Some(1))]);
    }
}
