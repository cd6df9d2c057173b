//! Pure crates have no clock, randomness, threads, input, output or order that differs from run to run.
//!
//! `clippy.toml` bans the calls; here a pure crate may not even name what the bans are about, nor depend on a
//! library that brings it along. So the simulator's same seed gives the same trace.

use super::Finding;
use super::tree::{Tree, code, is_test_file, rust_lines};

/// The crates that take bytes, time and randomness as arguments.
pub(super) const PURE: &[&str] =
    &["types", "protocol", "tables", "vnode", "worker", "client-core", "history", "cluster"];
/// What their product code may not name.
const NAMES: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::io::std",
    "println!",
    "eprintln!",
    "Instant::now",
    "SystemTime",
    "RandomState",
    "tokio::",
    "rustix::",
    "disallowed_methods",
    "disallowed_types",
];
/// Libraries that are pure themselves, or used in a pure way.
const LIBRARIES: &[&str] = &[
    "base64",
    "bytes",
    "thiserror",
    "crc32c",
    "foldhash",
    "fastrand",
    "httpdate",
    "sha1",
    "sha2",
    "uuid",
    "serde",
    "serde_json",
    "zeroize",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    PURE.iter().flat_map(|name| sources(tree, name).into_iter().chain(libraries(tree, name))).collect()
}

fn sources(tree: &Tree, name: &str) -> Vec<Finding> {
    let folder = format!("crates/{name}/src/");
    let files = tree.ending(".rs").filter(|(path, _)| path.starts_with(&folder) && !is_test_file(path));
    files.flat_map(|(path, text)| impurities(path, text)).collect()
}

fn impurities(path: &str, text: &str) -> Vec<Finding> {
    let has_fixed_hasher = text.contains("FixedState") || text.contains("BuildHasherDefault");
    let mut findings = Vec::new();
    for line in rust_lines(path, text).filter(|line| !line.is_test) {
        let code = code(line.text);
        if let Some(banned) = NAMES.iter().find(|banned| code.contains(*banned)) {
            findings.push(Finding::new(path, line.number, format!("a pure crate names `{banned}`")));
        }
        let imports_hashing =
            code.contains("std::collections") && (code.contains("HashMap") || code.contains("HashSet"));
        if imports_hashing && !has_fixed_hasher {
            findings.push(Finding::new(
                path,
                line.number,
                "a pure crate hashes with a random state: fix the hasher",
            ));
        }
    }
    findings
}

fn libraries(tree: &Tree, name: &str) -> Vec<Finding> {
    let path = format!("crates/{name}/Cargo.toml");
    let manifest: toml::Table = tree.text(&path).and_then(|text| text.parse().ok()).unwrap_or_default();
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    dependencies
        .into_iter()
        .flat_map(|table| table.keys())
        .filter(|library| !library.starts_with("iris-") && !LIBRARIES.contains(&library.as_str()))
        .map(|library| Finding::new(&path, 0, format!("a pure crate depends on {library}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    fn found(text: &str) -> usize {
        errors(check, &[("crates/vnode/src/a.rs", text)]).len()
    }

    #[test]
    fn clocks_files_and_random_hashing_are_found_outside_tests() {
        assert_eq!(found("use std::time::Duration;\n// not std::fs\n"), 0);
        assert_eq!(found("use std::fs;"), 1);
        assert_eq!(found("let now = Instant::now();"), 1);
        assert_eq!(found("#[allow(clippy::disallowed_methods)]"), 1);
        assert_eq!(found("use std::collections::HashMap;"), 1);
        assert_eq!(found("use std::collections::HashMap;\nuse foldhash::fast::FixedState;"), 0);
        assert_eq!(found("#[cfg(test)]\nmod tests {\n    use std::env;\n}"), 0);
        assert_eq!(errors(check, &[("crates/edge/src/a.rs", "use std::fs;")]), [""; 0]);
    }

    #[test]
    fn a_library_that_reaches_the_world_is_found() {
        let manifest = "[dependencies]\nbytes.workspace = true\ntokio.workspace = true\n[dev-dependencies]\ntempfile = \"3\"\n";
        assert_eq!(
            errors(check, &[("crates/worker/Cargo.toml", manifest)]),
            ["crates/worker/Cargo.toml:0: a pure crate depends on tokio"]
        );
    }
}
