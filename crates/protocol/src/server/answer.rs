//! The core's answers, encoded for the version in use.

use iris_types::planted::{Bug, is_planted};
use iris_types::request::{Answer, InboxPage, RequestId, Sent};
use iris_types::{ErrorCode, Offset, Refusal, Timestamp};

use super::flow::Verdict;
use super::{ACKNOWLEDGE_REQUEST, SYNC_REQUEST, ServerConnection, Stage};
use crate::batch::KIND_SENT;
use crate::done::Done;
use crate::entry::Outgoing;
use crate::frame::opcode;
use crate::output::Output;
use crate::read_inbox::{Gap, PageEnd};
use crate::refusal::Refused;
use crate::send_message::{RESULT_BYTES, SendResult, put_result};
use crate::settings::SettingsAnswer;
use crate::{
    list_conversations, list_devices, presence, read_group, read_history, read_receipts, read_roster,
};

pub(super) fn answer(connection: &mut ServerConnection, id: RequestId, answer: Answer) {
    match (connection.stage, answer) {
        (Stage::LoggingIn, Answer::Attached(attached)) => connection.accept_login(attached),
        (Stage::LoggingIn, Answer::Refused { refusal, server_time }) if id == ACKNOWLEDGE_REQUEST => {
            connection.refuse_login(refusal, server_time);
        }
        (Stage::Ready, answer) => ready_answer(connection, id, answer),
        _ => {}
    }
}

fn ready_answer(connection: &mut ServerConnection, id: RequestId, answer: Answer) {
    settle(connection, id);
    match answer {
        Answer::Attached(_) => {}
        Answer::Sent(sent) => put_sent(connection, id, sent),
        Answer::InboxPage(page) => put_page(connection, &page),
        Answer::HistoryPage(page) => {
            read_history::encode_page(connection.version, id, &page, connection.output.frames());
        }
        Answer::Conversations(page) => {
            list_conversations::encode_page(id, &page, connection.output.frames());
        }
        Answer::Devices(items) => list_devices::encode(id, &items, connection.output.frames()),
        Answer::Done => Done { request: id }.encode(connection.output.frames()),
        Answer::Group(summary) => read_group::encode(id, &summary, connection.output.frames()),
        Answer::Roster(page) => read_roster::encode_page(id, &page, connection.output.frames()),
        Answer::Receipts(page) => read_receipts::encode_page(id, &page, connection.output.frames()),
        Answer::Settings(settings) => {
            SettingsAnswer { request: id, settings }.encode(connection.output.frames());
        }
        Answer::Presence(items) => presence::encode_answer(id, &items, connection.output.frames()),
        Answer::Refused { refusal, server_time } if id == SYNC_REQUEST => {
            abandon_sync(connection, refusal, server_time);
        }
        Answer::Refused { refusal, server_time } => {
            if id == ACKNOWLEDGE_REQUEST {
                connection.flow.forget_acknowledged();
            }
            put_refused(connection, id, refusal, server_time);
        }
    }
}

fn settle(connection: &mut ServerConnection, id: RequestId) {
    if id == ACKNOWLEDGE_REQUEST || id == SYNC_REQUEST {
        return;
    }
    connection.in_flight = connection.in_flight.saturating_sub(1);
    if let Some(at) = connection.pages_in_flight.iter().position(|page| *page == id) {
        connection.pages_in_flight.swap_remove(at);
        if connection.pages_in_flight.is_empty() {
            connection.pages_in_flight = Vec::new();
        }
    }
}

/// A result whose place in the inbox is the device's next stands for that entry, too. Otherwise it goes without
/// the place, and the entry comes by push or sync.
fn put_sent(connection: &mut ServerConnection, request: RequestId, mut sent: Sent) {
    let place = sent.offset.take();
    if let Some(offset) = place
        && connection.admit(offset, RESULT_BYTES) == Verdict::Give
    {
        sent.offset = place;
    }
    let result = SendResult { request, sent };
    if connection.version == 1 {
        result.encode(connection.output.frames());
    } else {
        let out = connection.output.item(opcode::BATCH, 1 + RESULT_BYTES);
        out.push(KIND_SENT);
        put_result(out, &result);
    }
}

/// One entry: a frame in version 1, an item of the open batch in version 2.
pub(super) fn put_entry(output: &mut Output, version: u8, entry: &Outgoing<'_>) {
    if version == 1 {
        entry.encode(output.frames());
    } else {
        entry.put_item(output.item(opcode::BATCH, entry.item_len()));
    }
}

fn put_page(connection: &mut ServerConnection, page: &InboxPage) {
    let Some(request) = connection.flow.reading_after(page.after) else { return };
    if let Some((first, last)) = page.gap {
        put_gap(connection, first, last);
    }
    for entry in &page.entries {
        let outgoing = Outgoing::of(entry, connection.device.as_ref());
        if !connection.flow.give_of_page(entry.offset, outgoing.len()) {
            return abandon_sync(connection, ErrorCode::DataCorrupt.into(), Timestamp(0));
        }
        put_entry(&mut connection.output, connection.version, &outgoing);
    }
    let live = connection.flow.end_page(request, page.last);
    let last = connection.flow.last();
    PageEnd { request, last, log_end: page.last.max(last), live }.encode(connection.output.frames());
}

fn put_gap(connection: &mut ServerConnection, first: Offset, last: Offset) {
    connection.flow.skip_gap(last);
    if !is_planted(Bug::GapSilent) {
        Gap { first, last }.encode(connection.output.frames());
    }
}

fn abandon_sync(connection: &mut ServerConnection, refusal: Refusal, server_time: Timestamp) {
    if let Some(request) = connection.flow.abandon() {
        put_refused(connection, request, refusal, server_time);
    }
}

fn put_refused(
    connection: &mut ServerConnection,
    request: RequestId,
    refusal: Refusal,
    server_time: Timestamp,
) {
    Refused { request, refusal, server_time, opcode: None }.encode(connection.output.frames());
}
