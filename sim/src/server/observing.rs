//! What the recorder is told of the server: what came in, what left, what an operator was answered.

use iris_history::Observation;
use iris_types::request::{Answer, Request, RequestId, SessionId};
use iris_types::{ChangeGroup, CreateGroup, ErrorCode, InboxItem};
use iris_worker::{AdminAnswer, Input};

use crate::world::World;

impl World {
    pub(super) fn admin_answered(&mut self, id: u64, answer: &AdminAnswer) {
        let Some(process) = &mut self.server.process else { return };
        let Some((user, issued_up_to)) = process.revocations.remove(&id) else { return };
        if *answer == AdminAnswer::Done {
            let user = self.recorder.user(&user);
            let fact = iris_history::RevocationFact::Ok { user, issued_up_to };
            let nobody = iris_history::Device::NOBODY;
            self.recorder.fact(nobody, 0, iris_history::Fact::Revocation(fact));
        }
    }

    pub(super) fn observe_input(&mut self, input: &Input) {
        let Input::Request { session, id, request, .. } = input else { return };
        match request {
            Request::SendMessage(send) => {
                let message = self.recorder.message(send.id);
                self.recorder.observe(Observation::Arrived { message });
            }
            Request::CreateGroup(CreateGroup { id, .. }) | Request::ChangeGroup(ChangeGroup { id, .. }) => {
                let message = self.recorder.message(*id);
                self.recorder.observe(Observation::Arrived { message });
            }
            // Changes: they may be refused where reads must not.
            Request::Acknowledge { .. }
            | Request::RenameDevice(_)
            | Request::RevokeDevice(_)
            | Request::MarkRead(_)
            | Request::SetFlags(_)
            | Request::BlockUser(_)
            | Request::ChangeSettings(_)
            | Request::Typing { .. } => {}
            _ => {
                if let Some(process) = &mut self.server.process {
                    process.reads.insert((*session, *id));
                }
            }
        }
    }

    pub(super) fn observe_answer(&mut self, session: SessionId, id: RequestId, answer: &Answer) {
        let was_read =
            self.server.process.as_mut().is_some_and(|process| process.reads.remove(&(session, id)));
        match answer {
            Answer::Sent(sent) => self.observe_left(sent.conversation, sent.seq.0, sent.id),
            Answer::InboxPage(page) => {
                for entry in &page.entries {
                    if let InboxItem::Message(message) = &entry.item {
                        self.observe_left(message.conversation, message.seq.0, message.id);
                    }
                }
            }
            Answer::HistoryPage(page) => {
                for entry in &page.entries {
                    self.observe_left(page.conversation, entry.seq.0, entry.id);
                }
            }
            // No seed rots what is stored: nothing may look damaged.
            Answer::Refused { refusal, .. } if refusal.code == ErrorCode::DataCorrupt => {
                self.defect(|| "a request was refused as data_corrupt, and nothing is damaged".to_owned());
            }
            Answer::Refused { refusal, .. } if was_read && refusal.code == ErrorCode::StorageFull => {
                self.recorder.observe(Observation::ReadRefused);
            }
            _ => {}
        }
    }

    pub(super) fn observe_left(
        &mut self,
        conversation: iris_types::ConversationId,
        seq: u64,
        id: iris_types::MessageId,
    ) {
        let (conversation, message) = (self.recorder.conversation(conversation), self.recorder.message(id));
        self.recorder.observe(Observation::Left { conversation, seq, message });
    }
}
