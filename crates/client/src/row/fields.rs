//! The fields of rows.

use bytes::Bytes;
use iris_types::{
    Body, BodyKind, ConversationId, GroupTitle, MessageId, Peer, Seq, Target, Timestamp, UserId,
};

/// Texts here are names, titles and references: far below what two bytes can say.
pub(super) fn put_text(row: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    row.extend(length.to_be_bytes());
    row.extend_from_slice(&text[..usize::from(length)]);
}

pub(super) fn put_optional<T>(row: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    row.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(row, value);
    }
}

pub(super) fn put_target(row: &mut Vec<u8>, target: &Target) {
    match target {
        Target::User(user) => {
            row.push(1);
            put_text(row, user.as_bytes());
        }
        Target::Group(group) => {
            row.push(2);
            row.extend(group.0);
        }
    }
}

pub(super) fn put_peer(row: &mut Vec<u8>, peer: &Peer) {
    match peer {
        Peer::User(user) => {
            row.push(1);
            put_text(row, user.as_bytes());
        }
        Peer::Group(title) => {
            row.push(2);
            put_text(row, title.as_bytes());
        }
    }
}

/// Takes a row apart; `None` for anything that was not written here.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn seq(&mut self) -> Option<Seq> {
        self.u64().map(Seq)
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp)
    }

    pub(super) fn conversation(&mut self) -> Option<ConversationId> {
        self.array().map(ConversationId)
    }

    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    pub(super) fn user(&mut self) -> Option<UserId> {
        UserId::from_bytes(self.text()?).ok()
    }

    pub(super) fn target(&mut self) -> Option<Target> {
        match self.byte()? {
            1 => self.user().map(Target::User),
            2 => self.conversation().map(Target::Group),
            _ => None,
        }
    }

    pub(super) fn peer(&mut self) -> Option<Peer> {
        match self.byte()? {
            1 => self.user().map(Peer::User),
            2 => GroupTitle::from_bytes(self.text()?).ok().map(Peer::Group),
            _ => None,
        }
    }

    pub(super) fn id(&mut self) -> Option<MessageId> {
        MessageId::from_bytes(self.array()?).ok()
    }

    pub(super) fn body(&mut self, kind: BodyKind) -> Option<Body> {
        Body::new(kind, Bytes::copy_from_slice(std::mem::take(&mut self.0))).ok()
    }

    /// The outer `None`: damaged. The inner: not there.
    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }

    pub(super) fn end<T>(&self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
