//! What people do beside writing to each other: groups and who is in them, read marks, flags, blocks, settings, who is
//! there.

use iris_client_core::{NewGroup, Question};
use iris_types::request::{BlockUser, MarkRead, SetFlags};
use iris_types::{
    Audience, ConversationId, Flags, GroupChange, GroupDescription, GroupTitle, InboxMessage, Policy, Role,
    Seq, SettingsChange, Target, UserId, Watched,
};

use crate::device::user_name;
use crate::world::World;

/// Groups that a world makes at most.
const GROUPS_MAX: usize = 5;

impl World {
    /// One of the things that people do; too many questions is an answer, too.
    pub(super) fn act_socially(&mut self, index: usize) {
        let question = match self.random.u8(..24) {
            0..=2 if self.groups.len() < GROUPS_MAX => Some(self.new_group(index)),
            0..=9 => self.some_change(index),
            10..=15 => self.some_mark(index),
            16 | 17 => self.some_flags(index),
            18 if self.options.blocks => {
                let user = self.somebody_else(index);
                Some(Question::BlockUser(BlockUser { user, on: self.random.bool() }))
            }
            19 if self.options.settings => Some(Question::ChangeSettings(self.some_settings())),
            20 | 21 => {
                let watched = self.some_watched(index);
                Some(if self.random.bool() || watched.is_empty() {
                    Question::Watch(watched)
                } else {
                    Question::Presence(watched)
                })
            }
            22 => self.some_question(index),
            _ => {
                self.say_typing(index);
                None
            }
        };
        if let Some(question) = question {
            self.ask(index, question);
        }
    }

    pub(crate) fn ask(&mut self, index: usize, question: Question) {
        if let Some(core) = self.devices.get_mut(index).and_then(|process| process.core.as_mut()) {
            let _ = core.ask(question);
        }
    }

    /// A conversation in which something was said is known to the device from then on.
    pub(super) fn learn(&mut self, index: usize, message: &InboxMessage) {
        let Some(process) = self.devices.get_mut(index) else { return };
        let target = message.with.target(message.conversation);
        let last = process.known.entry(target).or_default();
        *last = (*last).max(message.seq);
    }

    pub(super) fn learn_group(&mut self, group: ConversationId) {
        if !self.groups.contains(&group) {
            self.groups.push(group);
        }
    }

    /// A group that the device knows of, or rarely any other.
    pub(super) fn some_group(&mut self, index: usize) -> Option<ConversationId> {
        let process = self.devices.get(index)?;
        let known = process.known.keys().filter_map(|target| match target {
            Target::Group(group) => Some(*group),
            Target::User(_) => None,
        });
        let known: Vec<ConversationId> = known.collect();
        let from = if known.is_empty() || self.random.u8(..12) == 0 { &self.groups } else { &known };
        (!from.is_empty()).then(|| from[self.random.usize(..from.len())])
    }

    /// Everybody else, by their direct conversation or a group that the device knows of.
    pub(crate) fn everybody_else(&mut self, index: usize) -> Vec<Watched> {
        let own = self.devices.get(index).map(|process| process.user.clone());
        let mut watched = Vec::new();
        for number in 0..self.options.users {
            let user = user_name(number.into());
            if Some(&user) != own.as_ref() {
                let group = if self.random.bool() { self.some_group(index) } else { None };
                watched.push(Watched { user, group });
            }
        }
        watched
    }

    fn new_group(&mut self, index: usize) -> Question {
        let mut members = Vec::new();
        for number in 0..self.options.users {
            if self.random.u8(..3) > 0 {
                members.push(user_name(number.into()));
            }
        }
        let _ = index;
        let (title, description) = self.texts();
        let policy = self.some_policy();
        Question::CreateGroup(NewGroup { title, description, policy, members })
    }

    fn texts(&mut self) -> (GroupTitle, GroupDescription) {
        let number = self.random.u16(..);
        let title = GroupTitle::new(&format!("canary-{number}"));
        let description = GroupDescription::new(&"canary- ".repeat(usize::from(number % 8)));
        match (title, description) {
            (Ok(title), Ok(description)) => (title, description),
            _ => unreachable!("plain short texts"),
        }
    }

