//! What users asked for of their own state, with its answers; what they certainly hid meanwhile.

use std::collections::BTreeMap;

use crate::history::History;
use crate::notice::Wish;
use crate::record::{Conversation, Fact, User};

/// Milliseconds after which a request that was not answered has happened, or never will.
pub(crate) const FORGOTTEN_MS: u64 = 15_000;

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wished {
    pub(crate) user: User,
    pub(crate) wish: Wish,
    /// The record.
    pub(crate) asked: usize,
    /// The record, and the code: 0 when it was done.
    pub(crate) answered: Option<(usize, u16)>,
}

/// From a record to a record; no end: it goes on.
#[derive(Clone, Copy, Debug)]
struct Period {
    begin: usize,
    end: Option<usize>,
}

/// Read marks, and when their users certainly gave no read receipts.
#[derive(Debug, Default)]
pub(crate) struct ReadMarks {
    marks: BTreeMap<(User, Conversation), Vec<Wished>>,
    off: BTreeMap<User, Vec<Period>>,
}

impl Wished {
    pub(crate) fn is_done(&self) -> bool {
        self.answered.is_some_and(|(_, code)| code == 0)
    }
}

/// Every attempt, in the order in which they were made.
pub(crate) fn wished(history: &History) -> Vec<Wished> {
    let mut all: Vec<Wished> = Vec::new();
    let mut open: BTreeMap<u32, usize> = BTreeMap::new();
    for (record, line) in history.records.iter().enumerate() {
        match line.fact {
            Fact::Asked { number, wish } => {
                let Some(user) = history.user_of(line.process) else { continue };
                open.insert(number, all.len());
                all.push(Wished { user, wish, asked: record, answered: None });
            }
            Fact::Answered { number, code } => {
                let wished = open.remove(&number).and_then(|place| all.get_mut(place));
                wished.into_iter().for_each(|wished| wished.answered = Some((record, code)));
            }
            _ => {}
        }
    }
    all
}

impl ReadMarks {
    pub(crate) fn of(history: &History, wished: &[Wished]) -> Self {
        let mut all = Self::default();
        let mut switches: BTreeMap<User, Vec<Wished>> = BTreeMap::new();
        for one in wished {
            match one.wish {
                Wish::MarkRead { conversation, .. } => {
                    all.marks.entry((one.user, conversation)).or_default().push(*one);
                }
                Wish::Settings { read_receipts: Some(_), .. } => {
                    switches.entry(one.user).or_default().push(*one);
                }
                _ => {}
            }
        }
        all.off = switches.iter().map(|(user, switches)| (*user, periods_off(history, switches))).collect();
        all
    }

    /// Marks that may have been shown: asked for before a record, and not while their user certainly showed none.
    pub(crate) fn shown(
        &self,
        user: User,
        conversation: Conversation,
        before: usize,
    ) -> impl Iterator<Item = u64> + '_ {
        let off = self.off.get(&user).map(Vec::as_slice).unwrap_or_default();
        let is_hidden = move |mark: &Wished| {
            let Some((answered, _)) = mark.answered else { return false };
            off.iter().any(|off| off.begin < mark.asked && off.end.is_none_or(|end| answered < end))
        };
        self.all(user, conversation).filter(move |mark| mark.asked < before && !is_hidden(mark)).map(up_to)
    }

    /// The furthest mark asked for before a record, shown or not.
    pub(crate) fn furthest(&self, user: User, conversation: Conversation, before: usize) -> u64 {
        self.all(user, conversation).filter(|mark| mark.asked < before).map(up_to).max().unwrap_or_default()
    }

    /// The furthest one that was done.
    pub(crate) fn done(&self, user: User, conversation: Conversation) -> u64 {
        self.all(user, conversation).filter(|mark| mark.is_done()).map(up_to).max().unwrap_or_default()
    }

    /// Whether the user ever touched the switch.
    pub(crate) fn is_plain(&self, user: User) -> bool {
        !self.off.contains_key(&user)
    }

    pub(crate) fn all(&self, user: User, conversation: Conversation) -> impl Iterator<Item = &Wished> + '_ {
        self.marks.get(&(user, conversation)).into_iter().flatten()
    }
}

pub(crate) fn up_to(mark: &Wished) -> u64 {
    if let Wish::MarkRead { up_to, .. } = mark.wish { up_to } else { 0 }
}

/// From the answer to a switch-off to the next attempt to switch on, unless one may have been on its way.
fn periods_off(history: &History, switches: &[Wished]) -> Vec<Period> {
    let time = |record: usize| history.records.get(record).map_or(0, |record| record.t);
    let is_on = |one: &&Wished| matches!(one.wish, Wish::Settings { read_receipts: Some(true), .. });
    let mut off = Vec::new();
    for one in switches.iter().filter(|one| !is_on(one) && one.is_done()) {
        let Some((begin, _)) = one.answered else { continue };
        let on_its_way = switches.iter().filter(is_on).any(|on| {
            let is_begun = on.asked < begin;
            let is_over = match on.answered {
                Some((answered, _)) => answered < one.asked,
                None => time(on.asked) + FORGOTTEN_MS < time(one.asked),
            };
            is_begun && !is_over
        });
        if !on_its_way {
            let end = switches.iter().filter(is_on).map(|on| on.asked).find(|asked| *asked > begin);
            off.push(Period { begin, end });
        }
    }
    off
}
