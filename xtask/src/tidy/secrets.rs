//! No private keys, tokens or paths of somebody's machine in the repository.

use super::Finding;
use super::tree::Tree;

/// What gives one away; written apart, so that this file does not find itself.
const MARKS: &[(&str, &str)] = &[
    (concat!("-----BEGIN ", "PRIVATE KEY"), "a private key"),
    (concat!("-----BEGIN EC ", "PRIVATE KEY"), "a private key"),
    (concat!("-----BEGIN RSA ", "PRIVATE KEY"), "a private key"),
    (concat!("-----BEGIN OPENSSH ", "PRIVATE KEY"), "a private key"),
    (concat!("AK", "IA"), "an access key"),
    (concat!("gh", "p_"), "an access token"),
    (concat!("/ho", "me/"), "a path of somebody's machine"),
    (concat!("/ro", "ot/"), "a path of somebody's machine"),
    (concat!("/Us", "ers/"), "a path of somebody's machine"),
    (concat!("/wo", "rk/"), "a path of somebody's machine"),
];
/// The encoded start of a JWT's header, `{"alg":` or `{"typ":`.
const TOKENS: &[&str] = &[concat!("eyJhb", "Gci"), concat!("eyJ0e", "XAi")];
/// Where tokens are made from a published test secret.
const PUBLISHED: &[&str] = &["docs/protocol", "crates/protocol/tests/", "fuzz/corpus/token/"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files().flat_map(|(path, text)| found(path, text)).collect()
}

fn found(path: &str, text: &str) -> Vec<Finding> {
    let is_published = PUBLISHED.iter().any(|place| path.starts_with(place));
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let marks = MARKS.iter().filter(|(mark, _)| line.contains(mark));
        findings.extend(marks.map(|(_, what)| Finding::new(path, index + 1, format!("looks like {what}"))));
        let has_token = TOKENS.iter().any(|token| line.contains(token)) && !is_published;
        findings.extend(has_token.then(|| Finding::new(path, index + 1, "looks like a token")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    #[test]
    fn keys_tokens_and_paths_are_found() {
        let found = |text: &str| errors(check, &[("crates/a/src/b.rs", text)]).len();
        assert_eq!(found(concat!("-----BEGIN ", "PRIVATE KEY-----")), 1);
        assert_eq!(found(concat!("open(\"/ho", "me/me/x\")")), 1);
        assert_eq!(found(concat!("\"eyJhb", "GciOiJIUzI1NiJ9.e30.x\"")), 1);
        assert_eq!(found("-----BEGIN CERTIFICATE-----"), 0);
    }
}
