//! The configuration of a server: `iris.toml`, checked key by key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use iris_worker::Rate;
use serde::Deserialize;

/// What `iris serve --print-config` prints: every key with its default and its meaning.
pub(crate) const DEFAULT: &str = include_str!("iris.toml");

/// A whole configuration. `iris dev` builds the same struct without a file.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: Server,
    /// `None`: browsers are not served.
    pub(crate) web: Option<Web>,
    pub(crate) tls: Tls,
    pub(crate) tokens: Tokens,
    pub(crate) storage: Storage,
    pub(crate) admin: Admin,
    #[serde(default)]
    pub(crate) limits: Limits,
    #[serde(default)]
    pub(crate) worker: Worker,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    /// Event loops; 0: one per core.
    #[serde(default)]
    pub(crate) event_loops: usize,
    #[serde(default = "both_versions")]
    pub(crate) protocol_versions: Vec<u8>,
}

/// The listener for browsers: HTTPS with the certificate of [`Tls`].
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Web {
    pub(crate) listen: SocketAddr,
    /// Whose pages may open WebSockets, beside its own: `https://host`, with the port if it is not 443.
    #[serde(default)]
    pub(crate) origins: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tokens {
    pub(crate) secret_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storage {
    pub(crate) directory: PathBuf,
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) master_key_environment: Option<String>,
    /// Free bytes below which sends are refused; `None`: 1 GiB or 5 % of the disk, whichever is less.
    pub(crate) reserve_bytes: Option<u64>,
    #[serde(default = "segment_bytes")]
    pub(crate) segment_bytes: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    pub(crate) listen: SocketAddr,
    pub(crate) socket: PathBuf,
}

/// Who may do what how often.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Of one address: an IPv4 address, or an IPv6 /64.
    pub(crate) connections_per_minute: u32,
    /// Of one account.
    pub(crate) failed_logins_per_hour: u32,
    /// Of one user over all devices, changes of groups included.
    pub(crate) messages_per_minute: u32,
    /// How many of them at once after a rest.
    pub(crate) messages_burst: u32,
    /// Members and invitations of one group.
    pub(crate) group_members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        use iris_types::limits;
        Self {
            connections_per_minute: limits::CONNECTIONS_PER_MINUTE,
            failed_logins_per_hour: limits::FAILED_LOGINS_PER_HOUR,
            messages_per_minute: limits::MESSAGES_PER_MINUTE,
            messages_burst: limits::MESSAGES_BURST,
            group_members: limits::GROUP_MEMBERS_MAX,
        }
    }
}

impl Limits {
    /// For a server to try things out with, and for benches: everybody comes from one address.
    pub(crate) const HIGH: Self = Self {
        connections_per_minute: iris_types::limits::RATE_MAX,
        failed_logins_per_hour: iris_types::limits::RATE_MAX,
        messages_per_minute: Rate::GENEROUS.per_minute,
        messages_burst: Rate::GENEROUS.burst,
        group_members: iris_types::limits::GROUP_MEMBERS_MAX,
    };
}

impl std::fmt::Display for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} connections a minute per address, {} failed logins an hour per account, {} messages a minute per user",
            self.connections_per_minute, self.failed_logins_per_hour, self.messages_per_minute
        )
    }
}

/// How a worker batches, flushes and caches. The defaults fit; tests make everything small.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Worker {
    pub(crate) workers: u16,
    pub(crate) vnodes: u32,
    pub(crate) flush_bytes: usize,
    pub(crate) flush_interval_ms: u64,
    pub(crate) dirty_bytes: usize,
    pub(crate) log_tail_bytes: u64,
    pub(crate) state_cache_bytes: usize,
    pub(crate) block_cache_bytes: usize,
    /// Milliseconds that a chunk waits for more events although none is in flight.
    pub(crate) linger_ms: u64,
}

impl Default for Worker {
    fn default() -> Self {
        use iris_types::limits;
        Self {
            workers: 1,
            vnodes: 256,
            flush_bytes: limits::FLUSH_BYTES,
            flush_interval_ms: limits::FLUSH_INTERVAL_MS,
            dirty_bytes: limits::DIRTY_BYTES_MAX,
            log_tail_bytes: limits::LOG_TAIL_BYTES_MAX,
            state_cache_bytes: limits::STATE_CACHE_BYTES,
            block_cache_bytes: limits::BLOCK_CACHE_BYTES,
            linger_ms: 0,
        }
    }
}

