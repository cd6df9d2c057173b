//! What the local database keeps: the operations of a transaction, and what a start gets back.

use bytes::Bytes;
use iris_client_core::{Outcome, Restored, SendNumber, Settled, StoreOperation, Unreported, Unsent};
use iris_types::{Body, Offset, Seq, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::message::{conversation, message_id};
use super::{BodyView, MessageView, RefusalView, ViewError};

/// A send of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnsentView {
    pub number: u64,
    pub to: String,
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
    pub to: String,
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

/// A stored entry that the application has yet to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum UnreportedView {
    Message { offset: u64, message: MessageView },
    Gap { first: u64, last: u64 },
}

/// One change of the local database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum OperationView {
    PutUnsent { unsent: UnsentView },
    Settle { settled: SettledView },
    DropSettled { number: u64 },
    PutSent { message: MessageView },
    PutReceived { offset: u64, message: MessageView },
    PutGap { first: u64, last: u64 },
    SetShown { offset: u64 },
    SetCursor { offset: u64 },
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
}

impl From<&Unsent> for UnsentView {
    fn from(unsent: &Unsent) -> Self {
        Self {
            number: unsent.number.0,
            to: unsent.to.to_string(),
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
            to: UserId::new(&view.to)?,
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
            to: settled.to.to_string(),
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
            to: UserId::new(&view.to)?,
            id: view.id.as_deref().map(message_id).transpose()?,
            reference: view.reference.map(Bytes::from),
            outcome,
        })
    }
}

impl TryFrom<UnreportedView> for Unreported {
    type Error = ViewError;

    fn try_from(view: UnreportedView) -> Result<Self, ViewError> {
        Ok(match view {
            UnreportedView::Message { offset, message } => {
                Self::Message { offset: Offset(offset), message: message.try_into()? }
            }
            UnreportedView::Gap { first, last } => Self::Gap { first: Offset(first), last: Offset(last) },
        })
    }
}

impl From<&StoreOperation> for OperationView {
    fn from(operation: &StoreOperation) -> Self {
        match operation {
            StoreOperation::PutUnsent(unsent) => Self::PutUnsent { unsent: unsent.into() },
            StoreOperation::Settle(settled) => Self::Settle { settled: settled.into() },
            StoreOperation::DropSettled(number) => Self::DropSettled { number: number.0 },
            StoreOperation::PutSent(message) => Self::PutSent { message: message.into() },
            StoreOperation::PutReceived { offset, message } => {
                Self::PutReceived { offset: offset.0, message: message.into() }
            }
            StoreOperation::PutGap { first, last } => Self::PutGap { first: first.0, last: last.0 },
            StoreOperation::SetShown(offset) => Self::SetShown { offset: offset.0 },
            StoreOperation::SetCursor(offset) => Self::SetCursor { offset: offset.0 },
        }
    }
}

impl TryFrom<RestoredView> for Restored {
    type Error = ViewError;

    fn try_from(view: RestoredView) -> Result<Self, ViewError> {
        let marks = view.marks.into_iter().map(|(id, seq)| Ok((conversation(&id)?, Seq(seq))));
        Ok(Self {
            cursor: Offset(view.cursor),
            last_number: SendNumber(view.last_number),
            unsent: view.unsent.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            settled: view.settled.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            unreported: view.unreported.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            marks: marks.collect::<Result<_, ViewError>>()?,
        })
    }
}

/// References come in as text, so they are text.
fn text(reference: &Bytes) -> String {
    String::from_utf8_lossy(reference).into_owned()
}
