//! Dependencies between our crates are exactly those drawn in `ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::tree::Tree;

/// The document with the drawing.
const DOCUMENT: &str = "ARCHITECTURE.md";
/// What opens the drawing: a fenced block whose lines are `crate -> crate, crate`.
const FENCE: &str = "```graph";

type Edges = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(DOCUMENT) else {
        return vec![Finding::new(DOCUMENT, 0, "is missing")];
    };
    let drawn = drawn(text);
    let mut findings = Vec::new();
    let mut built = Edges::new();
    for (path, manifest) in tree.ending("Cargo.toml") {
        match edges_of(manifest) {
            Ok(Some((name, edges))) => {
                findings.extend(compare(path, &name, &edges, drawn.get(&name)));
                built.insert(name, edges);
            }
            Ok(None) => {}
            Err(error) => findings.push(Finding::new(path, 0, error)),
        }
    }
    let unknown = drawn.keys().filter(|name| !built.contains_key(*name));
    findings
        .extend(unknown.map(|name| Finding::new(DOCUMENT, 0, format!("{name} is drawn but does not exist"))));
    findings
}

fn drawn(text: &str) -> Edges {
    let block = text.lines().skip_while(|line| *line != FENCE).skip(1).take_while(|line| *line != "```");
    block
        .filter_map(|line| {
            let (name, to) = line.split_once("->")?;
            let to =
                to.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            Some((name.trim().to_owned(), to))
        })
        .collect()
}

/// The short name of a manifest's crate and the short names of ours it depends on; tests do not count.
fn edges_of(manifest: &str) -> Result<Option<(String, BTreeSet<String>)>, String> {
    let manifest: toml::Table = manifest.parse().map_err(|error| format!("{error}"))?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    // A workspace of its own is a tool beside ours.
    let Some(name) = name.filter(|_| !manifest.contains_key("workspace")) else { return Ok(None) };
    let mut edges = BTreeSet::new();
    for section in ["dependencies", "build-dependencies"] {
        collect(manifest.get(section), &mut edges);
        for target in
            manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|all| all.values())
        {
            collect(target.get(section), &mut edges);
        }
    }
    Ok(Some((short(name).to_owned(), edges)))
}

fn collect(section: Option<&toml::Value>, edges: &mut BTreeSet<String>) {
    let names = section.and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys());
    edges.extend(names.filter(|name| name.starts_with("iris-")).map(|name| short(name).to_owned()));
}

fn short(name: &str) -> &str {
    name.strip_prefix("iris-").unwrap_or(name)
}

fn compare(
    path: &str,
    name: &str,
    built: &BTreeSet<String>,
    drawn: Option<&BTreeSet<String>>,
) -> Vec<Finding> {
    let Some(drawn) = drawn else {
        return vec![Finding::new(path, 0, format!("{name} is not drawn in {DOCUMENT}"))];
    };
    let undrawn = built.difference(drawn).map(|to| format!("{name} -> {to} is not drawn in {DOCUMENT}"));
    let unbuilt = drawn.difference(built).map(|to| format!("{name} -> {to} is drawn but not there"));
    undrawn.chain(unbuilt).map(|message| Finding::new(path, 0, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    const DRAWING: &str = "# A\n\n```graph\ntypes    ->\nprotocol -> types\n```\n";
    const TYPES: (&str, &str) = ("crates/types/Cargo.toml", "[package]\nname = \"iris-types\"\n");

    fn protocol(dependencies: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"iris-protocol\"\n{dependencies}");
        errors(check, &[(DOCUMENT, DRAWING), TYPES, ("crates/protocol/Cargo.toml", &manifest)])
    }

    #[test]
    fn an_edge_has_to_be_drawn_and_a_drawn_one_has_to_be_there() {
        assert_eq!(protocol("[dependencies]\niris-types.workspace = true\nbytes = \"1\"\n"), [""; 0]);
        assert_eq!(
            protocol("[dependencies]\niris-types.workspace = true\niris-store.workspace = true\n"),
            ["crates/protocol/Cargo.toml:0: protocol -> store is not drawn in ARCHITECTURE.md"]
        );
        assert_eq!(protocol(""), ["crates/protocol/Cargo.toml:0: protocol -> types is drawn but not there"]);
    }

    #[test]
    fn tests_may_depend_on_anything_but_targets_may_not() {
        let dependencies =
            "[dependencies]\niris-types.workspace = true\n[dev-dependencies]\niris-store.workspace = true\n";
        assert_eq!(protocol(dependencies), [""; 0]);
        let sneaked =
            format!("{dependencies}[target.'cfg(unix)'.dependencies]\niris-edge.workspace = true\n");
        assert_eq!(protocol(&sneaked).len(), 1);
    }

    #[test]
    fn a_crate_has_to_be_drawn_and_a_drawn_one_has_to_exist() {
        let edge = ("crates/edge/Cargo.toml", "[package]\nname = \"iris-edge\"\n");
        assert_eq!(
            errors(check, &[(DOCUMENT, DRAWING), TYPES, edge]),
            [
                "crates/edge/Cargo.toml:0: edge is not drawn in ARCHITECTURE.md",
                "ARCHITECTURE.md:0: protocol is drawn but does not exist",
            ]
        );
        assert_eq!(errors(check, &[]), ["ARCHITECTURE.md:0: is missing"]);
    }
}
