//! After an operator cut a log, vnodes end at different places of it: some hold in their runs what others lost with
//! the log. What would contradict itself from then on is joined again, as rows that are claimed together with the
//! vnodes: the two ends of every stream, and seqs that members of a conversation hold already.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use iris_store::{Engine, StoreError};
use iris_tables::{Blocks, BuiltRun, Direction, Limit, MemTable, RunMeta, RunSet, Table, TableError, Window};
use iris_types::{ConversationId, Position, Seq, UserId, VnodeId};
use iris_vnode::codec::Malformed;
use iris_vnode::events::StreamRow;
use iris_vnode::rows::{self, ListPart, Listed};

use crate::call::{Mend, MendVnode, StreamRows};
use crate::conversation_queue::ordered;
use crate::execute::{load_streams, put_runs, quarantined};

/// Writes what has to be joined as runs and says which. Like a recovery's, they are garbage until a manifest names
/// them.
pub(crate) fn mend(
    mut work: Mend,
    engine: &Engine,
    blocks: &dyn Blocks,
) -> Result<Vec<(VnodeId, RunMeta)>, StoreError> {
    let mut tables = BTreeMap::new();
    join_streams(&work, engine, blocks, &mut tables)?;
    join_seqs(&work, engine, blocks, &mut tables)?;
    let built: Vec<(VnodeId, BuiltRun)> = tables
        .into_iter()
        .flat_map(|(vnode, mem): (VnodeId, MemTable)| {
            let age = work.vnode(vnode).map_or(1, |one| one.runs.manifest().next_age());
            let runs = mem.build_runs(&mut || work.names.run(), age);
            runs.into_iter().map(move |run| (vnode, run)).collect::<Vec<_>>()
        })
        .collect();
    put_runs(built.iter().map(|(vnode, run)| (*vnode, run)), engine)?;
    Ok(built.iter().map(|(vnode, run)| (*vnode, run.meta)).collect())
}

type Tables = BTreeMap<VnodeId, MemTable>;

/// Both ends of a stream, as their vnodes' rows say.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    last: Position,
    confirmed: Position,
    watermark: Position,
}

fn join_streams(
    work: &Mend,
    engine: &Engine,
    blocks: &dyn Blocks,
    tables: &mut Tables,
) -> Result<(), StoreError> {
    let sets: Vec<(VnodeId, RunSet)> = work.vnodes.iter().map(|one| (one.vnode, one.runs.clone())).collect();
    let found = load_streams(&sets, engine, blocks).map_err(unreadable)?;
    let (mut ends, mut unknown) = (BTreeMap::new(), BTreeSet::new());
    for (vnode, rows) in found {
        match rows {
            Some(rows) => note_ends(vnode, rows, &mut ends).map_err(malformed)?,
            None => drop(unknown.insert(vnode)),
        }
    }
    // A vnode that does not know its streams decides nothing any more.
    ends.retain(|(source, destination), _| !unknown.contains(source) && !unknown.contains(destination));
    for ((source, destination), ends) in ends {
        if ends.watermark > ends.last && work.is_cut(source) {
            // What was sent behind `last` is lost at the source and was taken: new forwards come after it.
            let (last, confirmed) = (ends.watermark, ends.watermark);
            put_stream(StreamRow::Outgoing { destination, last, confirmed }, source, tables);
        } else if ends.watermark < ends.confirmed && work.is_cut(destination) {
            // What was taken is lost and the source has forgotten it: only what follows can still come.
            put_stream(StreamRow::Watermark { source, position: ends.confirmed }, destination, tables);
        }
    }
    Ok(())
}

fn note_ends(
    vnode: VnodeId,
    found: StreamRows,
    ends: &mut BTreeMap<(VnodeId, VnodeId), Ends>,
) -> Result<(), Malformed> {
    for (key, value) in found.outgoing {
        let destination = rows::split_vnode_key(&key).ok_or(Malformed("outgoing stream key"))?;
        let ends = ends.entry((vnode, destination)).or_default();
        (ends.last, ends.confirmed) = rows::read_outgoing(value)?;
    }
    for (key, value) in found.watermarks {
        let source = rows::split_vnode_key(&key).ok_or(Malformed("watermark key"))?;
        ends.entry((source, vnode)).or_default().watermark = rows::read_watermark(value)?;
    }
    Ok(())
}

