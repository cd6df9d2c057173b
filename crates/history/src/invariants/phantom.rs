//! I2: what anybody sees was sent: by that sender, to that conversation, with that body. What was refused for
//! good never appears.

use iris_types::ErrorCode;

use crate::index::{Index, Invoked};
use crate::record::{Addressee, Device, Seen, User};
use crate::step::Step;
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
    if seen.body != 0 && seen.body != invoked.body && !is_departure(index, &invoked, seen) {
        return Some("its body is another");
    }
    if send.ok.is_none() && send.failed.is_some_and(|(_, code)| proves_absence(code)) {
        return Some("it was refused");
    }
    let is_elsewhere = match invoked.to {
        Addressee::Group(group) => group != seen.conversation,
        Addressee::User(to) => {
            let pair = (invoked.from.min(to), invoked.from.max(to));
            let known = pairs.get_mut(seen.conversation.index())?;
            *known.get_or_insert(pair) != pair
        }
    };
    is_elsewhere.then_some("it was sent to another conversation")
}

/// Who leaves names no heir, the server does; to remove oneself is to leave.
fn is_departure(index: &Index<'_>, invoked: &Invoked, seen: &Seen) -> bool {
    let asked = index.history.step(invoked.body);
    let is_leaving = matches!(asked, Some(Step::Left { .. }))
        || matches!(asked, Some(Step::Removed { user }) if user == invoked.from);
    is_leaving && matches!(index.history.step(seen.body), Some(Step::Left { .. }))
}

/// These say nothing about an attempt with the same id, before or on another connection: what they depend on changes.
fn proves_absence(code: u16) -> bool {
    use ErrorCode::{
        GroupFull, IdConflict, IdTooOld, NotAccepted, NotAllowed, NotMember, UnknownConversation,
        UnknownMember,
    };
    let depends_on_time = [
        IdConflict,
        IdTooOld,
        NotMember,
        GroupFull,
        NotAllowed,
        UnknownMember,
        NotAccepted,
        UnknownConversation,
    ];
    !depends_on_time.iter().any(|one| *one as u16 == code)
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
