//! What a worker is told when it is made.

use iris_types::VnodeId;
use iris_types::limits::{
    CHUNK_BYTES_MAX, DIRTY_BYTES_MAX, EXPIRY_CAUTION_MS, FLUSH_BYTES, FLUSH_INTERVAL_MS, GATHERED_BYTES_MAX,
    GROUP_MEMBERS_MAX, LOG_TAIL_BYTES_MAX, RECEIPT_INTERVAL_MS, STATE_CACHE_BYTES,
};
use iris_types::placement::VnodeCount;
use iris_vnode::bucket::Rate;

/// Which of the workers that share a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerIndex(pub u16);

/// Which worker holds which vnode: vnode `v` of worker `v mod workers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    workers: u16,
}

impl Placement {
    /// One worker holds everything.
    pub const SINGLE: Self = Self { workers: 1 };

    /// Vnodes dealt out over so many workers; none counts as one.
    #[must_use]
    pub const fn spread(workers: u16) -> Self {
        Self { workers: if workers == 0 { 1 } else { workers } }
    }

    #[must_use]
    pub const fn workers(self) -> u16 {
        self.workers
    }

    #[must_use]
    pub const fn worker_of(self, vnode: VnodeId) -> WorkerIndex {
        WorkerIndex(vnode.0 % self.workers)
    }
}

/// Everything that makes one worker differ from another.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    pub vnodes: VnodeCount,
    pub placement: Placement,
    pub index: WorkerIndex,
    pub limits: WorkerLimits,
    /// Source of the names of logs, chunks and runs. Fresh randomness for every worker ever made on an engine.
    pub seed: [u8; 32],
}

/// Bounds that a deployment, a test or the simulator may choose.
#[derive(Clone, Copy, Debug)]
pub struct WorkerLimits {
    /// Bytes of one chunk of events; the decision that reaches them is its last.
    pub chunk_bytes_max: usize,
    /// Bytes of decided events that wait behind the chunk in flight; beyond it requests are refused with `busy`.
    pub gathered_bytes_max: usize,
    /// Milliseconds that a chunk waits for more events although none is in flight.
    pub linger_ms: u64,
    /// Bytes of a vnode's memory table that make it flush.
    pub flush_bytes: usize,
    /// Milliseconds after which a vnode with any unflushed row flushes.
    pub flush_interval_ms: u64,
    /// Bytes of all memory tables; beyond it sends are refused with `busy` until a flush made room.
    pub dirty_bytes_max: usize,
    /// Bytes of the own log behind the oldest `start`.
    pub log_tail_bytes_max: u64,
    /// Bytes of loaded state of users and conversations; clean state beyond it is dropped.
    pub state_cache_bytes: usize,
    /// Requests that wait for a load; more are refused with `busy`.
    pub waiting_max: usize,
    /// Forwards of one stream that are not confirmed; beyond it sends that need it are refused with `busy`.
    pub stream_backlog_max: usize,
    /// Whether a send waits until its recipient's state is loaded, so that it needs no forward on this worker.
    /// Without it a cold recipient's message goes through the stream.
    pub waits_for_recipient: bool,
    /// Members and invitations of one group.
    pub group_members_max: usize,
    /// Messages and changes of groups of one user, over all devices.
    pub messages: Rate,
    /// Milliseconds over which the acknowledgements and marks of one user are gathered into one event, at least; up to
    /// [`iris_types::limits::ACKNOWLEDGE_INTERVAL_MS_MAX`] while acknowledgements go on.
    pub acknowledge_interval_ms: u64,
    /// Milliseconds after the clock jumped ahead in which nothing expires; after a start at most
    /// [`iris_types::limits::EXPIRY_START_CAUTION_MS`] of them.
    pub expiry_caution_ms: u64,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self {
            chunk_bytes_max: CHUNK_BYTES_MAX,
            gathered_bytes_max: GATHERED_BYTES_MAX,
            linger_ms: 0,
            flush_bytes: FLUSH_BYTES,
            flush_interval_ms: FLUSH_INTERVAL_MS,
            dirty_bytes_max: DIRTY_BYTES_MAX,
            log_tail_bytes_max: LOG_TAIL_BYTES_MAX,
            state_cache_bytes: STATE_CACHE_BYTES,
            waiting_max: 65_536,
            stream_backlog_max: 4_096,
            waits_for_recipient: true,
            group_members_max: GROUP_MEMBERS_MAX,
            messages: Rate::GENEROUS,
            acknowledge_interval_ms: RECEIPT_INTERVAL_MS,
            expiry_caution_ms: EXPIRY_CAUTION_MS,
        }
    }
}
