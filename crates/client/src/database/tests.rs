//! The database on a file gives back what its twin in memory gives back, over any operations and restarts.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use iris_client_core::{MemoryDatabase, Outcome, OwnMessage, Settled, Unsent};
use iris_types::{
    Body, BodyKind, ErrorCode, GroupTitle, InboxItem, InboxMessage, MessageId, Peer, Settings, Target,
    Timestamp,
};

use super::*;

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn device() -> DeviceId {
    DeviceId::new("laptop").unwrap()
}

/// Splitmix64: enough to choose operations.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 27) ^ mixed) % bound
    }

    /// The first conversation is direct, the others are groups.
    fn message(&mut self, offset: u64) -> InboxMessage {
        let which = self.below(3) as u8;
        InboxMessage {
            conversation: ConversationId([which; 16]),
            seq: Seq(offset),
            id: MessageId::from_parts(Timestamp(offset), [7; 10]),
            from: user("bob"),
            with: if which == 0 { user("bob").into() } else { Peer::Group(GroupTitle::new("Tea").unwrap()) },
            origin: None,
            sent_at: Timestamp(offset + 5),
            body: Body::new(BodyKind::TEXT, Bytes::from(format!("text {offset}"))).unwrap(),
        }
    }

    fn target(&mut self) -> Target {
        let message = self.message(1);
        match self.below(3) {
            0 => user("carol").into(),
            _ => message.with.target(message.conversation),
        }
    }

    fn item(&mut self, offset: u64) -> InboxItem {
        match self.below(3) {
            0 => InboxItem::Settings(Settings::default(), Timestamp(offset)),
            _ => InboxItem::Message(self.message(offset)),
        }
    }

    fn operation(&mut self, step: u64) -> StoreOperation {
        let number = SendNumber(1 + self.below(step));
        let to = self.target();
        let id = Some(MessageId::from_parts(Timestamp(step), [9; 10]));
        let reference = (self.below(2) == 0).then(|| Bytes::from_static(b"reference"));
        match self.below(10) {
            0 | 1 => {
                let id = id.filter(|_| self.below(2) == 0);
                let body = self.message(step).body;
                StoreOperation::PutUnsent(Unsent { number, to, body, id, id_given: id.is_some(), reference })
            }
            2 => {
                let outcome = Outcome::Failed(ErrorCode::IdConflict.into());
                StoreOperation::Settle(Settled { number, to, id, reference, outcome })
            }
            3 => StoreOperation::DropSettled(number),
            4 => {
                let message = self.message(step);
                let InboxMessage { conversation, seq, id, sent_at, body, .. } = message;
                let to = message.with.target(conversation);
                StoreOperation::PutSent(OwnMessage { conversation, seq, id, to, sent_at, body })
            }
            5 => StoreOperation::PutReceived { offset: Offset(step), item: self.item(step) },
            7 => StoreOperation::PutReadMark { target: self.target(), up_to: Seq(step) },
            8 => StoreOperation::DropReadMark(self.target()),
            6 => StoreOperation::PutGap { first: Offset(step.saturating_sub(1)), last: Offset(step) },
            _ if self.below(2) == 0 => StoreOperation::SetShown(Offset(self.below(step + 1))),
            _ => StoreOperation::SetCursor(Offset(step)),
        }
    }
}

#[test]
fn a_file_gives_back_what_memory_gives_back() {
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(42);
    println!("TEST_SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let mut choices = Choices(seed);
    let mut twin = MemoryDatabase::default();
    let mut step = 0;
    for _ in 0..12 {
        let (database, restored) = Database::open(dir.path(), &user("alice"), &device()).unwrap();
        assert_eq!(restored, twin.restored());
        for _ in 0..3 {
            let mut operations = Vec::new();
            for _ in 0..choices.below(12) {
                step += 1;
                operations.push(choices.operation(step));
            }
            database.apply(&operations).unwrap();
            twin.apply(operations);
        }
    }
}

#[test]
fn a_database_of_another_layout_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Database::open(dir.path(), &user("alice"), &device());
    let (database, _) = open().unwrap();
    let transaction = database.engine.begin_write().unwrap();
    transaction.open_table(COUNTERS).unwrap().insert("layout", 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        assert!(matches!(open(), Err(DatabaseError::Layout { found: 1, known: LAYOUT, .. })));
    }
}

#[test]
fn one_process_and_one_device_use_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let open = |user: &UserId, device: &DeviceId| Database::open(dir.path(), user, device).map(drop);
    let (database, _) = Database::open(dir.path(), &user("alice"), &device()).unwrap();
    assert!(matches!(open(&user("alice"), &device()), Err(DatabaseError::InUse(_))));
    drop(database);
    assert!(open(&user("alice"), &device()).is_ok());
    let phone = DeviceId::new("phone").unwrap();
    for (user, device) in [(user("bob"), device()), (user("alice"), phone)] {
        assert!(matches!(open(&user, &device), Err(DatabaseError::OtherOwner { .. })));
    }
}

#[test]
fn only_the_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("alice-laptop");
    let _database = Database::open(&state, &user("alice"), &device()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join(FILE_NAME))), (0o700, 0o600));
}
