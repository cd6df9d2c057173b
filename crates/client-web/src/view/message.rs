//! Messages, their bodies, and refusals.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use iris_types::message::InvalidBody;
use iris_types::{
    Body, BodyKind, Change, ConversationId, DeviceId, ErrorCode, GroupTitle, HistoryEntry, InboxMessage,
    InvalidName, InvalidText, MessageId, Peer, Preview, Refusal, Seq, Target, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use super::ChangeView;

/// Why something that came in is not what it should be. Never shows what a person wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    #[error("not the expected JSON: {0}")]
    Json(String),
    #[error("{0}")]
    Name(#[from] InvalidName),
    #[error("{0}")]
    Text(#[from] InvalidText),
    #[error("{0}")]
    Body(#[from] InvalidBody),
    #[error("a body has either text, which is kind 1, or base64")]
    BodyForm,
    #[error("a conversation has 32 hexadecimal digits")]
    Conversation,
    #[error("a message id is a UUID version 7")]
    MessageId,
    #[error("{0} is no code of a refusal")]
    Code(u16),
    #[error("exactly one of to, with, group and conversation")]
    Target,
    #[error("a conversation that this device does not know: name it by to, with or group")]
    UnknownConversation,
    #[error("either a user or a title")]
    Peer,
    #[error("not a word that is known here")]
    Word,
    #[error("a limit is at least 1")]
    Limit,
    #[error("before and after exclude each other")]
    Direction,
}

impl From<serde_json::Error> for ViewError {
    fn from(error: serde_json::Error) -> Self {
        // The error's own text may quote what it found.
        Self::Json(format!("{:?} at line {}, column {}", error.classify(), error.line(), error.column()))
    }
}

/// A body: `text` for kind 1, `base64` for every other kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyView {
    pub kind: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// What a body of kind 0 says; only on the way out.
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub change: Option<ChangeView>,
}

impl From<&Body> for BodyView {
    fn from(body: &Body) -> Self {
        let text = body.as_text().map(str::to_owned);
        let base64 = if text.is_none() { Some(STANDARD.encode(body.bytes())) } else { None };
        let change = Change::from_body(body).ok().map(|change| (&change).into());
        Self { kind: body.kind().0, text, base64, change }
    }
}

impl From<&Preview> for BodyView {
    /// Of a text the beginning; of other kinds but a change nothing.
    fn from(preview: &Preview) -> Self {
        let body = Body::new(preview.kind, preview.text.clone());
        body.as_ref().map_or_else(|_| Self { kind: preview.kind.0, ..Self::default() }, Into::into)
    }
}

/// A conversation as somebody names it who asks for something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TargetView {
    User(String),
    Group(String),
}

impl From<&Target> for TargetView {
    fn from(target: &Target) -> Self {
        match target {
            Target::User(user) => Self::User(user.to_string()),
            Target::Group(group) => Self::Group(group.to_string()),
        }
    }
}

impl TryFrom<TargetView> for Target {
    type Error = ViewError;

    fn try_from(view: TargetView) -> Result<Self, ViewError> {
        Ok(match view {
            TargetView::User(user) => Self::User(UserId::new(&user)?),
            TargetView::Group(group) => Self::Group(conversation(&group)?),
        })
    }
}

impl TryFrom<BodyView> for Body {
    type Error = ViewError;

    fn try_from(view: BodyView) -> Result<Self, ViewError> {
        let kind = BodyKind(view.kind);
        let bytes = match (view.text, view.base64) {
            (Some(text), None) if kind == BodyKind::TEXT => Bytes::from(text),
            (None, Some(base64)) => Bytes::from(STANDARD.decode(base64).map_err(|_| ViewError::BodyForm)?),
            _ => return Err(ViewError::BodyForm),
        };
        Ok(Self::new(kind, bytes)?)
    }
}

/// A message of the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    pub conversation: String,
    pub seq: u64,
    pub id: String,
    pub from: String,
    /// The other member; null in a group.
    pub with: Option<String>,
    /// What the group is called; null in a direct conversation.
    pub title: Option<String>,
    /// The sending device; only of the user's own messages.
    pub origin: Option<String>,
    pub sent_at: u64,
    pub body: BodyView,
}

impl From<&InboxMessage> for MessageView {
    fn from(message: &InboxMessage) -> Self {
        Self {
            conversation: message.conversation.to_string(),
            seq: message.seq.0,
            id: message.id.to_string(),
            from: message.from.to_string(),
            with: message.with.user().map(ToString::to_string),
            title: title(&message.with),
            origin: message.origin.as_ref().map(ToString::to_string),
            sent_at: message.sent_at.0,
            body: (&message.body).into(),
        }
    }
}

