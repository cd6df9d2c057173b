//! Files and functions are short, names say something, and each crate opens with what it is.

use super::Finding;
use super::tree::{Tree, rust_lines};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
/// Names under which everything ends up sooner or later.
const NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "manager", "misc"];

/// Lines of a Python file: what a client of the protocol has to be possible in.
const PYTHON_LINES_MAX: usize = 600;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let python = tree.ending(".py").filter_map(|(path, text)| length(path, text, PYTHON_LINES_MAX));
    tree.ending(".rs")
        .flat_map(|(path, text)| {
            length(path, text, FILE_LINES_MAX)
                .into_iter()
                .chain(name(path))
                .chain(opening(path, text))
                .chain(functions(path, text))
        })
        .chain(python)
        .collect()
}

fn length(path: &str, text: &str, most: usize) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > most).then(|| Finding::new(path, lines, format!("{lines} lines, at most {most}")))
}

fn name(path: &str) -> Option<Finding> {
    let banned = path.trim_end_matches(".rs").split('/').find(|part| NAMES.contains(part))?;
    Some(Finding::new(path, 0, format!("`{banned}` says nothing: name it after what it holds")))
}

fn opening(path: &str, text: &str) -> Option<Finding> {
    let is_crate = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
    (is_crate && !text.starts_with("//! "))
        .then(|| Finding::new(path, 1, "opens without saying what the crate is (`//! ...`)"))
}

/// Long functions, as warnings. Formatted code closes a function in the column where it began.
fn functions(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open: Vec<(usize, usize)> = Vec::new();
    for line in rust_lines(path, text).filter(|line| !line.is_test) {
        let indent = line.text.len() - line.text.trim_start().len();
        let trimmed = line.text.trim_start();
        if is_function(trimmed) {
            open.retain(|(column, _)| *column < indent);
            open.push((indent, line.number));
        }
        if let Some((_, start)) = open.pop_if(|(column, _)| trimmed == "}" && *column == indent) {
            let lines = line.number + 1 - start;
            if lines > FUNCTION_LINES_MAX {
                findings.push(Finding::warning(path, start, format!("a function of {lines} lines")));
            }
        }
    }
    findings
}

fn is_function(trimmed: &str) -> bool {
    let mut words = trimmed.split_whitespace().take(5);
    let qualifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"];
    words.find(|word| !qualifiers.contains(word)) == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    #[test]
    fn long_files_empty_names_and_silent_crates_are_found() {
        let found = |path: &str, text: &str| errors(check, &[(path, text)]).len();
        assert_eq!(found("crates/a/src/b.rs", &"\n".repeat(500)), 0);
        assert_eq!(found("crates/a/src/b.rs", &"\n".repeat(501)), 1);
        assert_eq!(found("examples/python/a.py", &"\n".repeat(600)), 0);
        assert_eq!(found("examples/python/a.py", &"\n".repeat(601)), 1);
        assert_eq!(found("crates/a/src/utils.rs", ""), 1);
        assert_eq!(found("crates/common/src/a.rs", ""), 1);
        assert_eq!(found("crates/a/src/commonly.rs", ""), 0);
        assert_eq!(found("crates/a/src/lib.rs", "mod a;"), 1);
        assert_eq!(found("crates/a/src/lib.rs", "//! What it is."), 0);
    }

    #[test]
    fn a_long_function_is_a_warning_where_it_begins() {
        let body = "    let a = 1;\n".repeat(FUNCTION_LINES_MAX);
        let text = format!("struct A;\n\npub(crate) fn long() {{\n{body}}}\n\nfn short() {{\n    a();\n}}\n");
        assert_eq!(
            check(&Tree::of(&[("crates/a/src/a.rs", &text)])),
            [Finding::warning("crates/a/src/a.rs", 3, "a function of 72 lines")]
        );
    }
}
