//! The cargo feature `planted-bugs` is defined by `iris-types` and enabled by the simulator, by nothing else.

use super::Finding;
use super::tree::Tree;

const FEATURE: &str = "planted-bugs";
const DEFINED_IN: &str = "crates/types/Cargo.toml";
const ENABLED_IN: &str = "sim/Cargo.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = tree.ending("Cargo.toml").filter(|(path, _)| *path != DEFINED_IN && *path != ENABLED_IN);
    let mut findings: Vec<Finding> = manifests
        .flat_map(|(path, text)| {
            let lines = text.lines().enumerate().filter(|(_, line)| without_comment(line).contains(FEATURE));
            lines.map(move |(index, _)| {
                Finding::new(path, index + 1, format!("only {ENABLED_IN} may enable {FEATURE}"))
            })
        })
        .collect();
    let enabled = tree.text(ENABLED_IN).is_some_and(|text| text.contains(FEATURE));
    if !enabled {
        findings.push(Finding::new(
            ENABLED_IN,
            0,
            format!("does not enable {FEATURE}: nothing would be caught"),
        ));
    }
    findings
}

fn without_comment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    const SIM: (&str, &str) =
        (ENABLED_IN, "iris-types = { workspace = true, features = [\"planted-bugs\"] }");

    #[test]
    fn only_the_simulator_may_enable_it_and_it_has_to() {
        assert_eq!(errors(check, &[SIM, (DEFINED_IN, "planted-bugs = []")]), [""; 0]);
        let product = "# planted-bugs\niris-types = { workspace = true, features = [\"planted-bugs\"] }";
        assert_eq!(
            errors(check, &[SIM, ("crates/iris/Cargo.toml", product)]),
            ["crates/iris/Cargo.toml:2: only sim/Cargo.toml may enable planted-bugs"]
        );
        assert_eq!(errors(check, &[]).len(), 1);
    }
}
