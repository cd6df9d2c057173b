//! What an operator does: tokens, revocation, health, configuration, clean stops.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use support::{DevServer, iris, run};

fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: iris\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let code = text.split(' ').nth(1).unwrap().parse().unwrap();
    (code, text.split("\r\n\r\n").nth(1).unwrap().to_owned())
}

/// OPS-2: health, readiness, and `ready.json` only while the server serves.
#[test]
fn a_server_says_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let ready = server.ready();
    let admin = ready["admin_address"].as_str().unwrap();
    assert_eq!(ready["pid"].as_u64(), Some(u64::from(server.pid())));
    for key in ["ca_file", "secret_file", "data_dir"] {
        assert!(std::path::Path::new(ready[key].as_str().unwrap()).is_absolute());
    }
    assert_eq!(get(admin, "/healthz").0, 200);
    assert_eq!(get(admin, "/readyz").0, 200);
    let (code, stats) = get(admin, "/stats");
    assert_eq!(code, 200);
    let stats = serde_json::from_str::<serde_json::Value>(&stats).unwrap();
    assert!(stats["worker"]["sends"].is_u64());
    assert_eq!(stats["store"]["scrub_runs_damaged"], 0);
    assert_eq!(get(admin, "/revoke").0, 404);
    assert_eq!(server.stop(), Some(0));
    assert!(!server.directory().join("ready.json").exists());
}

/// SEC-2: a revocation closes live sessions, survives kill -9, and spares tokens minted later.
#[test]
fn a_revoked_user_is_out_until_a_new_token_comes() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("dev");
    let mut server = DevServer::start(&directory);
    let file = folder.path().join("token");
    let mint = |user: &str| {
        let (code, token, _) = run(iris().args(["token", "--user", user, "--dir"]).arg(&directory));
        assert_eq!(code, Some(0));
        assert_eq!(token.lines().count(), 1);
        token.trim().to_owned()
    };
    std::fs::write(&file, mint("alice")).unwrap();
    let ready = server.ready();
    let chat = |device: &str| {
        support::Chat::with(&[
            "--as",
            "alice",
            "--device",
            device,
            "--server",
            ready["address"].as_str().unwrap(),
            "--ca",
            ready["ca_file"].as_str().unwrap(),
            "--token-file",
            file.to_str().unwrap(),
            "--state",
            folder.path().join(device).to_str().unwrap(),
        ])
    };
    let mut alice = chat("one");
    alice.wait_for("synced");
    let (code, text, _) = run(iris().args(["admin", "revoke", "--user", "alice", "--dir"]).arg(&directory));
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(alice.wait_for("error")["name"], "token_revoked");
    server.kill();
    server.restart();
    let mut late = chat("two");
    assert_eq!(late.wait_for("error")["name"], "token_revoked");
    std::fs::write(&file, mint("alice")).unwrap();
    chat("three").wait_for("synced");

    let token = mint("alice");
    std::fs::write(&file, &token).unwrap();
    let mut fourth = chat("four");
    fourth.wait_for("synced");
    let (code, ..) = run(iris().args(["admin", "revoke", "--token", &token, "--dir"]).arg(&directory));
    assert_eq!(code, Some(0));
    assert_eq!(fourth.wait_for("error")["name"], "token_revoked");
    std::fs::write(&file, mint("alice")).unwrap();
    chat("five").wait_for("synced");
}

/// A second connection of a device takes the first one's place, and the first does not come back.
#[test]
fn a_device_that_connects_twice_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let mut first = server.chat("alice", "phone");
    first.wait_for("synced");
    let state = folder.path().join("elsewhere");
    let directory = server.directory().to_str().unwrap().to_owned();
    let mut second = support::Chat::with(&[
        "--as",
        "alice",
        "--device",
        "phone",
        "--dir",
        &directory,
        "--state",
        state.to_str().unwrap(),
    ]);
    second.wait_for("synced");
    assert_eq!(first.wait_for("error")["name"], "replaced");
    let (code, _, error) =
        run(iris().args(["chat", "--json", "--as", "alice", "--device", "phone", "--dir", &directory]));
    assert_ne!(code, Some(0), "two processes on one state directory");
    assert!(error.contains("another process"), "{error}");
}

/// Bad lines are answered and change nothing; the client goes on.
#[test]
fn a_script_survives_its_own_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let mut alice = server.chat("alice", "a");
    alice.line("{nonsense");
    assert_eq!(alice.wait_for("error")["name"], "bad_command");
    alice.command(&json!({"send": {"to": "bob", "text": ""}, "ref": 5}));
    let error = alice.wait_for("error");
    assert_eq!((&error["name"], &error["ref"]), (&json!("invalid_body"), &json!(5)));
    alice.command(&json!({"send": {"to": "bob", "text": "x".repeat(32_768)}, "ref": [1]}));
    assert_eq!(alice.wait_for("sent")["ref"], json!([1]));
    let (longest, longer) = ("r".repeat(1_022), "r".repeat(1_023));
    alice.command(&json!({"send": {"to": "bob", "text": "x"}, "ref": longer}));
    let error = alice.wait_for("error");
    let told = (&error["name"], &error["retryable"], &error["ref"]);
    assert_eq!(told, (&json!("bad_command"), &json!(false), &json!(longer)));
    alice.command(&json!({"send": {"to": "bob", "text": "x"}, "ref": longest}));
    assert_eq!(alice.wait_for("sent")["ref"], json!(longest));
    let id = "01890000-0000-7000-8000-000000000000";
    alice.command(&json!({"send": {"to": "bob", "text": "old", "id": id}}));
    assert_eq!(alice.wait_for("error")["name"], "id_too_old");
    let (_, code) = alice.end();
    assert_eq!(code, Some(0));
}

