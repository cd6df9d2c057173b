//! Which inbox entries a device is given, and when: sync pages, live pushes, the window.

use std::collections::VecDeque;

use iris_types::Offset;
use iris_types::planted::{Bug, is_planted};
use iris_types::request::RequestId;

use crate::ServerLimits;

/// What to do with an entry or an own send that has an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The device has it or will get it by a sync.
    Drop,
    /// It is the next: give it.
    Give,
    /// Pushes stop here: tell the device to sync.
    Stop,
}

/// Where the device stands with its inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not synced yet, or told to sync.
    Idle,
    /// The core reads a page.
    Reading(RequestId),
    /// The device has a page that is not the last and has not acknowledged it.
    Given(RequestId),
    Live,
}

/// The state of one device's reading.
#[derive(Debug)]
pub(super) struct Flow {
    stage: Stage,
    /// The last entry given, or where the device said it stands.
    last: Offset,
    /// The highest offset heard of: a page that ends before it is not the last.
    heard_of: Offset,
    /// The highest acknowledgement of something that exists that was passed on.
    acknowledged: Offset,
    /// The acknowledgement that was passed on and is ahead, so that the core has to refuse it; 0: none.
    refusable: Offset,
    window: Window,
}

/// Entries given and not acknowledged; their offsets are dense and end with `Flow::last`.
#[derive(Debug, Default)]
struct Window {
    entry_bytes: VecDeque<u32>,
    bytes: u32,
}

/// What follows from an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// The core has not heard this one.
    pub is_news: bool,
    /// Read the page after this offset.
    pub next_page_after: Option<Offset>,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Idle,
            last: Offset::ZERO,
            heard_of: Offset::ZERO,
            acknowledged: Offset::ZERO,
            refusable: Offset::ZERO,
            window: Window::default(),
        }
    }

    /// The device's cursor and the end of the log at login.
    pub(super) fn attach(&mut self, cursor: Offset, log_end: Offset) {
        self.acknowledged = cursor;
        self.heard_of = self.heard_of.max(log_end);
    }

    pub(super) fn last(&self) -> Offset {
        self.last
    }

    pub(super) fn is_syncing(&self) -> bool {
        matches!(self.stage, Stage::Reading(_) | Stage::Given(_))
    }

    /// The device asks for everything after an offset.
    pub(super) fn sync(&mut self, request: RequestId, after: Offset) {
        self.stage = Stage::Reading(request);
        self.last = after;
        self.window = Window::default();
    }

    /// The request of the sync whose page is being read after this offset; `None`: nobody waits for this page.
    pub(super) fn reading_after(&self, after: Offset) -> Option<RequestId> {
        match self.stage {
            Stage::Reading(request) if self.last == after => Some(request),
            _ => None,
        }
    }

    /// The sync ends without success; the request that asked for it.
    pub(super) fn abandon(&mut self) -> Option<RequestId> {
        match self.stage {
            Stage::Reading(request) | Stage::Given(request) => {
                self.stage = Stage::Idle;
                Some(request)
            }
            Stage::Idle | Stage::Live => None,
        }
    }

    /// Entries up to here are gone: the page goes on behind them.
    pub(super) fn skip_gap(&mut self, last: Offset) {
        self.last = last;
        self.heard_of = self.heard_of.max(last);
    }

    /// Whether an entry of a page is the next one. A hole that nobody explained is not passed on.
    pub(super) fn give_of_page(&mut self, offset: Offset, bytes: usize) -> bool {
        if self.last.next() != Some(offset) && !is_planted(Bug::GapSilent) {
            return false;
        }
        self.give(offset, bytes);
        true
    }

    /// The page is complete; `log_end` as of its reading. Whether the device is live from here on.
    pub(super) fn end_page(&mut self, request: RequestId, log_end: Offset) -> bool {
        self.heard_of = self.heard_of.max(log_end);
        let is_live = self.last >= self.heard_of;
        self.stage = if is_live { Stage::Live } else { Stage::Given(request) };
        is_live
    }

    /// An entry was committed, or a send of this device whose place in the inbox is known.
    /// `has_room`: in the connection's output.
    pub(super) fn push(
        &mut self,
        offset: Offset,
        bytes: usize,
        has_room: bool,
        limits: &ServerLimits,
    ) -> Verdict {
        self.heard_of = self.heard_of.max(offset);
        if self.stage != Stage::Live || offset <= self.last {
            return Verdict::Drop;
        }
        let is_next = self.last.next() == Some(offset) || is_planted(Bug::PushNotContiguous);
        if !is_next || !has_room || !self.window.has_room(bytes, limits) {
            self.stage = Stage::Idle;
            return Verdict::Stop;
        }
        self.give(offset, bytes);
        Verdict::Give
    }

    /// Whether nobody has heard of an entry that far: the core will refuse to take it as acknowledged.
    pub(super) fn is_ahead(&self, up_to: Offset) -> bool {
        up_to > self.heard_of
    }

    /// Whether to pass on an acknowledgement that is ahead. One at a time waits for its refusal: those behind it
    /// would only be told the same.
    pub(super) fn acknowledge_ahead(&mut self, up_to: Offset) -> bool {
        let one_waits = self.is_ahead(self.refusable);
        if !one_waits {
            self.refusable = up_to;
        }
        !one_waits
    }

    /// The device has everything up to here, which is not more than there is.
    pub(super) fn acknowledge(&mut self, up_to: Offset) -> Acknowledged {
        let is_news = up_to > self.acknowledged;
        self.acknowledged = self.acknowledged.max(up_to);
        self.window.release(self.last.0.saturating_sub(up_to.0));
        let next_page_after = match self.stage {
            Stage::Given(request) if up_to == self.last => {
                self.stage = Stage::Reading(request);
                Some(self.last)
            }
            _ => None,
        };
        Acknowledged { is_news, next_page_after }
    }

    /// The core refused an acknowledgement: the same one is news again.
    pub(super) fn forget_acknowledged(&mut self) {
        self.acknowledged = Offset::ZERO;
        self.refusable = Offset::ZERO;
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.window.entry_bytes.capacity() * size_of::<u32>()
    }

    fn give(&mut self, offset: Offset, bytes: usize) {
        self.last = offset;
        self.heard_of = self.heard_of.max(offset);
        self.window.add(bytes);
    }
}

