//! Rot, from disk to user: every byte of a small data directory is flipped, one at a time, after a clean stop and
//! after a kill right behind an acknowledgement. The start is refused, or what needs the byte is answered with
//! "data_corrupt", or all that users can see is as it was. The last acknowledged frame is no exception.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cut;
mod quarantine;
mod server;
mod view;

use iris_store_local::SimDisk;
use iris_types::{MessageId, Timestamp};
use server::{By, KEYS, Server, make_keys, message, sent};
use view::{Acknowledged, Chain, REVOKED, TOKEN, USERS, look, shown};

/// The life in which a damaged copy is looked at, and the one after it.
const LOOKING: u8 = 9;
const LOOKING_AGAIN: u8 = 10;
/// Every so many bytes the damaged copy also has to flush, to stop, to start again and to show the same.
const STRIDE: u64 = 16;
/// Every so many bytes of a spare segment are flipped: it holds nothing.
const SPARE_STRIDE: usize = 64;

/// A data directory, what was acknowledged to its users, and what they see.
struct Store {
    disk: SimDisk,
    messages: Vec<Acknowledged>,
    expected: Vec<Chain>,
}

/// What became of flips.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcomes {
    refused_by_the_store: u64,
    refused_for_the_keys: u64,
    refused_by_the_worker: u64,
    corrupt: u64,
    equal: u64,
}

/// Sends and notes what was acknowledged.
struct Author {
    messages: Vec<Acknowledged>,
}

impl Author {
    fn send(&mut self, server: &mut Server, from: &'static str, to: &'static str) {
        let (id, text) = self.next(server);
        let sent = server.send(from, to, id, &text);
        self.messages.push(Acknowledged { from, to, id, text, sent });
    }

    fn send_and_hold(&mut self, server: &mut Server, from: &'static str, to: &'static str) {
        let (id, text) = self.next(server);
        let answer = server.ask_and_hold(from, message(id, to, &text));
        self.messages.push(Acknowledged { from, to, id, text, sent: sent(answer).unwrap() });
    }

    fn next(&self, server: &Server) -> (MessageId, String) {
        let number = u8::try_from(self.messages.len()).unwrap();
        let id = MessageId::from_parts(Timestamp(server.now), [number; 10]);
        (id, format!("message {number}"))
    }
}

/// A store that was used in two lives: messages in runs of several flushes, and some in the log only.
fn store(stopped_well: bool) -> Store {
    let disk = SimDisk::new(5);
    make_keys(&disk);
    let mut author = Author { messages: Vec::new() };
    first_life(&disk, &mut author);
    second_life(&disk, &mut author, stopped_well);
    disk.kill();
    let mut server = Server::start(&disk.copy(), LOOKING).unwrap();
    let expected = look(&mut server, &author.messages);
    check_complete(&expected, &author.messages);
    Store { disk, messages: author.messages, expected }
}

fn first_life(disk: &SimDisk, author: &mut Author) {
    let mut server = Server::start(disk, 1).unwrap();
    for name in USERS {
        server.attach(name, TOKEN);
    }
    server.revoke("alice", REVOKED);
    for (from, to) in [("alice", "bob"), ("alice", "bob"), ("bob", "alice"), ("alice", "carol")] {
        author.send(&mut server, from, to);
    }
    server.acknowledge("bob", 1);
    server.settle();
    server.maintain();
    author.send(&mut server, "alice", "bob");
    server.settle();
    server.stop();
    disk.kill();
}

fn second_life(disk: &SimDisk, author: &mut Author, stopped_well: bool) {
    let mut server = Server::start(disk, 2).unwrap();
    author.send(&mut server, "bob", "carol");
    server.settle();
    author.send(&mut server, "carol", "alice");
    server.maintain();
    author.send(&mut server, "alice", "bob");
    if stopped_well {
        server.stop();
    } else {
        author.send_and_hold(&mut server, "bob", "alice");
    }
}

/// Whether what is seen of an undamaged store is all there is to see.
fn check_complete(chains: &[Chain], messages: &[Acknowledged]) {
    for chain in chains {
        assert!(!chain.is_cut, "{}", chain.what);
        let is_refused = chain.pages.iter().any(|page| page.starts_with("refused"));
        assert_eq!(is_refused, chain.what == "revoked login of alice", "{chain:?}");
    }
    for message in messages {
        let found = |what: &str, name: &str, with: &str| {
            let prefix = format!("{what} of {name} with {with}");
            let of = chains.iter().filter(|chain| chain.what.starts_with(&prefix));
            of.filter(|chain| chain.pages.iter().any(|page| page.contains(&format!("{:?}", message.text))))
                .count()
        };
        let both = found("history", message.from, message.to) + found("history", message.to, message.from);
        assert_eq!(both, 4, "{}", message.text);
        let again = shown(&message.sent);
        assert!(chains.iter().any(|chain| chain.pages == [again.clone()]), "{}", message.text);
    }
}

