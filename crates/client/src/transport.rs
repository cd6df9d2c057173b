//! A TLS connection as a stream of bytes in and out.

use std::io;
use std::time::Duration;

use iris_types::limits::{CLIENT_READ_BYTES, GOODBYE_MS_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// An open connection with the bytes on their way through it.
#[derive(Debug)]
pub(crate) struct Transport {
    reader: ReadHalf<TlsStream<TcpStream>>,
    writer: WriteHalf<TlsStream<TcpStream>>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    written: usize,
    flushed: bool,
}

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// So many bytes lie in [`Transport::incoming`]; 0: the server closed.
    Read(usize),
    Wrote,
}

impl Transport {
    pub(crate) fn new(stream: TlsStream<TcpStream>) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let incoming = vec![0; CLIENT_READ_BYTES];
        Self { reader, writer, incoming, outgoing: Vec::new(), written: 0, flushed: true }
    }

    pub(crate) fn incoming(&self, length: usize) -> &[u8] {
        self.incoming.get(..length).unwrap_or_default()
    }

    /// Where the next bytes go; `None` while former ones wait for the socket, so that what waits stays bounded.
    pub(crate) fn outgoing(&mut self) -> Option<&mut Vec<u8>> {
        if self.written < self.outgoing.len() {
            return None;
        }
        self.outgoing.clear();
        self.written = 0;
        Some(&mut self.outgoing)
    }

    /// Waits until bytes moved in either direction. Can be dropped while it waits, without losing any.
    pub(crate) async fn moved(&mut self) -> io::Result<Moved> {
        let Self { reader, writer, incoming, outgoing, written, flushed } = self;
        let writes = *written < outgoing.len() || !*flushed;
        tokio::select! {
            read = reader.read(incoming) => read.map(Moved::Read),
            done = write(writer, outgoing, written, flushed), if writes => done.map(|()| Moved::Wrote),
        }
    }

    /// Writes what waits and says goodbye, within a short time. Whether it arrives does not matter: what the
    /// server does not hear now it is told at the next connection.
    pub(crate) async fn shut_down(mut self) {
        let goodbye = async {
            write(&mut self.writer, &self.outgoing, &mut self.written, &mut self.flushed).await?;
            self.writer.shutdown().await
        };
        let limit = Duration::from_millis(GOODBYE_MS_MAX);
        if let Ok(Err(error)) = tokio::time::timeout(limit, goodbye).await {
            tracing::debug!(%error, "the connection broke while it was closed");
        }
    }
}

async fn write(
    writer: &mut WriteHalf<TlsStream<TcpStream>>,
    outgoing: &[u8],
    written: &mut usize,
    flushed: &mut bool,
) -> io::Result<()> {
    while let Some(rest) = outgoing.get(*written..).filter(|rest| !rest.is_empty()) {
        *flushed = false;
        *written += writer.write(rest).await?;
    }
    writer.flush().await?;
    *flushed = true;
    Ok(())
}
