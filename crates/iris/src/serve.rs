//! `iris serve`: a server from a configuration file.

use anyhow::{Result, bail};

use crate::cli::Serve;
use crate::config::{Config, DEFAULT};
use crate::server;

pub(crate) fn run(arguments: &Serve) -> Result<()> {
    if arguments.print_config {
        print!("{DEFAULT}");
        return Ok(());
    }
    let Some(file) = &arguments.config else {
        bail!("give --config FILE; `iris serve --print-config` prints one")
    };
    server::run(&Config::read(file)?, None, |serving| {
        let web = serving.https_address.map(|address| format!("; web client at https://{address}/"));
        println!(
            "Iris is ready at {}{}; health at http://{}/readyz",
            serving.address,
            web.unwrap_or_default(),
            serving.admin_address
        );
        Ok(())
    })
}
