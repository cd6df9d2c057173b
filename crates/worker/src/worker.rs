//! The machine: its parts, its turn, and who takes which input.

use std::collections::BTreeSet;
use std::vec::Drain;

use iris_store::StoreError;
use iris_types::request::{Request, SessionId};
use iris_types::{ErrorCode, Monotonic, RunName, Timestamp, UserId, VnodeId};
use iris_vnode::{Map, Nonces};

use crate::acknowledge::Noted;
use crate::call::{Call, CallId, CallResult, Outcome, Work};
use crate::chunk::OwnLog;
use crate::evict::Hands;
use crate::expire::Expiring;
use crate::flush::Flushing;
use crate::hosted::Hosted;
use crate::loading::{Loading, Target};
use crate::merge::Merging;
use crate::names::Names;
use crate::permits::Permits;
use crate::presence::Presences;
use crate::publish::Publishing;
use crate::receipts::GroupReceipts;
use crate::revoke_device::Ended;
use crate::slab::Slab;
use crate::state::{Caller, ConversationSlot, Named, UserCommand, UserSlot};
use crate::streams::Links;
use crate::takeover::Takeover;
use crate::{Input, Output, Statistics, StopReason, WorkerConfig};

/// Hosts vnodes and their log. See the crate's page.
#[derive(Debug)]
pub struct Worker {
    pub(crate) config: WorkerConfig,
    pub(crate) now: Timestamp,
    pub(crate) mono: Monotonic,
    /// When this worker was made: what was said before is not known to it.
    pub(crate) started_at: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) names: Names,
    pub(crate) log: OwnLog,
    /// By number; `None` for those of other workers.
    pub(crate) vnodes: Vec<Option<Hosted>>,
    pub(crate) users: Slab<UserSlot>,
    pub(crate) user_index: Map<UserId, u32>,
    pub(crate) conversations: Slab<ConversationSlot>,
    pub(crate) conversation_index: Map<Named, u32>,
    pub(crate) nonces: Nonces,
    /// Logins being decided; false once their connection is gone.
    pub(crate) attaching: Map<SessionId, bool>,
    pub(crate) ended: Ended,
    pub(crate) noted: Noted,
    pub(crate) group_receipts: GroupReceipts,
    pub(crate) presences: Presences,
    pub(crate) permits: Permits,
    pub(crate) loading: Loading,
    pub(crate) hands: Hands,
    pub(crate) links: Links,
    pub(crate) flush: Flushing,
    pub(crate) merging: Merging,
    pub(crate) expiring: Expiring,
    pub(crate) publishing: Publishing,
    pub(crate) dirty_bytes: usize,
    /// Safe mode as the driver says it.
    pub(crate) safe_mode: bool,
    /// The last append found no room.
    pub(crate) is_full: bool,
    /// Asked to drain before the start was finished.
    drains_early: bool,
    calls: Map<CallId, Context>,
    /// Calls that hold a snapshot of runs.
    pub(crate) readers: BTreeSet<CallId>,
    last_call: u64,
    pub(crate) outputs: Vec<Output>,
    pub(crate) statistics: Statistics,
}

/// How far the worker's life is.
#[derive(Debug)]
pub(crate) enum Phase {
    Starting(Box<Takeover>),
    Serving,
    Draining,
    /// Drained, and said so.
    Drained,
    Stopped,
}

/// What a call was for.
#[derive(Debug)]
pub(crate) enum Context {
    Append,
    Resolve,
    Takeover,
    Load(Vec<Target>),
    Flush,
    Merge,
    Expire,
    Publish,
    PublishInDoubt,
    Trim,
    DropRuns(Vec<RunName>),
    Discard,
}

