//! The text of the repository, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

/// Every file by its path from the root, with its text; files that are no text have none.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
    directories: BTreeSet<String>,
}

/// A line of Rust with its number, and whether it belongs to tests.
pub(crate) struct RustLine<'a> {
    pub(crate) number: usize,
    pub(crate) text: &'a str,
    pub(crate) is_test: bool,
}

impl Tree {
    /// Reads what is under version control and what would be added to it.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .current_dir(root)
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .output()?;
        if !output.status.success() {
            bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        }
        let names = String::from_utf8(output.stdout)?;
        let mut files = BTreeMap::new();
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            if let Ok(bytes) = fs::read(root.join(name)) {
                files.insert(name.to_owned(), String::from_utf8(bytes).unwrap_or_default());
            }
        }
        Ok(Self::with(files))
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self::with(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    fn with(files: BTreeMap<String, String>) -> Self {
        let directories = files.keys().flat_map(|name| parents(name)).map(str::to_owned).collect();
        Self { files, directories }
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file or a directory is there.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.files.contains_key(path) || self.directories.contains(path)
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub(crate) fn ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files().filter(move |(path, _)| path.ends_with(ending))
    }
}

/// The directories above a path, without the root.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| path.split_at(at).0)
}

/// Whether a whole file is test code by where it lies.
pub(crate) fn is_test_file(path: &str) -> bool {
    let in_folder = |name: &str| path.contains(&format!("/{name}/"));
    in_folder("tests")
        || in_folder("benches")
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
        || path.starts_with("crates/testkit/")
}

/// The lines of a Rust file. What follows `#[cfg(test)]` of a module is test code: tests are last in a file.
pub(crate) fn rust_lines<'a>(path: &str, text: &'a str) -> impl Iterator<Item = RustLine<'a>> {
    let mut is_test = is_test_file(path);
    let mut lines = text.lines().enumerate().peekable();
    std::iter::from_fn(move || {
        let (index, text) = lines.next()?;
        let opens_module = lines.peek().is_some_and(|(_, next)| {
            let next = next.trim_start();
            (next.starts_with("mod ") || next.starts_with("pub(crate) mod ")) && next.ends_with('{')
                || next.starts_with("#[allow")
                || next.starts_with("#[expect")
        });
        is_test |= text.starts_with("#[cfg(test)]") && opens_module;
        Some(RustLine { number: index + 1, text, is_test })
    })
}

/// A line without its trailing comment; whole-line comments become empty.
pub(crate) fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_those_of_the_files() {
        let tree = Tree::of(&[("docs/adr/one.md", "")]);
        assert!(tree.exists("docs") && tree.exists("docs/adr/") && tree.exists("docs/adr/one.md"));
        assert!(!tree.exists("docs/ad") && !tree.exists("one.md"));
    }

    #[test]
    fn test_code_begins_with_its_module() {
        let text =
            "fn a() {}\n#[cfg(test)]\nfn only_in_tests() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        let tests: Vec<bool> = rust_lines("crates/a/src/a.rs", text).map(|line| line.is_test).collect();
        assert_eq!(tests, [false, false, false, true, true, true, true]);
        assert!(rust_lines("crates/a/tests/a.rs", "fn a() {}").all(|line| line.is_test));
    }
}
