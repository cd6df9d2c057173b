//! CreateGroup: a user makes a group. Answered with Sent.

use iris_types::limits::GROUP_MEMBERS_HARD_MAX;
use iris_types::request::RequestId;
use iris_types::{CreateGroup, ErrorCode, GroupDescription, GroupTitle, Policy};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, message_id, put_long, put_name, put_u16, put_u32, user};

/// What the group shall be, and who is in it.
///
/// ```text
/// 0      4  request
/// 4      16 id: a UUID version 7
/// 20     1  policy, as bits
/// 21     1  length of the title, t
/// 22     t  title: 1 to 100 bytes of UTF-8 without control characters
/// 22+t   2  length of the description, d
/// 24+t   d  description: 0 to 512 bytes of UTF-8 without control characters but line feeds
/// 24+t+d 2  number of members
/// 26+t+d    the members: length of the name (1), name
///           tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    pub request: RequestId,
    pub create: CreateGroup,
}

const MEMBER_BYTES_MIN: usize = 2;

impl Create {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, id, policy) = (reader.request()?, reader.array()?, reader.u8()?);
        let (title, description) = (reader.name()?, reader.long()?);
        let members = reader.list(MEMBER_BYTES_MIN, Reader::name)?;
        reader.finish()?;
        match check(id, policy, title, description, &members) {
            Ok(create) => Ok(Self { request, create }),
            Err(code) => Err(refused(request, code)),
        }
    }
}

fn check(
    id: [u8; 16],
    policy: u8,
    title: &[u8],
    description: &[u8],
    members: &[&[u8]],
) -> Result<CreateGroup, ErrorCode> {
    let id = message_id(id)?;
    let policy = Policy::from_bits(policy).ok_or(ErrorCode::InvalidGroup)?;
    let title = GroupTitle::from_bytes(title).map_err(|_| ErrorCode::InvalidGroup)?;
    let description = GroupDescription::from_bytes(description).map_err(|_| ErrorCode::InvalidGroup)?;
    // The creator is one more. What an operator allows may be less: that is for the group's vnode to say.
    if members.len() >= GROUP_MEMBERS_HARD_MAX {
        return Err(ErrorCode::GroupFull);
    }
    let members = members.iter().map(|name| user(name)).collect::<Result<_, _>>()?;
    Ok(CreateGroup { id, title, description, policy, members })
}

/// Appends a CreateGroup frame, whether it fits or not.
pub(crate) fn encode(request: RequestId, create: &CreateGroup, out: &mut Vec<u8>) {
    put_frame(out, opcode::CREATE_GROUP, |out| {
        put_u32(out, request.0);
        out.extend_from_slice(&create.id.to_bytes());
        out.push(create.policy.bits());
        put_name(out, create.title.as_bytes());
        put_long(out, create.description.as_bytes());
        put_u16(out, create.members.len() as u16);
        create.members.iter().for_each(|member| put_name(out, member.as_bytes()));
    });
}
