//! Rules of registers.

use bytes::Bytes;
use iris_store::{Change, Compared, Engine, Value, Version};

use super::Rule;

pub(super) const RULES: &[Rule] = &[
    ("a register that was never set is absent", absent),
    ("a change counts the version up", versions),
    ("a change with another version is refused", conflict),
    ("all changes are made, or none", all_or_none),
    ("a key cannot be changed twice in one go", twice),
    ("a scan gives a prefix, in order", scan),
    ("many large changes", many),
];

fn change(key: &str, expected: Option<u64>, bytes: &'static [u8]) -> Change {
    Change { key: key.to_owned(), expected: expected.map(Version), bytes: Bytes::from_static(bytes) }
}

fn value(version: u64, bytes: &'static [u8]) -> Value {
    Value { version: Version(version), bytes: Bytes::from_static(bytes) }
}

fn conflict_with(key: &str, found: Option<u64>) -> Compared {
    Compared::Conflict { key: key.to_owned(), found: found.map(Version) }
}

fn absent(engine: &Engine) {
    assert_eq!(engine.registers.read("a"), Ok(None));
    assert_eq!(engine.registers.scan(""), Ok(vec![]));
    assert_eq!(engine.registers.compare_and_set(&[]), Ok(Compared::Set));
}

fn versions(engine: &Engine) {
    let registers = &engine.registers;
    assert_eq!(registers.compare_and_set(&[change("a", None, b"1")]), Ok(Compared::Set));
    assert_eq!(registers.read("a"), Ok(Some(value(1, b"1"))));
    assert_eq!(registers.compare_and_set(&[change("a", Some(1), b"")]), Ok(Compared::Set));
    assert_eq!(registers.read("a"), Ok(Some(value(2, b""))));
}

fn conflict(engine: &Engine) {
    let registers = &engine.registers;
    registers.compare_and_set(&[change("a", None, b"1")]).unwrap();
    for expected in [None, Some(0), Some(2)] {
        let answer = registers.compare_and_set(&[change("a", expected, b"2")]);
        assert_eq!(answer, Ok(conflict_with("a", Some(1))), "expected {expected:?}");
    }
    assert_eq!(registers.compare_and_set(&[change("b", Some(1), b"2")]), Ok(conflict_with("b", None)));
    assert_eq!(registers.read("a"), Ok(Some(value(1, b"1"))));
    assert_eq!(registers.read("b"), Ok(None));
}

fn all_or_none(engine: &Engine) {
    let registers = &engine.registers;
    registers.compare_and_set(&[change("b", None, b"old")]).unwrap();
    let changes = [change("a", None, b"new"), change("b", None, b"new"), change("c", None, b"new")];
    assert_eq!(registers.compare_and_set(&changes), Ok(conflict_with("b", Some(1))));
    assert_eq!(registers.scan(""), Ok(vec![("b".to_owned(), value(1, b"old"))]));
    let changes = [change("a", None, b"new"), change("b", Some(1), b"new")];
    assert_eq!(registers.compare_and_set(&changes), Ok(Compared::Set));
    let expected = vec![("a".to_owned(), value(1, b"new")), ("b".to_owned(), value(2, b"new"))];
    assert_eq!(registers.scan(""), Ok(expected));
}

fn twice(engine: &Engine) {
    let changes = [change("a", None, b"1"), change("a", None, b"2")];
    assert_eq!(engine.registers.compare_and_set(&changes), Ok(conflict_with("a", Some(1))));
    assert_eq!(engine.registers.read("a"), Ok(None));
}

fn scan(engine: &Engine) {
    let keys = ["vnode/2", "vnode/10", "node/1", "vnode", "vnodf", "vnode/"];
    let changes: Vec<_> = keys.iter().map(|key| change(key, None, b"x")).collect();
    engine.registers.compare_and_set(&changes).unwrap();
    let found = engine.registers.scan("vnode/").unwrap();
    let found: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(found, ["vnode/", "vnode/10", "vnode/2"]);
}

fn many(engine: &Engine) {
    let bytes = |round: u64, key: u64| Bytes::from(vec![(round * 7 + key) as u8; 600 + key as usize * 10]);
    for round in 0..20 {
        let expected = (round > 0).then_some(Version(round));
        let change = |key| Change { key: format!("k/{key:03}"), expected, bytes: bytes(round, key) };
        let changes: Vec<_> = (0..30).map(change).collect();
        assert_eq!(engine.registers.compare_and_set(&changes), Ok(Compared::Set), "round {round}");
    }
    for (key, (name, value)) in (0..).zip(engine.registers.scan("k/").unwrap()) {
        assert_eq!((name, value.version, value.bytes), (format!("k/{key:03}"), Version(20), bytes(19, key)));
    }
}
