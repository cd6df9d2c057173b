//! How inputs change.

use fastrand::Rng;

/// Bytes that an input has at most: more than the largest frame.
pub const INPUT_BYTES_MAX: usize = 70_000;
/// Changes made to an input at once.
const CHANGES_MAX: usize = 6;
/// Numbers at which decoders go wrong, as bytes of a length or a count.
const INTERESTING: &[&[u8]] = &[
    &[0],
    &[1],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0, 0],
    &[0xff, 0xff],
    &[0x80, 0],
    &[0, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff; 8],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

/// Changes an input in one to six places; `other` is one to take pieces from.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    for _ in 0..rng.usize(1..=CHANGES_MAX) {
        change(input, other, rng);
    }
    input.truncate(INPUT_BYTES_MAX);
}

fn change(input: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    match rng.u8(0..9) {
        0 => flip_bit(input, rng),
        1 => set_byte(input, rng),
        2 => overwrite(input, interesting(rng), rng),
        3 => insert(input, interesting(rng), rng),
        4 => {
            let piece = some_piece(other, rng).to_vec();
            insert(input, &piece, rng);
        }
        5 => {
            let piece = some_piece(other, rng).to_vec();
            overwrite(input, &piece, rng);
        }
        6 => remove(input, rng),
        7 => input.truncate(rng.usize(0..=input.len())),
        _ => {
            let piece = some_piece(input, rng).to_vec();
            insert(input, &piece, rng);
        }
    }
}

fn flip_bit(input: &mut [u8], rng: &mut Rng) {
    let at = rng.usize(0..input.len().max(1));
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << rng.u8(0..8);
    }
}

fn set_byte(input: &mut [u8], rng: &mut Rng) {
    let at = rng.usize(0..input.len().max(1));
    if let Some(byte) = input.get_mut(at) {
        *byte = rng.u8(..);
    }
}

fn overwrite(input: &mut [u8], piece: &[u8], rng: &mut Rng) {
    let at = rng.usize(0..=input.len());
    for (byte, new) in input.iter_mut().skip(at).zip(piece) {
        *byte = *new;
    }
}

fn insert(input: &mut Vec<u8>, piece: &[u8], rng: &mut Rng) {
    let at = rng.usize(0..=input.len());
    let tail = input.split_off(at);
    input.extend_from_slice(piece);
    input.extend_from_slice(&tail);
}

fn remove(input: &mut Vec<u8>, rng: &mut Rng) {
    let start = rng.usize(0..=input.len());
    let end = (start + rng.usize(0..=16)).min(input.len());
    input.drain(start..end);
}

fn interesting(rng: &mut Rng) -> &'static [u8] {
    INTERESTING.get(rng.usize(0..INTERESTING.len())).copied().unwrap_or_default()
}

fn some_piece<'a>(bytes: &'a [u8], rng: &mut Rng) -> &'a [u8] {
    let start = rng.usize(0..=bytes.len());
    let end = (start + rng.usize(0..=64)).min(bytes.len());
    bytes.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_changes() {
        let changed = |seed| {
            let (mut input, mut rng) = (b"some input".to_vec(), Rng::with_seed(seed));
            (0..200).for_each(|_| mutate(&mut input, b"another", &mut rng));
            input
        };
        assert_eq!(changed(1), changed(1));
        assert_ne!(changed(1), changed(2));
    }

    #[test]
    fn an_empty_input_can_be_changed() {
        let (mut input, mut rng) = (Vec::new(), Rng::with_seed(7));
        (0..1_000).for_each(|_| mutate(&mut input, &[], &mut rng));
        assert!(input.len() <= INPUT_BYTES_MAX);
    }
}
