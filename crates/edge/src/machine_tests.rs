#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use iris_protocol::client::{ClientConfig, ClientConnection, ClientEvent};
use iris_protocol::{Capabilities, Versions};
use iris_types::request::{Attached, SendMessage};
use iris_types::{Body, BodyKind, ConversationId, MessageId, Offset, Presence, PresenceState, Typing};

use super::*;

const START: Now = Now { wall: Timestamp(1_800_000_000_000), monotonic: Monotonic(5_000) };
/// Less than the silence after which a connection is closed.
const TOKEN_MS: u64 = 20_000;
/// Entries in the inbox at login.
const LAST: u64 = 1;

fn after(millis: u64) -> Now {
    Now { wall: START.wall.plus_millis(millis), monotonic: START.monotonic.plus_millis(millis) }
}

/// "good" is Alice's, valid for [`TOKEN_MS`]; everything else is bad.
fn check(token: &[u8], now: Timestamp) -> Result<(UserId, TokenFacts), ErrorCode> {
    if token != b"good" {
        return Err(ErrorCode::BadToken);
    }
    let facts = TokenFacts { id: [1; 16], issued_at: now, expires_at: START.wall.plus_millis(TOKEN_MS) };
    Ok((UserId::new("alice").unwrap(), facts))
}

/// Both machines with nothing between them.
struct Pair {
    server: EdgeMachine,
    client: ClientConnection,
    gathered: Gathered,
    heard: Vec<ClientEvent>,
    now: Now,
}

impl Pair {
    fn new(token: &str) -> Self {
        let session = SessionId { event_loop: 3, slot: 4, generation: 5 };
        let config = ClientConfig {
            versions: Versions::ALL,
            capabilities: Capabilities::ALL,
            token: Bytes::copy_from_slice(token.as_bytes()),
            device: DeviceId::new("phone").unwrap(),
            nonce: [9; 16],
            at: START.wall,
        };
        let mut pair = Self {
            server: EdgeMachine::new(&Arc::default(), session, START),
            client: ClientConnection::new(config, Monotonic(0)),
            gathered: Gathered::default(),
            heard: Vec::new(),
            now: START,
        };
        pair.run();
        pair
    }

    /// Passes bytes until nobody has any.
    fn run(&mut self) {
        loop {
            let (mut up, mut down) = (Vec::new(), Vec::new());
            self.client.transmit(&mut up);
            self.server.receive(&up, self.now, &check, &mut self.gathered);
            self.server.transmit(&mut down);
            self.client.receive(&down, Monotonic(0), &mut self.heard);
            if up.is_empty() && down.is_empty() {
                return;
            }
        }
    }

    fn asked(&mut self) -> Vec<ToCore> {
        std::mem::take(&mut self.gathered.to_core)
    }

    fn answer(&mut self, id: RequestId, answer: Answer) {
        let session = self.server.session();
        self.server.handle(ToEdge::Answer { session, id, answer });
        self.run();
    }

    fn logged_in() -> Self {
        let mut pair = Self::new("good");
        assert!(matches!(pair.asked().as_slice(), [ToCore::Attach { .. }]));
        let attached = Attached { cursor: Offset(0), last: Offset(LAST), server_time: START.wall };
        pair.answer(RequestId(0), Answer::Attached(attached));
        assert!(pair.server.is_ready());
        pair
    }

    fn send(&mut self) {
        let message = SendMessage {
            id: MessageId::from_parts(START.wall, [0; 10]),
            to: UserId::new("bob").unwrap().into(),
            previous: None,
            body: Body::new(BodyKind::TEXT, Bytes::from_static(b"hi")).unwrap(),
        };
        self.client.send(RequestId(8), &message);
        self.run();
    }

    fn closed_with(&self) -> Option<ErrorCode> {
        self.heard.iter().find_map(|event| match event {
            ClientEvent::Closed { refusal, .. } => Some(refusal.code),
            _ => None,
        })
    }
}

#[test]
fn a_login_is_attached_with_what_the_token_says() {
    let mut pair = Pair::new("good");
    let [ToCore::Attach { session, login }] = &pair.asked()[..] else { panic!("no attach") };
    assert_eq!(*session, SessionId { event_loop: 3, slot: 4, generation: 5 });
    assert_eq!((login.user.as_str(), login.device.as_str()), ("alice", "phone"));
    assert_eq!((login.nonce, login.at), ([9; 16], START.wall));
    assert_eq!(login.token.expires_at, START.wall.plus_millis(TOKEN_MS));
    assert!(!pair.server.is_ready());
}

#[test]
fn a_bad_token_reaches_nobody() {
    let mut pair = Pair::new("stolen");
    assert!(pair.asked().is_empty() && pair.server.is_closing());
    assert_eq!(pair.closed_with(), Some(ErrorCode::BadToken));
    assert!(pair.server.detach().is_none());
}