impl TryFrom<MessageView> for InboxMessage {
    type Error = ViewError;

    fn try_from(view: MessageView) -> Result<Self, ViewError> {
        Ok(Self {
            conversation: conversation(&view.conversation)?,
            seq: Seq(view.seq),
            id: message_id(&view.id)?,
            from: UserId::new(&view.from)?,
            with: match (view.with, view.title) {
                (Some(user), None) => Peer::User(UserId::new(&user)?),
                (None, Some(title)) => Peer::Group(GroupTitle::new(&title)?),
                _ => return Err(ViewError::Peer),
            },
            origin: view.origin.map(|origin| DeviceId::new(&origin)).transpose()?,
            sent_at: Timestamp(view.sent_at),
            body: view.body.try_into()?,
        })
    }
}

/// A message of a conversation's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    pub seq: u64,
    pub id: String,
    pub from: String,
    pub sent_at: u64,
    pub body: BodyView,
}

impl From<&HistoryEntry> for EntryView {
    fn from(entry: &HistoryEntry) -> Self {
        Self {
            seq: entry.seq.0,
            id: entry.id.to_string(),
            from: entry.from.to_string(),
            sent_at: entry.sent_at.0,
            body: (&entry.body).into(),
        }
    }
}

/// A refusal, with its stable name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusalView {
    pub code: u16,
    pub name: String,
    pub retryable: bool,
    /// 0: the client chooses.
    pub retry_after_ms: u32,
}

impl From<Refusal> for RefusalView {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code as u16,
            name: refusal.code.name().to_owned(),
            retryable: refusal.code.is_retryable(),
            retry_after_ms: refusal.retry_after_ms,
        }
    }
}

impl TryFrom<RefusalView> for Refusal {
    type Error = ViewError;

    fn try_from(view: RefusalView) -> Result<Self, ViewError> {
        let code = ErrorCode::from_number(view.code).ok_or(ViewError::Code(view.code))?;
        Ok(Self { code, retry_after_ms: view.retry_after_ms })
    }
}

/// What the group is called, if it is one.
pub(crate) fn title(peer: &Peer) -> Option<String> {
    match peer {
        Peer::User(_) => None,
        Peer::Group(title) => Some(title.as_str().to_owned()),
    }
}

pub(crate) fn conversation(text: &str) -> Result<ConversationId, ViewError> {
    let mut id = [0; 16];
    let digits = text.as_bytes();
    if digits.len() != 2 * id.len() {
        return Err(ViewError::Conversation);
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return Err(ViewError::Conversation) };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Ok(ConversationId(id))
}

fn digit(letter: u8) -> Result<u8, ViewError> {
    let digit = char::from(letter).to_digit(16).ok_or(ViewError::Conversation)?;
    u8::try_from(digit).map_err(|_| ViewError::Conversation)
}

pub(crate) fn message_id(text: &str) -> Result<MessageId, ViewError> {
    MessageId::parse(text).map_err(|_| ViewError::MessageId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_one_form() {
        let body = |kind, text: Option<&str>, base64: Option<&str>| {
            let (text, base64) = (text.map(str::to_owned), base64.map(str::to_owned));
            let view = BodyView { kind, text, base64, change: None };
            Body::try_from(view)
        };
        assert_eq!(body(1, Some("hi"), None).map(|body| body.bytes().clone()), Ok(Bytes::from("hi")));
        assert_eq!(
            body(7, None, Some("AP8=")).map(|body| body.bytes().clone()),
            Ok(Bytes::from(vec![0, 255]))
        );
        assert_eq!(body(7, Some("hi"), None), Err(ViewError::BodyForm));
        assert_eq!(body(1, Some("hi"), Some("aGk=")), Err(ViewError::BodyForm));
        assert_eq!(body(7, None, Some("?")), Err(ViewError::BodyForm));
        assert_eq!(body(1, None, None), Err(ViewError::BodyForm));
        assert_eq!(body(1, Some(""), None), Err(ViewError::Body(InvalidBody::Empty)));
    }

    #[test]
    fn conversations_read_back() {
        let id = ConversationId([0x0f; 16]);
        assert_eq!(conversation(&id.to_string()), Ok(id));
        for bad in ["", "0f", "+f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0", "zz0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "ä£"]
        {
            assert_eq!(conversation(bad), Err(ViewError::Conversation), "{bad}");
        }
    }
}
