//! What is merged, and what comes out.

use bytes::Bytes;
use iris_tables::{
    Direction, Manifest, MemTable, MergePlan, RunMeta, RunSet, Table, Window, expired, merge, plan_merges,
};
use iris_types::RunName;
use iris_types::limits::RUN_BYTES_MAX;

use crate::store::{ALL, Store, meta, row};

/// Five runs of one table; run n says of every key below n that n wrote it last.
fn five_runs(table: Table) -> (Store, RunSet) {
    let (mut store, mut set) = (Store::default(), RunSet::default());
    for n in 1..=5 {
        let mut mem = MemTable::new();
        for key in n..10 {
            let (key, value) = row(&format!("k{key}"), &format!("v{n}"));
            mem.put(table, Window(3), &key, &value);
        }
        set = store.flush(&mem, &set);
    }
    (store, set)
}

#[test]
fn a_merge_keeps_the_newest_value_of_each_key() {
    let (mut store, set) = five_runs(Table::Dedup);
    let before = set.scan(Table::Dedup, b"", b"z", Direction::Forward, ALL, &store).unwrap();
    let merged = store.merge_once(&set).unwrap();
    assert_eq!(merged.manifest().runs().len(), 1);
    let run = merged.manifest().runs()[0];
    assert_eq!((run.level, run.age, run.window, run.rows), (1, 5, Window(3), 9));
    assert_eq!(merged.scan(Table::Dedup, b"", b"z", Direction::Forward, ALL, &store), Ok(before));
    assert_eq!(merged.get(Table::Dedup, b"k3", &store), Ok(Some(Bytes::from_static(b"v3"))));
    assert_eq!(merged.get(Table::Dedup, b"k9", &store), Ok(Some(Bytes::from_static(b"v5"))));
}

#[test]
fn a_merge_leaves_out_what_is_not_kept() {
    let (mut store, set) = five_runs(Table::Stream);
    let plan = plan_merges(set.manifest()).into_iter().next().unwrap();
    let name = store.name();
    let mut seen = Vec::new();
    let mut keep = |key: &[u8], value: &[u8]| {
        seen.push((key.to_vec(), value.to_vec()));
        key > b"k6".as_slice()
    };
    let built = merge(&set, &plan, name, &mut keep, &store).unwrap().unwrap();
    assert_eq!(seen.len(), 9, "asked once per key, of its newest value");
    assert!(seen.contains(&(b"k2".to_vec(), b"v2".to_vec())));
    assert_eq!(built.meta.rows, 3);
    let nothing = merge(&set, &plan, name, &mut |_, _| false, &store).unwrap();
    assert!(nothing.is_none());
    let emptied = set.manifest().replace(&plan, None).unwrap();
    assert_eq!(emptied, Manifest::default());
    assert_eq!(emptied.replace(&plan, Some(built.meta)), None, "its inputs are gone meanwhile");
}

#[test]
fn a_merge_of_unreadable_or_unknown_runs_is_an_error() {
    let (mut store, set) = five_runs(Table::Head);
    let mut plan = plan_merges(set.manifest()).into_iter().next().unwrap();
    store.runs.remove(&plan.inputs[2]);
    let lone = RunSet::open(set.manifest().clone());
    assert!(merge(&lone, &plan, RunName([0; 16]), &mut |_, _| true, &store).is_err());
    plan.inputs = vec![RunName([99; 16])];
    assert!(merge(&set, &plan, RunName([0; 16]), &mut |_, _| true, &store).is_err());
}

/// The names of the plan's inputs for runs (table, window, level, age, bytes), named 1, 2, 3 and so on.
fn check_plan(runs: &[(Table, u32, u8, u64, u64)], expected: Option<(&[u8], u8)>) -> Option<MergePlan> {
    let metas = (1..)
        .zip(runs)
        .map(|(name, (table, window, level, age, bytes))| meta(name, *table, *window, *level, *age, *bytes));
    let found = plan_merges(&Manifest::default().change(&[], metas)).into_iter().next();
    let names = found.as_ref().map(|plan| {
        let names: Vec<u8> = plan.inputs.iter().map(|name| name.0[0]).collect();
        (names, plan.level)
    });
    assert_eq!(names, expected.map(|(names, level)| (names.to_vec(), level)), "{runs:?}");
    found
}

