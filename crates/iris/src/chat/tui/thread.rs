//! A conversation as the screen knows it.

use std::collections::{BTreeMap, BTreeSet};

use iris_client::{
    Body, Change, ConversationSummary, Flags, GroupReceipt, GroupSummary, HistoryEntry, InboxMessage, Marks,
    Peer, Refusal, Seq, Standing, Target, Timestamp, UserId,
};
use iris_types::limits::SCREEN_MESSAGES_MAX;

use super::wrap::one_line;

/// One of the conversations of the list.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) target: Target,
    pub(super) title: String,
    pub(super) standing: Standing,
    pub(super) flags: Flags,
    pub(super) read: Seq,
    pub(super) unread: u64,
    pub(super) last_at: Timestamp,
    pub(super) preview: String,
    /// What is loaded, without holes from the first one on.
    pub(super) said: BTreeMap<Seq, Said>,
    pub(super) pending: Vec<Pending>,
    /// The newest messages were asked for and have come.
    pub(super) is_loaded: bool,
    pub(super) is_loading: bool,
    /// There are messages before those that are loaded.
    pub(super) has_more: bool,
    /// Where the unread ones began when it was opened.
    pub(super) unread_from: Option<Seq>,
    /// How far the other one is, or everybody in a group.
    pub(super) marks: Marks,
    pub(super) counted: Option<GroupReceipt>,
    pub(super) typing: BTreeSet<UserId>,
    pub(super) group: Option<GroupSummary>,
    pub(super) draft: String,
}

/// A message that is in the conversation.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) from: UserId,
    pub(super) at: Timestamp,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Text(String),
    Change(Change),
    /// Something that this program cannot show.
    Other,
}

/// A message of this device that is not in it yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) ticket: u64,
    pub(super) text: String,
    pub(super) at: Timestamp,
    pub(super) failed: Option<Refusal>,
}

/// How far a message of one's own is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    Sent,
    /// So many members have it, of so many.
    Counted(u32, u32),
    Delivered,
    Read,
}

impl What {
    pub(super) fn of(body: &Body) -> Self {
        match (body.as_text(), Change::from_body(body)) {
            (Some(text), _) => Self::Text(text.to_owned()),
            (None, Ok(change)) => Self::Change(change),
            (None, Err(_)) => Self::Other,
        }
    }
}

impl Said {
    pub(super) fn of(entry: &HistoryEntry) -> Self {
        Self { from: entry.from.clone(), at: entry.sent_at, what: What::of(&entry.body) }
    }

    /// As a sentence, without the time.
    pub(super) fn sentence(&self, me: &UserId) -> String {
        let name = |user: &UserId| if user == me { "you".to_owned() } else { user.to_string() };
        match &self.what {
            What::Text(text) => format!("{}: {}", name(&self.from), one_line(text)),
            What::Change(change) => change_words(&name(&self.from), change, name),
            What::Other => format!("{} sent something that is not text", name(&self.from)),
        }
    }
}

/// What became of a group, in words.
fn change_words(by: &str, change: &Change, name: impl Fn(&UserId) -> String) -> String {
    match change {
        Change::Created(title) => format!("{by} made the group “{}”", one_line(title.as_str())),
        Change::Invited(user) => format!("{by} invited {}", name(user)),
        Change::Added(user) => format!("{by} added {}", name(user)),
        Change::Joined => format!("{by} joined"),
        Change::Removed(user) => format!("{by} removed {}", name(user)),
        Change::Left(None) => format!("{by} left"),
        Change::Left(Some(heir)) => format!("{by} left; the group is now owned by {}", name(heir)),
        Change::Renamed(title) => format!("{by} named the group “{}”", one_line(title.as_str())),
        Change::Described(_) => format!("{by} changed what the group is about"),
        Change::Role(role, user) => format!("{by} made {} {}", name(user), role.name()),
        Change::Policy(_) => format!("{by} changed what the group allows"),
    }
}

impl Thread {
    pub(super) fn new(target: Target) -> Self {
        let title = match &target {
            Target::User(user) => user.to_string(),
            Target::Group(_) => "a group".to_owned(),
        };
        Self {
            target,
            title,
            standing: Standing::Member,
            flags: Flags::default(),
            read: Seq::default(),
            unread: 0,
            last_at: Timestamp(0),
            preview: String::new(),
            said: BTreeMap::new(),
            pending: Vec::new(),
            is_loaded: false,
            is_loading: false,
            has_more: false,
            unread_from: None,
            marks: Marks::default(),
            counted: None,
            typing: BTreeSet::new(),
            group: None,
            draft: String::new(),
        }
    }

    pub(super) const fn is_group(&self) -> bool {
        matches!(self.target, Target::Group(_))
    }

    pub(super) fn other(&self) -> Option<&UserId> {
        if let Target::User(user) = &self.target { Some(user) } else { None }
    }

    pub(super) fn name_after(&mut self, peer: &Peer) {
        if let Peer::Group(title) = peer {
            self.title = one_line(title.as_str());
        }
    }

    /// The line of the list, as the server has it.
    pub(super) fn summarise(&mut self, item: &ConversationSummary, me: &UserId) {
        self.name_after(&item.with);
        self.standing = item.standing;
        self.flags = item.flags;
        self.read = item.read;
        self.unread = item.unread;
        self.last_at = item.last.sent_at;
        // The begin of a text may be all of a body that is not one.
        let what = match Body::new(item.last.kind, item.last.text.clone()) {
            Ok(body) => What::of(&body),
            Err(_) => What::Other,
        };
        self.preview = Said { from: item.last.from.clone(), at: item.last.sent_at, what }.sentence(me);
    }

    /// A message that came, or came back.
    pub(super) fn add(&mut self, seq: Seq, said: Said, me: &UserId) {
        if said.at >= self.last_at {
            self.last_at = said.at;
            self.preview = said.sentence(me);
        }
        self.typing.remove(&said.from);
        self.said.insert(seq, said);
        while self.said.len() > SCREEN_MESSAGES_MAX {
            self.said.pop_first();
            self.has_more = true;
        }
    }

    /// What a change means for the user's own place in a group.
    pub(super) fn follow(&mut self, message: &InboxMessage, me: &UserId) {
        let by_me = message.from == *me;
        self.standing = match Change::from_body(&message.body) {
            Ok(Change::Joined) if by_me => Standing::Member,
            Ok(Change::Added(user)) if user == *me => Standing::Member,
            Ok(Change::Invited(user)) if user == *me => Standing::Invited,
            Ok(Change::Removed(user)) if user == *me => Standing::Gone,
            Ok(Change::Left(_)) if by_me => Standing::Gone,
            _ => return,
        };
    }

    /// What is loaded may have holes: it is asked for again when it is opened.
    pub(super) fn forget(&mut self) {
        self.said.clear();
        self.is_loaded = false;
        self.is_loading = false;
    }

    pub(super) fn last_seq(&self) -> Seq {
        self.said.last_key_value().map_or(self.read, |(seq, _)| (*seq).max(self.read))
    }

    pub(super) fn last_own(&self, me: &UserId) -> Option<Seq> {
        self.said.iter().rev().find(|(_, said)| said.from == *me).map(|(seq, _)| *seq)
    }

    pub(super) fn tick(&self, seq: Seq) -> Tick {
        if self.marks.read >= seq {
            Tick::Read
        } else if self.marks.delivered >= seq {
            Tick::Delivered
        } else {
            match self.counted {
                Some(counted) if counted.seq == seq && counted.delivered > 0 => {
                    Tick::Counted(counted.delivered, counted.members)
                }
                _ => Tick::Sent,
            }
        }
    }
}
