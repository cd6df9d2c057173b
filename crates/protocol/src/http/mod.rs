//! The server's side of HTTP/1.1, as far as browsers need it to get the web client and to open a WebSocket.
//!
//! - [`HttpConnection`]: one connection from its first byte to its end or its upgrade: requests in, responses out, in
//!   order and bounded.
//! - [`HeadReader`], [`RequestHead`]: one request, read strictly. Requests have no body.
//! - [`Assets`]: the files of the web client, in memory; what is answered to a request for one.
//! - [`Site`]: the assets and their [`Audience`]: which hosts and origins a listener answers.

mod assets;
mod audience;
mod connection;
mod head;

pub use self::assets::{Asset, Assets};
pub use self::audience::Audience;
pub use self::connection::{HttpConnection, HttpProgress};
pub use self::head::{HeadError, HeadProgress, HeadReader, RequestHead};

/// Where a WebSocket is opened.
pub const WEBSOCKET_PATH: &str = "/ws";
/// What is answered at a path where nothing is.
pub const NOT_FOUND: (u16, &str) = (404, "Not Found");

/// What a web listener serves, and to whom.
#[derive(Clone, Debug)]
pub struct Site {
    pub assets: std::sync::Arc<Assets>,
    pub audience: Audience,
}
