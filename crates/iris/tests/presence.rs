//! Online, last seen and typing, through a real server and `iris chat --json`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Chat, DevServer};

/// Online and typing are to be seen within this.
const SOON: Duration = Duration::from_secs(2);

/// Both have written to each other, so they are contacts; gives the conversation.
fn acquaint(one: &mut Chat, other: &mut Chat, names: [&str; 2]) -> Value {
    one.ask("send", json!({"to": names[1], "text": "hi"}), "sent");
    other.ask("send", json!({"to": names[0], "text": "ho"}), "sent")["conversation"].clone()
}

fn presence(chat: &mut Chat, user: &str) -> (Value, Value) {
    let answer = chat.ask("presence", json!({"users": [user]}), "presence");
    (answer["online"].clone(), answer["last_seen"].clone())
}

/// PRE-1, PRE-2: who is watched is seen to come and go within two seconds; last seen survives a restart.
#[test]
fn a_contact_comes_and_goes() {
    for version in ["1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = DevServer::start(&folder.path().join("dev"));
        let [mut alice, mut bob] = ["alice", "bob"].map(|user| server.chat_in(version, user, "laptop"));
        acquaint(&mut alice, &mut bob, ["alice", "bob"]);
        let asked = alice.ask("presence", json!({"users": ["bob"], "watch": true}), "presence");
        assert_eq!((&asked["user"], &asked["online"]), (&json!("bob"), &json!(true)));
        let left = Instant::now();
        bob.kill();
        let gone = alice.wait_until("presence", |presence| presence["online"] == false);
        assert!(left.elapsed() < SOON, "{:?}", left.elapsed());
        let last_seen = gone["last_seen"].as_u64().unwrap();
        assert!(last_seen > 1_700_000_000_000);
        let back = Instant::now();
        let mut bob = server.chat_in(version, "bob", "laptop");
        alice.wait_until("presence", |presence| presence["online"] == true);
        assert!(back.elapsed() < SOON + Duration::from_secs(1), "{:?}", back.elapsed());
        bob.kill();
        alice.wait_until("presence", |presence| presence["online"] == false);
        server.kill();
        server.restart();
        alice.wait_for("synced");
        let (online, seen) = presence(&mut alice, "bob");
        assert_eq!(online, false);
        // Written at most once a minute, so it may be that much older now.
        assert!(seen.as_u64().is_some_and(|seen| seen + 60_000 >= last_seen), "{seen}");
        // The watch list holds over the reconnect.
        let _bob = server.chat_in(version, "bob", "laptop");
        alice.wait_until("presence", |presence| presence["online"] == true && presence.get("ref").is_none());
    }
}

/// PRE-1: strangers see nothing, members of a common group do; who hides sees nothing either.
#[test]
fn presence_is_for_contacts_and_reciprocal() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let [mut alice, mut bob, mut mallory] =
        ["alice", "bob", "mallory"].map(|user| server.chat_in("2", user, "laptop"));
    mallory.ask("send", json!({"to": "alice", "text": "are you there?"}), "sent");
    let nothing = (json!(false), Value::Null);
    assert_eq!(presence(&mut mallory, "alice"), nothing, "she did not answer");
    let fields = json!({"name": "Tea", "members": ["bob"], "policy": "admins_add"});
    let group = alice.ask("group_create", fields, "group")["group"].clone();
    bob.wait_for("member");
    assert_eq!(presence(&mut bob, "alice"), nothing, "no direct conversation");
    let by_group =
        |chat: &mut Chat| chat.ask("presence", json!({"users": ["alice"], "group": group}), "presence");
    assert_eq!(by_group(&mut bob)["online"], true);
    assert_ne!(by_group(&mut mallory)["online"], true);
    bob.ask("settings", json!({"last_seen": "nobody"}), "done");
    assert_eq!(by_group(&mut bob)["online"], false, "who does not tell does not see");
    let of_bob = alice.ask("presence", json!({"users": ["bob"], "group": group}), "presence");
    assert_eq!((&of_bob["online"], &of_bob["last_seen"]), (&json!(false), &Value::Null));
}

/// PRE-3: typing is seen at once, in direct chats and groups, ends by itself, and can be switched off.
#[test]
fn typing_is_seen_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let [mut alice, mut bob] = ["alice", "bob"].map(|user| server.chat_in("2", user, "laptop"));
    let direct = acquaint(&mut alice, &mut bob, ["alice", "bob"]);
    let fields = json!({"name": "Tea", "members": ["bob"], "policy": "admins_add"});
    let group = alice.ask("group_create", fields, "group")["group"].clone();
    bob.wait_until("member", |member| member["group"] == group);
    for conversation in [&direct, &group] {
        let began = Instant::now();
        bob.ask("typing", json!({"conversation": conversation, "on": true}), "done");
        let seen = alice.wait_until("typing", |typing| typing["conversation"] == *conversation);
        assert_eq!((&seen["user"], &seen["on"]), (&json!("bob"), &json!(true)));
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        bob.ask("typing", json!({"conversation": conversation, "on": false}), "done");
        alice.wait_until("typing", |typing| typing["on"] == false);
    }
    // Nobody says that it is over: the reader's client knows.
    bob.ask("typing", json!({"conversation": direct, "on": true}), "done");
    alice.wait_until("typing", |typing| typing["on"] == true);
    bob.kill();
    alice.wait_until("typing", |typing| typing["on"] == false);
    let mut bob = server.chat_in("2", "bob", "laptop");
    bob.ask("settings", json!({"typing": false}), "done");
    alice.seen.clear();
    bob.ask("typing", json!({"conversation": direct, "on": true}), "done");
    bob.ask("send", json!({"to": "alice", "text": "done"}), "sent");
    alice.wait_until("message", |message| message["text"] == "done");
    assert!(alice.seen.iter().all(|event| event.get("typing").is_none()), "{:?}", alice.seen);
}
