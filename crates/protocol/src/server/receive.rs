//! The client's frames, checked against the state of the connection.

use iris_types::limits::{
    BUSY_RETRY_AFTER_MS, FRAME_PAYLOAD_BYTES_MAX, LIST_ITEMS_MAX, LOGIN_PAYLOAD_BYTES_MAX, OUTPUT_BYTES_MAX,
    PAGE_ITEMS_MAX, PAGE_REQUESTS_IN_FLIGHT_MAX,
};
use iris_types::request::{ListConversations, ReadHistory, ReadReceipts, ReadRoster, Request, RequestId};
use iris_types::{ErrorCode, Monotonic, Offset, Refusal};

use super::{ACKNOWLEDGE_REQUEST, SYNC_REQUEST, ServerConnection, ServerEvent, Stage};
use crate::Capabilities;
use crate::authenticate::Authenticate;
use crate::frame::{ClientFrame, opcode};
use crate::framing::each_frame;
use crate::hello::{ClientHello, ServerHello};
use crate::ping::Pong;
use crate::read_inbox::Sync;
use crate::refusal::Refused;
use crate::send_message::Send;
use crate::typing::SayTyping;
use crate::wire::{DecodeError, RefusedRequest};

pub(super) fn receive(
    connection: &mut ServerConnection,
    bytes: &[u8],
    now: Monotonic,
    events: &mut Vec<ServerEvent>,
) {
    if connection.stage == Stage::Closing {
        return;
    }
    connection.heard_at = now;
    let mut turn = Turn { acknowledged: None, now, events };
    let framed = each_frame(
        connection,
        |connection| &mut connection.partial,
        payload_bytes_max,
        bytes,
        now,
        |connection, opcode, payload| {
            turn.frame(connection, opcode, payload);
            connection.stage != Stage::Closing
        },
    );
    turn.flush_acknowledged();
    if framed.is_err() {
        connection.close(ErrorCode::BadFrame);
    }
    if connection.stage == Stage::Closing {
        events.push(ServerEvent::Close);
    }
}

fn payload_bytes_max(connection: &ServerConnection) -> usize {
    if connection.stage == Stage::Ready { FRAME_PAYLOAD_BYTES_MAX } else { LOGIN_PAYLOAD_BYTES_MAX }
}

/// What one call of `receive` gathers.
struct Turn<'a> {
    /// Acknowledgements are cumulative for the core, so one for the whole turn is enough.
    acknowledged: Option<Offset>,
    now: Monotonic,
    events: &'a mut Vec<ServerEvent>,
}

