//! What a client must not say: every frame in every state, broken layouts, broken rules, silence.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod others;
#[path = "../scripted/mod.rs"]
mod scripted;

use std::sync::Arc;

use iris_protocol::acknowledge::Acknowledge;
use iris_protocol::authenticate::Authenticate;
use iris_protocol::hello::ClientHello;
use iris_protocol::list_conversations::List;
use iris_protocol::list_devices::ListDevices;
use iris_protocol::ping::Ping;
use iris_protocol::read_history::Read;
use iris_protocol::read_inbox::Sync;
use iris_protocol::refusal::Refused;
use iris_protocol::rename_device::Rename;
use iris_protocol::revoke_device::Revoke;
use iris_protocol::send_message::Send;
use iris_protocol::server::{ServerConfig, ServerConnection, ServerEvent};
use iris_protocol::{Capabilities, ClientFrame, ServerFrame, Versions, opcode};
use iris_types::limits::{
    LOGIN_MS_MAX, LOGIN_PAYLOAD_BYTES_MAX, OUTPUT_BYTES_MAX, PARTIAL_FRAME_MS_MAX, SOCKET_READ_BYTES,
};
use iris_types::request::{
    HistoryFrom, ListConversations, ReadHistory, RenameDevice, RequestId, RevokeDevice,
};
use iris_types::{DeviceId, DeviceLabel, ErrorCode, Monotonic, Offset, Timestamp};
use scripted::{login, message, user};

const NOW: Monotonic = Monotonic(1_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opened,
    Greeted,
    LoggingIn,
    Ready,
}

fn bytes(frame: &ClientFrame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out).unwrap();
    out
}

fn hello(versions: Versions) -> ClientFrame {
    ClientFrame::Hello(ClientHello { versions, capabilities: Capabilities::ALL })
}

fn authenticate() -> ClientFrame {
    let config = login(Versions::ALL);
    ClientFrame::Authenticate(Authenticate {
        token: config.token,
        device: config.device,
        nonce: config.nonce,
        at: config.at,
    })
}

fn server_in(state: State, versions: Versions) -> ServerConnection {
    let mut server = ServerConnection::new(&Arc::new(ServerConfig::default()), NOW);
    let mut receive = |frame: &ClientFrame| server.receive(&bytes(frame), NOW, &mut Vec::new());
    if state != State::Opened {
        receive(&hello(versions));
    }
    if matches!(state, State::LoggingIn | State::Ready) {
        receive(&authenticate());
    }
    if state == State::Ready {
        server.accept_login(scripted::Core::default().attached());
    }
    server.transmit(&mut Vec::new());
    server
}

fn told(server: &mut ServerConnection) -> Vec<ServerFrame> {
    let mut out = Vec::new();
    server.transmit(&mut out);
    let (mut frames, mut rest) = (Vec::new(), out.as_slice());
    while let Ok(Some(frame)) = iris_protocol::frame::split(rest, 65_535) {
        frames.push(ServerFrame::decode(frame.opcode, frame.payload).unwrap());
        rest = frame.rest;
    }
    assert!(rest.is_empty());
    frames
}

/// Sends bytes in a state; the connection must close with a code (said once, nothing after it) or live on.
fn check(state: State, sent: &[u8], expected: Option<ErrorCode>) -> Vec<ServerEvent> {
    let mut server = server_in(state, Versions::ALL);
    let mut events = Vec::new();
    server.receive(sent, NOW, &mut events);
    assert_eq!(server.closed_with(), expected, "{sent:02x?} in {state:?}");
    let closes = events.iter().filter(|event| **event == ServerEvent::Close).count();
    assert_eq!(
        (closes, events.last() == Some(&ServerEvent::Close)),
        match expected {
            Some(_) => (1, true),
            None => (0, false),
        }
    );
    if let Some(code) = expected {
        let frames = told(&mut server);
        assert!(matches!(frames.last(), Some(ServerFrame::Closed(closed)) if closed.refusal.code == code));
        let before = events.len();
        server.receive(&bytes(&hello(Versions::ALL)), NOW, &mut events);
        assert_eq!((events.len(), told(&mut server)), (before, Vec::new()), "nothing is heard any more");
    }
    events
}

