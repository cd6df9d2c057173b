//! Whole sessions as a client sees them: frames of a server that may be wrong, own requests, and time.

use bytes::Bytes;
use iris_protocol::client::{ClientConfig, ClientConnection, ClientEvent};
use iris_protocol::frame::opcode;
use iris_protocol::{Capabilities, Versions};
use iris_types::request::{
    BlockUser, HistoryFrom, ListConversations, MarkRead, ReadHistory, ReadReceipts, ReadRoster, RenameDevice,
    RequestId, RevokeDevice, SetFlags,
};
use iris_types::{
    BodyKind, ChangeGroup, ConversationId, CreateGroup, DeviceId, DeviceLabel, Flags, GroupChange,
    GroupDescription, GroupTitle, MessageId, Monotonic, Offset, Policy, Seq, SettingsChange, Target,
    Timestamp, UserId, Watched,
};

use super::vectors::{self, From};
use super::{Script, frames};
use crate::behaviour;

const RECEIVE: u8 = 0;
const FRAME: u8 = 1;
const WAIT: u8 = 2;
const SEND: u8 = 3;
const SYNC: u8 = 4;
const ACKNOWLEDGE: u8 = 5;
const ASK: u8 = 6;
const TRANSMIT: u8 = 7;

/// The connection, and what it has told.
struct World {
    connection: ClientConnection,
    now: Monotonic,
    /// The last offset that was told since the last sync; what follows has to be dense.
    last: Option<u64>,
    requests: u32,
    is_closed: bool,
    seen: Vec<u64>,
}

pub(crate) fn run(input: &[u8]) -> u64 {
    let Some(mut world) = World::new() else { return 0 };
    let mut script = Script::new(input);
    while !script.is_over() {
        world.step(&mut script);
    }
    behaviour(&world.seen)
}

