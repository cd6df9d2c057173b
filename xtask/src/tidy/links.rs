//! Links in documents lead somewhere: to a file, a directory, or a heading.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        for (number, target) in links(text) {
            if let Some(message) = broken(tree, path, target) {
                findings.push(Finding::new(path, number, message));
            }
        }
    }
    findings
}

/// Line number and target of every `[text](target)` outside fenced blocks and code spans.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for (index, line) in text.lines().enumerate() {
        is_fenced ^= line.trim_start().starts_with("```");
        if is_fenced {
            continue;
        }
        let outside_code = line.split('`').step_by(2);
        let targets =
            outside_code.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| (index + 1, target)));
    }
    found
}

fn broken(tree: &Tree, from: &str, target: &str) -> Option<String> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let Some(path) = resolve(from, file) else {
        return Some(format!("{target} leads out of the repository"));
    };
    if !tree.exists(&path) {
        return Some(format!("{target} leads nowhere"));
    }
    let missing =
        anchor.filter(|anchor| !tree.text(&path).is_some_and(|text| anchors(text).contains(anchor)));
    missing.map(|anchor| format!("{path} has no heading #{anchor}"))
}

fn resolve(from: &str, file: &str) -> Option<String> {
    if file.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a document's headings.
struct Anchors(Vec<String>);

impl Anchors {
    fn contains(&self, anchor: &str) -> bool {
        self.0.iter().any(|known| known == anchor)
    }
}

fn anchors(text: &str) -> Anchors {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    Anchors(headings.map(|line| slug(line.trim_start_matches('#').trim())).collect())
}

/// Lower case, spaces to hyphens, everything else that is neither letter, digit, `-` nor `_` dropped.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    fn found(text: &str) -> Vec<String> {
        errors(check, &[("docs/a.md", text), ("docs/b.md", "# One, two\n"), ("README.md", "")])
    }

    #[test]
    fn files_directories_and_headings_are_looked_up() {
        assert_eq!(found("[b](b.md), [up](../README.md), [here](.), [x](https://example.org/x)"), [""; 0]);
        assert_eq!(found("# Own\n[b](b.md#one-two) [own](#own)"), [""; 0]);
        assert_eq!(found("[c](c.md)"), ["docs/a.md:1: c.md leads nowhere"]);
        assert_eq!(found("\n[b](b.md#three)"), ["docs/a.md:2: docs/b.md has no heading #three"]);
        assert_eq!(found("[out](../../x)"), ["docs/a.md:1: ../../x leads out of the repository"]);
        assert_eq!(found("[`c`](c.md)"), ["docs/a.md:1: c.md leads nowhere"]);
    }

    #[test]
    fn code_is_no_link() {
        assert_eq!(found("`[c](c.md)`\n```\n[c](c.md)\n```\n"), [""; 0]);
    }
}
