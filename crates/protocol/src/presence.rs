//! Watch, ReadPresence, Presences and Presence: who is there.

use iris_types::limits::WATCHED_MAX;
use iris_types::request::RequestId;
use iris_types::{ConversationId, ErrorCode, Presence, PresenceState, Timestamp, Watched};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_name, put_u16, put_u32, put_u64, user};

/// Replaces what this connection watches. Answered with Done; then a Presence for each comes, and again whenever
/// it changes.
///
/// ```text
/// 0  4  request
/// 4  2  number of items, at most 256
/// 6     the items: length of the name (1), user, 0: by the direct conversation, 1: by a group (1),
///       that group (16, only behind a 1)
///       tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub request: RequestId,
    pub watched: Vec<Watched>,
}

/// Asks once; the layout is that of Watch, with at least one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskPresence {
    pub request: RequestId,
    pub watched: Vec<Watched>,
}

/// Who is there, in the order asked for.
///
/// ```text
/// 0  4  request
/// 4  2  number of items
/// 6     the items, each as in Presence
///       tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presences {
    pub request: RequestId,
    pub items: Vec<Presence>,
}

const WATCHED_BYTES_MIN: usize = 2;
const ITEM_BYTES_MIN: usize = 11;

impl Watch {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let (request, watched) = read_watched(payload, 0)?;
        Ok(Self { request, watched })
    }
}

impl AskPresence {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let (request, watched) = read_watched(payload, 1)?;
        Ok(Self { request, watched })
    }
}

fn read_watched(payload: &[u8], items_min: usize) -> Result<(RequestId, Vec<Watched>), DecodeError> {
    let mut reader = Reader::new(payload);
    let request = reader.request()?;
    let items = reader.list(WATCHED_BYTES_MIN, |reader| {
        let name = reader.name()?;
        let group = if reader.flag()? { Some(reader.conversation()?) } else { None };
        Ok((name, group))
    })?;
    reader.finish()?;
    if !(items_min..=WATCHED_MAX).contains(&items.len()) {
        return Err(refused(request, ErrorCode::BadFrame));
    }
    let watched = |(name, group): (&[u8], Option<ConversationId>)| Ok(Watched { user: user(name)?, group });
    let watched = items.into_iter().map(watched).collect::<Result<_, _>>();
    Ok((request, watched.map_err(|code| refused(request, code))?))
}

/// Appends a Watch frame, whether it fits or not.
pub(crate) fn encode_watch(request: RequestId, watched: &[Watched], out: &mut Vec<u8>) {
    put_frame(out, opcode::WATCH, |out| put_watched(out, request, watched));
}

/// Appends a ReadPresence frame, whether it fits or not.
pub(crate) fn encode_read(request: RequestId, watched: &[Watched], out: &mut Vec<u8>) {
    put_frame(out, opcode::READ_PRESENCE, |out| put_watched(out, request, watched));
}

fn put_watched(out: &mut Vec<u8>, request: RequestId, watched: &[Watched]) {
    put_u32(out, request.0);
    put_u16(out, watched.len() as u16);
    for one in watched {
        put_name(out, one.user.as_bytes());
        out.push(u8::from(one.group.is_some()));
        if let Some(group) = one.group {
            out.extend_from_slice(&group.0);
        }
    }
}

impl Presences {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode_answer(self.request, &self.items, out);
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = reader.request()?;
        let items = reader.list(ITEM_BYTES_MIN, read_presence)?;
        reader.finish()?;
        Ok(Self { request, items })
    }
}

/// Appends a Presences frame. There are at most 256 items of at most 74 bytes, so it fits.
pub(crate) fn encode_answer(request: RequestId, items: &[Presence], out: &mut Vec<u8>) {
    put_frame(out, opcode::PRESENCES, |out| {
        put_u32(out, request.0);
        put_u16(out, items.len() as u16);
        items.iter().for_each(|item| put_presence(out, item));
    });
}

/// Appends a Presence frame, a push that is no entry.
///
/// ```text
/// 0    1  length of the name, n
/// 1    n  user
/// 1+n  1  0 hidden, 1 online, 2 last seen
/// 2+n  8  when last seen, Unix milliseconds; 0 unless the state is 2
///         tagged fields
/// ```
pub(crate) fn encode_push(presence: &Presence, out: &mut Vec<u8>) {
    put_frame(out, opcode::PRESENCE, |out| put_presence(out, presence));
}

pub(crate) fn decode_push(payload: &[u8]) -> Result<Presence, DecodeError> {
    let mut reader = Reader::new(payload);
    let presence = read_presence(&mut reader)?;
    reader.finish()?;
    Ok(presence)
}

fn put_presence(out: &mut Vec<u8>, presence: &Presence) {
    let (state, at) = match presence.state {
        PresenceState::Hidden => (0, Timestamp(0)),
        PresenceState::Online => (1, Timestamp(0)),
        PresenceState::LastSeen(at) => (2, at),
    };
    put_name(out, presence.user.as_bytes());
    out.push(state);
    put_u64(out, at.0);
}

fn read_presence(reader: &mut Reader<'_>) -> Result<Presence, DecodeError> {
    let user = reader.user()?;
    let state = match (reader.u8()?, reader.timestamp()?) {
        (0, Timestamp(0)) => PresenceState::Hidden,
        (1, Timestamp(0)) => PresenceState::Online,
        (2, at) => PresenceState::LastSeen(at),
        _ => return Err(DecodeError::Value),
    };
    Ok(Presence { user, state })
}
