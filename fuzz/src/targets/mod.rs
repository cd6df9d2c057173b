//! One file per decoder; [`ALL`] is the table of targets.

mod client_session;
mod data_directory;
mod events;
mod frames;
mod http;
mod keys;
mod manifest;
mod rows;
mod runs;
mod server_session;
mod token;
mod upgrade;
mod vectors;
mod websocket;

use crate::Target;

/// Every target.
pub const ALL: &[Target] = &[
    Target { name: "client_frames", run: frames::run_client, seeds: frames::client_seeds },
    Target { name: "server_frames", run: frames::run_server, seeds: frames::server_seeds },
    Target { name: "server_session", run: server_session::run, seeds: server_session::seeds },
    Target { name: "client_session", run: client_session::run, seeds: client_session::seeds },
    Target { name: "http", run: http::run, seeds: http::seeds },
    Target { name: "upgrade", run: upgrade::run, seeds: upgrade::seeds },
    Target { name: "websocket", run: websocket::run, seeds: websocket::seeds },
    Target { name: "events", run: events::run, seeds: events::seeds },
    Target { name: "rows", run: rows::run, seeds: rows::seeds },
    Target { name: "manifest", run: manifest::run, seeds: manifest::seeds },
    Target { name: "runs", run: runs::run, seeds: runs::seeds },
    Target { name: "data_directory", run: data_directory::run, seeds: data_directory::seeds },
    Target { name: "keys", run: keys::run, seeds: keys::seeds },
    Target { name: "token", run: token::run, seeds: token::seeds },
];

/// Reads an input piece by piece; past its end everything is zero.
pub(crate) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn number(&mut self) -> u64 {
        u64::from(self.byte()) << 8 | u64::from(self.byte())
    }

    /// As many bytes as there are, at most `count`.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (piece, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        piece
    }
}
