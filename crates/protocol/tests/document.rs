//! `docs/protocol.md` against the code: opcodes, errors, limits, close codes, and the sessions byte by byte.
//!
//! `UPDATE_SESSION=1` writes the sessions into the document.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod scripted;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use iris_protocol::change_group;
use iris_protocol::http::{HeadError, NOT_FOUND};
use iris_protocol::server::ServerConfig;
use iris_protocol::websocket::{CloseCode, UpgradeError};
use iris_protocol::{ClientFrame, DrainHint, Versions, frame};
use iris_types::limits as l;
use iris_types::request::{HistoryFrom, ListConversations, MarkRead, ReadHistory, RequestId, SendMessage};
use iris_types::{
    Change, ChangeGroup, ConversationId, CreateGroup, ErrorCode, GroupChange, GroupDescription, GroupReceipt,
    GroupTitle, InboxItem, Marks, Offset, Policy, Role, Seq, Target, Timestamp, Typing,
};
use scripted::{Pair, Side, message, message_id, user};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn document() -> String {
    std::fs::read_to_string(path("protocol.md")).unwrap()
}

/// Cells of the rows of the table under a heading.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let section = document.split(heading).nth(1).unwrap();
    let table = section.lines().skip_while(|line| !line.starts_with('|')).skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn the_error_table_is_the_catalogue() {
    let told: Vec<_> =
        rows(&document(), "\n## 14. Errors").into_iter().map(|row| row[..3].to_vec()).collect();
    let known: Vec<_> = ErrorCode::ALL
        .iter()
        .map(|code| {
            let retryable = if code.is_retryable() { "yes" } else { "no" };
            vec![(*code as u16).to_string(), code.name().to_owned(), retryable.to_owned()]
        })
        .collect();
    assert_eq!(told, known);
}

