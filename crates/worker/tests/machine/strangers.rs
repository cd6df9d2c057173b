//! Every kind of request there is, by somebody who is in nothing: a new kind does not compile without a line here.

use iris_types::request::{
    Answer, BlockUser, HistoryFrom, ListConversations, MarkRead, ReadHistory, ReadReceipts, ReadRoster,
    RenameDevice, Request, RevokeDevice, SendMessage, SetFlags,
};
use iris_types::{
    ChangeGroup, ConversationId, DeviceLabel, ErrorCode, Flags, Offset, Policy, PresenceState, Seq,
    SettingsChange, Target, Watched,
};
use iris_worker::WorkerLimits;

use crate::world::*;

/// What an answer says, as far as it may say something about others.
fn shown(answer: Answer) -> String {
    match answer {
        Answer::Attached(_) => "attached".to_owned(),
        Answer::Sent(sent) => format!("sent {}", sent.seq),
        Answer::InboxPage(page) => format!("inbox {}", page.entries.len()),
        Answer::HistoryPage(page) => format!("history {}", page.entries.len()),
        Answer::Conversations(page) => format!("conversations {}", page.items.len()),
        Answer::Devices(devices) => format!("devices {}", devices.len()),
        Answer::Done => "done".to_owned(),
        Answer::Group(_) => "group".to_owned(),
        Answer::Roster(page) => format!("roster {}", page.items.len()),
        Answer::Receipts(page) => format!("receipts {}", page.members),
        Answer::Settings(_) => "settings".to_owned(),
        Answer::Presence(all) => {
            let seen = all.iter().filter(|one| one.state != PresenceState::Hidden).count();
            format!("presence {seen}")
        }
        Answer::Refused { refusal, .. } => refusal.code.to_string(),
    }
}

/// What is expected for the mallory of the test below.
const fn expected(request: &Request) -> &'static str {
    match request {
        // His own conversation with her begins at 1: the id is not known there.
        Request::SendMessage(SendMessage { to: Target::User(_), previous: None, .. }) => "sent 1",
        Request::SendMessage(SendMessage { to: Target::User(_), .. }) => "out_of_order",
        Request::ReadInbox { after } if after.0 > 2 => "cursor_ahead",
        Request::ReadInbox { .. } => "inbox 2",
        Request::Acknowledge { .. } => "cursor_ahead",
        Request::ReadHistory(ReadHistory { with: Target::User(_), .. }) => "history 1",
        Request::ListConversations(_) => "conversations 2",
        Request::ListDevices => "devices 1",
        // Only the own devices have names; her device is called like that.
        Request::RenameDevice(_) | Request::RevokeDevice(_) => "unknown_device",
        Request::CreateGroup(_) => "sent 1",
        Request::SendMessage(_)
        | Request::ReadHistory(_)
        | Request::ChangeGroup(_)
        | Request::ReadGroup { .. }
        | Request::ReadRoster(_)
        | Request::ReadReceipts(ReadReceipts { target: Target::Group(_), .. }) => "not_member",
        Request::ReadReceipts(_) => "unknown_conversation",
        Request::MarkRead(_) | Request::SetFlags(_) => "unknown_conversation",
        Request::BlockUser(_) | Request::ChangeSettings(_) | Request::Watch(_) => "done",
        Request::ReadSettings => "settings",
        Request::ReadPresence(_) => "presence 0",
        // Never answered.
        Request::Typing { .. } => "",
    }
}