fn every_frame() -> Vec<ClientFrame> {
    let request = RequestId(1);
    let send = Send { request, message: message(1, "hi") };
    let read = ReadHistory { with: user("bob").into(), from: HistoryFrom::Latest, limit: 1 };
    let device = DeviceId::new("phone").unwrap();
    let rename = RenameDevice { device: device.clone(), label: DeviceLabel::new("Büro").unwrap() };
    vec![
        hello(Versions::ALL),
        authenticate(),
        ClientFrame::Sync(Sync { request, after: Offset(0) }),
        ClientFrame::Acknowledge(Acknowledge { up_to: Offset(1) }),
        ClientFrame::SendMessage(send.clone()),
        ClientFrame::ReadHistory(Read { request, read }),
        ClientFrame::ListConversations(List { request, list: ListConversations { after: None, limit: 1 } }),
        ClientFrame::Ping(Ping { token: 1 }),
        ClientFrame::SendBatch(vec![Ok(send)]),
        ClientFrame::ListDevices(ListDevices { request }),
        ClientFrame::RenameDevice(Rename { request, rename }),
        ClientFrame::RevokeDevice(Revoke { request, revoke: RevokeDevice { device } }),
    ]
    .into_iter()
    .chain(others::frames(request))
    .collect()
}

#[test]
fn every_frame_in_every_state() {
    for state in [State::Opened, State::Greeted, State::LoggingIn, State::Ready] {
        for frame in every_frame() {
            let is_allowed = match frame {
                ClientFrame::Hello(_) => state == State::Opened,
                ClientFrame::Authenticate(_) => state == State::Greeted,
                _ => state == State::Ready,
            };
            let expected = if is_allowed { None } else { Some(ErrorCode::WrongState) };
            let events = check(state, &bytes(&frame), expected);
            let requests = events.iter().filter(|event| matches!(event, ServerEvent::Request { .. })).count();
            assert!(requests == 0 || state == State::Ready, "{frame:?} in {state:?}");
        }
    }
}

#[test]
fn what_only_the_server_says_is_wrong() {
    let server = opcode::SERVER_HELLO..=opcode::TYPING_NOTICE;
    for opcode in server.chain([opcode::BATCH, opcode::HISTORY_BATCH]) {
        check(State::Ready, &[opcode, 0, 0], Some(ErrorCode::WrongState));
    }
}

#[test]
fn an_unknown_opcode_is_answered_and_the_connection_lives() {
    for opcode in [0x00, 0x19, 0x1f, 0x21, 0x7f, 0x80, 0x9e, 0xa2, 0xb0, 0xff] {
        let mut server = server_in(State::Ready, Versions::ALL);
        let mut events = Vec::new();
        let sent = [&[opcode, 0, 2, 1, 2][..], &bytes(&ClientFrame::Ping(Ping { token: 5 }))].concat();
        server.receive(&sent, NOW, &mut events);
        let frames = told(&mut server);
        let expected = |frame: &ServerFrame| {
            matches!(frame, ServerFrame::Refused(Refused { request: RequestId(0), refusal, opcode: named, .. })
                if refusal.code == ErrorCode::UnknownOpcode && *named == Some(opcode))
        };
        assert!(expected(&frames[0]), "{frames:?}");
        assert!(matches!(frames[1], ServerFrame::Pong(_)) && events.is_empty());
    }
}

#[test]
fn before_login_an_unknown_opcode_is_wrong() {
    for state in [State::Opened, State::Greeted, State::LoggingIn] {
        check(state, &[0x7f, 0, 0], Some(ErrorCode::WrongState));
    }
}