#[test]
fn requests_carry_session_user_and_device() {
    let mut pair = Pair::logged_in();
    pair.send();
    match &pair.asked()[..] {
        [ToCore::Request { session, user, device, id, request: Request::SendMessage(_) }] => {
            assert_eq!((*session, *id), (pair.server.session(), RequestId(8)));
            assert_eq!((user.as_str(), device.as_str()), ("alice", "phone"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_is_told_who_is_there_and_who_writes() {
    let mut pair = Pair::logged_in();
    let (session, bob) = (pair.server.session(), UserId::new("bob").unwrap());
    let presence = Presence { user: bob.clone(), state: PresenceState::Online };
    let typing = Typing { conversation: ConversationId([7; 16]), user: bob.clone(), on: true };
    pair.client.say_typing(&bob.into(), true);
    pair.heard.clear();
    pair.server.handle(ToEdge::Presence { session, presence: presence.clone() });
    pair.server.handle(ToEdge::Typing { session, typing: Arc::new(typing.clone()) });
    pair.run();
    assert_eq!(pair.heard, [ClientEvent::Presence(presence), ClientEvent::Typing(typing)]);
    assert!(matches!(&pair.asked()[..], [ToCore::Request { request: Request::Typing { on: true, .. }, .. }]));
}

#[test]
fn a_session_is_detached_once_if_the_core_may_know_it() {
    let mut waiting = Pair::new("good");
    assert!(matches!(waiting.server.detach(), Some(ToCore::Detach { user, .. }) if user.as_str() == "alice"));
    assert!(waiting.server.detach().is_none());
    let mut refused = Pair::new("good");
    let refusal = Refusal::new(ErrorCode::TokenRevoked);
    refused.answer(RequestId(0), Answer::Refused { refusal, server_time: START.wall });
    assert_eq!(refused.closed_with(), Some(ErrorCode::TokenRevoked));
    assert!(refused.server.detach().is_none());
    assert!(Pair::logged_in().server.detach().is_some());
}

#[test]
fn a_refused_acknowledgement_of_a_closing_connection_costs_no_detach() {
    let refused = || {
        let refusal = Refusal::new(ErrorCode::CursorAhead);
        Answer::Refused { refusal, server_time: START.wall }
    };
    let mut pair = Pair::logged_in();
    pair.server.close(ErrorCode::Replaced);
    pair.answer(ACKNOWLEDGE_REQUEST, refused());
    assert!(pair.server.detach().is_some());
    // The login was answered when it was too late.
    let mut late = Pair::new("good");
    late.server.close(ErrorCode::TimedOut);
    let attached = Attached { cursor: Offset(0), last: Offset(0), server_time: START.wall };
    late.answer(RequestId(0), Answer::Attached(attached));
    late.answer(ACKNOWLEDGE_REQUEST, refused());
    assert!(late.server.detach().is_some());
}

#[test]
fn a_request_after_the_tokens_end_is_not_passed_on() {
    let mut pair = Pair::logged_in();
    pair.now = after(TOKEN_MS - 1);
    pair.send();
    assert_eq!(pair.asked().len(), 1);
    // The wall clock alone decides, too: it may be set forward.
    pair.now = Now { wall: START.wall.plus_millis(TOKEN_MS), monotonic: START.monotonic };
    pair.send();
    assert!(pair.asked().is_empty());
    assert_eq!(pair.closed_with(), Some(ErrorCode::TokenExpired));
    assert!(pair.server.detach().is_some());
}

#[test]
fn the_tokens_end_is_a_deadline() {
    let mut pair = Pair::logged_in();
    assert_eq!(pair.server.deadline(), Some(after(TOKEN_MS).monotonic));
    pair.server.handle_deadline(after(TOKEN_MS - 1));
    assert!(!pair.server.is_closing());
    // Even when somebody sets the wall clock back.
    pair.server.handle_deadline(Now { wall: START.wall, monotonic: after(TOKEN_MS).monotonic });
    pair.run();
    assert_eq!(pair.closed_with(), Some(ErrorCode::TokenExpired));
    assert_eq!(pair.server.deadline(), None);
}

#[test]
fn a_full_link_means_busy_and_loses_no_acknowledgement_and_no_detach() {
    let mut pair = Pair::logged_in();
    pair.send();
    let request = pair.asked().remove(0);
    assert!(!pair.server.refuse(&request, START));
    pair.run();
    let is_busy = |event: &ClientEvent| matches!(event, ClientEvent::Refused { refusal, .. } if *refusal == Refusal::after(ErrorCode::Busy, BUSY_RETRY_AFTER_MS));
    assert!(pair.heard.iter().any(is_busy));
    let (session, user) = (pair.server.session(), UserId::new("alice").unwrap());
    let acknowledgement = |up_to| ToCore::Request {
        session,
        user: user.clone(),
        device: DeviceId::new("phone").unwrap(),
        id: ACKNOWLEDGE_REQUEST,
        request: Request::Acknowledge { up_to: Offset(up_to) },
    };
    assert!(pair.server.refuse(&acknowledgement(LAST), START));
    assert!(!pair.server.refuse(&acknowledgement(LAST + 1), START), "the core would refuse it");
    pair.run();
    assert_eq!(pair.heard.iter().filter(|event| is_busy(event)).count(), 2);
    let typing = ToCore::Request {
        session,
        user: user.clone(),
        device: DeviceId::new("phone").unwrap(),
        id: ACKNOWLEDGE_REQUEST,
        request: Request::Typing { target: UserId::new("bob").unwrap().into(), on: true },
    };
    assert!(!pair.server.refuse(&typing, START), "nobody is told");
    pair.run();
    assert_eq!(pair.heard.iter().filter(|event| is_busy(event)).count(), 2);
    assert!(pair.server.refuse(&ToCore::Detach { session, user }, START));
    assert!(!pair.server.is_closing());

    let mut login = Pair::new("good");
    let attach = login.asked().remove(0);
    assert!(!login.server.refuse(&attach, START));
    login.run();
    assert_eq!(login.closed_with(), Some(ErrorCode::Busy));
    assert!(login.server.detach().is_none());
}
