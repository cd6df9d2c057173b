//! How a question about history goes on, page by page, and how a send in doubt is looked for.

use iris_types::limits::{HISTORY_HELD_BYTES_MAX, ID_AHEAD_MS_MAX, PAGE_ITEMS_MAX};
use iris_types::request::{HistoryFrom, HistoryPage, ReadHistory};
use iris_types::{ErrorCode, HistoryEntry, MessageId, Seq, Target, Timestamp, UserId};

use crate::outbox::InDoubt;
use crate::query::Found;
use crate::{HistoryQuestion, Outcome};

/// Bytes that an entry counts for besides its body.
const ENTRY_BYTES: usize = 128;

/// How a history question goes on. Entries are given ascending, whatever their number.
#[derive(Debug)]
pub(crate) enum Plan {
    /// The newest entries of a direct conversation: a first page tells the last `seq`, and since `seq` is dense
    /// there, the first one wanted is known then.
    Newest {
        from: HistoryFrom,
        limit: u64,
    },
    Forward {
        after: Seq,
        limit: u64,
        more: More,
    },
    Backward(Backward),
}

/// The newest entries of a group, of which a user may see some stretches only: pages backward until there are enough,
/// then forward again through those that were not held.
#[derive(Debug)]
pub(crate) struct Backward {
    from: HistoryFrom,
    /// Wanted.
    limit: u64,
    /// Seen so far.
    count: u64,
    /// The oldest of them, ascending.
    held: Vec<HistoryEntry>,
    held_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum More {
    /// As the last page says.
    Ahead,
    /// Known: there are entries before the first wanted one.
    Before(bool),
}

/// What a page yields: entries for the application, and whether there are more if this was the last page.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) entries: Vec<HistoryEntry>,
    pub(crate) ended: Option<bool>,
}

impl Plan {
    pub(crate) fn new(question: &HistoryQuestion) -> Self {
        let limit = question.limit.get();
        match (question.from, &question.with) {
            (HistoryFrom::After(after), _) => Self::Forward { after, limit, more: More::Ahead },
            (from, Target::User(_)) => Self::Newest { from, limit },
            (from, Target::Group(_)) => {
                Self::Backward(Backward { from, limit, count: 0, held: Vec::new(), held_bytes: 0 })
            }
        }
    }

    /// The page to ask for.
    pub(crate) fn page(&self, with: &Target) -> ReadHistory {
        let (from, limit) = match self {
            Self::Newest { from, limit } => (*from, *limit),
            Self::Forward { after, limit, .. } => (HistoryFrom::After(*after), *limit),
            Self::Backward(backward) => (backward.from, backward.limit - backward.count),
        };
        let limit = limit.clamp(1, PAGE_ITEMS_MAX as u64) as u16;
        ReadHistory { with: with.clone(), from, limit }
    }

    pub(crate) fn step(&mut self, mut entries: Vec<HistoryEntry>, page_more: bool) -> Step {
        if let Self::Backward(backward) = self {
            let (next, step) = backward.step(entries, page_more);
            if let Some(next) = next {
                *self = next;
            }
            return step;
        }
        let Some(last) = entries.last().map(|entry| entry.seq) else {
            let more = matches!(self, Self::Forward { more: More::Before(true), .. });
            return Step { entries, ended: Some(more) };
        };
        match *self {
            Self::Newest { limit, .. } => {
                let count = entries.len() as u64;
                if count < limit && page_more {
                    let before_first = Seq(last.0.saturating_sub(limit));
                    let limit = limit.min(last.0);
                    let more = More::Before(before_first.0 > 0);
                    *self = Self::Forward { after: before_first, limit, more };
                    return Step { entries: Vec::new(), ended: None };
                }
                let surplus = count.saturating_sub(limit) as usize;
                entries.drain(..surplus);
                Step { entries, ended: Some(page_more || surplus > 0) }
            }
            Self::Forward { limit, more, .. } => {
                let surplus = entries.len() as u64 > limit;
                entries.truncate(limit.try_into().unwrap_or(usize::MAX));
                let left = limit - entries.len() as u64;
                let ended = (left == 0 || !page_more).then_some(match more {
                    More::Ahead => page_more || surplus,
                    More::Before(more) => more,
                });
                let after = entries.last().map_or(last, |entry| entry.seq);
                *self = Self::Forward { after, limit: left, more };
                Step { entries, ended }
            }
            Self::Backward(_) => Step { entries, ended: None },
        }
    }
}

