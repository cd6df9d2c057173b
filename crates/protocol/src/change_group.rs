//! ChangeGroup: a member changes a group. Answered with Sent, or with Done when there was nothing to change.

use iris_types::request::RequestId;
use iris_types::{ChangeGroup, ErrorCode, GroupChange, GroupDescription, GroupTitle, Policy, Role};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, message_id, put_long, put_name, put_u32, user};

/// Names the group and the change.
///
/// ```text
/// 0   4  request
/// 4   16 id: a UUID version 7
/// 20  16 group
/// 36  1  change: 1 invite, 2 add, 3 remove, 4 accept, 5 leave, 6 rename, 7 describe, 8 role, 9 policy
/// 37     invite, add, remove: length of the name (1), user
///        accept, leave: nothing
///        rename: length of the title (1), title
///        describe: length of the description (2), description
///        role: 1 member, 2 admin, 3 owner (1), length of the name (1), user
///        policy: bits (1)
///        tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub request: RequestId,
    pub change: ChangeGroup,
}

impl Change {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, id) = (reader.request()?, reader.array()?);
        let group = reader.conversation()?;
        let Some(raw) = RawChange::read(&mut reader)? else {
            // Of a later version: nobody here knows where it ends.
            return Err(refused(request, ErrorCode::BadFrame));
        };
        reader.finish()?;
        let checked = message_id(id).and_then(|id| Ok((id, raw.check()?)));
        match checked {
            Ok((id, change)) => Ok(Self { request, change: ChangeGroup { id, group, change } }),
            Err(code) => Err(refused(request, code)),
        }
    }
}

/// A change whose layout is whole, not checked.
enum RawChange<'a> {
    User(fn(iris_types::UserId) -> GroupChange, &'a [u8]),
    Plain(GroupChange),
    Title(&'a [u8]),
    Description(&'a [u8]),
    Role(u8, &'a [u8]),
    Policy(u8),
}

impl<'a> RawChange<'a> {
    /// `None`: no change that is known.
    fn read(reader: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match reader.u8()? {
            1 => Self::User(GroupChange::Invite, reader.name()?),
            2 => Self::User(GroupChange::Add, reader.name()?),
            3 => Self::User(GroupChange::Remove, reader.name()?),
            4 => Self::Plain(GroupChange::Accept),
            5 => Self::Plain(GroupChange::Leave),
            6 => Self::Title(reader.name()?),
            7 => Self::Description(reader.long()?),
            8 => Self::Role(reader.u8()?, reader.name()?),
            9 => Self::Policy(reader.u8()?),
            _ => return Ok(None),
        }))
    }

    fn check(self) -> Result<GroupChange, ErrorCode> {
        Ok(match self {
            Self::User(change, name) => change(user(name)?),
            Self::Plain(change) => change,
            Self::Title(bytes) => {
                GroupChange::Rename(GroupTitle::from_bytes(bytes).map_err(|_| ErrorCode::InvalidGroup)?)
            }
            Self::Description(bytes) => GroupChange::Describe(
                GroupDescription::from_bytes(bytes).map_err(|_| ErrorCode::InvalidGroup)?,
            ),
            Self::Role(number, name) => {
                GroupChange::SetRole(user(name)?, Role::from_number(number).ok_or(ErrorCode::BadFrame)?)
            }
            Self::Policy(bits) => {
                GroupChange::SetPolicy(Policy::from_bits(bits).ok_or(ErrorCode::InvalidGroup)?)
            }
        })
    }
}

/// Appends a ChangeGroup frame.
pub(crate) fn encode(request: RequestId, change: &ChangeGroup, out: &mut Vec<u8>) {
    put_frame(out, opcode::CHANGE_GROUP, |out| {
        put_u32(out, request.0);
        out.extend_from_slice(&change.id.to_bytes());
        out.extend_from_slice(&change.group.0);
        put_change(out, &change.change);
    });
}

fn put_change(out: &mut Vec<u8>, change: &GroupChange) {
    let mut put_user = |kind, user: &iris_types::UserId| {
        out.push(kind);
        put_name(out, user.as_bytes());
    };
    match change {
        GroupChange::Invite(user) => put_user(1, user),
        GroupChange::Add(user) => put_user(2, user),
        GroupChange::Remove(user) => put_user(3, user),
        GroupChange::Accept => out.push(4),
        GroupChange::Leave => out.push(5),
        GroupChange::Rename(title) => {
            out.push(6);
            put_name(out, title.as_bytes());
        }
        GroupChange::Describe(description) => {
            out.push(7);
            put_long(out, description.as_bytes());
        }
        GroupChange::SetRole(user, role) => {
            out.extend_from_slice(&[8, role.number()]);
            put_name(out, user.as_bytes());
        }
        GroupChange::SetPolicy(policy) => out.extend_from_slice(&[9, policy.bits()]),
    }
}
