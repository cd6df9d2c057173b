//! A client's frames as JSON fields and back.

use bytes::Bytes;
use iris_protocol::acknowledge::Acknowledge;
use iris_protocol::authenticate::Authenticate;
use iris_protocol::block_user::Block;
use iris_protocol::change_group::Change;
use iris_protocol::create_group::Create;
use iris_protocol::hello::ClientHello;
use iris_protocol::list_conversations::List;
use iris_protocol::list_devices::ListDevices;
use iris_protocol::mark_read::Mark;
use iris_protocol::ping::Ping;
use iris_protocol::presence::{AskPresence, Watch};
use iris_protocol::read_group::AskGroup;
use iris_protocol::read_history::Read;
use iris_protocol::read_inbox::Sync;
use iris_protocol::read_receipts::AskReceipts;
use iris_protocol::read_roster::AskRoster;
use iris_protocol::rename_device::Rename;
use iris_protocol::revoke_device::Revoke;
use iris_protocol::set_flags::Set;
use iris_protocol::settings::{AdjustSettings, AskSettings};
use iris_protocol::typing::SayTyping;
use iris_protocol::{Capabilities, ClientFrame, Versions};
use iris_types::request::{
    BlockUser, HistoryFrom, ListConversations, MarkRead, ReadHistory, ReadReceipts, ReadRoster, RenameDevice,
    RevokeDevice, SetFlags,
};
use iris_types::{
    Audience, ChangeGroup, ConversationId, CreateGroup, DeviceLabel, GroupChange, Policy, Role, Seq,
    SettingsChange, Timestamp, UserId, Watched,
};
use serde_json::{Value, json};

use crate::items::{Fields, hex, send_from_json, send_to_json, target_to_json};

/// Name and fields.
pub(crate) fn client_to_json(frame: &ClientFrame) -> (&'static str, Value) {
    match frame {
        ClientFrame::Hello(hello) => {
            ("Hello", json!({"versions": hello.versions.0, "capabilities": hello.capabilities.0}))
        }
        ClientFrame::Authenticate(login) => (
            "Authenticate",
            json!({
                "token": std::str::from_utf8(&login.token).unwrap(),
                "device": login.device.as_str(),
                "nonce": hex(&login.nonce),
                "at": login.at.0,
            }),
        ),
        ClientFrame::Sync(sync) => ("Sync", json!({"request": sync.request.0, "after": sync.after.0})),
        ClientFrame::Acknowledge(acknowledge) => ("Acknowledge", json!({"up_to": acknowledge.up_to.0})),
        ClientFrame::SendMessage(send) => ("SendMessage", send_to_json(send)),
        ClientFrame::ReadHistory(read) => {
            let (from, seq) = match read.read.from {
                HistoryFrom::Latest => ("latest", 0),
                HistoryFrom::Before(seq) => ("before", seq.0),
                HistoryFrom::After(seq) => ("after", seq.0),
            };
            let (request, with, limit) = (read.request.0, target_to_json(&read.read.with), read.read.limit);
            (
                "ReadHistory",
                json!({"request": request, "with": with, "from": from, "seq": seq, "limit": limit}),
            )
        }
        ClientFrame::ListConversations(list) => (
            "ListConversations",
            json!({
                "request": list.request.0,
                "after": list.list.after.map(|after| hex(&after.0)),
                "limit": list.list.limit,
            }),
        ),
        ClientFrame::Ping(ping) => ("Ping", json!({"token": ping.token})),
        ClientFrame::ListDevices(list) => ("ListDevices", json!({"request": list.request.0})),
        ClientFrame::RenameDevice(Rename { request, rename }) => {
            let (device, label) = (rename.device.as_str(), rename.label.as_str());
            ("RenameDevice", json!({"request": request.0, "device": device, "label": label}))
        }
        ClientFrame::RevokeDevice(Revoke { request, revoke }) => {
            ("RevokeDevice", json!({"request": request.0, "device": revoke.device.as_str()}))
        }
        ClientFrame::CreateGroup(Create { request, create }) => (
            "CreateGroup",
            json!({
                "request": request.0,
                "id": hex(&create.id.to_bytes()),
                "policy": create.policy.bits(),
                "title": create.title.as_str(),
                "description": create.description.as_str(),
                "members": create.members.iter().map(UserId::as_str).collect::<Vec<_>>(),
            }),
        ),
        ClientFrame::ChangeGroup(Change { request, change }) => (
            "ChangeGroup",
            json!({
                "request": request.0,
                "id": hex(&change.id.to_bytes()),
                "group": hex(&change.group.0),
                "change": change_to_json(&change.change),
            }),
        ),
        ClientFrame::ReadGroup(ask) => {
            ("ReadGroup", json!({"request": ask.request.0, "group": hex(&ask.group.0)}))
        }
        ClientFrame::ReadRoster(AskRoster { request, read }) => (
            "ReadRoster",
            json!({
                "request": request.0,
                "group": hex(&read.group.0),
                "after": read.after.as_ref().map(UserId::as_str),
                "limit": read.limit,
            }),
        ),
        ClientFrame::MarkRead(Mark { request, mark }) => (
            "MarkRead",
            json!({"request": request.0, "target": target_to_json(&mark.target), "seq": mark.up_to.0}),
        ),
        ClientFrame::ReadReceipts(AskReceipts { request, read }) => (
            "ReadReceipts",
            json!({
                "request": request.0,
                "target": target_to_json(&read.target),
                "seq": read.seq.0,
                "after": read.after.as_ref().map(UserId::as_str),
                "limit": read.limit,
            }),
        ),
        ClientFrame::SetFlags(Set { request, set }) => (
            "SetFlags",
            json!({
                "request": request.0,
                "target": target_to_json(&set.target),
                "mask": set.mask.bits(),
                "values": set.values.bits(),
            }),
        ),
        ClientFrame::BlockUser(Block { request, block }) => {
            ("BlockUser", json!({"request": request.0, "user": block.user.as_str(), "on": block.on}))
        }
        ClientFrame::ReadSettings(ask) => ("ReadSettings", json!({"request": ask.request.0})),
        ClientFrame::ChangeSettings(AdjustSettings { request, change }) => {
            ("ChangeSettings", settings_change_to_json(request.0, *change))
        }
        ClientFrame::Watch(Watch { request, watched }) => {
            ("Watch", json!({"request": request.0, "items": watched_to_json(watched)}))
        }
        ClientFrame::ReadPresence(AskPresence { request, watched }) => {
            ("ReadPresence", json!({"request": request.0, "items": watched_to_json(watched)}))
        }
        ClientFrame::Typing(SayTyping { target, on }) => {
            ("Typing", json!({"target": target_to_json(target), "on": on}))
        }
        ClientFrame::SendBatch(items) => {
            let items: Vec<_> = items.iter().map(|item| send_to_json(item.as_ref().unwrap())).collect();
            ("SendBatch", json!({"items": items}))
        }
    }
}

