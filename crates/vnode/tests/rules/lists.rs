//! Pages of a user's list of conversations, of two rows each.

use bytes::Bytes;
use iris_types::limits::LIST_ITEMS_MAX;
use iris_types::request::{ConversationPage, ListConversations};
use iris_types::{ConversationId, ErrorCode, Flags, GroupTitle, Peer, Preview, Seq, Standing, Timestamp};
use iris_vnode::Line;
use iris_vnode::list_conversations::{Gathering, range};
use iris_vnode::page::Row;
use iris_vnode::rows::{ListPart, Listed, list_key};

use crate::{body, user};

fn conversation(number: u8) -> ConversationId {
    ConversationId([number; 16])
}

fn listed(number: u8, with: Peer, standing: Standing) -> Row {
    let preview = Preview::of(user("b"), Timestamp(9), &body("text"));
    let value = Listed { with, standing, last: Seq(10), preview }.encode();
    (list_key(&user("a"), conversation(number), ListPart::Listed), value)
}

/// Read up to so far; pinned.
fn line(number: u8, read: u64) -> Row {
    let mut line = Line::default();
    line.flags = Flags::PINNED;
    line.mark(Seq(read));
    (list_key(&user("a"), conversation(number), ListPart::Line), line.encode())
}

/// Reads as the worker does, from rows that are all there.
fn page(all: &[Row], after: Option<ConversationId>, limit: u16) -> Result<ConversationPage, ErrorCode> {
    let request = ListConversations { after, limit };
    let (mut keys, mut gathering) = (range(&user("a"), &request), Gathering::new(&request));
    for _ in 0..1_000 {
        let asked = gathering.rows();
        let found = all.iter().filter(|(key, _)| keys.contains(key)).take(asked).cloned().collect();
        match gathering.take(found, asked)? {
            Some(next) => keys.start = next,
            None => return Ok(gathering.finish()),
        }
    }
    panic!("no end");
}

/// Page by page: id, read mark, unread, whether it is pinned.
fn pages(all: &[Row], limit: u16) -> Vec<(u8, u64, u64, bool)> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = page(all, after, limit).unwrap();
        assert!(page.items.len() <= usize::from(limit) && (!page.more || !page.items.is_empty()));
        items.extend(
            page.items
                .iter()
                .map(|one| (one.conversation.0[0], one.read.0, one.unread, one.flags.has(Flags::PINNED))),
        );
        after = page.items.last().map(|one| one.conversation);
        if !page.more {
            return items;
        }
    }
}

#[test]
fn a_conversation_and_its_line_are_one_item() {
    let group = Peer::Group(GroupTitle::new("Tea").unwrap());
    let rows = [
        listed(1, user("b").into(), Standing::Member),
        listed(2, group.clone(), Standing::Invited),
        line(2, 7),
        listed(3, group.clone(), Standing::Gone),
        line(3, 12),
    ];
    let page = page(&rows, None, 9).unwrap();
    let found: Vec<_> = page.items.iter().map(|one| (one.with.clone(), one.standing)).collect();
    assert_eq!(
        found,
        [(user("b").into(), Standing::Member), (group.clone(), Standing::Invited), (group, Standing::Gone)]
    );
    assert_eq!(pages(&rows, 9), [(1, 0, 10, false), (2, 7, 3, true), (3, 12, 0, true)]);
}

#[test]
fn pages_of_every_size_have_every_item_once() {
    // By number: with a line, without one, and lines alone, of which many follow each other.
    let has_listed = |number: u8| !number.is_multiple_of(3) && !(60..190).contains(&number);
    let has_line = |number: u8| !number.is_multiple_of(5);
    let mut rows = Vec::new();
    for number in 1..=250 {
        rows.extend(has_listed(number).then(|| listed(number, user("b").into(), Standing::Member)));
        rows.extend(has_line(number).then(|| line(number, 4)));
    }
    let item = |number: u8| if has_line(number) { (number, 4, 6, true) } else { (number, 0, 10, false) };
    let expected: Vec<_> = (1..=250).filter(|number| has_listed(*number)).map(item).collect();
    for limit in [1, 2, 3, 7, 50, 100] {
        assert_eq!(pages(&rows, limit), expected, "{limit}");
    }
}

#[test]
fn a_page_has_a_bound_whatever_is_asked_for() {
    let rows: Vec<Row> = (1..=250).map(|number| listed(number, user("b").into(), Standing::Member)).collect();
    for (limit, count) in [(0, 1), (1, 1), (100, LIST_ITEMS_MAX), (u16::MAX, LIST_ITEMS_MAX)] {
        let page = page(&rows, None, limit).unwrap();
        assert_eq!((page.items.len(), page.more), (count, true), "{limit}");
    }
    let last = page(&rows, Some(conversation(240)), 10).unwrap();
    assert_eq!((last.items.len(), last.more), (10, false));
    let none = page(&rows, Some(conversation(250)), 10).unwrap();
    assert_eq!((none.items.len(), none.more), (0, false));
}

#[test]
fn only_lines_are_an_empty_list() {
    let rows: Vec<Row> = (1..=250).map(|number| line(number, 4)).collect();
    let page = page(&rows, None, 1).unwrap();
    assert_eq!((page.items.len(), page.more), (0, false));
}

#[test]
fn a_row_that_cannot_be_read_is_never_skipped() {
    let whole = listed(1, user("b").into(), Standing::Member);
    let cut = (line(1, 4).0, Bytes::from_static(&[0x80]));
    let key = (Bytes::from_static(b"xa\0"), whole.1.clone());
    for rows in [vec![whole.clone(), cut], vec![key]] {
        assert_eq!(page(&rows, None, 9), Err(ErrorCode::DataCorrupt));
    }
}
