//! I15: a position of a log holds one chunk, a place one message; an epoch of a vnode belongs to one log, and
//! epochs never go back in the order of commits. Needs the observations `Chunk` and `Durable`.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::{Index, Place};
use crate::record::{Fact, Message, Observation};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut chunks: BTreeMap<(u32, u64), (u64, usize)> = BTreeMap::new();
    let mut vnodes = Vnodes::default();
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Observed(observation) = record.fact else { continue };
        match observation {
            Observation::Chunk { log, position, chunk } => {
                let (known, at) = *chunks.entry((log, position)).or_insert((chunk, number));
                if known != chunk {
                    findings
                        .add(&[at, number], || format!("position {position} of log {log} holds two chunks"));
                }
            }
            Observation::Durable { log, position, vnode, epoch, conversation, seq, message } => {
                let place = Place { conversation, seq };
                vnodes.take(findings, number, (log, position), (vnode, epoch), (place, message));
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Vnodes {
    places: BTreeMap<Place, (Message, usize)>,
    /// What was seen before is a replay, and proves nothing about order.
    seen: BTreeSet<(u32, u64, Place)>,
    epochs: BTreeMap<u32, (u64, usize)>,
    logs: BTreeMap<(u32, u64), (u32, usize)>,
}

impl Vnodes {
    fn take(
        &mut self,
        findings: &mut Findings,
        number: usize,
        (log, position): (u32, u64),
        (vnode, epoch): (u32, u64),
        (place, message): (Place, Message),
    ) {
        let (known, at) = *self.places.entry(place).or_insert((message, number));
        if known != message {
            findings.add(&[at, number], || format!("{place} was committed with two messages"));
        }
        let (owner, at) = *self.logs.entry((vnode, epoch)).or_insert((log, number));
        if owner != log {
            findings.add(&[at, number], || format!("epoch {epoch} of vnode {vnode} is in two logs"));
        }
        if !self.seen.insert((log, position, place)) {
            return;
        }
        let newest = self.epochs.entry(vnode).or_insert((epoch, number));
        if epoch < newest.0 {
            let (before, at) = *newest;
            findings.add(&[at, number], || {
                format!("vnode {vnode} committed in epoch {epoch} after epoch {before}")
            });
        }
        *newest = (*newest).max((epoch, number));
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Observation;
    use crate::story::Story;
    use crate::violation::Invariant::OneWriter;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").send("alice/a", "m2", "bob")
    }

    #[test]
    fn legal() {
        // A chunk is seen again by replays, the last time when the next owner has begun.
        let chunk = Observation::Chunk { log: 0, position: 1, chunk: 7 };
        sent()
            .observed(chunk)
            .durable("m1", (0, 1), 1, 1)
            .observed(chunk)
            .durable("m2", (1, 1), 2, 2)
            .durable("m1", (0, 1), 1, 1)
            .must_pass(OneWriter);
    }

    #[test]
    fn illegal() {
        sent().durable("m1", (0, 1), 1, 1).durable("m2", (0, 2), 1, 1).must_fail(OneWriter);
        sent().durable("m1", (0, 1), 2, 1).durable("m2", (1, 1), 1, 2).must_fail(OneWriter);
        sent().durable("m1", (0, 1), 1, 1).durable("m2", (1, 1), 1, 2).must_fail(OneWriter);
        sent()
            .observed(Observation::Chunk { log: 0, position: 1, chunk: 7 })
            .observed(Observation::Chunk { log: 0, position: 1, chunk: 8 })
            .must_fail(OneWriter);
    }
}
