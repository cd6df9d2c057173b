//! Snapshots, memory tables and the blocks that reads cost.

use bytes::Bytes;
use iris_tables::{Direction, Limit, Manifest, MemTable, RunSet, Table, Window};
use iris_types::limits::BLOCK_BYTES_MAX;
use iris_types::{RunName, Timestamp};

use crate::store::{ALL, Row, Store, row, run_of};

fn numbered(count: u32, value_bytes: usize) -> Vec<Row> {
    let row = |n: u32| (Bytes::from(format!("user-{n:06}")), Bytes::from(vec![b'v'; value_bytes]));
    (0..count).map(row).collect()
}

fn opened(rows: &[Row], table: Table) -> (Store, RunSet) {
    let run = run_of(rows, table, RunName([1; 16]));
    let mut store = Store::default();
    store.put(std::slice::from_ref(&run));
    (store, RunSet::open(Manifest::default().change(&[], [run.meta])))
}

#[test]
fn a_lookup_reads_one_block_and_an_absent_key_mostly_none() {
    let rows = numbered(20_000, 60);
    let (store, set) = opened(&rows, Table::Head);
    set.check(&store).unwrap();
    store.reads.set(0);
    for (key, value) in &rows {
        assert_eq!(set.get(Table::Head, key, &store), Ok(Some(value.clone())));
    }
    assert_eq!(store.reads.take(), 20_000);
    for n in 0..20_000 {
        let absent = format!("user-{n:06}x");
        assert_eq!(set.get(Table::Head, absent.as_bytes(), &store), Ok(None));
    }
    let reads = store.reads.take();
    assert!(reads < 500, "{reads} useless reads in 20,000");
    assert_eq!(set.get(Table::Head, b"user", &store), Ok(None));
    assert_eq!(set.get(Table::Head, b"zzz", &store), Ok(None));
    assert_eq!(set.get(Table::History, b"user-000001", &store), Ok(None));
    assert_eq!(store.reads.get(), 0, "outside of the run's keys");
}

#[test]
fn an_index_is_small() {
    for (table, value_bytes, per_thousand) in
        [(Table::History, 250, 5), (Table::Head, 90, 25), (Table::Dedup, 40, 40)]
    {
        let (store, set) = opened(&numbered(20_000, value_bytes), table);
        assert_eq!(set.index_bytes(), 0, "nothing is read before it is needed");
        set.check(&store).unwrap();
        let (index, all) = (set.index_bytes() as u64, set.manifest().bytes());
        assert!(index * 1_000 < all * per_thousand, "{table:?}: {index} of {all} bytes");
    }
}

#[test]
fn a_short_page_reads_one_block() {
    let (store, set) = opened(&numbered(2_000, 250), Table::History);
    set.check(&store).unwrap();
    store.reads.set(0);
    let limit = Limit { rows: 20, bytes: usize::MAX };
    let page = set.scan(Table::History, b"user-000500", b"z", Direction::Forward, limit, &store).unwrap();
    assert_eq!((page.len(), page[0].0.as_ref()), (20, b"user-000500".as_slice()));
    assert!(store.reads.take() <= 2);
    let page = set.scan(Table::History, b"", b"user-000500", Direction::Backward, limit, &store).unwrap();
    assert_eq!((page.len(), page[0].0.as_ref()), (20, b"user-000499".as_slice()));
    assert!(store.reads.take() <= 2);
    let none = Limit { rows: 0, bytes: 0 };
    assert_eq!(set.scan(Table::History, b"", b"z", Direction::Forward, none, &store), Ok(vec![]));
    assert_eq!(set.scan(Table::History, b"b", b"a", Direction::Backward, ALL, &store), Ok(vec![]));
    assert_eq!(
        set.scan(Table::History, b"user-000500", b"user-000500", Direction::Forward, ALL, &store),
        Ok(vec![])
    );
}

#[test]
fn a_tail_of_many_blocks_and_rows_of_any_size_fit() {
    let rows: Vec<Row> =
        numbered(30_000, 4).into_iter().chain([(Bytes::from_static(b"x"), vec![1; 60_000].into())]).collect();
    let run = run_of(&rows, Table::Head, RunName([1; 16]));
    assert!(run.blocks.iter().all(|block| block.len() <= BLOCK_BYTES_MAX));
    let (store, set) = opened(&rows, Table::Head);
    assert_eq!(set.scan(Table::Head, b"", b"z", Direction::Forward, ALL, &store).unwrap(), rows);
    assert_eq!(set.scrub(RunName([1; 16]), &store), Ok(30_001));
    let (store, set) = opened(&[(Bytes::new(), Bytes::new())], Table::Head);
    assert_eq!(set.get(Table::Head, b"", &store), Ok(Some(Bytes::new())));
    assert_eq!(set.get(Table::Head, b"a", &store), Ok(None));
}