#[test]
fn the_tables_of_times_and_limits_are_the_limits() {
    let known: &[(&str, u64)] = &[
        ("HELLO_MS_MIN", l::HELLO_MS_MIN),
        ("HANDSHAKE_MS_MAX", l::HANDSHAKE_MS_MAX),
        ("LOGIN_MS_MAX", l::LOGIN_MS_MAX),
        ("PARTIAL_FRAME_MS_MAX", l::PARTIAL_FRAME_MS_MAX),
        ("HTTP_HEAD_MS_MAX", l::HTTP_HEAD_MS_MAX),
        ("HTTP_CONNECTION_MS_MAX", l::HTTP_CONNECTION_MS_MAX),
        ("IDLE_MS_MAX", l::IDLE_MS_MAX),
        ("PING_INTERVAL_MS", l::PING_INTERVAL_MS),
        ("WAITING_PING_INTERVAL_MS", l::WAITING_PING_INTERVAL_MS),
        ("PONG_MS_MAX", l::PONG_MS_MAX),
        ("LOGIN_ANSWER_MS_MAX", l::LOGIN_ANSWER_MS_MAX),
        ("TOKEN_AHEAD_MS_MAX", l::TOKEN_AHEAD_MS_MAX),
        ("LOGIN_SKEW_MS_MAX", l::LOGIN_SKEW_MS_MAX),
        ("ID_AHEAD_MS_MAX", l::ID_AHEAD_MS_MAX),
        ("DEDUP_WINDOW_MS", l::DEDUP_WINDOW_MS),
        ("INBOX_TTL_MS", l::INBOX_TTL_MS),
        ("LAST_LOGIN_INTERVAL_MS", l::LAST_LOGIN_INTERVAL_MS),
        ("RECEIPT_INTERVAL_MS", l::RECEIPT_INTERVAL_MS),
        ("GROUP_RECEIPT_INTERVAL_MS", l::GROUP_RECEIPT_INTERVAL_MS),
        ("LAST_SEEN_INTERVAL_MS", l::LAST_SEEN_INTERVAL_MS),
        ("TYPING_MS", l::TYPING_MS),
        ("TYPING_PACE_MS", l::TYPING_PACE_MS),
        ("NAME_BYTES_MAX", l::NAME_BYTES_MAX as u64),
        ("LABEL_BYTES_MAX", l::LABEL_BYTES_MAX as u64),
        ("BODY_BYTES_MAX", l::BODY_BYTES_MAX as u64),
        ("FRAME_PAYLOAD_BYTES_MAX", l::FRAME_PAYLOAD_BYTES_MAX as u64),
        ("LOGIN_PAYLOAD_BYTES_MAX", l::LOGIN_PAYLOAD_BYTES_MAX as u64),
        ("TOKEN_BYTES_MAX", l::TOKEN_BYTES_MAX as u64),
        ("NONCE_BYTES", l::NONCE_BYTES as u64),
        ("TOKEN_LIFETIME_S_MAX", l::TOKEN_LIFETIME_S_MAX),
        ("BATCH_ITEMS_MAX", l::BATCH_ITEMS_MAX as u64),
        ("PAGE_ITEMS_MAX", l::PAGE_ITEMS_MAX as u64),
        ("LIST_ITEMS_MAX", l::LIST_ITEMS_MAX as u64),
        ("PAGE_BYTES_MAX", l::PAGE_BYTES_MAX as u64),
        ("REQUESTS_IN_FLIGHT_MAX", l::REQUESTS_IN_FLIGHT_MAX as u64),
        ("PAGE_REQUESTS_IN_FLIGHT_MAX", l::PAGE_REQUESTS_IN_FLIGHT_MAX as u64),
        ("PUSH_WINDOW_ENTRIES_MAX", l::PUSH_WINDOW_ENTRIES_MAX as u64),
        ("PUSH_WINDOW_BYTES_MAX", l::PUSH_WINDOW_BYTES_MAX as u64),
        ("WEBSOCKET_MESSAGE_BYTES_MAX", l::WEBSOCKET_MESSAGE_BYTES_MAX as u64),
        ("HTTP_HEAD_BYTES_MAX", l::HTTP_HEAD_BYTES_MAX as u64),
        ("HTTP_HEADERS_MAX", l::HTTP_HEADERS_MAX as u64),
        ("HTTP_RESPONSES_MAX", l::HTTP_RESPONSES_MAX as u64),
        ("DEVICES_PER_USER_MAX", l::DEVICES_PER_USER_MAX as u64),
        ("REVOKED_DEVICES_MAX", l::REVOKED_DEVICES_MAX as u64),
        ("TITLE_BYTES_MAX", l::TITLE_BYTES_MAX as u64),
        ("DESCRIPTION_BYTES_MAX", l::DESCRIPTION_BYTES_MAX as u64),
        ("PREVIEW_BYTES_MAX", l::PREVIEW_BYTES_MAX as u64),
        ("GROUP_MEMBERS_MAX", l::GROUP_MEMBERS_MAX as u64),
        ("MEMBERSHIPS_MAX", l::MEMBERSHIPS_MAX as u64),
        ("WATCHED_MAX", l::WATCHED_MAX as u64),
        ("TYPING_PER_PACE_MAX", l::TYPING_PER_PACE_MAX as u64),
    ];
    let document = document();
    let told = [rows(&document, "\n## 12. Times"), rows(&document, "\n## 13. Limits")].concat();
    let told: Vec<_> =
        told.iter().map(|row| (row[2].as_str(), row[1].replace(',', "").parse().unwrap())).collect();
    assert_eq!(told, known);
}

