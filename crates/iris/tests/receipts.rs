//! Receipts, read marks, the list of conversations and blocks, through a real server and `iris chat --json`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use support::{Chat, DevServer};

fn say(chat: &mut Chat, to: &Value, text: &str) -> Value {
    let mut fields = to.clone();
    fields["text"] = json!(text);
    chat.ask("send", fields, "sent")
}

fn read(chat: &mut Chat, conversation: &Value, seq: u64) {
    let done = chat.ask("read", json!({"conversation": conversation, "seq": seq}), "done");
    assert_eq!(done.get("name"), None, "{done}");
}

/// MSG-9: delivered and read are shown to the sender, on all of the sender's devices, and the reader's other device
/// knows what was read.
#[test]
fn delivered_and_read_are_shown_in_both_versions() {
    for version in ["1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = DevServer::start(&folder.path().join("dev"));
        let [mut alice, mut phone] =
            ["laptop", "phone"].map(|device| server.chat_in(version, "alice", device));
        let to_bob = json!({"to": "bob"});
        for text in ["one", "two", "three"] {
            say(&mut alice, &to_bob, text);
        }
        let [mut bob, mut bobs_phone] =
            ["laptop", "phone"].map(|device| server.start_in(version, "bob", device));
        let conversation = bob.wait_until("message", |message| message["seq"] == 3)["conversation"].clone();
        for chat in [&mut alice, &mut phone] {
            let receipt = chat.wait_until("receipt", |receipt| receipt["delivered"] == 3);
            assert_eq!((&receipt["user"], &receipt["read"]), (&json!("bob"), &json!(0)));
        }
        read(&mut bob, &conversation, 2);
        read(&mut bob, &conversation, 1);
        for chat in [&mut alice, &mut phone] {
            let receipt = chat.wait_until("receipt", |receipt| receipt["read"].as_u64() > Some(0));
            assert_eq!((&receipt["delivered"], &receipt["read"]), (&json!(3), &json!(2)), "never back");
        }
        let state = bobs_phone.wait_until("conversation", |state| state["read"] == 2);
        assert_eq!((&state["conversation"], &state["unread"]), (&conversation, &json!(1)));
        server.kill();
        server.restart();
        let receipts = phone.ask("receipts", json!({"conversation": conversation, "seq": 2}), "receipts");
        assert_eq!(receipts["by"], json!([{"user": "bob", "delivered": 3, "read": 2}]));
        assert_eq!((&receipts["delivered"], &receipts["read"]), (&json!(1), &json!(1)));
        let beyond = bob.ask("read", json!({"conversation": conversation, "seq": 9}), "done");
        assert_eq!(beyond["name"], "unknown_conversation");
        let nowhere = bob.ask("read", json!({"conversation": "0".repeat(32), "seq": 1}), "done");
        assert_eq!(nowhere["name"], "unknown_conversation");
    }
}

/// MSG-9: who switches read receipts off neither gives nor sees them, and marks made meanwhile are never shown.
#[test]
fn read_receipts_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let [mut alice, mut bob] = ["alice", "bob"].map(|user| server.chat_in("2", user, "laptop"));
    bob.ask("settings", json!({"read_receipts": false}), "done");
    let settings = bob.ask("settings", json!({}), "settings");
    assert_eq!(settings["read_receipts"], false);
    let conversation = say(&mut alice, &json!({"to": "bob"}), "one")["conversation"].clone();
    bob.wait_for("message");
    read(&mut bob, &conversation, 1);
    alice.wait_until("receipt", |receipt| receipt["delivered"] == 1);
    let hidden = alice.ask("receipts", json!({"conversation": conversation, "seq": 1}), "receipts");
    assert_eq!((&hidden["delivered"], &hidden["read"]), (&json!(1), &json!(0)));
    say(&mut bob, &json!({"to": "alice"}), "two");
    alice.wait_for("message");
    read(&mut alice, &conversation, 2);
    let unseen = bob.ask("receipts", json!({"conversation": conversation, "seq": 2}), "receipts");
    assert_eq!(unseen["read"], 0, "reciprocal");
    bob.ask("settings", json!({"read_receipts": true}), "done");
    let still = alice.ask("receipts", json!({"conversation": conversation, "seq": 1}), "receipts");
    assert_eq!(still["read"], 0, "what was read meanwhile stays unknown");
    say(&mut alice, &json!({"to": "bob"}), "three");
    bob.wait_until("message", |message| message["seq"] == 3);
    read(&mut bob, &conversation, 3);
    alice.wait_until("receipt", |receipt| receipt["read"] == 3);
}

