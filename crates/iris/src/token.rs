//! `iris token`: prints one token.

use anyhow::{Result, bail};
use iris_types::limits::TOKEN_LIFETIME_S_MAX;

use crate::cli::Token;
use crate::clock::wall;
use crate::material::{DevFiles, hexadecimal, random, read_private};

pub(crate) const HOW_TO_MAKE_A_SECRET: &str =
    "head -c 32 /dev/urandom | base64 -w 0 > FILE && chmod 600 FILE";

pub(crate) fn run(arguments: &Token) -> Result<()> {
    if !(1..=TOKEN_LIFETIME_S_MAX).contains(&arguments.seconds) {
        bail!("--seconds: 1 to {TOKEN_LIFETIME_S_MAX}");
    }
    let file = match &arguments.secret_file {
        Some(file) => file.clone(),
        None => DevFiles::new(&arguments.dir)?.secret(),
    };
    println!("{}", mint(&file, &arguments.user, arguments.seconds)?);
    Ok(())
}

/// A token of the secret in a file.
pub(crate) fn mint(file: &std::path::Path, user: &iris_types::UserId, seconds: u64) -> Result<String> {
    let secret =
        iris_edge::token::TokenSecret::new(&read_private(file, "token secret", HOW_TO_MAKE_A_SECRET)?)?;
    let id = hexadecimal(&*random::<16>()?);
    Ok(iris_edge::token::mint(&secret, user, wall(), seconds, &id)?)
}
