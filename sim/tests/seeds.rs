//! The simulator about itself: a few honest seeds pass, a seed always gives the same trace, a rule left out is
//! noticed. `iris-sim` runs many more.

use iris_sim::{campaign, run};
use iris_types::planted::Bug;

#[test]
fn honest_seeds_pass() {
    let summary = campaign::seeds(1, 4, None, 2, false);
    assert_eq!(summary.failures, Vec::new());
    assert!(summary.acked > 100 && summary.tally.flushes > 0, "{summary:?}");
}

#[test]
fn a_seed_repeats_exactly() {
    assert_eq!(campaign::unrepeatable(5, 2), Vec::<u64>::new());
    assert_ne!(run(5, None, 0).trace, run(6, None, 0).trace);
}

#[test]
fn a_rule_left_out_is_noticed() {
    for bug in [Bug::AckBeforeCommit, Bug::ClientAcksBeforeStore] {
        let caught = campaign::catch(bug, 5, 1);
        assert!(caught.is_some(), "{bug:?} was not noticed");
    }
}

#[test]
fn every_planted_bug_has_a_name() {
    for bug in campaign::BUGS {
        assert_eq!(campaign::bug_named(&format!("{bug:?}")), Some(*bug));
    }
    assert_eq!(campaign::bug_named("NoSuchBug"), None);
}
