#![allow(clippy::unwrap_used)]

use iris_client_core::{Config, Restored};
use iris_types::{Monotonic, Timestamp};

use super::*;

const GROUP: &str = "000102030405060708090a0b0c0d0e0f";

/// One of each, in the order of [`NAMES`].
const EACH: &[&str] = &[
    r#"{"send":{"to":"bob","body":{"kind":1,"text":"hi"}}}"#,
    r#"{"history":{"with":"bob","limit":5,"before":9}}"#,
    r#"{"conversations":{}}"#,
    r#"{"devices":{}}"#,
    r#"{"deviceRename":{"device":"phone","label":"Phone"}}"#,
    r#"{"deviceRevoke":{"device":"phone"}}"#,
    r#"{"groupCreate":{"name":"Team","members":["bob"],"policy":["admins_add"]}}"#,
    r#"{"groupInvite":{"group":"G","user":"bob"}}"#,
    r#"{"groupAdd":{"group":"G","user":"bob"}}"#,
    r#"{"groupRemove":{"group":"G","user":"bob"}}"#,
    r#"{"groupAccept":{"group":"G"}}"#,
    r#"{"groupLeave":{"group":"G"}}"#,
    r#"{"groupRename":{"group":"G","name":"Crew"}}"#,
    r#"{"groupDescribe":{"group":"G","description":""}}"#,
    r#"{"groupRole":{"group":"G","user":"bob","role":"admin"}}"#,
    r#"{"groupPolicy":{"group":"G","policy":["open_history","members_invite"]}}"#,
    r#"{"group":{"group":"G"}}"#,
    r#"{"roster":{"group":"G","limit":10,"after":"bob"}}"#,
    r#"{"read":{"group":"G","seq":5}}"#,
    r#"{"receipts":{"to":"bob","seq":5}}"#,
    r#"{"flag":{"with":"bob","mute":true,"pin":false}}"#,
    r#"{"block":{"user":"bob"}}"#,
    r#"{"unblock":{"user":"bob"}}"#,
    r#"{"settings":{"lastSeen":"nobody"}}"#,
    r#"{"presence":{"users":["bob"],"watch":true}}"#,
    r#"{"typing":{"group":"G","on":true}}"#,
];

fn core() -> ClientCore {
    let config = Config::new(UserId::new("alice").unwrap(), DeviceId::new("web").unwrap());
    ClientCore::new(config, Restored::default(), 7)
}

fn give(text: &str) -> Result<u64, String> {
    let now = Now { wall: Timestamp(1), monotonic: Monotonic(1) };
    let command = Command::parse(&text.replace("\"G\"", &format!("\"{GROUP}\"")));
    command.and_then(|command| command.give(&mut core(), now)).map_err(|error| error.to_string())
}

#[test]
fn every_name_is_a_command_that_the_machine_takes() {
    assert_eq!(EACH.len(), NAMES.len());
    for (text, name) in EACH.iter().zip(NAMES) {
        assert!(text.starts_with(&format!("{{\"{name}\":")), "{name}");
        assert!(give(text).is_ok(), "{text}: {:?}", give(text));
    }
}

#[test]
fn what_is_no_command_says_where_and_never_what() {
    for (text, expected) in [
        ("secret", "not the expected JSON: Syntax at line 1, column 1"),
        (r#"{"shout":{"text":"secret"}}"#, "not the expected JSON: Data at line 1, column 8"),
        (r#"{"deviceRevoke":{"secret":1}}"#, "not the expected JSON: Data at line 1, column 28"),
        (r#"{"read":{"seq":1}}"#, "exactly one of to, with, group and conversation"),
        (r#"{"read":{"seq":1,"to":"a","group":"b"}}"#, "exactly one of to, with, group and conversation"),
        (
            r#"{"read":{"seq":1,"conversation":"G"}}"#,
            "a conversation that this device does not know: name it by to, with or group",
        ),
        (r#"{"groupPolicy":{"group":"G","policy":["secret"]}}"#, "not a word that is known here"),
        (
            r#"{"history":{"with":"bob","limit":1,"before":1,"after":1}}"#,
            "before and after exclude each other",
        ),
        (r#"{"history":{"with":"bob","limit":0}}"#, "a limit is at least 1"),
        (r#"{"flag":{"with":"bob"}}"#, "no such flag can be set"),
    ] {
        assert_eq!(give(text), Err(expected.to_owned()), "{text}");
    }
}