#[test]
fn a_snapshot_never_changes_and_shares_what_is_loaded() {
    let (mut store, empty) = (Store::default(), RunSet::default());
    let mut mem = MemTable::new();
    let (key, value) = row("k", "old");
    mem.put(Table::Head, Window(0), &key, &value);
    let old = store.flush(&mem, &empty);
    mem.put(Table::Head, Window(0), &key, b"new");
    let new = store.flush(&mem, &old);
    store.reads.set(0);
    assert_eq!(old.get(Table::Head, &key, &store), Ok(Some(Bytes::from_static(b"old"))));
    assert_eq!(new.get(Table::Head, &key, &store), Ok(Some(Bytes::from_static(b"new"))));
    assert_eq!(store.reads.get(), 2, "indexes of built runs need no reading");
    assert_eq!(empty.get(Table::Head, &key, &store), Ok(None));
}

#[test]
fn a_single_run_is_shown_whole() {
    let rows = numbered(3_000, 30);
    let (store, set) = opened(&rows, Table::Inbox);
    let mut seen = Vec::new();
    set.visit_run(RunName([1; 16]), &mut |key, _| seen.push(Bytes::copy_from_slice(key)), &store).unwrap();
    assert!(seen.iter().eq(rows.iter().map(|(key, _)| key)));
    assert!(set.visit_run(RunName([2; 16]), &mut |_, _| (), &store).is_err());
}

#[test]
fn memory_tables_count_their_bytes_and_split_by_window() {
    let mut mem = MemTable::new();
    assert!(mem.is_empty() && mem.bytes() == 0);
    for (window, key, value) in [(1, "a", "1234"), (2, "b", "1"), (1, "c", ""), (1, "a", "12")] {
        let (key, value) = row(key, value);
        mem.put(Table::Inbox, Window(window), &key, &value);
        mem.put(Table::Stream, Window(window), &key, &value);
    }
    assert_eq!((mem.rows_of(Table::Inbox), mem.rows_of(Table::Head)), (3, 0));
    let twelve = (mem.bytes() - 2 * (3 + 3)) / 6;
    assert_eq!(mem.bytes(), 2 * (3 + 3) + 6 * twelve, "keys, values and a share per row");
    let mut names = 0;
    let mut name = || {
        names += 1;
        RunName([names; 16])
    };
    let runs = mem.build_runs(&mut name, 4);
    let shape: Vec<_> =
        runs.iter().map(|run| (run.meta.table, run.meta.window.0, run.meta.rows, run.meta.age)).collect();
    assert_eq!(shape, [(Table::Inbox, 1, 2, 4), (Table::Inbox, 2, 1, 4), (Table::Stream, 0, 3, 4)]);
    let kept = mem.build_runs_where(&mut name, 4, &mut |table, key, _| table == Table::Stream && key != b"b");
    assert_eq!(kept.iter().map(|run| run.meta.rows).collect::<Vec<_>>(), [2]);
}

#[test]
fn memory_ranges_are_half_open_in_both_directions() {
    let mut mem = MemTable::new();
    for key in ["a", "b", "c", "d"] {
        let (key, value) = row(key, "");
        mem.put(Table::History, Window(0), &key, &value);
    }
    let check = |from: &str, to: &str, direction, expected: &str| {
        let rows = mem.range(Table::History, from.as_bytes()..to.as_bytes(), direction);
        let keys: Vec<u8> = rows.flat_map(|(key, _)| key.to_vec()).collect();
        assert_eq!(keys, expected.as_bytes(), "{from}..{to}");
    };
    check("b", "d", Direction::Forward, "bc");
    check("b", "d", Direction::Backward, "cb");
    check("", "zz", Direction::Backward, "dcba");
    check("d", "b", Direction::Forward, "");
    check("b", "b", Direction::Forward, "");
}

#[test]
fn tables_go_to_other_threads() {
    fn moves<T: Send + 'static>(_: &T) {}
    fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    moves(&MemTable::new());
    moves(&iris_tables::BlockCache::new(1));
    is_shared(&RunSet::default());
}

#[test]
fn a_window_is_a_day() {
    let day = 24 * 3_600_000;
    assert_eq!(Window::of(Timestamp(0)), Window(0));
    assert_eq!(Window::of(Timestamp(day - 1)), Window(0));
    assert_eq!(Window::of(Timestamp(20_778 * day)), Window(20_778));
    assert_eq!(Window(20_778).start(), Timestamp(20_778 * day));
    assert_eq!(Window::of(Timestamp(u64::MAX)), Window(u32::MAX));
}
