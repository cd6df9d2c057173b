//! The command line, as data.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use iris_types::{DeviceId, UserId};

/// Self-hosted messaging: durable, ordered, exactly once.
#[derive(Debug, Parser)]
#[command(name = "iris", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a server for trying things out: own authority, own secret, everything in one directory.
    Dev(Dev),
    /// Start a server from a configuration file.
    Serve(Serve),
    /// Chat in the terminal, or from a script with --json.
    Chat(Chat),
    /// Print one token for a user, and nothing else.
    Token(Token),
    /// Change a running server, or mend a stopped one.
    #[command(subcommand)]
    Admin(Admin),
    /// Look at the machine and the data directory, and say what to do about what is found.
    Doctor(Doctor),
    /// Put load on a server and measure it.
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Where everything is kept.
    #[arg(long, default_value = "iris-dev")]
    pub(crate) dir: PathBuf,
    /// Where clients connect; port 0 takes a free one.
    #[arg(long, default_value_t = Dev::DEFAULT_ADDRESSES[0])]
    pub(crate) listen: SocketAddr,
    /// Where browsers connect over HTTPS [default: 127.0.0.1:7444, or a free port if --listen is another one].
    #[arg(long)]
    pub(crate) web_listen: Option<SocketAddr>,
    /// Where browsers of this machine connect over plain HTTP [default: 7445, or a free port if --listen is another
    /// one].
    #[arg(long)]
    pub(crate) http_port: Option<u16>,
    /// A configuration file's [server], [storage], [limits] and [worker] values are taken from here instead of the
    /// defaults; addresses, keys and paths stay those of the directory.
    #[arg(long, hide = true)]
    pub(crate) overrides: Option<PathBuf>,
}

