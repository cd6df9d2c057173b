//! I12: a send has one place for ever, whatever was retried, restarted or repeated; a repeat with the same body
//! gets the first answer, one with another body a conflict. Only an id older than the window is refused.

use iris_types::ErrorCode;

use crate::index::{Index, Place};
use crate::record::{Fact, Message, Observation, RepeatFact, SendFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    check_places(index, findings);
    check_repeats(index, findings);
}

fn check_places(index: &Index<'_>, findings: &mut Findings) {
    let mut places: Vec<(Message, Place, usize)> =
        index.sightings().map(|(record, _, _, seen)| (seen.message, seen.place(), record)).collect();
    for (number, record) in index.history.records.iter().enumerate() {
        let (message, conversation, seq) = match record.fact {
            Fact::Send(SendFact::Ok { message, conversation, seq, .. })
            | Fact::Observed(Observation::Durable { message, conversation, seq, .. }) => {
                (message, conversation, seq)
            }
            _ => continue,
        };
        places.push((message, Place { conversation, seq }, number));
    }
    places.sort_unstable();
    for pair in places.windows(2).filter(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1) {
        findings.add(&[pair[0].2, pair[1].2], || {
            format!("message {} has {} and {}", index.name(pair[0].0), pair[0].1, pair[1].1)
        });
    }
}

fn check_repeats(index: &Index<'_>, findings: &mut Findings) {
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Repeat(repeat) = record.fact else { continue };
        let (RepeatFact::Ok { message, .. } | RepeatFact::Fail { message, .. }) = repeat;
        if let Some(problem) = problem_with(index, repeat) {
            findings.add(&[number], || format!("message {} was repeated: {problem}", index.name(message)));
        }
    }
}

fn problem_with(index: &Index<'_>, repeat: RepeatFact) -> Option<&'static str> {
    match repeat {
        RepeatFact::Ok { message, body, conversation, seq } => {
            let first = index.place(message)?;
            let same_body = index.send(message).invoked.is_some_and(|invoked| invoked.body == body);
            if !same_body {
                return Some("another body was acknowledged");
            }
            (first != Place { conversation, seq }).then_some("it got another place")
        }
        RepeatFact::Fail { message, body, code } => {
            let same_body = index.send(message).invoked.is_some_and(|invoked| invoked.body == body);
            let place = index.place(message);
            let too_old = code == ErrorCode::IdTooOld as u16;
            let conflict = code == ErrorCode::IdConflict as u16;
            match place {
                Some(_) if same_body && !too_old => Some("it is there, and the repeat was refused"),
                Some(_) if !same_body && !too_old && !conflict => Some("the conflict was not noticed"),
                None if same_body && conflict => Some("a conflict with nothing"),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use iris_types::ErrorCode;

    use crate::story::Story;
    use crate::violation::Invariant::Dedup;

    const CONFLICT: u16 = ErrorCode::IdConflict as u16;
    const TOO_OLD: u16 = ErrorCode::IdTooOld as u16;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").ok("alice/a", "m1", 1)
    }

    #[test]
    fn legal() {
        sent()
            .repeat_ok("alice/a", "m1", true, 1)
            .repeat_fail("alice/a", "m1", false, CONFLICT)
            .repeat_fail("alice/a", "m1", true, TOO_OLD)
            .must_pass(Dedup);
        // Indeterminate, never committed: the repeat is the first.
        Story::new()
            .send("alice/a", "m1", "bob")
            .info("alice/a", "m1")
            .repeat_ok("alice/a", "m1", true, 1)
            .must_pass(Dedup);
    }

    #[test]
    fn illegal() {
        sent().repeat_ok("alice/a", "m1", true, 2).must_fail(Dedup);
        sent().repeat_ok("alice/a", "m1", false, 1).must_fail(Dedup);
        sent().repeat_fail("alice/a", "m1", true, CONFLICT).must_fail(Dedup);
        sent().repeat_fail("alice/a", "m1", false, 500).must_fail(Dedup);
        sent().shown("bob/b", "m1", 2).must_fail(Dedup);
        sent().ok("alice/a", "m1", 2).must_fail(Dedup);
    }
}
