//! What answers a question of the screen.

use iris_client::{ClientEvent, ConversationId, ConversationSummary, ReceiptPage, Seq, Target};

use super::super::effect::Purpose;
use super::super::panel::Panel;
use super::super::thread::Thread;
use super::{App, Notice};

impl App {
    pub(super) fn answer(&mut self, event: ClientEvent) {
        let purpose = event.answers().and_then(|number| self.purposes.remove(&number));
        let Some(purpose) = purpose else { return };
        match event {
            ClientEvent::QueryFailed { refusal, .. } => self.refused(&purpose, &refusal.to_string()),
            ClientEvent::HistoryEnd { with, more, .. } => self.loaded(&with, more, &purpose),
            ClientEvent::Conversations { items, .. } => self.list(&items),
            ClientEvent::Devices { items, .. } => {
                let calendar = self.calendar.clone();
                let at = |item: &iris_client::DeviceSummary| {
                    format!("last here {}", calendar.ago(item.last_login))
                };
                self.panel = Some(Panel::devices(&items, self.device.as_str(), at));
            }
            ClientEvent::Group { group, .. } => {
                if let Some(thread) = self.threads.get_mut(&group.group) {
                    thread.title = super::super::wrap::one_line(group.title.as_str());
                    thread.standing = match group.role {
                        Some(_) => iris_client::Standing::Member,
                        None => iris_client::Standing::Invited,
                    };
                    thread.group = Some(group);
                }
                self.mark_read();
            }
            ClientEvent::Roster { group, items, .. } => {
                let summary = self.threads.get(&group).and_then(|thread| thread.group.as_ref());
                self.panel = Some(Panel::roster(summary, &items, &self.me));
            }
            ClientEvent::Receipts { seq, receipts, .. } => self.receipts(&purpose, seq, &receipts),
            ClientEvent::Settings { settings, .. } => {
                self.settings = settings;
                if purpose == Purpose::Settings {
                    self.panel = Some(Panel::settings(settings));
                }
            }
            ClientEvent::GroupCreated { group, .. } => self.open_target(Target::Group(group)),
            ClientEvent::GroupChanged { seq: None, .. } => self.say("It was so already."),
            ClientEvent::GroupChanged { .. } | ClientEvent::Done { .. } => {
                if let Purpose::Change(done) = purpose {
                    self.say(done);
                }
            }
            _ => {}
        }
    }

    fn refused(&mut self, purpose: &Purpose, why: &str) {
        match purpose {
            Purpose::Newest(id) | Purpose::Older(id) => {
                if let Some(thread) = self.threads.get_mut(id) {
                    // Nothing to be read there, or not any more; it is not asked again and again.
                    (thread.is_loading, thread.is_loaded, thread.has_more) = (false, true, false);
                }
            }
            Purpose::Quiet | Purpose::Group(_) | Purpose::Receipts { shown: false, .. } => {}
            _ => self.notice = Some(Notice { text: format!("Refused: {why}"), is_error: true }),
        }
    }

    fn loaded(&mut self, with: &Target, more: bool, purpose: &Purpose) {
        let id = with.conversation(&self.me);
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let was_loaded = std::mem::replace(&mut thread.is_loaded, true);
        thread.is_loading = false;
        if matches!(purpose, Purpose::Older(_)) || !was_loaded {
            thread.has_more = more;
        }
        if matches!(purpose, Purpose::Newest(_)) {
            self.ask_receipts(id, false);
        }
        self.mark_read();
    }

    fn list(&mut self, items: &[ConversationSummary]) {
        for item in items {
            let target = item.with.target(item.conversation);
            let thread = self.threads.entry(item.conversation).or_insert_with(|| Thread::new(target));
            thread.summarise(item, &self.me);
        }
        let unread_of = |thread: &Thread| (thread.unread > 0).then_some(Seq(thread.read.0 + 1));
        match self.open {
            None => {
                self.selected = self.order().first().copied();
            }
            Some(open) => {
                if let Some(thread) = self.threads.get_mut(&open) {
                    thread.unread_from = thread.unread_from.or(unread_of(thread));
                }
            }
        }
        self.watch();
        self.mark_read();
    }

    fn receipts(&mut self, purpose: &Purpose, seq: Seq, page: &ReceiptPage) {
        let Purpose::Receipts { conversation, shown } = purpose else { return };
        self.take_receipts(*conversation, seq, page);
        if *shown {
            self.panel = Some(Panel::receipts(seq, page));
        }
    }

    /// In a group only what everybody has counts as delivered.
    fn take_receipts(&mut self, id: ConversationId, seq: Seq, page: &ReceiptPage) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let is_group = thread.is_group();
        let is_whole = page.members > 0 && page.by.len() as u64 >= u64::from(page.members);
        if is_group && !is_whole {
            let counted = thread.counted.filter(|counted| counted.seq == seq);
            if counted.is_none() && page.delivered > 0 {
                thread.counted = Some(iris_client::GroupReceipt {
                    group: id,
                    seq,
                    delivered: page.delivered,
                    read: page.read,
                    members: page.members,
                    everybody: thread.marks,
                    at: self.calendar.now,
                });
            }
            return;
        }
        let least = page.by.iter().map(|(_, marks)| *marks).reduce(|one, other| iris_client::Marks {
            delivered: one.delivered.min(other.delivered),
            read: one.read.min(other.read),
        });
        if let Some(least) = least {
            thread.marks = thread.marks.merged(least);
        }
    }
}
