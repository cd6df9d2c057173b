//! All that users can see of a server, as chains of pages: a chain ends where the server says "data_corrupt".

use iris_types::request::{Answer, HistoryFrom, ListConversations, ReadHistory, Request, Sent};
use iris_types::{ErrorCode, InboxItem, MessageId, Offset};

use crate::server::{Server, message, sent, user};

/// A message that was sent and acknowledged.
#[derive(Clone)]
pub(crate) struct Acknowledged {
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) id: MessageId,
    pub(crate) text: String,
    pub(crate) sent: Sent,
}

/// What answers to one kind of question said, one after the other.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) what: String,
    pub(crate) pages: Vec<String>,
    /// The next answer would have been "data_corrupt".
    pub(crate) is_cut: bool,
}

/// Who can look, and at what token of theirs was revoked.
pub(crate) const USERS: [&str; 3] = ["alice", "bob", "carol"];
pub(crate) const TOKEN: [u8; 16] = [1; 16];
pub(crate) const REVOKED: [u8; 16] = [2; 16];
/// Entries of a history page: small, so that there are several.
const LIMIT: u16 = 3;

/// Looks at everything.
pub(crate) fn look(server: &mut Server, messages: &[Acknowledged]) -> Vec<Chain> {
    let mut chains = Vec::new();
    for name in USERS {
        chains.push(login(format!("login of {name}"), || server.attach(name, TOKEN)));
        chains.push(login(format!("revoked login of {name}"), || server.attach(name, REVOKED)));
        chains.push(inbox(server, name));
        chains.push(conversations(server, name));
        for with in USERS.into_iter().filter(|with| *with != name) {
            chains.push(history(server, name, with, HistoryFrom::Latest));
            chains.push(history(server, name, with, HistoryFrom::After(iris_types::Seq::ZERO)));
        }
    }
    chains.extend(messages.iter().map(|message| retry(server, message)));
    chains
}

impl Chain {
    fn new(what: String) -> Self {
        Self { what, pages: Vec::new(), is_cut: false }
    }

    fn then(mut self, page: Result<String, ErrorCode>) -> Self {
        match page {
            Ok(page) => self.pages.push(page),
            Err(ErrorCode::DataCorrupt) => self.is_cut = true,
            Err(other) => self.pages.push(format!("refused: {other}")),
        }
        self
    }
}

/// One page at a time, until there is no place to go on from.
fn chain<T>(
    what: String,
    mut next: impl FnMut(Option<T>) -> (Result<String, ErrorCode>, Option<T>),
) -> Chain {
    let mut chain = Chain::new(what);
    let mut from = None;
    loop {
        let (page, then) = next(from);
        chain = chain.then(page);
        if then.is_none() {
            return chain;
        }
        from = then;
    }
}

fn refused(answer: &Answer) -> ErrorCode {
    match answer {
        Answer::Refused { refusal, .. } => refusal.code,
        other => panic!("not the answer that was asked for: {other:?}"),
    }
}

fn login(what: String, attach: impl FnOnce() -> Answer) -> Chain {
    let page = match attach() {
        Answer::Attached(attached) => Ok(format!("cursor {} of {}", attached.cursor, attached.last)),
        other => Err(refused(&other)),
    };
    Chain::new(what).then(page)
}

fn inbox(server: &mut Server, name: &str) -> Chain {
    chain(format!("inbox of {name}"), |after| {
        match server.ask(name, Request::ReadInbox { after: after.unwrap_or(Offset::ZERO) }) {
            Answer::InboxPage(page) => {
                let texts = page.entries.iter().filter_map(|entry| match &entry.item {
                    InboxItem::Message(message) => message.body.as_text(),
                    _ => None,
                });
                let texts: Vec<&str> = texts.collect();
                let end = page.entries.last().map(|entry| entry.offset);
                let then = end.filter(|end| *end < page.last);
                (Ok(format!("{texts:?} {page:?}")), then)
            }
            other => (Err(refused(&other)), None),
        }
    })
}

fn history(server: &mut Server, name: &str, with: &str, first: HistoryFrom) -> Chain {
    chain(format!("history of {name} with {with}, {first:?}"), |from| {
        let from = from.unwrap_or(first);
        match server
            .ask(name, Request::ReadHistory(ReadHistory { with: user(with).into(), from, limit: LIMIT }))
        {
            Answer::HistoryPage(page) => {
                let texts = page.entries.iter().map(|entry| entry.body.as_text().unwrap_or_default());
                let texts: Vec<&str> = texts.collect();
                let then = match from {
                    HistoryFrom::After(_) => page.entries.last().map(|last| HistoryFrom::After(last.seq)),
                    _ => page.entries.first().map(|first| HistoryFrom::Before(first.seq)),
                };
                (Ok(format!("{texts:?} {page:?}")), then.filter(|_| page.more))
            }
            other => (Err(refused(&other)), None),
        }
    })
}

fn conversations(server: &mut Server, name: &str) -> Chain {
    chain(format!("conversations of {name}"), |after| {
        match server.ask(name, Request::ListConversations(ListConversations { after, limit: 1 })) {
            Answer::Conversations(page) => {
                let then = page.items.last().map(|item| item.conversation).filter(|_| page.more);
                (Ok(format!("{page:?}")), then)
            }
            other => (Err(refused(&other)), None),
        }
    })
}

/// Sends once more what was acknowledged: the first answer, and not a second message.
fn retry(server: &mut Server, first: &Acknowledged) -> Chain {
    let again = sent(server.ask(first.from, message(first.id, first.to, &first.text)));
    Chain::new(format!("retry of {:?}", first.text)).then(again.map(|again| shown(&again)))
}

/// What every retry has to be told.
pub(crate) fn shown(sent: &Sent) -> String {
    format!("{} at {} on {}", sent.id, sent.seq, sent.sent_at.0)
}