impl Backward {
    /// Takes a page in front of what was seen. The plan that follows, once the begin is found.
    fn step(&mut self, mut page: Vec<HistoryEntry>, page_more: bool) -> (Option<Plan>, Step) {
        let wanted = self.limit - self.count;
        let surplus = (page.len() as u64).saturating_sub(wanted) as usize;
        page.drain(..surplus);
        // A page that says there is more and brings nothing would be asked for without end.
        let goes_on = page_more && surplus == 0 && !page.is_empty();
        self.count += page.len() as u64;
        if let Some(first) = page.first() {
            self.from = HistoryFrom::Before(first.seq);
        }
        self.hold(page);
        if goes_on && self.count < self.limit {
            return (None, Step { entries: Vec::new(), ended: None });
        }
        let more = page_more || surplus > 0;
        let entries = std::mem::take(&mut self.held);
        let left = self.count - entries.len() as u64;
        let Some(last) = entries.last().map(|entry| entry.seq).filter(|_| left > 0) else {
            return (None, Step { entries, ended: Some(more) });
        };
        let next = Plan::Forward { after: last, limit: left, more: More::Before(more) };
        (Some(next), Step { entries, ended: None })
    }

    /// Puts a page in front, and lets go of the newest ones when that is too much.
    fn hold(&mut self, mut page: Vec<HistoryEntry>) {
        let bytes = |entry: &HistoryEntry| ENTRY_BYTES + entry.body.bytes().len();
        self.held_bytes += page.iter().map(bytes).sum::<usize>();
        page.append(&mut self.held);
        self.held = page;
        while self.held_bytes > HISTORY_HELD_BYTES_MAX && self.held.len() > 1 {
            if let Some(newest) = self.held.pop() {
                self.held_bytes -= bytes(&newest);
            }
        }
    }
}

/// Looks for the send in a page; goes on before it until the entries are older than the send can be.
pub(crate) fn look(
    send: &InDoubt,
    before: &mut Option<Seq>,
    page: &HistoryPage,
    user: &UserId,
) -> Option<Found> {
    let found = |outcome| Some(Found { number: send.number, id: send.id, outcome });
    if let Some(entry) = page.entries.iter().find(|entry| entry.id == send.id && entry.from == *user) {
        // The same id with another body is another message: the server would have said so inside the window.
        if entry.body != send.body {
            return found(Some(Outcome::Failed(ErrorCode::IdConflict.into())));
        }
        let conversation = page.conversation;
        return found(Some(Outcome::Sent { conversation, seq: entry.seq, sent_at: entry.sent_at }));
    }
    let Some(first) = page.entries.first() else { return found(None) };
    if !page.more || first.sent_at < earliest(send.id) {
        return found(None);
    }
    *before = Some(first.seq);
    None
}

