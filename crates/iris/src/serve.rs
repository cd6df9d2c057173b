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
    server::run(&Config::read(file)?, |serving| {
        println!("Iris is ready at {}; health at http://{}/readyz", serving.address, serving.admin_address);
        Ok(())
    })
}
