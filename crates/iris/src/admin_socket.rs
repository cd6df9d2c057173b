//! The server's side of `iris admin`: a Unix socket that only the owner can open.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use iris_core::AdminReply;
use iris_edge::TokenSecret;
use iris_types::UserId;
use iris_types::limits::ACCEPT_PAUSE_MS;
use iris_worker::AdminAnswer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

use crate::admin::{Question, Reply};
use crate::clock::wall;

/// Bytes of a question: a token and little else.
const QUESTION_BYTES: u64 = 4_096; // layout
/// How long a peer may take to ask.
const QUESTION_TIME: Duration = Duration::from_secs(5);

/// What a question may reach.
pub(crate) struct AdminSocket {
    pub(crate) secret: Arc<TokenSecret>,
    pub(crate) core: Arc<iris_core::Core>,
}

impl AdminSocket {
    /// Answers one question per connection, one connection at a time, until dropped.
    pub(crate) async fn serve(self, listener: UnixListener) {
        loop {
            let (stream, _) = accepted(|| listener.accept()).await;
            match tokio::time::timeout(QUESTION_TIME, self.converse(stream)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "an administrator's connection broke"),
                Err(_) => tracing::warn!("an administrator's connection took too long"),
            }
        }
    }

    async fn converse(&self, mut stream: UnixStream) -> Result<()> {
        let (read, mut write) = stream.split();
        let mut line = String::new();
        BufReader::new(read.take(QUESTION_BYTES)).read_line(&mut line).await?;
        let reply = match serde_json::from_str(&line) {
            Ok(question) => self.answer(question).await,
            Err(error) => Reply::Refused { reason: format!("not a question: {error}") },
        };
        let mut line = serde_json::to_string(&reply)?;
        line.push('\n');
        Ok(write.write_all(line.as_bytes()).await?)
    }

    async fn answer(&self, question: Question) -> Reply {
        match self.act(question).await {
            Ok(text) => Reply::Done { text },
            Err(error) => Reply::Refused { reason: error.to_string() },
        }
    }

    async fn act(&self, question: Question) -> Result<String> {
        match question {
            Question::RevokeUser { user } => {
                let user = UserId::new(&user)?;
                let revoked_at = wall();
                let (reply, answer) = waiting();
                self.core.revoke_user(user.clone(), reply);
                settle(answer).await?;
                // Tokens carry whole seconds. Answering in the next one lets a token minted after the answer
                // be told from those before it.
                let next_second = 1_000 - revoked_at.0 % 1_000;
                tokio::time::sleep(Duration::from_millis(next_second)).await;
                Ok(format!("every token issued to {user} so far is refused"))
            }
            Question::RevokeToken { token } => {
                let (user, facts) = iris_edge::token::facts(&self.secret, token.as_bytes())
                    .map_err(|code| anyhow!("this is no token of this server: {code}"))?;
                let (reply, answer) = waiting();
                self.core.revoke_token(user.clone(), &facts, reply);
                settle(answer).await?;
                Ok(format!("this token of {user} is refused"))
            }
        }
    }
}

/// The next connection. An error is none of the listener's end: descriptors may be free again in a moment.
async fn accepted<T, F: Future<Output = io::Result<T>>>(mut accept: impl FnMut() -> F) -> T {
    loop {
        match accept().await {
            Ok(connection) => return connection,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an administrator's connection");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

fn waiting() -> (AdminReply, oneshot::Receiver<AdminAnswer>) {
    let (sender, receiver) = oneshot::channel();
    // Nobody waits any more: the administrator's connection is gone, the change is made all the same.
    (Box::new(move |answer| drop(sender.send(answer))), receiver)
}

async fn settle(answer: oneshot::Receiver<AdminAnswer>) -> Result<()> {
    match answer.await.context("the server is stopping; ask again when it is back")? {
        AdminAnswer::Done => Ok(()),
        AdminAnswer::Refused(refusal) => bail!("refused: {refusal}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn an_error_is_not_the_end_of_the_socket() {
        let mut outcomes =
            vec![Ok(7), Err(io::ErrorKind::OutOfMemory.into()), Err(io::Error::other("no room"))];
        assert_eq!(accepted(|| std::future::ready(outcomes.pop().unwrap())).await, 7);
        assert!(outcomes.is_empty());
    }
}
