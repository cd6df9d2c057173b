//! Questions and changes by name. Each is answered by an event of the number that it gives.

use iris_client_core::{
    ConversationsQuestion, HistoryQuestion, NewGroup, QueryNumber, Question, RosterQuestion,
};
use iris_types::request::{BlockUser, MarkRead, RenameDevice, RevokeDevice, SetFlags};
use iris_types::{
    ConversationId, DeviceId, DeviceLabel, Flags, GroupChange, Seq, SettingsChange, Target, UserId, Watched,
};

use crate::{Client, ClientError};

/// Errors of all of them: [`ClientError::Query`] when it was not taken, as [`Client::ask`] says.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// Asks for a part of a conversation, of any length. It comes as events of this number: parts, then the end.
    pub async fn history(&self, question: HistoryQuestion) -> Result<QueryNumber, ClientError> {
        self.ask(Question::History(question)).await
    }

    /// Asks for the whole list of conversations: last messages, unread counts, flags. `ClientEvent::Conversations`.
    pub async fn conversations(&self) -> Result<QueryNumber, ClientError> {
        self.ask(Question::Conversations(ConversationsQuestion::default())).await
    }

    /// Asks for the user's devices: names, labels, first and last logins, which are connected.
    /// `ClientEvent::Devices`.
    pub async fn devices(&self) -> Result<QueryNumber, ClientError> {
        self.ask(Question::Devices).await
    }

    /// Gives one of the user's devices a label, which is what people see of it; its name stays. `ClientEvent::Done`
    /// says that it is durable. Await it before the next label of the same device: a retry could put the older one
    /// last.
    pub async fn rename_device(
        &self,
        device: &DeviceId,
        label: DeviceLabel,
    ) -> Result<QueryNumber, ClientError> {
        self.ask(Question::RenameDevice(RenameDevice { device: device.clone(), label })).await
    }

    /// Ends one of the user's devices for ever: it is disconnected, stops for good (`ClientEvent::Stopped` with
    /// `device_revoked`), and its name is never accepted again. `ClientEvent::Done` says that it is durable. When it
    /// is this device, it stops as well, also without that event, should the answer be lost.
    pub async fn revoke_device(&self, device: &DeviceId) -> Result<QueryNumber, ClientError> {
        self.ask(Question::RevokeDevice(RevokeDevice { device: device.clone() })).await
    }

    /// Makes a group, whose owner is the user. `ClientEvent::GroupCreated` gives its id.
    pub async fn create_group(&self, group: NewGroup) -> Result<QueryNumber, ClientError> {
        self.ask(Question::CreateGroup(group)).await
    }

    /// Asks for a change of a group: invite, add, remove, accept, leave, rename, describe, a role, the policy.
    /// `ClientEvent::GroupChanged`; every member's devices, this one too, get it as a message of the group
    /// (`Change::from_body`).
    pub async fn change_group(
        &self,
        group: ConversationId,
        change: GroupChange,
    ) -> Result<QueryNumber, ClientError> {
        self.ask(Question::ChangeGroup { group, change }).await
    }

    /// Asks what a group is. `ClientEvent::Group`.
    pub async fn group(&self, group: ConversationId) -> Result<QueryNumber, ClientError> {
        self.ask(Question::Group(group)).await
    }

    /// Asks who is in a group and invited to it. `ClientEvent::Roster`.
    pub async fn roster(&self, question: RosterQuestion) -> Result<QueryNumber, ClientError> {
        self.ask(Question::Roster(question)).await
    }

    /// Says that the user has read a conversation up to a message. `ClientEvent::Done`. It is stored until the server
    /// has heard of it; a later one takes its place.
    pub async fn mark_read(&self, target: impl Into<Target>, up_to: Seq) -> Result<QueryNumber, ClientError> {
        self.ask(Question::MarkRead(MarkRead { target: target.into(), up_to })).await
    }

    /// Asks who has a message, and who has read it. `ClientEvent::Receipts`.
    pub async fn receipts(&self, target: impl Into<Target>, seq: Seq) -> Result<QueryNumber, ClientError> {
        self.ask(Question::Receipts { target: target.into(), seq }).await
    }

    /// Sets those flags of a conversation that `mask` names as in `values`: muted, pinned, archived.
    /// `ClientEvent::Done`.
    pub async fn set_flags(
        &self,
        target: impl Into<Target>,
        mask: Flags,
        values: Flags,
    ) -> Result<QueryNumber, ClientError> {
        self.ask(Question::SetFlags(SetFlags { target: target.into(), mask, values })).await
    }

    /// Takes no more messages of a user, or does so again. `ClientEvent::Done`. Nobody is told.
    pub async fn block_user(&self, user: &UserId, on: bool) -> Result<QueryNumber, ClientError> {
        self.ask(Question::BlockUser(BlockUser { user: user.clone(), on })).await
    }

    /// Asks for the user's settings. `ClientEvent::Settings`.
    pub async fn settings(&self) -> Result<QueryNumber, ClientError> {
        self.ask(Question::Settings).await
    }

    /// Changes some of the user's settings. `ClientEvent::Done`.
    pub async fn change_settings(&self, change: SettingsChange) -> Result<QueryNumber, ClientError> {
        self.ask(Question::ChangeSettings(change)).await
    }

    /// Watches these users in place of those before: `ClientEvent::Presence` tells each, and when it changes. It holds
    /// over reconnects, not over restarts. `ClientEvent::Done`.
    pub async fn watch(&self, users: Vec<Watched>) -> Result<QueryNumber, ClientError> {
        self.ask(Question::Watch(users)).await
    }

    /// Asks once whether users are there. `ClientEvent::Presences`.
    pub async fn presence(&self, users: Vec<Watched>) -> Result<QueryNumber, ClientError> {
        self.ask(Question::Presence(users)).await
    }
}
