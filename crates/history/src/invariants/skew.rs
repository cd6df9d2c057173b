//! I26: skewed and jumping clocks let no id into a conversation that is dated ahead of the window or older than
//! duplicates are known. (That they change neither order nor duplicates, the other checkers show on skewed
//! recordings.)

use iris_types::limits::{DEDUP_WINDOW_MS, ID_AHEAD_MS_MAX};

use crate::index::Index;
use crate::record::{Fact, SendFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Send(SendFact::Ok { message, sent_at, .. }) = record.fact else { continue };
        if sent_at == 0 {
            continue;
        }
        let minted = minted(index.history.message_id(message).unwrap_or_default());
        if minted > sent_at + ID_AHEAD_MS_MAX || minted + DEDUP_WINDOW_MS < sent_at {
            findings.add(&[number], || {
                format!("message {} is dated {minted} and was committed at {sent_at}", index.name(message))
            });
        }
    }
}

/// The time in a UUID version 7.
fn minted(id: [u8; 16]) -> u64 {
    id[..6].iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use iris_types::limits::DEDUP_WINDOW_MS;

    use crate::story::Story;
    use crate::violation::Invariant::Skew;

    #[test]
    fn legal() {
        // A story's ids are dated 0. The clock jumps back between two commits: later place, earlier time.
        Story::new()
            .send("alice/a", "m1", "bob")
            .ok_at("alice/a", "m1", 1, DEDUP_WINDOW_MS)
            .send("alice/a", "m2", "bob")
            .ok_at("alice/a", "m2", 2, 5)
            .must_pass(Skew);
    }

    #[test]
    fn illegal() {
        Story::new()
            .send("alice/a", "m1", "bob")
            .ok_at("alice/a", "m1", 1, DEDUP_WINDOW_MS + 1)
            .must_fail(Skew);
    }

    #[test]
    fn an_id_dated_ahead_is_illegal() {
        let ahead = iris_types::MessageId::from_parts(iris_types::Timestamp(400_000), [0; 10]);
        let mut story = Story::new().send("alice/a", "m1", "bob");
        let message = story.history.message(ahead);
        let fact = crate::record::SendFact::Ok {
            message,
            conversation: crate::record::Conversation(0),
            seq: 1,
            sent_at: 99_999,
        };
        story.history.push(0, crate::record::Device(0), 0, crate::record::Fact::Send(fact));
        story.must_fail(Skew);
    }
}
