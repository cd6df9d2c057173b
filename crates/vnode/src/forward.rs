//! What one vnode sends to another over an ordered stream.
//!
//! Layout: kind 1, then:
//!
//! 1. entry: whose inbox (1 + n), [`crate::item`]
//! 2. group entries: number of recipients 2, each: user (1 + n), how 1 ([`Recipient`]), and the author's device
//!    (1 + n) if it is the author; then the message as in [`crate::item`]
//! 3. mark: whose (1 + n), of the conversation with (1 + n), or 0 and a group 16, delivered 8, read 8
//! 4. block: whose (1 + n), the other (1 + n), on 1

use bytes::{BufMut, Bytes};
use iris_types::{DeviceId, InboxItem, InboxMessage, Marks, Peer, Standing, Target, UserId};

use crate::codec::{Malformed, Reader, put_name};
use crate::item;

const OWN: u8 = 1;
const BEGINS: u8 = 2;
const INVITED: u8 = 4;
const GONE: u8 = 8;

/// A change that another vnode owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Becomes one entry of `to`'s inbox.
    Entry { to: UserId, item: InboxItem },
    /// Becomes an entry of each recipient's inbox: one event for all that live on a vnode.
    Group { message: InboxMessage, recipients: Vec<Recipient> },
    /// A member of the conversation is so far.
    Mark { user: UserId, target: Target, marks: Marks },
    /// The user blocks the other, or does so no more: the conversation knows.
    Block { user: UserId, other: UserId, on: bool },
}

/// Somebody who gets a group's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub user: UserId,
    /// The author's device: only for the author.
    pub origin: Option<DeviceId>,
    /// How the recipient stands to the group with this message.
    pub standing: Standing,
    /// Came in, or was invited, with this message: what was before counts no more.
    pub begins: bool,
}

impl Recipient {
    /// A member who goes on being one.
    #[must_use]
    pub const fn member(user: UserId) -> Self {
        Self { user, origin: None, standing: Standing::Member, begins: false }
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        let standing = match self.standing {
            Standing::Member => 0,
            Standing::Invited => INVITED,
            Standing::Gone => GONE,
        };
        let own = if self.origin.is_some() { OWN } else { 0 };
        put_name(bytes, self.user.as_bytes());
        bytes.put_u8(standing | own | if self.begins { BEGINS } else { 0 });
        if let Some(device) = &self.origin {
            put_name(bytes, device.as_bytes());
        }
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        let (user, how) = (reader.user()?, reader.u8()?);
        let standing = match how & (INVITED | GONE) {
            0 => Standing::Member,
            INVITED => Standing::Invited,
            GONE => Standing::Gone,
            _ => return Err(reader.malformed()),
        };
        if how >= 2 * GONE {
            return Err(reader.malformed());
        }
        let origin = if how & OWN > 0 { Some(reader.device()?) } else { None };
        Ok(Self { user, origin, standing, begins: how & BEGINS > 0 })
    }
}

impl Forward {
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::new();
        match self {
            Self::Entry { to, item } => {
                bytes.reserve(66 + item::bytes_of(item));
                bytes.put_u8(1);
                put_name(&mut bytes, to.as_bytes());
                item::put(&mut bytes, item);
            }
            Self::Group { message, recipients } => {
                bytes.reserve(recipients.len() * 68 + 400 + message.body.bytes().len());
                bytes.put_u8(2);
                bytes.put_u16(u16::try_from(recipients.len()).unwrap_or(u16::MAX));
                recipients.iter().for_each(|recipient| recipient.put(&mut bytes));
                item::put_message(&mut bytes, message);
            }
            Self::Mark { user, target, marks } => {
                bytes.put_u8(3);
                put_name(&mut bytes, user.as_bytes());
                match target {
                    Target::User(other) => put_name(&mut bytes, other.as_bytes()),
                    Target::Group(group) => {
                        bytes.put_u8(0);
                        bytes.put_slice(&group.0);
                    }
                }
                item::put_marks(&mut bytes, *marks);
            }
            Self::Block { user, other, on } => {
                bytes.put_u8(4);
                put_name(&mut bytes, user.as_bytes());
                put_name(&mut bytes, other.as_bytes());
                bytes.put_u8(u8::from(*on));
            }
        }
        Bytes::from(bytes)
    }

    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "forward");
        match reader.u8()? {
            1 => {
                let to = reader.user()?;
                let item = item::decode(reader.rest(), &to)?;
                // A group's has recipients.
                if matches!(&item, InboxItem::Message(InboxMessage { with: Peer::Group(_), .. })) {
                    return Err(reader.malformed());
                }
                Ok(Self::Entry { to, item })
            }
            2 => {
                let count = reader.u16()?;
                let recipients =
                    (0..count).map(|_| Recipient::read(&mut reader)).collect::<Result<_, _>>()?;
                Ok(Self::Group { message: item::decode_group(reader.rest())?, recipients })
            }
            3 => {
                let user = reader.user()?;
                let target = match reader.optional_user()? {
                    Some(other) => Target::User(other),
                    None => Target::Group(reader.conversation()?),
                };
                let marks = item::read_marks(&mut reader)?;
                reader.end()?;
                Ok(Self::Mark { user, target, marks })
            }
            4 => {
                let (user, other, on) = (reader.user()?, reader.user()?, reader.flag()?);
                reader.end()?;
                Ok(Self::Block { user, other, on })
            }
            _ => Err(reader.malformed()),
        }
    }

    /// Who has to be loaded before it can be taken.
    pub fn users(&self) -> impl Iterator<Item = &UserId> {
        let (one, many) = match self {
            Self::Entry { to, .. } => (Some(to), &[][..]),
            Self::Group { recipients, .. } => (None, &recipients[..]),
            Self::Mark { .. } => (None, &[][..]),
            Self::Block { user, .. } => (Some(user), &[][..]),
        };
        one.into_iter().chain(many.iter().map(|recipient| &recipient.user))
    }
}
