//! Every bound is in `limits.rs`, with unit and reason. A constant elsewhere that looks like one is either a
//! bound in the wrong place, or a layout: then the line, or the one above it, says `// layout`. One that is derived
//! from a bound (`const PAUSE_MS: u64 = limits::ACCEPT_PAUSE_MS;`) is fine.

use super::Finding;
use super::tree::{Tree, rust_lines};

/// Endings of a bound's name.
const ENDINGS: &[&str] = &["_MAX", "_MS", "_CAPACITY"];
/// Constants called `.._BYTES` describe layouts while they are smaller than this, and bounds from here on.
const LAYOUT_BYTES_UNDER: u64 = 4_096;
const HOME: &str = "crates/types/src/limits.rs";
/// Tools: what the checkers tolerate and how the load generator measures are no bounds of Iris.
const TOOLS: &[&str] = &["crates/history/", "crates/testkit/", "crates/iris/src/bench"];
const MARK: &str = "// layout";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let product = tree.ending(".rs").filter(|(path, _)| {
        path.starts_with("crates/") && *path != HOME && !TOOLS.iter().any(|tool| path.starts_with(tool))
    });
    product.flat_map(|(path, text)| bounds(path, text)).collect()
}

fn bounds(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut above = "";
    for line in rust_lines(path, text) {
        let marked = line.text.contains(MARK) || above.contains(MARK);
        if let Some(name) = bound(line.text).filter(|_| !line.is_test && !marked) {
            let message = format!("{name} is a bound: move it to {HOME}, or mark it `{MARK}`");
            findings.push(Finding::new(path, line.number, message));
        }
        above = line.text;
    }
    findings
}

/// The name of a constant that is called like a bound and holds a number.
fn bound(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("const ")?;
    if !before.trim().is_empty() && !before.trim().starts_with("pub") {
        return None;
    }
    let (name, value) = after.split_once(": ")?;
    let is_number =
        ["usize", "u64", "u32", "u16", "u8", "Duration"].iter().any(|kind| value.starts_with(kind));
    let is_derived =
        value.split(['=', ' ', ';', '(']).any(|word| ENDINGS.iter().any(|ending| word.ends_with(ending)));
    let is_named_so = ENDINGS.iter().any(|ending| name.ends_with(ending));
    (is_number && !is_derived && (is_named_so || name.ends_with("_BYTES") && is_large(value))).then_some(name)
}

/// Whether the value after `usize = ` is a product or at least [`LAYOUT_BYTES_UNDER`].
fn is_large(value: &str) -> bool {
    let Some((_, value)) = value.split_once("= ") else { return false };
    let value = value.split(';').next().unwrap_or_default();
    let literal = value.replace('_', "").parse();
    value.contains("1_024") || literal.is_ok_and(|bytes: u64| bytes >= LAYOUT_BYTES_UNDER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    #[test]
    fn a_bound_outside_limits_is_found_unless_it_is_a_layout() {
        let found = |text| errors(check, &[("crates/edge/src/a.rs", text)]).len();
        assert_eq!(found("const QUEUE_MAX: usize = 10;"), 1);
        assert_eq!(found("    pub(crate) const RETRY_MS: u64 = 10;"), 1);
        assert_eq!(found("pub const HEADER_BYTES: usize = 7;"), 0);
        assert_eq!(found("pub const CACHE_BYTES: usize = 4_096;"), 1);
        assert_eq!(found("pub const CACHE_BYTES: usize = 64 * 1_024;"), 1);
        assert_eq!(found("const PAUSE_MS: u64 = limits::ACCEPT_PAUSE_MS;"), 0);
        assert_eq!(found("const KEPT_MS: u64 = 4 * LOGIN_SKEW_MS_MAX;"), 0);
        assert_eq!(found("const DAY_MS: u64 = 86_400_000; // layout"), 0);
        assert_eq!(found("// layout: what a u16 holds\npub const LENGTH_MAX: usize = 65_535;"), 0);
        assert_eq!(found("#[cfg(test)]\nmod tests {\n    const A_MAX: u64 = 1;\n}\n"), 0);
        assert_eq!(found("const NAME: &str = \"A_MAX: u64\";"), 0);
        assert_eq!(errors(check, &[(HOME, "pub const QUEUE_MAX: usize = 10;")]), [""; 0]);
    }
}