#[test]
fn answers_to_unknown_opcodes_are_bounded() {
    let mut server = server_in(State::Ready, Versions::ALL);
    let frames = [0x7f, 0, 0].repeat(SOCKET_READ_BYTES / 3);
    server.receive(&frames, NOW, &mut Vec::new());
    assert_eq!(server.closed_with(), Some(ErrorCode::Busy));
    assert!(server.pending_output_bytes() < OUTPUT_BYTES_MAX + 100);
    // Who reads may go on.
    let mut server = server_in(State::Ready, Versions::ALL);
    for part in frames.chunks(3 * 1_000) {
        server.receive(part, NOW, &mut Vec::new());
        assert_eq!(told(&mut server).len(), part.len() / 3);
    }
    assert!(server.is_ready());
}

#[test]
fn a_batch_is_unknown_in_version_1() {
    let mut server = server_in(State::Ready, Versions::ONLY_1);
    let mut events = Vec::new();
    let batch = ClientFrame::SendBatch(vec![Ok(Send { request: RequestId(1), message: message(1, "hi") })]);
    server.receive(&bytes(&batch), NOW, &mut events);
    assert!(matches!(&told(&mut server)[..], [ServerFrame::Refused(refused)]
        if refused.opcode == Some(opcode::SEND_BATCH)));
    assert!(events.is_empty() && server.is_ready());
}

#[test]
fn truncated_and_overlong_payloads_close() {
    let states = [State::Opened, State::Greeted];
    for (at, frame) in every_frame().iter().enumerate() {
        let state = states.get(at).copied().unwrap_or(State::Ready);
        let whole = bytes(frame);
        for length in 0..whole.len() - 3 {
            let mut cut = whole[..3 + length].to_vec();
            cut[1..3].copy_from_slice(&(length as u16).to_be_bytes());
            check(state, &cut, Some(ErrorCode::BadFrame));
        }
        // One byte more is no tagged field; a tagged field that nobody knows is skipped.
        check(state, &with_tail(&whole, &[9]), Some(ErrorCode::BadFrame));
        check(state, &with_tail(&whole, &[9, 0, 2, 1]), Some(ErrorCode::BadFrame));
        check(state, &with_tail(&whole, &[9, 0, 2, 1, 1, 200, 0, 0]), None);
    }
}

fn with_tail(frame: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut longer = [frame, tail].concat();
    let length = (longer.len() - 3) as u16;
    longer[1..3].copy_from_slice(&length.to_be_bytes());
    longer
}

#[test]
fn fields_with_values_that_they_never_have_close() {
    let sync = bytes(&ClientFrame::Sync(Sync { request: RequestId(1), after: Offset(0) }));
    for reserved in [0, u32::MAX] {
        let mut bad = sync.clone();
        bad[3..7].copy_from_slice(&reserved.to_be_bytes());
        check(State::Ready, &bad, Some(ErrorCode::BadFrame));
    }
    let mut send = bytes(&every_frame()[4]);
    send[3 + 20] = 2;
    check(State::Ready, &send, Some(ErrorCode::BadFrame));
    check(State::Ready, &[opcode::SEND_BATCH, 0, 2, 0, 0], Some(ErrorCode::BadFrame));
}

/// One request is refused, under its id, and nobody hears of it; the connection lives.
fn refuses(sent: &[u8], code: ErrorCode) {
    refuses_under(RequestId(1), sent, code);
}

fn refuses_under(request: RequestId, sent: &[u8], code: ErrorCode) {
    let mut server = server_in(State::Ready, Versions::ALL);
    let mut events = Vec::new();
    server.receive(sent, NOW, &mut events);
    assert!(
        matches!(&told(&mut server)[..], [ServerFrame::Refused(refused)]
            if refused.refusal.code == code && refused.request == request),
        "{code}"
    );
    assert!(events.is_empty() && server.is_ready());
}

