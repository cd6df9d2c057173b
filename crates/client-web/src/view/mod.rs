//! What goes in and out, as JSON.

mod event;
mod group;
mod item;
mod message;
mod output;
mod stored;

pub use event::{DeviceView, EventView, MarkView, PresenceView, PreviewView, ReaderView, SummaryView};
pub use group::{ChangeView, GroupView, MemberView};
pub use item::{FlagsView, ItemView, MarksView, SettingsView, UnreportedView};
pub use message::{BodyView, EntryView, MessageView, RefusalView, TargetView, ViewError};
pub(crate) use message::{conversation, message_id};
pub use output::OutputView;
pub use stored::{OperationView, OutcomeView, OwnView, RestoredView, SettledView, UnsentView};
