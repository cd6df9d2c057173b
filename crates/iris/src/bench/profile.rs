//! Where the server's processor time goes: samples of `perf`, grouped by what the code is for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Samples per second and core.
const FREQUENCY: &str = "499";
/// Functions listed one by one.
const LISTED: usize = 25;

/// The first group with a matching part of a function's name takes it.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "TLS and encryption",
        &[
            "rustls",
            "aws_lc",
            "aes_",
            "AES_",
            "gcm_",
            "GCM",
            "EVP_",
            "CRYPTO",
            "iris_edge::record",
            "iris_edge::ciphers",
            "iris_store::sealed",
            "x25519",
            "p256",
            "ecp_",
            "sha256",
            "SHA256",
            "ghash",
        ],
    ),
    ("edge", &["iris_edge", "iris_cluster"]),
    ("protocol", &["iris_protocol"]),
    ("tables", &["iris_tables"]),
    ("log and files", &["iris_store", "crc32c", "crc_"]),
    ("worker and domain", &["iris_worker", "iris_vnode", "iris_core", "iris_types", "sha2::"]),
    (
        "allocator",
        &[
            "mi_",
            "mimalloc",
            "malloc",
            "calloc",
            "realloc",
            "_int_free",
            "_free",
            "cfree",
            "unlink_chunk",
            "tcache",
        ],
    ),
    ("collections and buffers", &["alloc::", "core::", "std::", "hashbrown", "bytes::", "foldhash"]),
    ("copying and comparing", &["memcpy", "memmove", "memcmp", "memset", "__memcpy", "__memmove"]),
];

/// Parts of the kernel, by the name of the function.
const KERNEL_GROUPS: &[(&str, &[&str])] = &[
    (
        "kernel: disk and files",
        &[
            "ext4",
            "xfs",
            "btrfs",
            "blk_",
            "bio_",
            "jbd2",
            "nvme",
            "virtio_b",
            "virtblk",
            "filemap",
            "folio",
            "writeback",
            "submit_bio",
            "iomap",
            "vfs_write",
            "generic_perform",
            "fsync",
        ],
    ),
    (
        "kernel: TCP",
        &[
            "tcp",
            "skb",
            "sock",
            "inet",
            "ip_",
            "ipv4",
            "net_",
            "__netif",
            "napi",
            "loopback",
            "dev_",
            "nf_",
            "sk_",
            "ep_",
            "epoll",
            "sys_send",
            "sys_recv",
            "copy_user",
            "_copy_",
            "rep_movs",
            "softirq",
            "csum",
            "qdisc",
            "process_backlog",
        ],
    ),
    (
        "kernel: threads and system calls",
        &[
            "sched",
            "switch",
            "futex",
            "wake",
            "ttwu",
            "rq",
            "entity",
            "idle",
            "syscall",
            "SYSCALL",
            "fdget",
            "exit_to_user",
            "hrtimer",
            "irq",
            "rcu",
            "spin_",
            "mutex",
        ],
    ),
    ("kernel: other", &[""]),
];

/// A recording that runs.
pub(crate) struct Profile {
    perf: Child,
    data: PathBuf,
}

impl Profile {
    /// Samples a process for so many seconds.
    pub(crate) fn start(pid: u32, seconds: u64) -> Result<Self> {
        let data = std::env::temp_dir().join(format!("iris-bench-perf-{}", std::process::id()));
        let perf = Command::new("perf")
            .args(["record", "--quiet", "--event", "cpu-clock", "--freq", FREQUENCY, "--pid"])
            .arg(pid.to_string())
            .arg("--output")
            .arg(&data)
            .args(["--", "sleep"])
            .arg(seconds.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start `perf` (--profile needs it)")?;
        Ok(Self { perf, data })
    }

    /// Waits for the end of the recording, and groups what was found.
    pub(crate) fn finish(mut self) -> Result<Value> {
        self.perf.wait()?;
        let output = Command::new("perf")
            .args(["report", "--stdio", "--quiet", "--no-children", "--call-graph", "none"])
            .args(["--sort", "comm,dso,symbol", "--field-separator", "|", "--input"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let _ = std::fs::remove_file(&self.data);
        let output = output?;
        if !output.status.success() {
            bail!("`perf report` failed: {}", output.status);
        }
        Ok(summary(&String::from_utf8_lossy(&output.stdout)))
    }
}

/// One line: share, thread, object, `[k]` or `[.]` and the function.
fn summary(text: &str) -> Value {
    let (mut groups, mut threads) = (BTreeMap::new(), BTreeMap::new());
    let mut functions: BTreeMap<String, f64> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('|').map(str::trim);
        let (Some(share), Some(thread), Some(_), Some(symbol)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let Ok(share) = share.trim_end_matches('%').parse::<f64>() else { continue };
        let (is_kernel, name) = (symbol.starts_with("[k]"), symbol.get(4..).unwrap_or(symbol).trim());
        *groups.entry(group(is_kernel, name)).or_insert(0.0) += share;
        *threads.entry(thread.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-')).or_insert(0.0) +=
            share;
        let name = if is_kernel { format!("{name} [kernel]") } else { name.to_owned() };
        *functions.entry(name).or_insert(0.0) += share;
    }
    json!({
        "percent_by_purpose": descending(groups.into_iter(), usize::MAX),
        "percent_by_thread": descending(threads.into_iter(), usize::MAX),
        "percent_by_function": descending(functions.into_iter(), LISTED),
    })
}

fn group(is_kernel: bool, name: &str) -> &'static str {
    let groups = if is_kernel { KERNEL_GROUPS } else { GROUPS };
    groups
        .iter()
        .find(|(_, parts)| parts.iter().any(|part| name.contains(part)))
        .map_or("other", |(group, _)| group)
}

/// Pairs, the greatest share first.
fn descending<K: ToString>(shares: impl Iterator<Item = (K, f64)>, most: usize) -> Vec<Value> {
    let mut list: Vec<_> = shares.map(|(name, share)| (name.to_string(), share)).collect();
    list.sort_by(|a, b| b.1.total_cmp(&a.1));
    let rounded = |share: f64| (share * 10.0).round() / 10.0;
    list.into_iter().take(most).map(|(name, share)| json!([name, rounded(share)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_grouped_by_purpose_and_thread() {
        let text = "# header\n\n 40.00%|edge-0|[kernel.kallsyms]|[k] tcp_sendmsg_locked\n\
             10.04%|edge-1|iris|[.] iris_edge::record::seal   |-      -\n  9.00%|worker-0|iris|[.] mi_malloc\n";
        let summary = summary(text);
        assert_eq!(summary["percent_by_purpose"][0], json!(["kernel: TCP", 40.0]));
        assert_eq!(summary["percent_by_purpose"][1], json!(["TLS and encryption", 10.0]));
        assert_eq!(summary["percent_by_thread"], json!([["edge", 50.0], ["worker", 9.0]]));
    }
}