pub(crate) fn client_from_json(name: &str, fields: &Value) -> ClientFrame {
    let fields = Fields(fields);
    match name {
        "Hello" => ClientFrame::Hello(ClientHello {
            versions: Versions(fields.u32("versions")),
            capabilities: Capabilities(fields.u32("capabilities")),
        }),
        "Authenticate" => ClientFrame::Authenticate(Authenticate {
            token: Bytes::from(fields.text("token").as_bytes().to_vec()),
            device: fields.device(),
            nonce: fields.array("nonce"),
            at: Timestamp(fields.u64("at")),
        }),
        "Sync" => ClientFrame::Sync(Sync { request: fields.request(), after: fields.offset("after") }),
        "Acknowledge" => ClientFrame::Acknowledge(Acknowledge { up_to: fields.offset("up_to") }),
        "SendMessage" => ClientFrame::SendMessage(send_from_json(&fields)),
        "ReadHistory" => {
            let seq = Seq(fields.u64("seq"));
            let from = match fields.text("from") {
                "latest" => HistoryFrom::Latest,
                "before" => HistoryFrom::Before(seq),
                "after" => HistoryFrom::After(seq),
                other => panic!("from {other}"),
            };
            let read = ReadHistory { with: fields.target("with"), from, limit: fields.u16("limit") };
            ClientFrame::ReadHistory(Read { request: fields.request(), read })
        }
        "ListConversations" => {
            let after = (!fields.0["after"].is_null()).then(|| ConversationId(fields.array("after")));
            let list = ListConversations { after, limit: fields.u16("limit") };
            ClientFrame::ListConversations(List { request: fields.request(), list })
        }
        "Ping" => ClientFrame::Ping(Ping { token: fields.u64("token") }),
        "ListDevices" => ClientFrame::ListDevices(ListDevices { request: fields.request() }),
        "RenameDevice" => {
            let label = DeviceLabel::new(fields.text("label")).unwrap();
            let rename = RenameDevice { device: fields.device(), label };
            ClientFrame::RenameDevice(Rename { request: fields.request(), rename })
        }
        "RevokeDevice" => {
            let revoke = RevokeDevice { device: fields.device() };
            ClientFrame::RevokeDevice(Revoke { request: fields.request(), revoke })
        }
        "CreateGroup" => {
            let create = CreateGroup {
                id: fields.id("id"),
                title: fields.title("title"),
                description: fields.description(),
                policy: Policy::from_bits(fields.u8("policy")).unwrap(),
                members: fields
                    .list("members")
                    .map(|name| UserId::new(name.0.as_str().unwrap()).unwrap())
                    .collect(),
            };
            ClientFrame::CreateGroup(Create { request: fields.request(), create })
        }
        "ChangeGroup" => {
            let change = ChangeGroup {
                id: fields.id("id"),
                group: ConversationId(fields.array("group")),
                change: change_from_json(&fields.at("change")),
            };
            ClientFrame::ChangeGroup(Change { request: fields.request(), change })
        }
        "ReadGroup" => ClientFrame::ReadGroup(AskGroup {
            request: fields.request(),
            group: ConversationId(fields.array("group")),
        }),
        "ReadRoster" => {
            let group = ConversationId(fields.array("group"));
            let read = ReadRoster { group, after: fields.after(), limit: fields.u16("limit") };
            ClientFrame::ReadRoster(AskRoster { request: fields.request(), read })
        }
        "MarkRead" => {
            let mark = MarkRead { target: fields.target("target"), up_to: Seq(fields.u64("seq")) };
            ClientFrame::MarkRead(Mark { request: fields.request(), mark })
        }
        "ReadReceipts" => {
            let (target, seq) = (fields.target("target"), Seq(fields.u64("seq")));
            let read = ReadReceipts { target, seq, after: fields.after(), limit: fields.u16("limit") };
            ClientFrame::ReadReceipts(AskReceipts { request: fields.request(), read })
        }
        "SetFlags" => {
            let (mask, values) = (fields.flags("mask"), fields.flags("values"));
            let set = SetFlags { target: fields.target("target"), mask, values };
            ClientFrame::SetFlags(Set { request: fields.request(), set })
        }
        "BlockUser" => {
            let block = BlockUser { user: fields.user("user"), on: fields.flag("on") };
            ClientFrame::BlockUser(Block { request: fields.request(), block })
        }
        "ReadSettings" => ClientFrame::ReadSettings(AskSettings { request: fields.request() }),
        "ChangeSettings" => ClientFrame::ChangeSettings(AdjustSettings {
            request: fields.request(),
            change: settings_change_from_json(&fields),
        }),
        "Watch" => {
            ClientFrame::Watch(Watch { request: fields.request(), watched: watched_from_json(&fields) })
        }
        "ReadPresence" => ClientFrame::ReadPresence(AskPresence {
            request: fields.request(),
            watched: watched_from_json(&fields),
        }),
        "Typing" => ClientFrame::Typing(SayTyping { target: fields.target("target"), on: fields.flag("on") }),
        "SendBatch" => {
            ClientFrame::SendBatch(fields.list("items").map(|item| Ok(send_from_json(&item))).collect())
        }
        other => panic!("frame {other}"),
    }
}

