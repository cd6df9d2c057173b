//! Commands with their output shown, counted and bounded in time.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::outcome::{Outcome, counted};

/// Output lines that may wait to be printed.
const LINES_WAITING_MAX: usize = 1_024;

/// Runs a command and shows its output. Counts tests where the output names them, else the command itself.
/// Beyond `limit` the command and everything it started is ended, and it counts as failed.
pub(crate) fn run(mut command: Command, limit: Duration) -> Result<Outcome> {
    let shown = format!("{command:?}");
    println!("$ {}", shown.replace('"', ""));
    let mut child = command
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {shown}"))?;
    let lines = stdout_lines(&mut child)?;
    let output = match show(&lines, limit) {
        Ok(output) => output,
        Err(TooLong) => {
            end_with_descendants(&child);
            let _ = child.wait();
            eprintln!("ended after {} s: {shown}", limit.as_secs());
            return Ok(Outcome::FAILED);
        }
    };
    let status = child.wait()?;
    Ok(judge(counted(&output), status.success()))
}

/// A release build of one package, with its own arguments and the caller's terminal.
pub(crate) fn cargo_run(root: &Path, package: &str, arguments: &[String]) -> Result<Outcome> {
    let status = Command::new("cargo")
        .current_dir(root)
        .args(["run", "--release", "--quiet", "--locked", "--package", package, "--"])
        .args(arguments)
        .status()?;
    Ok(if status.success() { Outcome::PASSED } else { Outcome::FAILED })
}

/// Whether a program can be found and answers.
pub(crate) fn is_present(program: &str, argument: &str) -> bool {
    let quiet = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

struct TooLong;

fn judge((passed, failed): (u64, u64), success: bool) -> Outcome {
    match (passed + failed, success) {
        (0, true) => Outcome::PASSED,
        (_, true) => Outcome::Ran { passed, failed },
        (_, false) => Outcome::Ran { passed, failed: failed.max(1) },
    }
}

#[allow(clippy::disallowed_methods, reason = "a tool: reads a pipe while it watches the clock")]
fn stdout_lines(child: &mut Child) -> Result<Receiver<String>> {
    let stdout = child.stdout.take().context("no pipe")?;
    let (sender, receiver) = sync_channel(LINES_WAITING_MAX);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

#[allow(clippy::disallowed_methods, reason = "a tool: steps are bounded in time")]
fn show(lines: &Receiver<String>, limit: Duration) -> Result<String, TooLong> {
    let end = Instant::now() + limit;
    let mut output = String::new();
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("{line}");
                output.push_str(&line);
                output.push('\n');
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(output),
            Err(RecvTimeoutError::Timeout) => return Err(TooLong),
        }
    }
}

fn end_with_descendants(child: &Child) {
    let mut processes = vec![child.id()];
    let mut next = 0;
    while let Some(&parent) = processes.get(next) {
        processes.extend(children_of(parent));
        next += 1;
    }
    let _ = Command::new("kill").arg("-KILL").args(processes.iter().map(u32::to_string)).status();
}

/// Every process whose `/proc/N/stat` names `parent` as its parent.
fn children_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let process: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            (fields.nth(1)?.parse::<u32>().ok()? == parent).then_some(process)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_fails_even_when_its_tests_passed() {
        assert_eq!(judge((3, 0), false), Outcome::Ran { passed: 3, failed: 1 });
        assert_eq!(judge((0, 0), true), Outcome::PASSED);
        assert_eq!(judge((3, 0), true), Outcome::Ran { passed: 3, failed: 0 });
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_with_what_it_started() -> Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & wait"]);
        assert_eq!(run(command, Duration::from_millis(200))?, Outcome::FAILED);
        Ok(())
    }

    #[test]
    fn exit_codes_count_as_failures() -> Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; exit 3"]);
        assert_eq!(run(command, Duration::from_secs(20))?, Outcome::Ran { passed: 2, failed: 1 });
        Ok(())
    }
}
