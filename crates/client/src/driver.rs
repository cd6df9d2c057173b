//! The one task of a client: waits for whatever happens next, tells the machine, does what it says.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use iris_client_core::{
    ClientCore, ClientEvent, NewMessage, Output, QueryError, QueryNumber, Question, SendError, SendNumber,
    StoreOperation, StoreToken,
};
use iris_types::{ConversationId, Target};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::connect::Connector;
use crate::database::Database;
use crate::events::EventQueue;
use crate::transport::{Moved, Transport};
use crate::{Closed, ConnectError, DatabaseError, Event};

/// Where the number of a question goes.
type QueryReply = oneshot::Sender<Result<QueryNumber, QueryError>>;

/// What the application asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Send { message: NewMessage, reply: oneshot::Sender<Result<SendNumber, SendError>> },
    Ask { question: Box<Question>, reply: QueryReply },
    Typing { target: Target, on: bool },
    Target { conversation: ConversationId, reply: oneshot::Sender<Option<Target>> },
    Close { deadline: Duration, reply: oneshot::Sender<Closed> },
}

/// Everything that can happen.
enum Happened {
    Command(Option<Command>),
    /// The application took events, or reads no more.
    Taken,
    Moved(io::Result<Moved>),
    Connected(Result<(Transport, Bytes), ConnectError>),
    Stored(Result<StoreToken, DatabaseError>),
    Time,
}

type Connecting = Pin<Box<dyn Future<Output = Result<(Transport, Bytes), ConnectError>> + Send>>;

/// Brings socket, clock and database to the machine.
pub(crate) struct Driver {
    core: ClientCore,
    clock: Clock,
    connector: Connector,
    database: Arc<Database>,
    queue: Arc<EventQueue>,
    commands: mpsc::Receiver<Command>,
    connecting: Option<Connecting>,
    transport: Option<Transport>,
    /// Changes that wait for the transaction that is being committed: together they become the next.
    unstored: Vec<StoreOperation>,
    unstored_token: StoreToken,
    storing: Option<JoinHandle<Result<StoreToken, DatabaseError>>>,
    /// Senders that wait until their message is stored.
    accepting: BTreeMap<SendNumber, oneshot::Sender<Result<SendNumber, SendError>>>,
    closing: Option<Closing>,
    failure_told: Option<String>,
}

/// A client that takes nothing more.
enum Closing {
    Until {
        deadline: Instant,
        reply: Option<oneshot::Sender<Closed>>,
    },
    /// Disconnected; the application may still take what came in.
    Closed,
}

/// Whether the task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    Finished,
}

