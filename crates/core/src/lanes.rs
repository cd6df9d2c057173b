//! Threads that carry out the workers' calls.
//!
//! Each worker's log has a thread of its own: its appends are the pulse of everything. Reads and writes of all
//! workers share a few threads, reads apart from writes, so that a long merge holds up neither a page nor a flush.
//! Merges give way to everything else that wants a processor: they make reading cheaper later on, now they would
//! only make somebody wait.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use iris_store::Engine;
use iris_worker::{Call, CallId, Lane, SharedCache, WorkerIndex, execute};
use rustix::process::setpriority_process;

use crate::driver::Event;
use crate::{Report, Shared, lock, spawn};

/// Threads for loads and pages.
const READERS: usize = 2; // layout
/// Threads for flushes and registers.
const WRITERS: usize = 2; // layout
/// About a third of the share of a processor that a thread of niceness 0 gets.
const BACKGROUND_NICENESS: i32 = 5; // layout

/// Finds a thread's queue.
type LaneOf = fn(&Lanes, usize) -> Option<&JobQueue>;

/// A call and who waits for it.
pub(crate) struct Job {
    pub(crate) worker: WorkerIndex,
    pub(crate) id: CallId,
    pub(crate) call: Call,
}

/// The queues in front of the threads. Bounded by the calls that the workers' own bounds allow.
pub(crate) struct Lanes {
    logs: Vec<JobQueue>,
    reads: JobQueue,
    writes: JobQueue,
    background: JobQueue,
}

/// One queue, any number of threads.
#[derive(Default)]
struct JobQueue {
    jobs: Mutex<Jobs>,
    arrived: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Lanes {
    pub(crate) fn new(workers: u16) -> Self {
        Self {
            logs: (0..workers).map(|_| JobQueue::default()).collect(),
            reads: JobQueue::default(),
            writes: JobQueue::default(),
            background: JobQueue::default(),
        }
    }

    pub(crate) fn submit(&self, job: Job) {
        let lane = match job.call.lane() {
            Lane::Log => self.logs.get(usize::from(job.worker.0)).unwrap_or(&self.writes),
            Lane::Read => &self.reads,
            Lane::Write => &self.writes,
            Lane::Background => &self.background,
        };
        lane.put(job);
    }

    pub(crate) fn close(&self) {
        self.logs.iter().chain([&self.reads, &self.writes, &self.background]).for_each(JobQueue::close);
    }
}

impl JobQueue {
    fn put(&self, job: Job) {
        let mut jobs = lock(&self.jobs);
        if !jobs.closed {
            jobs.waiting.push_back(job);
            drop(jobs);
            self.arrived.notify_one();
        }
    }

    /// The next job; `None` when the lane is closed.
    fn take(&self) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        loop {
            if jobs.closed {
                return None;
            }
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            jobs = self.arrived.wait(jobs).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn close(&self) {
        let mut jobs = lock(&self.jobs);
        jobs.closed = true;
        jobs.waiting.clear();
        drop(jobs);
        self.arrived.notify_all();
    }
}

/// Starts all threads of all lanes.
pub(crate) fn start(
    shared: &Arc<Shared>,
    engine: &Engine,
    cache: &Arc<SharedCache>,
    report: &Report,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    let mut start = |name: String, lane: LaneOf, number: usize, niceness: i32| {
        let (shared, engine, cache) = (Arc::clone(shared), engine.clone(), Arc::clone(cache));
        threads.push(spawn(name, report, move || {
            // Of this thread alone (setpriority(2), "C library/kernel differences"). Without it the work is the same.
            let _ = setpriority_process(None, niceness);
            while let Some(job) = lane(&shared.lanes, number).and_then(JobQueue::take) {
                carry_out(job, &shared, &engine, &cache);
            }
        })?);
        Ok::<_, std::io::Error>(())
    };
    for worker in 0..shared.mailboxes.len() {
        start(format!("log-{worker}"), |lanes, worker| lanes.logs.get(worker), worker, 0)?;
    }
    for number in 0..READERS {
        start(format!("read-{number}"), |lanes, _| Some(&lanes.reads), number, 0)?;
    }
    for number in 0..WRITERS {
        start(format!("write-{number}"), |lanes, _| Some(&lanes.writes), number, 0)?;
    }
    start("background".to_owned(), |lanes, _| Some(&lanes.background), 0, BACKGROUND_NICENESS)?;
    Ok(threads)
}

fn carry_out(job: Job, shared: &Shared, engine: &Engine, cache: &SharedCache) {
    let result = execute(job.call, engine, cache);
    if let Some(mailbox) = shared.mailbox(job.worker) {
        // Closed: the core is stopping, and nobody acts on results any more.
        let _ = mailbox.put(Event::Done { call: job.id, result });
    }
}
