//! The core: threads that drive worker machines and engines.
//!
//! One thread per worker turns its machine; other threads carry out the machine's calls, so that a flush or a
//! merge never holds up a commit. The core decides nothing: what is allowed, durable or sent lies in
//! `iris-worker` and `iris-vnode`.
//!
//! - [`Core`]: the running core; [`CoreConfig`]: what it needs; [`CoreEvent`]: what it reports.

mod driver;
mod lanes;
mod mailbox;
mod router;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use iris_cluster::{CoreLink, EdgeLink, ToCore};
use iris_store::Engine;
use iris_types::placement::VnodeCount;
use iris_types::request::TokenFacts;
use iris_types::{Monotonic, Timestamp, UserId};
use iris_worker::{
    AdminAnswer, AdminCommand, AdminId, Placement, SharedCache, Statistics, StopReason, Worker, WorkerConfig,
    WorkerIndex, WorkerLimits,
};

use crate::driver::{Driver, Event};
use crate::lanes::Lanes;
use crate::mailbox::{Bound, Mailbox};
use crate::router::Router;
use iris_types::limits::{LINK_BYTES_MAX, LINK_ITEMS_MAX};

/// The wall clock and the one that never jumps, read together.
pub type CoreClock = Arc<dyn Fn() -> (Timestamp, Monotonic) + Send + Sync>;

/// Told what happens, from the core's threads. Must not block.
pub type Report = Arc<dyn Fn(CoreEvent) + Send + Sync>;

/// What a core needs.
pub struct CoreConfig {
    pub vnodes: VnodeCount,
    /// Threads that own a log each.
    pub workers: u16,
    pub limits: WorkerLimits,
    pub engine: Engine,
    /// Bytes of decoded blocks kept in memory.
    pub block_cache_bytes: usize,
    /// Fresh randomness, one for each worker.
    pub seeds: Vec<[u8; 32]>,
    pub clock: CoreClock,
    /// One per event loop, in the order of their numbers.
    pub edges: Vec<Arc<dyn EdgeLink>>,
    pub report: Report,
}

/// What a core reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoreEvent {
    /// Every worker has finished its take-over: requests are served.
    Ready,
    /// Every worker has committed and flushed what there was.
    Drained,
    /// A worker is dead. Nothing leaves it any more; the process has to exit.
    Stopped(StopReason),
}

/// A running core.
pub struct Core {
    router: Router,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads of a core have in common.
pub(crate) struct Shared {
    pub(crate) mailboxes: Vec<Arc<Mailbox<Event>>>,
    pub(crate) lanes: Lanes,
    pub(crate) statistics: Vec<Mutex<Statistics>>,
    answers: Mutex<BTreeMap<AdminId, AdminReply>>,
    next_admin: AtomicU64,
}

/// Called once with the answer to an admin command.
pub type AdminReply = Box<dyn FnOnce(AdminAnswer) + Send>;

impl Core {
    /// Starts the threads; the workers begin their take-over at once.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(config: CoreConfig) -> std::io::Result<Arc<Self>> {
        let placement = Placement::spread(config.workers);
        let workers = placement.workers();
        let bound = Bound { items: LINK_ITEMS_MAX, bytes: LINK_BYTES_MAX };
        let mailbox = |_| Arc::new(Mailbox::new(bound));
        let shared = Arc::new(Shared {
            mailboxes: (0..workers).map(mailbox).collect(),
            lanes: Lanes::new(workers),
            statistics: (0..workers).map(|_| Mutex::default()).collect(),
            answers: Mutex::default(),
            next_admin: AtomicU64::new(1),
        });
        let cache = Arc::new(SharedCache::new(config.block_cache_bytes));
        let mut threads = lanes::start(&shared, &config.engine, &cache, &config.report)?;
        let progress = Arc::new(driver::Progress::new(workers, Arc::clone(&config.report)));
        for (index, seed) in (0..workers).zip(config.seeds) {
            let worker_config = WorkerConfig {
                vnodes: config.vnodes,
                placement,
                index: WorkerIndex(index),
                limits: config.limits,
                seed,
            };
            let (now, mono) = (config.clock)();
            let driver = Driver {
                index,
                worker: Worker::new(worker_config, now, mono),
                shared: Arc::clone(&shared),
                clock: Arc::clone(&config.clock),
                edges: config.edges.clone(),
                progress: Arc::clone(&progress),
            };
            threads.push(spawn(format!("worker-{index}"), &config.report, move || driver.run())?);
        }
        let router = Router { vnodes: config.vnodes, placement };
        Ok(Arc::new(Self { router, shared, threads: Mutex::new(threads) }))
    }

