//! Directory entries of a simulated disk.

use std::collections::BTreeMap;

use super::Random;

/// Names as they are, as they are durable, and the changes in between, in order.
#[derive(Clone, Default)]
pub(super) struct Names {
    pub(super) now: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    pending: Vec<Pending>,
}

#[derive(Clone)]
pub(super) enum Pending {
    Create { name: String, inode: u64 },
    Rename { from: String, to: String, inode: u64 },
    Remove { name: String, inode: u64 },
}

impl Names {
    pub(super) fn change(&mut self, change: Pending) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self, directory: &str) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let here = change.directory() == directory;
            if here {
                change.apply(durable);
            }
            !here
        });
    }

    /// Any subset of the pending changes survives.
    pub(super) fn crash(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.pending) {
            if random.chance() {
                change.apply(&mut self.durable);
            }
        }
        self.now.clone_from(&self.durable);
    }

    pub(super) fn is_durable(&self, inode: u64) -> bool {
        self.durable.values().any(|durable| *durable == inode)
    }

    pub(super) fn list(&self, directory: &str) -> Vec<String> {
        let inside = |name: &&String| parent(name) == directory;
        let short = |name: &String| name.rsplit('/').next().unwrap_or(name).to_owned();
        self.now.keys().filter(inside).map(short).collect()
    }
}

impl Pending {
    fn directory(&self) -> &str {
        match self {
            Self::Create { name, .. } | Self::Remove { name, .. } => parent(name),
            Self::Rename { to, .. } => parent(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Create { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            Self::Rename { from, to, inode } => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
            Self::Remove { name, inode } => {
                if names.get(name) == Some(inode) {
                    names.remove(name);
                }
            }
        }
    }
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}
