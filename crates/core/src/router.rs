//! Which worker a request goes to.

use std::sync::Arc;

use iris_cluster::ToCore;
use iris_types::placement::VnodeCount;
use iris_types::request::Request;
use iris_types::{ConversationId, UserId};
use iris_worker::{Placement, WorkerIndex};

use crate::driver::Event;
use crate::mailbox::Mailbox;

/// The map from users and conversations to workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Router {
    pub(crate) vnodes: VnodeCount,
    pub(crate) placement: Placement,
}

impl Router {
    pub(crate) fn of_user(&self, user: &UserId) -> WorkerIndex {
        if self.placement.workers() == 1 {
            return WorkerIndex(0);
        }
        self.placement.worker_of(self.vnodes.of_user(user))
    }

    /// Hands a batch to the workers concerned, in order. What does not fit stays in `batch`, in order. The end of
    /// a session always fits: otherwise its worker would push to nobody for ever.
    pub(crate) fn submit(&self, batch: &mut Vec<ToCore>, mailboxes: &[Arc<Mailbox<Event>>]) {
        if let [only] = mailboxes {
            only.offer(batch);
            put_detached(batch, only);
            return;
        }
        let mut parts: Vec<Vec<ToCore>> = mailboxes.iter().map(|_| Vec::new()).collect();
        for item in batch.drain(..) {
            if let Some(part) = parts.get_mut(usize::from(self.worker_of(&item).0)) {
                part.push(item);
            }
        }
        for (mut part, mailbox) in parts.into_iter().zip(mailboxes) {
            mailbox.offer(&mut part);
            put_detached(&mut part, mailbox);
            batch.append(&mut part);
        }
    }

    fn worker_of(&self, item: &ToCore) -> WorkerIndex {
        if self.placement.workers() == 1 {
            return WorkerIndex(0);
        }
        let vnode = match item {
            ToCore::Attach { login, .. } => self.vnodes.of_user(&login.user),
            ToCore::Detach { user, .. } => self.vnodes.of_user(user),
            ToCore::Request { user, request, .. } => match request {
                Request::SendMessage(send) => self.vnodes.of_target(user, &send.to),
                Request::ReadHistory(read) => self.vnodes.of_target(user, &read.with),
                Request::CreateGroup(create) => self.vnodes.of_group(ConversationId::group(user, create.id)),
                Request::ChangeGroup(change) => self.vnodes.of_group(change.group),
                Request::ReadGroup { group } => self.vnodes.of_group(*group),
                Request::ReadRoster(read) => self.vnodes.of_group(read.group),
                Request::BlockUser(block) => self.vnodes.of_direct(user, &block.user),
                Request::ReadInbox { .. }
                | Request::Acknowledge { .. }
                | Request::ListConversations(_)
                | Request::ListDevices
                | Request::RenameDevice(_)
                | Request::RevokeDevice(_)
                | Request::MarkRead(_)
                // What the user shows of themselves decides what they see; the vnode asks the conversation's.
                | Request::ReadReceipts(_)
                | Request::SetFlags(_)
                | Request::ReadSettings
                | Request::ChangeSettings(_)
                | Request::Watch(_)
                | Request::ReadPresence(_)
                | Request::Typing { .. } => self.vnodes.of_user(user),
            },
        };
        self.placement.worker_of(vnode)
    }
}

fn put_detached(rest: &mut Vec<ToCore>, mailbox: &Mailbox<Event>) {
    rest.retain(|item| {
        let detach = matches!(item, ToCore::Detach { .. });
        // Closed: the worker is gone, and its sessions with it.
        detach.then(|| mailbox.insist(item.clone().into())).is_none()
    });
}