impl Worker {
    /// A worker that begins its take-over: carry out its outputs until it says [`Output::Ready`].
    #[must_use]
    pub fn new(config: WorkerConfig, now: Timestamp, mono: Monotonic) -> Self {
        let mut names = Names::new(config.seed);
        let log = OwnLog::new(names.log());
        let count = usize::try_from(config.vnodes.get()).unwrap_or(0);
        let mut worker = Self {
            now,
            mono,
            started_at: now,
            phase: Phase::Starting(Box::default()),
            names,
            log,
            vnodes: std::iter::repeat_with(|| None).take(count).collect(),
            users: Slab::default(),
            user_index: Map::default(),
            conversations: Slab::default(),
            conversation_index: Map::default(),
            nonces: Nonces::default(),
            attaching: Map::default(),
            ended: Ended::default(),
            noted: Noted::default(),
            group_receipts: GroupReceipts::default(),
            presences: Presences::default(),
            permits: Permits::default(),
            loading: Loading::default(),
            hands: Hands::default(),
            links: Links::default(),
            flush: Flushing::new(mono, config.limits.flush_interval_ms),
            merging: Merging::new(mono),
            expiring: Expiring::new(now, mono),
            publishing: Publishing::default(),
            dirty_bytes: 0,
            safe_mode: false,
            is_full: false,
            drains_early: false,
            calls: Map::default(),
            readers: BTreeSet::new(),
            last_call: 0,
            outputs: Vec::new(),
            statistics: Statistics::default(),
            config,
        };
        worker.begin_takeover();
        worker
    }

    /// Takes one input. Cheap; call it for everything that is there before asking for the outputs.
    pub fn handle(&mut self, input: Input, now: Timestamp, mono: Monotonic) {
        self.now = now;
        self.mono = self.mono.max(mono);
        if matches!(self.phase, Phase::Stopped) {
            return;
        }
        match input {
            Input::Attach { session, login } => self.attach(session, login),
            Input::Detach { session, user } => self.detach(session, &user),
            Input::Request { session, user, device, id, request } => {
                let caller = Caller { session, id, user, device, arrived: self.mono };
                self.request(caller, request);
            }
            Input::Done { call, result } => self.done(call, result),
            Input::Frame(frame) => self.frame(frame),
            Input::Confirm(confirm) => self.confirmed(confirm),
            Input::Whisper(whisper) => self.whisper(whisper),
            Input::Admin { id, command } => self.admin(id, command),
            Input::SafeMode(on) => self.set_safe_mode(on),
            Input::Drain => self.drain(),
            Input::Tick => {}
        }
    }

