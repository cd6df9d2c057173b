//! What was written: messages and commands.

use iris_client::{Body, BodyKind, ConversationId, Flags, GroupChange, Question, Role, Standing, Target};
use iris_types::request::{BlockUser, RenameDevice, RevokeDevice, SetFlags};

use super::super::effect::{Effect, Purpose};
use super::super::panel::Panel;
use super::super::slash::{Slash, parse};
use super::super::thread::Pending;
use super::App;

impl App {
    /// Sends what was written, or does what it says.
    pub(super) fn submit(&mut self) {
        let text = self.compose.text().trim_end().to_owned();
        // Two slashes begin a message with one.
        let (command, message) = match text.strip_prefix('/') {
            Some(rest) if !rest.starts_with('/') => (Some(rest.to_owned()), String::new()),
            Some(rest) => (None, rest.to_owned()),
            None => (None, text.clone()),
        };
        if let Some(command) = command {
            match parse(&command) {
                Ok(slash) => {
                    self.compose.take();
                    self.act(slash);
                }
                Err(why) => self.fail(why),
            }
        } else if !message.is_empty() {
            self.send(message);
        }
    }

    fn send(&mut self, text: String) {
        let Some(id) = self.open else {
            return self.fail("Choose whom to write to: /to USER, or Tab for the list.".to_owned());
        };
        let body = match Body::new(BodyKind::TEXT, text.clone().into_bytes().into()) {
            Ok(body) => body,
            Err(error) => return self.fail(error.to_string()),
        };
        let Some(thread) = self.threads.get_mut(&id) else { return };
        if thread.standing == Standing::Invited {
            return self.fail("You are invited: /accept first, or /leave.".to_owned());
        }
        self.tickets += 1;
        let (ticket, to) = (self.tickets, thread.target.clone());
        thread.pending.push(Pending { ticket, text, at: self.calendar.now, failed: None });
        thread.unread_from = None;
        self.compose.take();
        self.scroll = 0;
        self.effects.push(Effect::Send { ticket, to, body });
    }

    fn act(&mut self, slash: Slash) {
        match slash {
            Slash::To(user) => self.open_target(Target::User(user)),
            Slash::Open(name) => self.open_named(&name),
            Slash::Next => self.open_unread(),
            Slash::Archived => {
                self.shows_archived = !self.shows_archived;
                self.say(if self.shows_archived { "With what is put away." } else { "Without it." });
            }
            Slash::NewGroup(group) => self.ask(Question::CreateGroup(group), Purpose::NewGroup),
            Slash::Settings => self.ask(Question::Settings, Purpose::Settings),
            Slash::Set(change) => self.change(Question::ChangeSettings(change), "Changed."),
            Slash::Devices => self.ask(Question::Devices, Purpose::Devices),
            Slash::RenameDevice(device, label) => {
                self.change(Question::RenameDevice(RenameDevice { device, label }), "Renamed.");
            }
            Slash::RevokeDevice(device) => {
                self.change(Question::RevokeDevice(RevokeDevice { device }), "Ended, for ever.");
            }
            Slash::Help => self.panel = Some(Panel::help()),
            Slash::Quit => self.effects.push(Effect::Quit),
            slash => match self.open {
                Some(id) => self.act_here(id, slash),
                None => self.fail("Open a conversation first: /to USER, or Tab for the list.".to_owned()),
            },
        }
    }

    /// Commands about the conversation that is open.
    fn act_here(&mut self, id: ConversationId, slash: Slash) {
        let Some(thread) = self.threads.get(&id) else { return };
        let (target, is_group) = (thread.target.clone(), thread.is_group());
        match (slash, &target) {
            (Slash::Receipts, _) => self.ask_receipts(id, true),
            (Slash::Resend, _) => self.resend(id),
            (Slash::Flag { mask, on }, _) => {
                let values = if on { mask } else { Flags::default() };
                self.change(Question::SetFlags(SetFlags { target, mask, values }), "Done.");
            }
            (Slash::Block(on), Target::User(user)) => {
                let done =
                    if on { "You take no more messages of them." } else { "You take their messages again." };
                self.change(Question::BlockUser(BlockUser { user: user.clone(), on }), done);
            }
            (Slash::Members, Target::Group(group)) => {
                self.ask(Question::Group(*group), Purpose::Group(id));
                let roster = iris_client::RosterQuestion { group: *group, after: None, limit: None };
                self.ask(Question::Roster(roster), Purpose::Roster(id));
            }
            (Slash::Change(change), Target::Group(group)) => {
                let done = done_words(&change);
                self.change(Question::ChangeGroup { group: *group, change }, done);
            }
            _ if is_group => self.fail("That is for conversations with one person.".to_owned()),
            _ => self.fail("That is for groups; /group TITLE: USER makes one.".to_owned()),
        }
    }

    fn change(&mut self, question: Question, done: &'static str) {
        self.ask(question, Purpose::Change(done));
    }

    fn open_named(&mut self, name: &str) {
        let wanted = name.to_lowercase();
        let order = self.order();
        let is_it = |begins: bool| {
            order.iter().copied().find(|id| {
                let title =
                    self.threads.get(id).map(|thread| thread.title.to_lowercase()).unwrap_or_default();
                if begins { title.starts_with(&wanted) } else { title.contains(&wanted) }
            })
        };
        match is_it(true).or_else(|| is_it(false)) {
            Some(id) => self.open_conversation(id),
            None => self.fail(format!("No conversation is called “{name}”; /to USER begins one.")),
        }
    }

    fn open_unread(&mut self) {
        let unread = |id: &ConversationId| {
            self.open != Some(*id) && self.threads.get(id).is_some_and(|thread| thread.unread > 0)
        };
        match self.order().into_iter().find(unread) {
            Some(id) => self.open_conversation(id),
            None => self.say("Everything is read."),
        }
    }

    fn resend(&mut self, id: ConversationId) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let failed = |pending: &Pending| pending.failed.is_some();
        let texts: Vec<String> =
            thread.pending.iter().filter(|one| failed(one)).map(|one| one.text.clone()).collect();
        thread.pending.retain(|pending| !failed(pending));
        if texts.is_empty() {
            return self.say("Nothing failed here.");
        }
        texts.into_iter().for_each(|text| self.send(text));
    }
}

const fn done_words(change: &GroupChange) -> &'static str {
    match change {
        GroupChange::Invite(_) => "Invited.",
        GroupChange::Add(_) => "Added.",
        GroupChange::Remove(_) => "Removed.",
        GroupChange::Accept => "You are in.",
        GroupChange::Leave => "You left.",
        GroupChange::SetRole(_, Role::Owner) => "Handed over.",
        GroupChange::Rename(_)
        | GroupChange::Describe(_)
        | GroupChange::SetRole(..)
        | GroupChange::SetPolicy(_) => "Changed.",
    }
}
