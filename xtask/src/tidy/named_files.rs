//! A file named in a document, like `crates/types/src/lib.rs`, exists.

use super::Finding;
use super::tree::Tree;

/// Where such a name begins.
const ROOTS: &[&str] = &["crates/", "sim/", "xtask/", "fuzz/", "docs/", "examples/", ".ci/", ".cargo/"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.ending(".md").filter(|(path, _)| *path != "CHANGELOG.md");
    documents.flat_map(|(path, text)| missing(tree, path, text)).collect()
}

fn missing(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_fenced = false;
    for (index, line) in text.lines().enumerate() {
        is_fenced ^= line.trim_start().starts_with("```");
        let spans = line.split('`').skip(1).step_by(2).filter(|_| !is_fenced);
        for name in spans.filter(|span| is_path(span)) {
            let file = name.split("::").next().unwrap_or(name);
            if !tree.exists(file) {
                findings.push(Finding::new(path, index + 1, format!("{file} does not exist")));
            }
        }
    }
    findings
}

/// Placeholders (`crates/<name>/`, `crates/*`) and things with spaces are not names of files.
fn is_path(span: &str) -> bool {
    let plain = span.chars().all(|letter| letter.is_alphanumeric() || "/._-:".contains(letter));
    plain && ROOTS.iter().any(|root| span.starts_with(root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    #[test]
    fn a_named_file_has_to_exist() {
        let found = |text| errors(check, &[("docs/a.md", text), ("crates/a/src/b.rs", "")]);
        assert_eq!(
            found("`crates/a/src/b.rs`, `crates/a/`, `crates/a/src/b.rs::test`, `crates/<name>/`"),
            [""; 0]
        );
        assert_eq!(found("\nsee `crates/a/src/c.rs`"), ["docs/a.md:2: crates/a/src/c.rs does not exist"]);
        assert_eq!(found("```text\n`crates/a/src/c.rs`\n```"), [""; 0]);
    }
}
