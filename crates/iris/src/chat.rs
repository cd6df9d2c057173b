//! `iris chat`: a device in the terminal, for a person or, with `--json`, for a script.

mod input;
mod json;
mod terminal;
#[cfg(feature = "tui")]
mod tui;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use iris_client::{Client, Events, Options, TokenSource, Trust, Versions};

use crate::cli::Chat;
use crate::material::DevFiles;
use crate::ready::Ready;
use crate::token::mint;

/// How long `quit` and the end of input wait for the outbox.
const QUIT_PATIENCE: Duration = Duration::from_secs(10);
/// Seconds that a token minted for oneself lives: each connection mints a new one.
const OWN_TOKEN_SECONDS: u64 = 12 * 3_600; // layout

/// 0 when everything that was to be sent is sent; 1 otherwise.
pub(crate) fn run(arguments: &Chat) -> ExitCode {
    match converse(arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(unsettled) => {
            eprintln!("iris: {unsettled} messages wait for the next start of this device");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("iris: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether there is a terminal to fill, and nobody wants lines instead. Nothing else may be written to it then.
pub(crate) fn is_full_screen(arguments: &Chat) -> bool {
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    cfg!(feature = "tui") && !arguments.json && !arguments.lines && is_terminal
}

/// Chats until the end of input; gives how many sends are left.
fn converse(arguments: &Chat) -> Result<usize> {
    let options = options(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let unsettled = runtime.block_on(async {
        let (client, events) = Client::connect(options).await?;
        if arguments.json {
            return json::run(arguments, client, events).await;
        }
        #[cfg(feature = "tui")]
        if is_full_screen(arguments) {
            return tui::run(arguments, client, events).await;
        }
        terminal::run(arguments, client, events).await
    });
    // A read of the terminal that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    unsettled
}

/// Closes the client; what comes in meanwhile goes to `show`.
async fn close(
    client: Client,
    mut events: Events,
    mut show: impl FnMut(iris_client::Event) -> Result<()>,
) -> Result<usize> {
    let closing = client.close(QUIT_PATIENCE);
    tokio::pin!(closing);
    let unsettled = loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                Some(event) => show(event)?,
                None => break closing.await?.unsettled,
            },
            closed = &mut closing => break closed?.unsettled,
        }
    };
    while let Some(event) = events.next().await {
        show(event)?;
    }
    Ok(unsettled)
}

fn options(arguments: &Chat) -> Result<Options> {
    let (user, device) = (arguments.user.clone(), arguments.device.clone());
    let versions = match arguments.protocol {
        Some(1) => Versions::ONLY_1,
        Some(_) => Versions::ONLY_2,
        None => Versions::ALL,
    };
    let files = DevFiles::new(&arguments.dir)?;
    let state = |default: Option<PathBuf>| match arguments.state.clone().or(default) {
        Some(state) => Ok(state),
        None => bail!("give --state DIR: where this device keeps its messages"),
    };
    if let Some(server) = &arguments.server {
        let ca = arguments.ca.clone().context("give --ca FILE")?;
        let token = arguments.token_file.clone().context("give --token-file FILE")?;
        return Ok(Options {
            server: server.clone(),
            trust: Trust::File(ca),
            token: TokenSource::File(token),
            state_dir: state(None)?,
            user,
            device,
            versions,
        });
    }
    // The server may be down at this moment: what it wrote when it last served says where it will be again.
    let address = remembered_address(&files)?;
    let (secret, name) = (files.secret(), user.clone());
    let provider = move || mint(&secret, &name, OWN_TOKEN_SECONDS).map_err(|error| format!("{error:#}"));
    Ok(Options {
        server: address,
        trust: Trust::File(files.authority()),
        token: TokenSource::Provider(Arc::new(provider)),
        state_dir: state(Some(files.client(user.as_str(), device.as_str())))?,
        user,
        device,
        versions,
    })
}

/// The address in `ready.json`, or, while the server is down, the one it last had.
fn remembered_address(files: &DevFiles) -> Result<String> {
    match Ready::read(&files.ready()) {
        Ok(ready) => Ok(ready.address.to_string()),
        Err(error) => match std::fs::read_to_string(files.last_address()) {
            Ok(address) => Ok(address.trim().to_owned()),
            Err(_) => Err(error),
        },
    }
}
