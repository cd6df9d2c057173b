//! Receipts: marks come from the readers' vnodes, merge into the conversation, and are shown to those concerned.

use std::collections::BTreeMap;

use iris_types::planted::{Bug, is_planted};
use iris_types::{
    ConversationId, GroupReceipt, InboxItem, InboxMessage, Marks, Peer, Seq, Target, Timestamp, UserId,
};

use crate::codec::Malformed;
use crate::conversation::{Conversation, Members, Side};
use crate::events::Event;
use crate::group::{Group, Member, Place, Sent};
use crate::page::Row;
use crate::{Stamp, rows};

/// Up to where conversations are delivered: of each the last message of somebody else.
#[derive(Debug, Default)]
pub struct Delivered(BTreeMap<ConversationId, (Target, Seq)>);

impl Delivered {
    pub fn add(&mut self, conversation: ConversationId, target: Target, seq: Seq) {
        let last = self.0.entry(conversation).or_insert((target, seq));
        last.1 = last.1.max(seq);
    }

    /// What entries of a user's inbox say.
    ///
    /// # Errors
    /// [`Malformed`] for a row that cannot be read.
    pub fn read(found: Vec<Row>, user: &UserId) -> Result<Self, Malformed> {
        let mut delivered = Self::default();
        for (key, value) in found {
            let entry = rows::read_inbox(&key, value, user)?;
            if let InboxItem::Message(message) = &entry.item
                && gives_receipt(message, user)
            {
                let target = message.with.target(message.conversation);
                delivered.add(message.conversation, target, message.seq);
            }
        }
        Ok(delivered)
    }
}

impl IntoIterator for Delivered {
    type Item = (ConversationId, (Target, Seq));
    type IntoIter = std::collections::btree_map::IntoIter<ConversationId, (Target, Seq)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Whether somebody else wrote the message, so that they are to know that the user has it.
#[must_use]
pub fn gives_receipt(message: &InboxMessage, user: &UserId) -> bool {
    message.from != *user && !matches!(&message.with, Peer::User(with) if with == user)
}

/// What a mark led to.
#[derive(Debug)]
pub struct Marked {
    pub event: Event,
    pub shown: Shown,
}

/// Who is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    To(UserId, Marks),
    /// The authors of a group, a while later.
    ToAuthors,
}

/// Merges a member's marks. `None`: no news, or nobody who may give any.
pub fn mark(conversation: &mut Conversation, user: &UserId, marks: Marks, stamp: Stamp) -> Option<Marked> {
    let (id, last) = (conversation.id, conversation.last);
    let marks = Marks { delivered: marks.delivered.min(last), read: marks.read.min(last) };
    let marked = match &mut conversation.members {
        Members::Direct(direct) => {
            let side = direct.side_of(user)?;
            if direct.is_blocked() || direct.lower == direct.higher {
                return None;
            }
            let state = &mut direct.sides[usize::from(side.number())];
            let merged = if is_planted(Bug::MarkMovesBack) { marks } else { state.marks.merged(marks) };
            if merged == state.marks {
                return None;
            }
            state.marks = merged;
            let other = match side.other() {
                Side::Lower => direct.lower.clone(),
                Side::Higher => direct.higher.clone(),
            };
            let event = Event::Sides { conversation: id, sides: rows::sides_value(direct) };
            Marked { event, shown: Shown::To(other, merged) }
        }
        Members::Group(group) => {
            let member = group.roster.get_mut(user)?;
            let merged = member.marks.merged(marks);
            if merged == member.marks || !matches!(member.place, Place::Joined(_)) {
                return None;
            }
            member.marks = merged;
            let event = Event::Member { group: id, user: user.clone(), member: member.encode() };
            Marked { event, shown: Shown::ToAuthors }
        }
        Members::Nobody => return None,
    };
    conversation.touched = stamp;
    Some(marked)
}

/// What authors of a group are to be told: of each one's last message, if that is news. Afterwards it counts as told;
/// the events say so.
pub fn of_group(
    conversation: &mut Conversation,
    now: Timestamp,
    stamp: Stamp,
) -> Vec<(UserId, GroupReceipt, Event)> {
    let id = conversation.id;
    let Some(group) = conversation.group_mut() else { return Vec::new() };
    let counts = Counts::of(group);
    let mut told = Vec::new();
    for (user, member) in &mut group.roster {
        let Some(receipt) = counts.receipt(id, member, now) else { continue };
        let sent = Sent { seq: receipt.seq, delivered: receipt.delivered, read: receipt.read };
        if sent != member.sent {
            member.sent = sent;
            told.push((user.clone(), receipt, Event::LastSent { group: id, user: user.clone(), sent }));
        }
    }
    if !told.is_empty() {
        conversation.touched = stamp;
    }
    told
}

/// Whether somebody has to be told something.
#[must_use]
pub fn is_due(group: &Group) -> bool {
    let counts = Counts::of(group);
    let news = |member: &Member| {
        let receipt = counts.receipt(ConversationId([0; 16]), member, Timestamp(0))?;
        (receipt.delivered != member.sent.delivered || receipt.read != member.sent.read).then_some(())
    };
    group.roster.values().any(|member| news(member).is_some())
}

/// The members' marks, sorted, so that those of every author are counted quickly.
struct Counts {
    firsts: Vec<Seq>,
    delivered: Vec<Seq>,
    read: Vec<Seq>,
}

impl Counts {
    fn of(group: &Group) -> Self {
        let members: Vec<&Member> = group.members().map(|(_, member)| member).collect();
        let sorted = |of: fn(&Member) -> Seq| {
            let mut all: Vec<Seq> = members.iter().map(|member| of(member)).collect();
            all.sort_unstable();
            all
        };
        let first = |member: &Member| member.memberships.last().map_or(Seq::ZERO, |one| one.first);
        Self {
            firsts: sorted(first),
            delivered: sorted(|member| member.marks.delivered),
            read: sorted(|member| member.marks.read),
        }
    }

    /// `None` for who is no member, or has written nothing.
    fn receipt(&self, group: ConversationId, member: &Member, at: Timestamp) -> Option<GroupReceipt> {
        let seq = member.sent.seq;
        if !matches!(member.place, Place::Joined(_)) || seq == Seq::ZERO {
            return None;
        }
        let from = |sorted: &[Seq], seq: Seq| sorted.len() - sorted.partition_point(|one| *one < seq);
        // Who came later counts as having everything before.
        let later = self.firsts.len() - self.firsts.partition_point(|first| *first <= seq);
        let count = |sorted: &[Seq], own: Seq| {
            let others = from(sorted, seq) - later.min(from(sorted, seq));
            u32::try_from(others - usize::from(own >= seq && others > 0)).unwrap_or(u32::MAX)
        };
        let least = |sorted: &[Seq], own: Seq| {
            let place = usize::from(sorted.first() == Some(&own));
            sorted.get(place).copied().unwrap_or(own)
        };
        let marks = member.marks;
        Some(GroupReceipt {
            group,
            seq,
            delivered: count(&self.delivered, marks.delivered),
            read: count(&self.read, marks.read),
            members: u32::try_from((self.firsts.len() - later).saturating_sub(1)).unwrap_or(u32::MAX),
            everybody: Marks {
                delivered: least(&self.delivered, marks.delivered),
                read: least(&self.read, marks.read),
            },
            at,
        })
    }
}
