//! How a conversation stands for one of its members: what is read, and what the user has set.
//!
//! Messages of others are counted without touching this: those behind the read mark are all behind it, less the own
//! ones. So it changes with own sends, marks and flags alone.
//!
//! Layout, numbers as varints ([`crate::codec`]): read, own messages ever, own messages forgotten, the last of these,
//! flags 1, then for each run of own messages behind the mark, ascending: how far it begins behind the end of the one
//! before (or the mark), and how many follow its first.

use bytes::{BufMut, Bytes};
use iris_types::limits::OWN_RANGES_MAX;
use iris_types::{Flags, Seq};

use crate::codec::{Malformed, Reader, put_varint};

/// One member's line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Read up to here. Never moves back.
    pub read: Seq,
    /// Messages that the user ever wrote in it.
    pub own_total: u64,
    /// Runs of own messages behind the mark: first and last seq, ascending, with others between them.
    own: Vec<(Seq, Seq)>,
    /// Own messages behind the mark that are older than all of `own` and are not told apart any more.
    forgotten: u64,
    /// The last of these.
    forgotten_to: Seq,
    pub flags: Flags,
}

impl Line {
    /// The line of somebody who comes into a conversation with the message `seq`, which is read if it is their own.
    #[must_use]
    pub fn beginning(seq: Seq, is_own: bool) -> Self {
        let mut line = Self { read: Seq(seq.0.saturating_sub(1)), ..Self::default() };
        if is_own {
            line.write(seq);
        }
        line
    }

    /// An own message. Right behind the mark it moves the mark: there is nothing to read between.
    pub fn write(&mut self, seq: Seq) {
        self.own_total = self.own_total.saturating_add(1);
        match self.own.last_mut() {
            Some((_, last)) if last.0.saturating_add(1) == seq.0 => *last = seq,
            _ => self.own.push((seq, seq)),
        }
        if self.own.len() > OWN_RANGES_MAX {
            let (first, last) = self.own.remove(0);
            self.forgotten = self.forgotten.saturating_add(last.0 - first.0 + 1);
            self.forgotten_to = last;
        }
        self.advance();
    }

    /// Everything up to `up_to` is read. Whether that was news.
    ///
    /// Among messages that are not told apart any more own ones are taken for the first, so until the mark has passed
    /// them more may count as unread than are.
    pub fn mark(&mut self, up_to: Seq) -> bool {
        if up_to <= self.read {
            return false;
        }
        let passed = up_to.0 - self.read.0;
        self.read = up_to;
        self.forgotten = if up_to >= self.forgotten_to { 0 } else { self.forgotten.saturating_sub(passed) };
        self.own.retain_mut(|(first, last)| {
            *first = (*first).max(Seq(up_to.0.saturating_add(1)));
            first <= last
        });
        self.advance();
        true
    }

    /// Messages of others up to `last` that are not read.
    #[must_use]
    pub fn unread(&self, last: Seq) -> u64 {
        let own: u64 = self.own.iter().map(|(first, last)| last.0 - first.0 + 1).sum();
        last.0.saturating_sub(self.read.0).saturating_sub(own).saturating_sub(self.forgotten)
    }

    /// Whether the user wrote, and somebody else did, too; `last` is the last seq.
    #[must_use]
    pub const fn is_mutual(&self, last: Seq) -> bool {
        self.own_total > 0 && last.0 > self.own_total
    }

    fn advance(&mut self) {
        while self.forgotten == 0
            && let Some((first, last)) = self.own.first().copied()
            && first.0 == self.read.0.saturating_add(1)
        {
            self.read = last;
            self.own.remove(0);
        }
    }

