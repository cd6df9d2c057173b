//! I2: what anybody sees was sent: by that sender, to that conversation, with that body. What was refused for
//! good never appears.

use iris_types::ErrorCode;

use crate::index::Index;
use crate::record::{Device, Seen, User};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut pairs = vec![None; index.history.conversations()];
    for (record, _, device, seen) in index.sightings() {
        if let Some(problem) = problem_with(index, &mut pairs, &seen) {
            findings.add(&[record], || describe(index, device, &seen, problem));
        }
    }
}

fn problem_with(index: &Index<'_>, pairs: &mut [Option<(User, User)>], seen: &Seen) -> Option<&'static str> {
    let send = index.send(seen.message);
    let Some(invoked) = send.invoked else { return Some("nobody sent it") };
    if invoked.from != seen.from {
        return Some("somebody else sent it");
    }
    if seen.body != 0 && seen.body != invoked.body {
        return Some("its body is another");
    }
    if send.ok.is_none() && send.failed.is_some_and(|(_, code)| proves_absence(code)) {
        return Some("it was refused");
    }
    let pair = (invoked.from.min(invoked.to), invoked.from.max(invoked.to));
    let known = pairs.get_mut(seen.conversation.index())?;
    (*known.get_or_insert(pair) != pair).then_some("it was sent to another conversation")
}

/// Two refusals say nothing about an earlier attempt with the same id.
fn proves_absence(code: u16) -> bool {
    code != ErrorCode::IdConflict as u16 && code != ErrorCode::IdTooOld as u16
}

fn describe(index: &Index<'_>, device: Device, seen: &Seen, problem: &str) -> String {
    let (name, device) = (index.name(seen.message), index.device_name(device));
    format!("message {name} at {} was seen by {device}: {problem}", seen.place())
}

#[cfg(test)]
mod tests {
    use iris_types::ErrorCode;

    use crate::story::Story;
    use crate::violation::Invariant::Phantom;

    #[test]
    fn legal() {
        // Indeterminate, and it shows up late; a conflict that says nothing about the first attempt.
        Story::new()
            .send("alice/a", "m1", "bob")
            .info("alice/a", "m1")
            .shown("bob/b", "m1", 1)
            .must_pass(Phantom);
        Story::new()
            .send("alice/a", "m1", "bob")
            .fail("alice/a", "m1", ErrorCode::IdTooOld as u16)
            .shown("bob/b", "m1", 1)
            .must_pass(Phantom);
        // Shown before the sender hears of it.
        Story::new()
            .send("alice/a", "m1", "bob")
            .shown("bob/b", "m1", 1)
            .ok("alice/a", "m1", 1)
            .must_pass(Phantom);
    }

    #[test]
    fn illegal() {
        Story::new().shown("bob/b", "m1", 1).must_fail(Phantom);
        Story::new().send("alice/a", "m1", "bob").shown_garbled("bob/b", "m1", 1).must_fail(Phantom);
        Story::new()
            .send("alice/a", "m1", "bob")
            .fail("alice/a", "m1", ErrorCode::InvalidBody as u16)
            .delivered("bob/b", "m1", 1, 1)
            .must_fail(Phantom);
        // Two conversations run into each other.
        Story::new()
            .send("alice/a", "m1", "bob")
            .send("carol/c", "m2", "bob")
            .read("bob/b", "alice", &[("m1", 1), ("m2", 2)])
            .must_fail(Phantom);
    }
}