/// What becomes of the group, as an object with one key.
fn change_to_json(change: &GroupChange) -> Value {
    match change {
        GroupChange::Invite(user) => json!({"invite": user.as_str()}),
        GroupChange::Add(user) => json!({"add": user.as_str()}),
        GroupChange::Remove(user) => json!({"remove": user.as_str()}),
        GroupChange::Accept => json!({"accept": null}),
        GroupChange::Leave => json!({"leave": null}),
        GroupChange::Rename(title) => json!({"rename": title.as_str()}),
        GroupChange::Describe(description) => json!({"describe": description.as_str()}),
        GroupChange::SetRole(user, role) => json!({"role": {"role": role.number(), "user": user.as_str()}}),
        GroupChange::SetPolicy(policy) => json!({"policy": policy.bits()}),
    }
}

fn change_from_json(change: &Fields<'_>) -> GroupChange {
    let (kind, value) = change.0.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "invite" => GroupChange::Invite(change.user(kind)),
        "add" => GroupChange::Add(change.user(kind)),
        "remove" => GroupChange::Remove(change.user(kind)),
        "accept" => GroupChange::Accept,
        "leave" => GroupChange::Leave,
        "rename" => GroupChange::Rename(change.title(kind)),
        "describe" => GroupChange::Describe(iris_types::GroupDescription::new(change.text(kind)).unwrap()),
        "role" => {
            let value = Fields(value);
            GroupChange::SetRole(value.user("user"), Role::from_number(value.u8("role")).unwrap())
        }
        "policy" => GroupChange::SetPolicy(Policy::from_bits(change.u8(kind)).unwrap()),
        other => panic!("change {other}"),
    }
}

fn settings_change_to_json(request: u32, change: SettingsChange) -> Value {
    let SettingsChange { read_receipts, last_seen, typing } = change;
    let mask = u8::from(read_receipts.is_some())
        | u8::from(last_seen.is_some()) << 1
        | u8::from(typing.is_some()) << 2;
    json!({
        "request": request,
        "mask": mask,
        "read_receipts": read_receipts.unwrap_or_default(),
        "last_seen": last_seen.map_or(0, Audience::number),
        "typing": typing.unwrap_or_default(),
    })
}

fn settings_change_from_json(fields: &Fields<'_>) -> SettingsChange {
    let mask = fields.u8("mask");
    SettingsChange {
        read_receipts: (mask & 1 != 0).then(|| fields.flag("read_receipts")),
        last_seen: (mask & 2 != 0).then(|| Audience::from_number(fields.u8("last_seen")).unwrap()),
        typing: (mask & 4 != 0).then(|| fields.flag("typing")),
    }
}

fn watched_to_json(watched: &[Watched]) -> Value {
    let item =
        |one: &Watched| json!({"user": one.user.as_str(), "group": one.group.map(|group| hex(&group.0))});
    watched.iter().map(item).collect()
}

fn watched_from_json(fields: &Fields<'_>) -> Vec<Watched> {
    let item = |item: Fields<'_>| Watched {
        user: item.user("user"),
        group: (!item.0["group"].is_null()).then(|| ConversationId(item.array("group"))),
    };
    fields.list("items").map(item).collect()
}