fn both_versions() -> Vec<u8> {
    vec![1, 2]
}

fn segment_bytes() -> u64 {
    iris_types::limits::SEGMENT_BYTES
}

/// Why a configuration was not taken. Says where and what to write instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read {file}: {error}", file = file.display())]
    Unreadable { file: PathBuf, error: std::io::Error },
    #[error("{file}:{line}: {message}", file = file.display())]
    Invalid { file: PathBuf, line: usize, message: String },
}

impl Config {
    /// Reads and checks a file; relative paths in it are relative to its folder.
    pub(crate) fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError::Unreadable { file: file.to_owned(), error })?;
        let folder = std::path::absolute(file).ok().and_then(|path| path.parent().map(Path::to_owned));
        let mut config = Self::parse(&text, file)?;
        if let Some(folder) = folder {
            config.resolve(&folder);
        }
        Ok(config)
    }

    fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let invalid = |line, message| ConfigError::Invalid { file: file.to_owned(), line, message };
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            invalid(line, with_nearest_key(error.message()))
        })?;
        config.check().map_err(|(key, message)| {
            let line =
                text.lines().position(|line| line.trim_start().starts_with(key)).map_or(1, |at| at + 1);
            invalid(line, format!("{key}: {message}"))
        })?;
        Ok(config)
    }

    /// Rules that types cannot say; names the key.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let versions = &self.server.protocol_versions;
        if versions.is_empty() || versions.iter().any(|version| ![1, 2].contains(version)) {
            return Err(("protocol_versions", "one or both of 1 and 2".to_owned()));
        }
        let rates = [
            ("connections_per_minute", self.limits.connections_per_minute),
            ("failed_logins_per_hour", self.limits.failed_logins_per_hour),
        ];
        let most = iris_types::limits::RATE_MAX;
        if let Some((key, _)) = rates.into_iter().find(|(_, rate)| !(1..=most).contains(rate)) {
            return Err((key, format!("1 to {most}")));
        }
        let most = Rate::GENEROUS;
        if !(1..=most.per_minute).contains(&self.limits.messages_per_minute) {
            return Err(("messages_per_minute", format!("1 to {}", most.per_minute)));
        }
        if !(1..=most.burst).contains(&self.limits.messages_burst) {
            return Err(("messages_burst", format!("1 to {}", most.burst)));
        }
        let most = iris_types::limits::GROUP_MEMBERS_HARD_MAX;
        if !(2..=most).contains(&self.limits.group_members) {
            return Err(("group_members", format!("2 to {most}")));
        }
        let origins = self.web.iter().flat_map(|web| &web.origins);
        if let Some(origin) = origins.into_iter().find(|origin| !is_origin(origin)) {
            return Err(("origins", format!("`{origin}` is not https://HOST or https://HOST:PORT")));
        }
        let keys = [self.storage.master_key_file.is_some(), self.storage.master_key_environment.is_some()];
        if keys == [false, false] || keys == [true, true] {
            return Err((
                "master_key_file",
                "give exactly one of master_key_file and master_key_environment".to_owned(),
            ));
        }
        if iris_types::placement::VnodeCount::new(self.worker.vnodes).is_none() {
            return Err(("vnodes", "1 to 65536".to_owned()));
        }
        let most = iris_types::limits::LOGS_MAX;
        if !(1..=most).contains(&usize::from(self.worker.workers))
            || u32::from(self.worker.workers) > self.worker.vnodes
        {
            return Err(("workers", format!("1 to {most}, and not more than vnodes")));
        }
        let mib = 1_024 * 1_024;
        if !(64 * 1_024..=1_024 * mib).contains(&self.storage.segment_bytes)
            || !self.storage.segment_bytes.is_multiple_of(4096)
        {
            return Err(("segment_bytes", "65536 to 1073741824, a multiple of 4096".to_owned()));
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        let storage = &mut self.storage;
        let paths = [
            Some(&mut self.tls.certificate_file),
            Some(&mut self.tls.key_file),
            Some(&mut self.tokens.secret_file),
            Some(&mut storage.directory),
            storage.master_key_file.as_mut(),
            Some(&mut self.admin.socket),
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
}

/// As browsers write it, so that comparing is enough: no path, not even a slash.
fn is_origin(text: &str) -> bool {
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    text.strip_prefix("https://").is_some_and(|host| !host.is_empty() && host.bytes().all(is_of_host))
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Turns serde's "unknown field `a`, expected one of `b`, `c`" into advice.
fn with_nearest_key(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let (true, Some(unknown)) = (message.starts_with("unknown field"), names.next()) else {
        return message.to_owned();
    };
    match names.max_by(|a, b| strsim::jaro_winkler(a, unknown).total_cmp(&strsim::jaro_winkler(b, unknown))) {
        Some(nearest) => format!("unknown key `{unknown}`; did you mean `{nearest}`?"),
        None => format!("unknown key `{unknown}`"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(text, Path::new("iris.toml")).unwrap_err().to_string()
    }

    #[test]
    fn the_printed_configuration_is_the_default() {
        let config = Config::parse(DEFAULT, Path::new("iris.toml")).unwrap();
        assert_eq!(config.worker, Worker::default());
        assert_eq!(config.limits, Limits::default());
        assert_eq!((config.limits.connections_per_minute, config.limits.failed_logins_per_hour), (5, 10));
        assert_eq!(config.server.protocol_versions, both_versions());
        assert_eq!(config.storage.segment_bytes, segment_bytes());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
        let text = DEFAULT.replace("listen = \"0.0.0.0:7443\"", "lisen = \"0.0.0.0:7443\"");
        let line = text.lines().position(|line| line.starts_with("lisen")).unwrap() + 1;
        assert_eq!(error(&text), format!("iris.toml:{line}: unknown key `lisen`; did you mean `listen`?"));
        assert_eq!(
            error(&DEFAULT.replace("[storage]", "[storrage]")).split(": ").nth(1).unwrap(),
            "unknown key `storrage`; did you mean `storage`?"
        );
    }

    #[test]
    fn browsers_are_served_over_https_alone_and_only_when_asked_for() {
        let parse = |text: &str| Config::parse(text, Path::new("iris.toml"));
        assert_eq!(parse(DEFAULT).unwrap().web, None);
        let printed: String = DEFAULT
            .lines()
            .map(|line| match line {
                "# [web]" | "# listen = \"0.0.0.0:8443\"" | "# origins = []" => line.trim_start_matches("# "),
                line => line,
            })
            .fold(String::new(), |text, line| text + line + "\n");
        let web = parse(&printed).unwrap().web.unwrap();
        assert_eq!(web, Web { listen: ([0, 0, 0, 0], 8_443).into(), origins: Vec::new() });
        let with = |origin: &str| printed.replace("origins = []", &format!("origins = [\"{origin}\"]"));
        assert!(parse(&with("https://chat.example.org:8443")).is_ok());
        for wrong in [
            "chat.example.org",
            "http://chat.example.org",
            "https://",
            "https://a/",
            "https://a/b",
            "*",
            "null",
        ] {
            let line = printed.lines().position(|line| line.starts_with("origins")).unwrap() + 1;
            let told =
                format!("iris.toml:{line}: origins: `{wrong}` is not https://HOST or https://HOST:PORT");
            assert_eq!(error(&with(wrong)), told);
        }
        for key in ["http_port = 8080", "plain = true", "tls = false"] {
            let text = printed.replace("origins = []", key);
            assert!(error(&text).contains("unknown key"), "{key}");
        }
    }

    #[test]
    fn a_value_out_of_bounds_is_named_with_its_line() {
        let text = DEFAULT.replace("workers = 1", "workers = 0");
        let line = text.lines().position(|line| line.starts_with("workers")).unwrap() + 1;
        assert_eq!(error(&text), format!("iris.toml:{line}: workers: 1 to 16, and not more than vnodes"));
        let taken = |workers: u16| {
            Config::parse(
                &DEFAULT.replace("workers = 1", &format!("workers = {workers}")),
                Path::new("iris.toml"),
            )
            .is_ok()
        };
        assert_eq!((taken(16), taken(17)), (true, false));
        for (key, value) in [("connections_per_minute = 5", "0"), ("failed_logins_per_hour = 10", "1000001")]
        {
            let name = key.split(' ').next().unwrap();
            let told = error(&DEFAULT.replace(key, &format!("{name} = {value}")));
            assert!(told.ends_with(&format!(": {name}: 1 to 1000000")), "{told}");
        }
        let both = DEFAULT.replace("# master_key_environment", "master_key_environment");
        assert!(error(&both).contains("exactly one of"));
        assert!(error("[server]\nlisten = 5\n").starts_with("iris.toml:2: "));
    }
}
