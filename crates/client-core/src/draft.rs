//! What one turn gathers: changes to be stored together, what follows once they are, and work for the driver.

use std::collections::VecDeque;

use iris_types::Offset;

use crate::{ClientEvent, Output, SendNumber, StoreOperation, StoreToken};

/// What happens once the changes gathered so far are stored.
#[derive(Debug)]
pub(crate) enum After {
    Event(ClientEvent),
    /// The send is in the outbox and may be tried.
    Accepted(SendNumber),
    /// The send's id is in the outbox.
    Named(SendNumber),
    /// Every entry up to here is stored.
    Cursor(Offset),
}

/// The turn's draft and the stores on their way.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) outputs: Vec<Output>,
    operations: Vec<StoreOperation>,
    after: Vec<After>,
    /// Coalesced: only the last of a turn matters.
    cursor: Option<Offset>,
    shown: Option<Offset>,
    stores: VecDeque<(StoreToken, Vec<After>)>,
    last_token: StoreToken,
}

impl Draft {
    pub(crate) fn event(&mut self, event: ClientEvent) {
        self.outputs.push(Output::Event(event));
    }

    pub(crate) fn store(&mut self, operation: StoreOperation) {
        self.operations.push(operation);
    }

    pub(crate) fn then(&mut self, after: After) {
        self.after.push(after);
    }

    pub(crate) fn set_cursor(&mut self, cursor: Offset) {
        self.cursor = Some(cursor);
    }

    pub(crate) fn set_shown(&mut self, shown: Offset) {
        self.shown = self.shown.max(Some(shown));
    }

    /// Nothing is gathered and nothing is being stored.
    pub(crate) fn is_empty(&self) -> bool {
        self.stores.is_empty()
            && self.operations.is_empty()
            && self.after.is_empty()
            && self.cursor.is_none()
            && self.shown.is_none()
    }

    /// Everything that follows a store up to `token`.
    pub(crate) fn stored(&mut self, token: StoreToken) -> Vec<After> {
        let mut done = Vec::new();
        while self.stores.front().is_some_and(|(front, _)| *front <= token) {
            if let Some((_, mut after)) = self.stores.pop_front() {
                if done.is_empty() { done = after } else { done.append(&mut after) }
            }
        }
        done
    }

    /// Makes one store of what was gathered. Returns what has nothing to wait for.
    pub(crate) fn finish(&mut self) -> Vec<After> {
        if let Some(cursor) = self.cursor.take() {
            self.operations.push(StoreOperation::SetCursor(cursor));
            self.after.push(After::Cursor(cursor));
        }
        if let Some(shown) = self.shown.take() {
            self.operations.push(StoreOperation::SetShown(shown));
        }
        let after = std::mem::take(&mut self.after);
        if self.operations.is_empty() {
            let Some((_, last)) = self.stores.back_mut() else { return after };
            last.extend(after);
            return Vec::new();
        }
        let token = StoreToken(self.last_token.0 + 1);
        self.last_token = token;
        self.stores.push_back((token, after));
        self.outputs.push(Output::Store { token, operations: std::mem::take(&mut self.operations) });
        Vec::new()
    }
}
