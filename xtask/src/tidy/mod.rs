//! Structure and style of the repository, as checks over its text. Under two seconds, no compiler.
//!
//! Each check is a file with failing examples in its tests; [`CHECKS`] is the table of all.

mod banned_words;
mod crate_edges;
mod exceptions;
mod file_shape;
mod layers;
mod limits;
mod links;
mod named_files;
mod planted_feature;
mod pure_crates;
mod queues_and_sleeps;
mod requirements;
mod secrets;
mod tree;
mod unused_dependencies;

use std::path::Path;

use anyhow::Result;

use crate::outcome::Outcome;
use tree::Tree;

/// Something that has to change, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
    /// A warning is printed and does not fail.
    is_warning: bool,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), is_warning: false }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { is_warning: true, ..Self::new(path, line, message) }
    }
}

type Check = fn(&Tree) -> Vec<Finding>;

/// Every check and its name.
const CHECKS: &[(&str, Check)] = &[
    ("crate edges are those drawn", crate_edges::check),
    ("dependencies are used", unused_dependencies::check),
    ("planted bugs stay in the simulator", planted_feature::check),
    ("bounds are in limits.rs", limits::check),
    ("files and functions are small, crates say what they are", file_shape::check),
    ("pure crates stay pure", pure_crates::check),
    ("exceptions give a reason", exceptions::check),
    ("queues are bounded, tests do not sleep", queues_and_sleeps::check),
    ("a feature has one name in every layer", layers::check),
    ("links lead somewhere", links::check),
    ("files named in documents exist", named_files::check),
    ("each requirement names a test", requirements::check),
    ("no banned words", banned_words::check),
    ("no keys, tokens or machine paths", secrets::check),
];

/// Runs every check over the repository and prints what it finds.
pub(crate) fn run(root: &Path) -> Result<Outcome> {
    let tree = Tree::read(root)?;
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in CHECKS {
        let findings = check(&tree);
        let errors = findings.iter().filter(|finding| !finding.is_warning).count();
        println!("{} {name}", if errors == 0 { "ok  " } else { "FAIL" });
        findings.iter().for_each(print);
        if errors == 0 { passed += 1 } else { failed += 1 }
    }
    Ok(Outcome::Ran { passed, failed })
}

fn print(finding: &Finding) {
    let kind = if finding.is_warning { "warning: " } else { "" };
    println!("     {}:{}: {kind}{}", finding.path, finding.line, finding.message);
}

/// The messages of errors a check finds in a made-up tree: what the tests of every check compare.
#[cfg(test)]
fn errors(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    let findings = check(&Tree::of(files));
    findings
        .iter()
        .filter(|finding| !finding.is_warning)
        .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.message))
        .collect()
}
