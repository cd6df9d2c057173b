//! A crate uses what it depends on: an edge of the drawing that no code takes is no edge, and a library that
//! nobody calls is still built, licensed and attacked.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.ending("Cargo.toml").flat_map(|(path, manifest)| unused(tree, path, manifest)).collect()
}

fn unused(tree: &Tree, path: &str, manifest: &str) -> Vec<Finding> {
    let folder = path.trim_end_matches("Cargo.toml");
    let manifest: toml::Table = manifest.parse().unwrap_or_default();
    let Some(dependencies) = manifest.get("dependencies").and_then(toml::Value::as_table) else {
        return Vec::new();
    };
    let source = format!("{folder}src/");
    let is_used =
        |name: &str| tree.ending(".rs").any(|(file, text)| file.starts_with(&source) && names(text, name));
    let idle = dependencies.keys().filter(|name| !is_used(&name.replace('-', "_")));
    idle.map(|name| Finding::new(path, 0, format!("{name} is not used by {source}"))).collect()
}

/// Whether a path like `name::x` or `use name;` occurs.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.get(name.len()..).unwrap_or_default();
        let is_whole = !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        is_whole && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    #[test]
    fn a_dependency_that_no_code_names_is_found() {
        let manifest = ("crates/a/Cargo.toml", "[dependencies]\nserde-json = \"1\"\nbytes = \"1\"\n");
        let found = |text| {
            errors(check, &[manifest, ("crates/a/src/lib.rs", text), ("crates/b/src/lib.rs", "bytes::x")])
        };
        assert_eq!(found("use bytes::Bytes;\nserde_json::from_str(x)\n"), [""; 0]);
        assert_eq!(
            found("fn my_serde_json() {} // bytes\n"),
            [
                "crates/a/Cargo.toml:0: bytes is not used by crates/a/src/",
                "crates/a/Cargo.toml:0: serde-json is not used by crates/a/src/",
            ]
        );
    }
}
