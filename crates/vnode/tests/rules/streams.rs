use bytes::Bytes;
use iris_types::Position;
use iris_vnode::Stamp;
use iris_vnode::streams::{Arrival, Incoming, Outgoing};

fn forward(number: u8) -> Bytes {
    Bytes::copy_from_slice(&[number])
}

#[test]
fn a_destination_takes_exactly_the_next() {
    let mut incoming = Incoming { watermark: Position(3), touched: Stamp(1), ..Incoming::default() };
    let check = |incoming: &Incoming, expected: [Arrival; 4]| {
        for (position, expected) in (3..).zip(expected) {
            assert_eq!(incoming.arrival(Position(position)), expected, "{position}");
        }
    };
    check(&incoming, [Arrival::Duplicate, Arrival::Take, Arrival::Gap, Arrival::Gap]);
    incoming.queue.push_back((Position(4), forward(4)));
    check(&incoming, [Arrival::Duplicate, Arrival::Duplicate, Arrival::Take, Arrival::Gap]);
}

#[test]
fn a_source_keeps_what_is_not_confirmed() {
    let mut outgoing = Outgoing::new(Position(5), Position(5));
    for number in 6..=9 {
        assert_eq!(outgoing.push(forward(number)), Some(Position(u64::from(number))));
    }
    assert_eq!(outgoing.unsent(9), (Position(6), vec![]), "nothing is committed");
    outgoing.committed = Position(8);
    assert_eq!(outgoing.unsent(2), (Position(6), vec![forward(6), forward(7)]));
    outgoing.sent = Position(7);
    assert_eq!(outgoing.unsent(9), (Position(8), vec![forward(8)]));
    assert!(!outgoing.confirm(Position(9)), "not committed, so never sent");
    assert!(!outgoing.confirm(Position(5)));
    assert!(outgoing.confirm(Position(6)));
    assert_eq!((outgoing.queue.len(), outgoing.unsent(9).0), (3, Position(8)));
    outgoing.sent = outgoing.confirmed;
    assert_eq!(outgoing.unsent(9), (Position(7), vec![forward(7), forward(8)]));
}

#[test]
fn the_short_cut_is_open_only_when_nothing_is_on_its_way() {
    let mut outgoing = Outgoing::new(Position(5), Position(5));
    let mut incoming = Incoming { watermark: Position(5), ..Incoming::default() };
    assert!(incoming.is_continuous(&outgoing));
    outgoing.push(forward(6));
    assert!(!incoming.is_continuous(&outgoing));
    // Taken by the destination, though the source has not heard of it.
    incoming.watermark = Position(6);
    assert!(incoming.is_continuous(&outgoing));
    assert_eq!(outgoing.pass(), Some(Position(7)));
    assert_eq!((outgoing.confirmed, outgoing.queue.len()), (Position(7), 0));
    assert!(!incoming.is_continuous(&outgoing), "the watermark is moved with the same decision");
}
