//! `iris chat` for a person: lines typed go out, messages come in between.

use std::num::NonZeroU64;

use anyhow::Result;
use iris_client::{
    Body, Change, Client, ClientEvent, DeviceId, DeviceLabel, DeviceSummary, Event, Events, HistoryFrom,
    HistoryQuestion, Outcome, Peer, Settled, UserId,
};
use iris_types::Timestamp;

use super::input;
use crate::cli::Chat;

const HELP: &str = concat!(
    "  /to USER        whom your lines go to\n",
    "  /history [N]    the last N messages with them (20)\n",
    "  /list           your conversations\n",
    "  /devices        your devices\n",
    "  /rename DEVICE LABEL  what people see of one of them\n",
    "  /revoke DEVICE  end one of them, for ever\n",
    "  /quit           leave; what is not sent yet waits for you",
);

/// Messages shown by `/history` unless a number is given.
const HISTORY: NonZeroU64 = NonZeroU64::MIN.saturating_add(19);

/// Runs until `/quit` or the end of input; gives how many sends are left.
pub(super) async fn run(arguments: &Chat, client: Client, mut events: Events) -> Result<usize> {
    let mut screen = Screen { user: arguments.user.clone(), to: arguments.to.clone(), connected: false };
    screen.welcome();
    let mut lines = input::lines();
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                Some(event) => screen.event(event)?,
                None => return Ok(0),
            },
            line = lines.recv() => match line {
                Some(input::Line::Text(text)) => {
                    if screen.line(&client, text.trim_end()).await? {
                        break;
                    }
                }
                Some(input::Line::Unreadable(why)) => println!("! {why}"),
                None => break,
            },
        }
    }
    super::close(client, events, |event| screen.event(event)).await
}

struct Screen {
    user: UserId,
    to: Option<UserId>,
    connected: bool,
}

impl Screen {
    fn welcome(&self) {
        match &self.to {
            Some(to) => println!("You are {}; what you type goes to {to}. /help shows more.", self.user),
            None => {
                println!("You are {}. Choose whom to write to with /to USER. /help shows more.", self.user)
            }
        }
    }

    /// Acts on what was typed; whether it was the last.
    async fn line(&mut self, client: &Client, text: &str) -> Result<bool> {
        let mut words = text.split_whitespace();
        match (words.next(), words.next()) {
            (None, _) => {}
            (Some("/quit"), _) => return Ok(true),
            (Some("/help"), _) => println!("{HELP}"),
            (Some("/to"), Some(name)) => match UserId::new(name) {
                Ok(user) => {
                    println!("Your lines go to {user}.");
                    self.to = Some(user);
                }
                Err(error) => println!("! {error}"),
            },
            (Some("/list"), _) => {
                client.conversations().await?;
            }
            (Some("/history"), count) => self.history(client, count).await?,
            (Some("/devices"), _) => {
                client.devices().await?;
            }
            (Some("/rename"), name) => rename(client, name, &words.collect::<Vec<_>>().join(" ")).await?,
            (Some("/revoke"), name) => match name.map(DeviceId::new) {
                Some(Ok(device)) => {
                    client.revoke_device(&device).await?;
                }
                Some(Err(error)) => println!("! {error}"),
                None => println!("! /revoke takes a device"),
            },
            (Some(word), _) if word.starts_with('/') => println!("! {word} is not a command.\n{HELP}"),
            _ => self.send(client, text).await?,
        }
        Ok(false)
    }

    async fn history(&self, client: &Client, count: Option<&str>) -> Result<()> {
        let limit = match count.map(str::parse) {
            None => HISTORY,
            Some(Ok(limit)) => limit,
            Some(Err(_)) => {
                println!("! /history takes a number");
                return Ok(());
            }
        };
        match &self.to {
            Some(with) => {
                let question = HistoryQuestion { with: with.into(), from: HistoryFrom::Latest, limit };
                client.history(question).await?;
            }
            None => println!("! choose whom with /to USER first"),
        }
        Ok(())
    }

