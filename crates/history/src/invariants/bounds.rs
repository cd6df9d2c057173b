//! I23: nothing grows beyond its bound, and what idles returns to its baseline. Needs the observations `Size`
//! and `Idle`.

use crate::index::Index;
use crate::record::{Fact, Observation};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    for (number, record) in index.history.records.iter().enumerate() {
        match record.fact {
            Fact::Observed(Observation::Size { what, value, bound }) if value > bound => {
                findings.add(&[number], || format!("size {what} reached {value}, its bound is {bound}"));
            }
            Fact::Observed(Observation::Idle { what, value, baseline }) if value > baseline => {
                findings
                    .add(&[number], || format!("size {what} stays at {value}, its baseline is {baseline}"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Observation::{Idle, Size};
    use crate::story::Story;
    use crate::violation::Invariant::Bounds;

    #[test]
    fn legal() {
        // Full to the brim is within the bound.
        Story::new()
            .observed(Size { what: 0, value: 8, bound: 8 })
            .observed(Idle { what: 0, value: 0, baseline: 0 })
            .must_pass(Bounds);
    }

    #[test]
    fn illegal() {
        Story::new().observed(Size { what: 0, value: 9, bound: 8 }).must_fail(Bounds);
        Story::new().observed(Idle { what: 0, value: 1, baseline: 0 }).must_fail(Bounds);
    }
}