    /// Whether there is room between the mark and the first of `own` for what is forgotten.
    fn is_sound(&self) -> bool {
        let first = self.own.first().map_or(Seq(u64::MAX), |(first, _)| *first);
        let room = self.forgotten_to.0.saturating_sub(self.read.0);
        self.forgotten == 0 || self.forgotten <= room && self.forgotten_to < first
    }

    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(16 + self.own.len() * 4);
        put_varint(&mut bytes, self.read.0);
        put_varint(&mut bytes, self.own_total);
        put_varint(&mut bytes, self.forgotten);
        put_varint(&mut bytes, self.forgotten_to.0);
        bytes.put_u8(self.flags.bits());
        let mut before = self.read.0;
        for (first, last) in &self.own {
            put_varint(&mut bytes, first.0.saturating_sub(before));
            put_varint(&mut bytes, last.0 - first.0);
            before = last.0;
        }
        Bytes::from(bytes)
    }

    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let what = "line row";
        let mut reader = Reader::new(bytes, what);
        let (read, own_total) = (Seq(reader.varint()?), reader.varint()?);
        let (forgotten, forgotten_to) = (reader.varint()?, Seq(reader.varint()?));
        let flags = Flags::from_bits(reader.u8()?).ok_or(Malformed(what))?;
        let (mut own, mut before) = (Vec::new(), read.0);
        while !reader.is_empty() {
            let first = before.checked_add(reader.varint()?).ok_or(Malformed(what))?;
            let last = first.checked_add(reader.varint()?).ok_or(Malformed(what))?;
            if first <= before || own.len() >= OWN_RANGES_MAX {
                return Err(Malformed(what));
            }
            own.push((Seq(first), Seq(last)));
            before = last;
        }
        let line = Self { read, own_total, own, forgotten, forgotten_to, flags };
        if line.is_sound() { Ok(line) } else { Err(Malformed(what)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages by whether they are own ones; the count is compared with a recount after every step.
    #[test]
    fn unread_is_what_a_recount_says() -> Result<(), Malformed> {
        for seed in 0..200_u64 {
            let (mut state, mut line, mut messages) = (seed * 2 + 1, Line::default(), Vec::new());
            let mut next = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % below
            };
            for _ in 0..60 {
                match next(4) {
                    0 => messages.push(false),
                    1 => {
                        messages.push(true);
                        line.write(Seq(messages.len() as u64));
                    }
                    _ => {
                        let up_to = next(messages.len() as u64 + 1);
                        let before = line.read;
                        assert_eq!(line.mark(Seq(up_to)), up_to > before.0);
                        assert!(line.read >= before);
                    }
                }
                let behind = messages.iter().skip(line.read.0 as usize);
                let recount = behind.filter(|own| !**own).count() as u64;
                assert_eq!(line.unread(Seq(messages.len() as u64)), recount, "seed {seed}");
                assert_eq!(Line::decode(line.encode())?, line);
            }
        }
        Ok(())
    }

    #[test]
    fn a_line_that_cannot_be_is_malformed() {
        // Read, own ever, forgotten, the last of these, flags; own messages behind the mark.
        for bad in [
            &[5, 9, 1, 5, 0][..],
            &[5, 9, 3, 7, 0],
            &[5, 9, 2, 7, 0, 2, 0],
            &[5, 9, 0, 0, 16],
            &[5, 9, 0, 0, 0, 0, 0],
        ] {
            assert!(Line::decode(Bytes::copy_from_slice(bad)).is_err(), "{bad:?}");
        }
        assert!(Line::decode(Bytes::from_static(&[5, 9, 2, 7, 0, 3, 0])).is_ok());
    }

    #[test]
    fn many_runs_are_forgotten_but_stay_counted() {
        let mut line = Line::default();
        for seq in (2..=100).step_by(2) {
            line.write(Seq(seq));
            assert_eq!(Line::decode(line.encode()).as_ref(), Ok(&line));
        }
        assert!(line.own.len() <= OWN_RANGES_MAX);
        assert_eq!(line.unread(Seq(100)), 50);
        for seq in 1..90 {
            line.mark(Seq(seq));
            assert_eq!(Line::decode(line.encode()).as_ref(), Ok(&line));
            // Never fewer than there are.
            assert!(line.unread(Seq(100)) >= (100 - line.read.0) / 2, "{seq}");
        }
        line.mark(Seq(99));
        assert_eq!((line.read, line.unread(Seq(100))), (Seq(100), 0));
        assert_eq!(line.own_total, 50);
    }

    #[test]
    fn who_comes_in_has_the_message_that_brought_them_unread() {
        assert_eq!(Line::beginning(Seq(7), false).unread(Seq(7)), 1);
        assert_eq!(Line::beginning(Seq(7), true).unread(Seq(9)), 2);
        assert!(!Line::beginning(Seq(1), true).is_mutual(Seq(1)));
        assert!(Line::beginning(Seq(1), true).is_mutual(Seq(2)));
    }
}
