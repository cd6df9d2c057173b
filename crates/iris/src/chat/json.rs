//! `iris chat --json`: one command in, one event out per line. The lines are described in `docs/chat-json.md`.

mod command;
mod values;
mod writer;

use std::collections::{BTreeSet, VecDeque};

use anyhow::Result;
use bytes::Bytes;
use iris_client::{
    Client, ClientError, ClientEvent, ConversationId, ErrorCode, Event, Events, NewMessage, QueryError,
    QueryNumber, Question, Refusal, SendError, Target, UserId, Watched,
};
use iris_types::limits::QUERIES_MAX;
use iris_types::request::{MarkRead, SetFlags};
use serde_json::Value;

use self::command::{About, BadCommand, Command, Line};
use self::writer::Writer;
use super::input;
use crate::cli::Chat;

/// Runs until `quit`, the end of input, or an output that nobody reads; gives how many sends are left.
pub(super) async fn run(arguments: &Chat, client: Client, mut events: Events) -> Result<usize> {
    let mut script = Script {
        client,
        writer: Writer::new(arguments.user.clone(), arguments.device.to_string()),
        held: VecDeque::new(),
        looking: None,
        watched: BTreeSet::new(),
    };
    let mut lines = input::lines();
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                Some(event) => script.event(event).await?,
                None => return Ok(0),
            },
            line = lines.recv() => match line {
                Some(input::Line::Text(text)) if text.trim().is_empty() => {}
                Some(input::Line::Text(text)) => {
                    if script.line(Line::parse(&text)).await? {
                        break;
                    }
                }
                Some(input::Line::Unreadable(why)) => {
                    script.writer.bad_line(&BadCommand::NotAnObject(why.to_owned()), None)?;
                }
                None => break,
            },
        }
    }
    let Script { client, mut writer, held, .. } = script;
    for Held { reference, .. } in held {
        writer.error(ErrorCode::Busy.into(), None, reference.as_ref())?;
    }
    super::close(client, events, |event| writer.event(event)).await
}

/// The side of the commands.
struct Script {
    client: Client,
    writer: Writer,
    /// Commands about conversations that this device does not know yet.
    held: VecDeque<Held>,
    /// The question for the list of conversations that they wait for.
    looking: Option<QueryNumber>,
    /// Whom the script watches, over all its commands.
    watched: BTreeSet<(UserId, Option<ConversationId>)>,
}

struct Held {
    conversation: ConversationId,
    about: About,
    reference: Option<Value>,
}

impl Script {
    /// Carries out one line; whether it was the last.
    async fn line(&mut self, line: Line) -> Result<bool> {
        let reference = line.reference;
        match line.command {
            Ok(Command::Quit) => return Ok(true),
            Ok(Command::Send { to, body, id }) => {
                let text = reference.as_ref().map(|reference| Bytes::from(reference.to_string()));
                let sent = self.client.send(NewMessage { to, body, id, reference: text }).await;
                if let Err(error) = sent {
                    self.refused(error, reference)?;
                }
            }
            Ok(Command::Ask(question)) => self.ask(question, reference).await?,
            Ok(Command::About(conversation, about)) => self.about(conversation, about, reference).await?,
            Ok(Command::Presence { users, group, watch }) => {
                self.presence(users, group, watch, reference).await?;
            }
            Err(bad) => self.writer.bad_line(&bad, reference.as_ref())?,
        }
        Ok(false)
    }

    async fn ask(&mut self, question: Question, reference: Option<Value>) -> Result<()> {
        match self.client.ask(question).await {
            Ok(number) => self.writer.expect(number, reference),
            Err(error) => self.refused(error, reference)?,
        }
        Ok(())
    }

    /// A command about a conversation of which only the id is given: what this device does not know yet is looked for
    /// in the list of conversations.
    async fn about(
        &mut self,
        conversation: ConversationId,
        about: About,
        reference: Option<Value>,
    ) -> Result<()> {
        if let Some(target) = self.client.target(conversation).await? {
            return self.carry_out(target, about, reference).await;
        }
        if self.held.len() >= QUERIES_MAX {
            return self.writer.error(busy(), None, reference.as_ref());
        }
        if self.looking.is_none() {
            match self.client.conversations().await {
                Ok(number) => self.looking = Some(number),
                Err(error) => return self.refused(error, reference),
            }
        }
        self.held.push_back(Held { conversation, about, reference });
        Ok(())
    }

