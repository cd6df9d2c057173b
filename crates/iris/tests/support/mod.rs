//! Real processes for the end-to-end tests: a development server and chat clients that speak JSON.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::disallowed_methods)] // each test binary uses its part

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long any single step may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A command of the binary under test.
pub fn iris() -> Command {
    Command::new(env!("CARGO_BIN_EXE_iris"))
}

/// `iris dev` in a directory of its own; killed when dropped.
pub struct DevServer {
    directory: PathBuf,
    child: Option<Child>,
    lines: Option<Receiver<String>>,
    address: String,
    prefix: Vec<String>,
    arguments: Vec<String>,
    overrides: Option<PathBuf>,
}

impl DevServer {
    /// Starts a server in `directory` and waits until it serves.
    pub fn start(directory: &Path) -> Self {
        let mut server = Self::new(directory);
        server.restart();
        server
    }

    /// A server that is not started yet.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            child: None,
            lines: None,
            address: "127.0.0.1:0".to_owned(),
            prefix: Vec::new(),
            arguments: Vec::new(),
            overrides: None,
        }
    }

    /// Runs the server under another command, strace for one.
    pub fn under(mut self, prefix: &[&str]) -> Self {
        self.prefix = prefix.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Adds arguments from the next start on.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Takes [server], [storage] and [worker] values from this TOML.
    pub fn overridden(mut self, toml: &str) -> Self {
        let file = self.directory.with_extension("overrides.toml");
        std::fs::write(&file, toml).unwrap();
        self.overrides = Some(file);
        self
    }

    /// Starts the process without waiting for anything.
    pub fn launch(&mut self) {
        let mut command = match self.prefix.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(env!("CARGO_BIN_EXE_iris"));
                command
            }
            None => iris(),
        };
        command.args(["dev", "--dir"]).arg(&self.directory).args(["--listen", &self.address]);
        command.args(&self.arguments);
        if let Some(file) = &self.overrides {
            command.arg("--overrides").arg(file);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        self.lines = Some(lines_of(child.stdout.take().unwrap()));
        self.child = Some(child);
    }

    /// Starts the process (again, at the same address) and waits until it serves.
    pub fn restart(&mut self) {
        self.launch();
        self.wait_until_ready();
        self.address = self.ready()["address"].as_str().unwrap().to_owned();
    }

    pub fn wait_until_ready(&mut self) {
        let lines = self.lines.as_ref().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with("Iris is ready") => return,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("the server was not ready in {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the server ended before it was ready"),
            }
        }
    }

    /// Reads on what the server says until a line ends with this.
    pub fn wait_for_line(&self, end: &str) {
        let lines = self.lines.as_ref().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.ends_with(end) {
                return;
            }
        }
        panic!("the server did not say {end}");
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What `ready.json` says.
    pub fn ready(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.directory.join("ready.json")).unwrap()).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM: a clean stop. Gives the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.wait()
    }

    /// Waits for the end; gives the exit code, `None` after a signal.
    pub fn wait(&mut self) -> Option<i32> {
        wait(self.child.take().unwrap())
    }

    /// A chat client of this server.
    pub fn chat(&self, user: &str, device: &str) -> Chat {
        Chat::start(&self.directory, user, device)
    }

    /// One that speaks this version of the protocol only.
    pub fn start_in(&self, version: &str, user: &str, device: &str) -> Chat {
        let directory = self.directory.to_str().unwrap();
        Chat::with(&["--as", user, "--device", device, "--dir", directory, "--protocol", version])
    }

    /// The same, and it has taken everything that waited for it.
    pub fn chat_in(&self, version: &str, user: &str, device: &str) -> Chat {
        let mut chat = self.start_in(version, user, device);
        chat.wait_for("synced");
        chat
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `iris chat --json`; killed when dropped.
pub struct Chat {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Everything that came so far.
    pub seen: Vec<Value>,
    asked: u64,
}

impl Chat {
    pub fn start(directory: &Path, user: &str, device: &str) -> Self {
        Self::with(&["--as", user, "--device", device, "--dir", directory.to_str().unwrap()])
    }

    pub fn with(arguments: &[&str]) -> Self {
        let mut child = iris()
            .args(["chat", "--json"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let lines = lines_of(child.stdout.take().unwrap());
        Self { child, input, lines, seen: Vec::new(), asked: 0 }
    }

    /// Writes one line.
    pub fn line(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    pub fn command(&mut self, command: &Value) {
        self.line(&command.to_string());
    }

    pub fn send(&mut self, to: &str, text: &str) {
        self.command(&json!({"send": {"to": to, "text": text}}));
    }

    /// Gives a command with a reference of its own and waits for the event that answers it.
    pub fn ask(&mut self, command: &str, fields: Value, answer: &str) -> Value {
        self.asked += 1;
        let reference = json!(self.asked);
        self.command(&json!({command: fields, "ref": reference}));
        self.wait_until_any(&[answer, "error"], |fields| fields["ref"] == reference)
    }

    /// The next event of any of these names that passes the test.
    pub fn wait_until_any(&mut self, names: &[&str], test: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                panic!("none of {names:?} in {PATIENCE:?}; seen: {:#?}", self.seen);
            };
            let event: Value = serde_json::from_str(&line).unwrap();
            self.seen.push(event.clone());
            let fields = names.iter().find_map(|name| event.get(name));
            if let Some(fields) = fields.filter(|fields| test(fields)) {
                return fields.clone();
            }
        }
    }

    /// Reads until an event has this name, and gives its fields.
    pub fn wait_for(&mut self, name: &str) -> Value {
        self.wait_until(name, |_| true)
    }

    /// Reads until an event has this name and passes the test.
    pub fn wait_until(&mut self, name: &str, test: impl Fn(&Value) -> bool) -> Value {
        self.wait_until_any(&[name], test)
    }

    /// The texts of all live messages seen so far, in order.
    pub fn texts(&self) -> Vec<String> {
        let messages = self.seen.iter().filter_map(|event| event.get("message"));
        let live = messages.filter(|message| message.get("history").is_none());
        live.filter_map(|message| message["text"].as_str().map(str::to_owned)).collect()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends `quit`; gives what else was said and the exit code.
    pub fn quit(mut self) -> (Vec<Value>, Option<i32>) {
        self.command(&json!({"quit": {}}));
        self.end()
    }

    /// Ends the input; gives what else was said and the exit code.
    pub fn end(mut self) -> (Vec<Value>, Option<i32>) {
        drop(self.input.take());
        let mut events = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            events.push(serde_json::from_str(&line).unwrap());
        }
        let code = self.child.wait().unwrap().code();
        (events, code)
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A file that only its owner may read.
pub fn write_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a command to its end: code, output, errors.
pub fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[allow(clippy::disallowed_methods)] // a test may have threads
fn lines_of(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn wait(mut child: Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    // The standard library has no wait with a deadline; a helper thread kills what hangs.
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let (done, ended) = channel::<()>();
    #[allow(clippy::disallowed_methods)]
    let guard = std::thread::spawn(move || {
        if ended.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_err() {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let code = child.wait().unwrap().code();
    let _ = done.send(());
    guard.join().unwrap();
    code
}