/// What is not sent stays for the next start, and the exit code says so.
#[test]
fn leaving_without_a_server_keeps_the_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    server.chat("alice", "a").wait_for("synced");
    server.kill();
    let mut alice = server.chat("alice", "b");
    alice.send("bob", "later");
    let (_, code) = alice.quit();
    assert_eq!(code, Some(1));
    server.restart();
    let mut alice = server.chat("alice", "b");
    alice.wait_for("sent");
}

/// `iris serve` refuses what is missing or weak, and says what to do.
#[test]
fn a_configuration_that_cannot_work_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let (code, printed, _) = run(iris().args(["serve", "--print-config"]));
    assert_eq!(code, Some(0));
    let file = folder.path().join("iris.toml");
    std::fs::write(&file, &printed).unwrap();
    let start = || run(iris().args(["serve", "--config"]).arg(&file));
    let (code, _, error) = start();
    assert_eq!(code, Some(1));
    assert!(error.contains("tokens.secret") && error.contains("make one with"), "{error}");
    support::write_private(&folder.path().join("tokens.secret"), b"short");
    let (code, _, error) = start();
    assert_eq!(code, Some(1));
    assert!(error.contains("too weak"), "{error}");
    support::write_private(&folder.path().join("tokens.secret"), b"0123456789abcdef0123456789abcdefXYZ");
    let (code, _, error) = start();
    assert_eq!(code, Some(1));
    assert!(error.contains("certificate"), "{error}");
    std::fs::write(&file, printed.replace("listen = \"0.0.0.0:7443\"", "listn = \"0.0.0.0:7443\"")).unwrap();
    let (code, _, error) = start();
    assert_eq!(code, Some(1));
    assert!(error.contains("iris.toml:6: unknown key `listn`; did you mean `listen`?"), "{error}");
}

/// The connections that a server accepts follow from the files that it may open, and leave it some.
#[test]
fn connections_leave_files_to_the_rest_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::new(&folder.path().join("dev"))
        .under(&["sh", "-c", "ulimit -Sn 300 && ulimit -Hn 600 && exec \"$@\"", "sh"])
        .overridden("event_loops = 1\n");
    server.restart();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().filter(|word| *word == "600").count(), 2, "{files}");
    let ready = server.ready();
    let (address, admin) = (ready["address"].as_str().unwrap(), ready["admin_address"].as_str().unwrap());
    let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    let deadline = std::time::Instant::now() + support::PATIENCE;
    loop {
        let stats: serde_json::Value = serde_json::from_str(&get(admin, "/stats").1).unwrap();
        let figure = |name: &str| stats["edge"][name].as_u64().unwrap();
        assert!(figure("connections") <= 600 - 512, "{stats}");
        if figure("accepted") >= 600 - 512 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{stats}");
    }
    drop(silent);
    server.chat("alice", "phone").wait_for("synced");

    let few = ["-c", "ulimit -n 512 && exec \"$0\" dev --dir \"$1\"", env!("CARGO_BIN_EXE_iris")];
    let (code, _, error) = run(std::process::Command::new("sh").args(few).arg(folder.path().join("few")));
    assert_eq!(code, Some(1));
    assert!(error.contains("LimitNOFILE"), "{error}");
}

/// SEC-6: an address that has too many connections is told how long to wait, and the SDK does.
#[test]
fn a_client_that_is_told_to_wait_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::new(&folder.path().join("dev"))
        .overridden("[limits]\nconnections_per_minute = 30\nfailed_logins_per_hour = 10\nmessages_per_minute = 100\n");
    server.launch();
    server.wait_for_line("10 failed logins an hour per account, 100 messages a minute per user");
    let ready = server.ready();
    let address = ready["address"].as_str().unwrap();
    let others: Vec<_> = (0..30).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut alice = server.chat("alice", "phone");
    alice.wait_for("synced");
    let stats = get(ready["admin_address"].as_str().unwrap(), "/stats").1;
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    // Two seconds refill one, less what the attempts themselves took.
    let refused = stats["edge"]["rate_limited"].as_u64().unwrap();
    assert!((1..=3).contains(&refused), "{stats}");
    drop(others);
}

/// Names and sizes of files are nobody else's business either.
#[test]
fn the_data_directory_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let mode = std::fs::metadata(server.data()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// SEC-7: neither a text nor a name is found in any file of the data directory.
#[test]
fn nothing_readable_is_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"))
        .overridden("segment_bytes = 65536\n[worker]\nflush_interval_ms = 200\n");
    server.kill();
    server.restart();
    let canary = "canary-5c1f0a77";
    let mut alice = server.chat("alice-canary", "device-canary");
    for number in 0..200 {
        alice.send("bob-canary", &format!("{canary} {number}"));
    }
    for _ in 0..200 {
        alice.wait_for("sent");
    }
    assert_eq!(server.stop(), Some(0));
    let mut files = 0;
    let mut folders = vec![server.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for needle in [canary, "alice-canary", "bob-canary", "device-canary"] {
                let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
                assert!(!found, "{needle} in {}", path.display());
            }
        }
    }
    assert!(files >= 4, "only {files} files were searched");
}