impl Turn<'_> {
    fn frame(&mut self, connection: &mut ServerConnection, opcode: u8, payload: &[u8]) {
        // Before Hello there is no version; what only version 2 has is unknown then, and wrong like all else.
        let frame = if opcode::is_in_version(opcode, connection.version) {
            ClientFrame::decode(opcode, payload)
        } else {
            Err(DecodeError::UnknownOpcode(opcode))
        };
        match frame {
            Ok(frame) => self.known_frame(connection, frame),
            // What is a server's to say is not unknown, it is wrong here.
            Err(DecodeError::UnknownOpcode(
                opcode::SERVER_HELLO..=opcode::TYPING_NOTICE | opcode::BATCH | opcode::HISTORY_BATCH,
            )) => connection.close(ErrorCode::WrongState),
            Err(DecodeError::UnknownOpcode(unknown)) => unknown_frame(connection, unknown),
            Err(DecodeError::Refused(refused)) => self.refused_frame(connection, opcode, refused),
            Err(DecodeError::Truncated | DecodeError::Tail | DecodeError::Value) => {
                connection.close(ErrorCode::BadFrame);
            }
        }
    }

    fn refused_frame(&mut self, connection: &mut ServerConnection, opcode: u8, refused: RefusedRequest) {
        match (opcode, connection.stage) {
            (opcode::AUTHENTICATE, Stage::Greeted) => {
                connection.refuse_login(Refusal::new(refused.code), iris_types::Timestamp(0));
            }
            (opcode::AUTHENTICATE, _) => connection.close(ErrorCode::WrongState),
            (_, Stage::Ready) => refuse(connection, refused.request, refused.code),
            _ => connection.close(ErrorCode::WrongState),
        }
    }

    fn known_frame(&mut self, connection: &mut ServerConnection, frame: ClientFrame) {
        match (connection.stage, frame) {
            (Stage::Opened, ClientFrame::Hello(hello)) => greet(connection, hello),
            (Stage::Greeted, ClientFrame::Authenticate(login)) => self.authenticate(connection, login),
            (Stage::Ready, frame) => self.ready_frame(connection, frame),
            _ => connection.close(ErrorCode::WrongState),
        }
    }

    fn ready_frame(&mut self, connection: &mut ServerConnection, frame: ClientFrame) {
        match frame {
            ClientFrame::Hello(_) | ClientFrame::Authenticate(_) => {
                connection.close(ErrorCode::WrongState);
            }
            ClientFrame::SendMessage(send) => self.send(connection, send),
            ClientFrame::SendBatch(items) => self.send_batch(connection, items),
            ClientFrame::Acknowledge(acknowledge) => self.acknowledge(connection, acknowledge.up_to),
            ClientFrame::Sync(sync) => self.sync(connection, sync),
            ClientFrame::Ping(ping) => Pong { token: ping.token }.encode(connection.output.frames()),
            ClientFrame::Typing(typing) => self.typing(connection, typing),
            frame => self.question(connection, frame),
        }
    }

    /// Everything that has a request of its own and one answer.
    fn question(&mut self, connection: &mut ServerConnection, frame: ClientFrame) {
        let capped = |limit: u16| limit.min(PAGE_ITEMS_MAX as u16);
        match frame {
            ClientFrame::ReadHistory(frame) => {
                let read = ReadHistory { limit: capped(frame.read.limit), ..frame.read };
                self.page(connection, frame.request, Request::ReadHistory(read));
            }
            ClientFrame::ListConversations(frame) => {
                let list =
                    ListConversations { limit: frame.list.limit.min(LIST_ITEMS_MAX as u16), ..frame.list };
                self.page(connection, frame.request, Request::ListConversations(list));
            }
            ClientFrame::ReadRoster(frame) => {
                let read = ReadRoster { limit: capped(frame.read.limit), ..frame.read };
                self.page(connection, frame.request, Request::ReadRoster(read));
            }
            ClientFrame::ReadReceipts(frame) => {
                let read = ReadReceipts { limit: capped(frame.read.limit), ..frame.read };
                self.page(connection, frame.request, Request::ReadReceipts(read));
            }
            ClientFrame::Watch(frame) => {
                // What was to be told of those who were watched so far is of no use any more.
                connection.forget_presences();
                self.page(connection, frame.request, Request::Watch(frame.watched));
            }
            ClientFrame::ReadPresence(frame) => {
                self.page(connection, frame.request, Request::ReadPresence(frame.watched));
            }
            frame => {
                if let Some((id, request)) = small_request(frame) {
                    self.small(connection, id, request);
                }
            }
        }
    }

    fn authenticate(&mut self, connection: &mut ServerConnection, login: Authenticate) {
        let Authenticate { token, device, nonce, at } = login;
        connection.stage = Stage::LoggingIn;
        connection.device = Some(device.clone());
        self.events.push(ServerEvent::Authenticate { token, device, nonce, at });
    }

    fn send_batch(&mut self, connection: &mut ServerConnection, items: Vec<Result<Send, RefusedRequest>>) {
        for item in items {
            match item {
                Ok(send) => self.send(connection, send),
                Err(refused) => refuse(connection, refused.request, refused.code),
            }
        }
    }

    fn send(&mut self, connection: &mut ServerConnection, send: Send) {
        self.small(connection, send.request, Request::SendMessage(send.message));
    }

    /// A request whose answer is small.
    fn small(&mut self, connection: &mut ServerConnection, id: RequestId, request: Request) {
        if has_room(connection, id) {
            self.request(connection, id, request);
        }
    }

    /// There is no answer that says it cannot be passed on, so then it is dropped.
    fn typing(&mut self, connection: &mut ServerConnection, typing: SayTyping) {
        if connection.is_draining || !connection.typing.may_pass(self.now) {
            return;
        }
        let SayTyping { target, on } = typing;
        let request = Request::Typing { target, on };
        self.events.push(ServerEvent::Request { id: ACKNOWLEDGE_REQUEST, request });
    }

    /// A request that is answered with a page, or costs as much.
    fn page(&mut self, connection: &mut ServerConnection, id: RequestId, request: Request) {
        if connection.pages_in_flight.len() >= PAGE_REQUESTS_IN_FLIGHT_MAX {
            return refuse(connection, id, Refusal::after(ErrorCode::Busy, BUSY_RETRY_AFTER_MS));
        }
        if has_room(connection, id) {
            connection.pages_in_flight.push(id);
            self.request(connection, id, request);
        }
    }

    fn request(&mut self, connection: &mut ServerConnection, id: RequestId, request: Request) {
        connection.in_flight += 1;
        self.events.push(ServerEvent::Request { id, request });
    }

    fn sync(&mut self, connection: &mut ServerConnection, sync: Sync) {
        if connection.is_draining {
            return refuse(connection, sync.request, ErrorCode::Draining);
        }
        if connection.flow.is_syncing() {
            return refuse(connection, sync.request, ErrorCode::WrongState);
        }
        connection.flow.sync(sync.request, sync.after);
        self.read_inbox(sync.after);
    }

    fn acknowledge(&mut self, connection: &mut ServerConnection, up_to: Offset) {
        if connection.flow.is_ahead(up_to) {
            if connection.flow.acknowledge_ahead(up_to) {
                // It will be refused: it must not hide an honest one of the same turn.
                self.flush_acknowledged();
                self.acknowledged = Some(up_to);
                self.flush_acknowledged();
            }
            return;
        }
        let acknowledged = connection.flow.acknowledge(up_to);
        if acknowledged.is_news {
            self.acknowledged = Some(up_to);
        }
        if let Some(after) = acknowledged.next_page_after {
            self.read_inbox(after);
        }
    }

    fn read_inbox(&mut self, after: Offset) {
        self.flush_acknowledged();
        self.events.push(ServerEvent::Request { id: SYNC_REQUEST, request: Request::ReadInbox { after } });
    }

    fn flush_acknowledged(&mut self) {
        if let Some(up_to) = self.acknowledged.take() {
            let request = Request::Acknowledge { up_to };
            self.events.push(ServerEvent::Request { id: ACKNOWLEDGE_REQUEST, request });
        }
    }
}