    async fn carry_out(&mut self, target: Target, about: About, reference: Option<Value>) -> Result<()> {
        let question = match about {
            About::Read(up_to) => Question::MarkRead(MarkRead { target, up_to }),
            About::Receipts(seq) => Question::Receipts { target, seq },
            About::Flag { mask, values } => Question::SetFlags(SetFlags { target, mask, values }),
            About::Typing(on) => {
                self.client.typing(target, on).await?;
                return self.writer.done(reference.as_ref());
            }
        };
        self.ask(question, reference).await
    }

    /// Asks once, and adds to what is watched; nobody to be watched ends all watching.
    async fn presence(
        &mut self,
        users: Vec<UserId>,
        group: Option<ConversationId>,
        watch: bool,
        reference: Option<Value>,
    ) -> Result<()> {
        let items: Vec<Watched> = users.into_iter().map(|user| Watched { user, group }).collect();
        if !watch {
            return self.ask(Question::Presence(items), reference).await;
        }
        let mut watched = self.watched.clone();
        if items.is_empty() {
            watched.clear();
        }
        watched.extend(items.iter().map(|item| (item.user.clone(), item.group)));
        let all = watched.iter().map(|(user, group)| Watched { user: user.clone(), group: *group }).collect();
        let answered_by_watching = items.is_empty();
        match self.client.watch(all).await {
            Ok(number) if answered_by_watching => self.writer.expect(number, reference.clone()),
            Ok(number) => self.writer.ignore(number),
            Err(error) => return self.refused(error, reference),
        }
        self.watched = watched;
        if answered_by_watching { Ok(()) } else { self.ask(Question::Presence(items), reference).await }
    }

    async fn event(&mut self, event: Event) -> Result<()> {
        let answer = if let Event::Machine(event) = &event { event.answers() } else { None };
        if answer.is_none() || answer != self.looking {
            return self.writer.event(event);
        }
        self.looking = None;
        let refusal = match event {
            Event::Machine(ClientEvent::QueryFailed { refusal, .. }) => refusal,
            _ => ErrorCode::UnknownConversation.into(),
        };
        for Held { conversation, about, reference } in std::mem::take(&mut self.held) {
            match self.client.target(conversation).await? {
                Some(target) => self.carry_out(target, about, reference).await?,
                None => self.writer.error(refusal, None, reference.as_ref())?,
            }
        }
        Ok(())
    }

    /// What the client did not take. A client that has stopped ends the program.
    fn refused(&self, error: ClientError, reference: Option<Value>) -> Result<()> {
        let reference = reference.as_ref();
        match error {
            ClientError::Send(SendError::ReferenceTooLong(bytes)) => {
                self.writer.bad_line(&BadCommand::Reference(bytes), reference)
            }
            ClientError::Send(SendError::OutboxFull) | ClientError::Query(QueryError::TooMany) => {
                self.writer.error(busy(), None, reference)
            }
            ClientError::Query(error) => {
                self.writer.bad_line(&BadCommand::Fields(error.to_string()), reference)
            }
            error => Err(error.into()),
        }
    }
}

const fn busy() -> Refusal {
    Refusal::after(ErrorCode::Busy, 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/chat-json.md");

    /// What the rows of the table under a heading begin with.
    fn rows(heading: &str) -> Vec<&'static str> {
        let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(heading));
        let lines = section.unwrap_or_default().lines();
        let table = lines.skip_while(|line| !line.starts_with("| ")).take_while(|line| line.starts_with('|'));
        table.skip(2).filter_map(|line| line.split('|').nth(1)).map(str::trim).collect()
    }

    /// The words in backquotes.
    fn quoted(text: &str) -> Vec<&str> {
        text.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn every_command_and_event_is_documented_and_no_other() {
        let commands: Vec<&str> =
            rows("Commands").iter().filter_map(|row| row.strip_prefix("`{\"")?.split('"').next()).collect();
        assert_eq!(BTreeSet::from_iter(commands), BTreeSet::from(command::NAMES));
        let first_words = |row: &&'static str| quoted(row.split(" with ").next().unwrap_or_default());
        let events: BTreeSet<&str> = rows("Events").iter().flat_map(first_words).collect();
        assert_eq!(events, BTreeSet::from(writer::NAMES));
    }
}
