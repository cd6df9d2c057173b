//! Loading: memory first, then runs, many reads in one call. Here users; conversations and lines in their files.

use bytes::Bytes;
use iris_tables::{Table, TableError};
use iris_types::{ConversationId, ErrorCode, Offset, Seq, UserId, VnodeId};
use iris_vnode::page::Row;
use iris_vnode::{Devices, Inbox, RevokedDevices, rows, settings};

use crate::call::{Read, ReadResult, ReadWhat, Work};
use crate::hosted::Found;
use crate::page::Page;
use crate::state::{Named, UserCommand, UserSlot, Waiter};
use crate::worker::{Context, Worker};

/// Reads of one call: enough to share its cost, few enough to spread over threads.
const READS_PER_CALL: usize = 32;

/// Reads that wait for the end of the turn.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    reads: Vec<(Target, Read)>,
    /// Commands and pages that wait for anything.
    pub(crate) waiting: usize,
    /// Number of the next pending command.
    pub(crate) next_pending: u64,
}

/// What a read is for.
#[derive(Debug)]
pub(crate) enum Target {
    User {
        slot: u32,
        memory: [Option<Bytes>; 5],
        generation: u64,
    },
    Conversation {
        slot: u32,
        memory: [Option<Bytes>; 2],
        generation: u64,
    },
    /// Everybody who is or was in a group.
    Roster {
        slot: u32,
        last: Seq,
        memory: Vec<Row>,
    },
    Line {
        slot: u32,
        conversation: ConversationId,
        memory: [Option<Bytes>; 2],
        generation: u64,
    },
    /// Entries that were acknowledged, for receipts.
    Given {
        slot: u32,
        first: Offset,
        furthest: Offset,
        memory: Vec<Row>,
    },
    Dedup {
        conversation: Named,
        pending: u64,
        is_previous: bool,
        generation: u64,
    },
    Page(Box<Page>),
}

/// Why something could not be loaded, as the asker is told.
pub(crate) const fn refusal_of(error: &TableError) -> ErrorCode {
    match error {
        TableError::Corrupt { .. } | TableError::Missing { .. } => ErrorCode::DataCorrupt,
        TableError::Io { .. } => ErrorCode::Unavailable,
    }
}

impl Worker {
    pub(crate) fn has_room_to_wait(&self) -> bool {
        self.loading.waiting < self.config.limits.waiting_max
    }

    /// Runs a user's command now, or when the user is loaded. What finds no room to wait begins no load.
    pub(crate) fn user_command(&mut self, user: &UserId, command: UserCommand) {
        let is_loaded = self.user_index.get(user).is_some_and(|slot| self.is_user_loaded(*slot));
        if !is_loaded && !self.has_room_to_wait() {
            return self.refuse_user_command(command, ErrorCode::Busy);
        }
        let Some(slot) = self.ensure_user(user) else {
            return self.refuse_user_command(command, ErrorCode::Unavailable);
        };
        match self.users.get_mut(slot) {
            Some(state) if state.inbox.is_none() => {
                state.waiters.push(Waiter::Command(Box::new(command)));
                self.loading.waiting += 1;
            }
            _ => self.run_user_command(slot, command),
        }
    }

    /// The user's slot, loaded or being loaded; `None` when the user lives on another worker.
    pub(crate) fn ensure_user(&mut self, user: &UserId) -> Option<u32> {
        if let Some(slot) = self.user_index.get(user) {
            if let Some(state) = self.users.get_mut(*slot) {
                state.used = true;
            }
            return Some(*slot);
        }
        let vnode = self.config.vnodes.of_user(user);
        self.hosted(vnode)?;
        let slot = self.users.insert(UserSlot::new(user.clone(), vnode));
        self.user_index.insert(user.clone(), slot);
        self.load_user(slot);
        // Loading fails at once only for damaged rows in memory; the slot is gone then.
        self.user_index.get(user).copied()
    }

    pub(crate) fn is_user_loaded(&self, slot: u32) -> bool {
        self.users.get(slot).is_some_and(|user| user.inbox.is_some())
    }

    pub(crate) fn push_read(&mut self, vnode: VnodeId, what: ReadWhat, target: Target) {
        let Some(runs) = self.hosted(vnode).map(|hosted| hosted.runs.clone()) else { return };
        self.loading.reads.push((target, Read { runs, what }));
    }

    pub(crate) fn issue_loads(&mut self) {
        let mut reads = std::mem::take(&mut self.loading.reads).into_iter().peekable();
        while reads.peek().is_some() {
            let (targets, reads) = reads.by_ref().take(READS_PER_CALL).unzip();
            self.statistics.loads += 1;
            self.call(Work::Load(reads), Context::Load(targets));
        }
        self.statistics.waiting = self.loading.waiting as u64;
        self.statistics.state_bytes = self.state_bytes() as u64;
    }

    pub(crate) fn loaded(&mut self, targets: Vec<Target>, results: Vec<Result<ReadResult, TableError>>) {
        for (target, result) in targets.into_iter().zip(results) {
            match target {
                Target::User { slot, memory, generation } => self.user_read(slot, memory, generation, result),
                Target::Conversation { slot, memory, generation } => {
                    self.conversation_read(slot, memory, generation, result);
                }
                Target::Roster { slot, last, memory } => self.roster_read(slot, last, memory, result),
                Target::Line { slot, conversation, memory, generation } => {
                    self.line_read(slot, conversation, memory, generation, result);
                }
                Target::Given { slot, first, furthest, memory } => {
                    self.given_read(slot, (first, furthest), memory, result);
                }
                Target::Dedup { conversation, pending, is_previous, generation } => {
                    let result = result.map(only_value);
                    self.dedup_read((conversation, pending, is_previous), generation, result);
                }
                Target::Page(page) => self.page_read(*page, result),
            }
        }
    }

