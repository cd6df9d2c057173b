//! The way from the workers to one event loop: everything that waits is taken at once.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iris_cluster::{EdgeLink, ToEdge};
use iris_types::UserId;
use iris_types::limits::LINK_ITEMS_MAX;
use iris_types::request::SessionId;
use rustix::event::{EventfdFlags, eventfd};

/// What waits for one event loop.
///
/// Bounded: answers by the requests in flight, which the other direction bounds; everything else by
/// [`LINK_ITEMS_MAX`]. Of the pushes of a session beyond that only the last is kept: its connection sees the hole in
/// the offsets and tells the device to sync. So it is with what a session is told of one user's presence. Who writes
/// is not told.
#[derive(Debug)]
pub struct EdgeInbox {
    waiting: Mutex<Waiting>,
    /// Whether the loop is sure to look before it sleeps.
    awake: AtomicBool,
    wake_up: OwnedFd,
}

#[derive(Debug, Default)]
struct Waiting {
    items: Vec<ToEdge>,
    last_pushes: BTreeMap<SessionId, ToEdge>,
    last_presences: BTreeMap<(SessionId, UserId), ToEdge>,
}

impl EdgeInbox {
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> std::io::Result<Self> {
        let wake_up = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { waiting: Mutex::default(), awake: AtomicBool::new(true), wake_up })
    }

    /// One inbox for each of `event_loops`, in the order of [`SessionId::event_loop`].
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn for_loops(event_loops: u16) -> std::io::Result<Vec<Arc<Self>>> {
        (0..event_loops).map(|_| Self::new().map(Arc::new)).collect()
    }

    /// Makes the loop take a turn.
    pub fn wake(&self) {
        // Full (it never is: the loop empties it) means awake too.
        let _ = rustix::io::write(&self.wake_up, &1_u64.to_ne_bytes());
    }

    /// Moves everything that waits into `items`, which has to be empty: its allocation is used next.
    pub(crate) fn take(&self, items: &mut Vec<ToEdge>) {
        let mut waiting = self.lock();
        std::mem::swap(&mut waiting.items, items);
        items.extend(std::mem::take(&mut waiting.last_pushes).into_values());
        items.extend(std::mem::take(&mut waiting.last_presences).into_values());
    }

    /// Announces that the loop is about to sleep; `false` when something came meanwhile.
    pub(crate) fn may_sleep(&self) -> bool {
        self.awake.store(false, Ordering::SeqCst);
        self.lock().items.is_empty()
    }

    /// From now on nobody has to wake the loop.
    pub(crate) fn stays_awake(&self) {
        self.awake.store(true, Ordering::SeqCst);
    }

    /// Empties the descriptor after it woke the loop.
    pub(crate) fn silence(&self) {
        let _ = rustix::io::read(&self.wake_up, &mut [0_u8; 8]);
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake_up.as_fd()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EdgeLink for EdgeInbox {
    fn deliver(&self, batch: &mut Vec<ToEdge>) {
        if batch.is_empty() {
            return;
        }
        self.lock().add(batch);
        if !self.awake.swap(true, Ordering::SeqCst) {
            self.wake();
        }
    }
}

impl Waiting {
    fn add(&mut self, batch: &mut Vec<ToEdge>) {
        if self.items.len() + batch.len() <= LINK_ITEMS_MAX {
            self.items.append(batch);
        } else {
            batch.drain(..).for_each(|item| self.add_one(item));
        }
    }

    fn add_one(&mut self, item: ToEdge) {
        let is_full = self.items.len() >= LINK_ITEMS_MAX;
        match &item {
            ToEdge::Push { session, .. } if is_full => {
                self.last_pushes.insert(*session, item);
            }
            ToEdge::Presence { session, presence } if is_full => {
                self.last_presences.insert((*session, presence.user.clone()), item);
            }
            ToEdge::Typing { .. } if is_full => {}
            _ => self.items.push(item),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use bytes::Bytes;
    use iris_types::{
        Body, BodyKind, ConversationId, ErrorCode, InboxEntry, InboxItem, InboxMessage, MessageId, Offset,
        Presence, PresenceState, Seq, Timestamp, Typing,
    };

    use super::*;

    fn session(slot: u32) -> SessionId {
        SessionId { event_loop: 0, slot, generation: 1 }
    }

    fn close() -> ToEdge {
        ToEdge::Close { session: session(1), code: ErrorCode::Replaced }
    }

    fn push(slot: u32, offset: u64) -> ToEdge {
        let user = UserId::new("alice").unwrap();
        let message = InboxMessage {
            conversation: ConversationId([1; 16]),
            seq: Seq(1),
            id: MessageId::from_parts(Timestamp(1), [0; 10]),
            from: user.clone(),
            with: user.into(),
            origin: None,
            sent_at: Timestamp(1),
            body: Body::new(BodyKind::TEXT, Bytes::from_static(b"x")).unwrap(),
        };
        let entry = InboxEntry { offset: Offset(offset), item: InboxItem::Message(message) };
        ToEdge::Push { session: session(slot), entry: Arc::new(entry) }
    }

    fn pushed(items: &[ToEdge]) -> Vec<(u32, u64)> {
        let of = |item: &ToEdge| match item {
            ToEdge::Push { session, entry } => Some((session.slot, entry.offset.0)),
            _ => None,
        };
        items.iter().filter_map(of).collect()
    }

    #[test]
    fn everything_comes_out_once_in_order() {
        let inbox = EdgeInbox::new().unwrap();
        inbox.deliver(&mut vec![push(1, 1), push(2, 1)]);
        inbox.deliver(&mut vec![push(1, 2)]);
        let mut items = Vec::new();
        inbox.take(&mut items);
        assert_eq!(pushed(&items), [(1, 1), (2, 1), (1, 2)]);
        items.clear();
        inbox.take(&mut items);
        assert!(items.is_empty());
    }

    #[test]
    fn beyond_the_bound_only_the_last_push_of_a_session_is_kept_and_every_answer() {
        let inbox = EdgeInbox::new().unwrap();
        inbox.deliver(&mut (0..LINK_ITEMS_MAX).map(|_| close()).collect());
        inbox.deliver(&mut (1..=1_000).flat_map(|offset| [push(1, offset), push(2, offset)]).collect());
        inbox.deliver(&mut vec![close()]);
        let mut items = Vec::new();
        inbox.take(&mut items);
        assert_eq!(items.len(), LINK_ITEMS_MAX + 1 + 2);
        assert_eq!(pushed(&items), [(1, 1_000), (2, 1_000)]);
    }

    #[test]
    fn beyond_the_bound_only_the_last_presence_of_a_user_is_kept_and_no_typing() {
        let inbox = EdgeInbox::new().unwrap();
        inbox.deliver(&mut (0..LINK_ITEMS_MAX).map(|_| close()).collect());
        let presence = |slot, user: &str, at| ToEdge::Presence {
            session: session(slot),
            presence: Presence {
                user: UserId::new(user).unwrap(),
                state: PresenceState::LastSeen(Timestamp(at)),
            },
        };
        let typing =
            Typing { conversation: ConversationId([1; 16]), user: UserId::new("bob").unwrap(), on: true };
        let typing = ToEdge::Typing { session: session(1), typing: Arc::new(typing) };
        let told = [(1, "bob", 1), (1, "carol", 2), (2, "bob", 3), (1, "bob", 4)];
        inbox.deliver(&mut told.iter().map(|(slot, user, at)| presence(*slot, user, *at)).collect());
        inbox.deliver(&mut vec![typing]);
        let mut items = Vec::new();
        inbox.take(&mut items);
        let rest = items.split_off(LINK_ITEMS_MAX);
        let shown: Vec<_> = rest
            .iter()
            .map(|item| match item {
                ToEdge::Presence {
                    session,
                    presence: Presence { user, state: PresenceState::LastSeen(at) },
                } => (session.slot, user.as_str(), at.0),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(shown, [(1, "bob", 4), (1, "carol", 2), (2, "bob", 3)]);
    }

    #[test]
    fn a_sleeper_is_woken_once_and_never_sleeps_over_an_item() {
        let inbox = EdgeInbox::new().unwrap();
        let mut counter = [0; 8];
        assert!(inbox.may_sleep());
        inbox.deliver(&mut vec![close()]);
        inbox.deliver(&mut vec![close()]);
        assert_eq!(rustix::io::read(inbox.descriptor(), &mut counter), Ok(8));
        assert_eq!(u64::from_ne_bytes(counter), 1);
        assert!(!inbox.may_sleep());
    }
}
