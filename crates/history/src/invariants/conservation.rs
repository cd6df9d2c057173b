//! I21: every attempt has one outcome at most, no outcome lacks its attempt, and the client's own counters agree
//! with the records. Changes of groups are written down with each attempt of a request, and not counted.

use crate::index::Index;
use crate::record::{Fact, Observation, SendFact};
use crate::violation::Findings;

#[derive(Clone, Copy, Default)]
struct Outcome {
    invoked: u32,
    ok: bool,
    fail: bool,
    info: bool,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut outcomes = vec![Outcome::default(); index.history.messages()];
    let mut counted = None;
    for (number, record) in index.history.records.iter().enumerate() {
        if let Fact::Observed(Observation::Counted { attempted, acked, refused, indeterminate }) = record.fact
        {
            counted = Some((number, [attempted, acked, refused, indeterminate]));
        }
        let Fact::Send(fact) = record.fact else { continue };
        let (SendFact::Invoke { message, .. }
        | SendFact::Ok { message, .. }
        | SendFact::Fail { message, .. }
        | SendFact::Nothing { message }
        | SendFact::Info { message }) = fact;
        if index.is_change(message) {
            continue;
        }
        let Some(outcome) = outcomes.get_mut(message.index()) else { continue };
        outcome.take(fact);
        if outcome.is_odd() {
            findings
                .add(&[number], || format!("message {} has two outcomes or no attempt", index.name(message)));
        }
    }
    if let Some((number, counted)) = counted {
        check_sums(findings, number, counted, &outcomes);
    }
}

fn check_sums(findings: &mut Findings, number: usize, counted: [u64; 4], outcomes: &[Outcome]) {
    let count = |which: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| which(outcome)).count() as u64;
    let (attempted, acked, refused) =
        (count(|outcome| outcome.invoked > 0), count(|outcome| outcome.ok), count(|outcome| outcome.fail));
    let recorded = [attempted, acked, refused, attempted.saturating_sub(acked + refused)];
    if recorded != counted {
        findings.add(&[number], || {
            format!("attempted, acked, refused, indeterminate: counted {counted:?}, recorded {recorded:?}")
        });
    }
}

impl Outcome {
    fn take(&mut self, fact: SendFact) {
        match fact {
            SendFact::Invoke { .. } => self.invoked += 1,
            // A second acknowledgement says the same (I12 checks that); it comes when the first was not kept.
            SendFact::Ok { .. } => self.ok = true,
            SendFact::Fail { .. } => self.fail = true,
            SendFact::Info { .. } | SendFact::Nothing { .. } => self.info = true,
        }
    }

    fn is_odd(self) -> bool {
        let outcomes = u32::from(self.ok) + u32::from(self.fail) + u32::from(self.info);
        self.invoked != 1 || outcomes > 1
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Observation::Counted;
    use crate::story::Story;
    use crate::violation::Invariant::Conservation;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").ok("alice/a", "m1", 1).send("alice/a", "m2", "bob")
    }

    #[test]
    fn legal() {
        // The outcome of the second never came; the sender restarted and heard of the first again.
        sent()
            .ok("alice/a", "m1", 1)
            .observed(Counted { attempted: 2, acked: 1, refused: 0, indeterminate: 1 })
            .must_pass(Conservation);
    }

    #[test]
    fn illegal() {
        sent().fail("alice/a", "m1", 300).must_fail(Conservation);
        sent().ok("alice/a", "m3", 3).must_fail(Conservation);
        sent().info("alice/a", "m1").must_fail(Conservation);
        sent()
            .observed(Counted { attempted: 2, acked: 2, refused: 0, indeterminate: 0 })
            .must_fail(Conservation);
    }
}
