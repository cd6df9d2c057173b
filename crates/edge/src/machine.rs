//! One connection without its transport: plaintext bytes and time in, messages to the core and bytes out.
//!
//! It joins the protocol's [`ServerConnection`] to the link: it checks the token, addresses requests by session,
//! user and device, and ends the session when its token does. The event loops put TLS and sockets around it, the
//! simulator drives it as it is.

use std::sync::Arc;

use iris_cluster::{ToCore, ToEdge};
use iris_protocol::DrainHint;
use iris_protocol::server::{ACKNOWLEDGE_REQUEST, ServerConfig, ServerConnection, ServerEvent};
use iris_types::limits::BUSY_RETRY_AFTER_MS;
use iris_types::request::{Answer, Login, Request, RequestId, SessionId, TokenFacts};
use iris_types::{DeviceId, ErrorCode, Monotonic, Refusal, Timestamp, UserId};

use crate::clock::Now;

/// Says whom a token names, or why it is refused: [`crate::token::verify`] with a secret.
pub type TokenCheck = dyn Fn(&[u8], Timestamp) -> Checked<ErrorCode> + Send + Sync;
/// Whom a token names, or why it is refused.
pub type Checked<E> = Result<(UserId, TokenFacts), E>;

/// What the connections of one loop turn want from the core.
#[derive(Debug, Default)]
pub struct Gathered {
    pub to_core: Vec<ToCore>,
    /// Allocation kept from turn to turn.
    events: Vec<ServerEvent>,
}

/// One connection.
#[derive(Debug)]
pub struct EdgeMachine {
    connection: ServerConnection,
    session: SessionId,
    tenant: Option<Tenant>,
}

/// Whom the token names. Present from the attach that was handed to the core until its refusal or the detach.
#[derive(Debug)]
struct Tenant {
    user: UserId,
    device: DeviceId,
    /// The core has taken the session in.
    is_attached: bool,
    expires_at: Timestamp,
    /// The same on the clock of deadlines, as seen at login.
    expires_by: Monotonic,
}

impl EdgeMachine {
    /// A connection whose transport is set up; the time for its login starts now.
    #[must_use]
    pub fn new(config: &Arc<ServerConfig>, session: SessionId, now: Now) -> Self {
        Self { connection: ServerConnection::new(config, now.monotonic), session, tenant: None }
    }

    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Takes bytes from the client; what they ask of the core is appended to `gathered`. `check` says whom a token
    /// names, or why the login is refused.
    pub fn receive<E: Into<Refusal>>(
        &mut self,
        bytes: &[u8],
        now: Now,
        check: &dyn Fn(&[u8], Timestamp) -> Checked<E>,
        gathered: &mut Gathered,
    ) {
        let Gathered { to_core, events } = gathered;
        self.connection.receive(bytes, now.monotonic, events);
        for event in events.drain(..) {
            to_core.extend(self.handle_event(event, now, check));
        }
    }

    /// Takes what the core says about this session.
    pub fn handle(&mut self, message: ToEdge) {
        match message {
            ToEdge::Answer { id, answer, .. } => self.answer(id, answer),
            ToEdge::Push { entry, .. } => self.connection.push(&entry),
            ToEdge::Presence { presence, .. } => self.connection.tell_presence(&presence),
            ToEdge::Typing { typing, .. } => self.connection.tell_typing(&typing),
            ToEdge::Close { code, .. } => self.connection.close(code),
        }
    }

    /// The link had no room for this: the client is told `busy`. `true` for what has to be offered again because
    /// nobody would miss it: a detach, and an acknowledgement, which the client does not repeat. One that the core
    /// would refuse is refused here. Typing has no answer and is dropped.
    pub fn refuse(&mut self, refused: &ToCore, now: Now) -> bool {
        let refusal = Refusal::after(ErrorCode::Busy, BUSY_RETRY_AFTER_MS);
        match refused {
            ToCore::Attach { .. } => {
                self.tenant = None;
                self.connection.refuse_login(refusal, now.wall);
                false
            }
            ToCore::Detach { .. } => true,
            ToCore::Request { request: Request::Acknowledge { up_to }, .. }
                if !self.connection.is_ahead(*up_to) =>
            {
                true
            }
            ToCore::Request { request: Request::Typing { .. }, .. } => false,
            ToCore::Request { id, .. } => {
                self.connection.answer(*id, Answer::Refused { refusal, server_time: now.wall });
                false
            }
        }
    }

