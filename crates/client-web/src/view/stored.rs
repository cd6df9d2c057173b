//! What the local database keeps: the operations of a transaction, and what a start gets back.

use bytes::Bytes;
use iris_client_core::{Outcome, OwnMessage, Restored, SendNumber, Settled, StoreOperation, Unsent};
use iris_types::{Body, InboxItem, Offset, Seq, Timestamp};
use serde::{Deserialize, Serialize};

use super::message::{conversation, message_id};
use super::{BodyView, ItemView, RefusalView, TargetView, UnreportedView, ViewError};

/// A send of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnsentView {
    pub number: u64,
    pub to: TargetView,
    pub body: BodyView,
    pub id: Option<String>,
    pub id_given: bool,
    pub reference: Option<String>,
}

/// A send that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettledView {
    pub number: u64,
    pub to: TargetView,
    pub id: Option<String>,
    pub reference: Option<String>,
    pub outcome: OutcomeView,
}

/// How a send ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum OutcomeView {
    Sent { conversation: String, seq: u64, sent_at: u64 },
    Failed { refusal: RefusalView },
}

/// A message that this device sent, as its conversation keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnView {
    pub conversation: String,
    pub seq: u64,
    pub id: String,
    pub to: TargetView,
    pub sent_at: u64,
    pub body: BodyView,
}

/// One change of the local database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum OperationView {
    PutUnsent {
        unsent: UnsentView,
    },
    Settle {
        settled: SettledView,
    },
    DropSettled {
        number: u64,
    },
    PutSent {
        message: OwnView,
    },
    /// `target`: of a message, how its conversation is named.
    PutReceived {
        offset: u64,
        item: ItemView,
        target: Option<TargetView>,
    },
    PutGap {
        first: u64,
        last: u64,
    },
    SetShown {
        offset: u64,
    },
    SetCursor {
        offset: u64,
    },
    PutReadMark {
        target: TargetView,
        up_to: u64,
    },
    DropReadMark {
        target: TargetView,
    },
}

/// What a database gives back at a start; every field may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RestoredView {
    pub cursor: u64,
    pub last_number: u64,
    pub unsent: Vec<UnsentView>,
    pub settled: Vec<SettledView>,
    pub unreported: Vec<UnreportedView>,
    /// Conversation and the greatest `seq` received.
    pub marks: Vec<(String, u64)>,
    pub targets: Vec<(String, TargetView)>,
    pub read_marks: Vec<(TargetView, u64)>,
}

impl From<&Unsent> for UnsentView {
    fn from(unsent: &Unsent) -> Self {
        Self {
            number: unsent.number.0,
            to: (&unsent.to).into(),
            body: (&unsent.body).into(),
            id: unsent.id.map(|id| id.to_string()),
            id_given: unsent.id_given,
            reference: unsent.reference.as_ref().map(text),
        }
    }
}

impl TryFrom<UnsentView> for Unsent {
    type Error = ViewError;

    fn try_from(view: UnsentView) -> Result<Self, ViewError> {
        Ok(Self {
            number: SendNumber(view.number),
            to: view.to.try_into()?,
            body: Body::try_from(view.body)?,
            id: view.id.as_deref().map(message_id).transpose()?,
            id_given: view.id_given,
            reference: view.reference.map(Bytes::from),
        })
    }
}

impl From<&Settled> for SettledView {
    fn from(settled: &Settled) -> Self {
        let outcome = match settled.outcome {
            Outcome::Sent { conversation, seq, sent_at } => {
                OutcomeView::Sent { conversation: conversation.to_string(), seq: seq.0, sent_at: sent_at.0 }
            }
            Outcome::Failed(refusal) => OutcomeView::Failed { refusal: refusal.into() },
        };
        Self {
            number: settled.number.0,
            to: (&settled.to).into(),
            id: settled.id.map(|id| id.to_string()),
            reference: settled.reference.as_ref().map(text),
            outcome,
        }
    }
}

impl TryFrom<SettledView> for Settled {
    type Error = ViewError;

    fn try_from(view: SettledView) -> Result<Self, ViewError> {
        let outcome = match view.outcome {
            OutcomeView::Sent { conversation: id, seq, sent_at } => {
                Outcome::Sent { conversation: conversation(&id)?, seq: Seq(seq), sent_at: Timestamp(sent_at) }
            }
            OutcomeView::Failed { refusal } => Outcome::Failed(refusal.try_into()?),
        };
        Ok(Self {
            number: SendNumber(view.number),
            to: view.to.try_into()?,
            id: view.id.as_deref().map(message_id).transpose()?,
            reference: view.reference.map(Bytes::from),
            outcome,
        })
    }
}

impl From<&OwnMessage> for OwnView {
    fn from(message: &OwnMessage) -> Self {
        Self {
            conversation: message.conversation.to_string(),
            seq: message.seq.0,
            id: message.id.to_string(),
            to: (&message.to).into(),
            sent_at: message.sent_at.0,
            body: (&message.body).into(),
        }
    }
}

impl From<&StoreOperation> for OperationView {
    fn from(operation: &StoreOperation) -> Self {
        match operation {
            StoreOperation::PutUnsent(unsent) => Self::PutUnsent { unsent: unsent.into() },
            StoreOperation::Settle(settled) => Self::Settle { settled: settled.into() },
            StoreOperation::DropSettled(number) => Self::DropSettled { number: number.0 },
            StoreOperation::PutSent(message) => Self::PutSent { message: message.into() },
            StoreOperation::PutReceived { offset, item } => {
                let target = match item {
                    InboxItem::Message(message) => Some((&message.with.target(message.conversation)).into()),
                    _ => None,
                };
                Self::PutReceived { offset: offset.0, item: item.into(), target }
            }
            StoreOperation::PutGap { first, last } => Self::PutGap { first: first.0, last: last.0 },
            StoreOperation::SetShown(offset) => Self::SetShown { offset: offset.0 },
            StoreOperation::SetCursor(offset) => Self::SetCursor { offset: offset.0 },
            StoreOperation::PutReadMark { target, up_to } => {
                Self::PutReadMark { target: target.into(), up_to: up_to.0 }
            }
            StoreOperation::DropReadMark(target) => Self::DropReadMark { target: target.into() },
        }
    }
}

impl TryFrom<RestoredView> for Restored {
    type Error = ViewError;

    fn try_from(view: RestoredView) -> Result<Self, ViewError> {
        let marks = view.marks.into_iter().map(|(id, seq)| Ok((conversation(&id)?, Seq(seq))));
        let targets = view.targets.into_iter().map(|(id, to)| Ok((conversation(&id)?, to.try_into()?)));
        let read_marks = view.read_marks.into_iter().map(|(to, up_to)| Ok((to.try_into()?, Seq(up_to))));
        Ok(Self {
            cursor: Offset(view.cursor),
            last_number: SendNumber(view.last_number),
            unsent: view.unsent.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            settled: view.settled.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            unreported: view.unreported.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            marks: marks.collect::<Result<_, ViewError>>()?,
            targets: targets.collect::<Result<_, ViewError>>()?,
            read_marks: read_marks.collect::<Result<_, ViewError>>()?,
        })
    }
}

/// References come in as text, so they are text.
fn text(reference: &Bytes) -> String {
    String::from_utf8_lossy(reference).into_owned()
}
