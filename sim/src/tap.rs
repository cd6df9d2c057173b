//! Reads the frames of a connection as they pass, and writes them down: what was delivered below the client's
//! own filter, what was acknowledged, how logins went, what was asked of groups and the user's own state.

mod wishes;

use std::collections::BTreeMap;

use iris_history::{Device, Fact, LoginFact, Message};
use iris_protocol::batch::BatchItem;
use iris_protocol::entry::Entry;
use iris_protocol::read_inbox::OwnSent;
use iris_protocol::send_message::SendResult;
use iris_protocol::{ClientFrame, ServerFrame};
use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use iris_types::request::RequestId;
use iris_types::{InboxEntry, InboxItem, Offset, UserId};

use crate::recorder::Recorder;

/// Both directions of a connection.
#[derive(Default)]
pub(crate) struct Tap {
    to_server: Partial,
    to_device: Partial,
    /// The login's nonce and time, for the line about its outcome.
    login: (u64, u64),
    asked: BTreeMap<RequestId, Asked>,
}

/// Bytes of a frame that is not complete.
#[derive(Default)]
struct Partial(Vec<u8>);

/// What a request was about.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// To make or change a group.
    Change(Message),
    /// By the number in the history.
    Wish(u32),
}

/// Whose connection it is.
pub(crate) struct Owner<'a> {
    pub(crate) device: Device,
    pub(crate) incarnation: u32,
    pub(crate) user: &'a UserId,
    pub(crate) issued_at: u64,
}

impl Tap {
    /// Bytes on their way to the server.
    pub(crate) fn outgoing(&mut self, bytes: &[u8], owner: &Owner<'_>, recorder: &mut Recorder) {
        for (opcode, payload) in self.to_server.frames(bytes) {
            match ClientFrame::decode(opcode, &payload) {
                Ok(ClientFrame::Authenticate(frame)) => {
                    let nonce = frame.nonce.iter().fold(0, |sum: u64, byte| {
                        sum.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(*byte) + 1)
                    });
                    self.login = (nonce, frame.at.0);
                    owner.fact(Fact::Login(LoginFact::Invoke { nonce, claimed_at: frame.at.0 }), recorder);
                }
                Ok(ClientFrame::Acknowledge(frame)) => {
                    owner.fact(Fact::Acknowledge { up_to: frame.up_to.0 }, recorder);
                }
                Ok(frame) => self.wish(frame, owner, recorder),
                Err(_) => {}
            }
        }
    }

    /// Bytes that arrived at the device.
    pub(crate) fn incoming(&mut self, bytes: &[u8], owner: &Owner<'_>, recorder: &mut Recorder) {
        for (opcode, payload) in self.to_device.frames(bytes) {
            match ServerFrame::decode(opcode, &payload) {
                Ok(ServerFrame::Ready(frame)) => {
                    let (nonce, claimed_at) = self.login;
                    let attached = frame.attached;
                    let fact = LoginFact::Ok {
                        nonce,
                        claimed_at,
                        issued_at: owner.issued_at,
                        cursor: attached.cursor.0,
                        last: attached.last.0,
                        server_time: attached.server_time.0,
                    };
                    owner.fact(Fact::Login(fact), recorder);
                }
                Ok(ServerFrame::Entry(entry)) => owner.entry(&entry, recorder),
                Ok(ServerFrame::Sent(frame)) => self.sent(&frame, owner, recorder),
                Ok(ServerFrame::Batch(items)) => {
                    for item in items {
                        match item {
                            BatchItem::Entry(entry) => owner.entry(&entry, recorder),
                            BatchItem::Sent(frame) => self.sent(&frame, owner, recorder),
                        }
                    }
                }
                Ok(ServerFrame::Presence(presence)) => owner.presence(&presence, recorder),
                Ok(ServerFrame::Done(done)) => self.done(done.request, owner, recorder),
                Ok(ServerFrame::Refused(frame)) => {
                    self.refused(frame.request, frame.refusal, owner, recorder);
                    recorder.note(|| format!("device {} gets {frame:?}", owner.device.0));
                }
                other => recorder.note(|| format!("device {} gets {other:?}", owner.device.0)),
            }
        }
    }

    /// The answer to a send or a change; with an offset it stands for the entry.
    fn sent(&mut self, frame: &SendResult, owner: &Owner<'_>, recorder: &mut Recorder) {
        let sent = &frame.sent;
        let place = (sent.conversation, sent.seq.0);
        if let Some(Offset(offset)) = sent.offset {
            let seen = recorder.seen(offset, place, sent.id, owner.user, None);
            owner.fact(Fact::Delivered(seen), recorder);
        }
        self.changed(frame, owner, recorder);
    }
}

impl Owner<'_> {
    fn fact(&self, fact: Fact, recorder: &mut Recorder) {
        recorder.fact(self.device, self.incarnation, fact);
    }

    fn entry(&self, entry: &Entry, recorder: &mut Recorder) {
        let fact = match entry {
            Entry::Whole(InboxEntry { offset, item: InboxItem::Message(message) }) => {
                let place = (message.conversation, message.seq.0);
                let body = Some(&message.body);
                Fact::Delivered(recorder.seen(offset.0, place, message.id, &message.from, body))
            }
            Entry::Whole(InboxEntry { offset, item }) => match recorder.history.notice(item) {
                Some(notice) => Fact::Noticed { offset: offset.0, notice },
                None => return,
            },
            Entry::OwnSent(OwnSent { offset, conversation, seq, id, .. }) => {
                Fact::Delivered(recorder.seen(offset.0, (*conversation, seq.0), *id, self.user, None))
            }
            // No server of this version says such a thing.
            Entry::Later(_) => return,
        };
        self.fact(fact, recorder);
    }
}

impl Partial {
    fn frames(&mut self, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        self.0.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let mut rest: &[u8] = &self.0;
        while let Ok(Some(envelope)) = iris_protocol::frame::split(rest, FRAME_PAYLOAD_BYTES_MAX) {
            frames.push((envelope.opcode, envelope.payload.to_vec()));
            rest = envelope.rest;
        }
        self.0 = rest.to_vec();
        frames
    }
}