#[test]
fn plans_take_neighbours_in_age_of_one_table_window_and_level() {
    use Table::{Head, History, Inbox};
    check_plan(&[], None);
    check_plan(&[(Head, 0, 0, 1, 9), (Head, 0, 0, 2, 9), (Head, 0, 0, 3, 9)], None);
    let four = [(Head, 0, 0, 4, 9), (Head, 0, 0, 2, 9), (Head, 0, 0, 3, 9), (Head, 0, 0, 1, 9)];
    check_plan(&four, Some((&[4, 2, 3, 1], 1)));
    // A run of another level in between.
    let mut split = four;
    split[1].2 = 1;
    check_plan(&split, None);
    // Another table, another window.
    let mut other = four;
    other[3].0 = History;
    check_plan(&other, None);
    let days = four.map(|(_, _, level, age, bytes)| (Inbox, (age / 3) as u32, level, age, bytes));
    check_plan(&days, None);
    // Never more than eight, the oldest first.
    let many: Vec<_> = (1..=11).map(|age| (Head, 0, 0, age, 9)).collect();
    check_plan(&many, Some((&[1, 2, 3, 4, 5, 6, 7, 8], 1)));
    // Lower levels first.
    let tiers: Vec<_> = (1..=8).map(|age| (Head, 0, u8::from(age < 5), age, 9)).collect();
    check_plan(&tiers, Some((&[5, 6, 7, 8], 1)));
}

#[test]
fn full_runs_stay_as_they_are() {
    let run = |age, bytes| (Table::History, 0, 3, age, bytes);
    let (full, half, small) = (RUN_BYTES_MAX, RUN_BYTES_MAX / 2, 1);
    check_plan(&[run(1, full), run(2, full), run(3, full), run(4, full)], None);
    check_plan(&[run(1, half), run(2, half), run(3, half), run(4, half)], Some((&[1, 2], 4)));
    check_plan(&[run(1, small), run(2, small), run(3, full), run(4, small), run(5, small)], None);
}

#[test]
fn days_that_are_over_are_merged_further() {
    let run = |window, age, bytes| (Table::Inbox, window, 0, age, bytes);
    check_plan(&[run(7, 1, 9), run(7, 2, 9), run(8, 3, 9)], None);
    let plan = check_plan(&[run(7, 1, 9), run(7, 2, 9), run(9, 3, 9)], Some((&[1, 2], 1))).unwrap();
    assert_eq!((plan.table, plan.window), (Table::Inbox, Window(7)));
    // A heavy run is not rewritten for a light one, but light ones are for each other.
    check_plan(&[run(7, 1, 900), run(7, 2, 9), run(9, 3, 9)], None);
    check_plan(&[run(7, 1, 900), run(7, 2, 9), run(7, 3, 9), run(9, 4, 9)], Some((&[2, 3], 1)));
}

#[test]
fn merging_ends_and_leaves_few_runs() {
    let (mut store, mut set) = (Store::default(), RunSet::default());
    let mut written = 0;
    for n in 0..300_u32 {
        let mut mem = MemTable::new();
        let key = Bytes::from(n.to_be_bytes().to_vec());
        mem.put(Table::Head, Window(0), &key, &key);
        mem.put(Table::Dedup, Window(n / 100), &key, &key);
        set = store.flush(&mem, &set);
        while let Some(merged) = store.merge_once(&set) {
            written += 1;
            set = merged;
        }
        assert!(set.manifest().runs().len() <= 30);
    }
    assert!(written < 300, "{written}");
    let windows = set.manifest().runs().iter().filter(|run| run.window == Window(0));
    assert!(windows.clone().all(|run| run.rows <= 300));
    assert_eq!(set.scan(Table::Head, &[], &[9], Direction::Forward, ALL, &store).unwrap().len(), 300);
    let dedup = |run: &&RunMeta| run.table == Table::Dedup;
    let rows = windows.filter(dedup).map(|run| run.rows).sum::<u64>();
    assert_eq!(rows, 100, "windows were never mixed");
}

#[test]
fn only_windows_that_are_over_expire() {
    let runs = [
        meta(1, Table::Inbox, 5, 0, 1, 1),
        meta(2, Table::Inbox, 6, 0, 2, 1),
        meta(3, Table::Dedup, 5, 0, 3, 1),
        meta(4, Table::Head, 0, 0, 4, 1),
    ];
    let manifest = Manifest::default().change(&[], runs);
    let check = |table, before, expected: &[RunName]| {
        assert_eq!(expired(&manifest, table, Window(before)), expected, "{table:?} {before}");
    };
    check(Table::Inbox, 5, &[]);
    check(Table::Inbox, 6, &[RunName([1; 16])]);
    check(Table::Inbox, 7, &[RunName([1; 16]), RunName([2; 16])]);
    check(Table::Dedup, 99, &[RunName([3; 16])]);
    check(Table::Head, 99, &[]);
}
