//! I25: once the faults are over, every outbox drains and every device has everything, in bounded time. Needs
//! the observations `Healed`, `Converged`, `OutboxLeft`.

use crate::index::Index;
use crate::record::{Fact, Observation};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut healed: Option<(usize, u64)> = None;
    let mut end = 0;
    for (number, record) in index.history.records.iter().enumerate() {
        end = record.t;
        match record.fact {
            Fact::Observed(Observation::Healed { bound_ms }) => healed = Some((number, record.t + bound_ms)),
            Fact::Observed(Observation::Converged) => {
                if let Some((at, deadline)) = healed.take()
                    && record.t > deadline
                {
                    let late = record.t - deadline;
                    findings.add(&[at, number], || format!("settled {late} ms later than allowed"));
                }
            }
            Fact::Observed(Observation::OutboxLeft { count }) if count > 0 => {
                findings.add(&[number], || {
                    format!("{count} sends are left in the outbox of {}", index.device_name(record.process))
                });
            }
            _ => {}
        }
    }
    if let Some((at, deadline)) = healed {
        findings.add(&[at], || format!("not settled at {end}, the end; allowed until {deadline}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Observation::{Converged, Healed, OutboxLeft};
    use crate::story::Story;
    use crate::violation::Invariant::Liveness;

    #[test]
    fn legal() {
        // Twice healed, each time settled; nothing is owed while faults go on.
        Story::new()
            .wait(99_999)
            .observed(Healed { bound_ms: 10 })
            .wait(10)
            .observed(Converged)
            .observed(Healed { bound_ms: 5 })
            .observed(Converged)
            .observed(OutboxLeft { count: 0 })
            .must_pass(Liveness);
        Story::new().send("alice/a", "m1", "bob").must_pass(Liveness);
    }

    #[test]
    fn illegal() {
        Story::new().observed(Healed { bound_ms: 10 }).wait(11).observed(Converged).must_fail(Liveness);
        Story::new().observed(Healed { bound_ms: 10 }).must_fail(Liveness);
        Story::new().observed(OutboxLeft { count: 1 }).must_fail(Liveness);
    }
}
