//! The disk is slow, or fails: injected into the system calls of a running server with strace.
//!
//! NFR-1, MSG-3: no acknowledgement leaves before its flush has returned, and none after a flush has failed.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::DevServer;

/// strace attached to all threads of a process; detached when dropped.
struct Strace(Child);

impl Strace {
    /// Attaches, and waits until the injection is in place.
    fn attach(pid: u32, inject: &str) -> Self {
        let mut child = Command::new("strace")
            .args(["-f", "-e", "trace=fdatasync", "-e", &format!("inject=fdatasync:{inject}")])
            .args(["-o", "/dev/null", "-p", &pid.to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("strace is needed (apt-get install strace): {error}"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("attached"), "{line}");
        Self(child)
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

#[test]
fn nothing_is_acknowledged_before_its_flush_returns() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let mut alice = server.chat("alice", "a");
    alice.wait_for("synced");
    let delay = Duration::from_secs(2);
    let _strace = Strace::attach(server.pid(), &format!("delay_enter={}", delay.as_micros()));
    let started = Instant::now();
    alice.send("bob", "slow");
    alice.wait_for("sent");
    assert!(started.elapsed() >= delay, "acknowledged after {:?}", started.elapsed());
}

#[test]
fn a_failed_flush_ends_the_server_and_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let mut alice = server.chat("alice", "a");
    alice.wait_for("synced");
    for number in 0..20 {
        alice.send("bob", &format!("before {number}"));
    }
    for _ in 0..20 {
        alice.wait_for("sent");
    }
    let strace = Strace::attach(server.pid(), "error=EIO");
    alice.seen.clear();
    alice.send("bob", "during");
    assert_eq!(server.wait(), Some(1), "the server goes on after a failed flush");
    drop(strace);
    alice.wait_for("disconnected");
    assert!(alice.seen.iter().all(|event| event.get("sent").is_none()), "acknowledged without a flush");
    server.restart();
    alice.wait_for("sent");
    let mut bob = server.chat("bob", "b");
    bob.wait_until("message", |message| message["text"] == "during");
    let mut expected: Vec<_> = (0..20).map(|number| format!("before {number}")).collect();
    expected.push("during".to_owned());
    assert_eq!(bob.texts(), expected);
}
