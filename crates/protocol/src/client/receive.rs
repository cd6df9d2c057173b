//! The server's frames, checked against what the client asked for.

use iris_types::limits::{FRAME_PAYLOAD_BYTES_MAX, PAGE_ITEMS_MAX};
use iris_types::planted::{Bug, is_planted};
use iris_types::request::{HistoryPage, RequestId};
use iris_types::{ErrorCode, HistoryEntry, Monotonic, Offset};

use super::{Asked, ClientConnection, ClientEvent, Entry, Stage};
use crate::authenticate::Ready;
use crate::batch::BatchItem;
use crate::frame::{ServerFrame, opcode};
use crate::framing::each_frame;
use crate::hello::ServerHello;
use crate::list_conversations::Conversations;
use crate::list_devices::Devices;
use crate::presence::Presences;
use crate::read_group::Group;
use crate::read_history::HistoryEnd;
use crate::read_inbox::{Gap, PageEnd};
use crate::read_receipts::Receipts;
use crate::read_roster::Roster;
use crate::refusal::Refused;
use crate::send_message::SendResult;
use crate::settings::SettingsAnswer;
use crate::wire::DecodeError;

/// The server said what it never says in this state.
struct Broken(ErrorCode);

const WRONG: Broken = Broken(ErrorCode::WrongState);

type Taken = Result<(), Broken>;

pub(super) fn receive(
    connection: &mut ClientConnection,
    bytes: &[u8],
    now: Monotonic,
    events: &mut Vec<ClientEvent>,
) {
    if connection.stage == Stage::Closed {
        return;
    }
    connection.heard_at = now;
    connection.is_pinging = false;
    let before = events.len();
    let framed = each_frame(
        connection,
        |connection| &mut connection.partial,
        |_| FRAME_PAYLOAD_BYTES_MAX,
        bytes,
        now,
        |connection, opcode, payload| {
            let mut turn = Turn { connection, events, before };
            if let Err(Broken(code)) = turn.frame(opcode, payload) {
                connection.over(code.into(), false, events);
            }
            connection.stage != Stage::Closed
        },
    );
    if framed.is_err() {
        connection.over(ErrorCode::BadFrame.into(), false, events);
    }
}

struct Turn<'a> {
    connection: &'a mut ClientConnection,
    events: &'a mut Vec<ClientEvent>,
    /// Events before this one are not this turn's.
    before: usize,
}

