//! The machine.

use std::vec::Drain;

use iris_types::{Monotonic, Timestamp};

use crate::{Input, Output, Statistics, WorkerConfig};

/// Hosts vnodes and their log. See the crate's page.
pub struct Worker {
    outputs: Vec<Output>,
    statistics: Statistics,
}

impl Worker {
    /// A worker that begins its take-over: carry out its outputs until it says [`Output::Ready`].
    #[must_use]
    pub fn new(_config: WorkerConfig, _now: Timestamp, _mono: Monotonic) -> Self {
        Self { outputs: Vec::new(), statistics: Statistics::default() }
    }

    /// Takes one input. Cheap; call it for everything that is there before asking for the outputs.
    pub fn handle(&mut self, _input: Input, _now: Timestamp, _mono: Monotonic) {}

    /// Ends a turn: forms the next chunk when none is in flight, and gives everything there is to do, in order.
    pub fn outputs(&mut self) -> Drain<'_, Output> {
        self.outputs.drain(..)
    }

    /// When to call [`Self::handle`] with [`Input::Tick`] at the latest; `None`: not before something happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        None
    }

    /// Counters and gauges as of now.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}
