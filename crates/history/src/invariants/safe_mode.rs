//! I27: in safe mode no new send is accepted and reads are served; it begins before anything breaks and ends by
//! itself, when there is room again and not before. Needs the observations `SafeMode`, `Full`, `Arrived`,
//! `Durable`, `ReadRefused`, `Converged`.

use crate::index::Index;
use crate::record::{Fact, Observation};
use crate::violation::Findings;

/// Where a message has arrived so far.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Arrival {
    #[default]
    Never,
    InSafeMode(usize),
    InGoodTimes,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut arrivals = vec![Arrival::default(); index.history.messages()];
    let (mut on, mut full) = (false, false);
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Observed(observation) = record.fact else { continue };
        match observation {
            Observation::SafeMode { on: is } => {
                if on && !is && full {
                    findings.add(&[number], || "safe mode ended while the disk is full".to_owned());
                }
                on = is;
            }
            Observation::Full { is } => full = is,
            Observation::ReadRefused => {
                findings.add(&[number], || "a read was refused because the disk is full".to_owned());
            }
            Observation::Arrived { message } => {
                if let Some(arrival) = arrivals.get_mut(message.index()) {
                    arrival.take(on, number);
                }
            }
            Observation::Durable { message, .. } => {
                if let Some(Arrival::InSafeMode(at)) = arrivals.get(message.index()).copied() {
                    findings.add(&[at, number], || {
                        format!("message {} came in safe mode only and was accepted", index.name(message))
                    });
                }
            }
            Observation::Converged if on && !full => {
                findings.add(&[number], || "safe mode stays although there is room".to_owned());
            }
            _ => {}
        }
    }
}

impl Arrival {
    fn take(&mut self, in_safe_mode: bool, number: usize) {
        *self = match (*self, in_safe_mode) {
            (_, false) | (Self::InGoodTimes, _) => Self::InGoodTimes,
            (Self::Never, true) => Self::InSafeMode(number),
            (Self::InSafeMode(first), true) => Self::InSafeMode(first),
        };
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Observation::{Converged, Full, ReadRefused, SafeMode};
    use crate::story::Story;
    use crate::violation::Invariant::SafeMode as Rule;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob")
    }

    #[test]
    fn legal() {
        // Gathered before, committed in safe mode; refused in it, retried after it.
        sent().arrived("m1").observed(SafeMode { on: true }).durable("m1", (0, 1), 1, 1).must_pass(Rule);
        sent()
            .observed(Full { is: true })
            .observed(SafeMode { on: true })
            .arrived("m1")
            .observed(Full { is: false })
            .observed(SafeMode { on: false })
            .arrived("m1")
            .durable("m1", (0, 1), 1, 1)
            .observed(Converged)
            .must_pass(Rule);
    }

    #[test]
    fn illegal() {
        sent().observed(SafeMode { on: true }).arrived("m1").durable("m1", (0, 1), 1, 1).must_fail(Rule);
        sent().observed(SafeMode { on: true }).observed(ReadRefused).must_fail(Rule);
        sent()
            .observed(SafeMode { on: true })
            .observed(Full { is: true })
            .observed(SafeMode { on: false })
            .must_fail(Rule);
        sent().observed(SafeMode { on: true }).observed(Converged).must_fail(Rule);
    }
}
