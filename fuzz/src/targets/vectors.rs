//! The frames of `docs/protocol-vectors.json`, to start from.

const VECTORS: &str = include_str!("../../../docs/protocol-vectors.json");

/// Whose frames.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// Every frame of one side that the vectors have, the malformed ones included.
pub(crate) fn frames(from: From) -> Vec<Vec<u8>> {
    let texts = VECTORS.split("\"bytes\":\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let is_wanted =
        |frame: &Vec<u8>| frame.first().is_some_and(|opcode| (opcode & 0x80 != 0) == (from == From::Server));
    texts.filter_map(|(hex, _)| bytes(hex)).filter(is_wanted).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs =
        hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_have_frames() {
        for from in [From::Client, From::Server] {
            assert!(frames(from).len() > 8);
        }
    }
}
