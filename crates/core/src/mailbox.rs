//! A bounded queue into one thread, taken whole.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What waits for a thread. Senders never block: what does not fit stays with them.
pub(crate) struct Mailbox<T> {
    queue: Mutex<Queue<T>>,
    arrived: Condvar,
    /// Items from outside that may wait. Answers of our own calls are bounded by the calls in flight.
    bound: usize,
}

struct Queue<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// Nobody reads the mailbox any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T> Mailbox<T> {
    pub(crate) const fn new(bound: usize) -> Self {
        let queue = Queue { items: VecDeque::new(), closed: false };
        Self { queue: Mutex::new(queue), arrived: Condvar::new(), bound }
    }

    /// Takes from the front of `batch` what fits, in order; gives back how much that was.
    pub(crate) fn offer<U: Into<T>>(&self, batch: &mut Vec<U>) -> usize {
        let mut queue = self.lock();
        let room = if queue.closed { 0 } else { self.bound.saturating_sub(queue.items.len()) };
        let taken = room.min(batch.len());
        queue.items.extend(batch.drain(..taken).map(Into::into));
        drop(queue);
        if taken > 0 {
            self.arrived.notify_one();
        }
        taken
    }

    /// Adds what must not be refused: an answer of a call, or a word of the operator.
    pub(crate) fn put(&self, item: T) -> Result<(), Closed> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Closed);
        }
        queue.items.push_back(item);
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }

    /// Moves everything that waits into `into`, waiting up to `patience` for the first item.
    pub(crate) fn take(&self, into: &mut VecDeque<T>, patience: Option<Duration>) {
        let mut queue = self.lock();
        if queue.items.is_empty() && !queue.closed {
            queue = match patience {
                Some(patience) => {
                    let waited = self.arrived.wait_timeout(queue, patience);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
        into.append(&mut queue.items);
    }

    /// From now on nothing is taken in; what waits is dropped.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.items.clear();
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
    use super::*;

    fn taken(mailbox: &Mailbox<u32>) -> Vec<u32> {
        let mut items = VecDeque::new();
        mailbox.take(&mut items, Some(Duration::ZERO));
        items.into()
    }

    #[test]
    fn a_full_mailbox_leaves_the_rest_with_the_sender_in_order() {
        let mailbox = Mailbox::new(3);
        let mut batch = vec![1_u32, 2, 3, 4];
        assert_eq!(mailbox.offer(&mut batch), 3);
        assert_eq!(batch, [4]);
        assert_eq!(mailbox.offer(&mut batch), 0);
        assert_eq!(mailbox.put(9), Ok(()));
        assert_eq!(taken(&mailbox), [1, 2, 3, 9]);
        assert_eq!(mailbox.offer(&mut batch), 1);
        assert_eq!(taken(&mailbox), [4]);
    }

    #[test]
    fn a_closed_mailbox_takes_nothing_and_wakes_its_reader() {
        let mailbox = Mailbox::<u32>::new(3);
        mailbox.close();
        assert_eq!(mailbox.offer(&mut vec![1_u32]), 0);
        assert_eq!(mailbox.put(1), Err(Closed));
        let mut items = VecDeque::new();
        mailbox.take(&mut items, None);
        assert!(items.is_empty() && mailbox.is_closed());
    }
}
