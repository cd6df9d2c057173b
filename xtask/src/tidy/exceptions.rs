//! Whoever leaves a ban of `clippy.toml` or the ban of unsafe code says why, right there. Tests need not: they have
//! threads and clocks around what they test.

use super::Finding;
use super::tree::{Tree, is_test_file};

/// Lints whose exceptions need a reason.
const LINTS: &[&str] = &["clippy::disallowed_methods", "clippy::disallowed_types"];
/// Lines above an unsafe block among which its SAFETY comment is.
const SAFETY_WITHIN: usize = 8;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let ours =
        tree.ending(".rs").filter(|(path, _)| !path.starts_with("xtask/src/tidy/") && !is_test_file(path));
    ours.flat_map(|(path, text)| {
        let lines: Vec<&str> = text.lines().collect();
        (0..lines.len())
            .filter_map(|at| judge(&lines, at).map(|why| Finding::new(path, at + 1, why)))
            .collect::<Vec<_>>()
    })
    .collect()
}

fn judge(lines: &[&str], at: usize) -> Option<&'static str> {
    let line = lines.get(at)?;
    let is_exception = line.contains("allow(") || line.contains("expect(");
    if is_exception && LINTS.iter().any(|lint| line.contains(lint)) && !has_reason(lines, at) {
        return Some("an exception without `reason = \"...\"`");
    }
    if is_exception && line.contains("unsafe_code") && !has_safety(lines, at) {
        return Some("unsafe code without a `SAFETY:` comment");
    }
    None
}

/// The reason is in the attribute, which ends with `]`, or in a comment above or behind it.
fn has_reason(lines: &[&str], at: usize) -> bool {
    let attribute = lines.iter().skip(at).take(4);
    let mut rest = attribute.scan(false, |ended, line| {
        let shown = (!*ended).then_some(line);
        *ended |= line.contains(")]");
        shown
    });
    rest.any(|line| line.contains("reason") || line.contains("//"))
        || above(lines, at, 1).iter().any(|line| line.contains("//"))
}

fn has_safety(lines: &[&str], at: usize) -> bool {
    let below = lines.iter().skip(at).take(SAFETY_WITHIN);
    above(lines, at, SAFETY_WITHIN).iter().chain(below).any(|line| line.contains("SAFETY"))
}

fn above<'a, 'b>(lines: &'a [&'b str], at: usize, count: usize) -> &'a [&'b str] {
    lines.get(at.saturating_sub(count)..at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    fn found(text: &str) -> usize {
        errors(check, &[("crates/edge/src/a.rs", text)]).len()
    }

    #[test]
    fn exceptions_need_a_reason() {
        assert_eq!(found("#[allow(clippy::disallowed_methods)]\nfn now() {}\n"), 1);
        assert_eq!(found("#[allow(clippy::disallowed_methods)]\nfn reason() {}\n"), 1);
        assert_eq!(found("#[allow(clippy::disallowed_methods, reason = \"the clock\")]\nfn now() {}\n"), 0);
        assert_eq!(found("#[allow(clippy::disallowed_methods)] // the one clock\nfn now() {}\n"), 0);
        assert_eq!(found("// The one clock.\n#[allow(clippy::disallowed_methods)]\nfn now() {}\n"), 0);
    }

    #[test]
    fn unsafe_code_needs_its_argument() {
        assert_eq!(found("#[allow(unsafe_code)]\nfn a() {\n    unsafe { b() }\n}\n"), 1);
        assert_eq!(
            found("#[allow(unsafe_code)]\nfn a() {\n    // SAFETY: b has no rules.\n    unsafe { b() }\n}\n"),
            0
        );
    }
}
