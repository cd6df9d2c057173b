//! Licences, bans and sources of every dependency, as `deny.toml` says.
//!
//! Reads the same `deny.toml` as cargo-deny, over `cargo metadata`: building cargo-deny takes longer than the
//! rest of the test command (`docs/adr/0005-deny-checks-without-cargo-deny.md`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::outcome::Outcome;
use crate::process;

/// The parts of `deny.toml` that are checked here.
#[derive(Deserialize)]
struct Rules {
    bans: Bans,
    licenses: Licenses,
    sources: Sources,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package as `cargo metadata` tells it; our own have no source.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

pub(crate) fn run(root: &Path) -> Result<Outcome> {
    let rules: Rules = toml::from_str(&fs::read_to_string(root.join("deny.toml"))?)?;
    let findings = check(&rules, &packages(root)?);
    for finding in &findings {
        eprintln!("{finding}");
    }
    Ok(Outcome::Ran { passed: u64::from(findings.is_empty()), failed: findings.len() as u64 })
}

/// Known vulnerabilities, by cargo-deny itself: needs the network and its database.
pub(crate) fn advisories(root: &Path) -> Result<Outcome> {
    if !process::is_present("cargo-deny", "--version") {
        return Ok(Outcome::Skipped("cargo install cargo-deny --locked --version 0.20.2".to_owned()));
    }
    let fetched = Command::new("cargo").current_dir(root).args(["deny", "fetch", "db"]).status()?;
    if !fetched.success() {
        return Ok(Outcome::Skipped("cargo deny fetch db".to_owned()));
    }
    let status = Command::new("cargo").current_dir(root).args(["deny", "check", "advisories"]).status()?;
    Ok(if status.success() { Outcome::PASSED } else { Outcome::FAILED })
}

/// The packages that some crate of the workspace, or a test of one, is built with on some platform. The lock
/// file also lists what only features nobody enables would need; `cargo tree` tells them apart, and
/// `cargo metadata` knows licence and source.
fn packages(root: &Path) -> Result<Vec<Package>> {
    let tree =
        cargo(root, &["tree", "--workspace", "--locked", "--target=all", "--prefix=none", "--format={p}"])?;
    let built: BTreeSet<(String, String)> =
        String::from_utf8(tree)?.lines().filter_map(name_and_version).collect();
    let metadata = cargo(root, &["metadata", "--format-version=1", "--locked"])?;
    let mut metadata: Metadata = serde_json::from_slice(&metadata)?;
    metadata.packages.retain(|package| built.contains(&(package.name.clone(), package.version.clone())));
    Ok(metadata.packages)
}

/// Of a line like `bytes v1.12.1` or `xtask v0.1.0 (path)`.
fn name_and_version(line: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output =
        Command::new("cargo").current_dir(root).args(arguments).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

fn check(rules: &Rules, packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .filter(|package| package.source.is_some())
        .flat_map(|package| judge(rules, package))
        .collect()
}

fn judge(rules: &Rules, package: &Package) -> Vec<String> {
    let mut findings = Vec::new();
    let culprit = format!("{} {}", package.name, package.version);
    if let Some(ban) = rules.bans.deny.iter().find(|ban| ban.name == package.name) {
        findings.push(format!("{culprit} is banned: {}", ban.reason));
    }
    let license = package.license.as_deref().unwrap_or("none");
    if !is_allowed(license, &rules.licenses.allow) {
        findings.push(format!("{culprit}: licence {license} is not among those of deny.toml"));
    }
    let source = package.source.as_deref().unwrap_or_default();
    if !rules.sources.allow_registry.iter().any(|allowed| source.ends_with(allowed)) {
        findings.push(format!("{culprit} comes from {source}"));
    }
    findings
}

/// Whether an SPDX expression is satisfied by the allowed licences. `/` is how old manifests write `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any_of(&words, &mut at, allowed) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut satisfied = all_of(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        satisfied |= all_of(words, at, allowed);
    }
    satisfied
}

fn all_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut satisfied = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        satisfied &= one(words, at, allowed);
    }
    satisfied
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let satisfied = any_of(words, at, allowed);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return satisfied && closed;
    }
    let mut license = (*word).to_owned();
    if let (Some(&"WITH"), Some(exception)) = (words.get(*at), words.get(*at + 1)) {
        license = format!("{word} WITH {exception}");
        *at += 2;
    }
    allowed.contains(&license)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn rules() -> Result<Rules> {
        Ok(toml::from_str(
            "[bans]\ndeny = [{ crate = \"ring\", reason = \"one crypto library\" }]\n\
             [licenses]\nallow = [\"MIT\", \"ISC\", \"Apache-2.0 WITH LLVM-exception\"]\n\
             [sources]\nallow-registry = [\"https://github.com/rust-lang/crates.io-index\"]\n",
        )?)
    }

    fn findings(name: &str, license: Option<&str>, source: Option<&str>) -> Result<Vec<String>> {
        let package = Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        };
        Ok(check(&rules()?, &[package]))
    }

    #[test]
    fn licence_expressions() -> Result<()> {
        let rules = rules()?;
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("ISC AND (GPL-3.0 OR MIT)", true),
            ("ISC AND (GPL-3.0 OR AGPL-3.0)", false),
            ("GPL-3.0 AND MIT OR ISC", true),
            ("MIT AND", false),
            ("(MIT", false),
            ("Apache-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
        ] {
            assert_eq!(is_allowed(expression, &rules.licenses.allow), expected, "{expression}");
        }
        Ok(())
    }

    #[test]
    fn lines_of_the_tree() {
        let both = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(name_and_version("bytes v1.12.1 (*)"), both("bytes", "1.12.1"));
        assert_eq!(name_and_version("serde_derive v1.0.229 (proc-macro)"), both("serde_derive", "1.0.229"));
        assert_eq!(name_and_version(""), None);
    }

    #[test]
    fn a_banned_crate_a_missing_licence_and_a_foreign_source_are_found() -> Result<()> {
        assert_eq!(findings("bytes", Some("MIT"), Some(REGISTRY))?, Vec::<String>::new());
        assert_eq!(
            findings("ring", Some("ISC"), Some(REGISTRY))?,
            ["ring 1.0.0 is banned: one crypto library"]
        );
        assert_eq!(findings("x", None, Some(REGISTRY))?.len(), 1);
        assert_eq!(findings("x", Some("MIT"), Some("git+https://example.org/x"))?.len(), 1);
        assert_eq!(findings("ours", None, None)?, Vec::<String>::new());
        Ok(())
    }
}
