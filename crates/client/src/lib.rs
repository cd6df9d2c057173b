//! The Rust SDK of Iris: a device of a user, on tokio, with a local database.
//!
//! It decides nothing itself: `iris-client-core` says what to send, store, repeat and show; this crate brings the
//! TLS connection, the clock, the randomness and the database. It does not keep tokens: each connection asks its
//! [`TokenSource`] for a fresh one.
//!
//! - [`Client`]: sends messages, asks questions and for changes. Cheap to clone.
//! - [`Events`]: what comes in; read by one task.
//! - [`Options`]: server, trust, token, user, device, and where the local database lives.
//!
//! A message that [`Client::send_text`] returned a number for survives a crash of the application: it is in the
//! local database and is tried with one and the same id until the server has answered for good. A message that
//! was received is given to the application until the application asks for the next event, which says that it is
//! done with the former. If it crashes in between, the next start gives the same message again; its conversation
//! and `seq` name it.
//!
//! ```
//! use std::time::Duration;
//!
//! use iris_client::{Client, DeviceId, Options, TokenSource, Trust, UserId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let state = tempfile::tempdir()?;
//! # let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! # std::fs::write(state.path().join("ca.pem"), authority.cert.pem())?;
//! # let (ca_file, token_file) = (state.path().join("ca.pem"), state.path().join("token"));
//! let options = Options {
//!     server: "localhost:1".to_owned(), // Nobody is there: the message waits.
//!     trust: Trust::File(ca_file),
//!     token: TokenSource::File(token_file),
//!     user: UserId::new("alice")?,
//!     device: DeviceId::new("laptop")?,
//!     state_dir: state.path().join("alice-laptop"),
//!     versions: iris_client::Versions::ALL,
//! };
//! let (client, events) = Client::connect(options.clone()).await?;
//! client.send_text(&UserId::new("bob")?, "hello").await?;
//! assert_eq!(client.close(Duration::ZERO).await?.unsettled, 1);
//! events.finished().await;
//!
//! // It is still there at the next start.
//! let (client, _events) = Client::connect(options).await?;
//! assert_eq!(client.close(Duration::ZERO).await?.unsettled, 1);
//! # Ok(())
//! # }
//! ```
//!
//! A conversation is named by a [`Target`]: the user for a direct one, the id for a group. What became of a group comes
//! as a message, too:
//!
//! ```
//! use iris_client::{
//!     Change, Client, ClientEvent, GroupDescription, GroupTitle, NewGroup, Policy, UserId,
//! };
//!
//! # #[allow(dead_code)]
//! async fn tea(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
//!     let members = vec![UserId::new("bob")?, UserId::new("carol")?];
//!     let (title, description) = (GroupTitle::new("Tea 🍵")?, GroupDescription::new("")?);
//!     let policy = Policy::MEMBERS_INVITE.with(Policy::OPEN_HISTORY);
//!     let _number = client.create_group(NewGroup { title, description, policy, members }).await?;
//!     Ok(())
//! }
//!
//! # #[allow(dead_code)]
//! async fn told(client: &Client, event: &ClientEvent) -> Result<(), Box<dyn std::error::Error>> {
//!     match event {
//!         ClientEvent::GroupCreated { group, .. } => {
//!             client.send_text(*group, "Five o'clock?").await?;
//!         }
//!         ClientEvent::Message { message, .. } => {
//!             if let Ok(change) = Change::from_body(&message.body) {
//!                 println!("{}: {}", message.from, change.name());
//!             }
//!             let target = message.with.target(message.conversation);
//!             client.mark_read(target, message.seq).await?;
//!         }
//!         _ => {}
//!     }
//!     Ok(())
//! }
//! ```
//!
//! `examples/hello.rs` talks to a running server.

mod ask;
mod client;
mod clock;
mod connect;
mod database;
mod driver;
mod error;
mod events;
mod options;
mod row;
mod tables;
mod token;
mod transport;

pub use client::{Client, Closed};
pub use error::{ClientError, ConnectError, DatabaseError, TokenError};
pub use events::{Event, Events};
pub use iris_client_core::{
    ClientEvent, ConversationsQuestion, HistoryQuestion, Mark, NewGroup, NewMessage, Outcome, QueryError,
    QueryNumber, Question, RosterQuestion, SendError, SendNumber, Settled,
};
pub use iris_protocol::Versions;
pub use iris_types::request::HistoryFrom;
pub use iris_types::{
    Audience, Body, BodyKind, Change, ConversationId, ConversationState, ConversationSummary, DeviceId,
    DeviceLabel, DeviceSummary, ErrorCode, Flags, GroupChange, GroupDescription, GroupReceipt, GroupSummary,
    GroupTitle, HistoryEntry, InboxMessage, InvalidText, Marks, MessageId, Offset, Peer, Policy, Presence,
    PresenceState, Preview, Receipt, ReceiptPage, Refusal, Role, RosterItem, Seq, Settings, SettingsChange,
    Standing, Target, Timestamp, Typing, UserId, Watched,
};
pub use options::{Options, Trust};
pub use token::TokenSource;
