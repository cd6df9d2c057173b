//! Reads the frames of a connection as they pass, and writes them down: what was delivered below the client's
//! own filter, what was acknowledged, how logins went.

use iris_history::{Device, Fact, LoginFact};
use iris_protocol::batch::BatchItem;
use iris_protocol::read_inbox::{Delivery, OwnSent};
use iris_protocol::send_message::SendResult;
use iris_protocol::{ClientFrame, ServerFrame};
use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use iris_types::{Offset, UserId};

use crate::recorder::Recorder;

/// One direction of a connection.
#[derive(Default)]
pub(crate) struct Tap {
    partial: Vec<u8>,
    /// The login's nonce and time, for the line about its outcome.
    login: Option<(u64, u64)>,
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
        for (opcode, payload) in self.frames(bytes) {
            match ClientFrame::decode(opcode, &payload) {
                Ok(ClientFrame::Authenticate(frame)) => {
                    let nonce = frame.nonce.iter().fold(0, |sum: u64, byte| {
                        sum.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(*byte) + 1)
                    });
                    self.login = Some((nonce, frame.at.0));
                    let fact = LoginFact::Invoke { nonce, claimed_at: frame.at.0 };
                    recorder.fact(owner.device, owner.incarnation, Fact::Login(fact));
                }
                Ok(ClientFrame::Acknowledge(frame)) => {
                    let fact = Fact::Acknowledge { up_to: frame.up_to.0 };
                    recorder.fact(owner.device, owner.incarnation, fact);
                }
                _ => {}
            }
        }
    }

    /// Bytes that arrived at the device. `login`: what the other direction's tap saw.
    pub(crate) fn incoming(
        &mut self,
        bytes: &[u8],
        login: Option<(u64, u64)>,
        owner: &Owner<'_>,
        recorder: &mut Recorder,
    ) {
        for (opcode, payload) in self.frames(bytes) {
            match ServerFrame::decode(opcode, &payload) {
                Ok(ServerFrame::Ready(frame)) => {
                    let (nonce, claimed_at) = login.unwrap_or_default();
                    let attached = frame.attached;
                    let fact = LoginFact::Ok {
                        nonce,
                        claimed_at,
                        issued_at: owner.issued_at,
                        cursor: attached.cursor.0,
                        last: attached.last.0,
                        server_time: attached.server_time.0,
                    };
                    recorder.fact(owner.device, owner.incarnation, Fact::Login(fact));
                }
                Ok(ServerFrame::Delivery(frame)) => delivery(&frame, owner, recorder),
                Ok(ServerFrame::OwnSent(frame)) => own(&frame, owner, recorder),
                Ok(ServerFrame::Sent(frame)) => result(&frame, owner, recorder),
                Ok(ServerFrame::Batch(items)) => {
                    for item in items {
                        match item {
                            BatchItem::Delivery(frame) => delivery(&frame, owner, recorder),
                            BatchItem::OwnSent(frame) => own(&frame, owner, recorder),
                            BatchItem::Sent(frame) => result(&frame, owner, recorder),
                        }
                    }
                }
                other => recorder.note(|| format!("device {} gets {other:?}", owner.device.0)),
            }
        }
    }

    pub(crate) fn login(&self) -> Option<(u64, u64)> {
        self.login
    }

    fn frames(&mut self, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        self.partial.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let mut rest: &[u8] = &self.partial;
        while let Ok(Some(envelope)) = iris_protocol::frame::split(rest, FRAME_PAYLOAD_BYTES_MAX) {
            frames.push((envelope.opcode, envelope.payload.to_vec()));
            rest = envelope.rest;
        }
        self.partial = rest.to_vec();
        frames
    }
}

fn delivery(frame: &Delivery, owner: &Owner<'_>, recorder: &mut Recorder) {
    let message = &frame.message;
    let place = (message.conversation, message.seq.0);
    let seen = recorder.seen(frame.offset.0, place, message.id, &message.from, Some(&message.body));
    recorder.fact(owner.device, owner.incarnation, Fact::Delivered(seen));
}

fn own(frame: &OwnSent, owner: &Owner<'_>, recorder: &mut Recorder) {
    let place = (frame.conversation, frame.seq.0);
    let seen = recorder.seen(frame.offset.0, place, frame.id, owner.user, None);
    recorder.fact(owner.device, owner.incarnation, Fact::Delivered(seen));
}

/// An answer with an offset stands for the entry.
fn result(frame: &SendResult, owner: &Owner<'_>, recorder: &mut Recorder) {
    let sent = &frame.sent;
    if let Some(Offset(offset)) = sent.offset {
        let place = (sent.conversation, sent.seq.0);
        let seen = recorder.seen(offset, place, sent.id, owner.user, None);
        recorder.fact(owner.device, owner.incarnation, Fact::Delivered(seen));
    }
}
