//! What can go wrong, by operation.

use std::io;
use std::path::PathBuf;

use iris_client_core::{QueryError, SendError};
use iris_types::UserId;

/// Why a call of [`crate::Client`] failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Body(#[from] iris_types::message::InvalidBody),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("the client is closed")]
    Closed,
}

/// What is wrong with the local database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("{0} is used by another process; give each its own device name and state directory")]
    InUse(PathBuf),
    #[error("{path} belongs to user {user} on device {device}")]
    OtherOwner { path: PathBuf, user: String, device: String },
    #[error("{path} has layout {found}, this version knows {known}")]
    Layout { path: PathBuf, found: u64, known: u64 },
    #[error("a row of table {table} of the local database cannot be read")]
    Row { table: &'static str },
    #[error("cannot use {path}: {error}")]
    Directory { path: PathBuf, error: io::Error },
    #[error("a commit of the local database broke off")]
    Panicked,
    #[error("the local database: {0}")]
    Engine(#[source] Box<redb::Error>),
}

macro_rules! from_engine {
    ($($error:ty),*) => { $(
        impl From<$error> for DatabaseError {
            fn from(error: $error) -> Self {
                Self::Engine(Box::new(error.into()))
            }
        }
    )* };
}

from_engine!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

/// Why there is no connection. Another attempt follows by itself, but for what [`crate::Client::connect`] returns.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{0} is not HOST:PORT or ADDRESS:PORT")]
    Address(String),
    #[error("cannot read certificates from {path}: {reason}")]
    Trust { path: PathBuf, reason: String },
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("cannot reach {server}: {error}")]
    Unreachable { server: String, error: io::Error },
    #[error("no secure connection to {server}: {error}")]
    Handshake { server: String, error: io::Error },
    #[error("{server} did not answer within {after_ms} ms")]
    TimedOut { server: String, after_ms: u64 },
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("cannot read a token from {path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("the token's provider failed: {0}")]
    Provider(String),
    #[error("that is not a token: three parts of base64url with the claim `sub` in the middle")]
    Malformed,
    #[error("the token names another user than {0}")]
    OtherUser(UserId),
}