#[test]
fn broken_rules_refuse_one_request() {
    let change = |at: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut sent = bytes(&every_frame()[at]);
        change(&mut sent);
        sent
    };
    refuses(&change(4, &|send| send[3 + 10] = 0x41), ErrorCode::InvalidId);
    refuses(&change(4, &|send| send[3 + 22] = b'/'), ErrorCode::InvalidName);
    refuses(&change(4, &|send| *send.last_mut().unwrap() = 0xff), ErrorCode::InvalidBody);
    refuses(&change(5, &|read| read[3 + 5] = b' '), ErrorCode::InvalidName);
    refuses(&change(5, &|read| read[3 + 8] = 3), ErrorCode::BadFrame);
    refuses(&change(5, &|read| *read.last_mut().unwrap() = 0), ErrorCode::BadFrame);
    refuses(&change(6, &|list| *list.last_mut().unwrap() = 0), ErrorCode::BadFrame);
    refuses(&change(10, &|rename| rename[3 + 5] = b' '), ErrorCode::InvalidName);
    refuses(&change(10, &|rename| rename[3 + 11] = 0x1b), ErrorCode::InvalidName);
    refuses(&change(10, &|rename| *rename.last_mut().unwrap() = 0xff), ErrorCode::InvalidName);
    refuses(&change(11, &|revoke| revoke[3 + 5] = b'/'), ErrorCode::InvalidName);
    // Empty and too long ones, too; the layout would hold them.
    for label in [String::new(), "x".repeat(65)] {
        let front = &bytes(&every_frame()[10])[..3 + 10];
        let frame = [front, &[label.len() as u8], label.as_bytes()].concat();
        refuses(&with_tail(&frame, &[]), ErrorCode::InvalidName);
    }
}

#[test]
fn a_change_that_only_the_server_writes_is_refused() {
    let mut send = bytes(&every_frame()[4]);
    let kind_at = 3 + 21 + 4;
    assert_eq!(send[kind_at], 1);
    send[kind_at] = 0;
    refuses(&send, ErrorCode::InvalidBody);
}

#[test]
fn a_login_that_breaks_a_rule_is_refused_and_closed() {
    let mut sent = bytes(&authenticate());
    let device_at = 3 + 2 + scripted::TOKEN.len() + 1;
    sent[device_at] = b'/';
    let mut server = server_in(State::Greeted, Versions::ALL);
    let mut events = Vec::new();
    server.receive(&sent, NOW, &mut events);
    assert_eq!(events, [ServerEvent::Close]);
    assert!(matches!(&told(&mut server)[..], [ServerFrame::Refused(refused), ServerFrame::Closed(_)]
        if refused.refusal.code == ErrorCode::InvalidName));
}

#[test]
fn a_second_sync_while_one_runs_is_refused() {
    let mut server = server_in(State::Ready, Versions::ALL);
    let mut events = Vec::new();
    for request in [RequestId(1), RequestId(2)] {
        let sync = ClientFrame::Sync(Sync { request, after: Offset(0) });
        server.receive(&bytes(&sync), NOW, &mut events);
    }
    assert_eq!(events.len(), 1);
    assert!(matches!(&told(&mut server)[..], [ServerFrame::Refused(refused)]
        if refused.request == RequestId(2) && refused.refusal.code == ErrorCode::WrongState));
}

