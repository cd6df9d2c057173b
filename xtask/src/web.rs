//! The TypeScript SDK and the web client: built from source, compared with what is committed, tested, pictured.
//!
//! What is built is committed (`web/sdk/dist`, `web/app/dist`), so that the server builds without Node and without the
//! WebAssembly target. Every tool is locked: the compiler by `rust-toolchain.toml`, wasm-bindgen by
//! `web/bindgen/Cargo.lock`, the others by `web/package-lock.json`. Paths of the machine are remapped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::outcome::Outcome;
use crate::prerequisites::WASM_TARGET;
use crate::process;

/// What is built and committed, from `web/`.
const BUILT: &[&str] = &["sdk/dist", "app/dist"];
const MODULE: &str = "iris_client_web.wasm";
const BUILD_LIMIT: Duration = Duration::from_secs(900);
const TEST_LIMIT: Duration = Duration::from_secs(900);

/// Builds everything; with `check` into a directory of its own, which has to be equal to what is committed.
pub(crate) fn build(root: &Path, check: bool) -> Result<Outcome> {
    if let Some(missing) = missing() {
        return Ok(missing);
    }
    let out = if check { root.join("target/web/check") } else { root.join("web") };
    let made = packages(root)?
        .and(module(root, "web", &[], &root.join("web/sdk/src/wasm"))?)
        .and(node(root, &["web/build.mjs", &out.to_string_lossy()], BUILD_LIMIT)?)
        .and(node(root, &[TSC, "--project", "web/app"], BUILD_LIMIT)?)
        .and(node(root, &[TSC, "--project", "web/tests"], BUILD_LIMIT)?);
    if !check || made.is_failed() {
        return Ok(made);
    }
    let differences = differences(&root.join("web"), &out)?;
    differences.iter().for_each(|file| println!("not as committed: web/{file} (cargo xtask web builds it)"));
    Ok(made.and(if differences.is_empty() { Outcome::PASSED } else { Outcome::FAILED }))
}

/// As a step of the tests.
pub(crate) fn check(root: &Path) -> Result<Outcome> {
    build(root, true)
}

/// The SDK in Node, against the release build of the server.
pub(crate) fn sdk(root: &Path) -> Result<Outcome> {
    if let Some(missing) = missing() {
        return Ok(missing);
    }
    let vectors = root.join("target/web/vectors");
    let prepared = packages(root)?.and(module(root, "web-vectors", &["--features", "vectors"], &vectors)?);
    Ok(prepared.and(tests(root, &["sdk", "vectors", "scenarios"])?))
}

/// SDK and web client in a headless Chromium.
pub(crate) fn browser(root: &Path) -> Result<Outcome> {
    match missing().or_else(no_browser) {
        Some(missing) => Ok(missing),
        None => Ok(packages(root)?.and(tests(root, &["tabs.browser", "app.browser", "history.browser"])?)),
    }
}

/// The pictures of the README, of the pages as they are.
pub(crate) fn screenshots(root: &Path) -> Result<Outcome> {
    match missing().or_else(no_browser) {
        Some(missing) => Ok(missing),
        None => Ok(packages(root)?.and(node(root, &["web/tests/screenshots.mjs"], TEST_LIMIT)?)),
    }
}

const TSC: &str = "web/node_modules/typescript/bin/tsc";
const NODE_PACKAGES: &str = "sudo apt-get install --yes nodejs npm";
const CHROMIUM: &str = "sudo apt-get install --yes chromium";

fn missing() -> Option<Outcome> {
    let is_there = process::is_present("node", "--version") && process::is_present("npm", "--version");
    (!is_there).then(|| Outcome::Skipped(NODE_PACKAGES.to_owned()))
}

fn no_browser() -> Option<Outcome> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = names.iter().any(|name| process::is_present(name, "--version"));
    (!is_there).then(|| Outcome::Skipped(CHROMIUM.to_owned()))
}

/// Installs the locked packages, if they are not there as locked.
fn packages(root: &Path) -> Result<Outcome> {
    let age = |path: &str| fs::metadata(root.join(path)).and_then(|data| data.modified()).ok();
    if age("web/node_modules/.package-lock.json") >= age("web/package-lock.json") {
        return Ok(Outcome::PASSED);
    }
    let mut command = Command::new("npm");
    command.current_dir(root.join("web")).args(["ci", "--ignore-scripts"]);
    process::run(command, BUILD_LIMIT)
}

