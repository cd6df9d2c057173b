//! Kernel memory that connections hold: objects in slabs, and socket buffers.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::process::kilobytes;

/// A cache of the kernel counts when it grew by so many objects per connection: each end of a connection holds at
/// least one object of every kind that it needs, and both ends are here. What grew less is somebody else's.
const OBJECTS_PER_CONNECTION_MIN: u64 = 1;

/// Caches of files, processes and memory maps: whatever else runs on the machine fills them, connections do not.
const NOT_SOCKETS: &[&str] = &[
    "anon_vma",
    "buffer_head",
    "ext4_",
    "inode_cache",
    "maple_node",
    "pid",
    "proc_",
    "radix_tree",
    "signal_cache",
    "task_struct",
    "vm_area",
    "xfs_",
];
/// A socket has one of each, as it has one inode; files have them, too.
const ONE_PER_SOCKET: &[&str] = &["dentry", "lsm_inode_cache"];
/// The cache of sockets' inodes.
const SOCKETS: &str = "sock_inode_cache";

/// One look at the kernel's memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KernelMemory {
    /// Objects in use, and bytes of slab that each takes.
    caches: BTreeMap<String, Objects>,
    /// Pages of TCP's buffers.
    socket_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Objects {
    count: u64,
    bytes_each: u64,
}

/// What connections hold in the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Growth {
    /// Of one connection's server end.
    pub(crate) bytes_per_connection: u64,
    /// Objects per connection and cache, and the buffers.
    pub(crate) details: Value,
}

impl KernelMemory {
    /// # Errors
    /// When the tables of the kernel cannot be read; the one of slabs is for root only.
    pub(crate) fn look() -> Result<Self> {
        let sockets = fs::read_to_string("/proc/net/sockstat").context("cannot read /proc/net/sockstat")?;
        let maps = fs::read_to_string("/proc/self/smaps").context("cannot read /proc/self/smaps")?;
        let page_bytes = kilobytes(&maps, "KernelPageSize:").context("a strange smaps file")? * 1_024;
        let socket_bytes = tcp_pages(&sockets).context("a strange sockstat file")? * page_bytes;
        let table = fs::read_to_string("/proc/slabinfo").context("only root can see the kernel's memory")?;
        Ok(Self { caches: caches(&table, page_bytes), socket_bytes })
    }

    /// What so many connections, with both ends on this machine, hold since `before`. Both ends are the same
    /// objects (socket, inode, file, epoll item), so half of it is the server's.
    pub(crate) fn since(&self, before: &Self, connections: u64) -> Growth {
        let connections = connections.max(1);
        let mut bytes = self.socket_bytes.saturating_sub(before.socket_bytes);
        let mut details = serde_json::Map::new();
        details.insert("socket_buffer_bytes".to_owned(), json!(bytes));
        let sockets = self.grown(before, SOCKETS);
        let counts = |name: &&String| !NOT_SOCKETS.iter().any(|other| name.starts_with(other));
        for name in self.caches.keys().filter(counts) {
            let after = self.caches.get(name).copied().unwrap_or_default();
            let is_capped = ONE_PER_SOCKET.contains(&name.as_str());
            let count = self.grown(before, name).min(if is_capped { sockets } else { u64::MAX });
            if count >= OBJECTS_PER_CONNECTION_MIN * connections {
                bytes += count * after.bytes_each;
                details.insert(name.clone(), json!({"objects": count, "bytes_each": after.bytes_each}));
            }
        }
        Growth { bytes_per_connection: bytes / (2 * connections), details: Value::Object(details) }
    }

    fn grown(&self, before: &Self, cache: &str) -> u64 {
        let count = |look: &Self| look.caches.get(cache).map_or(0, |objects| objects.count);
        count(self).saturating_sub(count(before))
    }
}

/// `TCP: inuse 5 orphan 0 tw 0 alloc 6 mem 3`: the last is in pages.
fn tcp_pages(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem");
    words.nth(1)?.parse().ok()
}

/// Columns: name, active objects, objects, object size, objects per slab, pages per slab.
fn caches(table: &str, page_bytes: u64) -> BTreeMap<String, Objects> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let numbers: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
        let [count, _, _, objects, pages] = *numbers.first_chunk::<5>()?;
        Some((name, Objects { count, bytes_each: (pages * page_bytes).checked_div(objects)? }))
    };
    table.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "slabinfo - version: 2.1\n# name <active_objs> ...\n\
        TCP 30 39 2432 13 8 : tunables 0 0 0 : slabdata 3 3 0\n\
        filp 10 32 256 32 2 : tunables 0 0 0 : slabdata 1 2 0\n";

    #[test]
    fn the_tables_of_the_kernel_are_read() {
        let found = caches(TABLE, 4_096);
        assert_eq!(found["TCP"], Objects { count: 30, bytes_each: 8 * 4_096 / 13 });
        assert_eq!(found["filp"], Objects { count: 10, bytes_each: 256 });
        assert_eq!(found.len(), 2);
        let sockets = "sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc 6 mem 3\nUDP: inuse 0 mem 9\n";
        assert_eq!(tcp_pages(sockets), Some(3));
    }

    #[test]
    fn half_of_what_connections_hold_is_the_servers_and_the_rest_is_not_counted() {
        let look = |sockets, files, others| {
            let of = |count, bytes_each| Objects { count, bytes_each };
            let caches = [
                ("TCP", of(sockets, 2_000)),
                (SOCKETS, of(sockets, 800)),
                ("filp", of(files, 250)),
                ("dentry", of(files, 200)),
                ("proc_inode_cache", of(files, 700)),
                ("skbuff", of(others, 100)),
            ];
            let caches = caches.map(|(name, objects)| (name.to_owned(), objects)).into();
            KernelMemory { caches, socket_bytes: sockets * 10 }
        };
        let growth = look(120, 230, 99).since(&look(100, 200, 90), 10);
        assert_eq!(growth.bytes_per_connection, (20 * (2_000 + 800 + 200) + 30 * 250 + 200) / 20);
        assert_eq!(look(0, 0, 0).since(&look(9, 9, 9), 10).bytes_per_connection, 0);
    }
}
