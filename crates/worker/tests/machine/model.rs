//! Random histories against a plain model: whatever was acknowledged is there, once, in order, after any number
//! of crashes, flushes, merges, doubts and evictions.

use std::collections::BTreeMap;

use iris_store::Doubt;
use iris_store::memory::Landing;
use iris_types::MessageId;
use iris_types::request::{RequestId, SendMessage};
use iris_worker::WorkerLimits;

use crate::world::*;

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

#[derive(Default)]
struct Model {
    /// By pair of users, lower first: text by seq.
    acknowledged: BTreeMap<(String, String), BTreeMap<u64, String>>,
    in_doubt: Vec<(RequestId, String, SendMessage)>,
    by_id: BTreeMap<MessageId, u64>,
}

impl Model {
    fn settle(&mut self, world: &World) {
        let answered = |(request, from, send): &(RequestId, String, SendMessage)| {
            let sent = sent(world.answer(*request)?);
            Some((from.clone(), send.clone(), sent))
        };
        let done: Vec<_> = self.in_doubt.iter().filter_map(answered).collect();
        self.in_doubt.retain(|(request, _, _)| world.answer(*request).is_none());
        for (from, send, sent) in done {
            let Ok(sent) = sent else { continue };
            let iris_types::Target::User(to) = &send.to else { panic!("a direct send") };
            let to = to.to_string();
            let pair = if from <= to { (from, to) } else { (to, from) };
            let text = send.body.as_text().unwrap().to_owned();
            let known = self.by_id.insert(send.id, sent.seq.0);
            assert!(known.is_none_or(|seq| seq == sent.seq.0), "{} has two seqs", send.id);
            let before = self.acknowledged.entry(pair).or_default().insert(sent.seq.0, text.clone());
            assert!(before.is_none_or(|before| before == text), "seq {} given twice", sent.seq.0);
        }
    }
}

fn name(number: u64) -> String {
    format!("user{number}")
}

fn run(seed: u64, workers: u16, limits: WorkerLimits) {
    let mut random = Random(seed | 1);
    let mut world = World::new(workers, limits);
    let mut model = Model::default();
    for step in 0..300 {
        match random.below(20) {
            0 => world.pass(random.below(40_000)),
            1 => world.restart(),
            2 => {
                world.hold =
                    vec![["append", "flush", "load", "compare and set", "merge"][random.below(5) as usize]]
            }
            3 => world.release(),
            4 => {
                let landing = [Landing::Landed, Landing::Late, Landing::Lost][random.below(3) as usize];
                world.engine.doubt_next_append(landing, Doubt::NoAnswer);
            }
            5 => {
                // A retry of something in doubt.
                if let Some((_, from, send)) = model.in_doubt.first().cloned() {
                    let request = world.begin(&from, send.clone());
                    model.in_doubt.push((request, from, send));
                }
            }
            6 => {
                let user = name(random.below(6));
                let login = world.login(&user, "d");
                let index = world_index(&user, workers);
                world.tell(index, iris_worker::Input::Attach { session: session(&user), login });
            }
            _ => {
                let (from, to) = (name(random.below(6)), name(random.below(6)));
                let id = world.id();
                let send = message(id, &to, &format!("step {step}"));
                let request = world.begin(&from, send.clone());
                model.in_doubt.push((request, from, send));
            }
        }
        world.run();
        model.settle(&world);
    }
    world.release();
    world.pass(3_000);
    world.restart();
    world.pass(3_000);
    model.settle(&world);
    for ((one, other), texts) in &model.acknowledged {
        let history: BTreeMap<u64, String> = world.history(one, other, 50).into_iter().collect();
        for (seq, text) in texts {
            assert_eq!(history.get(seq), Some(text), "seed {seed}: {one} and {other}, seq {seq}");
        }
        assert!(history.keys().copied().eq(1..=history.len() as u64), "seed {seed}: a hole");
    }
    for number in 0..6 {
        check_inbox(&mut world, &name(number), seed);
    }
}

/// The inbox holds each conversation's history, in order.
fn check_inbox(world: &mut World, user: &str, seed: u64) {
    let (gap, entries) = world.inbox(user, 0);
    assert_eq!(gap, None);
    let texts: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
    let mut total = 0;
    for (other, _) in world.conversations(user, 50) {
        let history: Vec<String> =
            world.history(user, &other, 50).into_iter().map(|(_, text)| text).collect();
        let received: Vec<String> = texts.iter().filter(|text| history.contains(text)).cloned().collect();
        assert_eq!(received, history, "seed {seed}: {user} and {other}");
        total += history.len();
    }
    assert_eq!(texts.len(), total, "seed {seed}: {user}");
}

fn world_index(name: &str, workers: u16) -> usize {
    let count = iris_types::placement::VnodeCount::new(16).unwrap();
    usize::from(count.of_user(&user(name)).0 % workers)
}

#[test]
fn nothing_acknowledged_is_ever_lost_doubled_or_reordered() {
    let first: u64 = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + 16 {
        let limits = match seed % 4 {
            0 => WorkerLimits::default(),
            1 => WorkerLimits { waits_for_recipient: false, ..small() },
            2 => WorkerLimits { linger_ms: 2, flush_bytes: 500, log_tail_bytes_max: 5_000, ..small() },
            _ => small(),
        };
        run(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1 + u16::try_from(seed % 3).unwrap(), limits);
    }
}
