//! What is wrong with a history.

use std::fmt;

macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident $id:literal,)*) => {
        /// One promise, with its id in the reliability plan.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant { $($(#[$doc])* $name,)* }

        impl Invariant {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The id, such as `I1`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }
        }
    };
}

invariants! {
    /// What was acknowledged is there for everybody entitled, or its absence is told.
    AckedLoss "I1",
    /// What is there was sent, by that sender, to that conversation, with that body; nothing refused is there.
    Phantom "I2",
    /// Nothing is shown twice on a device; the same entry comes again as the same entry.
    DoubleShown "I3",
    /// A place, of a conversation or of an inbox, holds one message for ever.
    Divergence "I4",
    /// Places have no holes in the end.
    Density "I5",
    /// All members see one order.
    CommonOrder "I6",
    /// Messages of one device in one conversation keep the order in which they were sent.
    SenderOrder "I7",
    /// An answer comes after what its sender had seen.
    ReplyOrder "I8",
    /// What was sent after an acknowledgement comes after what was acknowledged.
    RealTimeOrder "I9",
    /// A device sees what it wrote, and never less than before.
    Session "I10",
    /// A sync from zero gives what was pushed.
    SyncFromZero "I11",
    /// A repeated send gets its first answer.
    Dedup "I12",
    /// Delivered means acknowledged, and never moves back.
    Receipts "I13",
    /// What leaves was durable before.
    DurableBeforeLeaving "I14",
    /// One writer, one value per place, epochs never go back.
    OneWriter "I15",
    /// Nobody reads what is not theirs; nothing is accepted after a revocation.
    Authorization "I16",
    /// A nonce is accepted once, a stale login never.
    Nonce "I18",
    /// No plain text where none may be.
    Canary "I19",
    /// Attempts are acknowledged, refused or indeterminate: the sums agree.
    Conservation "I21",
    /// Everything stays within its bound.
    Bounds "I23",
    /// Nothing is silently deleted.
    SilentDeletion "I24",
    /// After the faults end, everything settles in time.
    Liveness "I25",
    /// Skewed clocks let no id in or out of its window.
    Skew "I26",
    /// A full disk refuses sends, serves reads, and comes back.
    SafeMode "I27",
    /// A revoked device is let in no more and given nothing.
    RevokedDevice "I28",
    /// Changes of a group are allowed, in one order, and lead to the roster that is told.
    GroupChanges "I29",
    /// Of a group nobody sees what lies outside of their memberships.
    Membership "I30",
    /// Of a group everybody has all that lies within.
    GroupDelivery "I31",
    /// Marks of others never move back, never say too much, and are shown to those only who may see them.
    ShownMarks "I32",
    /// In the end the marks of others are exact.
    FinalMarks "I33",
    /// In the end unread messages, read marks and flags are what a recount says.
    Unread "I34",
    /// Who is blocked gets nothing through.
    Blocking "I35",
    /// When it is quiet, everybody knows who is there, as far as they may.
    Presence "I36",
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: Invariant,
    /// Which ids, places, devices; what was expected.
    pub what: String,
    /// Numbers of the records that show it, as far as single records do.
    pub records: Vec<usize>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.invariant.id(), self.invariant, self.what)?;
        if !self.records.is_empty() {
            write!(f, " (records {:?})", self.records)?;
        }
        Ok(())
    }
}

/// Violations of one invariant; a broken history has millions, the first few tell.
#[derive(Debug)]
pub(crate) struct Findings {
    invariant: Invariant,
    list: Vec<Violation>,
}

impl Findings {
    const KEPT_MAX: usize = 10;

    pub(crate) const fn of(invariant: Invariant) -> Self {
        Self { invariant, list: Vec::new() }
    }

    /// Notes a violation; `what` is only asked for while there is room.
    pub(crate) fn add(&mut self, records: &[usize], what: impl FnOnce() -> String) {
        if self.list.len() < Self::KEPT_MAX {
            let records = records.iter().copied().filter(|record| *record != usize::MAX).collect();
            self.list.push(Violation { invariant: self.invariant, what: what(), records });
        }
    }

    pub(crate) fn into_list(self) -> Vec<Violation> {
        self.list
    }
}
