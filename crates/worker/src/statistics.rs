//! Plain counters of one worker.

/// Counted since the worker was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Messages decided anew.
    pub sends: u64,
    /// Sends answered with an earlier result.
    pub duplicates: u64,
    /// Messages refused because their authors send more than they may.
    pub rate_limited: u64,
    /// Requests refused, for whatever reason.
    pub refusals: u64,
    /// Inbox entries decided.
    pub inbox_entries: u64,
    /// Forwards that went through a queued stream, and those that took the short cut.
    pub forwards: u64,
    pub shortcuts: u64,
    pub chunks: u64,
    pub chunk_bytes: u64,
    pub flushes: u64,
    /// Runs written by flushes, merges and expiry.
    pub runs: u64,
    pub merges: u64,
    /// Calls that loaded state or pages.
    pub loads: u64,
    pub evictions: u64,
    /// Gauges: bytes of memory tables, bytes of loaded state, live sessions, requests that wait for a load.
    pub dirty_bytes: u64,
    pub state_bytes: u64,
    pub sessions: u64,
    pub waiting: u64,
    /// Bytes of indexes and filters of runs in memory, as of the last change of runs (gauge).
    pub index_bytes: u64,
    /// Bytes of the own log behind the oldest `start` (gauge).
    pub log_tail_bytes: u64,
    /// From arrival of a request that changes something to its chunk durable.
    pub storage_write: Histogram,
}

/// Durations in buckets a quarter of a power of two wide: 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, ... ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; Self::BUCKETS],
    max_ms: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; Self::BUCKETS], max_ms: 0 }
    }
}

impl Histogram {
    /// Covers up to 2^20 ms.
    pub const BUCKETS: usize = 76;

    pub fn record_ms(&mut self, ms: u64) {
        if let Some(count) = self.counts.get_mut(bucket(ms)) {
            *count += 1;
        }
        self.max_ms = self.max_ms.max(ms);
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    #[must_use]
    pub const fn max_ms(&self) -> u64 {
        self.max_ms
    }

    /// Upper end, in milliseconds, of the bucket in which the given share (0.0 to 1.0) of all values is reached.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn percentile_ms(&self, share: f64) -> u64 {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return upper(index).min(self.max_ms);
            }
        }
        self.max_ms
    }

    /// Adds another worker's values.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.max_ms = self.max_ms.max(other.max_ms);
    }
}

/// 0 to 7 have a bucket each; from 8 on four buckets per power of two.
fn bucket(ms: u64) -> usize {
    if ms < 8 {
        return usize::try_from(ms).unwrap_or(0);
    }
    let power = ms.ilog2();
    let quarter = (ms >> (power - 2)) & 3;
    let index = 8 + u64::from(power - 3) * 4 + quarter;
    usize::try_from(index).unwrap_or(usize::MAX).min(Histogram::BUCKETS - 1)
}

fn upper(index: usize) -> u64 {
    if index < 8 {
        return index as u64;
    }
    let (power, quarter) = ((index - 8) / 4 + 3, (index - 8) % 4);
    ((4 + quarter as u64 + 1) << (power - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for ms in (0..5_000).chain([100_000, 1 << 19]) {
            let index = bucket(ms);
            assert!(ms <= upper(index), "{ms}");
            assert!(index == 0 || ms > upper(index - 1), "{ms}");
        }
    }

    #[test]
    fn percentiles_read_what_was_recorded() {
        let mut histogram = Histogram::default();
        (0..100).for_each(|ms| histogram.record_ms(ms));
        assert_eq!((histogram.count(), histogram.max_ms()), (100, 99));
        assert_eq!(histogram.percentile_ms(1.0), 99);
        assert!((48..=55).contains(&histogram.percentile_ms(0.5)));
        assert_eq!(Histogram::default().percentile_ms(0.99), 0);
    }
}
