//! A user's devices, through a real server and `iris chat --json`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use support::{Chat, DevServer};

fn devices(chat: &mut Chat) -> Vec<Value> {
    chat.command(&json!({"devices": {}, "ref": "list"}));
    let answer = chat.wait_until("devices", |fields| fields["ref"] == "list");
    answer["items"].as_array().unwrap().clone()
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["device"].as_str().unwrap()).collect()
}

#[test]
fn a_device_is_renamed_and_another_revoked_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let mut phone = server.chat("alice", "phone");
    phone.wait_for("synced");
    let mut laptop = server.chat("alice", "laptop");
    laptop.wait_for("synced");
    phone.command(&json!({"device_rename": {"device": "laptop", "name": "Büro 📱"}, "ref": 1}));
    assert_eq!(phone.wait_for("done"), json!({"ref": 1}));
    let items = devices(&mut phone);
    assert_eq!(names(&items), ["phone", "laptop"]);
    assert_eq!((&items[0]["label"], &items[1]["label"]), (&json!(null), &json!("Büro 📱")));
    assert_eq!((&items[0]["current"], &items[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!((&items[0]["online"], &items[1]["online"]), (&json!(true), &json!(true)));
    assert!(items.iter().all(|item| item["registered_at"].as_u64() > Some(0) && item["last_login"].is_u64()));
    for (command, name) in [
        (json!({"device_rename": {"device": "tablet", "name": "x"}, "ref": 2}), "unknown_device"),
        (json!({"device_revoke": {"device": "tablet"}, "ref": 2}), "unknown_device"),
        (json!({"device_rename": {"device": "laptop", "name": "a\nb"}, "ref": 2}), "bad_command"),
    ] {
        phone.command(&command);
        let error = phone.wait_for("error");
        assert_eq!((error["name"].as_str(), &error["ref"]), (Some(name), &json!(2)));
    }
    phone.command(&json!({"device_revoke": {"device": "laptop"}, "ref": 3}));
    assert_eq!(phone.wait_for("done"), json!({"ref": 3}));
    assert_eq!(laptop.wait_for("error")["name"], "device_revoked");
    laptop.kill();
    server.kill();
    server.restart();
    let mut laptop = server.chat("alice", "laptop");
    let error = laptop.wait_for("error");
    assert_eq!((&error["code"], &error["retryable"]), (&json!(208), &json!(false)));
    phone.wait_for("synced");
    assert_eq!(names(&devices(&mut phone)), ["phone"]);
    // Whoever ends the device that they hold is told so before it stops.
    phone.command(&json!({"device_revoke": {"device": "phone"}, "ref": 4}));
    assert_eq!(phone.wait_for("done"), json!({"ref": 4}));
    assert_eq!(phone.wait_for("error")["name"], "device_revoked");
}
