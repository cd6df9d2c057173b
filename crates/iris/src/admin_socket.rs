//! The server's side of `iris admin`: a Unix socket that only the owner can open.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use iris_core::AdminReply;
use iris_edge::TokenSecret;
use iris_types::limits::{ACCEPT_PAUSE_MS, TOKEN_AHEAD_MS_MAX};
use iris_types::{Timestamp, UserId};
use iris_worker::AdminAnswer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::admin::{Question, Reply};
use crate::clock::wall;

/// Bytes of a question: a token and little else.
const QUESTION_BYTES: u64 = 4_096; // layout
/// How long a peer may take to ask.
const QUESTION_TIME: Duration = Duration::from_secs(5);
/// How long the answer may take: a commit, then the time by which tokens may be dated ahead and the rest of a second.
const ANSWER_TIME: Duration = Duration::from_secs(10);

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
            if let Err(error) = self.converse(stream).await {
                tracing::warn!(%error, "an administrator's connection broke");
            }
        }
    }

    async fn converse(&self, mut stream: UnixStream) -> Result<()> {
        let (read, mut write) = stream.split();
        let mut line = String::new();
        let mut question = BufReader::new(read.take(QUESTION_BYTES));
        timeout(QUESTION_TIME, question.read_line(&mut line)).await.context("no question in time")??;
        let reply = match serde_json::from_str(&line) {
            Ok(question) => timeout(ANSWER_TIME, self.answer(question)).await.context("no answer in time")?,
            Err(error) => Reply::Refused { reason: format!("not a question: {error}") },
        };
        let mut line = serde_json::to_string(&reply)?;
        line.push('\n');
        Ok(timeout(QUESTION_TIME, write.write_all(line.as_bytes()))
            .await
            .context("nobody reads the answer")??)
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
                let (reply, answer) = waiting();
                self.core.revoke_user(user.clone(), reply);
                settle(answer).await?;
                tokio::time::sleep(until_new_tokens(wall())).await;
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

/// From a revocation's commit, at the latest, until a token that is minted then can be told from those that are
/// refused: these may be dated ahead, and dates are whole seconds.
fn until_new_tokens(committed_at: Timestamp) -> Duration {
    let refused_up_to = committed_at.plus_millis(TOKEN_AHEAD_MS_MAX);
    let next_second = Timestamp((refused_up_to.0 / 1_000 + 1) * 1_000);
    Duration::from_millis(next_second.millis_since(committed_at))
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

    #[test]
    fn a_token_minted_after_the_answer_is_dated_behind_all_that_are_refused() {
        for committed_at in [0, 1, 499, 500, 999] {
            let committed_at = Timestamp(1_800_000_000_000 + committed_at);
            let wait = until_new_tokens(committed_at);
            assert!(wait <= Duration::from_millis(TOKEN_AHEAD_MS_MAX + 1_000));
            let minted_at = committed_at.plus_millis(wait.as_millis() as u64);
            let dated = Timestamp(minted_at.0 / 1_000 * 1_000);
            assert!(dated > committed_at.plus_millis(TOKEN_AHEAD_MS_MAX));
        }
    }

    #[tokio::test]
    async fn an_error_is_not_the_end_of_the_socket() {
        let mut outcomes =
            vec![Ok(7), Err(io::ErrorKind::OutOfMemory.into()), Err(io::Error::other("no room"))];
        assert_eq!(accepted(|| std::future::ready(outcomes.pop().unwrap())).await, 7);
        assert!(outcomes.is_empty());
    }
}
