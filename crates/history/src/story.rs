#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Hand-made histories for the checkers' tests, a word per record.

mod groups;

use iris_types::{ConversationId, DeviceId, UserId};

use crate::history::{History, body_hash};
use crate::invariants::check;
use crate::record::{
    Conversation, Device, DeviceRevocationFact, Fact, HistoryFact, LoginFact, Message, Observation,
    RepeatFact, RevocationFact, Seen, SendFact, User,
};
use crate::violation::Invariant;

/// Devices are written `user/device`; a device whose name starts with `fresh` syncs from zero at the end.
/// Messages are short words; the body is made from the word.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) history: History,
    t: u64,
    readings: u32,
    sends: std::collections::BTreeMap<String, (User, User, Conversation)>,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Milliseconds pass.
    pub(crate) fn wait(mut self, ms: u64) -> Self {
        self.t += ms;
        self
    }

    pub(crate) fn send(mut self, device: &str, word: &str, to: &str) -> Self {
        let (from, to) = (device.split('/').next().unwrap_or_default(), to);
        let conversation = self.conversation(from, to);
        let (from, to) = (self.user(from), self.user(to));
        self.sends.insert(word.to_owned(), (from, to, conversation));
        let message = self.message(word);
        self.put(device, Fact::Send(SendFact::Invoke { message, to: to.into(), body: body(word) }))
    }

    pub(crate) fn ok(self, device: &str, word: &str, seq: u64) -> Self {
        self.ok_at(device, word, seq, 0)
    }

    pub(crate) fn ok_at(mut self, device: &str, word: &str, seq: u64, sent_at: u64) -> Self {
        let (message, conversation) = (self.message(word), self.of(word).1);
        self.put(device, Fact::Send(SendFact::Ok { message, conversation, seq, sent_at }))
    }

    pub(crate) fn fail(mut self, device: &str, word: &str, code: u16) -> Self {
        let message = self.message(word);
        self.put(device, Fact::Send(SendFact::Fail { message, code }))
    }

    pub(crate) fn info(mut self, device: &str, word: &str) -> Self {
        let message = self.message(word);
        self.put(device, Fact::Send(SendFact::Info { message }))
    }

    pub(crate) fn delivered(mut self, device: &str, word: &str, offset: u64, seq: u64) -> Self {
        let seen = self.seen(word, offset, seq);
        self.put(device, Fact::Delivered(seen))
    }

    pub(crate) fn shown(mut self, device: &str, word: &str, seq: u64) -> Self {
        let seen = self.seen(word, 0, seq);
        self.put(device, Fact::Shown(seen))
    }

    /// Shown with another body than the one sent.
    pub(crate) fn shown_garbled(mut self, device: &str, word: &str, seq: u64) -> Self {
        let seen = Seen { body: 77, ..self.seen(word, 0, seq) };
        self.put(device, Fact::Shown(seen))
    }

    pub(crate) fn gap(self, device: &str, first: u64, last: u64) -> Self {
        self.put(device, Fact::Gap { first, last })
    }

    pub(crate) fn acknowledge(self, device: &str, up_to: u64) -> Self {
        self.put(device, Fact::Acknowledge { up_to })
    }

    pub(crate) fn stored(self, device: &str, up_to: u64) -> Self {
        self.put(device, Fact::Stored { up_to })
    }

    pub(crate) fn settled(self, device: &str) -> Self {
        self.put(device, Fact::Settled)
    }

    /// A login by a device with a true clock and a token issued at the beginning.
    pub(crate) fn login(self, device: &str, nonce: u64, cursor: u64, last: u64) -> Self {
        let now = self.t;
        self.login_with(device, nonce, (now, 0), (cursor, last))
    }

    /// `times` are the device's clock and the token's issue.
    pub(crate) fn login_with(self, device: &str, nonce: u64, times: (u64, u64), offsets: (u64, u64)) -> Self {
        let ((claimed_at, issued_at), (cursor, last), server_time) = (times, offsets, self.t);
        let ok = LoginFact::Ok { nonce, claimed_at, issued_at, cursor, last, server_time };
        self.put(device, Fact::Login(LoginFact::Invoke { nonce, claimed_at })).put(device, Fact::Login(ok))
    }

    pub(crate) fn revoke(mut self, user: &str, issued_up_to: u64) -> Self {
        let user = self.user(user);
        let fact = Fact::Revocation(RevocationFact::Ok { user, issued_up_to });
        self.history.push(self.t, Device::NOBODY, 0, fact);
        self
    }

    /// A login on its way to the server.
    pub(crate) fn login_begin(self, device: &str, nonce: u64) -> Self {
        let claimed_at = self.t;
        self.put(device, Fact::Login(LoginFact::Invoke { nonce, claimed_at }))
    }

    pub(crate) fn login_end(self, device: &str, nonce: u64) -> Self {
        let (claimed_at, server_time) = (self.t, self.t);
        let ok = LoginFact::Ok { nonce, claimed_at, issued_at: 0, cursor: 0, last: 0, server_time };
        self.put(device, Fact::Login(ok))
    }

    /// One device ends another.
    pub(crate) fn revoke_device(self, by: &str, device: &str) -> Self {
        let mut story = self.revoke_device_begin(by, device);
        let device = story.device(device);
        story.put(by, Fact::DeviceRevocation(DeviceRevocationFact::Ok { device }))
    }

    pub(crate) fn revoke_device_begin(mut self, by: &str, device: &str) -> Self {
        let device = self.device(device);
        self.put(by, Fact::DeviceRevocation(DeviceRevocationFact::Invoke { device }))
    }

    /// A complete reading of the conversation with `with`.
    pub(crate) fn read(self, device: &str, with: &str, rows: &[(&str, u64)]) -> Self {
        self.read_begin(device, with).read_end(device, with, rows)
    }

    pub(crate) fn read_begin(mut self, device: &str, with: &str) -> Self {
        let (reading, with) = (self.readings, self.user(with).into());
        self.put(device, Fact::History(HistoryFact::Invoke { reading, with }))
    }

    pub(crate) fn read_end(mut self, device: &str, with: &str, rows: &[(&str, u64)]) -> Self {
        let reading = self.readings;
        self.readings += 1;
        let user = device.split('/').next().unwrap_or_default();
        let conversation = self.conversation(user, with);
        for (word, seq) in rows {
            let seen = Seen { conversation, ..self.seen(word, 0, *seq) };
            self = self.put(device, Fact::History(HistoryFact::Row { reading, seen }));
        }
        self.put(device, Fact::History(HistoryFact::Ok { reading, conversation, complete: true }))
    }

    pub(crate) fn listed(mut self, device: &str, with: &str, last: u64) -> Self {
        let conversation = self.conversation(device.split('/').next().unwrap_or_default(), with);
        let with = self.user(with).into();
        self.put(device, Fact::Listed { conversation, with, last })
    }

    /// The send once more; `same`: with the same body.
    pub(crate) fn repeat_ok(mut self, device: &str, word: &str, same: bool, seq: u64) -> Self {
        let (message, conversation) = (self.message(word), self.of(word).1);
        let body = if same { body(word) } else { 77 };
        self.put(device, Fact::Repeat(RepeatFact::Ok { message, body, conversation, seq }))
    }

    pub(crate) fn repeat_fail(mut self, device: &str, word: &str, same: bool, code: u16) -> Self {
        let message = self.message(word);
        let body = if same { body(word) } else { 77 };
        self.put(device, Fact::Repeat(RepeatFact::Fail { message, body, code }))
    }

    pub(crate) fn observed(mut self, observation: Observation) -> Self {
        self.history.push(self.t, Device::NOBODY, 0, Fact::Observed(observation));
        self
    }

    pub(crate) fn durable(mut self, word: &str, at: (u32, u64), epoch: u64, seq: u64) -> Self {
        let (message, conversation) = (self.message(word), self.of(word).1);
        let (log, position) = at;
        self.observed(Observation::Durable { log, position, vnode: 0, epoch, conversation, seq, message })
    }

    pub(crate) fn left(mut self, word: &str, seq: u64) -> Self {
        let (message, conversation) = (self.message(word), self.of(word).1);
        self.observed(Observation::Left { conversation, seq, message })
    }

    pub(crate) fn arrived(mut self, word: &str) -> Self {
        let message = self.message(word);
        self.observed(Observation::Arrived { message })
    }

    pub(crate) fn must_pass(&self, invariant: Invariant) {
        let violations = check(&self.history, invariant);
        assert!(violations.is_empty(), "legal, but: {violations:#?}");
    }

    pub(crate) fn must_fail(&self, invariant: Invariant) {
        assert!(!check(&self.history, invariant).is_empty(), "illegal, but nothing was found");
    }

    fn put(mut self, device: &str, fact: Fact) -> Self {
        let device = self.device(device);
        self.history.push(self.t, device, 0, fact);
        self.t += 1;
        self
    }

    fn seen(&mut self, word: &str, offset: u64, seq: u64) -> Seen {
        let (from, conversation) = self.of(word);
        Seen { offset, conversation, seq, message: self.message(word), from, body: body(word) }
    }

    fn of(&mut self, word: &str) -> (User, Conversation) {
        match self.sends.get(word) {
            Some((from, _, conversation)) => (*from, *conversation),
            None => (self.user("alice"), self.conversation("alice", "bob")),
        }
    }

    fn message(&mut self, word: &str) -> Message {
        let mut id = [0; 16];
        id[6..6 + word.len()].copy_from_slice(word.as_bytes());
        self.history.message_bytes(id)
    }

    fn user(&mut self, name: &str) -> User {
        self.history.user(&UserId::new(name).expect("a name"))
    }

    fn device(&mut self, name: &str) -> Device {
        let (user, device) = name.split_once('/').expect("user/device");
        let user = UserId::new(user).expect("a name");
        let id = DeviceId::new(device).expect("a name");
        if device.starts_with("fresh") {
            self.history.fresh_device(&user, &id)
        } else {
            self.history.device(&user, &id)
        }
    }

    fn conversation(&mut self, one: &str, other: &str) -> Conversation {
        let (one, other) = (UserId::new(one).expect("a name"), UserId::new(other).expect("a name"));
        self.history.conversation(ConversationId::direct(&one, &other))
    }
}

fn body(word: &str) -> u64 {
    body_hash(1, word.as_bytes())
}
