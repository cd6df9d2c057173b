//! Which worker a request goes to.

use std::sync::Arc;

use iris_cluster::ToCore;
use iris_types::UserId;
use iris_types::placement::VnodeCount;
use iris_types::request::Request;
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
                Request::SendMessage(send) => self.vnodes.of_direct(user, &send.to),
                Request::ReadHistory(read) => self.vnodes.of_direct(user, &read.with),
                Request::ReadInbox { .. }
                | Request::Acknowledge { .. }
                | Request::ListConversations(_)
                | Request::ListDevices
                | Request::RenameDevice(_)
                | Request::RevokeDevice(_) => self.vnodes.of_user(user),
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
