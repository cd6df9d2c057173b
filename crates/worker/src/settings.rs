//! What a user lets others know.

use iris_types::request::Answer;
use iris_types::{InboxItem, SettingsChange};
use iris_vnode::{Event, Stamp, settings};

use crate::effects::Effect;
use crate::state::Caller;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn read_settings(&mut self, slot: u32, caller: &Caller) {
        let Some(inbox) = self.users.get(slot).and_then(|user| user.inbox.as_ref()) else { return };
        let (settings, seen) = (inbox.settings, inbox.touched);
        self.answer(caller, Answer::Settings(settings), seen);
    }

    pub(crate) fn change_settings(&mut self, slot: u32, caller: &Caller, change: SettingsChange) {
        if let Some(refusal) = self.sheds_change() {
            return self.refuse(caller, refusal, Stamp::default());
        }
        let (now, stamp) = (self.now, self.log.stamp(&self.config.limits));
        let Some(user) = self.users.get_mut(slot) else { return };
        let vnode = user.vnode;
        let Some(inbox) = user.inbox.as_mut() else { return };
        let changed = change.applied_to(inbox.settings);
        let is_audience_new = changed.last_seen != inbox.settings.last_seen;
        if changed != inbox.settings {
            inbox.settings = changed;
            inbox.touched = stamp;
            let event = Event::Settings { user: caller.user.clone(), settings: settings::encode(changed) };
            self.commit(vnode, event, None);
            let item = InboxItem::Settings(changed, now);
            if let Some(placed) = self.append_entry(vnode, slot, item, None, stamp) {
                self.push_entry(placed, None, stamp);
            }
        }
        let seen = self.users.get(slot).and_then(|user| user.inbox.as_ref()).map(|inbox| inbox.touched);
        self.answer(caller, Answer::Done, seen.unwrap_or(stamp));
        if is_audience_new {
            self.after(stamp, Effect::Judge { slot, about: None });
        }
    }
}