    /// Closes once this is told to the client.
    pub fn close(&mut self, why: impl Into<Refusal>) {
        self.connection.close(why);
    }

    /// Asks the client to come back later.
    pub fn drain(&mut self, hint: DrainHint) {
        self.connection.drain(hint);
    }

    /// Appends all plaintext to be sent; `true` when there was any.
    pub fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.connection.transmit(out)
    }

    /// Bytes that wait for [`Self::transmit`].
    #[must_use]
    pub fn pending_output_bytes(&self) -> usize {
        self.connection.pending_output_bytes()
    }

    /// When [`Self::handle_deadline`] has to be called, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        let connection = self.connection.deadline()?;
        Some(self.tenant.as_ref().map_or(connection, |tenant| connection.min(tenant.expires_by)))
    }

    /// Closes when the token or one of the connection's times is over.
    pub fn handle_deadline(&mut self, now: Now) {
        if self.tenant.as_ref().is_some_and(|tenant| tenant.is_over(now)) {
            self.connection.close(ErrorCode::TokenExpired);
        }
        self.connection.handle_deadline(now.monotonic);
    }

    /// Nothing is received any more: close the transport behind the last bytes of [`Self::transmit`].
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.connection.is_closing()
    }

    /// Whether the device is logged in.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.connection.is_ready()
    }

    /// Whose login the core has not answered yet.
    #[must_use]
    pub fn logging_in(&self) -> Option<&UserId> {
        self.tenant.as_ref().filter(|tenant| !tenant.is_attached).map(|tenant| &tenant.user)
    }

    /// Ends the session; what the core has to hear, once, if it knows of the session.
    pub fn detach(&mut self) -> Option<ToCore> {
        let Tenant { user, .. } = self.tenant.take()?;
        Some(ToCore::Detach { session: self.session, user })
    }

    fn handle_event<E: Into<Refusal>>(
        &mut self,
        event: ServerEvent,
        now: Now,
        check: &dyn Fn(&[u8], Timestamp) -> Checked<E>,
    ) -> Option<ToCore> {
        match event {
            ServerEvent::Authenticate { token, device, nonce, at } => match check(&token, now.wall) {
                Ok((user, facts)) => Some(self.attach(Login { user, device, token: facts, nonce, at }, now)),
                Err(refusal) => {
                    self.connection.refuse_login(refusal.into(), now.wall);
                    None
                }
            },
            ServerEvent::Request { id, request } => self.request(id, request, now),
            ServerEvent::Close => None,
        }
    }

    fn attach(&mut self, login: Login, now: Now) -> ToCore {
        let expires_at = login.token.expires_at;
        self.tenant = Some(Tenant {
            user: login.user.clone(),
            device: login.device.clone(),
            is_attached: false,
            expires_at,
            expires_by: now.monotonic.plus_millis(expires_at.millis_since(now.wall)),
        });
        ToCore::Attach { session: self.session, login }
    }

    fn request(&mut self, id: RequestId, request: Request, now: Now) -> Option<ToCore> {
        let tenant = self.tenant.as_ref()?;
        if tenant.is_over(now) {
            self.connection.close(ErrorCode::TokenExpired);
            return None;
        }
        let (user, device) = (tenant.user.clone(), tenant.device.clone());
        Some(ToCore::Request { session: self.session, user, device, id, request })
    }

    fn answer(&mut self, id: RequestId, answer: Answer) {
        match (&answer, &mut self.tenant) {
            (Answer::Attached(_), Some(tenant)) => tenant.is_attached = true,
            // Later refusals under this id are of acknowledgements, and a connection may be closing by then: the
            // core still has to hear of its end.
            (Answer::Refused { .. }, Some(tenant)) if id == ACKNOWLEDGE_REQUEST && !tenant.is_attached => {
                self.tenant = None;
            }
            _ => {}
        }
        self.connection.answer(id, answer);
    }
}

impl Tenant {
    fn is_over(&self, now: Now) -> bool {
        now.wall >= self.expires_at || now.monotonic >= self.expires_by
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
