//! A log is cut by an operator while its vnodes had flushed up to different places of it: what is acknowledged from
//! then on arrives, and no seq is given to two messages.

use std::collections::BTreeMap;

use iris_store_local::{SimDisk, quarantine};
use iris_types::placement::VnodeCount;
use iris_types::request::{Answer, Request};
use iris_types::{ConversationId, ErrorCode, InboxItem, InboxMessage, MessageId, Offset, Seq, Timestamp};

use crate::LOOKING;
use crate::server::{Server, VNODES, config, make_keys, message, sent, user};

/// Milliseconds after which a vnode flushes what it has, and half of it.
const FLUSH_MS: u64 = 60_000;

/// Two users of each vnode.
fn users() -> [[String; 2]; 2] {
    let count = VnodeCount::new(VNODES).unwrap();
    let of = |vnode: u16| {
        let mut names =
            (0..).map(|number| format!("user{number}")).filter(|name| count.of_user(&user(name)).0 == vnode);
        [names.next().unwrap(), names.next().unwrap()]
    };
    [of(0), of(1)]
}

struct Author {
    count: u64,
}

impl Author {
    fn send(&mut self, server: &mut Server, from: &str, to: &str) -> Result<MessageId, ErrorCode> {
        self.count += 1;
        let mut random = [3; 10];
        random[2..].copy_from_slice(&self.count.to_be_bytes());
        let id = MessageId::from_parts(Timestamp(server.now), random);
        sent(server.ask(from, message(id, to, &format!("message {}", self.count)))).map(|sent| sent.id)
    }

    /// Everybody to everybody, themselves included. Gives what was acknowledged, and to whom.
    fn exchange(&mut self, server: &mut Server) -> Vec<(MessageId, [String; 2])> {
        let names = users().concat();
        let mut acknowledged = Vec::new();
        for from in &names {
            for to in &names {
                let id = self.send(server, from, to).unwrap();
                acknowledged.push((id, [from.clone(), to.clone()]));
            }
        }
        acknowledged
    }
}

/// A log of which the vnode `early` has flushed much more than the other one, and its users as much to say to others
/// as others to them.
fn store(early: usize) -> SimDisk {
    let disk = SimDisk::new(5);
    make_keys(&disk);
    let mut server = Server::start(&disk, 1).unwrap();
    let mut author = Author { count: 0 };
    author.exchange(&mut server);
    server.settle();
    server.settle();
    let [one, other] = &users()[early];
    author.send(&mut server, one, other).unwrap();
    server.pass(FLUSH_MS / 2);
    author.exchange(&mut server);
    author.exchange(&mut server);
    server.pass(FLUSH_MS / 3);
    author.exchange(&mut server);
    disk.kill();
    disk
}

/// The log damaged in one of its blocks and cut there, for many a block.
fn cuts(disk: &SimDisk) -> Vec<(SimDisk, String)> {
    let mut found = Vec::new();
    for (file, length) in disk.files() {
        if !file.starts_with("logs/") || file.contains("spare") {
            continue;
        }
        for offset in (7..length).step_by(1_024) {
            let damaged = disk.copy();
            damaged.flip(&file, offset, 4);
            if quarantine(&damaged, &config(), &file).is_ok() {
                damaged.kill();
                found.push((damaged, format!("{file}, byte {offset}")));
            }
        }
    }
    assert!(found.len() > 5);
    found
}

fn inbox(server: &mut Server, name: &str) -> Vec<InboxMessage> {
    let (mut after, mut all) = (Offset::ZERO, Vec::new());
    loop {
        let page = match server.ask(name, Request::ReadInbox { after }) {
            Answer::InboxPage(page) => page,
            other => panic!("no page: {other:?}"),
        };
        for entry in &page.entries {
            if let InboxItem::Message(message) = &entry.item {
                all.push(message.clone());
            }
            after = entry.offset;
        }
        if after >= page.last {
            return all;
        }
    }
}

#[test]
fn what_is_acknowledged_after_a_cut_arrives() {
    for early in [0, 1] {
        let disk = store(early);
        for (disk, case) in cuts(&disk) {
            let mut author = Author { count: 1_000 };
            let mut server = Server::start(&disk, LOOKING).unwrap();
            let mut acknowledged = author.exchange(&mut server);
            server.settle();
            acknowledged.extend(author.exchange(&mut server));
            server.settle();
            assert_eq!(server.stopped(), None, "{case}");
            let mut seqs: BTreeMap<(ConversationId, Seq), MessageId> = BTreeMap::new();
            for name in users().concat() {
                let inbox = inbox(&mut server, &name);
                for (id, _) in acknowledged.iter().filter(|(_, members)| members.contains(&name)) {
                    let copies = inbox.iter().filter(|message| message.id == *id).count();
                    assert_eq!(copies, 1, "{case}: {id} in the inbox of {name}");
                }
                for message in inbox {
                    let first = *seqs.entry((message.conversation, message.seq)).or_insert(message.id);
                    assert_eq!(first, message.id, "{case}: seq {} twice for {name}", message.seq);
                }
            }
        }
    }
}
