//! Loading of conversations: the head and both sides of a direct one; of a group the head, then its roster.

use bytes::Bytes;
use iris_tables::{Direction, Limit, Table, TableError, overlay};
use iris_types::limits::{GROUP_ROSTER_BYTES_MAX, GROUP_ROSTER_MAX};
use iris_types::{ConversationId, ErrorCode, Seq, UserId, VnodeId};
use iris_vnode::codec::Malformed;
use iris_vnode::conversation::Direct;
use iris_vnode::page::Row;
use iris_vnode::{Conversation, Group, Members, receipts, rows};

use crate::call::{ReadResult, ReadWhat};
use crate::hosted::Found;
use crate::loading::{Target, refusal_of};
use crate::state::{ConversationSlot, Named, Who};
use crate::worker::Worker;

/// Rows of a roster: everybody's place and last message, and what the group is.
const ROSTER: Limit = Limit { rows: 2 * GROUP_ROSTER_MAX + 1, bytes: GROUP_ROSTER_BYTES_MAX };

impl Worker {
    /// The slot of a direct conversation, loaded or being loaded; `None` when it lives on another worker.
    pub(crate) fn ensure_direct(&mut self, names: [UserId; 2]) -> Option<u32> {
        let [lower, higher] = &names;
        let vnode = self.config.vnodes.of_direct(lower, higher);
        let named = Named::Direct(ConversationId::direct(lower, higher));
        self.ensure_conversation(named, vnode, |worker| {
            let homes = names.each_ref().map(|member| worker.config.vnodes.of_user(member));
            Who::Direct { names, homes }
        })
    }

    /// The slot of a group, loaded or being loaded; `None` when it lives on another worker.
    pub(crate) fn ensure_group(&mut self, group: ConversationId) -> Option<u32> {
        let vnode = self.config.vnodes.of_group(group);
        self.ensure_conversation(Named::Group(group), vnode, |_| Who::Group { homes: None })
    }

    fn ensure_conversation(
        &mut self,
        named: Named,
        vnode: VnodeId,
        who: impl FnOnce(&Self) -> Who,
    ) -> Option<u32> {
        if let Some(slot) = self.conversation_index.get(&named).copied() {
            self.conversations.get_mut(slot)?.used = true;
            return Some(slot);
        }
        self.hosted(vnode)?;
        let (who, id) = (who(self), named.id());
        let (conversation, queue) = (None, std::collections::VecDeque::new());
        let slot = ConversationSlot {
            id,
            named,
            vnode,
            who,
            conversation,
            queue,
            streams: Vec::new(),
            owes_receipts: false,
            roster_bytes: 0,
            used: true,
        };
        let slot = self.conversations.insert(slot);
        self.conversation_index.insert(named, slot);
        self.load_conversation(slot);
        self.conversation_index.get(&named).copied()
    }

    fn load_conversation(&mut self, slot: u32) {
        let Some(state) = self.conversations.get(slot) else { return };
        let (vnode, head, sides) = (state.vnode, rows::conversation_key(state.id), rows::sides_key(state.id));
        let is_group = matches!(state.who, Who::Group { .. });
        let Some(hosted) = self.hosted(vnode) else { return };
        let generation = hosted.generation;
        let found = (hosted.find(Table::Head, &head), hosted.find(Table::Head, &sides));
        match found {
            (Found::Known(head), _) if is_group && !hosted.is_damaged => {
                self.conversation_found(slot, [head, None]);
            }
            (Found::Known(head), Found::Known(sides)) if !hosted.is_damaged => {
                self.conversation_found(slot, [head, sides]);
            }
            _ => {
                let keys = [head, sides];
                let memory = keys.each_ref().map(|key| hosted.in_memory(Table::Head, key));
                let what = ReadWhat::Keys(keys.map(|key| (Table::Head, key)).into());
                self.push_read(vnode, what, Target::Conversation { slot, memory, generation });
            }
        }
    }

    pub(crate) fn conversation_read(
        &mut self,
        slot: u32,
        memory: [Option<Bytes>; 2],
        generation: u64,
        result: Result<ReadResult, TableError>,
    ) {
        let Some(vnode) = self.conversations.get(slot).map(|state| state.vnode) else { return };
        let Some(hosted) = self.hosted(vnode) else { return };
        match result {
            _ if hosted.is_damaged => self.conversation_failed(slot, ErrorCode::DataCorrupt),
            // The runs changed meanwhile, what memory held may be in newer ones.
            Ok(_) if hosted.generation != generation => self.load_conversation(slot),
            Ok(ReadResult::Keys(values)) => {
                let mut values = values.into_iter();
                let found = memory.map(|memory| {
                    let stored = values.next().flatten();
                    memory.or(stored)
                });
                self.conversation_found(slot, found);
            }
            Ok(ReadResult::Rows(_)) => self.conversation_failed(slot, ErrorCode::DataCorrupt),
            Err(error) => self.conversation_failed(slot, refusal_of(&error)),
        }
    }

