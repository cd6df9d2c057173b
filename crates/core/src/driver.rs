//! The thread of one worker: turns its machine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use iris_cluster::{EdgeLink, ToCore, ToEdge};
use iris_types::limits::{INTAKE_PAUSE_MS_MAX, NAME_BYTES_MAX};
use iris_types::request::Request;
use iris_types::{Monotonic, UserId, Watched};
use iris_worker::{
    AdminCommand, AdminId, CallId, CallResult, Confirm, Frame, Input, Output, Whisper, Worker, WorkerIndex,
};

use crate::lanes::Job;
use crate::mailbox::Weigh;
use crate::{CoreClock, CoreEvent, Report, Shared, lock};

/// Requests handled before their effects go on their way.
const EVENTS_PER_TURN: usize = 1_024; // layout
/// Requests that may hold up what follows from an answer of a call.
const EVENTS_BEHIND_MAX: usize = 64; // layout

/// All that wakes a worker's thread.
pub(crate) enum Event {
    FromEdge(ToCore),
    Done { call: CallId, result: CallResult },
    Frame(Frame),
    Confirm(Confirm),
    Whisper(Whisper),
    Admin { id: AdminId, command: AdminCommand },
    SafeMode(bool),
    Drain,
}

impl From<ToCore> for Event {
    fn from(item: ToCore) -> Self {
        Self::FromEdge(item)
    }
}

impl From<Event> for Input {
    fn from(event: Event) -> Self {
        match event {
            Event::FromEdge(ToCore::Attach { session, login }) => Self::Attach { session, login },
            Event::FromEdge(ToCore::Detach { session, user }) => Self::Detach { session, user },
            Event::FromEdge(ToCore::Request { session, user, device, id, request }) => {
                Self::Request { session, user, device, id, request }
            }
            Event::Done { call, result } => Self::Done { call, result },
            Event::Frame(frame) => Self::Frame(frame),
            Event::Confirm(confirm) => Self::Confirm(confirm),
            Event::Whisper(whisper) => Self::Whisper(whisper),
            Event::Admin { id, command } => Self::Admin { id, command },
            Event::SafeMode(on) => Self::SafeMode(on),
            Event::Drain => Self::Drain,
        }
    }
}

impl Weigh for Event {
    fn bytes(&self) -> usize {
        let more = match self {
            Self::FromEdge(ToCore::Request { request, .. }) => request_bytes(request),
            _ => 0,
        };
        size_of::<Self>() + more
    }
}

/// What a request keeps beside itself, where that is not little.
fn request_bytes(request: &Request) -> usize {
    match request {
        Request::SendMessage(send) => send.body.bytes().len(),
        Request::CreateGroup(create) => create.members.len() * (size_of::<UserId>() + NAME_BYTES_MAX),
        Request::Watch(watched) | Request::ReadPresence(watched) => {
            watched.len() * (size_of::<Watched>() + NAME_BYTES_MAX)
        }
        _ => 0,
    }
}

/// Counts the workers that have come so far, and reports when all have.
pub(crate) struct Progress {
    starting: AtomicUsize,
    draining: AtomicUsize,
    report: Report,
}

impl Progress {
    pub(crate) fn new(workers: u16, report: Report) -> Self {
        let workers = usize::from(workers);
        Self { starting: AtomicUsize::new(workers), draining: AtomicUsize::new(workers), report }
    }

    fn one_more(&self, missing: &AtomicUsize, event: CoreEvent) {
        if missing.fetch_sub(1, Ordering::SeqCst) == 1 {
            (self.report)(event);
        }
    }
}

/// Drives one machine.
pub(crate) struct Driver {
    pub(crate) index: u16,
    pub(crate) worker: Worker,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: CoreClock,
    pub(crate) edges: Vec<Arc<dyn EdgeLink>>,
    pub(crate) progress: Arc<Progress>,
}