    /// Refuses every token of the user issued up to now; their sessions end. `reply` is called when that is
    /// durable.
    pub fn revoke_user(&self, user: UserId, reply: AdminReply) {
        self.administer(&user.clone(), AdminCommand::RevokeUser { user }, reply);
    }

    /// Refuses one token; its sessions end.
    pub fn revoke_token(&self, user: UserId, token: &TokenFacts, reply: AdminReply) {
        let command =
            AdminCommand::RevokeToken { user: user.clone(), token: token.id, expires_at: token.expires_at };
        self.administer(&user, command, reply);
    }

    /// Says that the disk is nearly full, or has room again.
    pub fn safe_mode(&self, on: bool) {
        self.tell_all(|| Event::SafeMode(on));
    }

    /// Takes nothing new, commits and flushes; [`CoreEvent::Drained`] follows.
    pub fn drain(&self) {
        self.tell_all(|| Event::Drain);
    }

    /// Ends the threads without ceremony: like a crash, only tidier.
    pub fn stop(&self) {
        self.shared.close();
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            // A panic was reported by the panic hook already.
            let _ = thread.join();
        }
    }

    /// Counters of each worker, as of the end of its last turn.
    #[must_use]
    pub fn statistics(&self) -> Vec<Statistics> {
        self.shared.statistics.iter().map(|statistics| lock(statistics).clone()).collect()
    }

    fn administer(&self, user: &UserId, command: AdminCommand, reply: AdminReply) {
        let id = AdminId(self.shared.next_admin.fetch_add(1, Ordering::Relaxed));
        lock(&self.shared.answers).insert(id, reply);
        let worker = self.router.of_user(user);
        let told = self
            .shared
            .mailbox(worker)
            .is_some_and(|mailbox| mailbox.put(Event::Admin { id, command }).is_ok());
        if !told {
            let refusal = iris_types::ErrorCode::Draining.into();
            self.shared.answer_admin(id, AdminAnswer::Refused(refusal));
        }
    }

    fn tell_all(&self, event: impl Fn() -> Event) {
        for mailbox in &self.shared.mailboxes {
            // A closed mailbox: the worker is dead or stopped, and that has been reported.
            let _ = mailbox.put(event());
        }
    }
}

impl CoreLink for Core {
    fn submit(&self, batch: &mut Vec<ToCore>) {
        self.router.submit(batch, &self.shared.mailboxes);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    pub(crate) fn mailbox(&self, worker: WorkerIndex) -> Option<&Arc<Mailbox<Event>>> {
        self.mailboxes.get(usize::from(worker.0))
    }

    pub(crate) fn answer_admin(&self, id: AdminId, answer: AdminAnswer) {
        let reply = lock(&self.answers).remove(&id);
        if let Some(reply) = reply {
            reply(answer);
        }
    }

    fn close(&self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.close());
        self.lanes.close();
    }
}

/// A panic elsewhere cannot leave these values half changed: every change is one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports a thread that ends by a panic: nobody else does its work, and callers would wait for ever.
struct Watch(Report);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = "a thread of the core panicked".to_owned();
            (self.0)(CoreEvent::Stopped(StopReason::Defect(what)));
        }
    }
}

/// The only place of the core that starts threads.
#[allow(clippy::disallowed_methods)]
pub(crate) fn spawn(
    name: String,
    report: &Report,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let watch = Watch(Arc::clone(report));
    std::thread::Builder::new().name(name).spawn(move || {
        let _watch = watch;
        run();
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_worker_that_panics_is_reported() {
        let (events, reported) = mpsc::sync_channel(4);
        let events = Mutex::new(events);
        let (calls, turns) = (AtomicUsize::new(0), 3);
        let clock = move || {
            assert!(calls.fetch_add(1, Ordering::Relaxed) < turns, "a clock that breaks");
            (Timestamp(1), Monotonic(1))
        };
        let core = Core::start(CoreConfig {
            vnodes: VnodeCount::new(1).unwrap(),
            workers: 1,
            limits: WorkerLimits::default(),
            engine: iris_store::memory::MemoryEngine::new().engine(),
            block_cache_bytes: 0,
            seeds: vec![[1; 32]],
            clock: Arc::new(clock),
            edges: Vec::new(),
            report: Arc::new(move |event| drop(lock(&events).try_send(event))),
        });
        let stopped = reported.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(matches!(stopped, CoreEvent::Stopped(StopReason::Defect(_))), "{stopped:?}");
        drop(core);
    }
}