fn put_stream(row: StreamRow, vnode: VnodeId, tables: &mut Tables) {
    let mem = tables.entry(vnode).or_default();
    row.put(&mut |table, window, key, value| mem.put(table, window, key, value));
}

/// A conversation goes on behind the greatest seq that one of its members holds: no seq is given to two messages.
fn join_seqs(
    work: &Mend,
    engine: &Engine,
    blocks: &dyn Blocks,
    tables: &mut Tables,
) -> Result<(), StoreError> {
    let moved_aside = quarantined(engine);
    let mut heads: BTreeMap<(VnodeId, ConversationId), Head> = BTreeMap::new();
    for member in work.vnodes.iter().filter(|member| work.vnodes.iter().any(|home| home.is_behind(member))) {
        let all = Limit { rows: usize::MAX, bytes: usize::MAX };
        let lists = member.runs.scan(Table::Head, b"x", b"y", Direction::Forward, all, blocks);
        for (key, value) in explained(lists, |run| moved_aside.explains(run))?.unwrap_or_default() {
            let Some((conversation, head)) = head_of(&key, value).map_err(malformed)? else { continue };
            let vnode = match &head.names {
                Some([lower, higher]) => work.count.of_direct(lower, higher),
                None => work.count.of_group(conversation),
            };
            if work.vnode(vnode).is_some_and(|home| home.is_behind(member)) {
                let greatest = heads.entry((vnode, conversation)).or_insert_with(|| head.clone());
                greatest.last = head.last.max(greatest.last);
            }
        }
    }
    for ((vnode, conversation), head) in heads {
        let Some(home) = work.vnode(vnode) else { continue };
        let key = rows::conversation_key(conversation);
        let found = home.runs.get(Table::Head, &key, blocks);
        // Where its row is missed, the conversation is answered with `data_corrupt` as it is.
        let Some(found) = explained(found, |run| moved_aside.explains(run))? else { continue };
        let last = found.map(rows::read_conversation).transpose().map_err(malformed)?.map(|(last, ..)| last);
        if last.unwrap_or_default() < head.last {
            let value = match &head.names {
                Some([lower, higher]) => rows::conversation_value(head.last, lower, higher),
                None => rows::group_head_value(head.last),
            };
            tables.entry(vnode).or_default().put(Table::Head, Window::default(), &key, &value);
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
struct Head {
    last: Seq,
    /// Of a direct conversation.
    names: Option<[UserId; 2]>,
}

/// What a line of a member's conversation list says of the conversation; `None` for the part of it that does not.
fn head_of(key: &[u8], value: Bytes) -> Result<Option<(ConversationId, Head)>, Malformed> {
    let malformed = Malformed("conversation list key");
    let (user, conversation, part) = rows::split_list_key(key).ok_or(malformed)?;
    if part != ListPart::Listed {
        return Ok(None);
    }
    let user = UserId::from_bytes(user).map_err(|_| malformed)?;
    let Listed { last, with, .. } = Listed::decode(value)?;
    let names = with.user().map(|with| ordered(&user, with));
    Ok(Some((conversation, Head { last, names })))
}

impl Mend {
    fn vnode(&self, vnode: VnodeId) -> Option<&MendVnode> {
        self.vnodes.iter().find(|one| one.vnode == vnode)
    }

    fn is_cut(&self, vnode: VnodeId) -> bool {
        self.vnode(vnode).is_some_and(|one| one.is_cut)
    }
}

impl MendVnode {
    /// Whether the other one may hold what this one has lost.
    fn is_behind(&self, other: &Self) -> bool {
        self.is_cut && (self.log != other.log || self.reached < other.reached)
    }
}

/// `None`: an operator moved it aside.
fn explained<T>(
    found: Result<T, TableError>,
    is_explained: impl Fn(iris_types::RunName) -> bool,
) -> Result<Option<T>, StoreError> {
    match found {
        Err(TableError::Missing { run, .. }) if is_explained(run) => Ok(None),
        found => found.map(Some).map_err(unreadable),
    }
}

fn unreadable(error: TableError) -> StoreError {
    let what = error.to_string();
    match error {
        TableError::Io { .. } => StoreError::Io(what),
        TableError::Corrupt { .. } | TableError::Missing { .. } => StoreError::Corrupt { what },
    }
}

fn malformed(error: Malformed) -> StoreError {
    StoreError::Corrupt { what: error.to_string() }
}