    /// Ends a turn: forms the next chunk when none is in flight, and gives everything there is to do, in order.
    pub fn outputs(&mut self) -> Drain<'_, Output> {
        if !matches!(self.phase, Phase::Stopped) {
            self.turn();
        }
        self.outputs.drain(..)
    }

    /// When to call [`Self::handle`] with [`Input::Tick`] at the latest; `None`: not before something happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        let deadlines = [
            self.chunk_deadline(),
            // They wait for room in the log, and its next commit begins a turn.
            self.noted.deadline().filter(|_| !self.log.is_full(&self.config.limits)),
            self.group_receipts
                .deadline()
                .filter(|_| self.is_serving() && !self.log.is_full(&self.config.limits)),
            self.presences.deadline().filter(|_| self.is_serving()),
            self.permits.deadline().filter(|_| self.is_serving()),
            self.link_deadline(),
            self.flush_deadline(),
            self.merging.deadline().filter(|_| self.is_serving()),
            self.publishing.deadline(),
        ];
        if matches!(self.phase, Phase::Stopped) { None } else { deadlines.into_iter().flatten().min() }
    }

    /// Counters and gauges as of now.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    fn turn(&mut self) {
        if std::mem::take(&mut self.drains_early) {
            self.drain();
        }
        self.retry_doubt();
        self.decide_noted();
        if self.is_serving() {
            self.give_group_receipts();
            self.maintain_presence();
            self.ask_permits_again();
        }
        self.send_frames();
        self.start_chunk();
        self.issue_loads();
        if self.is_serving() {
            self.evict();
            self.maintain_flush();
            self.maintain_runs();
            self.publish();
        }
        self.statistics.dirty_bytes = self.dirty_bytes as u64;
        self.finish_drain();
    }

    fn request(&mut self, caller: Caller, request: Request) {
        if !matches!(self.phase, Phase::Serving) {
            let code = if self.is_serving() { ErrorCode::Draining } else { ErrorCode::Unavailable };
            return self.refuse_user_command(UserCommand::Request { caller, request }, code);
        }
        match request {
            Request::SendMessage(send) => self.send_message(caller, send),
            Request::ReadHistory(read) => self.read_history(caller, read),
            Request::CreateGroup(create) => self.create_group(caller, create),
            Request::ChangeGroup(change) => self.change_group(caller, change),
            Request::ReadGroup { group } => self.read_group(caller, group),
            Request::ReadRoster(read) => self.read_roster(caller, read),
            Request::BlockUser(block) => self.block_user(caller, block),
            request => {
                let user = caller.user.clone();
                self.user_command(&user, UserCommand::Request { caller, request });
            }
        }
    }

    /// Whether requests can be decided: started and not dead.
    pub(crate) const fn is_serving(&self) -> bool {
        matches!(self.phase, Phase::Serving | Phase::Draining | Phase::Drained)
    }

    /// Whether the own log exists.
    pub(crate) fn may_append(&self) -> bool {
        match &self.phase {
            Phase::Starting(takeover) => takeover.has_log(),
            _ => true,
        }
    }

    fn set_safe_mode(&mut self, on: bool) {
        self.safe_mode = on;
        if !on {
            self.room_again();
        }
    }

    fn drain(&mut self) {
        match self.phase {
            Phase::Serving => self.phase = Phase::Draining,
            Phase::Starting(_) => self.drains_early = true,
            Phase::Draining | Phase::Drained | Phase::Stopped => {}
        }
    }

    fn finish_drain(&mut self) {
        if matches!(self.phase, Phase::Draining)
            && self.noted.is_empty()
            && self.log.is_idle()
            && self.is_clean()
        {
            self.phase = Phase::Drained;
            self.say(Output::Drained);
        }
    }

    /// Nothing leaves any more, not even what was said in this turn.
    pub(crate) fn stop(&mut self, reason: StopReason) {
        if !matches!(self.phase, Phase::Stopped) {
            self.phase = Phase::Stopped;
            self.outputs.clear();
            self.outputs.push(Output::Stop { reason });
        }
    }

    pub(crate) fn say(&mut self, output: Output) {
        if !matches!(self.phase, Phase::Stopped) {
            self.outputs.push(output);
        }
    }

    pub(crate) fn call(&mut self, work: Work, context: Context) {
        self.last_call += 1;
        let id = CallId(self.last_call);
        if matches!(work, Work::Load(_) | Work::Merge(_) | Work::Expire(_)) {
            self.readers.insert(id);
        }
        self.calls.insert(id, context);
        self.say(Output::Call { id, call: Call(work) });
    }

    /// Calls from here on hold newer snapshots only.
    pub(crate) const fn next_call(&self) -> CallId {
        CallId(self.last_call + 1)
    }

    fn done(&mut self, call: CallId, CallResult(outcome): CallResult) {
        self.readers.remove(&call);
        let Some(context) = self.calls.remove(&call) else { return };
        match (context, outcome) {
            (Context::Append, Outcome::Appended(outcome)) => self.appended(outcome),
            (Context::Resolve, Outcome::Resolved(outcome)) => self.resolved(outcome),
            (Context::Takeover, outcome) => self.takeover_done(outcome),
            (Context::Load(targets), Outcome::Loaded(results)) => self.loaded(targets, results),
            (Context::Flush, Outcome::Flushed(result)) => self.flushed(result),
            (Context::Merge, Outcome::Merged(result)) => self.merged(result),
            (Context::Expire, Outcome::Expired(result)) => self.expired(result),
            (Context::Publish, Outcome::Compared(result)) => self.published(result),
            (Context::PublishInDoubt, Outcome::Directory(result)) => self.publish_resolved(result),
            (Context::DropRuns(names), Outcome::Done(result)) => self.runs_dropped(names, result),
            (Context::Trim, Outcome::Done(Err(StoreError::Poisoned(what)))) => {
                self.stop(StopReason::Poisoned(what));
            }
            // The next trim goes further.
            (Context::Trim | Context::Discard, Outcome::Done(_)) => {}
            (context, _) => self.stop(StopReason::Defect(format!("a wrong result for {context:?}"))),
        }
    }

    pub(crate) fn hosted(&self, vnode: VnodeId) -> Option<&Hosted> {
        self.vnodes.get(usize::from(vnode.0))?.as_ref()
    }

    pub(crate) fn hosted_mut(&mut self, vnode: VnodeId) -> Option<&mut Hosted> {
        self.vnodes.get_mut(usize::from(vnode.0))?.as_mut()
    }

    pub(crate) fn user_slot_mut(&mut self, user: &UserId) -> Option<&mut UserSlot> {
        self.users.get_mut(*self.user_index.get(user)?)
    }
}
