//! Every command is read, and what is none changes nothing.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroU64;

use iris_client::{
    Audience, ConversationsQuestion, DeviceLabel, GroupChange, GroupDescription, GroupTitle, HistoryFrom,
    HistoryQuestion, NewGroup, Policy, Role, RosterQuestion, SettingsChange,
};
use iris_types::request::{BlockUser, RenameDevice, RevokeDevice};
use iris_types::{BodyKind, DeviceId};
use serde_json::json;

use super::*;

fn command(value: &Value) -> Command {
    Line::parse(&value.to_string()).command.unwrap()
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

#[test]
fn every_command_is_read() {
    let id = "01923456-789a-7fff-bfff-ffffffffffff";
    let hex = "0102030405060708090a0b0c0d0e0f10";
    let group = ConversationId::parse(hex).unwrap();
    let body = Body::new(BodyKind::TEXT, "hé".into()).unwrap();
    let limit = NonZeroU64::new(5).unwrap();
    let history = |with: Target, from| Command::Ask(Question::History(HistoryQuestion { with, from, limit }));
    let change = |change| Command::Ask(Question::ChangeGroup { group, change });
    let device = DeviceId::new("phone").unwrap();
    let (title, description) = (GroupTitle::new("Tea").unwrap(), GroupDescription::new("at five").unwrap());
    let settings =
        SettingsChange { last_seen: Some(Audience::Nobody), typing: Some(false), read_receipts: None };
    let cases = [
        (
            json!({"send": {"to": "bob", "text": "hé", "id": id}}),
            Command::Send { to: user("bob").into(), body: body.clone(), id: MessageId::parse(id).ok() },
        ),
        (json!({"send": {"group": hex, "text": "hé"}}), Command::Send { to: group.into(), body, id: None }),
        (json!({"history": {"with": "bob", "limit": 5}}), history(user("bob").into(), HistoryFrom::Latest)),
        (
            json!({"history": {"with": "bob", "limit": 5, "before": 9}}),
            history(user("bob").into(), HistoryFrom::Before(Seq(9))),
        ),
        (
            json!({"history": {"group": hex, "limit": 5, "after": 0}}),
            history(group.into(), HistoryFrom::After(Seq(0))),
        ),
        (
            json!({"conversations": {}}),
            Command::Ask(Question::Conversations(ConversationsQuestion::default())),
        ),
        (
            json!({"conversations": {"limit": 5, "after": hex}}),
            Command::Ask(Question::Conversations(ConversationsQuestion {
                after: Some(group),
                limit: Some(limit),
            })),
        ),
        (json!({"read": {"conversation": hex, "seq": 7}}), Command::About(group, About::Read(Seq(7)))),
        (
            json!({"receipts": {"conversation": hex, "seq": 7}}),
            Command::About(group, About::Receipts(Seq(7))),
        ),
        (
            json!({"flag": {"conversation": hex, "mute": true, "archive": false}}),
            Command::About(
                group,
                About::Flag {
                    mask: Flags::MUTED.changed(Flags::ARCHIVED, Flags::ARCHIVED),
                    values: Flags::MUTED,
                },
            ),
        ),
        (json!({"typing": {"conversation": hex, "on": true}}), Command::About(group, About::Typing(true))),
        (
            json!({"group_create": {"name": "Tea", "description": "at five", "members": ["bob"],
                "policy": ["members_invite", "open_history"]}}),
            Command::Ask(Question::CreateGroup(NewGroup {
                title: title.clone(),
                description: description.clone(),
                policy: Policy::MEMBERS_INVITE.with(Policy::OPEN_HISTORY),
                members: vec![user("bob")],
            })),
        ),
        (json!({"group": {"group": hex}}), Command::Ask(Question::Group(group))),
        (json!({"group_invite": {"group": hex, "user": "bob"}}), change(GroupChange::Invite(user("bob")))),
        (json!({"group_add": {"group": hex, "user": "bob"}}), change(GroupChange::Add(user("bob")))),
        (json!({"group_remove": {"group": hex, "user": "bob"}}), change(GroupChange::Remove(user("bob")))),
        (json!({"group_accept": {"group": hex}}), change(GroupChange::Accept)),
        (json!({"group_leave": {"group": hex}}), change(GroupChange::Leave)),
        (json!({"group_rename": {"group": hex, "name": "Tea"}}), change(GroupChange::Rename(title))),
        (
            json!({"group_describe": {"group": hex, "description": "at five"}}),
            change(GroupChange::Describe(description)),
        ),
        (
            json!({"group_role": {"group": hex, "user": "bob", "role": "owner"}}),
            change(GroupChange::SetRole(user("bob"), Role::Owner)),
        ),
        (
            json!({"group_policy": {"group": hex, "policy": "admins_add"}}),
            change(GroupChange::SetPolicy(Policy::ADMINS_ADD)),
        ),
        (
            json!({"roster": {"group": hex, "limit": 5, "after": "bob"}}),
            Command::Ask(Question::Roster(RosterQuestion {
                group,
                after: Some(user("bob")),
                limit: Some(limit),
            })),
        ),
        (
            json!({"block": {"user": "bob"}}),
            Command::Ask(Question::BlockUser(BlockUser { user: user("bob"), on: true })),
        ),
        (
            json!({"unblock": {"user": "bob"}}),
            Command::Ask(Question::BlockUser(BlockUser { user: user("bob"), on: false })),
        ),
        (
            json!({"presence": {"users": ["bob"], "watch": true}}),
            Command::Presence { users: vec![user("bob")], group: None, watch: true },
        ),
        (
            json!({"presence": {"users": ["bob"], "group": hex}}),
            Command::Presence { users: vec![user("bob")], group: Some(group), watch: false },
        ),
        (json!({"settings": {}}), Command::Ask(Question::Settings)),
        (
            json!({"settings": {"last_seen": "nobody", "typing": false}}),
            Command::Ask(Question::ChangeSettings(settings)),
        ),
        (json!({"devices": {}}), Command::Ask(Question::Devices)),
        (
            json!({"device_rename": {"device": "phone", "name": "Büro"}}),
            Command::Ask(Question::RenameDevice(RenameDevice {
                device: device.clone(),
                label: DeviceLabel::new("Büro").unwrap(),
            })),
        ),
        (
            json!({"device_revoke": {"device": "phone"}}),
            Command::Ask(Question::RevokeDevice(RevokeDevice { device })),
        ),
        (json!({"quit": {}}), Command::Quit),
    ];
    for (value, expected) in &cases {
        assert_eq!(command(value), *expected, "{value}");
    }
    for name in NAMES {
        assert!(cases.iter().any(|(value, _)| value.get(name).is_some()), "{name} is not tried");
    }
}

#[test]
fn a_reference_survives_a_bad_command() {
    for text in ["", "[]", "{", r#""send""#] {
        let line = Line::parse(text);
        assert!(line.command.is_err() && line.reference.is_none(), "{text}");
    }
    let hex = "0102030405060708090a0b0c0d0e0f10";
    for value in [
        json!({}),
        json!({"sing": {}}),
        json!({"send": {"to": "bob", "text": ""}}),
        json!({"send": {"to": "b b", "text": "x"}}),
        json!({"send": {"to": "bob", "group": hex, "text": "x"}}),
        json!({"send": {"text": "x"}}),
        json!({"send": {"to": "bob", "text": "x", "id": "nope"}}),
        json!({"quit": {}, "conversations": {}}),
        json!({"quit": {"now": 1}}),
        json!({"history": {"with": "bob", "limit": 1, "before": 2, "after": 1}}),
        json!({"history": {"with": "bob", "limit": 0}}),
        json!({"device_rename": {"device": "phone", "name": ""}}),
        json!({"device_rename": {"device": "phone", "name": "a\u{1b}b"}}),
        json!({"device_revoke": {"device": "p hone"}}),
        json!({"devices": {}, "device_revoke": {"device": "phone"}}),
        json!({"read": {"conversation": "nope", "seq": 1}}),
        json!({"read": {"conversation": hex, "seq": -1}}),
        json!({"flag": {"conversation": hex}}),
        json!({"group_create": {"name": ""}}),
        json!({"group_create": {"name": "Tea", "members": ["b b"]}}),
        json!({"group_create": {"name": "Tea", "policy": ["anarchy"]}}),
        json!({"group_rename": {"group": hex, "name": "two\nlines"}}),
        json!({"group_role": {"group": hex, "user": "bob", "role": "king"}}),
        json!({"roster": {"group": "1"}}),
        json!({"settings": {"last_seen": "friends"}}),
        json!({"typing": {"conversation": hex}}),
    ] {
        let mut with = value.clone();
        with["ref"] = json!([7]);
        let line = Line::parse(&with.to_string());
        assert!(line.command.is_err(), "{value}");
        assert_eq!(line.reference, Some(json!([7])), "{value}");
    }
}