#[test]
fn acknowledgements_of_a_turn_are_one_and_one_ahead_hides_none() {
    let mut server = server_in(State::Ready, Versions::ALL);
    let mut core = scripted::Core { page_items: 10, ..scripted::Core::default() };
    (1..=5).for_each(|number| drop(core.receive(number, "hi")));
    let mut events = Vec::new();
    server.receive(&bytes(&every_frame()[2]), NOW, &mut events);
    let page = core.handle(iris_types::request::Request::ReadInbox { after: Offset(0) }).0.unwrap();
    server.answer(iris_protocol::server::SYNC_REQUEST, page);
    events.clear();
    let acknowledge = |offset| bytes(&ClientFrame::Acknowledge(Acknowledge { up_to: Offset(offset) }));
    let sent = [1, 2, 3, 900, 4, 901, 5, 902, 5].map(acknowledge).concat();
    server.receive(&sent, NOW, &mut events);
    let asked: Vec<_> = events
        .iter()
        .map(|event| match event {
            ServerEvent::Request { request: iris_types::request::Request::Acknowledge { up_to }, .. } => {
                up_to.0
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, [3, 900, 5]);
    events.clear();
    server.receive(&acknowledge(903), NOW, &mut events);
    assert_eq!(events, [], "one ahead waits for its refusal");
    let refused = core.handle(iris_types::request::Request::Acknowledge { up_to: Offset(900) }).0.unwrap();
    server.answer(iris_protocol::server::ACKNOWLEDGE_REQUEST, refused);
    server.receive(&acknowledge(904), NOW, &mut events);
    assert_eq!(events.len(), 1);
}

#[test]
fn a_sync_from_nowhere_makes_no_acknowledgement_honest() {
    let mut server = server_in(State::Ready, Versions::ALL);
    let mut events = Vec::new();
    server.receive(
        &bytes(&ClientFrame::Sync(Sync { request: RequestId(1), after: Offset(900) })),
        NOW,
        &mut events,
    );
    for up_to in 1..900 {
        let acknowledge = ClientFrame::Acknowledge(Acknowledge { up_to: Offset(up_to) });
        server.receive(&bytes(&acknowledge), NOW, &mut events);
    }
    assert_eq!(events.len(), 2, "the page and one acknowledgement");
}

#[test]
fn before_login_frames_are_short() {
    let length = (LOGIN_PAYLOAD_BYTES_MAX + 1) as u16;
    let [high, low] = length.to_be_bytes();
    for state in [State::Opened, State::Greeted, State::LoggingIn] {
        check(state, &[opcode::AUTHENTICATE, high, low], Some(ErrorCode::BadFrame));
    }
    let mut server = server_in(State::Ready, Versions::ALL);
    server.receive(&[opcode::SEND_BATCH, 0xff, 0xff], NOW, &mut Vec::new());
    assert!(server.is_ready() && server.heap_bytes() < 64, "memory follows the bytes that came");
}

#[test]
fn slowness_is_bounded_in_every_state() {
    for state in [State::Opened, State::Greeted, State::LoggingIn] {
        let mut server = server_in(state, Versions::ALL);
        // A trickle of bytes does not move the deadline of the login.
        server.receive(&[opcode::PING], NOW.plus_millis(LOGIN_MS_MAX - 1), &mut Vec::new());
        assert_eq!(server.deadline(), Some(NOW.plus_millis(LOGIN_MS_MAX)));
        server.handle_deadline(NOW.plus_millis(LOGIN_MS_MAX - 1));
        assert!(!server.is_closing());
        server.handle_deadline(NOW.plus_millis(LOGIN_MS_MAX));
        assert_eq!(server.closed_with(), Some(ErrorCode::TimedOut));
    }
    let mut server = server_in(State::Ready, Versions::ALL);
    let begun = NOW.plus_millis(50);
    let due = begun.plus_millis(PARTIAL_FRAME_MS_MAX);
    for (step, byte) in bytes(&ClientFrame::Ping(Ping { token: 1 }))[..10].iter().enumerate() {
        server.receive(&[*byte], begun.plus_millis(step as u64 * 900), &mut Vec::new());
        assert_eq!(server.deadline(), Some(due), "a partial frame has one deadline, however it trickles");
    }
    server.handle_deadline(due);
    assert_eq!(server.closed_with(), Some(ErrorCode::TimedOut));
}

#[test]
fn nothing_shows_tokens_or_messages() {
    let mut server = server_in(State::Greeted, Versions::ALL);
    let mut events = Vec::new();
    server.receive(&bytes(&authenticate()), NOW, &mut events);
    let mut client = iris_protocol::client::ClientConnection::new(login(Versions::ALL), NOW);
    client.ping(NOW);
    let shown = format!("{events:?} {server:?} {client:?} {:?}", authenticate());
    let hidden = format!("{:?}", scripted::TOKEN);
    assert!(!shown.contains("eyJ") && !shown.contains(hidden.trim_matches(['[', ']'])), "{shown}");
    assert_eq!(events.len(), 1);
    assert!(matches!(events[0], ServerEvent::Authenticate { at: Timestamp(scripted::START), .. }));
}