impl World {
    fn new() -> Option<Self> {
        let config = ClientConfig {
            versions: Versions::ALL,
            capabilities: Capabilities::ALL,
            token: Bytes::from_static(b"header.claims.signature"),
            device: DeviceId::new("phone").ok()?,
            nonce: [3; 16],
            at: Timestamp(1_700_000_000_000),
        };
        let now = Monotonic(1_000);
        let connection = ClientConnection::new(config, now);
        Some(Self { connection, now, last: None, requests: 0, is_closed: false, seen: Vec::new() })
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 8 {
            RECEIVE => {
                let count = script.number() as usize;
                self.receive(script.bytes(count));
            }
            FRAME => {
                let (opcode, count) = (script.byte(), script.number() as usize % 512);
                let payload = script.bytes(count);
                let length = (payload.len() as u16).to_be_bytes();
                self.receive(&[&[opcode | 0x80][..], &length, payload].concat());
            }
            WAIT => self.wait(script.number() * 64),
            SEND => self.send(),
            SYNC => {
                let (request, after) = (self.request(), script.number());
                if self.connection.is_ready() {
                    self.last = Some(after);
                }
                self.connection.sync(request, Offset(after));
            }
            ACKNOWLEDGE => self.connection.acknowledge(Offset(script.number())),
            ASK => self.ask(script.byte()),
            TRANSMIT => {
                let mut out = Vec::new();
                let said = self.connection.transmit(&mut out);
                assert_eq!(said, !out.is_empty(), "transmit says whether there was anything");
            }
            _ => unreachable!("a remainder of eight"),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut events = Vec::new();
        self.connection.receive(bytes, self.now, &mut events);
        events.into_iter().for_each(|event| self.take(event));
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now = self.now.plus_millis(milliseconds);
        let mut events = Vec::new();
        self.connection.handle_deadline(self.now, &mut events);
        events.into_iter().for_each(|event| self.take(event));
    }

    fn take(&mut self, event: ClientEvent) {
        assert!(!self.is_closed, "something comes after Closed");
        self.note(&event);
        match event {
            ClientEvent::Entries { gap, entries } => {
                self.follow(gap, entries.iter().map(|entry| entry.offset().0))
            }
            ClientEvent::Sent { sent, .. } => {
                let offset = sent.offset.map(|offset| offset.0);
                self.follow(None, offset.into_iter());
            }
            ClientEvent::Closed { .. } => self.is_closed = true,
            _ => {}
        }
    }

    /// Whatever the server says, what is told is dense and ascending.
    fn follow(&mut self, gap: Option<(Offset, Offset)>, offsets: impl Iterator<Item = u64>) {
        if let Some((first, last)) = gap {
            assert!(first <= last, "a gap that ends before it begins");
            assert!(
                self.last.is_none_or(|known| first.0 == known + 1),
                "a gap does not follow the last entry"
            );
            self.last = Some(last.0);
        }
        for offset in offsets {
            assert!(
                self.last.is_none_or(|known| offset == known + 1),
                "offset {offset} after {:?}",
                self.last
            );
            self.last = Some(offset);
        }
    }

    fn send(&mut self) {
        let request = self.request();
        if let Some(send) = frames::send(BodyKind::TEXT, b"hello") {
            self.connection.send(request, &send.message);
        }
    }

    fn ask(&mut self, what: u8) {
        let request = self.request();
        if what >= 8 {
            // Nothing of it breaks a rule, so it is always asked.
            let _ = self.ask_about_others(request, what >> 3);
            return;
        }
        let from = if what & 2 == 0 { HistoryFrom::Latest } else { HistoryFrom::Before(Seq(9)) };
        let (with, device) = (UserId::new("bob"), DeviceId::new("phone"));
        match (what & 5, with, device, DeviceLabel::new("Alice's")) {
            (0, Ok(with), ..) => {
                let with = with.into();
                self.connection.read_history(request, &ReadHistory { with, from, limit: 5 });
            }
            (4, ..) => self.connection.list_devices(request),
            (5, _, Ok(device), Ok(label)) if what & 2 == 0 => {
                self.connection.rename_device(request, &RenameDevice { device, label });
            }
            (5, _, Ok(device), _) => self.connection.revoke_device(request, &RevokeDevice { device }),
            _ => self.connection.list_conversations(request, &ListConversations { after: None, limit: 5 }),
        }
    }

    fn ask_about_others(&mut self, request: RequestId, what: u8) -> Option<()> {
        let (bob, group) = (UserId::new("bob").ok()?, ConversationId([7; 16]));
        let id = MessageId::from_parts(Timestamp(1_700_000_000_000), [2; 10]);
        let target = if what & 16 == 0 { Target::User(bob.clone()) } else { Target::Group(group) };
        let watched = [Watched { user: bob.clone(), group: Some(group) }];
        let connection = &mut self.connection;
        match what % 13 {
            0 => {
                let (title, description) = (GroupTitle::new("Tea").ok()?, GroupDescription::new("").ok()?);
                let (policy, members) = (Policy::ADMINS_ADD, vec![bob]);
                let create = CreateGroup { id, title, description, policy, members };
                connection.create_group(request, &create).ok()?;
            }
            1 => {
                let change = GroupChange::Invite(bob);
                connection.change_group(request, &ChangeGroup { id, group, change });
            }
            2 => connection.read_group(request, group),
            3 => connection.read_roster(request, &ReadRoster { group, after: Some(bob), limit: 9 }),
            4 => connection.mark_read(request, &MarkRead { target, up_to: Seq(9) }),
            5 => {
                let read = ReadReceipts { target, seq: Seq(9), after: None, limit: 9 };
                connection.read_receipts(request, &read);
            }
            6 => {
                let (mask, values) = (Flags::SETTABLE, Flags::PINNED);
                connection.set_flags(request, &SetFlags { target, mask, values });
            }
            7 => connection.block_user(request, &BlockUser { user: bob, on: true }),
            8 => connection.read_settings(request),
            9 => connection.change_settings(request, SettingsChange::default()),
            10 => connection.watch(request, &watched).ok()?,
            11 => connection.read_presence(request, &watched).ok()?,
            _ => connection.say_typing(&target, true),
        }
        Some(())
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    fn note(&mut self, event: &ClientEvent) {
        let kind = match event {
            ClientEvent::Ready { version, .. } => 1 + u64::from(*version),
            ClientEvent::LoginRefused { .. } => 4,
            ClientEvent::Sent { .. } => 5,
            ClientEvent::Refused { .. } => 6,
            ClientEvent::Entries { gap, entries } => {
                7 + u64::from(gap.is_some()) + 10 * entries.len().min(3) as u64
            }
            ClientEvent::PageEnd { live, .. } => 50 + u64::from(*live),
            ClientEvent::SyncNeeded => 52,
            ClientEvent::HistoryPage { .. } => 53,
            ClientEvent::Conversations { .. } => 54,
            ClientEvent::Drain(_) => 55,
            ClientEvent::Pong => 56,
            ClientEvent::Devices { .. } => 57,
            ClientEvent::Done { .. } => 58,
            ClientEvent::Group { .. } => 40,
            ClientEvent::Roster { .. } => 41,
            ClientEvent::Receipts { .. } => 42,
            ClientEvent::Settings { .. } => 43,
            ClientEvent::Presences { .. } => 44,
            ClientEvent::Presence(_) => 45,
            ClientEvent::Typing(_) => 46,
            ClientEvent::Closed { refusal, by_server } => {
                60 + u64::from(*by_server) + 2 * (refusal.code as u64)
            }
        };
        if self.seen.len() < 6 {
            self.seen.push(kind);
        }
    }
}

/// Hello and Ready of either version, then each server frame of the vectors, with requests in between.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for version in [1, 2] {
        let mut script = received(&[opcode::SERVER_HELLO, 0, 5, version, 0, 0, 0, 0]);
        script.extend(received(&[&[opcode::READY, 0, 44][..], &[0; 44]].concat()));
        let logged_in = script.clone();
        script.extend([
            SYNC,
            0,
            0,
            SEND,
            ASK,
            0,
            ASK,
            1,
            ASK,
            4,
            ASK,
            5,
            ASK,
            7,
            ACKNOWLEDGE,
            0,
            0,
            TRANSMIT,
        ]);
        // One question of each kind, numbered from 1 on, and then answers under one of the numbers.
        let asked: Vec<u8> = (0..13).flat_map(|kind| [ASK, 8 * (kind + 13)]).collect();
        for (at, mut frame) in vectors::frames(From::Server).into_iter().enumerate() {
            if matches!(frame.first(), Some(&opcode) if (opcode::GROUP..=opcode::PRESENCES).contains(&opcode))
            {
                let number = 1 + at as u32 % 13;
                if let Some(request) = frame.get_mut(3..7) {
                    request.copy_from_slice(&number.to_be_bytes());
                }
                seeds.push([logged_in.clone(), asked.clone(), received(&frame)].concat());
            }
        }
        // Answers to the fifth and sixth request of the script.
        for answer in [&[opcode::DEVICES, 0, 6, 0, 0, 0, 5, 0, 0][..], &[opcode::DONE, 0, 4, 0, 0, 0, 6]] {
            seeds.push([script.clone(), received(answer)].concat());
        }
        for frame in vectors::frames(From::Server) {
            seeds.push([script.clone(), received(&frame), vec![WAIT, 0xff, 0xff, TRANSMIT]].concat());
        }
    }
    seeds
}

fn received(frame: &[u8]) -> Vec<u8> {
    let length = (frame.len() as u16).to_be_bytes();
    [&[RECEIVE][..], &length, frame].concat()
}