    fn conversation_found(&mut self, slot: u32, [head, sides]: [Option<Bytes>; 2]) {
        let Some(state) = self.conversations.get(slot) else { return };
        let found = head.map(rows::read_conversation).transpose();
        match (&state.who, found) {
            (Who::Direct { names, .. }, Ok(found)) => match direct(names.clone(), found, sides) {
                Ok((direct, last)) => self.conversation_loaded(slot, Members::Direct(direct), last),
                Err(_) => self.conversation_failed(slot, ErrorCode::DataCorrupt),
            },
            (Who::Group { .. }, Ok(Some((last, None)))) => self.load_roster(slot, last),
            // Nobody made it, or it is a direct conversation, which nobody reaches as a group.
            (Who::Group { .. }, Ok(_)) => self.conversation_loaded(slot, Members::Nobody, Seq::ZERO),
            (_, Err(_)) => self.conversation_failed(slot, ErrorCode::DataCorrupt),
        }
    }

    fn load_roster(&mut self, slot: u32, last: Seq) {
        let Some((id, vnode)) = self.conversations.get(slot).map(|state| (state.id, state.vnode)) else {
            return;
        };
        let Some(hosted) = self.hosted(vnode) else { return };
        let keys = rows::roster_keys(id);
        let range = &keys.start[..]..&keys.end[..];
        let memory = hosted.rows(Table::Head, range.clone(), Direction::Forward, ROSTER.rows);
        match hosted.scan_without_blocks(Table::Head, range, Direction::Forward, ROSTER) {
            Some(found) => self.roster_found(slot, last, memory, found),
            None => {
                let (from, to) = (keys.start, keys.end);
                let what = ReadWhat::Range {
                    table: Table::Head,
                    from,
                    to,
                    direction: Direction::Forward,
                    limit: ROSTER,
                };
                self.push_read(vnode, what, Target::Roster { slot, last, memory });
            }
        }
    }

    pub(crate) fn roster_read(
        &mut self,
        slot: u32,
        last: Seq,
        memory: Vec<Row>,
        result: Result<ReadResult, TableError>,
    ) {
        match result {
            Ok(ReadResult::Rows(found)) => self.roster_found(slot, last, memory, found),
            Ok(ReadResult::Keys(_)) => self.conversation_failed(slot, ErrorCode::DataCorrupt),
            Err(error) => self.conversation_failed(slot, refusal_of(&error)),
        }
    }

    fn roster_found(&mut self, slot: u32, last: Seq, memory: Vec<Row>, found: Vec<Row>) {
        match rows::read_roster(overlay(memory, found, Direction::Forward)) {
            Ok(group) => {
                let members = group.map_or(Members::Nobody, |group: Group| Members::Group(Box::new(group)));
                self.conversation_loaded(slot, members, last);
            }
            Err(_) => self.conversation_failed(slot, ErrorCode::DataCorrupt),
        }
    }

    fn conversation_loaded(&mut self, slot: u32, members: Members, last: Seq) {
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let is_owing = matches!(&members, Members::Group(group) if receipts::is_due(group));
        state.conversation = Some(Conversation::of(state.id, members, last));
        let streams = std::mem::take(&mut state.streams);
        self.weigh_group(slot);
        // Of marks that were taken before a restart.
        if is_owing {
            self.owe_group_receipts(slot);
        }
        self.pump_conversation(slot);
        for (source, destination) in streams {
            self.pump_stream(source, destination);
        }
    }

    fn conversation_failed(&mut self, slot: u32, code: ErrorCode) {
        self.refuse_queue(slot, code);
        if let Some(state) = self.conversations.remove(slot) {
            self.conversation_index.remove(&state.named);
        }
    }
}

/// The id is a hash: the names in the head are what counts.
fn direct(
    names: [UserId; 2],
    found: Option<(Seq, Option<[UserId; 2]>)>,
    sides: Option<Bytes>,
) -> Result<(Direct, Seq), Malformed> {
    let last = match found {
        None => Seq::ZERO,
        Some((last, Some(found))) if found == names => last,
        Some(_) => return Err(Malformed("names in a conversation's head")),
    };
    let ([lower, higher], sides) = (names, sides.map(rows::read_sides).transpose()?.unwrap_or_default());
    Ok((Direct { lower, higher, last_ids: [None, None], sides }, last))
}