    fn some_policy(&mut self) -> Policy {
        // Mostly somebody may be added, so that things move on.
        let bits = self.random.u8(..64) | self.random.u8(..4);
        let quiet = if self.random.u8(..4) == 0 { Policy::ONLY_ADMINS_WRITE.bits() } else { 0 };
        let bits = bits & !Policy::ONLY_ADMINS_WRITE.bits() | quiet;
        Policy::from_bits(bits).unwrap_or_default()
    }

    fn some_change(&mut self, index: usize) -> Option<Question> {
        let group = self.some_group(index)?;
        let other = self.anybody();
        let change = match self.random.u8(..20) {
            0..=2 => GroupChange::Invite(other),
            3..=6 => GroupChange::Add(other),
            7..=9 => GroupChange::Remove(other),
            10..=12 => GroupChange::Accept,
            13 => GroupChange::Leave,
            14 | 15 => GroupChange::Rename(self.texts().0),
            16 => GroupChange::Describe(self.texts().1),
            17 | 18 => {
                let role = [Role::Member, Role::Admin, Role::Admin, Role::Owner][self.random.usize(..4)];
                GroupChange::SetRole(other, role)
            }
            _ => GroupChange::SetPolicy(self.some_policy()),
        };
        Some(Question::ChangeGroup { group, change })
    }

    fn some_known(&mut self, index: usize) -> Option<(Target, Seq)> {
        let count = self.devices.get(index)?.known.len();
        if count == 0 {
            return None;
        }
        let at = self.random.usize(..count);
        let known = self.devices.get(index)?.known.iter().nth(at);
        known.map(|(target, last)| (target.clone(), *last))
    }

    fn some_mark(&mut self, index: usize) -> Option<Question> {
        let (target, last) = self.some_known(index)?;
        let up_to = if self.random.bool() { last } else { Seq(self.random.u64(0..=last.0 + 1)) };
        Some(Question::MarkRead(MarkRead { target, up_to }))
    }

    fn some_flags(&mut self, index: usize) -> Option<Question> {
        let (target, _) = self.some_known(index)?;
        let bits = |bits| Flags::from_bits(bits).unwrap_or_default();
        let (mask, values) = (bits(self.random.u8(1..8)), bits(self.random.u8(..8)));
        Some(Question::SetFlags(SetFlags { target, mask, values: bits(values.bits() & mask.bits()) }))
    }

    fn some_settings(&mut self) -> SettingsChange {
        let audiences = [Audience::Everybody, Audience::Contacts, Audience::Nobody];
        match self.random.u8(..4) {
            0 | 1 => SettingsChange { read_receipts: Some(self.random.bool()), ..SettingsChange::default() },
            2 => SettingsChange {
                last_seen: Some(audiences[self.random.usize(..3)]),
                ..SettingsChange::default()
            },
            _ => SettingsChange { typing: Some(self.random.bool()), ..SettingsChange::default() },
        }
    }

    fn some_watched(&mut self, index: usize) -> Vec<Watched> {
        let mut watched = self.everybody_else(index);
        watched.retain(|_| self.random.bool());
        watched
    }

    fn some_question(&mut self, index: usize) -> Option<Question> {
        let (target, last) = self.some_known(index)?;
        Some(match (self.random.u8(..3), &target) {
            (0, Target::Group(group)) => Question::Group(*group),
            (1, _) => Question::Settings,
            _ => Question::Receipts { target, seq: last },
        })
    }

    fn say_typing(&mut self, index: usize) {
        let Some((target, _)) = self.some_known(index) else { return };
        let (now, on) = (self.device_now(index), self.random.u8(..4) > 0);
        if let Some(core) = self.devices.get_mut(index).and_then(|process| process.core.as_mut()) {
            core.typing(&target, on, now);
        }
    }

    fn anybody(&mut self) -> UserId {
        user_name(self.random.usize(..usize::from(self.options.users)))
    }

    fn somebody_else(&mut self, index: usize) -> UserId {
        let own = self.devices.get(index).map(|process| process.user.clone());
        let somebody = self.anybody();
        // Mostly: to block oneself is refused.
        if Some(&somebody) == own.as_ref() { self.anybody() } else { somebody }
    }
}
