//! The application's side: send, ask, close.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use iris_client_core::{ClientCore, Config, NewMessage, QueryNumber, Question, SendNumber};
use iris_types::limits::CLIENT_CALLS_MAX;
use iris_types::{Body, BodyKind, ConversationId, Target};
use tokio::sync::{mpsc, oneshot};

use crate::clock::{Clock, random_seed};
use crate::connect::Connector;
use crate::database::Database;
use crate::driver::{Command, Driver};
use crate::events::EventQueue;
use crate::{ClientError, ConnectError, Events, Options};

/// A device of a user. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
}

/// What a closed client left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Sends that wait in the local database for the next start.
    pub unsettled: usize,
}

impl Client {
    /// Opens the local database and starts to connect, and to reconnect, until [`Self::close`]. Returns without
    /// waiting for the server. Needs a tokio runtime with time and IO enabled.
    ///
    /// # Errors
    /// [`ClientError::Connect`] for options that cannot be right, [`ClientError::Database`] when the local
    /// database cannot be used.
    pub async fn connect(options: Options) -> Result<(Self, Events), ClientError> {
        let opening = move || {
            let connector = Connector::new(&options)?;
            let (database, restored) = Database::open(&options.state_dir, &options.user, &options.device)?;
            let seed = random_seed().map_err(ConnectError::Tls)?;
            let Options { user, device, versions, .. } = options;
            let config = Config { versions, ..Config::new(user, device) };
            let core = ClientCore::new(config, restored, seed);
            Ok::<_, ClientError>((connector, database, core))
        };
        let (connector, database, core) = blocking(opening).await??;
        let queue = Arc::new(EventQueue::default());
        let (commands, inbox) = mpsc::channel(CLIENT_CALLS_MAX);
        let driver = Driver::new(core, Clock::start(), connector, database, Arc::clone(&queue), inbox);
        start(driver);
        Ok((Self { commands }, Events::new(queue)))
    }

    /// Sends a text; see [`Self::send`].
    ///
    /// # Errors
    /// As [`Self::send`], and [`ClientError::Body`] when the text is empty or too long.
    pub async fn send_text(&self, to: impl Into<Target>, text: &str) -> Result<SendNumber, ClientError> {
        let body = Body::new(BodyKind::TEXT, Bytes::copy_from_slice(text.as_bytes()))?;
        self.send(NewMessage { to: to.into(), body, id: None, reference: None }).await
    }

    /// Sends a message, connected or not. When it returns the message is in the local database;
    /// `ClientEvent::Settled` tells how it ended.
    ///
    /// # Errors
    /// [`ClientError::Send`] when it was not taken, [`ClientError::Closed`] when the client has stopped: then it
    /// is not known whether it was.
    pub async fn send(&self, message: NewMessage) -> Result<SendNumber, ClientError> {
        let sent = self.call(|reply| Command::Send { message, reply }).await?;
        Ok(sent?)
    }

    /// Says that the user is writing in a conversation, or stops; call it as often as keys are pressed. Nobody hears
    /// of it without a connection. Sending the message ends it, too.
    ///
    /// # Errors
    /// [`ClientError::Closed`] when the client has stopped.
    pub async fn typing(&self, target: impl Into<Target>, on: bool) -> Result<(), ClientError> {
        let command = Command::Typing { target: target.into(), on };
        self.commands.send(command).await.map_err(|_| ClientError::Closed)
    }

    /// How a conversation is named in questions, as far as this device knows: from its messages, its sends, and the
    /// lists of conversations that it asked for.
    ///
    /// # Errors
    /// [`ClientError::Closed`] when the client has stopped.
    pub async fn target(&self, conversation: ConversationId) -> Result<Option<Target>, ClientError> {
        self.call(|reply| Command::Target { conversation, reply }).await
    }

    /// Asks a question, or for a change. It is answered by an event of the number that this gives, named at each
    /// variant of [`Question`]; the methods below do the same with the fields as arguments.
    ///
    /// # Errors
    /// [`ClientError::Query`] when it was not taken: too many questions are open, or it cannot be right.
    pub async fn ask(&self, question: Question) -> Result<QueryNumber, ClientError> {
        let question = Box::new(question);
        let asked = self.call(|reply| Command::Ask { question, reply }).await?;
        Ok(asked?)
    }

    /// Takes nothing more, waits until every send is settled and every question answered, at most until the
    /// deadline or until the server refused for good, and disconnects. What came in can still be read from
    /// [`Events`], which ends after it.
    ///
    /// # Errors
    /// [`ClientError::Closed`] when the client had stopped before.
    pub async fn close(self, deadline: Duration) -> Result<Closed, ClientError> {
        self.call(|reply| Command::Close { deadline, reply }).await
    }

    async fn call<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| ClientError::Closed)?;
        answer.await.map_err(|_| ClientError::Closed)
    }
}

/// Runs what blocks on a thread for it.
#[allow(clippy::disallowed_methods, reason = "reading files and opening the database block")]
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ClientError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ClientError::Closed)
}

#[allow(clippy::disallowed_methods, reason = "the one task of a client; it ends with the client")]
fn start(driver: Driver) {
    tokio::spawn(driver.run());
}
