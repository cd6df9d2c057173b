//! Ordered streams between vnodes: dense positions, a watermark, confirms.
//!
//! A position is given by the source's decision and becomes real with its chunk. The destination takes exactly
//! watermark + 1; the source forgets a forward only when a committed watermark confirms it.

use std::collections::VecDeque;

use bytes::Bytes;
use iris_types::Position;
use iris_types::planted::{Bug, is_planted};

use crate::Stamp;

/// The source's end of one stream.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Last position given out.
    pub last: Position,
    /// Last position confirmed.
    pub confirmed: Position,
    /// Last position confirmed by an event that is committed: rows up to here may go.
    pub settled: Position,
    /// Last position whose event is committed.
    pub committed: Position,
    /// Last position sent on the link.
    pub sent: Position,
    /// Forwards behind `confirmed`, up to `last`.
    pub queue: VecDeque<Bytes>,
}

/// The destination's end of one stream.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// Last position taken.
    pub watermark: Position,
    /// Chunk of the event that took it.
    pub touched: Stamp,
    /// Forwards that follow the watermark and wait for a recipient's state.
    pub queue: VecDeque<(Position, Bytes)>,
}

/// What a destination does with a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    Take,
    /// Taken before: confirm again, after the commit of the watermark.
    Duplicate,
    /// Something before it is missing; the source sends again.
    Gap,
}

impl Outgoing {
    /// As the rows say.
    #[must_use]
    pub fn new(last: Position, confirmed: Position) -> Self {
        Self { last, confirmed, settled: confirmed, committed: last, sent: confirmed, queue: VecDeque::new() }
    }

    /// Queues a forward; `None` at the end of the counter.
    pub fn push(&mut self, forward: Bytes) -> Option<Position> {
        self.last = self.last.next()?;
        self.queue.push_back(forward);
        Some(self.last)
    }

    /// Gives a position to a forward that its destination takes in the same chunk.
    pub fn pass(&mut self) -> Option<Position> {
        self.last = self.last.next()?;
        self.confirmed = self.last;
        self.committed = self.last;
        self.sent = self.last;
        self.queue.clear();
        Some(self.last)
    }

    /// Forgets what is confirmed. Whether that was news.
    pub fn confirm(&mut self, up_to: Position) -> bool {
        if up_to <= self.confirmed || up_to > self.committed {
            return false;
        }
        while self.confirmed < up_to {
            self.confirmed = Position(self.confirmed.0 + 1);
            self.queue.pop_front();
        }
        self.sent = self.sent.max(up_to);
        true
    }

    /// Committed forwards that were not sent, at most so many, and the position of the first.
    #[must_use]
    pub fn unsent(&self, count: usize) -> (Position, Vec<Bytes>) {
        let skip = usize::try_from(self.sent.0 - self.confirmed.0).unwrap_or(usize::MAX);
        let left = usize::try_from(self.committed.0.saturating_sub(self.sent.0)).unwrap_or(usize::MAX);
        let forwards = self.queue.iter().skip(skip).take(left.min(count)).cloned().collect();
        (Position(self.sent.0 + 1), forwards)
    }
}

impl Incoming {
    /// What to do with a position that arrived, when everything before it in the queue is taken first.
    #[must_use]
    pub fn arrival(&self, position: Position) -> Arrival {
        let behind = self.queue.back().map_or(self.watermark, |(last, _)| *last);
        if is_planted(Bug::WatermarkOffByOne) && position == behind && position > Position::ZERO {
            return Arrival::Take;
        }
        if is_planted(Bug::WatermarkNotDense) && position > behind {
            return Arrival::Take;
        }
        if position.0 == behind.0 + 1 {
            Arrival::Take
        } else if position <= behind {
            Arrival::Duplicate
        } else {
            Arrival::Gap
        }
    }

    /// Whether a forward may be decided without going through the queue: nothing older is on its way.
    #[must_use]
    pub fn is_continuous(&self, outgoing: &Outgoing) -> bool {
        is_planted(Bug::ShortcutWithoutContinuity)
            || (self.watermark == outgoing.last && self.queue.is_empty())
    }
}
