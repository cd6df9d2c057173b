//! Kernel memory that connections hold: slabs and socket buffers.

use std::fs;

use anyhow::{Context, Result};

use super::process::kilobytes;

/// One look at the kernel's memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelMemory {
    /// Pages of all slabs.
    pub(crate) slab_bytes: u64,
    /// Pages of TCP's buffers.
    pub(crate) socket_bytes: u64,
}

impl KernelMemory {
    pub(crate) fn look() -> Result<Self> {
        let sockets = fs::read_to_string("/proc/net/sockstat").context("cannot read /proc/net/sockstat")?;
        let pages = tcp_pages(&sockets).context("a strange sockstat file")?;
        let maps = fs::read_to_string("/proc/self/smaps").context("cannot read /proc/self/smaps")?;
        let page_bytes = kilobytes(&maps, "KernelPageSize:").context("a strange smaps file")? * 1_024;
        // The table of slabs is for root only; the sum is for everybody.
        let slab_bytes = match fs::read_to_string("/proc/slabinfo") {
            Ok(table) => slab_pages(&table) * page_bytes,
            Err(_) => {
                let text = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
                kilobytes(&text, "Slab:").context("a strange meminfo file")? * 1_024
            }
        };
        Ok(Self { slab_bytes, socket_bytes: pages * page_bytes })
    }

    /// Bytes of one connection's server end, when so many connections with both ends on this machine came since
    /// `before`. Both ends are the same objects (socket, inode, file, epoll item), so half of it is the server's.
    pub(crate) fn server_bytes_per_connection(self, before: Self, connections: u64) -> u64 {
        let grown = self.slab_bytes.saturating_sub(before.slab_bytes)
            + self.socket_bytes.saturating_sub(before.socket_bytes);
        grown / (2 * connections.max(1))
    }
}

/// `TCP: inuse 5 orphan 0 tw 0 alloc 6 mem 3`: the last is in pages.
fn tcp_pages(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem");
    words.nth(1)?.parse().ok()
}

/// Columns: name, active objects, objects, object size, objects per slab, pages per slab, then after two
/// colons: active slabs, slabs, shared.
fn slab_pages(table: &str) -> u64 {
    table.lines().filter_map(pages_of_line).sum()
}

fn pages_of_line(line: &str) -> Option<u64> {
    let (head, slabs) = line.split_once(": slabdata")?;
    let pages_per_slab: u64 = head.split_whitespace().nth(5)?.parse().ok()?;
    let slabs: u64 = slabs.split_whitespace().nth(1)?.parse().ok()?;
    Some(slabs * pages_per_slab)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_kernel_are_read() {
        let table = "slabinfo - version: 2.1\n# name <active_objs> ...\n\
            TCP 30 39 2432 13 8 : tunables 0 0 0 : slabdata 3 3 0\n\
            filp 10 32 256 32 2 : tunables 0 0 0 : slabdata 1 2 0\n";
        assert_eq!(slab_pages(table), 3 * 8 + 2 * 2);
        let sockets = "sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc 6 mem 3\nUDP: inuse 0 mem 9\n";
        assert_eq!(tcp_pages(sockets), Some(3));
    }

    #[test]
    fn half_of_the_growth_is_the_servers() {
        let before = KernelMemory { slab_bytes: 1_000, socket_bytes: 0 };
        let after = KernelMemory { slab_bytes: 21_000, socket_bytes: 4_000 };
        assert_eq!(after.server_bytes_per_connection(before, 2), 6_000);
        assert_eq!(before.server_bytes_per_connection(after, 2), 0);
    }
}
