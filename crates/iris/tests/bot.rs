//! The bot of `examples/bot`, as a process of its own that is killed in mid-answer.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::{Chat, DevServer};

/// The bot and the `iris chat` under it, in a process group of their own.
struct Bot(Child);

impl Bot {
    fn start(server: &DevServer, folder: &Path) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/bot/bot.py");
        let mut command = Command::new("python3");
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script);
        command.args(["--iris", env!("CARGO_BIN_EXE_iris"), "--key"]).arg(folder.join("dice.key"));
        command.args(["--", "--as", "dicebot", "--dir"]).arg(server.directory());
        Self(command.process_group(0).stdin(Stdio::null()).spawn().unwrap())
    }

    fn kill(&mut self) {
        let group = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The next message of the bot.
fn answer(chat: &mut Chat) -> String {
    let message = chat.wait_until("message", |message| message["from"] == "dicebot");
    message["text"].as_str().unwrap().to_owned()
}

/// The bot's messages in a conversation, by what they answer: it answers in order.
fn answers(chat: &mut Chat, with: &Value) -> Vec<(u64, String, bool)> {
    chat.seen.clear();
    let mut question = with.clone();
    question["limit"] = json!(10_000);
    chat.command(&json!({"history": question, "ref": "all"}));
    chat.wait_for("history_end");
    let messages = chat.seen.iter().filter_map(|event| event.get("message"));
    let line = |message: &Value| {
        let text = message["text"].as_str().unwrap().to_owned();
        (message["seq"].as_u64().unwrap(), text, message["from"] == "dicebot")
    };
    messages.map(line).collect()
}

#[test]
fn a_bot_answers_in_direct_chats_and_in_groups_that_invite_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let mut alice = server.chat("alice", "a");
    alice.wait_for("synced");
    // Written before the bot ever came, and answered when it does.
    alice.send("dicebot", "!help");
    alice.wait_for("sent");
    let _bot = Bot::start(&server, folder.path());
    assert!(answer(&mut alice).contains("!roll"));
    alice.send("dicebot", "!roll 3d6");
    let dice = answer(&mut alice);
    let (sum, total) = dice.strip_prefix("🎲 ").unwrap().split_once(" = ").unwrap();
    let thrown: Vec<u64> = sum.split(" + ").map(|die| die.parse().unwrap()).collect();
    assert!(thrown.len() == 3 && thrown.iter().all(|die| (1..=6).contains(die)), "{dice}");
    assert_eq!(total.parse(), Ok(thrown.iter().sum::<u64>()));
    alice.send("dicebot", "!roll 99d9999");
    assert!(answer(&mut alice).contains("20 dice"));
    alice.send("dicebot", "not for the bot");
    // Invited when the group is made, and later.
    for first in [json!(["dicebot"]), json!([])] {
        alice.command(&json!({"group_create": {"name": "Table", "members": first}, "ref": "made"}));
        let group = alice.wait_until("group", |group| group["ref"] == "made")["group"].clone();
        if first == json!([]) {
            alice.command(&json!({"group_invite": {"group": group, "user": "dicebot"}}));
        }
        alice.wait_until("member", |member| member["change"] == "joined" && member["group"] == group);
        alice.command(&json!({"send": {"group": group, "text": "!who"}}));
        assert_eq!(answer(&mut alice), "2 members: alice ★, dicebot");
    }
}

#[test]
fn a_bot_that_is_killed_answers_every_message_once() {
    const MESSAGES: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let mut alice = server.chat("alice", "a");
    alice.wait_for("synced");
    let mut bot = Bot::start(&server, folder.path());
    let mut sent = 0;
    for kill_after in [1, 7, 15] {
        for _ in 0..MESSAGES / 3 {
            alice.send("dicebot", "!roll 2d1000");
            sent += 1;
        }
        for _ in 0..kill_after {
            answer(&mut alice);
        }
        bot.kill();
        bot = Bot::start(&server, folder.path());
    }
    alice.send("dicebot", "!help");
    alice.wait_until("message", |message| message["text"].as_str().unwrap().contains("!help"));
    let all = answers(&mut alice, &json!({"with": "dicebot"}));
    let (from_bot, from_alice): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, _, is_bot)| *is_bot);
    assert_eq!(from_alice.len(), sent + 1);
    assert_eq!(from_bot.len(), sent + 1, "one answer each");
    // Dice with a million faces: two answers to one message would be alike, and nothing else.
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    from_bot.iter().for_each(|(_, text, _)| *counted.entry(text).or_default() += 1);
    assert!(counted.values().filter(|count| **count > 1).count() <= 1, "{counted:?}");
}