#[test]
fn the_tables_of_groups_are_the_code() {
    let document = document();
    let bits: Vec<_> =
        rows(&document, "\n## 9. Groups").into_iter().map(|row| [row[0].clone(), row[1].clone()]).collect();
    let known = Policy::NAMES.map(|(policy, name)| [policy.bits().to_string(), name.to_owned()]);
    assert_eq!(bits, known);

    let (bob, title) = (user("bob"), GroupTitle::new("Tea").unwrap());
    let description = GroupDescription::new("").unwrap();
    let made = [
        Change::Created(title.clone()),
        Change::Invited(bob.clone()),
        Change::Added(bob.clone()),
        Change::Joined,
        Change::Removed(bob.clone()),
        Change::Left(None),
        Change::Renamed(title.clone()),
        Change::Described(description.clone()),
        Change::Role(Role::Admin, bob.clone()),
        Change::Policy(Policy::default()),
    ];
    let told = rows(&document, "\nThe body of a change is");
    let known = made.map(|change| [change.to_body().bytes()[0].to_string(), change.name().to_owned()]);
    assert_eq!(told.into_iter().map(|row| [row[0].clone(), row[1].clone()]).collect::<Vec<_>>(), known);

    let asked = [
        ("invite", GroupChange::Invite(bob.clone())),
        ("add", GroupChange::Add(bob.clone())),
        ("remove", GroupChange::Remove(bob.clone())),
        ("accept", GroupChange::Accept),
        ("leave", GroupChange::Leave),
        ("rename", GroupChange::Rename(title)),
        ("describe", GroupChange::Describe(description)),
        ("role", GroupChange::SetRole(bob, Role::Admin)),
        ("policy", GroupChange::SetPolicy(Policy::default())),
    ];
    let known = asked.map(|(name, change)| {
        let change = ChangeGroup { id: message_id(1), group: ConversationId([7; 16]), change };
        let mut bytes = Vec::new();
        let frame = change_group::Change { request: RequestId(1), change };
        ClientFrame::ChangeGroup(frame).encode(&mut bytes).unwrap();
        [bytes[3 + 36].to_string(), name.to_owned()]
    });
    let told = rows(&document, "\n**ChangeGroup**");
    assert_eq!(told.into_iter().map(|row| [row[0].clone(), row[1].clone()]).collect::<Vec<_>>(), known);
}

#[test]
fn the_table_of_close_codes_is_that_of_the_machine() {
    let told: Vec<_> =
        rows(&document(), "\n### WebSocket").into_iter().map(|row| row[..2].to_vec()).collect();
    let known = CloseCode::ALL.map(|code| vec![(code as u16).to_string(), format!("{code:?}")]);
    assert_eq!(told, known);
}

#[test]
fn the_answers_to_a_request_for_a_websocket_are_named() {
    let document = document();
    let section = document.split("\n### WebSocket").nth(1).unwrap().split("\n## ").next().unwrap();
    let told = section.lines().find(|line| line.starts_with("- The request for a WebSocket is")).unwrap();
    let errors = [
        UpgradeError::Key,
        UpgradeError::Forbidden,
        UpgradeError::Method,
        UpgradeError::NotAnUpgrade,
        HeadError::TooLong.into(),
    ];
    let mut known: Vec<u16> = errors.iter().map(|error| error.status().0).chain([NOT_FOUND.0]).collect();
    known.sort_unstable();
    let numbers: Vec<_> = told.split_whitespace().filter_map(|word| word.parse::<u16>().ok()).collect();
    assert_eq!(numbers, known);
}

#[test]
fn the_table_of_frames_is_that_of_the_vectors() {
    let vectors: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path("protocol-vectors.json")).unwrap()).unwrap();
    let mut known: Vec<_> = vectors["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vector| {
            let text = |name: &str| vector[name].as_str().unwrap().to_owned();
            let opcode = format!("0x{:02x}", vector["opcode"].as_u64().unwrap());
            vec![opcode, text("frame"), text("from"), vector["version"].to_string()]
        })
        .collect();
    known.sort();
    known.dedup();
    assert_eq!(rows(&document(), "\n## 4. Frames"), known);
}

/// What the document's session tells, played by both machines.
fn played(versions: Versions) -> Vec<(Side, Vec<u8>)> {
    let mut pair = Pair::new(versions, &Arc::new(ServerConfig::default()));
    pair.core.receive(1, "Hi Alice");
    pair.core.receive(2, "Lunch?");
    pair.settle();
    pair.client.sync(RequestId(1), Offset(0));
    pair.settle();
    let mut second = message(4, "At noon");
    second.previous = Some(message_id(3));
    pair.client.send(RequestId(2), &message(3, "Yes!"));
    pair.client.send(RequestId(3), &second);
    pair.settle();
    pair.receive(5, "Grüße 👋");
    pair.settle();
    let read = ReadHistory { with: user("bob").into(), from: HistoryFrom::Latest, limit: 2 };
    pair.client.read_history(RequestId(4), &read);
    pair.client.list_conversations(RequestId(5), &ListConversations { after: None, limit: 100 });
    pair.settle();
    pair.client.ping(pair.now);
    pair.settle();
    pair.server.drain(DrainHint { reconnect_after_ms: 500, jitter_ms: 5_000 });
    pair.server.close(ErrorCode::Draining);
    pair.settle();
    assert_eq!(pair.core.cursor, Offset(5));
    pair.flights
}

