//! The edge tier of the server process: connections, and the queues between them and the workers.

use std::sync::Arc;

use iris_cluster::{ToCore, ToEdge};
use iris_edge::EdgeMachine;
use iris_types::request::{SessionId, TokenFacts};
use iris_types::{ErrorCode, Timestamp, UserId};
use iris_worker::Input;

use crate::network::{LinkId, pieces};

use crate::world::{Event, World};

impl World {
    pub(crate) fn accept(&mut self, link: LinkId) {
        let now = self.server_now();
        let life = self.server.life;
        let session = SessionId { event_loop: 0, slot: link, generation: life };
        let config = Arc::clone(&self.server.config);
        if let Some(process) = &mut self.server.process {
            process.edges.insert(link, EdgeMachine::new(&config, session, now));
        }
    }

    pub(crate) fn server_receives(&mut self, link: LinkId, bytes: &[u8]) {
        let Some(open) = self.network.links.get(&link) else { return };
        if open.cut || !open.server_open || open.life != self.server.life {
            return;
        }
        let now = self.server_now();
        let Some(process) = &mut self.server.process else { return };
        let Some(machine) = process.edges.get_mut(&link) else { return };
        machine.receive(bytes, now, &check_token, &mut process.gathered);
        self.flush_edge(link);
        self.deliver_gathered();
        self.schedule_server_tick();
    }

    pub(crate) fn server_sees_end(&mut self, link: LinkId) {
        if let Some(open) = self.network.links.get_mut(&link)
            && open.life == self.server.life
        {
            open.server_open = false;
        }
        self.network.sweep(link);
        self.drop_machine(link);
    }

    pub(crate) fn tell_edge(&mut self, life: u32, message: ToEdge) {
        if life != self.server.life {
            return;
        }
        let (ToEdge::Answer { session, .. }
        | ToEdge::Push { session, .. }
        | ToEdge::Presence { session, .. }
        | ToEdge::Typing { session, .. }
        | ToEdge::Close { session, .. }) = &message;
        let link = session.slot;
        let Some(process) = &mut self.server.process else { return };
        let Some(machine) = process.edges.get_mut(&link) else { return };
        machine.handle(message);
        self.poke_edge(link);
        self.flush_edge(link);
        self.deliver_gathered();
        self.schedule_server_tick();
    }

    /// A push on its way to an event loop whose inbox may be full.
    pub(super) fn push(&mut self, worker: usize, session: SessionId, message: ToEdge) {
        let overflows = self.options.inbox_overflows && self.random.u8(..4) == 0;
        let (life, until) = (self.server.life, self.now + self.random.u64(1..40));
        let Some(process) = &mut self.server.process else { return };
        let is_held = process.held.contains_key(&session);
        if !overflows && !is_held {
            return self.send_to_edge(worker, message);
        }
        process.held.insert(session, message);
        if !is_held {
            self.schedule(until, Event::InboxHasRoom { life, worker, session });
        }
    }

    pub(crate) fn inbox_has_room(&mut self, life: u32, worker: usize, session: SessionId) {
        if life != self.server.life {
            return;
        }
        let held = self.server.process.as_mut().and_then(|process| process.held.remove(&session));
        if let Some(message) = held {
            self.send_to_edge(worker, message);
        }
    }

    pub(super) fn send_to_edge(&mut self, worker: usize, message: ToEdge) {
        let delay = self.random.u64(0..=1);
        let (life, now) = (self.server.life, self.now);
        let Some(process) = &mut self.server.process else { return };
        let Some(at) = process.to_edge_at.get_mut(worker) else { return };
        *at = (*at).max(now + delay);
        let at = *at;
        self.schedule(at, Event::ToEdge { life, message });
    }

    pub(super) fn deliver_gathered(&mut self) {
        let Some(process) = &mut self.server.process else { return };
        let messages = std::mem::take(&mut process.gathered.to_core);
        for message in messages {
            let worker = self.server.route(&message);
            let input = match message {
                ToCore::Attach { session, login } => Input::Attach { session, login },
                ToCore::Detach { session, user } => Input::Detach { session, user },
                ToCore::Request { session, user, device, id, request } => {
                    Input::Request { session, user, device, id, request }
                }
            };
            self.send_to_worker(worker, input);
        }
    }

    /// Lets the connection's machine go on after an answer: it may ask for the next page.
    pub(super) fn poke_edge(&mut self, link: LinkId) {
        let now = self.server_now();
        let Some(process) = &mut self.server.process else { return };
        if let Some(machine) = process.edges.get_mut(&link) {
            machine.receive(&[], now, &check_token, &mut process.gathered);
        }
    }

    pub(super) fn flush_edge(&mut self, link: LinkId) {
        let mut bytes = Vec::new();
        let Some(process) = &mut self.server.process else { return };
        let Some(machine) = process.edges.get_mut(&link) else { return };
        machine.transmit(&mut bytes);
        let is_closing = machine.is_closing();
        if !bytes.is_empty() {
            for bytes in pieces(bytes, &mut self.random) {
                let delay = self.latency();
                let Some(open) = self.network.links.get_mut(&link) else { break };
                let at = open.to_device(self.now, delay);
                self.schedule(at, Event::ToDevice { link, bytes });
            }
        }
        if is_closing {
            self.close_server_end(link);
        }
    }

    pub(super) fn close_server_end(&mut self, link: LinkId) {
        let delay = self.latency();
        if let Some(open) = self.network.links.get_mut(&link)
            && std::mem::replace(&mut open.server_open, false)
        {
            let at = open.to_device(self.now, delay);
            self.schedule(at, Event::DeviceSees { link });
        }
        self.network.sweep(link);
        self.drop_machine(link);
    }

    pub(super) fn drop_machine(&mut self, link: LinkId) {
        let Some(process) = &mut self.server.process else { return };
        let Some(mut machine) = process.edges.remove(&link) else { return };
        process.gathered.to_core.extend(machine.detach());
        self.deliver_gathered();
    }
}

/// The simulator's tokens are the user's name and the time of issue: what the edge does with a verdict is under
/// test here, not the cipher.
fn check_token(token: &[u8], now: Timestamp) -> Result<(UserId, TokenFacts), ErrorCode> {
    let text = std::str::from_utf8(token).map_err(|_| ErrorCode::BadToken)?;
    let (user, issued_at) = text.split_once(' ').ok_or(ErrorCode::BadToken)?;
    let issued_at = Timestamp(issued_at.parse().map_err(|_| ErrorCode::BadToken)?);
    let expires_at = issued_at.plus_millis(super::TOKEN_LIFE_MS);
    if now >= expires_at {
        return Err(ErrorCode::TokenExpired);
    }
    let mut id = [0; 16];
    id[..8].copy_from_slice(&issued_at.0.to_be_bytes());
    let user = UserId::new(user).map_err(|_| ErrorCode::InvalidName)?;
    Ok((user, TokenFacts { id, issued_at, expires_at }))
}
