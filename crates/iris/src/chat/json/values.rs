//! What events tell, as JSON values.

use iris_client::{
    Body, BodyKind, Change, ConversationId, ConversationSummary, DeviceLabel, DeviceSummary, Flags,
    GroupReceipt, GroupSummary, Marks, Peer, Policy, Presence, PresenceState, Preview, ReceiptPage, Role,
    RosterItem, Settings, Target, UserId,
};
use serde_json::{Value, json};

/// `user`: whom it is about.
pub(super) fn put_change(fields: &mut Value, by: &UserId, change: &Change) {
    fields["change"] = change.name().into();
    fields["user"] = name(match change {
        Change::Invited(user) | Change::Added(user) | Change::Removed(user) | Change::Role(_, user) => user,
        _ => by,
    });
    match change {
        Change::Created(title) | Change::Renamed(title) => fields["name"] = title.as_str().into(),
        Change::Described(description) => fields["description"] = description.as_str().into(),
        Change::Role(of, _) => fields["role"] = of.name().into(),
        Change::Policy(of) => fields["policy"] = policy(*of),
        Change::Left(Some(owner)) => fields["owner"] = name(owner),
        _ => {}
    }
}

pub(super) fn summary(item: &ConversationSummary) -> Value {
    let mut fields = flags(item.flags);
    fields["conversation"] = hex(item.conversation);
    match &item.with {
        Peer::User(user) => fields["with"] = name(user),
        Peer::Group(title) => {
            fields["group"] = hex(item.conversation);
            fields["name"] = title.as_str().into();
        }
    }
    fields["standing"] = item.standing.name().into();
    fields["seq"] = item.last_seq.0.into();
    fields["read"] = item.read.0.into();
    fields["unread"] = item.unread.into();
    fields["last"] = last(&item.last);
    fields
}

fn last(preview: &Preview) -> Value {
    let mut fields = json!({"from": name(&preview.from), "sent_at": preview.sent_at.0, "text": null});
    match preview.kind {
        BodyKind::TEXT => fields["text"] = String::from_utf8_lossy(&preview.text).into(),
        BodyKind(kind) => {
            let body = Body::new(preview.kind, preview.text.clone()).ok();
            match body.and_then(|body| Change::from_body(&body).ok()) {
                Some(change) => put_change(&mut fields, &preview.from, &change),
                None => fields["kind"] = kind.into(),
            }
        }
    }
    fields
}

pub(super) fn group_receipt(receipt: &GroupReceipt) -> Value {
    json!({
        "conversation": hex(receipt.group),
        "group": hex(receipt.group),
        "seq": receipt.seq.0,
        "delivered": receipt.delivered,
        "read": receipt.read,
        "members": receipt.members,
        "everybody": marks(receipt.everybody),
        "at": receipt.at.0,
    })
}

pub(super) fn group(group: &GroupSummary) -> Value {
    json!({
        "group": hex(group.group),
        "name": group.title.as_str(),
        "description": group.description.as_str(),
        "policy": policy(group.policy),
        "created_at": group.created_at.0,
        "members": group.members,
        "invited": group.invited,
        "role": role(group.role),
        "seq": group.last_seq.0,
    })
}

pub(super) fn settings(settings: Settings) -> Value {
    json!({
        "read_receipts": settings.read_receipts,
        "last_seen": settings.last_seen.name(),
        "typing": settings.typing,
    })
}

pub(super) fn presence(presence: &Presence) -> Value {
    let last_seen = match presence.state {
        PresenceState::LastSeen(at) => Some(at.0),
        PresenceState::Online | PresenceState::Hidden => None,
    };
    json!({
        "user": name(&presence.user),
        "online": presence.state == PresenceState::Online,
        "last_seen": last_seen,
    })
}

pub(super) fn marks(marks: Marks) -> Value {
    json!({"delivered": marks.delivered.0, "read": marks.read.0})
}

pub(super) fn flags(flags: Flags) -> Value {
    json!({
        "muted": flags.has(Flags::MUTED),
        "pinned": flags.has(Flags::PINNED),
        "archived": flags.has(Flags::ARCHIVED),
        "blocked": flags.has(Flags::BLOCKED),
    })
}

fn policy(policy: Policy) -> Value {
    Policy::NAMES.into_iter().filter(|(bit, _)| policy.allows(*bit)).map(|(_, name)| name).collect()
}

/// Of somebody without one: invited.
fn role(role: Option<Role>) -> Value {
    role.map_or("invited", Role::name).into()
}

pub(super) fn hex(conversation: ConversationId) -> Value {
    conversation.to_string().into()
}

pub(super) fn name(user: &UserId) -> Value {
    user.as_str().into()
}

pub(super) fn put_target(fields: &mut Value, direct: &str, target: &Target) {
    match target {
        Target::User(user) => fields[direct] = name(user),
        Target::Group(group) => fields["group"] = hex(*group),
    }
}

/// Text as text; other kinds, which other programs may send, as kind and hexadecimal bytes.
pub(super) fn put_body(fields: &mut Value, body: &Body) {
    match body.as_text() {
        Some(text) => fields["text"] = text.into(),
        None => {
            let BodyKind(kind) = body.kind();
            fields["kind"] = kind.into();
            fields["bytes"] = crate::material::hexadecimal(body.bytes()).as_str().into();
        }
    }
}

pub(super) fn device(item: &DeviceSummary, current: &str) -> Value {
    json!({
        "device": item.device.as_str(),
        "label": item.label.as_ref().map(DeviceLabel::as_str),
        "online": item.online,
        "registered_at": item.registered_at.0,
        "last_login": item.last_login.0,
        "current": item.device.as_str() == current,
    })
}

pub(super) fn roster_item(item: &RosterItem) -> Value {
    json!({"user": name(&item.user), "role": role(item.role), "since": item.since.0})
}

pub(super) fn receipts(page: &ReceiptPage) -> Value {
    let by = page.by.iter().map(|(user, of)| {
        let mut fields = marks(*of);
        fields["user"] = name(user);
        fields
    });
    json!({
        "delivered": page.delivered,
        "read": page.read,
        "members": page.members,
        "by": by.collect::<Vec<_>>(),
    })
}