/// A message may be committed a little before the time that its id is dated at; twice that, to be sure.
fn earliest(id: MessageId) -> Timestamp {
    id.timestamp().minus_millis(2 * ID_AHEAD_MS_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::num::NonZeroU64;

    use bytes::Bytes;
    use iris_types::{Body, BodyKind, ConversationId};

    use super::*;
    use crate::SendNumber;

    fn entry(seq: u64, bytes: usize) -> HistoryEntry {
        HistoryEntry {
            seq: Seq(seq),
            id: MessageId::from_parts(Timestamp(seq), [1; 10]),
            from: UserId::new("bob").unwrap(),
            sent_at: Timestamp(seq),
            body: Body::new(BodyKind::TEXT, vec![b'x'; bytes].into()).unwrap(),
        }
    }

    /// Answers a question from `visible`, with pages of at most three; gives the seqs and the end.
    fn read(visible: &[u64], bytes: usize, from: HistoryFrom, limit: u64) -> (Vec<u64>, bool, usize) {
        let group = Target::Group(ConversationId([1; 16]));
        let limit = NonZeroU64::new(limit).unwrap();
        let mut plan = Plan::new(&HistoryQuestion { with: group.clone(), from, limit });
        let mut seqs = Vec::new();
        for pages in 1.. {
            let ask = plan.page(&group);
            let limit = usize::from(ask.limit).min(3);
            let inside = |seq: &&u64| match ask.from {
                HistoryFrom::Latest => true,
                HistoryFrom::Before(before) => **seq < before.0,
                HistoryFrom::After(after) => **seq > after.0,
            };
            let mut page: Vec<u64> = visible.iter().filter(inside).copied().collect();
            let more = page.len() > limit;
            match ask.from {
                HistoryFrom::After(_) => page.truncate(limit),
                _ => drop(page.drain(..page.len().saturating_sub(limit))),
            }
            let step = plan.step(page.into_iter().map(|seq| entry(seq, bytes)).collect(), more);
            seqs.extend(step.entries.iter().map(|entry| entry.seq.0));
            if let Some(more) = step.ended {
                return (seqs, more, pages);
            }
        }
        unreachable!("pages go on until the end")
    }

    #[test]
    fn the_newest_entries_of_a_group_are_found_over_the_stretches_that_a_user_may_see() {
        let visible: Vec<u64> = (3..=9).chain(40..=41).chain(70..=80).collect();
        // Small bodies are held on the way back; of large ones only the oldest are, and the others read again.
        for bytes in [1, 30_000] {
            for limit in 1..=visible.len() + 2 {
                let (seqs, more, _) = read(&visible, bytes, HistoryFrom::Latest, limit as u64);
                let wanted = limit.min(visible.len());
                assert_eq!(seqs, visible[visible.len() - wanted..], "{limit}");
                assert_eq!(more, limit < visible.len(), "{limit}");
            }
            let (seqs, more, _) = read(&visible, bytes, HistoryFrom::Before(Seq(70)), 4);
            assert_eq!((seqs, more), (vec![8, 9, 40, 41], true));
        }
        assert_eq!(read(&visible, 1, HistoryFrom::After(Seq(9)), 3), (vec![40, 41, 70], true, 1));
        assert_eq!(read(&[], 1, HistoryFrom::Latest, 3), (vec![], false, 1));
        let (small, large) =
            (read(&visible, 1, HistoryFrom::Latest, 20).2, read(&visible, 30_000, HistoryFrom::Latest, 20).2);
        assert!(small == 7 && large > 7, "{small} and {large} pages");
    }

    #[test]
    fn a_page_without_entries_ends_a_question_whatever_it_says() {
        let limit = NonZeroU64::new(5).unwrap();
        let group = Target::Group(ConversationId([1; 16]));
        let mut plan = Plan::new(&HistoryQuestion { with: group, from: HistoryFrom::Latest, limit });
        assert!(plan.step(Vec::new(), true).ended.is_some());
    }

    #[test]
    fn an_id_that_is_found_with_another_body_is_a_conflict() -> Result<(), Box<dyn std::error::Error>> {
        let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
        let body = |text| Body::new(BodyKind::TEXT, Bytes::from_static(text));
        let (id, sent_at) = (MessageId::from_parts(Timestamp(5), [1; 10]), Timestamp(6));
        let entry = HistoryEntry { seq: Seq(3), id, from: alice.clone(), sent_at, body: body(b"first")? };
        let conversation = ConversationId::direct(&alice, &bob);
        let page = HistoryPage { conversation, entries: vec![entry], more: false };
        let sent = Outcome::Sent { conversation, seq: Seq(3), sent_at };
        let conflict = Outcome::Failed(ErrorCode::IdConflict.into());
        for (text, outcome) in [(&b"first"[..], sent), (b"other", conflict)] {
            let with = Target::from(&bob);
            let send = InDoubt { number: SendNumber(1), id, with, body: body(text)? };
            let found = look(&send, &mut None, &page, &alice).and_then(|found| found.outcome);
            assert_eq!(found, Some(outcome));
        }
        Ok(())
    }
}
