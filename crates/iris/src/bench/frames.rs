//! Cuts a stream of bytes into frames, to look at them below the client machine.

use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The beginning of a frame that is not complete.
    partial: Vec<u8>,
}

impl Frames {
    /// Calls `each` with opcode and payload of every frame that these bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], each: impl FnMut(u8, &[u8])) {
        if self.partial.is_empty() {
            let rest = cut(bytes, each);
            self.partial.extend_from_slice(rest);
            return;
        }
        self.partial.extend_from_slice(bytes);
        let rest = cut(&self.partial, each).len();
        self.partial.drain(..self.partial.len() - rest);
    }
}

fn cut(mut bytes: &[u8], mut each: impl FnMut(u8, &[u8])) -> &[u8] {
    while let Ok(Some(envelope)) = iris_protocol::frame::split(bytes, FRAME_PAYLOAD_BYTES_MAX) {
        each(envelope.opcode, envelope.payload);
        bytes = envelope.rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_however_the_bytes_are_cut() {
        let stream = [7, 0, 2, b'a', b'b', 9, 0, 0, 8, 0, 1, b'c'];
        for cut in 0..stream.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                frames.feed(part, |opcode, payload| seen.push((opcode, payload.to_vec())));
            }
            assert_eq!(seen, [(7, b"ab".to_vec()), (9, vec![]), (8, b"c".to_vec())]);
        }
    }
}
