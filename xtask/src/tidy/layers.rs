//! A feature has the same file name in every layer: to change *send*, open the `send_message.rs` files.

use super::Finding;
use super::tree::Tree;

/// What a user can ask for, and the crates that have a file of that name.
const FEATURES: &[(&str, &[&str])] = &[
    ("send_message", &["protocol", "vnode", "worker"]),
    ("read_inbox", &["protocol", "vnode", "worker"]),
    ("acknowledge", &["protocol", "vnode", "worker"]),
    ("read_history", &["protocol", "vnode", "worker"]),
    ("list_conversations", &["protocol", "vnode", "worker"]),
    ("list_devices", &["protocol", "vnode", "worker"]),
    ("rename_device", &["protocol", "vnode", "worker"]),
    ("revoke_device", &["protocol", "vnode", "worker"]),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let paths = FEATURES.iter().flat_map(|(feature, layers)| {
        layers.iter().map(move |layer| format!("crates/{layer}/src/{feature}.rs"))
    });
    paths
        .filter(|path| !tree.exists(path))
        .map(|path| Finding::new(&path, 0, "is missing: a feature has one name in every layer"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::errors;

    #[test]
    fn a_missing_layer_is_found() {
        let all: Vec<String> = FEATURES
            .iter()
            .flat_map(|(feature, layers)| {
                layers.iter().map(move |layer| format!("crates/{layer}/src/{feature}.rs"))
            })
            .collect();
        let files: Vec<(&str, &str)> = all.iter().map(|path| (path.as_str(), "")).collect();
        assert_eq!(errors(check, &files), [""; 0]);
        assert_eq!(errors(check, files.get(1..).unwrap_or_default()).len(), 1);
    }
}
