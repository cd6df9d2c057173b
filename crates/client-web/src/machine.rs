//! One device, as strings and bytes.

use bytes::Bytes;
use iris_client_core::{ClientCore, Config, Now, Output, StoreToken};
use iris_types::{DeviceId, Monotonic, Timestamp, UserId};

use crate::command::{Command, CommandError};
use crate::view::{MarkView, OutputView, RestoredView, ViewError};

/// A [`ClientCore`] that speaks JSON. Methods as there; times are milliseconds.
#[derive(Debug)]
pub struct Machine {
    core: ClientCore,
    outputs: Vec<Output>,
}

/// Why a machine cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Name(ViewError),
    /// The local database gave back what was never put there.
    #[error("the local database is damaged: {0}")]
    Database(ViewError),
}

impl Machine {
    /// `restored`: what the local database has, as JSON. `seed`: fresh randomness.
    ///
    /// # Errors
    /// [`StartError`] for a name that breaks the rules, or a database that makes no sense.
    pub fn new(user: &str, device: &str, restored: &str, seed: u64) -> Result<Self, StartError> {
        let user = UserId::new(user).map_err(|error| StartError::Name(error.into()))?;
        let device = DeviceId::new(device).map_err(|error| StartError::Name(error.into()))?;
        let restored: RestoredView =
            serde_json::from_str(restored).map_err(|error| StartError::Database(error.into()))?;
        let restored = restored.try_into().map_err(StartError::Database)?;
        let core = ClientCore::new(Config::new(user, device), restored, seed);
        Ok(Self { core, outputs: Vec::new() })
    }

    /// The transport is open.
    pub fn connected(&mut self, token: &str, wall: u64, monotonic: u64) {
        self.core.connected(Bytes::copy_from_slice(token.as_bytes()), now(wall, monotonic));
    }

    /// Bytes arrived.
    pub fn received(&mut self, bytes: &[u8], wall: u64, monotonic: u64) {
        self.core.received(bytes, now(wall, monotonic));
    }

    /// The transport is closed, or could not be opened.
    pub fn disconnected(&mut self, wall: u64, monotonic: u64) {
        self.core.disconnected(now(wall, monotonic));
    }

    /// The operations up to this token are durable.
    pub fn stored(&mut self, token: u64) {
        self.core.stored(StoreToken(token));
    }

    /// Takes a [`Command`] as JSON; gives the number of the send or of the question.
    ///
    /// # Errors
    /// [`CommandError`]; nothing has changed then.
    pub fn command(&mut self, command: &str, wall: u64, monotonic: u64) -> Result<u64, CommandError> {
        Command::parse(command)?.give(&mut self.core, now(wall, monotonic))
    }

    /// The application took the event of this mark, a [`MarkView`] as JSON.
    ///
    /// # Errors
    /// [`ViewError`] when it is none.
    pub fn handed_over(&mut self, mark: &str) -> Result<(), ViewError> {
        let mark: MarkView = serde_json::from_str(mark)?;
        self.core.handed_over(mark.into());
        Ok(())
    }

    /// Ends a turn: the list of [`OutputView`]s, as JSON.
    pub fn turn(&mut self, wall: u64, monotonic: u64) -> String {
        self.core.turn(now(wall, monotonic), &mut self.outputs);
        let outputs: Vec<OutputView> = self.outputs.drain(..).map(|output| (&output).into()).collect();
        // Strings and numbers always have a JSON.
        serde_json::to_string(&outputs).unwrap_or_default()
    }

    /// The bytes to be sent, whole frames; empty when there are none.
    pub fn transmit(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.core.transmit(&mut out);
        out
    }

    /// When the next turn is due.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.core.deadline().map(|at| at.0)
    }

    /// Sends that the server has not answered for good.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.core.unsettled()
    }

    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.core.is_idle()
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.core.is_ready()
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.core.is_stopped()
    }
}

const fn now(wall: u64, monotonic: u64) -> Now {
    Now { wall: Timestamp(wall), monotonic: Monotonic(monotonic) }
}
