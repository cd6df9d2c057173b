//! I35: from the answer to a block until somebody asks to lift it, no message of who is blocked is taken in that direct
//! conversation that was sent after that answer. (What was taken before keeps its answer: I12.)

use std::collections::BTreeMap;

use crate::index::Index;
use crate::notice::Wish;
use crate::record::{Fact, SendFact, User};
use crate::violation::Findings;
use crate::wished::FORGOTTEN_MS;

/// From a record on: one user takes no messages of another.
#[derive(Clone, Copy, Debug)]
struct Block {
    begin: usize,
    end: usize,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let blocks = blocks(index);
    let mut invoked = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        match record.fact {
            Fact::Send(SendFact::Invoke { message, .. }) => {
                invoked.insert(message, number);
            }
            Fact::Send(SendFact::Ok { message, .. }) => {
                let (Some(begun), Some(send)) = (invoked.get(&message), index.send(message).invoked) else {
                    continue;
                };
                let Some(to) = send.recipient() else { continue };
                let is_in = |block: &&Block| block.begin < *begun && number < block.end;
                let blocks = blocks.get(&(to, send.from)).map(Vec::as_slice).unwrap_or_default();
                if let Some(block) = blocks.iter().find(is_in) {
                    findings.add(&[block.begin, *begun, number], || {
                        format!("message {} was taken from who was blocked before", index.name(message))
                    });
                }
            }
            _ => {}
        }
    }
}

/// By who blocks and who is blocked.
fn blocks(index: &Index<'_>) -> BTreeMap<(User, User), Vec<Block>> {
    let time = |record: usize| index.history.records.get(record).map_or(0, |record| record.t);
    let mut blocks: BTreeMap<(User, User), Vec<Block>> = BTreeMap::new();
    for one in index.wished.iter().filter(|one| one.is_done()) {
        let (Wish::Block { user, on: true }, Some((begin, _))) = (one.wish, one.answered) else { continue };
        let lifts = || {
            let is_lift = |wish| matches!(wish, Wish::Block { user: of, on: false } if of == user);
            index.wished.iter().filter(move |other| other.user == one.user && is_lift(other.wish))
        };
        // One that may still be on its way could come last.
        let on_its_way = lifts().any(|lift| {
            let is_over = match lift.answered {
                Some((answered, _)) => answered < one.asked,
                None => time(lift.asked) + FORGOTTEN_MS < time(one.asked),
            };
            lift.asked < begin && !is_over
        });
        if !on_its_way {
            let end = lifts().map(|lift| lift.asked).find(|asked| *asked > begin).unwrap_or(usize::MAX);
            blocks.entry((one.user, user)).or_default().push(Block { begin, end });
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use crate::notice::Wish;
    use crate::story::Story;
    use crate::violation::Invariant::Blocking;

    fn block(story: Story, number: u32, on: bool) -> Story {
        let story = story.login("alice/a", number.into(), 0, 0);
        let user = story.named("alice");
        story.asked("bob/b", number, Wish::Block { user, on }).answered("bob/b", number)
    }

    #[test]
    fn legal() {
        // Sent before the answer came; refused; after it was lifted; the other way round.
        let story = block(Story::new().send("alice/a", "m1", "bob"), 1, true)
            .ok("alice/a", "m1", 1)
            .send("alice/a", "m2", "bob")
            .fail("alice/a", "m2", 405)
            .send("bob/b", "m3", "alice")
            .ok("bob/b", "m3", 2);
        block(story, 2, false).send("alice/a", "m4", "bob").ok("alice/a", "m4", 3).must_pass(Blocking);
    }

    #[test]
    fn illegal() {
        block(Story::new(), 1, true).send("alice/a", "m1", "bob").ok("alice/a", "m1", 1).must_fail(Blocking);
        let story = block(block(Story::new(), 1, false), 2, true);
        story.send("alice/a", "m1", "bob").ok("alice/a", "m1", 1).must_fail(Blocking);
    }
}