impl Driver {
    pub(crate) fn new(
        core: ClientCore,
        clock: Clock,
        connector: Connector,
        database: Database,
        queue: Arc<EventQueue>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            core,
            clock,
            connector,
            database: Arc::new(database),
            queue,
            commands,
            connecting: None,
            transport: None,
            unstored: Vec::new(),
            unstored_token: StoreToken::default(),
            storing: None,
            accepting: BTreeMap::new(),
            closing: None,
            failure_told: None,
        }
    }

    pub(crate) async fn run(mut self) {
        while self.turn().await == Flow::On {
            let happened = self.next().await;
            if let Err(error) = self.take(happened) {
                tracing::error!(%error, "the local database failed; the client stops");
                self.queue.push(Event::DatabaseFailed(Arc::new(error)));
                break;
            }
        }
        let Self { queue, database, storing, .. } = self;
        if let Some(storing) = storing {
            // A commit that is under way holds the database: it is let go of afterwards.
            drop(storing.await);
        }
        drop(database);
        queue.finish();
    }

    /// Waits for one thing to happen. Every branch can be dropped while it waits.
    async fn next(&mut self) -> Happened {
        let takes_commands = self.closing.is_none();
        let wake_at = self.wake_at();
        tokio::select! {
            command = self.commands.recv(), if takes_commands => Happened::Command(command),
            () = self.queue.taken.notified() => Happened::Taken,
            moved = when(self.transport.as_mut().map(Transport::moved)) => Happened::Moved(moved),
            connected = when(self.connecting.as_mut()) => Happened::Connected(connected),
            stored = when(self.storing.as_mut()) => Happened::Stored(flatten(stored)),
            () = when(wake_at.map(|at| tokio::time::sleep_until(at.into()))) => Happened::Time,
        }
    }

    /// When something is due whatever happens.
    fn wake_at(&self) -> Option<Instant> {
        let core = self.core.deadline().map(|at| self.clock.instant(at));
        let close = match &self.closing {
            Some(Closing::Until { deadline, .. }) => Some(*deadline),
            Some(Closing::Closed) => return None,
            None => None,
        };
        [core, close].into_iter().flatten().min()
    }

    /// Tells the machine.
    fn take(&mut self, happened: Happened) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        match happened {
            Happened::Command(command) => self.take_command(command),
            Happened::Taken | Happened::Time | Happened::Moved(Ok(Moved::Wrote)) => {}
            Happened::Moved(Ok(Moved::Read(length))) if length > 0 => {
                if let Some(transport) = &self.transport {
                    self.core.received(transport.incoming(length), now);
                }
            }
            Happened::Moved(_) => {
                self.transport = None;
                self.core.disconnected(now);
            }
            Happened::Connected(Ok((transport, token))) => {
                self.connecting = None;
                self.transport = Some(transport);
                self.failure_told = None;
                self.core.connected(token, now);
            }
            Happened::Connected(Err(error)) => {
                self.connecting = None;
                self.tell_failure(error);
                self.core.disconnected(now);
            }
            Happened::Stored(stored) => {
                self.storing = None;
                self.core.stored(stored?);
            }
        }
        self.queue.take_marks().into_iter().for_each(|mark| self.core.handed_over(mark));
        Ok(())
    }

    fn take_command(&mut self, command: Option<Command>) {
        // A caller that does not wait for its reply any more has given up the answer, not the question.
        match command {
            Some(Command::Send { message, reply }) => match self.core.send(message, self.clock.now()) {
                Ok(number) => drop(self.accepting.insert(number, reply)),
                Err(error) => drop(reply.send(Err(error))),
            },
            Some(Command::Ask { question, reply }) => drop(reply.send(self.core.ask(*question))),
            Some(Command::Typing { target, on }) => self.core.typing(&target, on, self.clock.now()),
            Some(Command::Target { conversation, reply }) => {
                let _ = reply.send(self.core.target(conversation));
            }
            Some(Command::Close { deadline, reply }) => self.close(deadline, Some(reply)),
            // Every handle is gone: nobody can ask for anything any more.
            None => self.close(Duration::ZERO, None),
        }
    }

    fn close(&mut self, deadline: Duration, reply: Option<oneshot::Sender<Closed>>) {
        self.commands.close();
        self.closing = Some(Closing::Until { deadline: Clock::instant_after(deadline), reply });
    }

    /// Does what the machine says, until it has nothing more to say.
    async fn turn(&mut self) -> Flow {
        let mut outputs = Vec::new();
        self.core.turn(self.clock.now(), &mut outputs);
        for output in outputs {
            self.act(output).await;
        }
        self.store();
        if let Some(transport) = &mut self.transport
            && let Some(outgoing) = transport.outgoing()
        {
            self.core.transmit(outgoing);
        }
        self.finish_closing().await
    }

    async fn act(&mut self, output: Output) {
        match output {
            Output::Connect { at } => {
                if !matches!(self.closing, Some(Closing::Closed)) {
                    let at = self.clock.instant(at);
                    self.connecting = Some(Box::pin(self.connector.clone().connect(at)));
                }
            }
            Output::Disconnect => self.disconnect().await,
            Output::Store { token, operations } => {
                self.unstored.extend(operations);
                self.unstored_token = token;
            }
            Output::Event(ClientEvent::Accepted { number }) => {
                if let Some(reply) = self.accepting.remove(&number) {
                    // Nobody waits any more: the message is kept all the same.
                    let _ = reply.send(Ok(number));
                }
            }
            Output::Event(event) => self.queue.push(Event::Machine(event)),
        }
    }

    /// Commits what has gathered, unless a commit is under way.
    #[allow(clippy::disallowed_methods, reason = "a commit blocks; there is one at a time")]
    fn store(&mut self) {
        if self.storing.is_some() || self.unstored.is_empty() {
            return;
        }
        let (database, token) = (Arc::clone(&self.database), self.unstored_token);
        let operations = std::mem::take(&mut self.unstored);
        let commit = move || database.apply(&operations).map(|()| token);
        self.storing = Some(tokio::task::spawn_blocking(commit));
    }

    /// The steps of a close: settle, disconnect, let the application take what came in.
    async fn finish_closing(&mut self) -> Flow {
        if let Some(Closing::Until { deadline, reply }) = &mut self.closing {
            let is_over = Clock::is_past(*deadline);
            if !(self.core.is_idle() || self.core.is_stopped() || is_over) {
                return Flow::On;
            }
            let (reply, unsettled) = (reply.take(), self.core.unsettled());
            self.closing = Some(Closing::Closed);
            self.connecting = None;
            self.disconnect().await;
            if let Some(reply) = reply {
                let _ = reply.send(Closed { unsettled });
            }
        }
        let is_stored = self.storing.is_none() && self.unstored.is_empty();
        let is_closed = matches!(self.closing, Some(Closing::Closed));
        if is_closed && is_stored && self.queue.is_done() { Flow::Finished } else { Flow::On }
    }

    async fn disconnect(&mut self) {
        self.connecting = None;
        if let Some(transport) = self.transport.take() {
            transport.shut_down().await;
        }
    }

    fn tell_failure(&mut self, error: ConnectError) {
        let text = error.to_string();
        if self.failure_told.as_ref() != Some(&text) {
            self.failure_told = Some(text);
            self.queue.push(Event::ConnectFailed(Arc::new(error)));
        }
    }
}

/// Waits for what there is; for ever if there is nothing.
async fn when<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// A commit that panicked counts as an unreadable database: nothing is known about it.
fn flatten(
    stored: Result<Result<StoreToken, DatabaseError>, tokio::task::JoinError>,
) -> Result<StoreToken, DatabaseError> {
    stored.unwrap_or(Err(DatabaseError::Panicked))
}
