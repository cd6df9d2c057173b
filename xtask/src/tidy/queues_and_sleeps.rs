//! Every queue of the product is bounded, and tests wait for events, not for time to pass.

use super::Finding;
use super::tree::{Tree, code, rust_lines};

/// Ways to make a queue without a bound.
const UNBOUNDED: &[&str] =
    &["unbounded_channel", "mpsc::channel()", "mpsc::channel::<", "unbounded()", "unbounded::<"];
const SLEEPS: &[&str] = &["thread::sleep", "time::sleep"];
/// What a line, or the one above it, says when the sleep polls for another process, under a deadline.
const POLL: &str = "// poll";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let ours = tree.ending(".rs").filter(|(path, _)| !path.starts_with("xtask/"));
    ours.flat_map(|(path, text)| judge(path, text)).collect()
}

fn judge(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut above = "";
    for line in rust_lines(path, text) {
        let code = code(line.text);
        if let Some(queue) = UNBOUNDED.iter().find(|queue| !line.is_test && is_unbounded(code, queue)) {
            findings.push(Finding::new(
                path,
                line.number,
                format!("`{queue}` makes a queue without a bound"),
            ));
        }
        let is_poll = line.text.contains(POLL) || above.contains(POLL);
        if line.is_test && !is_poll && SLEEPS.iter().any(|sleep| code.contains(sleep)) {
            findings.push(Finding::new(
                path,
                line.number,
                "a test sleeps: wait for the event, with a deadline",
            ));
        }
        above = line.text;
    }
    findings
}

/// tokio's `mpsc::channel::<T>(bound)` has a bound where std's has none.
fn is_unbounded(code: &str, queue: &str) -> bool {
    code.contains(queue) && (queue != "mpsc::channel::<" || code.contains(">()"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    #[test]
    fn unbounded_queues_are_found() {
        let found = |text| errors(check, &[("crates/core/src/a.rs", text)]).len();
        assert_eq!(found("let (a, b) = mpsc::channel();"), 1);
        assert_eq!(found("let (a, b) = mpsc::channel::<u8>();"), 1);
        assert_eq!(found("let (a, b) = mpsc::unbounded_channel();"), 1);
        assert_eq!(found("let (a, b) = mpsc::channel::<u8>(8);"), 0);
        assert_eq!(found("let (a, b) = mpsc::sync_channel(8);"), 0);
    }

    #[test]
    fn sleeping_tests_are_found() {
        let found = |text| errors(check, &[("crates/core/tests/a.rs", text)]).len();
        assert_eq!(found("std::thread::sleep(second);"), 1);
        assert_eq!(found("// poll: another process writes the file\nstd::thread::sleep(second);"), 0);
        assert_eq!(errors(check, &[("crates/core/src/a.rs", "std::thread::sleep(second);")]), [""; 0]);
    }
}