impl Window {
    /// A single entry always finds room, whatever its size.
    fn has_room(&self, bytes: usize, limits: &ServerLimits) -> bool {
        self.entry_bytes.is_empty()
            || (self.entry_bytes.len() < limits.window_entries_max as usize
                && self.bytes as usize + bytes <= limits.window_bytes_max as usize)
    }

    fn add(&mut self, bytes: usize) {
        self.entry_bytes.push_back(bytes as u32);
        self.bytes += bytes as u32;
    }

    /// Drops all but the newest `kept` entries; an empty window keeps no memory.
    fn release(&mut self, kept: u64) {
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        while self.entry_bytes.len() > kept {
            self.bytes -= self.entry_bytes.pop_front().unwrap_or(0);
        }
        if self.entry_bytes.is_empty() {
            self.entry_bytes = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: RequestId = RequestId(1);

    fn live_at(last: u64) -> Flow {
        let mut flow = Flow::new();
        flow.sync(REQUEST, Offset(last));
        assert!(flow.end_page(REQUEST, Offset(last)));
        flow
    }

    #[test]
    fn only_the_next_entry_passes() {
        let limits = ServerLimits::default();
        let mut flow = live_at(5);
        assert_eq!(flow.push(Offset(5), 1, true, &limits), Verdict::Drop);
        assert_eq!(flow.push(Offset(6), 1, true, &limits), Verdict::Give);
        assert_eq!(flow.push(Offset(6), 1, true, &limits), Verdict::Drop);
        assert_eq!(flow.push(Offset(8), 1, true, &limits), Verdict::Stop);
        assert_eq!(flow.push(Offset(7), 1, true, &limits), Verdict::Drop, "said once, then silent");
        flow.sync(REQUEST, Offset(6));
        assert!(!flow.end_page(REQUEST, Offset(6)), "entry 8 was heard of");
    }

    #[test]
    fn the_window_counts_entries_and_bytes_until_they_are_acknowledged() {
        let limits = ServerLimits { window_entries_max: 2, window_bytes_max: 10, ..ServerLimits::default() };
        let mut flow = live_at(0);
        assert_eq!(flow.push(Offset(1), 99, true, &limits), Verdict::Give, "one entry always fits");
        assert_eq!(flow.acknowledge(Offset(1)), Acknowledged { is_news: true, next_page_after: None });
        assert_eq!(flow.acknowledge(Offset(1)), Acknowledged { is_news: false, next_page_after: None });
        assert_eq!(flow.heap_bytes(), 0);
        assert_eq!(flow.push(Offset(2), 5, true, &limits), Verdict::Give);
        assert_eq!(flow.push(Offset(3), 5, true, &limits), Verdict::Give);
        flow.acknowledge(Offset(2));
        assert_eq!(flow.push(Offset(4), 6, true, &limits), Verdict::Stop, "bytes");
        let mut flow = live_at(0);
        assert_eq!(flow.push(Offset(1), 0, true, &limits), Verdict::Give);
        assert_eq!(flow.push(Offset(2), 0, true, &limits), Verdict::Give);
        assert_eq!(flow.push(Offset(3), 0, true, &limits), Verdict::Stop, "entries");
    }

    #[test]
    fn one_acknowledgement_ahead_waits_for_its_refusal() {
        let mut flow = live_at(5);
        assert!(!flow.is_ahead(Offset(5)) && flow.is_ahead(Offset(6)));
        assert!(flow.acknowledge_ahead(Offset(6)));
        assert!(!flow.acknowledge_ahead(Offset(7)));
        flow.forget_acknowledged();
        assert!(flow.acknowledge_ahead(Offset(7)));
        // It was none after all, so no refusal comes.
        flow.push(Offset(9), 1, true, &ServerLimits::default());
        assert!(flow.acknowledge_ahead(Offset(10)));
    }

    #[test]
    fn the_next_page_waits_for_the_last_entry_of_this_one() {
        let mut flow = Flow::new();
        flow.sync(REQUEST, Offset(3));
        assert_eq!(flow.reading_after(Offset(2)), None);
        assert_eq!(flow.reading_after(Offset(3)), Some(REQUEST));
        assert!(!flow.give_of_page(Offset(5), 1), "a hole");
        assert!(flow.give_of_page(Offset(4), 1) && flow.give_of_page(Offset(5), 1));
        assert!(!flow.end_page(REQUEST, Offset(9)));
        assert_eq!(flow.acknowledge(Offset(4)).next_page_after, None);
        assert_eq!(flow.acknowledge(Offset(5)).next_page_after, Some(Offset(5)));
        assert_eq!(flow.acknowledge(Offset(5)).next_page_after, None);
    }
}