    async fn send(&self, client: &Client, text: &str) -> Result<()> {
        match &self.to {
            Some(to) => {
                if let Err(error) = client.send_text(to, text).await {
                    println!("! not sent: {error}");
                } else if !self.connected {
                    println!("  (kept; it goes out when the server is back)");
                }
            }
            None => println!("! choose whom with /to USER first"),
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Machine(event) => self.machine(event),
            Event::ConnectFailed(error) => println!("! not connected: {error}; trying again"),
            Event::DatabaseFailed(error) => anyhow::bail!("{error}"),
        }
        Ok(())
    }

    fn machine(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Ready => {
                self.connected = true;
                println!("* connected");
            }
            ClientEvent::Disconnected if std::mem::take(&mut self.connected) => {
                println!("* connection lost; what you type is kept");
            }
            ClientEvent::Settled(settled) => settle(&settled),
            ClientEvent::Message { message, .. } => {
                let peer = match (&message.with, message.from == self.user) {
                    (Peer::User(with), true) => format!("you to {with}"),
                    (Peer::User(_), false) => message.from.to_string(),
                    (Peer::Group(title), _) => format!("{} in {}", message.from, printable(title.as_str())),
                };
                show(&peer, message.sent_at, &message.body);
            }
            ClientEvent::Gap { first, last } => {
                println!(
                    "* entries {first} to {last} of your inbox have expired; /history may still have them"
                );
            }
            ClientEvent::HistoryPage { entries, .. } => {
                for entry in entries {
                    let peer = if entry.from == self.user { "you" } else { entry.from.as_str() };
                    show(peer, entry.sent_at, &entry.body);
                }
            }
            ClientEvent::HistoryEnd { count, more, .. } => {
                println!("* {count} messages{}", if more { "; there are more" } else { "" });
            }
            ClientEvent::Conversations { items, .. } => {
                if items.is_empty() {
                    println!("* no conversations yet");
                }
                for item in items {
                    let name = match &item.with {
                        Peer::User(user) => user.to_string(),
                        Peer::Group(title) => format!("group {}", printable(title.as_str())),
                    };
                    println!("* {name} ({} messages, {} unread)", item.last_seq, item.unread);
                }
            }
            ClientEvent::Devices { items, .. } => items.iter().for_each(show_device),
            ClientEvent::Done { .. } => println!("* done"),
            ClientEvent::QueryFailed { refusal, .. } => println!("! not answered: {refusal}"),
            ClientEvent::Refused(refusal) => println!("* the server says {refusal}; trying again"),
            ClientEvent::Stopped(refusal) => println!("! the server says {refusal}; not trying again"),
            // Told in full by the full-screen client; here whoever types sees it when it matters.
            _ => {}
        }
    }
}

async fn rename(client: &Client, name: Option<&str>, label: &str) -> Result<()> {
    match (name.map(DeviceId::new), DeviceLabel::new(label)) {
        (Some(Ok(device)), Ok(label)) => {
            client.rename_device(&device, label).await?;
        }
        (None, _) => println!("! /rename takes a device and a label"),
        (Some(Err(error)), _) => println!("! {error}"),
        (_, Err(error)) => println!("! {error}"),
    }
    Ok(())
}

fn show_device(item: &DeviceSummary) {
    let label = item.label.as_ref().map_or("", DeviceLabel::as_str);
    let state = if item.online { "online" } else { "offline" };
    println!("* {} {label} ({state})", item.device);
}

fn settle(settled: &Settled) {
    match settled.outcome {
        Outcome::Sent { .. } => println!("  ✓ {}", settled.to),
        Outcome::Failed(refusal) => println!("! not sent to {}: {refusal}", settled.to),
    }
}

fn show(peer: &str, at: Timestamp, body: &Body) {
    let minutes = at.0 / 60_000 % 1_440;
    let clock = format!("{:02}:{:02}", minutes / 60, minutes % 60);
    if let Ok(change) = Change::from_body(body) {
        return println!("{clock} * {peer}: {}", change.name());
    }
    match body.as_text() {
        // Control characters of a stranger must not move the cursor or colour the screen.
        Some(text) => println!("{clock} {peer}: {}", printable(text)),
        None => println!("{clock} {peer} sent something that is not text"),
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() && char != '\n' { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_message_cannot_drive_the_terminal() {
        assert_eq!(super::printable("a\u{1b}[2Jb\n\u{9b}c"), "a\u{fffd}[2Jb\n\u{fffd}c");
    }
}