/// MSG-9: in a group the author is told how many, and who on request.
#[test]
fn a_group_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let [mut alice, mut bob, mut carol] =
        ["alice", "bob", "carol"].map(|user| server.chat_in("2", user, "laptop"));
    let fields = json!({"name": "Tea", "members": ["bob", "carol", "dave"], "policy": "admins_add"});
    let group = alice.ask("group_create", fields, "group")["group"].clone();
    assert_eq!(say(&mut alice, &json!({"group": group}), "who is there?")["seq"], 2);
    for chat in [&mut bob, &mut carol] {
        chat.wait_until("message", |message| message["seq"] == 2);
    }
    read(&mut bob, &group, 2);
    let counted =
        alice.wait_until("group_receipt", |receipt| receipt["read"] == 1 && receipt["delivered"] == 2);
    assert_eq!((&counted["members"], &counted["seq"]), (&json!(3), &json!(2)));
    let receipts = alice.ask("receipts", json!({"conversation": group, "seq": 2}), "receipts");
    let by = |user: &str, read: u64| json!({"user": user, "delivered": 2, "read": read});
    assert_eq!(receipts["by"][0], by("bob", 2));
    assert_eq!(receipts["by"][1]["user"], "carol");
    assert_eq!(receipts["by"].as_array().unwrap().len(), 2, "dave was never there");
    let mut dave = server.start_in("2", "dave", "laptop");
    dave.wait_until("message", |message| message["seq"] == 2);
    for chat in [&mut dave, &mut carol] {
        read(chat, &group, 2);
    }
    let all = alice.wait_until("group_receipt", |receipt| receipt["read"] == 3);
    assert_eq!(all["everybody"], json!({"delivered": 2, "read": 2}));
}

fn list(chat: &mut Chat) -> Vec<Value> {
    chat.ask("conversations", json!({}), "conversations")["items"].as_array().unwrap().clone()
}

/// MSG-12, MSG-10: last message, unread count and flags, the same on every device, a new one included.
#[test]
fn the_list_of_conversations_is_the_same_on_every_device() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let mut alice = server.chat_in("2", "alice", "laptop");
    let users: Vec<String> = (0..12).map(|number| format!("user-{number}")).collect();
    for user in &users {
        say(&mut server.chat_in("2", user, "laptop"), &json!({"to": "alice"}), &format!("I am {user}"));
    }
    let long = "x".repeat(500);
    let sent = say(&mut server.chat_in("2", "user-3", "laptop"), &json!({"to": "alice"}), &long);
    let conversation = &sent["conversation"];
    alice.wait_until("message", |message| message["text"] == json!(long));
    for (flags, muted) in [(json!({"mute": true, "pin": true}), true), (json!({"mute": false}), false)] {
        let mut fields = flags;
        fields["conversation"] = conversation.clone();
        alice.ask("flag", fields, "done");
        let state = alice.wait_until("conversation", |state| state["pinned"] == true);
        assert_eq!(state["muted"], muted);
    }
    read(&mut alice, conversation, 1);
    server.kill();
    server.restart();
    let mut phone = server.chat_in("2", "alice", "phone");
    let items = list(&mut phone);
    assert_eq!(items, list(&mut alice));
    assert_eq!(items.len(), 12);
    let item = items.iter().find(|item| item["conversation"] == *conversation).unwrap();
    assert_eq!(
        (&item["with"], &item["unread"], &item["pinned"]),
        (&json!("user-3"), &json!(1), &json!(true))
    );
    assert_eq!((&item["last"]["from"], &item["last"]["text"]), (&json!("user-3"), &json!("x".repeat(160))));
    let part = phone.ask("conversations", json!({"limit": 5}), "conversations");
    assert_eq!(part["items"], json!(items[..5]));
    assert_eq!(part["next"], items[4]["conversation"]);
    let rest = phone.ask("conversations", json!({"after": part["next"]}), "conversations");
    assert_eq!((&rest["items"], &rest["next"]), (&json!(items[5..]), &Value::Null));
}

/// SEC-9: who is blocked is told so with `not_accepted` when they write, and nothing else.
#[test]
fn a_blocked_user_writes_no_more_and_hears_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let [mut alice, mut bob] = ["alice", "bob"].map(|user| server.chat_in("2", user, "laptop"));
    let conversation = say(&mut bob, &json!({"to": "alice"}), "hello")["conversation"].clone();
    alice.wait_for("message");
    alice.ask("block", json!({"user": "bob"}), "done");
    server.kill();
    server.restart();
    assert_eq!(say(&mut bob, &json!({"to": "alice"}), "why?")["name"], "not_accepted");
    read(&mut alice, &conversation, 1);
    let hidden = bob.ask("receipts", json!({"conversation": conversation, "seq": 1}), "receipts");
    assert_eq!(hidden["read"], 0);
    assert_eq!(list(&mut alice)[0]["blocked"], true);
    alice.ask("unblock", json!({"user": "bob"}), "done");
    assert_eq!(say(&mut bob, &json!({"to": "alice"}), "thanks")["seq"], 2);
    alice.wait_until("message", |message| message["text"] == "thanks");
}
