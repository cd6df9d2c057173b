//! What an edge tells its event loops, and what they tell it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use iris_protocol::DrainHint;

/// The edge since its start. Counters are sums over the event loops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Open now, handshakes in progress included.
    pub connections: u64,
    pub handshakes_in_flight: u64,
    /// Logged in now.
    pub sessions: u64,
    /// Not read now, because the client does not take what it is owed.
    pub reading_paused: u64,
    pub accepted: u64,
    pub handshakes_done: u64,
    pub handshakes_failed: u64,
    /// TLS bytes, TCP payload only.
    pub bytes_received: u64,
    pub bytes_sent: u64,
    /// TLS records with application data.
    pub records_received: u64,
    pub records_sent: u64,
    /// Calls that wrote to a socket.
    pub writes: u64,
    /// Requests and logins handed to the core, and those it had no room for.
    pub submitted: u64,
    pub refused_busy: u64,
    /// Connections refused or dropped because their address has too many.
    pub rate_limited: u64,
    /// WebSockets opened.
    pub websockets: u64,
    pub turns: u64,
    /// CPU time of each event loop's thread, in microseconds, as of about a second ago.
    pub event_loop_cpu_us: Vec<u64>,
}

/// How an edge is drained.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrainOrder {
    pub(crate) hint: DrainHint,
    pub(crate) grace_ms: u64,
}

/// Shared by an edge and its loops.
#[derive(Debug)]
pub(crate) struct Control {
    stopping: AtomicBool,
    draining: AtomicBool,
    orders: Mutex<Option<DrainOrder>>,
    emptied: Condvar,
    loops: Vec<Counters>,
}

/// One loop's part of [`Statistics`], written by that loop only. What is shown is of one moment.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shown: Mutex<Statistics>,
    cpu_us: AtomicU64,
}

macro_rules! summed {
    ($($name:ident),*) => {
        impl Statistics {
            fn add(&mut self, part: &Self) {
                $(self.$name += part.$name;)*
            }
        }
    };
}

summed! {
    connections, handshakes_in_flight, sessions, reading_paused, accepted, handshakes_done, handshakes_failed, bytes_received,
    bytes_sent, records_received, records_sent, writes, submitted, refused_busy, rate_limited, websockets, turns
}

impl Counters {
    /// Shows a loop's own totals to the others.
    pub(crate) fn publish(&self, totals: &Statistics) {
        self.shown().clone_from(totals);
    }

    pub(crate) fn set_cpu(&self, micros: u64) {
        self.cpu_us.store(micros, Ordering::Relaxed);
    }

    fn add_to(&self, sum: &mut Statistics) {
        sum.add(&self.shown());
        sum.event_loop_cpu_us.push(self.cpu_us.load(Ordering::Relaxed));
    }

    fn shown(&self) -> MutexGuard<'_, Statistics> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    pub(crate) fn new(event_loops: usize) -> Self {
        Self {
            stopping: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            orders: Mutex::new(None),
            emptied: Condvar::new(),
            loops: (0..event_loops).map(|_| Counters::default()).collect(),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn drain(&self, order: DrainOrder) {
        self.orders().get_or_insert(order);
        self.draining.store(true, Ordering::SeqCst);
    }

    /// The order to drain, once there is one.
    pub(crate) fn drain_order(&self) -> Option<DrainOrder> {
        if self.draining.load(Ordering::SeqCst) { *self.orders() } else { None }
    }

    pub(crate) fn counters(&self, event_loop: usize) -> Option<&Counters> {
        self.loops.get(event_loop)
    }

    /// A loop has closed its last connection.
    pub(crate) fn announce_empty(&self) {
        drop(self.orders());
        self.emptied.notify_all();
    }

    pub(crate) fn wait_until_empty(&self, limit: Duration) -> bool {
        let guard = self.orders();
        let result = self.emptied.wait_timeout_while(guard, limit, |_| !self.is_empty());
        drop(result);
        self.is_empty()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let mut sum = Statistics::default();
        self.loops.iter().for_each(|counters| counters.add_to(&mut sum));
        sum
    }

    fn is_empty(&self) -> bool {
        self.loops.iter().all(|counters| counters.shown().connections == 0)
    }

    fn orders(&self) -> MutexGuard<'_, Option<DrainOrder>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_loop_shows_is_of_one_moment() {
        let control = Control::new(1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turns in 1..=50_000 {
                    let totals = Statistics { connections: turns, turns, ..Statistics::default() };
                    control.counters(0).into_iter().for_each(|counters| counters.publish(&totals));
                }
            });
            loop {
                let seen = control.statistics();
                assert_eq!(seen.connections, seen.turns);
                if seen.turns == 50_000 {
                    return;
                }
            }
        });
    }
}