/// What the document's session of a group tells, from the end of the sync on.
fn played_group() -> Vec<(Side, Vec<u8>)> {
    let mut pair = Pair::new(Versions::ALL, &Arc::new(ServerConfig::default()));
    pair.settle();
    pair.client.sync(RequestId(1), Offset(0));
    pair.settle();
    pair.flights.clear();
    let create = CreateGroup {
        id: message_id(1),
        title: GroupTitle::new("Tea").unwrap(),
        description: GroupDescription::new("at five").unwrap(),
        policy: Policy::ADMINS_ADD,
        members: vec![user("bob")],
    };
    let group = ConversationId::group(&user("alice"), create.id);
    pair.client.create_group(RequestId(2), &create).unwrap();
    pair.settle();
    pair.client.send(RequestId(3), &SendMessage { to: Target::Group(group), ..message(2, "Tea?") });
    pair.settle();
    let everybody = Marks { delivered: Seq(2), read: Seq(2) };
    let at = Timestamp(scripted::START + 2_500);
    let receipt = GroupReceipt { group, seq: Seq(2), delivered: 1, read: 1, members: 1, everybody, at };
    pair.happens(InboxItem::GroupReceipt(receipt));
    pair.server.tell_typing(&Typing { conversation: group, user: user("bob"), on: true });
    pair.settle();
    let entry = pair.core.commit_to_group("bob", None, message_id(3), scripted::text("Yes!"));
    pair.server.push(&entry);
    pair.settle();
    pair.client.mark_read(RequestId(4), &MarkRead { target: Target::Group(group), up_to: Seq(3) });
    pair.settle();
    pair.flights
}

/// Frames of the flights, one block of lines each.
fn shown(flights: &[(Side, Vec<u8>)]) -> String {
    let mut text = String::new();
    for (at, (side, bytes)) in flights.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        let mut rest = bytes.as_slice();
        while let Ok(Some(frame)) = frame::split(rest, l::FRAME_PAYLOAD_BYTES_MAX) {
            let side = if *side == Side::Client { 'C' } else { 'S' };
            let length = frame.payload.len();
            writeln!(text, "{side} {:02x} {length:04x}  # {}", frame.opcode, name(frame.opcode)).unwrap();
            for line in frame.payload.chunks(32) {
                let hex: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(text, "    {hex}").unwrap();
            }
            rest = frame.rest;
        }
    }
    text
}

fn name(opcode: u8) -> String {
    let code = format!("0x{opcode:02x}");
    rows(&document(), "\n## 4. Frames").into_iter().find(|row| row[0] == code).unwrap()[1].clone()
}

const FENCE: &str = "```text\n";

#[test]
fn the_sessions_are_what_the_machines_say() {
    let sessions = [
        ("version 1", played(Versions::ONLY_1)),
        ("version 2", played(Versions::ALL)),
        ("of a group", played_group()),
    ]
    .map(|(name, flights)| (format!("<!-- session {name} -->\n{FENCE}"), shown(&flights)));
    if std::env::var_os("UPDATE_SESSION").is_some() {
        let mut document = document();
        for (head, session) in &sessions {
            let start = document.find(head.as_str()).unwrap() + head.len();
            let end = start + document[start..].find("```").unwrap();
            document.replace_range(start..end, session);
        }
        std::fs::write(path("protocol.md"), document).unwrap();
    }
    let document = document();
    for (head, session) in &sessions {
        let told = document.split(head.as_str()).nth(1).unwrap().split("```").next().unwrap();
        assert_eq!(told, session, "{head}");
    }
}
