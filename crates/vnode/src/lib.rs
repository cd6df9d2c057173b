//! The domain: a command against loaded state becomes events and answers.
//!
//! Pure functions over plain data. Not here: loading, committing, sending (all `iris-worker`), byte layouts of
//! runs (`iris-tables`) and of the wire (`iris-protocol`). A decision changes the state that it is given at once;
//! the worker commits its [`Event`]s and lets nothing that saw them leave before that. A [`Stamp`] on every state
//! says which chunk carries the last event that touched it.
//!
//! One file per action: [`send_message`], [`create_group`], [`change_group`], [`deliver`], [`attach`],
//! [`acknowledge`], [`read_inbox`], [`read_history`], [`read_group`], [`read_roster`], [`read_receipts`], [`block_user`], [`list_conversations`],
//! [`list_devices`], [`rename_device`], [`revoke_device`], [`revoke`]; what they decide on: [`Conversation`],
//! [`Group`], [`Inbox`], [`Line`], [`Devices`], [`RevokedDevices`], [`streams`]; what is committed: [`events`]; what
//! that means on disk: [`rows`].

pub mod acknowledge;
pub mod attach;
pub mod block_user;
pub mod bucket;
pub mod change_group;
pub mod codec;
pub mod conversation;
pub mod create_group;
pub mod deliver;
pub mod devices;
pub mod events;
pub mod forward;
pub mod group;
pub mod inbox;
pub mod item;
pub mod line;
pub mod list_conversations;
pub mod list_devices;
pub mod nonces;
pub mod page;
pub mod read_group;
pub mod read_history;
pub mod read_inbox;
pub mod read_receipts;
pub mod read_roster;
pub mod receipts;
pub mod rename_device;
pub mod revoke;
pub mod revoke_device;
pub mod revoked_devices;
pub mod rows;
pub mod send_message;
pub mod settings;
pub mod streams;

pub use codec::Malformed;
pub use conversation::{Author, Conversation, Members, Side};
pub use devices::Devices;
pub use events::{ChunkReader, ChunkWriter, Event};
pub use forward::{Forward, Recipient};
pub use group::Group;
pub use inbox::Inbox;
pub use line::Line;
pub use nonces::Nonces;
pub use revoked_devices::RevokedDevices;

/// Number of the chunk that carries an event: grows by one from chunk to chunk of one worker. What is stamped
/// with it may be shown once that chunk is committed. Zero: committed before this worker began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);

/// A map whose order is never looked at; its hasher is fixed, so that a run repeats exactly.
pub type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::FixedState>;
