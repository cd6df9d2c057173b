//! What a load run counts.

use std::collections::BTreeMap;

use anyhow::Result;
use hdrhistogram::Histogram;
use iris_protocol::ServerFrame;
use serde_json::{Value, json};

/// Latencies beyond this count as this: two minutes, in microseconds.
const LATENCY_US_MAX: u64 = 120_000_000;

/// Durations in microseconds with three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?))
    }

    pub(crate) fn record_us(&mut self, us: u64) {
        self.0.saturating_record(us.max(1));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        in_ms(self.0.value_at_quantile(share))
    }

    /// `null` when nothing was measured.
    pub(crate) fn json(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        json!({
            "p50": self.quantile_ms(0.5),
            "p99": self.quantile_ms(0.99),
            "p999": self.quantile_ms(0.999),
            "max": in_ms(self.0.max()),
        })
    }
}

#[allow(clippy::cast_precision_loss)] // far below 2^52
fn in_ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

/// Counters of a run. Those of the window are only raised while it is open.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) shown: u64,
    /// Sends refused for good, and refusals of whole connections.
    pub(crate) errors: u64,
    /// Connections lost while they were needed.
    pub(crate) disconnects: u64,
    /// Messages that came under a second place, on the wire or in the application.
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    /// Entries that came again at their place, as they may after a reconnect or for a slow reader.
    pub(crate) redelivered: u64,
    /// Refused requests on the wire, by the name of the reason; clients try most of them again.
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    pub(crate) window: Window,
}

/// The measured part of a run.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) from_us: u64,
    pub(crate) until_us: u64,
    pub(crate) acked: u64,
    pub(crate) shown: u64,
    pub(crate) send_to_ack: Latency,
    pub(crate) send_to_receive: Latency,
}

impl Tally {
    /// With a window that never opens.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            sent: 0,
            acked: 0,
            shown: 0,
            errors: 0,
            disconnects: 0,
            duplicated: 0,
            reordered: 0,
            redelivered: 0,
            refusals: BTreeMap::new(),
            window: Window::new(u64::MAX, u64::MAX)?,
        })
    }

    /// Counts the frame if it refuses something.
    pub(crate) fn arrived(&mut self, frame: &ServerFrame) {
        if let ServerFrame::Refused(frame) = frame {
            *self.refusals.entry(frame.refusal.code.name()).or_default() += 1;
        }
    }

    pub(crate) fn acknowledged(&mut self, intended_us: u64, at_us: u64) {
        self.acked += 1;
        let window = &mut self.window;
        window.acked += u64::from(window.holds(at_us));
        if window.holds(intended_us) {
            window.send_to_ack.record_us(at_us.saturating_sub(intended_us));
        }
    }

    pub(crate) fn received(&mut self, intended_us: u64, at_us: u64) {
        self.shown += 1;
        let window = &mut self.window;
        window.shown += u64::from(window.holds(at_us));
        if window.holds(intended_us) {
            window.send_to_receive.record_us(at_us.saturating_sub(intended_us));
        }
    }
}

impl Window {
    pub(crate) fn new(from_us: u64, until_us: u64) -> Result<Self> {
        let (send_to_ack, send_to_receive) = (Latency::new()?, Latency::new()?);
        Ok(Self { from_us, until_us, acked: 0, shown: 0, send_to_ack, send_to_receive })
    }

    fn holds(&self, at_us: u64) -> bool {
        (self.from_us..self.until_us).contains(&at_us)
    }

    #[allow(clippy::cast_precision_loss)] // far below 2^52
    pub(crate) fn seconds(&self) -> f64 {
        self.until_us.saturating_sub(self.from_us) as f64 / 1e6
    }

    #[allow(clippy::cast_precision_loss)] // far below 2^52
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.seconds()
    }
}
