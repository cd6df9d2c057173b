//! What a device's application was told, and what its database holds.

use iris_client_core::{ClientEvent, Mark, Outcome, SendNumber};
use iris_types::{MessageId, Offset, Seq};

use super::Device;
use super::server::Server;

impl Device {
    /// The messages shown, as (sender, text), in order.
    pub(crate) fn shown(&self) -> Vec<String> {
        let line = |event: &ClientEvent| match event {
            ClientEvent::Message { message, .. } => {
                Some(format!("{}: {}", message.from, message.body.as_text().unwrap_or("?")))
            }
            ClientEvent::Gap { first, last } => Some(format!("gap {first}-{last}")),
            _ => None,
        };
        self.events.iter().filter_map(line).collect()
    }

    /// The outcomes told, by send number.
    pub(crate) fn outcomes(&self) -> Vec<(SendNumber, Outcome)> {
        let outcome = |event: &ClientEvent| match event {
            ClientEvent::Settled(settled) => Some((settled.number, settled.outcome)),
            _ => None,
        };
        self.events.iter().filter_map(outcome).collect()
    }

    pub(crate) fn seqs_sent(&self) -> Vec<Seq> {
        let seq = |(_, outcome)| if let Outcome::Sent { seq, .. } = outcome { Some(seq) } else { None };
        self.outcomes().into_iter().filter_map(seq).collect()
    }

    pub(crate) fn count(&self, wanted: impl Fn(&ClientEvent) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }

    pub(crate) fn take(&mut self, mark: Mark) {
        self.core.handed_over(mark);
    }

    pub(crate) fn ids_unsent(&self) -> Vec<Option<MessageId>> {
        self.database.restored().unsent.iter().map(|unsent| unsent.id).collect()
    }

    pub(crate) fn cursor(&self) -> Offset {
        self.database.restored().cursor
    }

    pub(crate) const fn stores_seen(&self) -> usize {
        self.stores_seen
    }

    pub(crate) const fn events_seen(&self) -> usize {
        self.events_seen
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.stores.is_empty() && self.connect_at.is_none()
    }

    pub(super) fn is_synced(&self, server: &Server) -> bool {
        self.cursor() == server.last(&self.user)
    }
}
