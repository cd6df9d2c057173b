//! ReadGroup and Group: what a group is.

use iris_types::request::RequestId;
use iris_types::{ConversationId, GroupDescription, GroupSummary, Policy, Role};

use crate::frame::{opcode, put_frame};
use crate::wire::{DecodeError, Reader, put_long, put_name, put_u32, put_u64};

/// Names the group.
///
/// ```text
/// 0   4  request
/// 4   16 group
/// 20     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskGroup {
    pub request: RequestId,
    pub group: ConversationId,
}

/// What the group is, as a member or somebody invited sees it.
///
/// ```text
/// 0      4  request
/// 4      16 group
/// 20     1  length of the title, t
/// 21     t  title
/// 21+t   2  length of the description, d
/// 23+t   d  description
/// 23+t+d 1  policy, as bits
/// 24+t+d 8  creation, Unix milliseconds
/// 32+t+d 4  members
/// 36+t+d 4  invited
/// 40+t+d 1  role of who asks: 1 member, 2 admin, 3 owner, 0 invited
/// 41+t+d 8  seq of the last message
///           tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub request: RequestId,
    pub summary: GroupSummary,
}

impl AskGroup {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::READ_GROUP, |out| {
            put_u32(out, self.request.0);
            out.extend_from_slice(&self.group.0);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let ask = Self { request: reader.request()?, group: reader.conversation()? };
        reader.finish()?;
        Ok(ask)
    }
}

impl Group {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode(self.request, &self.summary, out);
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, group, title) = (reader.request()?, reader.conversation()?, reader.title()?);
        let description = GroupDescription::from_bytes(reader.long()?).map_err(|_| DecodeError::Value)?;
        let summary = GroupSummary {
            group,
            title,
            description,
            policy: read_policy(&mut reader)?,
            created_at: reader.timestamp()?,
            members: reader.u32()?,
            invited: reader.u32()?,
            role: read_role(&mut reader)?,
            last_seq: reader.seq()?,
        };
        reader.finish()?;
        Ok(Self { request, summary })
    }
}

/// Appends a Group frame.
pub(crate) fn encode(request: RequestId, summary: &GroupSummary, out: &mut Vec<u8>) {
    put_frame(out, opcode::GROUP, |out| {
        put_u32(out, request.0);
        out.extend_from_slice(&summary.group.0);
        put_name(out, summary.title.as_bytes());
        put_long(out, summary.description.as_bytes());
        out.push(summary.policy.bits());
        put_u64(out, summary.created_at.0);
        put_u32(out, summary.members);
        put_u32(out, summary.invited);
        put_role(out, summary.role);
        put_u64(out, summary.last_seq.0);
    });
}

/// A newer server may have more bits: they are left out.
fn read_policy(reader: &mut Reader<'_>) -> Result<Policy, DecodeError> {
    let known = Policy::NAMES.iter().fold(Policy::default(), |known, (policy, _)| known.with(*policy));
    Policy::from_bits(reader.u8()? & known.bits()).ok_or(DecodeError::Value)
}

/// A role; 0 for somebody invited.
pub(crate) fn read_role(reader: &mut Reader<'_>) -> Result<Option<Role>, DecodeError> {
    match reader.u8()? {
        0 => Ok(None),
        number => Role::from_number(number).map(Some).ok_or(DecodeError::Value),
    }
}

pub(crate) fn put_role(out: &mut Vec<u8>, role: Option<Role>) {
    out.push(role.map_or(0, Role::number));
}
