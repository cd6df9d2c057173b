//! Rules of commit logs.

use iris_store::{Appended, Doubt, Engine, LogEnd, Logs, Resolved, StoreError};
use iris_types::{ChunkId, LogId, Position};

use super::Rule;

pub(super) const RULES: &[Rule] = &[
    ("chunks are replayed as they were appended", replayed_as_appended),
    ("a chunk may be empty or large", sizes),
    ("a log id is used once", created_once),
    ("an open log is not replayed", open_is_not_replayed),
    ("a sealed log accepts nothing, from anybody", sealed_accepts_nothing),
    ("sealing again gives the same answer", sealed_again),
    ("an absent log is created sealed", absent_is_sealed),
    ("an append at another position than the next changes nothing", wrong_position),
    ("an append to an absent log is a misuse", absent_append),
    ("the identical chunk may be repeated", repeated),
    ("a chunk that was appended resolves as committed, also when sealed since", resolve),
    ("replay starts where it is told", replay_from),
    ("the visitor's error ends the replay", visitor_error),
    ("logs do not mix", two_logs),
    ("a log grows over many segments and is trimmed from the front", trimmed),
    ("the end of a wholly trimmed log stays known", trimmed_whole),
    ("an open log is trimmed and goes on", trimmed_open),
    ("every log is listed", listed),
];

const LOG: LogId = LogId([1; 16]);
const OTHER: LogId = LogId([2; 16]);

fn chunk(at: u64) -> ChunkId {
    let mut id = [0xc0; 16];
    id[8..].copy_from_slice(&at.to_be_bytes());
    ChunkId(id)
}

fn body(at: u64) -> Vec<u8> {
    let length = (at * 397 % 1_500) as usize;
    (0..length).map(|byte| (byte as u64 * 31 + at) as u8).collect()
}

/// Appends the chunks `first..=last`.
fn fill(logs: &dyn Logs, log: LogId, first: u64, last: u64) {
    for at in first..=last {
        assert_eq!(logs.append(log, Position(at), chunk(at), &body(at)), Appended::Committed, "at {at}");
    }
}

fn end(at: u64) -> LogEnd {
    LogEnd { last: Position(at), chunk: (at > 0).then(|| chunk(at)) }
}

fn replay(logs: &dyn Logs, log: LogId, from: u64) -> Result<Vec<u64>, StoreError> {
    let mut seen = Vec::new();
    logs.replay(log, Position(from), &mut |found| {
        assert_eq!(found.chunk, chunk(found.position.0));
        assert!(found.bytes == body(found.position.0), "the bytes of {} differ", found.position);
        seen.push(found.position.0);
        Ok(())
    })?;
    Ok(seen)
}

fn replayed_as_appended(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 40);
    assert_eq!(logs.seal(LOG), Ok(end(40)));
    assert_eq!(replay(logs, LOG, 1), Ok((1..=40).collect()));
}

fn sizes(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    let bodies = [0, 1, 476, 70_000, 1_048_576, 3, 0].map(|length| vec![0xa7; length]);
    for (at, body) in (1..).zip(&bodies) {
        assert_eq!(logs.append(LOG, Position(at), chunk(at), body), Appended::Committed);
    }
    logs.seal(LOG).unwrap();
    let mut seen = Vec::new();
    logs.replay(LOG, Position(1), &mut |found| {
        seen.push(found.bytes.to_vec());
        Ok(())
    })
    .unwrap();
    assert!(seen == bodies);
}

fn created_once(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    assert_eq!(logs.create(LOG), Err(StoreError::LogExists(LOG)));
    fill(logs, LOG, 1, 2);
    logs.seal(LOG).unwrap();
    assert_eq!(logs.create(LOG), Err(StoreError::LogExists(LOG)));
    assert_eq!(replay(logs, LOG, 1), Ok(vec![1, 2]));
}

fn open_is_not_replayed(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 1);
    assert_eq!(replay(logs, LOG, 1), Err(StoreError::NotSealed(LOG)));
    assert_eq!(replay(logs, OTHER, 1), Err(StoreError::NoSuchLog(OTHER)));
}

fn sealed_accepts_nothing(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 3);
    logs.seal(LOG).unwrap();
    let refused = Appended::Sealed(end(3));
    assert_eq!(logs.append(LOG, Position(4), chunk(4), &body(4)), refused);
    assert_eq!(engine.clone().logs.append(LOG, Position(4), chunk(9), b"another writer"), refused);
    assert_eq!(logs.resolve(LOG, Position(4), chunk(4)), Ok(Resolved::Sealed(end(3))));
    assert_eq!(replay(logs, LOG, 1), Ok(vec![1, 2, 3]));
}

fn sealed_again(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    assert_eq!(logs.seal(LOG), Ok(end(0)));
    assert_eq!(logs.seal(LOG), Ok(end(0)));
    logs.create(OTHER).unwrap();
    fill(logs, OTHER, 1, 5);
    assert_eq!(logs.seal(OTHER), Ok(end(5)));
    assert_eq!(logs.append(OTHER, Position(6), chunk(6), b""), Appended::Sealed(end(5)));
    assert_eq!(logs.seal(OTHER), Ok(end(5)));
}

fn absent_is_sealed(engine: &Engine) {
    let logs = &*engine.logs;
    assert_eq!(logs.seal(LOG), Ok(end(0)));
    assert_eq!(logs.create(LOG), Err(StoreError::LogExists(LOG)));
    assert_eq!(logs.append(LOG, Position(1), chunk(1), b"late"), Appended::Sealed(end(0)));
    assert_eq!(replay(logs, LOG, 1), Ok(vec![]));
}

fn is_misuse(answer: &Appended) -> bool {
    matches!(answer, Appended::InDoubt(Doubt::Misuse(_)))
}

