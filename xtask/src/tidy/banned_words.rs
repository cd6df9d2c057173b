//! Nothing is promised for later in the code: it is done, or the report of what is missing says so.

use super::Finding;
use super::tree::Tree;

/// Words of unfinished work; written apart, so that this file does not find itself.
const WORDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("un", "implemented!"),
    concat!("to", "do!"),
    concat!("for ", "now"),
    concat!("in a real ", "system"),
    concat!("in a real ", "implementation"),
    concat!("will be implemented ", "later"),
];

/// What is read as prose elsewhere is looked at for promises only in these.
const PROMISING: &[&str] = &[".rs", ".md", ".toml"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let endings = [".rs", ".md", ".toml", ".py", ".yml"];
    let files = tree.files().filter(|(path, _)| endings.iter().any(|ending| path.ends_with(ending)));
    files.flat_map(|(path, text)| found(path, text)).collect()
}

fn found(path: &str, text: &str) -> Vec<Finding> {
    let may_promise = !PROMISING.iter().any(|ending| path.ends_with(ending));
    let wanted = || WORDS.iter().copied().filter(|word| !(may_promise && word.contains(' ')));
    let words = |line: &str| wanted().find(|word| has_word(line, word));
    let lines = text.lines().enumerate();
    lines.filter_map(|(at, line)| Some(Finding::new(path, at + 1, format!("`{}`", words(line)?)))).collect()
}

/// Whether a word stands alone, not within a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, rest) = line.split_at(at);
        let after = rest.get(word.len()..).unwrap_or_default();
        let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
        !before.ends_with(is_letter) && !after.starts_with(is_letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    #[test]
    fn words_of_unfinished_work_are_found_alone() {
        let found = |text: &str| errors(check, &[("crates/a/src/b.rs", text)]).len();
        assert_eq!(found(concat!("// TO", "DO: later")), 1);
        assert_eq!(found(concat!("// enough for ", "now.")), 1);
        assert_eq!(found(concat!("let a = TO", "DOS;")), 0);
        assert_eq!(found("// wait for nowhere"), 0);
        assert_eq!(found("// 0XXXXX is a mask"), 0);
    }
}
