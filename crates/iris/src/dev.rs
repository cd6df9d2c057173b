//! `iris dev`: a server in one directory, with nothing to prepare.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::cli::Dev;
use crate::config::{Admin, Config, Server, Storage, Tls, Tokens, Worker};
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
    worker: Worker,
}

pub(crate) fn run(arguments: &Dev) -> Result<()> {
    let files = DevFiles::new(&arguments.dir)?;
    files.prepare()?;
    Ready::remove(&files.ready())?;
    let result = server::run(&configuration(arguments, &files)?, |serving| announce(&files, serving));
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
        worker: overrides.worker,
    })
}

fn announce(files: &DevFiles, serving: &Serving) -> Result<()> {
    Ready {
        address: serving.address,
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
        "Iris is ready at {} (TLS 1.3); health at http://{}/readyz\n\n\
         Chat from two more terminals:\n\n\
         \x20   {me} chat --as alice --to bob --dir {folder}\n\
         \x20   {me} chat --as bob --to alice --dir {folder}\n\n\
         Kill this server at any moment and start it again: the chat goes on. Ctrl-C stops it cleanly.",
        serving.address,
        serving.admin_address,
        me = own_name(),
    );
    Ok(())
}

/// How the person at the keyboard can start this program again.
fn own_name() -> String {
    std::env::current_exe().map_or_else(|_| "iris".to_owned(), |path| path.display().to_string())
}
