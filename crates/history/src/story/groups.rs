//! Words of stories about groups, receipts and presence.

use iris_types::{ConversationId, UserId};

use super::{Story, body};
use crate::notice::{Notice, Wish};
use crate::record::{Addressee, Conversation, Device, Fact, HistoryFact, Seen, SendFact, Standing, User};
use crate::step::Step;

impl Story {
    pub(crate) fn named(&self, name: &str) -> User {
        self.history.clone().user(&UserId::new(name).expect("a name"))
    }

    pub(crate) fn direct(&self, one: &str, other: &str) -> Conversation {
        let (one, other) = (UserId::new(one).expect("a name"), UserId::new(other).expect("a name"));
        self.history.clone().conversation(ConversationId::direct(&one, &other))
    }

    /// A group is asked for; the user of the device will be its owner.
    pub(crate) fn found(mut self, device: &str, group: &str, policy: u8, founders: &[&str]) -> Self {
        // The names of everybody, so that what `named` gives stays true.
        for name in ["alice", "bob", "carol"] {
            self.user(name);
        }
        let (message, conversation) = (self.message(&format!("{group}1")), self.group(group));
        let hash = self.step(Step::Created);
        let fact = SendFact::Invoke { message, to: Addressee::Group(conversation), body: hash };
        let mut story = self
            .put(device, Fact::Send(fact))
            .put(device, Fact::Founding { message, group: conversation, policy });
        for founder in founders {
            let user = story.user(founder);
            story = story.put(device, Fact::Founder { message, user });
        }
        story
    }

    /// A change of a group in somebody's inbox, at the offset of its seq of all that the device got so far.
    pub(crate) fn change_seen(self, device: &str, group: &str, seq: u64, author: &str, step: Step) -> Self {
        let mut story = self;
        let offset = story.next_offset(device);
        let (conversation, from) = (story.group(group), story.user(author));
        let (message, body) = (story.message(&format!("{group}{seq}")), story.step(step));
        story.put(device, Fact::Delivered(Seen { offset, conversation, seq, message, from, body }))
    }

    /// The founding, at an offset of its own.
    pub(crate) fn founding_seen(mut self, device: &str, group: &str, offset: u64) -> Self {
        let (conversation, from) = (self.group(group), self.user("alice"));
        let (message, body) = (self.message(&format!("{group}1")), self.step(Step::Created));
        self.put(device, Fact::Delivered(Seen { offset, conversation, seq: 1, message, from, body }))
    }

    pub(crate) fn group_send(mut self, device: &str, word: &str, group: &str) -> Self {
        let (message, to) = (self.message(word), Addressee::Group(self.group(group)));
        self.put(device, Fact::Send(SendFact::Invoke { message, to, body: body(word) }))
    }

    pub(crate) fn group_ok(mut self, device: &str, word: &str, group: &str, seq: u64) -> Self {
        let (message, conversation) = (self.message(word), self.group(group));
        self.put(device, Fact::Send(SendFact::Ok { message, conversation, seq, sent_at: 0 }))
    }

    /// A message of alice's to a group; `at` is offset and seq.
    pub(crate) fn group_delivered(mut self, device: &str, word: &str, group: &str, at: (u64, u64)) -> Self {
        let (conversation, message, from) = (self.group(group), self.message(word), self.user("alice"));
        let (offset, seq) = at;
        let seen = Seen { offset, conversation, seq, message, from, body: body(word) };
        self.put(device, Fact::Delivered(seen))
    }

    /// A complete reading of a group.
    pub(crate) fn page(mut self, device: &str, group: &str, seqs: &[u64]) -> Self {
        let (reading, conversation) = (self.readings, self.group(group));
        self.readings += 1;
        let with = Addressee::Group(conversation);
        let from = self.user("alice");
        let mut story = self.put(device, Fact::History(HistoryFact::Invoke { reading, with }));
        for seq in seqs {
            let message = story.message(&format!("{group}{seq}"));
            let seen = Seen { offset: 0, conversation, seq: *seq, message, from, body: 0 };
            story = story.put(device, Fact::History(HistoryFact::Row { reading, seen }));
        }
        story.put(device, Fact::History(HistoryFact::Ok { reading, conversation, complete: true }))
    }

    /// Users with role (0: invited) and since.
    pub(crate) fn roster(mut self, device: &str, group: &str, lines: &[(&str, u8, u64)]) -> Self {
        let group = self.group(group);
        for (user, role, since) in lines {
            let user = self.user(user);
            self = self.put(device, Fact::Enrolled { group, user, role: *role, since: *since });
        }
        self.put(device, Fact::RosterEnd { group })
    }

