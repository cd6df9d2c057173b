//! Two people chat through a real server that is killed in mid-sentence.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use serde_json::json;
use support::DevServer;

/// MSG-1, MSG-4, MSG-6, NFR-8: the chat goes on by itself, complete, ordered, without duplicates.
#[test]
fn a_chat_survives_kill_9_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let (mut alice, mut bob) = (server.chat("alice", "a"), server.chat("bob", "b"));
    alice.wait_for("synced");
    bob.wait_for("synced");
    let mut expected = Vec::new();
    for round in 0..3 {
        for number in 0..50 {
            let text = format!("{round}-{number}");
            alice.send("bob", &text);
            expected.push(text);
        }
        server.kill();
        alice.send("bob", &format!("while down {round}"));
        expected.push(format!("while down {round}"));
        server.restart();
    }
    let last = expected.last().cloned().unwrap();
    bob.wait_until("message", |message| message["text"] == json!(last));
    assert_eq!(bob.texts(), expected);
    for _ in &expected {
        alice.wait_for("sent");
    }
    assert!(alice.texts().is_empty(), "the sending device got its own messages back");
    let (_, code) = alice.quit();
    assert_eq!(code, Some(0));
}

/// MSG-2: a message for somebody who is away is there when they come, after a restart of the server.
#[test]
fn a_message_waits_for_its_recipient_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let mut alice = server.chat("alice", "a");
    alice.send("bob", "are you there?");
    let sent = alice.wait_for("sent");
    assert_eq!(server.stop(), Some(0));
    server.restart();
    let mut bob = server.chat("bob", "b");
    let message = bob.wait_for("message");
    assert_eq!(message["text"], "are you there?");
    assert_eq!((&message["id"], &message["seq"]), (&sent["id"], &sent["seq"]));
    assert_eq!(message["conversation"], sent["conversation"]);
}

/// MSG-7, MSG-11: a second device gets what the first one sent, and history reads back in both directions.
#[test]
fn a_second_device_and_history_show_the_same_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let (mut phone, mut laptop) = (server.chat("alice", "phone"), server.chat("alice", "laptop"));
    phone.wait_for("synced");
    laptop.wait_for("synced");
    for number in 1..=300 {
        phone.send("bob", &format!("m{number}"));
    }
    laptop.wait_until("message", |message| message["text"] == "m300");
    assert_eq!(laptop.texts(), (1..=300).map(|number| format!("m{number}")).collect::<Vec<_>>());
    let mut history = |question: serde_json::Value| {
        laptop.seen.clear();
        laptop.command(&json!({"history": question, "ref": "h"}));
        let end = laptop.wait_for("history_end");
        let messages = laptop.seen.iter().filter_map(|event| event.get("message"));
        let old = messages.filter(|message| message["history"] == true);
        let seqs = old.map(|message| message["seq"].as_u64().unwrap()).collect::<Vec<_>>();
        (seqs, end["more"].as_bool().unwrap())
    };
    assert_eq!(history(json!({"with": "bob", "limit": 1000})), ((1..=300).collect(), false));
    assert_eq!(history(json!({"with": "bob", "limit": 2})), (vec![299, 300], true));
    assert_eq!(history(json!({"with": "bob", "limit": 3, "before": 10})), (vec![7, 8, 9], true));
    assert_eq!(history(json!({"with": "bob", "limit": 280, "after": 10})), ((11..=290).collect(), true));
    assert_eq!(history(json!({"with": "bob", "limit": 5, "after": 300})), (vec![], false));
    laptop.command(&json!({"conversations": {}}));
    let list = laptop.wait_for("conversations");
    assert_eq!(list["items"][0]["with"], "bob");
    assert_eq!(list["items"][0]["seq"], 300);
}