    fn load_user(&mut self, slot: u32) {
        let Some((user, vnode)) = self.users.get(slot).map(|user| (user.user.clone(), user.vnode)) else {
            return;
        };
        let Some(hosted) = self.hosted(vnode) else { return };
        let keys = [
            rows::last_offset_key(&user),
            rows::trimmed_key(user.as_bytes()),
            rows::devices_key(&user),
            rows::revoked_devices_key(&user),
            rows::settings_key(&user),
        ];
        let found = keys.each_ref().map(|key| hosted.find(Table::Head, key));
        let generation = hosted.generation;
        match found {
            [
                Found::Known(last),
                Found::Known(trimmed),
                Found::Known(devices),
                Found::Known(revoked),
                Found::Known(settings),
            ] if !hosted.is_damaged => {
                self.user_found(slot, [last, trimmed, devices, revoked, settings]);
            }
            _ => {
                let memory = keys.each_ref().map(|key| hosted.in_memory(Table::Head, key));
                let what = ReadWhat::Keys(keys.map(|key| (Table::Head, key)).into());
                self.push_read(vnode, what, Target::User { slot, memory, generation });
            }
        }
    }

    fn user_read(
        &mut self,
        slot: u32,
        memory: [Option<Bytes>; 5],
        generation: u64,
        result: Result<ReadResult, TableError>,
    ) {
        let Some(vnode) = self.users.get(slot).map(|user| user.vnode) else { return };
        if self.hosted(vnode).is_some_and(|hosted| hosted.is_damaged) {
            return self.user_failed(slot, ErrorCode::DataCorrupt);
        }
        let is_current = self.hosted(vnode).is_some_and(|hosted| hosted.generation == generation);
        match result {
            // The runs changed meanwhile, what memory held may be in newer ones.
            Ok(_) if !is_current => self.load_user(slot),
            Ok(ReadResult::Keys(values)) => {
                let mut values = values.into_iter();
                let values = memory.map(|memory| {
                    let stored = values.next().flatten();
                    memory.or(stored)
                });
                self.user_found(slot, values);
            }
            Ok(ReadResult::Rows(_)) => self.user_failed(slot, ErrorCode::DataCorrupt),
            Err(error) => self.user_failed(slot, refusal_of(&error)),
        }
    }

    fn user_found(&mut self, slot: u32, values: [Option<Bytes>; 5]) {
        let [last, trimmed, devices, revoked, settings] = values;
        let offset = |value: Option<Bytes>| value.map_or(Ok(iris_types::Offset::ZERO), rows::read_offset);
        let inbox = offset(last).and_then(|last| {
            let inbox = Inbox::new(last, offset(trimmed)?, devices.map(Devices::decode).transpose()?);
            let revoked = revoked.map(RevokedDevices::decode).transpose()?;
            let settings = settings.map(settings::decode).transpose()?.unwrap_or_default();
            Ok(Inbox { revoked: revoked.map(Box::new), settings, ..inbox })
        });
        match inbox {
            Ok(inbox) => {
                let Some(user) = self.users.get_mut(slot) else { return };
                let is_owing =
                    inbox.devices.as_ref().is_some_and(|devices| devices.given < devices.furthest());
                user.inbox = Some(inbox);
                let waiters = std::mem::take(&mut user.waiters);
                waiters.into_iter().for_each(|waiter| self.wake(slot, waiter));
                // Of what was acknowledged before a restart.
                if is_owing {
                    self.note_soon(slot);
                }
            }
            Err(_) => self.user_failed(slot, ErrorCode::DataCorrupt),
        }
    }

    pub(crate) fn wake(&mut self, slot: u32, waiter: Waiter) {
        match waiter {
            Waiter::Conversation(id) => {
                if let Some(slot) = self.conversation_index.get(&id) {
                    self.pump_conversation(*slot);
                }
            }
            Waiter::Stream { source, destination } => self.pump_stream(source, destination),
            Waiter::Command(command) => {
                self.loading.waiting = self.loading.waiting.saturating_sub(1);
                self.run_user_command(slot, *command);
            }
        }
    }

    /// Refuses everything that waits for a user; the next to ask loads anew.
    fn user_failed(&mut self, slot: u32, code: ErrorCode) {
        let Some(user) = self.users.remove(slot) else { return };
        self.user_index.remove(&user.user);
        user.waiters.into_iter().for_each(|waiter| self.refuse_waiter(waiter, code));
    }

    pub(crate) fn refuse_waiter(&mut self, waiter: Waiter, code: ErrorCode) {
        match waiter {
            Waiter::Conversation(id) => {
                if let Some(slot) = self.conversation_index.get(&id) {
                    self.refuse_queue(*slot, code);
                }
            }
            // The source sends again; a forward is never skipped.
            Waiter::Stream { .. } => {}
            Waiter::Command(command) => {
                self.loading.waiting = self.loading.waiting.saturating_sub(1);
                self.refuse_user_command(*command, code);
            }
        }
    }
}

fn only_value(result: ReadResult) -> Option<Bytes> {
    match result {
        ReadResult::Keys(values) => values.into_iter().next().flatten(),
        ReadResult::Rows(_) => None,
    }
}
