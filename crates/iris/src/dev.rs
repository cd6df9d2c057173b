//! `iris dev`: a server in one directory, with nothing to prepare.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use iris_edge::WebPlace;
use iris_types::UserId;
use iris_types::limits::TOKEN_LIFETIME_S_MAX;
use serde::Deserialize;

use crate::cli::Dev;
use crate::config::{Admin, Config, Limits, Server, Storage, Tls, Tokens, Web, Worker};
use crate::material::DevFiles;
use crate::ready::Ready;
use crate::server::{self, Serving};

/// What benches and tests may choose differently from the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Overrides {
    protocol_versions: Option<Vec<u8>>,
    event_loops: usize,
    segment_bytes: Option<u64>,
    reserve_bytes: Option<u64>,
    limits: Option<Limits>,
    worker: Worker,
}

/// Serving the web client without TLS, to browsers of this machine. The field is private: nobody but `iris dev` can
/// make one, so `iris serve` has no way to plain HTTP.
pub(crate) struct PlainWeb {
    port: u16,
}

impl PlainWeb {
    pub(crate) fn place(&self) -> WebPlace {
        WebPlace::Loopback { port: self.port }
    }
}

/// Who has a link.
const DEMO_USERS: [&str; 3] = ["alice", "bob", "carol"];

pub(crate) fn run(arguments: &Dev) -> Result<()> {
    let files = DevFiles::new(&arguments.dir)?;
    files.prepare()?;
    Ready::remove(&files.ready())?;
    let plain = PlainWeb { port: arguments.http_port() };
    let config = configuration(arguments, &files)?;
    let result = server::run(&config, Some(&plain), |serving| announce(&files, &config.limits, serving));
    Ready::remove(&files.ready())?;
    result
}

fn configuration(arguments: &Dev, files: &DevFiles) -> Result<Config> {
    let overrides: Overrides = match &arguments.overrides {
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            toml::from_str(&text).with_context(|| format!("in {}", file.display()))?
        }
        None => Overrides::default(),
    };
    Ok(Config {
        server: Server {
            listen: arguments.listen,
            event_loops: overrides.event_loops,
            protocol_versions: overrides.protocol_versions.unwrap_or_else(|| vec![1, 2]),
        },
        web: Some(Web { listen: arguments.web_listen(), origins: Vec::new() }),
        tls: Tls { certificate_file: files.certificate(), key_file: files.key() },
        tokens: Tokens { secret_file: files.secret() },
        storage: Storage {
            directory: files.data(),
            master_key_file: Some(files.master_key()),
            master_key_environment: None,
            reserve_bytes: overrides.reserve_bytes,
            segment_bytes: overrides.segment_bytes.unwrap_or(iris_types::limits::SEGMENT_BYTES),
        },
        admin: Admin { listen: ([127, 0, 0, 1], 0).into(), socket: files.socket() },
        limits: overrides.limits.unwrap_or(Limits::HIGH),
        worker: overrides.worker,
    })
}

fn announce(files: &DevFiles, limits: &Limits, serving: &Serving) -> Result<()> {
    let (Some(web_address), Some(web_https_address)) = (serving.http_address, serving.https_address) else {
        bail!("the web client is not served")
    };
    let web_links = links(files, web_address)?;
    let shown: String = web_links.iter().map(|(user, link)| format!("    {user:<6} {link}\n")).collect();
    Ready {
        address: serving.address,
        web_address,
        web_https_address,
        web_links,
        admin_address: serving.admin_address,
        ca_file: files.authority(),
        secret_file: files.secret(),
        data_dir: files.data(),
        pid: std::process::id(),
    }
    .write(&files.ready())?;
    crate::material::write_new(&files.last_address(), serving.address.to_string().as_bytes(), 0o644)?;
    let folder = files.directory.display();
    println!(
        "Iris is ready at {} (TLS 1.3); health at http://{}/readyz\n\
         Web client at http://{web_address}/ on this machine, and at https://{web_https_address}/\n\
         Limits: {limits}\n\n\
         Open two of these links in a browser; each is logged in for 24 hours:\n\n\
         {shown}\n\
         Or chat from two more terminals:\n\n\
         \x20   {me} chat --as alice --to bob --dir {folder}\n\
         \x20   {me} chat --as bob --to alice --dir {folder}\n\n\
         Kill this server at any moment and start it again: the chat goes on. Ctrl-C stops it cleanly.",
        serving.address,
        serving.admin_address,
        me = own_name(),
    );
    Ok(())
}

/// The token is in the fragment, which browsers send to nobody.
fn links(files: &DevFiles, web: SocketAddr) -> Result<BTreeMap<String, String>> {
    let link = |name: &str| {
        let token = crate::token::mint(&files.secret(), &UserId::new(name)?, TOKEN_LIFETIME_S_MAX)?;
        Ok((name.to_owned(), format!("http://{web}/#user={name}&token={token}")))
    };
    DEMO_USERS.into_iter().map(link).collect()
}

/// How the person at the keyboard can start this program again.
fn own_name() -> String {
    std::env::current_exe().map_or_else(|_| "iris".to_owned(), |path| path.display().to_string())
}
