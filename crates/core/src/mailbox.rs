//! A bounded queue into one thread, taken whole.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What waits for a thread. Senders never block: what does not fit stays with them.
pub(crate) struct Mailbox<T> {
    queue: Mutex<Queue<T>>,
    arrived: Condvar,
    /// What may wait of [`Self::offer`]. Answers of our own calls are bounded by the calls in flight.
    bound: Bound,
}

/// Offers are taken in while there are fewer than these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// What an item keeps in memory, roughly.
pub(crate) trait Weigh {
    fn bytes(&self) -> usize;
}

struct Queue<T> {
    /// From outside, in their order.
    offered: VecDeque<T>,
    offered_bytes: usize,
    /// Our own.
    put: VecDeque<T>,
    closed: bool,
}

/// Nobody reads the mailbox any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T: Weigh> Mailbox<T> {
    pub(crate) const fn new(bound: Bound) -> Self {
        let queue = Queue { offered: VecDeque::new(), offered_bytes: 0, put: VecDeque::new(), closed: false };
        Self { queue: Mutex::new(queue), arrived: Condvar::new(), bound }
    }

    /// Takes from the front of `batch` what fits, in order; gives back how much that was.
    pub(crate) fn offer<U: Into<T>>(&self, batch: &mut Vec<U>) -> usize {
        let mut queue = self.lock();
        let room = if queue.closed { 0 } else { self.bound.items.saturating_sub(queue.offered.len()) };
        let mut rest = std::mem::take(batch).into_iter();
        let mut taken = 0;
        while taken < room
            && queue.offered_bytes < self.bound.bytes
            && let Some(item) = rest.next()
        {
            let item: T = item.into();
            queue.offered_bytes += item.bytes();
            queue.offered.push_back(item);
            taken += 1;
        }
        drop(queue);
        batch.extend(rest);
        if taken > 0 {
            self.arrived.notify_one();
        }
        taken
    }

    /// Adds something from outside that must not be refused, behind what was offered before.
    pub(crate) fn insist(&self, item: T) -> Result<(), Closed> {
        self.add(|queue| {
            queue.offered_bytes += item.bytes();
            queue.offered.push_back(item);
        })
    }

    /// Adds what must not be refused: an answer of a call, or a word of the operator.
    pub(crate) fn put(&self, item: T) -> Result<(), Closed> {
        self.add(|queue| queue.put.push_back(item))
    }

    fn add(&self, add: impl FnOnce(&mut Queue<T>)) -> Result<(), Closed> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Closed);
        }
        add(&mut queue);
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }

    /// Moves everything of our own into `own` and what was offered into `offered`, if that is given; waits up to
    /// `patience` for the first item. What is not asked for does not wake: it is there when it is.
    pub(crate) fn take(
        &self,
        own: &mut VecDeque<T>,
        offered: Option<&mut VecDeque<T>>,
        patience: Option<Duration>,
    ) {
        let mut queue = self.lock();
        let has_any = !queue.put.is_empty() || (offered.is_some() && !queue.offered.is_empty());
        if !has_any && !queue.closed {
            queue = match patience {
                Some(patience) => {
                    let waited = self.arrived.wait_timeout(queue, patience);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
        own.append(&mut queue.put);
        if let Some(offered) = offered {
            offered.append(&mut queue.offered);
            queue.offered_bytes = 0;
        }
    }

    /// From now on nothing is taken in; what waits is dropped.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.put.clear();
        queue.offered.clear();
        drop(queue);
        self.arrived.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// A panic of another thread cannot leave the queue half changed: every change is one step.
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    impl Weigh for u32 {
        fn bytes(&self) -> usize {
            *self as usize
        }
    }

    const BOUND: Bound = Bound { items: 3, bytes: 1_000 };

    fn taken(mailbox: &Mailbox<u32>) -> [Vec<u32>; 2] {
        let (mut own, mut offered) = (VecDeque::new(), VecDeque::new());
        mailbox.take(&mut own, Some(&mut offered), Some(Duration::ZERO));
        [own.into(), offered.into()]
    }

    #[test]
    fn a_full_mailbox_leaves_the_rest_with_the_sender_in_order() {
        let mailbox = Mailbox::new(BOUND);
        let mut batch = vec![1_u32, 2, 3, 4];
        assert_eq!(mailbox.offer(&mut batch), 3);
        assert_eq!(batch, [4]);
        assert_eq!(mailbox.offer(&mut batch), 0);
        assert_eq!((mailbox.put(9), mailbox.insist(5)), (Ok(()), Ok(())));
        assert_eq!(taken(&mailbox), [vec![9], vec![1, 2, 3, 5]]);
        assert_eq!(mailbox.offer(&mut batch), 1);
        assert_eq!(taken(&mailbox), [vec![], vec![4]]);
    }

    #[test]
    fn heavy_items_fill_it_too() {
        let mailbox = Mailbox::new(BOUND);
        let mut batch = vec![999_u32, 5_000, 1];
        assert_eq!(mailbox.offer(&mut batch), 2, "one more than fits, so that any size is taken at last");
        assert_eq!(taken(&mailbox), [vec![], vec![999, 5_000]]);
        assert_eq!(mailbox.offer(&mut batch), 1);
    }

    #[test]
    fn what_was_offered_waits_when_only_the_own_is_taken() {
        let mailbox = Mailbox::new(BOUND);
        mailbox.offer(&mut vec![1_u32, 2]);
        mailbox.put(9).unwrap();
        let mut own = VecDeque::new();
        mailbox.take(&mut own, None, Some(Duration::ZERO));
        mailbox.take(&mut own, None, Some(Duration::ZERO));
        assert_eq!(own, [9]);
        assert_eq!(taken(&mailbox), [vec![], vec![1, 2]]);
    }

    #[test]
    fn a_closed_mailbox_takes_nothing_and_wakes_its_reader() {
        let mailbox = Mailbox::<u32>::new(BOUND);
        mailbox.close();
        assert_eq!(mailbox.offer(&mut vec![1_u32]), 0);
        assert_eq!((mailbox.put(1), mailbox.insist(1)), (Err(Closed), Err(Closed)));
        let mut items = VecDeque::new();
        mailbox.take(&mut items, None, None);
        assert!(items.is_empty() && mailbox.is_closed());
    }
}