/// Compiles the client's rules and writes the JavaScript around them. `name`: of the directory that cargo uses.
fn module(root: &Path, name: &str, features: &[&str], out: &Path) -> Result<Outcome> {
    let target = root.join("target/web").join(name);
    let mut compile = Command::new("cargo");
    compile
        .current_dir(root)
        .env("RUSTFLAGS", remapped(root)?)
        .args(["build", "--quiet", "--locked", "--package", "iris-client-web", "--profile", "web"])
        .args(["--target", WASM_TARGET, "--target-dir"])
        .arg(&target)
        .args(features);
    let compiled = process::run(compile, BUILD_LIMIT)?;
    let mut bind = Command::new("cargo");
    bind.current_dir(root)
        .args(["run", "--quiet", "--locked", "--manifest-path", "web/bindgen/Cargo.toml", "--target-dir"])
        .arg(root.join("target/web/bindgen"))
        .arg("--")
        .arg(target.join(WASM_TARGET).join("web").join(MODULE))
        .arg(out);
    fs::create_dir_all(out)?;
    Ok(compiled.and(process::run(bind, BUILD_LIMIT)?))
}

/// Paths of this machine under names that are the same everywhere.
fn remapped(root: &Path) -> Result<String> {
    let sysroot = Command::new("rustc").current_dir(root).args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8(sysroot.stdout)?;
    let home = std::env::var("CARGO_HOME").map(PathBuf::from).or_else(|_| {
        std::env::var("HOME").map(|home| PathBuf::from(home).join(".cargo")).context("no home directory")
    })?;
    let paths = [(root, "iris"), (&home, "cargo"), (Path::new(sysroot.trim()), "rust")];
    let flags = paths.iter().map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
    Ok(flags.collect::<Vec<_>>().join(" "))
}

fn node(root: &Path, arguments: &[&str], limit: Duration) -> Result<Outcome> {
    let mut command = Command::new("node");
    command.current_dir(root).env("NODE_NO_WARNINGS", "1").args(arguments);
    process::run(command, limit)
}

fn tests(root: &Path, names: &[&str]) -> Result<Outcome> {
    let binary = root.join("target/release/iris");
    if !binary.exists() {
        bail!("the server is not built: cargo build --release");
    }
    let files: Vec<String> = names.iter().map(|name| format!("web/tests/{name}.test.mjs")).collect();
    let mut arguments = vec!["--test", "--test-reporter=tap", "--test-concurrency=1"];
    arguments.extend(files.iter().map(String::as_str));
    node(root, &arguments, TEST_LIMIT)
}

/// Files that are not the same in both, from `web/`. Compressed variants are left out: what deflate makes of the same
/// bytes depends on its version, and the build of the server checks that they belong to their files.
fn differences(committed: &Path, built: &Path) -> Result<Vec<String>> {
    let (mut one, mut other) = (BTreeMap::new(), BTreeMap::new());
    for directory in BUILT {
        read(committed, Path::new(directory), &mut one)?;
        read(built, Path::new(directory), &mut other)?;
    }
    let all = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
    let names = all.filter(|name| !name.ends_with(".gz"));
    Ok(names.filter(|name| one.get(*name) != other.get(*name)).cloned().collect())
}

fn read(base: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let Ok(entries) = fs::read_dir(base.join(directory)) else { return Ok(()) };
    for entry in entries {
        let path = directory.join(entry?.file_name());
        if base.join(&path).is_dir() {
            read(base, &path, files)?;
        } else {
            files.insert(path.to_string_lossy().into_owned(), fs::read(base.join(&path))?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_differs_or_is_only_in_one_is_found() -> Result<()> {
        let base = std::env::temp_dir().join(format!("iris-web-differences-{}", std::process::id()));
        let write = |path: &str, text: &str| -> Result<()> {
            let path = base.join(path);
            fs::create_dir_all(path.parent().context("has one")?)?;
            Ok(fs::write(path, text)?)
        };
        for (side, changed) in [("a", "one"), ("b", "two")] {
            write(&format!("{side}/app/dist/index.html"), "same")?;
            write(&format!("{side}/app/dist/assets/iris.js"), changed)?;
            write(&format!("{side}/sdk/dist/only-{side}.js"), "")?;
        }
        let found = differences(&base.join("a"), &base.join("b"))?;
        fs::remove_dir_all(&base)?;
        assert_eq!(found, ["app/dist/assets/iris.js", "sdk/dist/only-a.js", "sdk/dist/only-b.js"]);
        Ok(())
    }
}
