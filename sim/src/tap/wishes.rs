//! Requests about groups and about the user's own state, and what they are answered.

use iris_history::{Fact, SendFact, Wish};
use iris_protocol::ClientFrame;
use iris_protocol::send_message::SendResult;
use iris_types::request::{BlockUser, MarkRead, RequestId, SetFlags};
use iris_types::{
    Change, ConversationId, CreateGroup, ErrorCode, GroupChange, Presence, PresenceState, Refusal,
    SettingsChange, Watched,
};

use super::{Asked, Owner, Tap};
use crate::recorder::Recorder;

impl Tap {
    pub(super) fn wish(&mut self, frame: ClientFrame, owner: &Owner<'_>, recorder: &mut Recorder) {
        match frame {
            ClientFrame::CreateGroup(frame) => self.create(frame.request, &frame.create, owner, recorder),
            ClientFrame::ChangeGroup(frame) => {
                let (id, group) = (frame.change.id, frame.change.group);
                let message = recorder.message(id);
                self.asked.insert(frame.request, Asked::Change(message));
                if recorder.is_new_change(message) {
                    let body = recorder.history.body(&asked(&frame.change.change).to_body());
                    let to = iris_history::Addressee::Group(recorder.conversation(group));
                    owner.fact(Fact::Send(SendFact::Invoke { message, to, body }), recorder);
                }
            }
            ClientFrame::MarkRead(frame) => {
                let MarkRead { target, up_to } = frame.mark;
                let conversation = recorder.conversation(target.conversation(owner.user));
                let wish = Wish::MarkRead { conversation, up_to: up_to.0 };
                self.note(frame.request, wish, owner, recorder);
            }
            ClientFrame::SetFlags(frame) => {
                let SetFlags { target, mask, values } = frame.set;
                let conversation = recorder.conversation(target.conversation(owner.user));
                let wish = Wish::Flags { conversation, mask: mask.bits(), values: values.bits() };
                self.note(frame.request, wish, owner, recorder);
            }
            ClientFrame::BlockUser(frame) => {
                let BlockUser { user, on } = frame.block;
                let wish = Wish::Block { user: recorder.user(&user), on };
                self.note(frame.request, wish, owner, recorder);
            }
            ClientFrame::ChangeSettings(frame) => {
                let SettingsChange { read_receipts, last_seen, typing } = frame.change;
                let last_seen = last_seen.map(|audience| audience.number());
                let wish = Wish::Settings { read_receipts, last_seen, typing };
                self.note(frame.request, wish, owner, recorder);
            }
            ClientFrame::Watch(frame) => {
                let number = self.note(frame.request, Wish::Watch, owner, recorder);
                for Watched { user, group } in frame.watched {
                    let group = group.map(|group| recorder.conversation(group));
                    let user = recorder.user(&user);
                    owner.fact(Fact::Watching { number, user, group }, recorder);
                }
            }
            _ => {}
        }
    }

    pub(super) fn changed(&mut self, frame: &SendResult, owner: &Owner<'_>, recorder: &mut Recorder) {
        if let Some(Asked::Change(message)) = self.asked.remove(&frame.request) {
            let sent = &frame.sent;
            let conversation = recorder.conversation(sent.conversation);
            let (seq, sent_at) = (sent.seq.0, sent.sent_at.0);
            owner.fact(Fact::Send(SendFact::Ok { message, conversation, seq, sent_at }), recorder);
        }
    }

    pub(super) fn done(&mut self, request: RequestId, owner: &Owner<'_>, recorder: &mut Recorder) {
        let fact = match self.asked.remove(&request) {
            Some(Asked::Change(message)) => Fact::Send(SendFact::Nothing { message }),
            Some(Asked::Wish(number)) => Fact::Answered { number, code: 0 },
            None => return,
        };
        owner.fact(fact, recorder);
    }

    /// A refusal that may be overcome by another attempt is none of a change.
    pub(super) fn refused(
        &mut self,
        request: RequestId,
        refusal: Refusal,
        owner: &Owner<'_>,
        recorder: &mut Recorder,
    ) {
        let code = refusal.code;
        let fact = match self.asked.remove(&request) {
            Some(Asked::Change(_)) if code.is_retryable() && code != ErrorCode::IdInFuture => return,
            Some(Asked::Change(message)) => Fact::Send(SendFact::Fail { message, code: code as u16 }),
            Some(Asked::Wish(number)) => Fact::Answered { number, code: code as u16 },
            None => return,
        };
        owner.fact(fact, recorder);
    }

    fn create(
        &mut self,
        request: RequestId,
        create: &CreateGroup,
        owner: &Owner<'_>,
        recorder: &mut Recorder,
    ) {
        let message = recorder.message(create.id);
        self.asked.insert(request, Asked::Change(message));
        if !recorder.is_new_change(message) {
            return;
        }
        let group = recorder.conversation(ConversationId::group(owner.user, create.id));
        let body = recorder.history.body(&Change::Created(create.title.clone()).to_body());
        let to = iris_history::Addressee::Group(group);
        owner.fact(Fact::Send(SendFact::Invoke { message, to, body }), recorder);
        owner.fact(Fact::Founding { message, group, policy: create.policy.bits() }, recorder);
        for member in &create.members {
            let user = recorder.user(member);
            owner.fact(Fact::Founder { message, user }, recorder);
        }
    }

    fn note(&mut self, request: RequestId, wish: Wish, owner: &Owner<'_>, recorder: &mut Recorder) -> u32 {
        let number = u32::try_from(recorder.history.records.len()).unwrap_or(u32::MAX);
        self.asked.insert(request, Asked::Wish(number));
        owner.fact(Fact::Asked { number, wish }, recorder);
        number
    }
}

impl Owner<'_> {
    pub(super) fn presence(&self, presence: &Presence, recorder: &mut Recorder) {
        let (state, last_seen) = match presence.state {
            PresenceState::Hidden => (0, 0),
            PresenceState::Online => (1, 0),
            PresenceState::LastSeen(at) => (2, at.0),
        };
        let user = recorder.user(&presence.user);
        self.fact(Fact::Presence { user, state, last_seen }, recorder);
    }
}

/// What a change becomes, as far as who asks for it knows.
fn asked(change: &GroupChange) -> Change {
    match change.clone() {
        GroupChange::Invite(user) => Change::Invited(user),
        GroupChange::Add(user) => Change::Added(user),
        GroupChange::Remove(user) => Change::Removed(user),
        GroupChange::Accept => Change::Joined,
        GroupChange::Leave => Change::Left(None),
        GroupChange::Rename(title) => Change::Renamed(title),
        GroupChange::Describe(description) => Change::Described(description),
        GroupChange::SetRole(user, role) => Change::Role(role, user),
        GroupChange::SetPolicy(policy) => Change::Policy(policy),
    }
}