fn wrong_position(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    for at in [0, 2, u64::MAX] {
        assert!(is_misuse(&logs.append(LOG, Position(at), chunk(7), b"x")), "at {at}");
    }
    fill(logs, LOG, 1, 3);
    for at in [0, 1, 2, 3, 5] {
        assert!(is_misuse(&logs.append(LOG, Position(at), chunk(77), b"x")), "at {at}");
    }
    fill(logs, LOG, 4, 4);
    logs.seal(LOG).unwrap();
    assert_eq!(replay(logs, LOG, 1), Ok(vec![1, 2, 3, 4]));
}

fn absent_append(engine: &Engine) {
    let logs = &*engine.logs;
    assert!(is_misuse(&logs.append(LOG, Position(1), chunk(1), b"x")));
    assert_eq!(logs.resolve(LOG, Position(1), chunk(1)), Err(StoreError::NoSuchLog(LOG)));
    assert_eq!(logs.trim(LOG, Position(1)), Err(StoreError::NoSuchLog(LOG)));
    assert_eq!(logs.list(), Ok(vec![]));
}

fn repeated(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 3);
    fill(logs, LOG, 3, 3);
    fill(logs, LOG, 4, 4);
    logs.seal(LOG).unwrap();
    fill(logs, LOG, 4, 4);
    assert_eq!(replay(logs, LOG, 1), Ok(vec![1, 2, 3, 4]));
}

fn resolve(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    assert_eq!(logs.resolve(LOG, Position(1), chunk(1)), Ok(Resolved::Open));
    fill(logs, LOG, 1, 2);
    assert_eq!(logs.resolve(LOG, Position(2), chunk(2)), Ok(Resolved::Committed));
    assert_eq!(logs.resolve(LOG, Position(3), chunk(3)), Ok(Resolved::Open));
    logs.seal(LOG).unwrap();
    assert_eq!(logs.resolve(LOG, Position(2), chunk(2)), Ok(Resolved::Committed));
    assert_eq!(logs.resolve(LOG, Position(3), chunk(3)), Ok(Resolved::Sealed(end(2))));
}

fn replay_from(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 30);
    logs.seal(LOG).unwrap();
    for from in 1..=31 {
        assert_eq!(replay(logs, LOG, from), Ok((from..=30).collect()), "from {from}");
    }
    for from in [0, 32] {
        let missing = StoreError::NoSuchPosition { log: LOG, position: Position(from) };
        assert_eq!(replay(logs, LOG, from), Err(missing));
    }
}

fn visitor_error(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 3);
    logs.seal(LOG).unwrap();
    let stop = StoreError::Io("enough".to_owned());
    let mut seen = 0;
    let answer = logs.replay(LOG, Position(1), &mut |_| {
        seen += 1;
        if seen == 2 { Err(stop.clone()) } else { Ok(()) }
    });
    assert_eq!((answer, seen), (Err(stop), 2));
}

fn two_logs(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    logs.create(OTHER).unwrap();
    for at in 1..=25 {
        fill(logs, LOG, at, at);
        fill(logs, OTHER, at, at);
    }
    logs.seal(LOG).unwrap();
    fill(logs, OTHER, 26, 26);
    logs.seal(OTHER).unwrap();
    assert_eq!(replay(logs, LOG, 20), Ok((20..=25).collect()));
    assert_eq!(replay(logs, OTHER, 20), Ok((20..=26).collect()));
}

fn trimmed(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 200);
    assert_eq!(logs.seal(LOG), Ok(end(200)));
    logs.trim(LOG, Position(120)).unwrap();
    assert_eq!(replay(logs, LOG, 120), Ok((120..=200).collect()));
    logs.trim(LOG, Position(60)).unwrap();
    assert_eq!(replay(logs, LOG, 120), Ok((120..=200).collect()));
    // Whether 119 is still there is the engine's choice, but never in part.
    match replay(logs, LOG, 119) {
        Ok(seen) => assert_eq!(seen, (119..=200).collect::<Vec<_>>()),
        Err(error) => {
            assert_eq!(error, StoreError::NoSuchPosition { log: LOG, position: Position(119) });
        }
    }
}

fn trimmed_whole(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 90);
    logs.seal(LOG).unwrap();
    logs.trim(LOG, Position(91)).unwrap();
    assert_eq!(logs.seal(LOG), Ok(end(90)));
    assert_eq!(replay(logs, LOG, 91), Ok(vec![]));
    let missing = StoreError::NoSuchPosition { log: LOG, position: Position(1) };
    assert_eq!(replay(logs, LOG, 1), Err(missing));
    assert_eq!(logs.create(LOG), Err(StoreError::LogExists(LOG)));
    assert_eq!(logs.append(LOG, Position(91), chunk(91), b"x"), Appended::Sealed(end(90)));
    assert!(logs.list().unwrap().iter().any(|info| info.log == LOG && info.sealed));
}

fn trimmed_open(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    for last in [50, 100, 150, 200] {
        fill(logs, LOG, last - 49, last);
        logs.trim(LOG, Position(last - 9)).unwrap();
    }
    assert_eq!(logs.seal(LOG), Ok(end(200)));
    assert_eq!(replay(logs, LOG, 191), Ok((191..=200).collect()));
}

fn listed(engine: &Engine) {
    let logs = &*engine.logs;
    logs.create(LOG).unwrap();
    fill(logs, LOG, 1, 3);
    logs.seal(OTHER).unwrap();
    let mut found: Vec<_> = logs.list().unwrap().iter().map(|info| (info.log, info.sealed)).collect();
    found.sort_unstable();
    assert_eq!(found, [(LOG, false), (OTHER, true)]);
}
