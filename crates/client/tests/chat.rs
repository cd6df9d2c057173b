//! Two devices on real sockets with real TLS and real databases.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod served;

use std::num::NonZeroU64;
use std::time::Duration;

use iris_client::{
    Change, Client, ClientError, ClientEvent, ConnectError, DatabaseError, DeviceId, DeviceLabel, ErrorCode,
    Event, Events, Flags, GroupChange, GroupDescription, GroupTitle, HistoryFrom, HistoryQuestion, NewGroup,
    Outcome, Policy, QueryNumber, RosterQuestion, Seq, SettingsChange, Target, Trust,
};
use served::{Served, user};

/// Far more than anything here takes; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The next event that is looked for; all before it are taken.
async fn find<T>(events: &mut Events, wanted: impl Fn(&ClientEvent) -> Option<T>) -> T {
    let search = async {
        loop {
            match events.next().await.expect("the client goes on") {
                Event::Machine(event) => {
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
                Event::DatabaseFailed(error) => panic!("{error}"),
                Event::ConnectFailed(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("it comes")
}

async fn message(events: &mut Events) -> (String, Seq) {
    find(events, |event| match event {
        ClientEvent::Message { message, .. } => {
            Some((message.body.as_text().unwrap_or_default().to_owned(), message.seq))
        }
        _ => None,
    })
    .await
}

async fn synced(events: &mut Events) {
    find(events, |event| matches!(event, ClientEvent::Synced).then_some(())).await;
}

async fn sent(events: &mut Events) -> Seq {
    find(events, |event| match event {
        ClientEvent::Settled(settled) => match settled.outcome {
            Outcome::Sent { seq, .. } => Some(seq),
            Outcome::Failed(refusal) => panic!("{refusal}"),
        },
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_chat_goes_on_over_the_death_of_the_server() {
    let mut served = Served::start().await;
    let (alice, mut alice_events) = Client::connect(served.options("alice", "laptop")).await.unwrap();
    let (bob, mut bob_events) = Client::connect(served.options("bob", "laptop")).await.unwrap();
    alice.send_text(&user("bob"), "one").await.unwrap();
    assert_eq!(message(&mut bob_events).await, ("one".to_owned(), Seq(1)));
    assert_eq!(sent(&mut alice_events).await, Seq(1));
    served.kill().await;
    find(&mut alice_events, |event| matches!(event, ClientEvent::Disconnected).then_some(())).await;
    for text in ["two", "three"] {
        alice.send_text(&user("bob"), text).await.unwrap();
    }
    served.revive().await;
    for (text, seq) in [("two", Seq(2)), ("three", Seq(3))] {
        assert_eq!(message(&mut bob_events).await, (text.to_owned(), seq));
        assert_eq!(sent(&mut alice_events).await, seq);
    }
    bob.send_text(&user("alice"), "four").await.unwrap();
    assert_eq!(message(&mut alice_events).await, ("four".to_owned(), Seq(4)));
    for client in [alice, bob] {
        assert_eq!(client.close(PATIENCE).await.unwrap().unsettled, 0);
    }
}

#[tokio::test]
async fn a_message_waits_for_who_is_away_and_is_not_shown_twice() {
    let served = Served::start().await;
    let (alice, alice_events) = Client::connect(served.options("alice", "laptop")).await.unwrap();
    for number in 0..10 {
        alice.send_text(&user("bob"), &number.to_string()).await.unwrap();
    }
    assert_eq!(alice.close(PATIENCE).await.unwrap().unsettled, 0);
    alice_events.finished().await;
    let (bob, mut events) = Client::connect(served.options("bob", "laptop")).await.unwrap();
    for number in 0..6 {
        assert_eq!(message(&mut events).await, (number.to_string(), Seq(number + 1)));
    }
    // The sixth is being worked on: it was not taken yet, and comes again.
    bob.close(Duration::ZERO).await.unwrap();
    events.finished().await;
    let (_bob, mut events) = Client::connect(served.options("bob", "laptop")).await.unwrap();
    for number in 5..10 {
        assert_eq!(message(&mut events).await, (number.to_string(), Seq(number + 1)));
    }
}

#[tokio::test]
async fn closing_ends_the_events_after_the_last_was_taken() {
    let served = Served::start().await;
    let (alice, mut events) = Client::connect(served.options("alice", "laptop")).await.unwrap();
    alice.send_text(&user("bob"), "hello").await.unwrap();
    assert_eq!(alice.clone().close(PATIENCE).await.unwrap().unsettled, 0);
    assert_eq!(sent(&mut events).await, Seq(1));
    let rest = async { while events.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, rest).await.unwrap();
    assert!(matches!(alice.send_text(&user("bob"), "late").await, Err(ClientError::Closed)));
    // The database is free again, and the outcome was taken.
    let (_alice, mut events) = Client::connect(served.options("alice", "laptop")).await.unwrap();
    let none = find(&mut events, |event| match event {
        ClientEvent::Settled(_) => Some(false),
        ClientEvent::Synced => Some(true),
        _ => None,
    });
    assert!(none.await);
}

#[tokio::test]
async fn history_and_conversations_are_asked_for() {
    let served = Served::start().await;
    let (alice, mut events) = Client::connect(served.options("alice", "laptop")).await.unwrap();
    for number in 0..20 {
        alice.send_text(&user("bob"), &number.to_string()).await.unwrap();
        sent(&mut events).await;
    }
    let limit = NonZeroU64::new(15).unwrap();
    let question = HistoryQuestion { with: user("bob").into(), from: HistoryFrom::Latest, limit };
    let asked = alice.history(question).await.unwrap();
    let mut seqs: Vec<u64> = Vec::new();
    loop {
        let part = find(&mut events, |event| match event {
            ClientEvent::HistoryPage { query, entries, .. } if *query == asked => {
                Some(Some(entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>()))
            }
            ClientEvent::HistoryEnd { query, count: 15, more: true, .. } if *query == asked => Some(None),
            _ => None,
        });
        match part.await {
            Some(part) => seqs.extend(part),
            None => break,
        }
    }
    assert_eq!(seqs, (6..=20).collect::<Vec<_>>());
    let asked = alice.conversations().await.unwrap();
    let items = find(&mut events, |event| match event {
        ClientEvent::Conversations { query, items, next: None } if *query == asked => Some(items.clone()),
        _ => None,
    });
    let items = items.await;
    assert_eq!((items.len(), items[0].last_seq), (1, Seq(20)));
}

#[tokio::test]
async fn devices_are_listed_renamed_and_revoked() {
    let served = Served::start().await;
    served.has_device("phone");
    let (alice, mut events) = Client::connect(served.options("alice", "laptop")).await.unwrap();
    let (phone, tablet) = (DeviceId::new("phone").unwrap(), DeviceId::new("tablet").unwrap());
    let label = DeviceLabel::new("Büro").unwrap();
    let answer = async |events: &mut Events, asked: QueryNumber| {
        find(events, |event| match event {
            ClientEvent::Devices { query, items } if *query == asked => {
                Some(Ok(items.iter().map(|item| (item.device.clone(), item.label.clone())).collect()))
            }
            ClientEvent::Done { query } if *query == asked => Some(Ok(Vec::new())),
            ClientEvent::QueryFailed { query, refusal } if *query == asked => Some(Err(refusal.code)),
            _ => None,
        })
        .await
    };
    let renamed = alice.rename_device(&phone, label.clone()).await.unwrap();
    assert_eq!(answer(&mut events, renamed).await, Ok(vec![]));
    let listed = alice.devices().await.unwrap();
    assert_eq!(answer(&mut events, listed).await, Ok(vec![(phone.clone(), Some(label))]));
    for (device, expected) in
        [(&tablet, Err(ErrorCode::UnknownDevice)), (&phone, Ok(vec![])), (&phone, Ok(vec![]))]
    {
        let revoked = alice.revoke_device(device).await.unwrap();
        assert_eq!(answer(&mut events, revoked).await, expected, "{device}");
    }
    let listed = alice.devices().await.unwrap();
    assert_eq!(answer(&mut events, listed).await, Ok(vec![]));
}

/// The answer to a question.
async fn answer(events: &mut Events, asked: QueryNumber) -> ClientEvent {
    find(events, |event| (event.answers() == Some(asked)).then(|| event.clone())).await
}

/// A message of this kind of change.
async fn change(events: &mut Events, name: &str) -> Seq {
    find(events, |event| match event {
        ClientEvent::Message { message, .. } => {
            Change::from_body(&message.body).ok().filter(|change| change.name() == name).map(|_| message.seq)
        }
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_group_is_made_joined_read_and_known_after_a_restart() {
    let served = Served::start().await;
    let (alice, mut alice_events) = Client::connect(served.options("alice", "laptop")).await.unwrap();
    let (bob, mut bob_events) = Client::connect(served.options("bob", "laptop")).await.unwrap();
    synced(&mut bob_events).await;
    let title = GroupTitle::new("Tea 🍵").unwrap();
    let description = GroupDescription::new("").unwrap();
    let (policy, members) = (Policy::default(), vec![user("bob")]);
    let asked = alice.create_group(NewGroup { title, description, policy, members }).await.unwrap();
    let ClientEvent::GroupCreated { group, .. } = answer(&mut alice_events, asked).await else { panic!() };
    assert_eq!(change(&mut bob_events, "invited").await, Seq(2));
    let asked = bob.change_group(group, GroupChange::Accept).await.unwrap();
    let joined = answer(&mut bob_events, asked).await;
    assert_eq!(joined, ClientEvent::GroupChanged { query: asked, group, seq: Some(Seq(3)) });
    alice.send_text(group, "welcome").await.unwrap();
    assert_eq!(message(&mut bob_events).await, (String::new(), Seq(3)), "the own change");
    assert_eq!(message(&mut bob_events).await, ("welcome".to_owned(), Seq(4)));
    let asked = bob.mark_read(group, Seq(4)).await.unwrap();
    assert_eq!(answer(&mut bob_events, asked).await, ClientEvent::Done { query: asked });
    let asked = alice.receipts(group, Seq(4)).await.unwrap();
    match answer(&mut alice_events, asked).await {
        ClientEvent::Receipts { receipts, .. } => assert_eq!(receipts.by.len(), 1),
        other => panic!("{other:?}"),
    }
    let asked = bob.roster(RosterQuestion { group, after: None, limit: None }).await.unwrap();
    match answer(&mut bob_events, asked).await {
        ClientEvent::Roster { items, next: None, .. } => assert_eq!(items.len(), 2),
        other => panic!("{other:?}"),
    }
    bob.close(PATIENCE).await.unwrap();
    bob_events.finished().await;
    let (bob, mut bob_events) = Client::connect(served.options("bob", "laptop")).await.unwrap();
    assert_eq!(bob.target(group).await.unwrap(), Some(Target::Group(group)));
    synced(&mut bob_events).await;
}

#[tokio::test]
async fn flags_settings_and_blocks_are_changed() {
    let served = Served::start().await;
    let (alice, mut events) = Client::connect(served.options("alice", "laptop")).await.unwrap();
    alice.send_text(&user("bob"), "one").await.unwrap();
    sent(&mut events).await;
    let asked = [
        alice.set_flags(&user("bob"), Flags::PINNED, Flags::PINNED).await.unwrap(),
        alice.block_user(&user("bob"), true).await.unwrap(),
        alice.change_settings(SettingsChange { typing: Some(false), ..Default::default() }).await.unwrap(),
    ];
    for asked in asked {
        assert_eq!(answer(&mut events, asked).await, ClientEvent::Done { query: asked });
    }
    let asked = alice.settings().await.unwrap();
    match answer(&mut events, asked).await {
        ClientEvent::Settings { settings, .. } => assert!(!settings.typing),
        other => panic!("{other:?}"),
    }
    let refused = alice.set_flags(&user("bob"), Flags::BLOCKED, Flags::BLOCKED).await;
    assert!(matches!(refused, Err(ClientError::Query(_))));
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_not_talked_to() {
    let (served, other) = (Served::start().await, Served::start().await);
    let mut options = served.options("alice", "laptop");
    options.trust = Trust::File(other.dir.path().join("ca.pem"));
    let (_alice, mut events) = Client::connect(options).await.unwrap();
    let first = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
    assert!(matches!(&first, Some(Event::ConnectFailed(e)) if matches!(**e, ConnectError::Handshake { .. })));
}

#[tokio::test]
async fn options_that_cannot_be_right_are_refused_at_once() {
    let served = Served::start().await;
    let mut options = served.options("alice", "laptop");
    options.trust = Trust::File(served.dir.path().join("missing.pem"));
    let refused = Client::connect(options).await.map(drop);
    assert!(matches!(refused, Err(ClientError::Connect(ConnectError::Trust { .. }))));
    let mut options = served.options("alice", "laptop");
    options.server = "localhost".to_owned();
    let refused = Client::connect(options).await.map(drop);
    assert!(matches!(refused, Err(ClientError::Connect(ConnectError::Address(_)))));
    let _first = Client::connect(served.options("alice", "laptop")).await.unwrap();
    let second = Client::connect(served.options("alice", "laptop")).await.map(drop);
    assert!(matches!(second, Err(ClientError::Database(DatabaseError::InUse(_)))));
    synced(&mut { _first.1 }).await;
}
