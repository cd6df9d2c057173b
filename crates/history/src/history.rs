//! Records and the names that they abbreviate.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;
use iris_types::{Body, BodyKind, ConversationId, DeviceId, InboxItem, MessageId, Target, UserId};

use crate::notice::{Notice, Shown};
use crate::record::{Addressee, Conversation, Device, Fact, Message, Record, User};
use crate::step::Step;

/// What was recorded, oldest first. A record has about 80 bytes; names and ids are kept once.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub records: Vec<Record>,
    users: Table<UserId>,
    devices: Table<(User, DeviceId)>,
    fresh: Vec<bool>,
    conversations: Table<[u8; 16]>,
    messages: Table<[u8; 16]>,
    /// Bodies that change a group, by hash.
    steps: BTreeMap<u64, Step>,
}

/// A device's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    pub user: User,
    pub name: DeviceId,
    /// A device made after everything else, to sync the whole inbox from zero. What it gets is the yardstick
    /// of the others.
    pub fresh: bool,
}

impl History {
    pub fn push(&mut self, t: u64, process: Device, incarnation: u32, fact: Fact) {
        self.records.push(Record { t, process, incarnation, fact });
    }

    pub fn user(&mut self, name: &UserId) -> User {
        User(self.users.number(name))
    }

    pub fn device(&mut self, user: &UserId, name: &DeviceId) -> Device {
        self.device_of(user, name, false)
    }

    /// A device for the final sync from zero.
    pub fn fresh_device(&mut self, user: &UserId, name: &DeviceId) -> Device {
        self.device_of(user, name, true)
    }

    pub fn conversation(&mut self, id: ConversationId) -> Conversation {
        Conversation(self.conversations.number(&id.0))
    }

    /// Whom a message goes to.
    pub fn addressee(&mut self, target: &Target) -> Addressee {
        match target {
            Target::User(user) => Addressee::User(self.user(user)),
            Target::Group(group) => Addressee::Group(self.conversation(*group)),
        }
    }

    /// The hash of a body. What changes a group is remembered, too.
    pub fn body(&mut self, body: &Body) -> u64 {
        let hash = body_hash(body.kind().0, body.bytes());
        if body.kind() == BodyKind::CHANGE
            && let Some(step) = Step::of(body, self)
        {
            self.steps.insert(hash, step);
        }
        hash
    }

    /// What an entry tells that is no message; `None` for messages.
    pub fn notice(&mut self, item: &InboxItem) -> Option<Notice> {
        Some(match item {
            InboxItem::Message(_) => return None,
            InboxItem::Receipt(receipt) => Notice::Receipt {
                conversation: self.conversation(receipt.conversation),
                user: self.user(&receipt.user),
                delivered: receipt.marks.delivered.0,
                read: receipt.marks.read.0,
            },
            InboxItem::GroupReceipt(receipt) => Notice::GroupReceipt {
                group: self.conversation(receipt.group),
                seq: receipt.seq.0,
                delivered: receipt.delivered,
                read: receipt.read,
                members: receipt.members,
            },
            InboxItem::State(state) => Notice::State {
                conversation: self.conversation(state.conversation),
                read: state.read.0,
                unread: state.unread,
                flags: state.flags.bits(),
            },
            InboxItem::Settings(settings, _) => Notice::Settings(Shown {
                read_receipts: settings.read_receipts,
                last_seen: settings.last_seen.number(),
                typing: settings.typing,
            }),
        })
    }

    /// What a body does to a group; `None` for messages.
    #[must_use]
    pub fn step(&self, body: u64) -> Option<Step> {
        self.steps.get(&body).copied()
    }

    /// Every body that changes a group, by hash.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (u64, Step)> + '_ {
        self.steps.iter().map(|(body, step)| (*body, *step))
    }

    pub(crate) fn learn_step(&mut self, body: u64, step: Step) {
        self.steps.insert(body, step);
    }

    pub fn message(&mut self, id: MessageId) -> Message {
        self.message_bytes(id.to_bytes())
    }

    /// A message whose id is not known yet: the client mints it when it first tries.
    pub fn unnamed_message(&mut self) -> Message {
        let number = u32::try_from(self.messages.values.len()).unwrap_or(u32::MAX);
        self.messages.values.push([0; 16]);
        Message(number)
    }

    /// Gives a message an id, or one more: whatever has that id is this message from now on. The last one given
    /// is the one that [`Self::message_id`] tells.
    pub fn name_message(&mut self, message: Message, id: MessageId) {
        if let Some(known) = self.messages.values.get_mut(message.index()) {
            *known = id.to_bytes();
            self.messages.numbers.insert(id.to_bytes(), message.0);
        }
    }

    pub(crate) fn message_bytes(&mut self, id: [u8; 16]) -> Message {
        Message(self.messages.number(&id))
    }

    #[must_use]
    pub fn user_name(&self, user: User) -> Option<&UserId> {
        self.users.values.get(user.index())
    }

    /// The direct conversation of two users, if anything was said of it: it may have no message.
    #[must_use]
    pub fn direct(&self, one: User, other: User) -> Option<Conversation> {
        let id = ConversationId::direct(self.user_name(one)?, self.user_name(other)?);
        self.conversations.numbers.get(&id.0).copied().map(Conversation)
    }

    #[must_use]
    pub fn device_info(&self, device: Device) -> Option<DeviceInfo> {
        let (user, name) = self.devices.values.get(device.index())?.clone();
        Some(DeviceInfo { user, name, fresh: self.is_fresh(device) })
    }

    /// The user of a device; `None` for [`Device::NOBODY`].
    #[must_use]
    pub fn user_of(&self, device: Device) -> Option<User> {
        self.devices.values.get(device.index()).map(|(user, _)| *user)
    }

    #[must_use]
    pub fn is_fresh(&self, device: Device) -> bool {
        self.fresh.get(device.index()).copied().unwrap_or(false)
    }

    #[must_use]
    pub fn conversation_bytes(&self, conversation: Conversation) -> Option<[u8; 16]> {
        self.conversations.values.get(conversation.index()).copied()
    }

    #[must_use]
    pub fn message_id(&self, message: Message) -> Option<[u8; 16]> {
        self.messages.values.get(message.index()).copied()
    }

    #[must_use]
    pub fn users(&self) -> usize {
        self.users.values.len()
    }

    #[must_use]
    pub fn devices(&self) -> usize {
        self.devices.values.len()
    }

    #[must_use]
    pub fn conversations(&self) -> usize {
        self.conversations.values.len()
    }

    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages.values.len()
    }

    fn device_of(&mut self, user: &UserId, name: &DeviceId, fresh: bool) -> Device {
        let user = self.user(user);
        let device = Device(self.devices.number(&(user, name.clone())));
        if device.index() == self.fresh.len() {
            self.fresh.push(fresh);
        }
        device
    }
}

/// Hash of a message's kind and bytes (FNV-1a, eight bytes at a time): tells bodies of one recording apart. Never 0.
#[must_use]
pub fn body_hash(kind: u8, bytes: &[u8]) -> u64 {
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    let start = step(0xcbf2_9ce4_8422_2325, u64::from(kind) << 32 | bytes.len() as u64);
    let hash = bytes.chunks(8).fold(start, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        step(hash, u64::from_le_bytes(word))
    });
    hash.max(1)
}

/// Values by number and numbers by value, in the order of first mention.
#[derive(Clone, Debug)]
struct Table<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32, FixedState>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::with_hasher(FixedState::default()) }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Table<T> {
    fn number(&mut self, value: &T) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.numbers.insert(value.clone(), number);
        number
    }
}