impl Turn<'_> {
    fn frame(&mut self, opcode: u8, payload: &[u8]) -> Taken {
        // Before the server's Hello there is no version, and no frame of version 2.
        if !opcode::is_in_version(opcode, self.connection.version) {
            return Err(WRONG);
        }
        match ServerFrame::decode(opcode, payload) {
            Ok(frame) => self.known_frame(frame),
            // A newer server may say more; it is told in the Hello what this client knows.
            Err(DecodeError::UnknownOpcode(_)) => Ok(()),
            Err(_) => Err(Broken(ErrorCode::BadFrame)),
        }
    }

    fn known_frame(&mut self, frame: ServerFrame) -> Taken {
        match (self.connection.stage, frame) {
            (_, ServerFrame::Closed(closed)) => {
                self.connection.over(closed.refusal, true, self.events);
                Ok(())
            }
            (Stage::Opened, ServerFrame::Hello(hello)) => self.hello(hello),
            (Stage::LoggingIn, ServerFrame::Ready(ready)) => self.ready(ready),
            (Stage::LoggingIn, ServerFrame::Refused(refused)) => self.login_refused(refused),
            (Stage::Ready, frame) => self.ready_frame(frame),
            _ => Err(WRONG),
        }
    }

    fn ready_frame(&mut self, frame: ServerFrame) -> Taken {
        match frame {
            ServerFrame::Batch(items) => items.into_iter().try_for_each(|item| self.item(item)),
            ServerFrame::Sent(result) => self.sent(result),
            ServerFrame::Entry(entry) => self.entry(entry),
            ServerFrame::Gap(gap) => self.gap(gap),
            ServerFrame::PageEnd(end) => self.page_end(end),
            ServerFrame::SyncNeeded(_) => self.event(ClientEvent::SyncNeeded),
            ServerFrame::HistoryEntry(item) => self.history(item.request, [item.entry]),
            ServerFrame::HistoryBatch(batch) => self.history(batch.request, batch.entries),
            ServerFrame::HistoryEnd(end) => self.history_end(end),
            ServerFrame::Presence(presence) => self.event(ClientEvent::Presence(presence)),
            ServerFrame::TypingNotice(typing) => self.event(ClientEvent::Typing(typing)),
            ServerFrame::Refused(refused) => self.refused(refused),
            ServerFrame::Pong(_) => self.event(ClientEvent::Pong),
            ServerFrame::Drain(drain) => self.event(ClientEvent::Drain(drain.hint)),
            ServerFrame::Hello(_) | ServerFrame::Ready(_) | ServerFrame::Closed(_) => Err(WRONG),
            answer => self.answer(answer),
        }
    }

    /// What answers one request in one frame.
    fn answer(&mut self, answer: ServerFrame) -> Taken {
        let (request, asked, event) = match answer {
            ServerFrame::Conversations(Conversations { request, page }) => {
                (request, Asked::Conversations, ClientEvent::Conversations { request, page })
            }
            ServerFrame::Devices(Devices { request, items }) => {
                (request, Asked::Devices, ClientEvent::Devices { request, items })
            }
            ServerFrame::Group(Group { request, summary: group }) => {
                (request, Asked::Group, ClientEvent::Group { request, group })
            }
            ServerFrame::Roster(Roster { request, page }) => {
                (request, Asked::Roster, ClientEvent::Roster { request, page })
            }
            ServerFrame::Receipts(Receipts { request, page }) => {
                (request, Asked::Receipts, ClientEvent::Receipts { request, page })
            }
            ServerFrame::Settings(SettingsAnswer { request, settings }) => {
                (request, Asked::Settings, ClientEvent::Settings { request, settings })
            }
            ServerFrame::Presences(Presences { request, items }) => {
                (request, Asked::Presences, ClientEvent::Presences { request, items })
            }
            ServerFrame::Done(done) => return self.done(done.request),
            _ => return Err(WRONG),
        };
        if self.connection.asked.remove(&request) != Some(asked) {
            return Err(WRONG);
        }
        self.event(event)
    }

    fn done(&mut self, request: RequestId) -> Taken {
        match self.connection.asked.remove(&request) {
            Some(Asked::Change | Asked::GroupChange) => self.event(ClientEvent::Done { request }),
            _ => Err(WRONG),
        }
    }

    fn event(&mut self, event: ClientEvent) -> Taken {
        self.events.push(event);
        Ok(())
    }

    fn hello(&mut self, hello: ServerHello) -> Taken {
        if !self.connection.versions.contains(hello.version) {
            return Err(Broken(ErrorCode::UnsupportedVersion));
        }
        self.connection.version = hello.version;
        self.connection.capabilities = self.connection.capabilities.common(hello.capabilities);
        self.connection.stage = Stage::LoggingIn;
        Ok(())
    }

    fn ready(&mut self, ready: Ready) -> Taken {
        self.connection.stage = Stage::Ready;
        let ClientConnection { version, capabilities, .. } = *self.connection;
        let Ready { attached, limits } = ready;
        self.event(ClientEvent::Ready { attached, version, capabilities, limits })
    }

    fn login_refused(&mut self, refused: Refused) -> Taken {
        let Refused { refusal, server_time, .. } = refused;
        self.event(ClientEvent::LoginRefused { refusal, server_time })
    }

    fn refused(&mut self, refused: Refused) -> Taken {
        let Refused { request, refusal, server_time, .. } = refused;
        let connection = &mut self.connection;
        if connection.syncing == Some(request) {
            connection.syncing = None;
        } else if connection.histories.remove(&request).is_none()
            && connection.asked.remove(&request).is_none()
            && request != RequestId(0)
        {
            connection.sends_unanswered = connection.sends_unanswered.saturating_sub(1);
        }
        self.event(ClientEvent::Refused { request, refusal, server_time })
    }

    fn item(&mut self, item: BatchItem) -> Taken {
        match item {
            BatchItem::Sent(result) => self.sent(result),
            BatchItem::Entry(entry) => self.entry(entry),
        }
    }

    fn sent(&mut self, result: SendResult) -> Taken {
        let SendResult { request, sent } = result;
        match self.connection.asked.remove(&request) {
            // The change comes as an entry of its own, with its body.
            Some(Asked::GroupChange) if sent.offset.is_none() => {}
            Some(_) => return Err(WRONG),
            None => {
                self.connection.sends_unanswered = self.connection.sends_unanswered.saturating_sub(1);
            }
        }
        if let Some(offset) = sent.offset {
            self.advance(offset)?;
        }
        self.event(ClientEvent::Sent { request, sent })
    }

    fn entry(&mut self, entry: Entry) -> Taken {
        self.advance(entry.offset())?;
        self.connection.page_has_content = true;
        match self.events.get_mut(self.before..).and_then(<[_]>::last_mut) {
            Some(ClientEvent::Entries { entries, .. }) => entries.push(entry),
            _ => self.events.push(ClientEvent::Entries { gap: None, entries: vec![entry] }),
        }
        Ok(())
    }

    /// Entries are dense: a hole without a Gap, or an entry given twice, is not the protocol.
    fn advance(&mut self, offset: Offset) -> Taken {
        let is_rule_planted = is_planted(Bug::PushNotContiguous) || is_planted(Bug::GapSilent);
        if self.connection.last.next() != Some(offset) && !is_rule_planted {
            return Err(WRONG);
        }
        self.connection.last = offset;
        Ok(())
    }

    fn gap(&mut self, gap: Gap) -> Taken {
        let Gap { first, last } = gap;
        if self.connection.syncing.is_none() || self.connection.last.next() != Some(first) {
            return Err(WRONG);
        }
        self.connection.last = last;
        // What is gone is acknowledged together with what follows it.
        self.connection.acknowledged = Offset(last.0 - 1);
        self.connection.page_has_content = true;
        self.event(ClientEvent::Entries { gap: Some((first, last)), entries: Vec::new() })
    }

    fn page_end(&mut self, end: PageEnd) -> Taken {
        let PageEnd { request, last, log_end, live } = end;
        let connection = &mut self.connection;
        let is_planted = is_planted(Bug::GapSilent) || is_planted(Bug::PushNotContiguous);
        if connection.syncing != Some(request) || (connection.last != last && !is_planted) {
            return Err(WRONG);
        }
        if live {
            connection.syncing = None;
        } else if !connection.page_has_content {
            // An empty page that is not the last: there is nothing to store, so nothing to wait for.
            connection.acknowledge_page(last);
        }
        connection.page_has_content = false;
        self.event(ClientEvent::PageEnd { request, last, log_end, live })
    }

    fn history(&mut self, request: RequestId, entries: impl IntoIterator<Item = HistoryEntry>) -> Taken {
        let page = self.connection.histories.get_mut(&request).ok_or(WRONG)?;
        page.extend(entries);
        if page.len() <= PAGE_ITEMS_MAX { Ok(()) } else { Err(Broken(ErrorCode::BadFrame)) }
    }

    fn history_end(&mut self, end: HistoryEnd) -> Taken {
        let HistoryEnd { request, conversation, more } = end;
        let entries = self.connection.histories.remove(&request).ok_or(WRONG)?;
        let page = HistoryPage { conversation, entries, more };
        self.event(ClientEvent::HistoryPage { request, page })
    }
}