impl Driver {
    pub(crate) fn run(mut self) {
        let Some(mailbox) = self.shared.mailbox(WorkerIndex(self.index)).map(Arc::clone) else { return };
        let (mut own, mut offered) = (VecDeque::new(), VecDeque::new());
        let mut batches: Vec<Vec<ToEdge>> = self.edges.iter().map(|_| Vec::new()).collect();
        let mut pause = Pause::default();
        self.act(&mut batches);
        while !mailbox.is_closed() {
            let (_, before) = (self.clock)();
            let pause_end = pause.update(self.worker.is_pressed(), before);
            let has_work = !offered.is_empty() && pause_end.is_none();
            let until = self.worker.deadline().into_iter().chain(pause_end).min();
            let until = if has_work { Some(before) } else { until };
            let more = (offered.is_empty() && pause_end.is_none()).then_some(&mut offered);
            mailbox.take(&mut own, more, until.map(|until| patience(until, before)));
            let (now, mono) = (self.clock)();
            // A commit starts the next one: what is behind it must not wait until many requests are decided.
            let is_urgent = !own.is_empty() && offered.len() >= EVENTS_BEHIND_MAX;
            for event in own.drain(..) {
                self.worker.handle(event.into(), now, mono);
            }
            if is_urgent {
                self.act(&mut batches);
            }
            for _ in 0..EVENTS_PER_TURN {
                if pause.update(self.worker.is_pressed(), mono).is_some() {
                    break;
                }
                let Some(event) = offered.pop_front() else { break };
                self.worker.handle(event.into(), now, mono);
            }
            if self.worker.deadline().is_some_and(|deadline| deadline <= mono) {
                self.worker.handle(Input::Tick, now, mono);
            }
            self.act(&mut batches);
            self.publish();
        }
    }

    /// Carries out what the machine says, in order; one delivery per event loop and turn.
    fn act(&mut self, batches: &mut [Vec<ToEdge>]) {
        let mut push = |event_loop: u16, item| {
            if let Some(batch) = batches.get_mut(usize::from(event_loop)) {
                batch.push(item);
            }
        };
        let index = WorkerIndex(self.index);
        for output in self.worker.outputs() {
            match output {
                Output::Call { id, call } => self.shared.lanes.submit(Job { worker: index, id, call }),
                Output::Answer { session, id, answer } => {
                    push(session.event_loop, ToEdge::Answer { session, id, answer });
                }
                Output::Push { session, entry } => push(session.event_loop, ToEdge::Push { session, entry }),
                Output::Close { session, code } => push(session.event_loop, ToEdge::Close { session, code }),
                Output::Presence { session, presence } => {
                    push(session.event_loop, ToEdge::Presence { session, presence });
                }
                Output::Typing { session, typing } => {
                    push(session.event_loop, ToEdge::Typing { session, typing });
                }
                Output::Whisper { to, whisper } => tell(&self.shared, to, Event::Whisper(whisper)),
                Output::Frame { to, frame } => tell(&self.shared, to, Event::Frame(frame)),
                Output::Confirm { to, confirm } => tell(&self.shared, to, Event::Confirm(confirm)),
                Output::Admin { id, answer } => self.shared.answer_admin(id, answer),
                Output::Ready => self.progress.one_more(&self.progress.starting, CoreEvent::Ready),
                Output::Drained => self.progress.one_more(&self.progress.draining, CoreEvent::Drained),
                Output::Stop { reason } => (self.progress.report)(CoreEvent::Stopped(reason)),
            }
        }
        for (batch, edge) in batches.iter_mut().zip(&self.edges) {
            if !batch.is_empty() {
                edge.deliver(batch);
            }
        }
    }

    /// A copy of under a kilobyte, at most once a turn: cheaper than asking the clock whether it is time.
    fn publish(&self) {
        if let Some(cell) = self.shared.statistics.get(usize::from(self.index)) {
            lock(cell).clone_from(self.worker.statistics());
        }
    }
}

/// Intake stops for a moment when memory is full: most often a flush makes room within it, and waiting costs
/// nobody anything, while a refusal costs both sides a second try.
#[derive(Default)]
struct Pause {
    /// Since when memory is full.
    since: Option<Monotonic>,
}

impl Pause {
    /// Until when requests wait, if they do.
    fn update(&mut self, is_pressed: bool, now: Monotonic) -> Option<Monotonic> {
        self.since = is_pressed.then(|| self.since.unwrap_or(now));
        let until = self.since?.plus_millis(INTAKE_PAUSE_MS_MAX);
        (now < until).then_some(until)
    }
}

/// A frame that finds its worker gone is sent again by the stream, or the process is ending.
fn tell(shared: &Shared, to: WorkerIndex, event: Event) {
    if let Some(mailbox) = shared.mailbox(to) {
        let _ = mailbox.put(event);
    }
}

const fn patience(deadline: Monotonic, now: Monotonic) -> Duration {
    Duration::from_millis(deadline.millis_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intake_waits_for_memory_but_not_for_ever() {
        let mut pause = Pause::default();
        let (start, end) = (Monotonic(5), Monotonic(5 + INTAKE_PAUSE_MS_MAX));
        assert_eq!(pause.update(false, start), None);
        assert_eq!(pause.update(true, start), Some(end));
        assert_eq!(pause.update(true, Monotonic(end.0 - 1)), Some(end));
        assert_eq!(pause.update(true, end), None, "now they are refused");
        assert_eq!(pause.update(false, end), None);
        assert_eq!(pause.update(true, end), Some(end.plus_millis(INTAKE_PAUSE_MS_MAX)));
    }
}
