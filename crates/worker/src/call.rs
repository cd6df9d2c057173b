//! Work for the engine, as plain data.

/// A worker's name for a call that runs. Never used twice by one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Work for the engine: carried out by [`crate::execute()`], blocking. Opaque to the driver.
#[derive(Debug)]
pub struct Call(pub(crate) Work);

/// What became of a [`Call`]. Opaque to the driver.
#[derive(Debug)]
pub struct CallResult(pub(crate) Outcome);

/// Which thread a call should run on, so that slow work does not hold up quick work. Calls of one lane may run
/// one after the other; no call waits for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Appends to the own log: at most one at a time, the pulse of everything.
    Log,
    /// Loads and pages: many, short, may run side by side.
    Read,
    /// Flushes, merges, registers, take-over: few, long.
    Write,
}

impl Call {
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.0.lane()
    }
}

#[derive(Debug)]
pub(crate) enum Work {}

#[derive(Debug)]
pub(crate) enum Outcome {}

impl Work {
    fn lane(&self) -> Lane {
        match *self {}
    }
}
