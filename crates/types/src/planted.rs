//! Planted bugs: rules of the design that the simulator can leave out, one at a time, to show that its checkers
//! notice. Without the cargo feature `planted-bugs`, which only the simulator enables, every question is
//! answered `false` at compile time.

/// One rule left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bug {
    /// Answers leave when they are decided, not when their chunk is committed.
    AckBeforeCommit,
    /// The answer to a duplicate does not wait for the commit of the first.
    DuplicateAckBeforeCommit,
    /// Entries are pushed when they are decided.
    PushBeforeCommit,
    /// A flush writes rows of a chunk that is still in flight.
    FlushInFlight,
    /// `start` moves before the runs that it relies on are durable.
    StartMovedEarly,
    /// After an append in doubt its position is given to other bytes.
    InDoubtPositionReused,
    /// A forward is decided at once although older ones of its stream are queued or in flight.
    ShortcutWithoutContinuity,
    /// The destination of a stream takes any position above its watermark.
    WatermarkNotDense,
    /// The destination of a stream takes the position of its watermark again.
    WatermarkOffByOne,
    /// The destination confirms a stream position before its chunk is committed.
    ConfirmBeforeCommit,
    /// A failed flush counts as done.
    FsyncErrorIgnored,
    /// A torn frame at the end of a log is kept as if it were whole.
    TornTailKept,
    /// A new file's directory entry is not made durable.
    DirectoryNotSynced,
    /// Recent message ids are forgotten at a restart.
    DedupLostAtRestart,
    /// A device's cursor moves when an entry is pushed.
    CursorMovedAtPush,
    /// The log is trimmed up to its end, not up to the oldest `start`.
    TrimmedTooFar,
    /// A vnode is claimed without replaying the tail of its log.
    TailNotReplayed,
    /// The user head is not flushed when all its entries are elided.
    HeadElided,
    /// A page reads the runs first and memory afterwards.
    PageReadsRunsFirst,
    /// Entries below the trimmed part are skipped in silence.
    GapSilent,
    /// A send's predecessor is not looked at.
    PredecessorIgnored,
    /// The edge passes on a push that does not follow the last.
    PushNotContiguous,
    /// That a device is revoked is not stored: a restart forgets it.
    RevocationNotStored,
    /// Who is in a group is looked up once and never again.
    RosterNotFollowed,
    /// The row of a member that a change sets is not stored.
    MemberNotStored,
    /// Of the members on one vnode only the first gets a group's message.
    VnodeMemberSkipped,
    /// A mark replaces the one before, further or not.
    MarkMovesBack,
    /// A user who switched read receipts off gives them.
    ReceiptSwitchIgnored,
    /// A mark is lost when its conversation is not in memory.
    MarkDropped,
    /// Own messages are not noted where unread ones are counted.
    OwnNotCounted,
    /// That a user blocks another is not stored: a restart forgets it.
    BlockNotStored,
    /// A watcher's lease is not renewed.
    LeaseNotRenewed,
    /// The client acknowledges entries before they are stored.
    ClientAcksBeforeStore,
    /// The client gives a retry a new id.
    ClientRenamesRetry,
    /// The client shows what it has shown before.
    ClientForgetsShown,
}

#[cfg(feature = "planted-bugs")]
mod choice {
    use std::cell::Cell;

    thread_local!(static PLANTED: Cell<Option<super::Bug>> = const { Cell::new(None) });

    /// Plants a bug in this thread, or none.
    pub fn plant(bug: Option<super::Bug>) {
        PLANTED.set(bug);
    }

    /// Whether a bug is planted in this thread.
    #[must_use]
    pub fn is_planted(bug: super::Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "planted-bugs")]
pub use choice::{is_planted, plant};

/// Whether a bug is planted: never, in this build.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
#[must_use]
pub const fn is_planted(_bug: Bug) -> bool {
    false
}
