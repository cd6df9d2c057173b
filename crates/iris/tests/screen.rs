//! The full-screen client on a real terminal, as two people use it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use support::{DevServer, PATIENCE, iris};

/// What gives a screen back at the end.
const LEFT: &str = "\u{1b}[?1049l";

/// `iris chat` on a terminal of 80 by 24.
struct Screen {
    child: Child,
    keys: File,
    /// The other side of the terminal, kept open: what was set on it can be looked at.
    line: OwnedFd,
    /// How it was set before.
    before: LocalModes,
    pieces: Receiver<Vec<u8>>,
    shown: String,
}

impl Screen {
    fn start(server: &DevServer, user: &str, to: &str) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let line = rustix::fs::open(&name, flags, rustix::fs::Mode::empty()).unwrap();
        tcsetwinsize(&line, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let before = tcgetattr(&line).unwrap().local_modes;
        let child = iris()
            .args(["chat", "--as", user, "--to", to, "--dir"])
            .arg(server.directory())
            .stdin(Stdio::from(line.try_clone().unwrap()))
            .stdout(Stdio::from(line.try_clone().unwrap()))
            .stderr(Stdio::from(line.try_clone().unwrap()))
            .spawn()
            .unwrap();
        let keys = File::from(controller);
        let mut output = keys.try_clone().unwrap();
        let (sender, pieces) = sync_channel(1_024);
        std::thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys, line, before, pieces, shown: String::new() }
    }

    /// Waits until this was written to the screen.
    fn wait_for(&mut self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.shown.contains(wanted) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(piece) = self.pieces.recv_timeout(left) else {
                panic!("{wanted:?} is not on the screen: {:?}", self.shown);
            };
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
        let at = self.shown.find(wanted).unwrap_or_default();
        self.shown.drain(..at + wanted.len());
    }

    fn type_in(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// It has ended of its own accord, and the terminal is as it was.
    fn ended(mut self) {
        self.wait_for(LEFT);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        assert!(self.before.contains(LocalModes::ICANON | LocalModes::ECHO));
        assert_eq!(tcgetattr(&self.line).unwrap().local_modes, self.before);
    }

    fn resize(&self, columns: u16, rows: u16) {
        tcsetwinsize(&self.line, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
            .unwrap();
        self.signal(Signal::WINCH);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_people_chat_on_whole_screens() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let mut alice = Screen::start(&server, "alice", "bob");
    alice.wait_for("connected");
    assert!(!tcgetattr(&alice.line).unwrap().local_modes.contains(LocalModes::ICANON));
    let mut bob = Screen::start(&server, "bob", "alice");
    bob.wait_for("connected");
    alice.type_in("hello bob\r");
    bob.wait_for("hello bob");
    alice.wait_for("✓✓");
    bob.type_in("good ev");
    alice.wait_for("writing");
    bob.type_in("ening\r");
    alice.wait_for("good evening");
    for (columns, rows) in [(10, 3), (200, 60), (50, 10), (80, 24)] {
        bob.resize(columns, rows);
    }
    server.kill();
    alice.wait_for("connect");
    alice.type_in("are you still there?\r");
    server.restart();
    bob.wait_for("are you still there?");
    alice.type_in("/quit\r");
    alice.ended();
    bob.signal(Signal::TERM);
    bob.ended();
}

#[test]
fn lines_are_for_pipes_and_for_who_wants_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let mut child = iris()
        .args(["chat", "--as", "alice", "--to", "bob", "--dir"])
        .arg(server.directory())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "hello from a pipe").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("You are alice; what you type goes to bob.") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(output.status.code(), Some(0));
    let mut bob = server.chat("bob", "b");
    bob.wait_until("message", |message| message["text"] == "hello from a pipe");
}
