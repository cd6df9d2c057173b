//! Which part of a group's history somebody may read.

use bytes::Bytes;
use iris_types::request::{HistoryFrom, ReadHistory};
use iris_types::{ConversationId, ErrorCode, Policy, Seq, Target};
use iris_vnode::page::Row;
use iris_vnode::{Author, Conversation, Side, read_history, rows};

use crate::group::Sample;
use crate::{NOW, body, id, user};

/// What a page shows: seqs, and whether there are more.
fn page(one: &Conversation, who: &str, from: HistoryFrom, limit: u16) -> Result<(Vec<u64>, bool), ErrorCode> {
    let read = ReadHistory { with: Target::Group(one.id), from, limit };
    let Some(plan) = read_history::plan(one, &user(who), &read)? else { return Ok((Vec::new(), false)) };
    let (least, greatest) = if plan.is_ascending { (plan.first, plan.end) } else { (plan.end, plan.first) };
    let row = |seq: u64| -> Row {
        let mut value = Vec::new();
        let author = Author::Member(user("author"));
        rows::put_history_value(&mut value, &author, id(1, NOW), iris_types::Timestamp(NOW), &body("x"));
        (rows::history_key(one.id, Seq(seq)), Bytes::from(value))
    };
    let mut found: Vec<Row> = (least.0..=greatest.0).map(row).collect();
    if !plan.is_ascending {
        found.reverse();
    }
    found.truncate(plan.limit);
    let page = read_history::page(&plan, one.id, None, found)?;
    assert!(page.entries.iter().all(|entry| entry.from == user("author")));
    Ok((page.entries.iter().map(|entry| entry.seq.0).collect(), page.more))
}

/// All pages in both directions, which have to say the same.
fn all(one: &Conversation, who: &str) -> Vec<u64> {
    let mut forward = Vec::new();
    loop {
        let after = HistoryFrom::After(Seq(forward.last().copied().unwrap_or(0)));
        let (seqs, more) = page(one, who, after, 2).unwrap();
        forward.extend(&seqs);
        if !more {
            break;
        }
        assert!(!seqs.is_empty());
    }
    let (mut backward, mut from) = (Vec::new(), HistoryFrom::Latest);
    loop {
        let (seqs, more) = page(one, who, from, 3).unwrap();
        backward.splice(0..0, seqs.iter().copied());
        match seqs.first() {
            Some(first) if more => from = HistoryFrom::Before(Seq(*first)),
            _ => break,
        }
    }
    assert_eq!(forward, backward, "{who}");
    forward
}

/// Sends so many.
fn talk(sample: &mut Sample, count: usize) {
    (0..count).for_each(|_| assert!(sample.send("o", "x").is_ok()));
}