/// Whether what is seen of a damaged store is right as far as it goes; true when some of it says that it ends.
fn check_seen(seen: &[Chain], expected: &[Chain], case: &str) -> bool {
    assert_eq!(seen.len(), expected.len());
    for (seen, expected) in seen.iter().zip(expected) {
        let length =
            if seen.is_cut { seen.pages.len().min(expected.pages.len()) } else { expected.pages.len() };
        assert_eq!(seen.pages, expected.pages[..length], "{case}: {}", seen.what);
    }
    seen.iter().any(|chain| chain.is_cut)
}

impl Store {
    fn flip_bytes(&self, file: &str, length: u64) -> Outcomes {
        let stride = if is_spare(file) { SPARE_STRIDE } else { 1 };
        let mut outcomes = Outcomes::default();
        let mut damaged = self.disk.copy();
        for offset in (0..length).step_by(stride) {
            let mask = [0x01, 0x80, 0xff][(offset % 3) as usize];
            let before = damaged.counters().changes;
            assert!(damaged.flip(file, offset, mask));
            let case = format!("{file}, byte {offset} ^ {mask:#x}");
            match Server::start(&damaged, LOOKING) {
                Err(refused) => {
                    assert!(refused.by != By::Store || refused.why.contains(file), "{case}: {}", refused.why);
                    outcomes.refused(refused.by);
                }
                Ok(server) => self.check(server, &damaged, offset % STRIDE == 0, &case, &mut outcomes),
            }
            if damaged.counters().changes == before {
                damaged.flip(file, offset, mask);
                damaged.kill();
            } else {
                damaged = self.disk.copy();
            }
        }
        outcomes
    }

    /// Looks at everything that a server on a damaged disk shows, and once more later when `twice`.
    fn check(&self, mut server: Server, disk: &SimDisk, twice: bool, case: &str, outcomes: &mut Outcomes) {
        let is_corrupt = self.check_look(&mut server, case);
        *(if is_corrupt { &mut outcomes.corrupt } else { &mut outcomes.equal }) += 1;
        if twice {
            server.settle();
            self.check_look(&mut server, &format!("{case}, settled"));
            server.stop();
            disk.kill();
            // A server that has come up once may refuse to do it again, but not show less.
            if let Ok(mut server) = Server::start(disk, LOOKING_AGAIN) {
                self.check_look(&mut server, &format!("{case}, started again"));
            }
        }
    }

    fn check_look(&self, server: &mut Server, case: &str) -> bool {
        let seen = look(server, &self.messages);
        assert_eq!(server.stopped(), None, "{case}");
        check_seen(&seen, &self.expected, case)
    }
}

impl Outcomes {
    fn refused(&mut self, by: By) {
        *(match by {
            By::Store => &mut self.refused_by_the_store,
            By::Keys => &mut self.refused_for_the_keys,
            By::Worker => &mut self.refused_by_the_worker,
        }) += 1;
    }
}

fn is_spare(file: &str) -> bool {
    file.contains("spare")
}

fn check_flips(stopped_well: bool) {
    let store = store(stopped_well);
    let mut of_runs = Outcomes::default();
    // Spares, keys, runs, logs, registers and mark.
    let mut kinds = [0; 5];
    for (file, length) in store.disk.files() {
        let outcomes = store.flip_bytes(&file, length);
        let none = Outcomes::default();
        if is_spare(&file) {
            assert_eq!(outcomes, Outcomes { equal: length.div_ceil(SPARE_STRIDE as u64), ..none }, "{file}");
            kinds[0] += 1;
        } else if file == KEYS {
            assert_eq!(outcomes, Outcomes { refused_for_the_keys: length, ..none }, "{file}");
            kinds[1] += 1;
        } else if file.starts_with("runs/") {
            assert_eq!(outcomes.equal, 0, "{file}: nobody noticed some of the flips");
            of_runs.refused_by_the_store += outcomes.refused_by_the_store;
            of_runs.refused_by_the_worker += outcomes.refused_by_the_worker;
            of_runs.corrupt += outcomes.corrupt;
            kinds[2] += 1;
        } else {
            // Log, the frame that was acknowledged last included; registers; mark.
            assert_eq!(outcomes, Outcomes { refused_by_the_store: length, ..none }, "{file}");
            kinds[if file.starts_with("logs/") { 3 } else { 4 }] += 1;
        }
    }
    // A kill may find the spare in use.
    let needed = if stopped_well { &kinds[..] } else { &kinds[1..] };
    assert!(needed.iter().all(|files| *files > 0) && kinds[2] > 1, "files of each kind: {kinds:?}");
    let Outcomes { refused_by_the_store, refused_by_the_worker, corrupt, .. } = of_runs;
    assert!(refused_by_the_store.min(refused_by_the_worker).min(corrupt) > 100, "{of_runs:?}");
}

#[test]
fn every_byte_flipped_after_a_clean_stop() {
    check_flips(true);
}

#[test]
fn every_byte_flipped_after_a_kill_behind_an_acknowledgement() {
    check_flips(false);
}
