//! One file per promise. Each says in its own words what it demands, and holds at least one history that must
//! pass although it looks odd, and one that must fail.

mod acked_loss;
mod authorization;
mod blocking;
mod bounds;
mod canary;
mod common_order;
mod conservation;
mod dedup;
mod density;
mod divergence;
mod double_shown;
mod durable_before_leaving;
mod final_marks;
mod group_changes;
mod group_delivery;
mod liveness;
mod membership;
mod nonce;
mod one_writer;
mod phantom;
mod presence;
mod real_time_order;
mod receipts;
mod reply_order;
mod revoked_device;
mod safe_mode;
mod sender_order;
mod session;
mod shown_marks;
mod silent_deletion;
mod skew;
mod sync_from_zero;
mod unread;

use crate::history::History;
use crate::index::Index;
use crate::violation::{Findings, Invariant, Violation};

/// Every violation of every invariant, at most ten of each, in the order of [`Invariant::ALL`].
#[must_use]
pub fn check_all(history: &History) -> Vec<Violation> {
    let index = Index::of(history);
    Invariant::ALL.iter().flat_map(|invariant| run(&index, *invariant)).collect()
}

/// Violations of one invariant, at most ten.
#[must_use]
pub fn check(history: &History, invariant: Invariant) -> Vec<Violation> {
    run(&Index::of(history), invariant)
}

fn run(index: &Index<'_>, invariant: Invariant) -> Vec<Violation> {
    let mut findings = Findings::of(invariant);
    checker(invariant)(index, &mut findings);
    findings.into_list()
}

fn checker(invariant: Invariant) -> fn(&Index<'_>, &mut Findings) {
    match invariant {
        Invariant::AckedLoss => acked_loss::check,
        Invariant::Phantom => phantom::check,
        Invariant::DoubleShown => double_shown::check,
        Invariant::Divergence => divergence::check,
        Invariant::Density => density::check,
        Invariant::CommonOrder => common_order::check,
        Invariant::SenderOrder => sender_order::check,
        Invariant::ReplyOrder => reply_order::check,
        Invariant::RealTimeOrder => real_time_order::check,
        Invariant::Session => session::check,
        Invariant::SyncFromZero => sync_from_zero::check,
        Invariant::Dedup => dedup::check,
        Invariant::Receipts => receipts::check,
        Invariant::DurableBeforeLeaving => durable_before_leaving::check,
        Invariant::OneWriter => one_writer::check,
        Invariant::Authorization => authorization::check,
        Invariant::Nonce => nonce::check,
        Invariant::Canary => canary::check,
        Invariant::Conservation => conservation::check,
        Invariant::Bounds => bounds::check,
        Invariant::SilentDeletion => silent_deletion::check,
        Invariant::Liveness => liveness::check,
        Invariant::Skew => skew::check,
        Invariant::SafeMode => safe_mode::check,
        Invariant::RevokedDevice => revoked_device::check,
        Invariant::GroupChanges => group_changes::check,
        Invariant::Membership => membership::check,
        Invariant::GroupDelivery => group_delivery::check,
        Invariant::ShownMarks => shown_marks::check,
        Invariant::FinalMarks => final_marks::check,
        Invariant::Unread => unread::check,
        Invariant::Blocking => blocking::check,
        Invariant::Presence => presence::check,
    }
}
