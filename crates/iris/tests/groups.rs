//! Groups, through a real server and `iris chat --json`, in both versions of the protocol.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use support::{Chat, DevServer};

/// What became of a group and what was said in it, as a device was told, without the history it asked for.
fn told(chat: &Chat, group: &Value) -> Vec<String> {
    let line = |event: &Value| {
        let (fields, what) = match (event.get("member"), event.get("message")) {
            (Some(member), _) => (member, member["change"].clone()),
            (_, Some(message)) => (message, message["text"].clone()),
            _ => return None,
        };
        let is_it = fields["conversation"] == *group && fields.get("history").is_none();
        is_it.then(|| format!("{} {}", fields["seq"], what.as_str().unwrap()))
    };
    chat.seen.iter().filter_map(line).collect()
}

fn say(chat: &mut Chat, group: &Value, text: &str) -> Value {
    chat.ask("send", json!({"group": group, "text": text}), "sent")["seq"].clone()
}

fn heard(chat: &mut Chat, text: &str) {
    chat.wait_until("message", |message| message["text"] == text);
}

/// MSG-8: invited, accepted, added, renamed, promoted, put out; everybody is told the same in the same order.
#[test]
fn a_group_lives_from_its_creation_to_its_end() {
    for version in ["1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = DevServer::start(&folder.path().join("dev"));
        let [mut alice, mut phone] =
            ["laptop", "phone"].map(|device| server.chat_in(version, "alice", device));
        let [mut bob, mut carol] = ["bob", "carol"].map(|user| server.chat_in(version, user, "laptop"));
        let made = alice.ask("group_create", json!({"name": "Tea", "members": ["bob"]}), "group");
        let group = &made["group"];
        bob.wait_until("member", |member| member["change"] == "created" && member["group_name"] == "Tea");
        let info = bob.ask("group", json!({"group": group}), "group");
        assert_eq!((&info["role"], &info["invited"]), (&json!("invited"), &json!(1)));
        assert_eq!(say(&mut bob, group, "too soon"), Value::Null, "not a member yet");
        assert_eq!(bob.ask("group_accept", json!({"group": group}), "done")["ref"], json!(3));
        assert_eq!(bob.ask("group_accept", json!({"group": group}), "done")["ref"], json!(4), "done already");
        assert_eq!(say(&mut bob, group, "hello"), json!(3));
        let refused = bob.ask("group_invite", json!({"group": group, "user": "carol"}), "done");
        assert_eq!(refused["name"], "not_allowed");
        alice.ask("group_role", json!({"group": group, "user": "bob", "role": "admin"}), "done");
        bob.wait_until("member", |member| member["change"] == "role" && member["role"] == "admin");
        bob.ask("group_invite", json!({"group": group, "user": "carol"}), "done");
        carol.wait_until("member", |member| member["change"] == "invited" && member["user"] == "carol");
        carol.ask("group_accept", json!({"group": group}), "done");
        let renamed = alice.ask("group_rename", json!({"group": group, "name": "Coffee ☕"}), "done");
        assert_eq!(renamed.get("name"), None);
        assert_eq!(say(&mut carol, group, "I am new"), json!(8));
        let roster = carol.ask("roster", json!({"group": group}), "roster");
        let roles = |roster: &Value| {
            let items = roster["items"].as_array().unwrap().iter();
            items
                .map(|item| format!("{} {}", item["user"].as_str().unwrap(), item["role"].as_str().unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(roles(&roster), ["alice owner", "bob admin", "carol member"]);
        let first = carol.ask("roster", json!({"group": group, "limit": 2}), "roster");
        assert_eq!((roles(&first).len(), &first["next"]), (2, &json!("bob")));
        let rest = carol.ask("roster", json!({"group": group, "after": first["next"]}), "roster");
        assert_eq!((roles(&rest), &rest["next"]), (vec!["carol member".to_owned()], &Value::Null));
        // The server dies and nothing of it is lost.
        server.kill();
        server.restart();
        alice.ask("group_remove", json!({"group": group, "user": "bob"}), "done");
        bob.wait_until("member", |member| member["change"] == "removed" && member["user"] == "bob");
        assert_eq!(bob.ask("send", json!({"group": group, "text": "still?"}), "sent")["name"], "not_member");
        say(&mut alice, group, "without bob");
        heard(&mut phone, "without bob");
        heard(&mut carol, "without bob");
        bob.command(&json!({"history": {"group": group, "limit": 100}, "ref": "h"}));
        let end = bob.wait_until("history_end", |end| end["ref"] == "h");
        assert!(end["count"].as_u64().unwrap() >= 5, "what came before can be read: {end}");
        bob.ask("conversations", json!({}), "conversations");
        let all = [
            "1 created",
            "2 joined",
            "3 hello",
            "4 role",
            "5 invited",
            "6 joined",
            "7 renamed",
            "8 I am new",
            "9 removed",
            "10 without bob",
        ];
        assert_eq!(told(&phone, group), all);
        let alices: Vec<&str> = all.into_iter().filter(|line| *line != "10 without bob").collect();
        assert_eq!(told(&alice, group), alices, "all but the own message");
        let bobs: Vec<&str> = alices.iter().copied().filter(|line| *line != "3 hello").collect();
        assert_eq!(told(&bob, group), bobs, "the removal is the last");
        let carols: Vec<&str> = all[4..].iter().copied().filter(|line| *line != "8 I am new").collect();
        assert_eq!(told(&carol, group), carols, "from the invitation on");
        let seen = carol.ask("history", json!({"group": group, "limit": 100}), "history_end");
        assert_eq!(seen["more"], false);
        // Who owns it leaves: it goes on with another.
        carol.ask("group_leave", json!({"group": group}), "done");
        assert_eq!(alice.ask("group_leave", json!({"group": group}), "done").get("name"), None);
        let gone = alice.ask("group", json!({"group": group}), "group");
        assert_eq!(gone["name"], "not_member");
        let list = alice.ask("conversations", json!({}), "conversations");
        assert_eq!(
            (&list["items"][0]["standing"], &list["items"][0]["name"]),
            (&json!("gone"), &json!("Coffee ☕"))
        );
    }
}

/// MSG-8: newcomers see what is written from their joining on, or everything, as the group's policy says.
#[test]
fn a_group_shows_newcomers_what_its_policy_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let [mut alice, mut bob] = ["alice", "bob"].map(|user| server.chat_in("2", user, "laptop"));
    for (policy, visible) in
        [(json!(["admins_add"]), vec![4, 5]), (json!(["admins_add", "open_history"]), vec![1, 2, 3, 4, 5])]
    {
        let made = alice.ask("group_create", json!({"name": "Tea", "policy": policy}), "group");
        let group = &made["group"];
        say(&mut alice, group, "one");
        say(&mut alice, group, "two");
        alice.ask("group_add", json!({"group": group, "user": "bob"}), "done");
        bob.wait_until("member", |member| member["change"] == "added" && member["group"] == *group);
        assert_eq!(say(&mut bob, group, "here"), json!(5));
        bob.seen.clear();
        bob.ask("history", json!({"group": group, "limit": 100}), "history_end");
        let seqs = bob.seen.iter().filter_map(|event| {
            let fields = event.get("message").or(event.get("member"))?;
            fields.get("history")?;
            fields["seq"].as_u64()
        });
        assert_eq!(seqs.collect::<Vec<_>>(), visible, "{policy}");
    }
}

/// MSG-8: the 501st member is refused, and so is who asks on behalf of a group that is not theirs.
#[test]
fn a_full_group_and_a_stranger_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let [mut alice, mut mallory] = ["alice", "mallory"].map(|user| server.chat_in("2", user, "laptop"));
    let members: Vec<String> = (1..500).map(|number| format!("member-{number}")).collect();
    let fields = json!({"name": "All", "members": members, "policy": "admins_add"});
    let made = alice.ask("group_create", fields, "group");
    let group = &made["group"];
    assert_eq!(alice.ask("group", json!({"group": group}), "group")["members"], 500);
    for command in ["group_add", "group_invite"] {
        let full = alice.ask(command, json!({"group": group, "user": "one-more"}), "done");
        assert_eq!(full["name"], "group_full", "{command}");
    }
    let roster = alice.ask("roster", json!({"group": group}), "roster");
    assert_eq!(roster["items"].as_array().unwrap().len(), 500, "paged to the end");
    for (command, mut fields, answer) in [
        ("send", json!({"text": "x"}), "sent"),
        ("history", json!({"limit": 5}), "history_end"),
        ("group", json!({}), "group"),
        ("roster", json!({}), "roster"),
        ("group_add", json!({"user": "mallory"}), "done"),
        ("group_accept", json!({}), "done"),
        ("group_rename", json!({"name": "Mine"}), "done"),
        ("group_role", json!({"user": "mallory", "role": "owner"}), "done"),
    ] {
        fields["group"] = group.clone();
        assert_eq!(mallory.ask(command, fields, answer)["name"], "not_member", "{command}");
    }
}