fn requests(world: &mut World, known: SendMessage, group: ConversationId) -> Vec<Request> {
    let history =
        |with: Target| Request::ReadHistory(ReadHistory { with, from: HistoryFrom::Latest, limit: 9 });
    let (a, in_group) = (|| Target::User(user("a")), Target::Group(group));
    let mut requests = vec![
        Request::SendMessage(SendMessage { body: body("not the same text"), ..known.clone() }),
        Request::SendMessage(SendMessage {
            previous: Some(known.id),
            ..message(world.id(), "a", "after that")
        }),
        Request::SendMessage(SendMessage { to: in_group.clone(), ..message(world.id(), "a", "hello") }),
        Request::CreateGroup(creation(known.id, Policy::default(), &[])),
        Request::ReadInbox { after: Offset(0) },
        Request::ReadInbox { after: Offset(3) },
        Request::Acknowledge { up_to: Offset(3) },
        history(Target::User(user("b"))),
        history(in_group.clone()),
        // The conversation of the two is nobody's group.
        history(Target::Group(ConversationId::direct(&user("a"), &user("b")))),
        Request::ListConversations(ListConversations { after: None, limit: 9 }),
        Request::ListDevices,
        Request::RenameDevice(RenameDevice { device: device("a"), label: DeviceLabel::new("x").unwrap() }),
        Request::RevokeDevice(RevokeDevice { device: device("a") }),
        Request::ReadGroup { group },
        Request::ReadRoster(ReadRoster { group, after: None, limit: 9 }),
        Request::ReadSettings,
        Request::ChangeSettings(SettingsChange { typing: Some(false), ..SettingsChange::default() }),
        Request::BlockUser(BlockUser { user: user("a"), on: true }),
    ];
    for change in [
        "invite mallory",
        "add mallory",
        "remove a",
        "accept",
        "leave",
        "rename x",
        "describe x",
        "role mallory owner",
        "policy 63",
    ] {
        let change = change_of(change);
        requests.push(Request::ChangeGroup(ChangeGroup { id: world.id(), group, change }));
    }
    for target in [a(), in_group] {
        let seq = Seq(1);
        let mask = Flags::PINNED;
        requests.extend([
            Request::MarkRead(MarkRead { target: target.clone(), up_to: seq }),
            Request::ReadReceipts(ReadReceipts { target: target.clone(), seq, after: None, limit: 9 }),
            Request::SetFlags(SetFlags { target: target.clone(), mask, values: mask }),
            Request::Typing { target, on: true },
        ]);
    }
    for group in [None, Some(group)] {
        let watched = || vec![Watched { user: user("a"), group }];
        requests.extend([Request::Watch(watched()), Request::ReadPresence(watched())]);
    }
    requests
}

#[test]
fn no_request_of_a_stranger_shows_or_changes_what_is_others() {
    for workers in [1, 2] {
        let mut world = World::new(workers, WorkerLimits::default());
        let known = message(world.id(), "b", "1");
        world.send_as("a", known.clone()).unwrap();
        world.send("b", "a", "2");
        let group = world.group("a", Policy::ADMINS_ADD, &["b"]);
        world.say("a", group, "3").unwrap();
        world.attach("mallory");
        world.attach("a");
        let login = world.login("a", "a");
        world.attach_as(session("a/a"), login);
        world.pass(2_000);
        let look = |world: &mut World| {
            let histories = [user("b").into(), Target::Group(group)];
            let histories = histories.map(|with| world.history_of("a", with, 9));
            (histories, world.inbox("a", 0), world.inbox("b", 0), world.conversations("a", 9))
        };
        let before = look(&mut world);
        for request in requests(&mut world, known, group) {
            let (wanted, kind) = (expected(&request), format!("{request:?}"));
            let id = world.begin_any("mallory", request);
            world.run();
            world.pass(2_000);
            assert_eq!(world.answer(id).map(shown).unwrap_or_default(), wanted, "{kind}");
        }
        assert_eq!((world.presences.len(), world.typings.len()), (2, 0), "told twice that it is hidden");
        assert!(
            world
                .presences
                .iter()
                .all(|(to, one)| { *to == session("mallory") && one.state == PresenceState::Hidden })
        );
        let mut after = look(&mut world);
        after.2.1.retain(|(_, text)| text != "not the same text");
        assert_eq!(after, before);
        assert_eq!(world.stops, []);
    }
}

#[test]
fn no_such_group_and_no_member_of_it_are_answered_alike() {
    let mut world = World::new(1, small());
    let group = world.group("a", Policy::default(), &["b"]);
    world.settle();
    let direct = ConversationId::direct(&user("a"), &user("b"));
    world.send("a", "b", "x");
    for target in [group, ConversationId([9; 16]), direct] {
        for _ in 0..2 {
            assert_eq!(world.say("mallory", target, "x"), Err(ErrorCode::NotMember));
            let read = Request::ReadGroup { group: target };
            assert_eq!(refused(world.ask("mallory", read)), Some(ErrorCode::NotMember));
            world.restart();
        }
    }
    // The two members of a direct conversation do not reach it in this way either.
    assert_eq!(world.say("a", direct, "x"), Err(ErrorCode::NotMember));
    assert_eq!(world.history("a", "b", 9), [(1, "x".to_owned())]);
}