/// On this machine alone.
const fn here(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Dev {
    /// Where clients connect, browsers over HTTPS, browsers over plain HTTP.
    pub(crate) const DEFAULT_ADDRESSES: [SocketAddr; 3] = [here(7_443), here(7_444), here(7_445)];

    pub(crate) fn web_listen(&self) -> SocketAddr {
        let [_, https, _] = self.default_addresses();
        self.web_listen.unwrap_or(https)
    }

    pub(crate) fn http_port(&self) -> u16 {
        let [.., http] = self.default_addresses();
        self.http_port.unwrap_or(http.port())
    }

    /// A second server on this machine says where it listens, and must not be in the way of the first.
    fn default_addresses(&self) -> [SocketAddr; 3] {
        let [listen, ..] = Self::DEFAULT_ADDRESSES;
        if self.listen == listen { Self::DEFAULT_ADDRESSES } else { [self.listen, here(0), here(0)] }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file.
    #[arg(long, required_unless_present = "print_config")]
    pub(crate) config: Option<PathBuf>,
    /// Print a commented configuration with every key and its default.
    #[arg(long)]
    pub(crate) print_config: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// Who you are.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: UserId,
    /// Whom lines that you type go to; on a whole screen, whose conversation is opened.
    #[arg(long)]
    pub(crate) to: Option<UserId>,
    /// Lines in and lines out, also on a terminal, in place of the whole screen.
    #[arg(long, conflicts_with = "json")]
    pub(crate) lines: bool,
    /// The directory of a server started with `iris dev`.
    #[arg(long, default_value = "iris-dev", conflicts_with = "server")]
    pub(crate) dir: PathBuf,
    /// Address of any other server, HOST:PORT.
    #[arg(long, requires = "token_file", requires = "ca")]
    pub(crate) server: Option<String>,
    /// Certificates to trust, PEM.
    #[arg(long)]
    pub(crate) ca: Option<PathBuf>,
    /// A file with your token; read again at every connect.
    #[arg(long)]
    pub(crate) token_file: Option<PathBuf>,
    /// Name of this device.
    #[arg(long, default_value = "terminal")]
    pub(crate) device: DeviceId,
    /// Where this device keeps its messages.
    #[arg(long)]
    pub(crate) state: Option<PathBuf>,
    /// Read one command and write one event per line, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Speak this version of the protocol only.
    #[arg(long, hide = true, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) protocol: Option<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[arg(long)]
    pub(crate) user: UserId,
    /// The directory of a server started with `iris dev`.
    #[arg(long, default_value = "iris-dev")]
    pub(crate) dir: PathBuf,
    /// The secret of any other server.
    #[arg(long, conflicts_with = "dir")]
    pub(crate) secret_file: Option<PathBuf>,
    /// How long it lives: at most 24 hours.
    #[arg(long, default_value_t = 86_400)]
    pub(crate) seconds: u64,
}

/// Which server an administrative command concerns.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The directory of a server started with `iris dev`.
    #[arg(long, default_value = "iris-dev")]
    pub(crate) dir: PathBuf,
    /// The configuration of a server started with `iris serve`.
    #[arg(long, conflicts_with = "dir")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Refuse a token, or every token issued to a user so far; their sessions end.
    Revoke {
        /// Refuse all of this user's tokens. Sessions end at once; the answer comes up to two seconds later, because
        /// tokens may be dated a second ahead, and those are refused, too. A token made after the answer works.
        #[arg(long, required_unless_present = "token", conflicts_with = "token")]
        user: Option<UserId>,
        /// Refuse this token.
        #[arg(long)]
        token: Option<String>,
        #[command(flatten)]
        place: Where,
    },
    /// Move a damaged part of a stopped server's data aside, so that it can start without it. Says what is lost.
    Quarantine {
        /// What `iris doctor --verify` named.
        #[arg(long)]
        file: String,
        /// Required, because what is moved aside is missing afterwards.
        #[arg(long)]
        accept_loss: bool,
        #[command(flatten)]
        place: Where,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Read every byte of the data directory and check it. The server has to be stopped.
    #[arg(long)]
    pub(crate) verify: bool,
    #[command(flatten)]
    pub(crate) place: Where,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// As many durable messages as it takes, window by window.
    Throughput(Load),
    /// Latency at a given rate, measured from the intended time of each send.
    Latency(Load),
    /// Memory and connect time of idle connections.
    Connections(Load),
    /// Kill the server again and again under load, and check that nothing is lost, doubled or reordered.
    Crash(Load),
    /// Fill a server with many users and messages; with --spawn, also measure it after a restart.
    Fill(Load),
    /// Messages to a group whose members are all connected.
    Group(Load),
    /// How long it takes to learn whether somebody is there.
    Presence(Load),
    /// Write a document from the results (--json) of other benches.
    Document(Document),
}

#[derive(Debug, Args)]
pub(crate) struct Document {
    /// Results, in the order of the document.
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// The document, replaced.
    #[arg(long, default_value = "docs/performance.md")]
    pub(crate) to: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// How long to measure.
    #[arg(long, default_value_t = 30)]
    pub(crate) seconds: u64,
    /// Connections, one user each.
    #[arg(long)]
    pub(crate) connections: Option<usize>,
    /// Messages (or connects) a second over all connections together.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Bytes of a message.
    #[arg(long, default_value_t = 200)]
    pub(crate) body: usize,
    /// Sends in flight per connection (throughput).
    #[arg(long, default_value_t = 32)]
    pub(crate) window: usize,
    /// Protocol version of the generator.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) protocol: u8,
    /// The directory of a running `iris dev` server.
    #[arg(long, default_value = "iris-dev")]
    pub(crate) dir: PathBuf,
    /// Start an own server process, in a new directory that is removed afterwards.
    #[arg(long, conflicts_with = "dir")]
    pub(crate) spawn: bool,
    /// Kills (crash).
    #[arg(long, default_value_t = 20)]
    pub(crate) kills: u32,
    /// Senders (fill).
    #[arg(long, default_value_t = 10_000)]
    pub(crate) senders: u32,
    /// Recipients who never logged in (fill).
    #[arg(long, default_value_t = 500_000)]
    pub(crate) recipients: u32,
    /// Messages (fill).
    #[arg(long, default_value_t = 5_000_000)]
    pub(crate) messages: u64,
    /// Members (group).
    #[arg(long)]
    pub(crate) members: Option<usize>,
    /// Write the result here, as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Sample where the server's processor time goes, with `perf` (throughput, latency).
    #[arg(long)]
    pub(crate) profile: bool,
}
