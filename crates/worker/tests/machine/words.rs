//! Names, bodies and requests in few words.

use bytes::Bytes;
use iris_types::request::{Answer, SendMessage, Sent, SessionId};
use iris_types::{
    Body, BodyKind, Change, ConversationId, CreateGroup, DeviceId, ErrorCode, GroupChange, GroupDescription,
    GroupTitle, InboxEntry, InboxItem, MessageId, Policy, Role, Target, UserId,
};
use iris_worker::WorkerLimits;

/// Limits that make everything small happen at once.
pub(crate) fn small() -> WorkerLimits {
    WorkerLimits { flush_bytes: 4_096, state_cache_bytes: 0, ..WorkerLimits::default() }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

/// A session of one user, told by the name.
pub(crate) fn session(name: &str) -> SessionId {
    let slot = name.bytes().fold(0_u32, |slot, byte| slot.wrapping_mul(31).wrapping_add(u32::from(byte)));
    SessionId { event_loop: 0, slot, generation: 1 }
}

pub(crate) fn body(text: &str) -> Body {
    Body::new(BodyKind::TEXT, Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

pub(crate) fn message(id: MessageId, to: &str, text: &str) -> SendMessage {
    SendMessage { id, to: user(to).into(), previous: None, body: body(text) }
}

pub(crate) fn to_group(id: MessageId, group: ConversationId, text: &str) -> SendMessage {
    SendMessage { id, to: Target::Group(group), previous: None, body: body(text) }
}

pub(crate) fn creation(id: MessageId, policy: Policy, members: &[&str]) -> CreateGroup {
    let (title, description) = (GroupTitle::new("title").unwrap(), GroupDescription::new("").unwrap());
    CreateGroup { id, title, description, policy, members: members.iter().map(|name| user(name)).collect() }
}

/// `invite x`, `add x`, `remove x`, `accept`, `leave`, `rename x`, `describe x`, `role x admin`, `policy 3`.
pub(crate) fn change_of(text: &str) -> GroupChange {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["invite", name] => GroupChange::Invite(user(name)),
        ["add", name] => GroupChange::Add(user(name)),
        ["remove", name] => GroupChange::Remove(user(name)),
        ["accept"] => GroupChange::Accept,
        ["leave"] => GroupChange::Leave,
        ["rename", title] => GroupChange::Rename(GroupTitle::new(title).unwrap()),
        ["describe", text] => GroupChange::Describe(GroupDescription::new(text).unwrap()),
        ["role", name, role] => GroupChange::SetRole(user(name), Role::from_name(role).unwrap()),
        ["policy", bits] => GroupChange::SetPolicy(Policy::from_bits(bits.parse().unwrap()).unwrap()),
        _ => panic!("no change: {text}"),
    }
}

pub(crate) fn sent(answer: Answer) -> Result<Sent, ErrorCode> {
    match answer {
        Answer::Sent(sent) => Ok(sent),
        Answer::Refused { refusal, .. } => Err(refusal.code),
        other => panic!("not the answer to a send: {other:?}"),
    }
}

pub(crate) fn refused(answer: Answer) -> Option<ErrorCode> {
    match answer {
        Answer::Refused { refusal, .. } => Some(refusal.code),
        _ => None,
    }
}

/// A message's text, or what else the entry tells.
pub(crate) fn text_of(entry: &InboxEntry) -> String {
    match &entry.item {
        InboxItem::Message(message) => text_of_body(&message.body),
        InboxItem::Receipt(_) => "<receipt>".to_owned(),
        InboxItem::GroupReceipt(_) => "<group receipt>".to_owned(),
        InboxItem::State(_) => "<state>".to_owned(),
        InboxItem::Settings(..) => "<settings>".to_owned(),
    }
}

/// Of a change its name, and whom it is about.
pub(crate) fn text_of_body(body: &Body) -> String {
    if let Some(text) = body.as_text() {
        return text.to_owned();
    }
    let change = Change::from_body(body).unwrap();
    match &change {
        Change::Invited(user) | Change::Added(user) | Change::Removed(user) | Change::Role(_, user) => {
            format!("<{} {user}>", change.name())
        }
        _ => format!("<{}>", change.name()),
    }
}
