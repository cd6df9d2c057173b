//! `iris chat` on a whole screen: conversations, messages, ticks, presence, groups.
//!
//! [`app::App`] is a machine without input or output; what is here brings it the terminal, the client and the time.

mod app;
mod calendar;
mod compose;
mod draw;
mod effect;
mod panel;
mod slash;
#[cfg(test)]
mod tests;
mod thread;
mod wrap;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use iris_client::{Client, ClientError, Event, Events, NewMessage};
use iris_types::limits::SCREEN_DRAW_MS;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, Event as Input, read,
};
use ratatui::crossterm::execute;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use self::app::App;
use self::calendar::Calendar;
use self::effect::Effect;
use crate::cli::Chat;
use crate::clock::wall;

/// Keys read ahead.
const KEYS_AHEAD: usize = 64;
/// How often "5 minutes ago" is looked at again.
const LOOK: Duration = Duration::from_secs(20);

/// Runs until somebody leaves; gives how many sends are left. The terminal is as before when it returns, and when
/// something panics.
pub(super) async fn run(arguments: &Chat, client: Client, events: Events) -> Result<usize> {
    let mut terminal = ratatui::try_init()?;
    let _restored = Restored;
    execute!(io::stdout(), EnableBracketedPaste, EnableFocusChange)?;
    let calendar = Calendar::of_machine(wall());
    let app = App::new(arguments.user.clone(), arguments.device.clone(), arguments.to.clone(), calendar);
    let mut screen = Screen { app, client, events, drawn_at: None };
    screen.live(&mut terminal).await?;
    let Screen { client, events, .. } = screen;
    super::close(client, events, |event| match event {
        Event::DatabaseFailed(error) => bail!("{error}"),
        _ => Ok(()),
    })
    .await
}

/// Gives the terminal back, whatever happens.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), DisableFocusChange, DisableBracketedPaste);
        ratatui::restore();
    }
}

struct Screen {
    app: App,
    client: Client,
    events: Events,
    drawn_at: Option<Instant>,
}

/// Everything that can happen.
enum Happened {
    Client(Option<Event>),
    Input(Option<Input>),
    Time,
    Signal,
}

impl Screen {
    /// Until somebody leaves, or the terminal goes away.
    async fn live(&mut self, terminal: &mut DefaultTerminal) -> Result<()> {
        let mut keys = inputs();
        let [mut terminated, mut hung_up] = [signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
        let mut is_stale = true;
        loop {
            if is_stale && self.may_draw() {
                self.draw(terminal)?;
                is_stale = false;
                // What the drawing found missing is asked for.
                self.carry_out().await?;
            }
            match self.next(&mut keys, is_stale, &mut terminated, &mut hung_up).await {
                Happened::Client(Some(Event::DatabaseFailed(error))) => bail!("{error}"),
                Happened::Client(Some(event)) => self.app.event(event),
                Happened::Input(Some(input)) => self.input(input),
                Happened::Time => {}
                Happened::Client(None) | Happened::Input(None) | Happened::Signal => return Ok(()),
            }
            is_stale = true;
            self.app.set_now(wall());
            if self.carry_out().await? {
                return Ok(());
            }
        }
    }

    async fn next(
        &mut self,
        keys: &mut mpsc::Receiver<Input>,
        is_stale: bool,
        terminated: &mut Signal,
        hung_up: &mut Signal,
    ) -> Happened {
        let wait = if is_stale { Duration::from_millis(SCREEN_DRAW_MS) } else { LOOK };
        tokio::select! {
            biased;
            _ = terminated.recv() => Happened::Signal,
            _ = hung_up.recv() => Happened::Signal,
            input = keys.recv() => Happened::Input(input),
            event = self.events.next() => Happened::Client(event),
            () = tokio::time::sleep(wait) => Happened::Time,
        }
    }

    fn may_draw(&self) -> bool {
        self.drawn_at.is_none_or(|at| at.elapsed() >= Duration::from_millis(SCREEN_DRAW_MS))
    }

    #[allow(clippy::disallowed_methods, reason = "so many drawings a second")]
    fn draw(&mut self, terminal: &mut DefaultTerminal) -> Result<()> {
        let mut drawn = app::Drawn::default();
        terminal.draw(|frame| drawn = draw::draw(frame, &self.app))?;
        self.app.drawn(drawn);
        self.drawn_at = Some(Instant::now());
        Ok(())
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Key(key) => self.app.key(key),
            Input::Paste(text) => self.app.paste(&text),
            Input::FocusGained => self.app.set_terminal_focus(true),
            Input::FocusLost => self.app.set_terminal_focus(false),
            Input::Mouse(_) | Input::Resize(..) => {}
        }
    }

    /// Does what the screen wants; whether it was to leave.
    async fn carry_out(&mut self) -> Result<bool> {
        for effect in self.app.effects() {
            match effect {
                Effect::Quit => return Ok(true),
                Effect::Bell => io::stdout().write_all(b"\x07")?,
                Effect::Typing { target, on } => self.client.typing(target, on).await?,
                Effect::Send { ticket, to, body } => {
                    let sent = self.client.send(NewMessage { to, body, id: None, reference: None }).await;
                    match self.taken(sent)? {
                        Some(number) => self.app.sent(ticket, number),
                        None => self.app.not_sent(ticket),
                    }
                }
                Effect::Ask(question, purpose) => {
                    let asked = self.client.ask(question).await;
                    if let Some(number) = self.taken(asked)? {
                        self.app.asked(purpose, number);
                    }
                }
            }
        }
        Ok(false)
    }

    /// What was not taken is said; a client that has stopped ends the program.
    fn taken<T>(&mut self, result: Result<T, ClientError>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ (ClientError::Send(_) | ClientError::Query(_))) => {
                self.app.fail(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads the terminal on a thread of its own, because a read in progress cannot be given up. The channel ends when the
/// terminal does.
#[allow(clippy::disallowed_methods, reason = "ends with the terminal or with the process")]
fn inputs() -> mpsc::Receiver<Input> {
    let (sender, receiver) = mpsc::channel(KEYS_AHEAD);
    std::thread::spawn(move || {
        while let Ok(input) = read() {
            if sender.blocking_send(input).is_err() {
                return;
            }
        }
    });
    receiver
}