/// A request whose answer is small.
fn small_request(frame: ClientFrame) -> Option<(RequestId, Request)> {
    Some(match frame {
        ClientFrame::ListDevices(frame) => (frame.request, Request::ListDevices),
        ClientFrame::RenameDevice(frame) => (frame.request, Request::RenameDevice(frame.rename)),
        ClientFrame::RevokeDevice(frame) => (frame.request, Request::RevokeDevice(frame.revoke)),
        ClientFrame::CreateGroup(frame) => (frame.request, Request::CreateGroup(frame.create)),
        ClientFrame::ChangeGroup(frame) => (frame.request, Request::ChangeGroup(frame.change)),
        ClientFrame::ReadGroup(frame) => (frame.request, Request::ReadGroup { group: frame.group }),
        ClientFrame::MarkRead(frame) => (frame.request, Request::MarkRead(frame.mark)),
        ClientFrame::SetFlags(frame) => (frame.request, Request::SetFlags(frame.set)),
        ClientFrame::BlockUser(frame) => (frame.request, Request::BlockUser(frame.block)),
        ClientFrame::ReadSettings(frame) => (frame.request, Request::ReadSettings),
        ClientFrame::ChangeSettings(frame) => (frame.request, Request::ChangeSettings(frame.change)),
        _ => return None,
    })
}

fn greet(connection: &mut ServerConnection, hello: ClientHello) {
    let Some(version) = connection.config.versions.best_common(hello.versions) else {
        return connection.close(ErrorCode::UnsupportedVersion);
    };
    let capabilities: Capabilities = connection.config.capabilities.common(hello.capabilities);
    connection.version = version;
    connection.stage = Stage::Greeted;
    ServerHello { version, capabilities }.encode(connection.output.frames());
}

/// The answer is several times as long as the frame: nobody gets it before login, and nobody who does not read.
fn unknown_frame(connection: &mut ServerConnection, unknown: u8) {
    if connection.stage != Stage::Ready {
        return connection.close(ErrorCode::WrongState);
    }
    if connection.output.len() > OUTPUT_BYTES_MAX {
        return connection.close(Refusal::after(ErrorCode::Busy, BUSY_RETRY_AFTER_MS));
    }
    let refused = Refused::of(RequestId(0), ErrorCode::UnknownOpcode);
    Refused { opcode: Some(unknown), ..refused }.encode(connection.output.frames());
}

/// Whether one more request may wait for its answer; refuses it otherwise.
fn has_room(connection: &mut ServerConnection, id: RequestId) -> bool {
    if connection.is_draining {
        refuse(connection, id, ErrorCode::Draining);
        return false;
    }
    if connection.in_flight >= u32::from(connection.config.limits.requests_in_flight_max) {
        refuse(connection, id, Refusal::after(ErrorCode::Busy, BUSY_RETRY_AFTER_MS));
        return false;
    }
    true
}

fn refuse(connection: &mut ServerConnection, id: RequestId, refusal: impl Into<Refusal>) {
    Refused::of(id, refusal).encode(connection.output.frames());
}