    /// A line of the list: standing; last, read, unread, flags.
    pub(crate) fn standing(
        mut self,
        device: &str,
        group: &str,
        standing: u8,
        (last, read, unread, flags): (u64, u64, u64, u8),
    ) -> Self {
        let conversation = self.group(group);
        self.put(device, Fact::Standing(Standing { conversation, last, read, unread, flags, standing }))
    }

    pub(crate) fn direct_standing(
        mut self,
        device: &str,
        with: &str,
        (last, read, unread, flags): (u64, u64, u64, u8),
    ) -> Self {
        let conversation = self.conversation(owner(device), with);
        let standing = Standing { conversation, last, read, unread, flags, standing: 0 };
        self.put(device, Fact::Standing(standing))
    }

    pub(crate) fn noticed(self, device: &str, offset: u64, notice: Notice) -> Self {
        self.put(device, Fact::Noticed { offset, notice })
    }

    /// How far somebody is in the direct conversation with the device's user: delivered and read.
    pub(crate) fn receipt(mut self, device: &str, offset: u64, of: &str, marks: (u64, u64)) -> Self {
        let (conversation, user) = (self.conversation(owner(device), of), self.user(of));
        let (delivered, read) = marks;
        self.noticed(device, offset, Notice::Receipt { conversation, user, delivered, read })
    }

    /// Seq, delivered, read, members.
    pub(crate) fn group_receipt(
        mut self,
        device: &str,
        group: &str,
        offset: u64,
        (seq, delivered, read, members): (u64, u32, u32, u32),
    ) -> Self {
        let group = self.group(group);
        self.noticed(device, offset, Notice::GroupReceipt { group, seq, delivered, read, members })
    }

    /// Read and flags; how many are unread is not looked at.
    pub(crate) fn state(mut self, device: &str, with: &str, offset: u64, (read, flags): (u64, u8)) -> Self {
        let conversation = self.conversation(owner(device), with);
        self.noticed(device, offset, Notice::State { conversation, read, unread: 0, flags })
    }

    pub(crate) fn asked(self, device: &str, number: u32, wish: Wish) -> Self {
        self.put(device, Fact::Asked { number, wish })
    }

    pub(crate) fn answered(self, device: &str, number: u32) -> Self {
        self.put(device, Fact::Answered { number, code: 0 })
    }

    /// Asked for and done.
    pub(crate) fn mark_read(mut self, device: &str, with: &str, up_to: u64) -> Self {
        let conversation = self.conversation(owner(device), with);
        let number = self.history.records.len() as u32 + 1_000;
        self.asked(device, number, Wish::MarkRead { conversation, up_to }).answered(device, number)
    }

    pub(crate) fn mark_group_read(mut self, device: &str, group: &str, up_to: u64) -> Self {
        let conversation = self.group(group);
        let number = self.history.records.len() as u32 + 1_000;
        self.asked(device, number, Wish::MarkRead { conversation, up_to }).answered(device, number)
    }

    /// By direct conversations; asked for and done.
    pub(crate) fn watch(self, device: &str, number: u32, users: &[&str]) -> Self {
        let mut story = self.asked(device, number, Wish::Watch);
        for user in users {
            let user = story.user(user);
            story = story.put(device, Fact::Watching { number, user, group: None });
        }
        story.answered(device, number)
    }

    pub(crate) fn presence(mut self, device: &str, user: &str, state: u8) -> Self {
        let user = self.user(user);
        self.put(device, Fact::Presence { user, state, last_seen: 0 })
    }

    pub(crate) fn closed(self, device: &str) -> Self {
        self.put(device, Fact::Login(crate::record::LoginFact::Closed))
    }

    fn group(&mut self, word: &str) -> Conversation {
        let mut id = [7; 16];
        id[..word.len()].copy_from_slice(word.as_bytes());
        self.history.conversation(ConversationId(id))
    }

    fn step(&mut self, step: Step) -> u64 {
        let hash = crate::history::body_hash(0, format!("{step:?}").as_bytes());
        self.history.learn_step(hash, step);
        hash
    }

    fn next_offset(&mut self, device: &str) -> u64 {
        let device: Device = self.device(device);
        let entries = self.history.records.iter().filter(|record| record.process == device);
        entries.filter_map(|record| record.fact.offset()).max().unwrap_or_default() + 1
    }
}

fn owner(device: &str) -> &str {
    device.split('/').next().unwrap_or_default()
}
