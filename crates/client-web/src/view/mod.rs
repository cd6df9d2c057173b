//! What goes in and out, as JSON.

mod event;
mod message;
mod output;
mod stored;

pub use event::{DeviceView, EventView, MarkView, SummaryView};
pub(crate) use message::message_id;
pub use message::{BodyView, EntryView, MessageView, RefusalView, ViewError};
pub use output::OutputView;
pub use stored::{OperationView, OutcomeView, RestoredView, SettledView, UnreportedView, UnsentView};