#[test]
fn history_is_what_was_said_while_one_was_in() {
    let mut sample = Sample::made("o", Policy::ADMINS_ADD, &["a"]);
    talk(&mut sample, 3);
    sample.act("o", "add late").seq();
    sample.act("o", "invite i").seq();
    talk(&mut sample, 2);
    assert_eq!((sample.act("o", "remove a").seq(), sample.act("i", "accept").seq()), (9, 10));
    talk(&mut sample, 1);
    sample.act("late", "leave").seq();
    talk(&mut sample, 1);
    sample.act("o", "add a").seq();
    talk(&mut sample, 2);
    assert_eq!(sample.one.last, Seq(16));
    assert_eq!(all(&sample.one, "o"), (1..=16).collect::<Vec<_>>());
    assert_eq!(all(&sample.one, "a"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16]);
    assert_eq!(all(&sample.one, "late"), [5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(all(&sample.one, "i"), [10, 11, 12, 13, 14, 15, 16]);
    // Between two times in the group a page begins at the next in its direction.
    assert_eq!(page(&sample.one, "a", HistoryFrom::After(Seq(10)), 9), Ok((vec![14, 15, 16], false)));
    assert_eq!(page(&sample.one, "a", HistoryFrom::Before(Seq(12)), 2), Ok((vec![8, 9], true)));
    assert_eq!(page(&sample.one, "a", HistoryFrom::After(Seq(7)), 9), Ok((vec![8, 9], true)));
    assert_eq!(page(&sample.one, "a", HistoryFrom::After(Seq(16)), 9), Ok((vec![], false)));
    assert_eq!(page(&sample.one, "late", HistoryFrom::Before(Seq(5)), 9), Ok((vec![], false)));
    assert_eq!(page(&sample.one, "late", HistoryFrom::After(Seq(u64::MAX)), 9), Ok((vec![], false)));
    assert_eq!(page(&sample.one, "late", HistoryFrom::Before(Seq(0)), 9), Ok((vec![], false)));
}

#[test]
fn who_was_only_invited_reads_nothing_and_a_stranger_is_told_so() {
    let mut sample = Sample::made("o", Policy::default(), &["i", "d"]);
    talk(&mut sample, 2);
    sample.act("d", "leave").seq();
    assert_eq!((all(&sample.one, "i"), all(&sample.one, "d")), (vec![], vec![]));
    assert_eq!(page(&sample.one, "stranger", HistoryFrom::Latest, 1), Err(ErrorCode::NotMember));
    let nobodys = Sample::unmade();
    assert_eq!(page(&nobodys.one, "o", HistoryFrom::Latest, 1), Err(ErrorCode::NotMember));
}

#[test]
fn an_open_history_is_read_from_its_beginning() {
    let open = Policy::ADMINS_ADD.with(Policy::OPEN_HISTORY);
    let mut sample = Sample::made("o", open, &["a"]);
    talk(&mut sample, 3);
    sample.act("o", "remove a").seq();
    talk(&mut sample, 2);
    assert_eq!(all(&sample.one, "a"), [1, 2, 3, 4, 5]);
    sample.act("o", "add b").seq();
    sample.act("o", "add a").seq();
    assert_eq!(all(&sample.one, "a"), (1..=9).collect::<Vec<_>>());
    assert_eq!(all(&sample.one, "b"), (1..=9).collect::<Vec<_>>());
    // Closed again, it is closed for those who come from then on.
    sample.act("o", "policy 1").seq();
    sample.act("o", "add c").seq();
    sample.act("a", "leave").seq();
    talk(&mut sample, 1);
    sample.act("o", "add a").seq();
    assert_eq!(all(&sample.one, "c"), [11, 12, 13, 14]);
    assert_eq!(all(&sample.one, "a"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14]);
}

#[test]
fn only_what_is_committed_is_shown() {
    let mut sample = Sample::made("o", Policy::ADMINS_ADD.with(Policy::OPEN_HISTORY), &["a"]);
    talk(&mut sample, 2);
    sample.commits = false;
    sample.act("o", "remove a").seq();
    assert_eq!(all(&sample.one, "a"), [1, 2, 3]);
    assert_eq!(all(&sample.one, "o"), [1, 2, 3]);
}

#[test]
fn an_author_of_another_kind_is_damage() {
    let direct = Conversation::new(ConversationId([1; 16]), user("a"), user("b"), Seq(1));
    let row = |author: &Author| {
        let mut value = Vec::new();
        rows::put_history_value(&mut value, author, id(1, NOW), iris_types::Timestamp(NOW), &body("x"));
        vec![(rows::history_key(direct.id, Seq(1)), Bytes::from(value))]
    };
    let read = ReadHistory { with: user("b").into(), from: HistoryFrom::Latest, limit: 9 };
    let plan = read_history::plan(&direct, &user("a"), &read).unwrap().unwrap();
    let (lower, higher) = (user("a"), user("b"));
    for (author, names, is_whole) in [
        (Author::Side(Side::Lower), Some([&lower, &higher]), true),
        (Author::Member(user("a")), Some([&lower, &higher]), false),
        (Author::Side(Side::Lower), None, false),
        (Author::Member(user("a")), None, true),
    ] {
        let page = read_history::page(&plan, direct.id, names, row(&author));
        assert_eq!(page.map_err(|code| code == ErrorCode::DataCorrupt).is_ok(), is_whole, "{author:?}");
    }
}
