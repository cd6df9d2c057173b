//! A group in memory: what it is, and everybody who is or was in it.
//!
//! Layouts. [`Facts`]: created-at 8 (ms), policy 1, title (1 + n), description to the end. [`Member`]: place 1 (0: gone,
//! 1 to 3: the role, 4: invited), since seq 8, marks (delivered 8, read 8), number of memberships 1, each: first seq 8,
//! last seq 8 (0: not over).

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes};
use iris_types::{
    ErrorCode, GroupDescription, GroupTitle, Marks, MessageId, Policy, Role, Seq, Timestamp, UserId,
};

use crate::codec::{Malformed, Reader, put_name};

/// What decisions of a group need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub facts: Facts,
    /// Everybody who is or was in it, or invited.
    pub roster: BTreeMap<UserId, Member>,
    /// Of these, members and invitations.
    pub joined: usize,
    pub invited: usize,
    /// Grows with every change of who is a member.
    pub version: u64,
    /// The last id that each member got a seq for, while this is in memory.
    pub last_ids: BTreeMap<UserId, MessageId>,
}

/// What a group is called and allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub title: GroupTitle,
    pub description: GroupDescription,
    pub policy: Policy,
    pub created_at: Timestamp,
}

/// Somebody who is or was in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub place: Place,
    /// The change that made it so.
    pub since: Seq,
    pub marks: Marks,
    /// What the user may read, ascending: first and last seq of each time in the group.
    pub memberships: Vec<Membership>,
    pub sent: Sent,
}

/// The last message of a member that is not a change, and what the member was told of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// 0: none.
    pub seq: Seq,
    pub delivered: u32,
    pub read: u32,
}

/// How somebody is in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Gone,
    Invited,
    Joined(Role),
}

/// The seqs of one time in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    pub first: Seq,
    /// `None`: not over.
    pub last: Option<Seq>,
}

impl Group {
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        let (roster, last_ids) = (BTreeMap::new(), BTreeMap::new());
        Self { facts, roster, joined: 0, invited: 0, version: 0, last_ids }
    }

    /// Takes a row.
    pub fn put(&mut self, user: UserId, member: Member) {
        let count = |place: Place| {
            (usize::from(matches!(place, Place::Joined(_))), usize::from(place == Place::Invited))
        };
        let (joined, invited) = count(member.place);
        let (was_joined, was_invited) = count(self.place(&user));
        self.joined = self.joined + joined - was_joined;
        self.invited = self.invited + invited - was_invited;
        self.version += u64::from(joined != was_joined);
        self.roster.insert(user, member);
    }

    #[must_use]
    pub fn place(&self, user: &UserId) -> Place {
        self.roster.get(user).map_or(Place::Gone, |member| member.place)
    }

    /// `None` for somebody who is not a member now.
    #[must_use]
    pub fn role(&self, user: &UserId) -> Option<Role> {
        if let Place::Joined(role) = self.place(user) { Some(role) } else { None }
    }

    /// Members now, ascending by name.
    pub fn members(&self) -> impl Iterator<Item = (&UserId, &Member)> {
        self.roster.iter().filter(|(_, member)| matches!(member.place, Place::Joined(_)))
    }

    /// Whether a member may write messages.
    ///
    /// # Errors
    /// [`ErrorCode::NotMember`], [`ErrorCode::NotAllowed`].
    pub fn may_write(&self, user: &UserId) -> Result<(), ErrorCode> {
        match self.role(user) {
            None => Err(ErrorCode::NotMember),
            Some(Role::Member) if self.facts.policy.allows(Policy::ONLY_ADMINS_WRITE) => {
                Err(ErrorCode::NotAllowed)
            }
            Some(_) => Ok(()),
        }
    }

    /// Who becomes the owner when the owner leaves: the admin, or else the member, who is in for the longest.
    #[must_use]
    pub fn heir(&self, owner: &UserId) -> Option<UserId> {
        let others = self.members().filter(|(user, _)| *user != owner);
        let rank = |member: &Member| (member.place != Place::Joined(Role::Admin), member.since);
        others.min_by_key(|(user, member)| (rank(member), (*user).clone())).map(|(user, _)| user.clone())
    }

    /// Whether somebody who is a member now should have a message.
    #[must_use]
    pub fn should_have(member: &Member, seq: Seq) -> bool {
        member
            .memberships
            .last()
            .is_some_and(|membership| membership.last.is_none() && membership.first <= seq)
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + 512 + self.roster.len() * (size_of::<Member>() + 160) + self.last_ids.len() * 64
    }
}

impl Facts {
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes =
            Vec::with_capacity(10 + self.title.as_bytes().len() + self.description.as_bytes().len());
        bytes.put_u64(self.created_at.0);
        bytes.put_u8(self.policy.bits());
        put_name(&mut bytes, self.title.as_bytes());
        bytes.put_slice(self.description.as_bytes());
        Bytes::from(bytes)
    }

    /// # Errors
    /// [`Malformed`]; likewise below.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let what = "group row";
        let mut reader = Reader::new(bytes, what);
        let created_at = reader.timestamp()?;
        let policy = Policy::from_bits(reader.u8()?).ok_or(Malformed(what))?;
        let title = reader.title()?;
        let description = GroupDescription::from_bytes(&reader.rest()).map_err(|_| Malformed(what))?;
        Ok(Self { title, description, policy, created_at })
    }
}

impl Member {
    /// Somebody who never was in the group.
    #[must_use]
    pub const fn stranger() -> Self {
        Self {
            place: Place::Gone,
            since: Seq::ZERO,
            marks: Marks { delivered: Seq::ZERO, read: Seq::ZERO },
            memberships: Vec::new(),
            sent: Sent { seq: Seq::ZERO, delivered: 0, read: 0 },
        }
    }

    /// Without `sent`, which is a row of its own because it changes with every message.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(26 + self.memberships.len() * 16);
        bytes.put_u8(match self.place {
            Place::Gone => 0,
            Place::Joined(role) => role.number(),
            Place::Invited => 4,
        });
        bytes.put_u64(self.since.0);
        bytes.put_u64(self.marks.delivered.0);
        bytes.put_u64(self.marks.read.0);
        bytes.put_u8(u8::try_from(self.memberships.len()).unwrap_or(u8::MAX));
        for membership in &self.memberships {
            bytes.put_u64(membership.first.0);
            bytes.put_u64(membership.last.unwrap_or(Seq::ZERO).0);
        }
        Bytes::from(bytes)
    }

    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "member row");
        let place = match reader.u8()? {
            0 => Place::Gone,
            4 => Place::Invited,
            role => Place::Joined(Role::from_number(role).ok_or(reader.malformed())?),
        };
        let since = reader.seq()?;
        let marks = Marks { delivered: reader.seq()?, read: reader.seq()? };
        let membership = |reader: &mut Reader| {
            let (first, last) = (reader.seq()?, reader.seq()?);
            Ok(Membership { first, last: (last > Seq::ZERO).then_some(last) })
        };
        let memberships = (0..reader.u8()?).map(|_| membership(&mut reader)).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { place, since, marks, memberships, sent: Sent::default() })
    }
}
