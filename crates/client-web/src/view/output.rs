//! What the driver has to do.

use iris_client_core::Output;
use serde::Serialize;

use super::{EventView, MarkView, OperationView};

/// See `iris_client_core::Output`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum OutputView {
    Connect {
        at: u64,
    },
    Disconnect,
    Store {
        token: u64,
        operations: Vec<OperationView>,
    },
    /// `mark`: what to hand over once the application took it.
    Event {
        event: Box<EventView>,
        mark: Option<MarkView>,
    },
}

impl From<&Output> for OutputView {
    fn from(output: &Output) -> Self {
        match output {
            Output::Connect { at } => Self::Connect { at: at.0 },
            Output::Disconnect => Self::Disconnect,
            Output::Store { token, operations } => {
                Self::Store { token: token.0, operations: operations.iter().map(Into::into).collect() }
            }
            Output::Event(event) => {
                Self::Event { event: Box::new(event.into()), mark: event.mark().map(Into::into) }
            }
        }
    }
}
