//! Each requirement of this stage names tests that exist (TST-1).
//!
//! `docs/requirements.md` has a table with one row per requirement; its last column names tests as
//! `path::test_name` and steps of `cargo xtask test` as `step: name`.

use super::Finding;
use super::tree::Tree;
use crate::steps;

const DOCUMENT: &str = "docs/requirements.md";
/// The requirements of this stage.
const STAGE: &[&str] = &[
    "MSG-1", "MSG-2", "MSG-3", "MSG-4", "MSG-5", "MSG-6", "MSG-7", "MSG-8", "MSG-9", "MSG-10", "MSG-11",
    "MSG-12", "MSG-13", "PRE-1", "PRE-2", "PRE-3", "PRE-4", "SEC-1", "SEC-2", "SEC-3", "SEC-5", "SEC-6",
    "SEC-7", "SEC-9", "SEC-10", "NFR-1", "NFR-6", "NFR-7", "NFR-8", "ARC-1", "ARC-2", "ARC-3", "ARC-9",
    "ARC-10", "ARC-11", "PRO-1", "PRO-2", "PRO-3", "PRO-4", "OPS-2", "TST-1", "TST-2",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(DOCUMENT) else {
        return vec![Finding::new(DOCUMENT, 0, "is missing")];
    };
    let rows: Vec<(usize, &str, Vec<&str>)> = rows(text);
    let absent = STAGE.iter().filter(|id| !rows.iter().any(|(_, row, _)| row == *id));
    let mut findings: Vec<Finding> =
        absent.map(|id| Finding::new(DOCUMENT, 0, format!("{id} has no row"))).collect();
    for (number, id, proofs) in rows {
        if proofs.is_empty() {
            findings.push(Finding::new(DOCUMENT, number, format!("{id} names no test")));
        }
        let wrong = proofs.into_iter().filter_map(|proof| missing(tree, proof));
        findings.extend(wrong.map(|message| Finding::new(DOCUMENT, number, message)));
    }
    findings
}

/// Line number, id and proofs of each row.
fn rows(text: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
            let id = cells.first().filter(|id| is_id(id))?;
            let proofs = cells.last()?.split('`').skip(1).step_by(2).collect();
            Some((index + 1, *id, proofs))
        })
        .collect()
}

fn is_id(cell: &str) -> bool {
    let parts = cell.split_once('-');
    parts.is_some_and(|(area, number)| {
        area.len() == 3
            && area.chars().all(|letter| letter.is_ascii_uppercase())
            && number.parse::<u8>().is_ok()
    })
}

fn missing(tree: &Tree, proof: &str) -> Option<String> {
    if let Some(step) = proof.strip_prefix("step: ") {
        return (!steps::names().any(|name| name == step)).then(|| format!("no step is called {step}"));
    }
    if let Some(command) = proof.strip_prefix("command: ") {
        let known = steps::COMMANDS.contains(&command);
        return (!known).then(|| format!("no command is called {command}"));
    }
    let Some((path, test)) = proof.split_once("::") else {
        return Some(format!("{proof} is neither `path::test` nor `step: name`"));
    };
    let Some(text) = tree.text(path) else { return Some(format!("{path} does not exist")) };
    (!has_test(text, test)).then(|| format!("{path} has no test {test}"))
}

/// Whether a test function of that name is there: its attribute is among the three lines above.
fn has_test(text: &str, test: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let opening = format!("fn {test}(");
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines.get(at.saturating_sub(3)..at).unwrap_or_default();
        line.contains(&opening) && above.iter().any(|line| line.starts_with("#[") && line.contains("test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    const TEST: (&str, &str) = ("crates/a/tests/b.rs", "#[test]\nfn works() {}\n\n\n\nfn helps() {}\n");

    /// Errors about a document that gives every requirement the same proof.
    fn found(proof: &str) -> Vec<String> {
        let text: String = STAGE.iter().map(|id| format!("| {id} | what | {proof} |\n")).collect();
        let mut found = errors(check, &[(DOCUMENT, &text), TEST]);
        found.truncate(1);
        found
    }

    #[test]
    fn a_proof_has_to_exist() {
        assert_eq!(found("`crates/a/tests/b.rs::works`, `step: tidy`"), [""; 0]);
        assert_eq!(found(""), ["docs/requirements.md:1: MSG-1 names no test"]);
        assert_eq!(found("`step: nothing`"), ["docs/requirements.md:1: no step is called nothing"]);
        assert_eq!(found("`command: figures`"), [""; 0]);
        assert_eq!(found("`command: nothing`"), ["docs/requirements.md:1: no command is called nothing"]);
        assert_eq!(
            found("`crates/a/tests/c.rs::works`"),
            ["docs/requirements.md:1: crates/a/tests/c.rs does not exist"]
        );
        assert_eq!(
            found("`crates/a/tests/b.rs::helps`"),
            ["docs/requirements.md:1: crates/a/tests/b.rs has no test helps"]
        );
        assert_eq!(
            found("`works`"),
            ["docs/requirements.md:1: works is neither `path::test` nor `step: name`"]
        );
    }

    #[test]
    fn a_requirement_without_a_row_is_found() {
        let found = errors(check, &[(DOCUMENT, "| MSG-1 | what | `step: tidy` |\n")]);
        assert_eq!(found.len(), STAGE.len() - 1);
    }
}
