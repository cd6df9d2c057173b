//! `iris bench presence`: how long it takes to learn whether somebody is there, asked and unasked.

use anyhow::{Result, bail};
use iris_client_core::{ClientEvent, NewMessage, Question, Restored};
use iris_types::{PresenceState, Target as To, Watched};
use serde_json::json;

use super::load;
use super::mark::Mark;
use super::probe::{self, Probe};
use super::report::Report;
use super::schedule::Schedule;
use super::tally::Latency;
use super::target::Target;
use crate::cli::Load;

const CONNECTIONS: usize = 1_000;
/// Look-ups a second.
const RATE: f64 = 500.0;
/// How often somebody comes, goes and writes while somebody else watches.
const ROUNDS: usize = 20;
const WINDOW: usize = 8;

/// Everybody knows the neighbour to the right; look-ups on schedule, then comings and goings one by one.
pub(crate) fn presence(load: &Load) -> Result<Report> {
    probe::check(load)?;
    let size = probe::size(load.connections, CONNECTIONS);
    let rate = load.rate.unwrap_or(RATE);
    let target = Target::open(load, "")?;
    let mut probe = Probe::new(target.access(load, WINDOW)?, size)?;
    probe.log_in()?;
    make_contacts(&mut probe, load)?;
    let lookups = look_up(&mut probe, rate, load.seconds)?;
    let seen = come_and_go(&mut probe)?;
    let mut report = Report::new("presence");
    let statistics = target.statistics()?;
    report
        .put("seconds", load.seconds)
        .put("connections", size)
        .put("rate", rate)
        .put("protocol", load.protocol)
        .put("lookups", lookups.count())
        .put("lookup_ms", lookups.json())
        .put("online_seen_ms", seen.online.json())
        .put("offline_seen_ms", seen.offline.json())
        .put("typing_seen_ms", seen.typing.json())
        .put("errors", 0)
        .put("refused", probe.news.refused);
    report.put("server", json!(statistics));
    drop(probe);
    load::put_surroundings(&mut report, &target, load, rate, size)?;
    Ok(report)
}

/// Everybody and the neighbour write to each other.
fn make_contacts(probe: &mut Probe, load: &Load) -> Result<()> {
    let (size, filling) = (probe.names.len(), vec![b'.'; load.body]);
    let mut shown = 0;
    for (who, step) in (0..size).map(|who| (who, 1)).chain((0..size).map(|who| (who, size - 1))) {
        let Some(to) = probe.names.get((who + step) % size).cloned() else { continue };
        let mark = Mark { intended_us: 0, sender: u32::try_from(who)?, number: 0 };
        let Some(body) = mark.body(&filling) else { bail!("a body that is too short") };
        let now = probe.generator.now();
        let Some(core) = probe.generator.core(who) else { bail!("user {who} is not there") };
        core.send(NewMessage { to: To::User(to), body, id: None, reference: None }, now)?;
        probe.generator.touch(who);
    }
    let wanted = if size == 2 { 4 } else { 2 * size };
    probe.wait_for("first messages", |told| {
        shown += usize::from(matches!(told.event, ClientEvent::Message { .. }));
        (shown == wanted).then_some(())
    })
}

fn watched(probe: &Probe, who: usize) -> Option<Watched> {
    let user = probe.names.get((who + 1) % probe.names.len())?.clone();
    Some(Watched { user, group: None })
}

/// Asks on schedule; everybody asked is there.
fn look_up(probe: &mut Probe, rate: f64, seconds: u64) -> Result<Latency> {
    let (mut latency, start_us) = (Latency::new()?, probe.clock.micros());
    let (mut schedule, until_us) = (Schedule::new(rate, start_us), start_us + seconds * 1_000_000);
    let mut asked = std::collections::HashMap::new();
    let size = probe.names.len();
    while probe.clock.micros() < until_us || !asked.is_empty() {
        let now_us = probe.clock.micros();
        if now_us > until_us + 10_000_000 {
            bail!("{} look-ups were not answered", asked.len());
        }
        while now_us < until_us
            && let Some(intended_us) = schedule.due(now_us)
        {
            let who = probe.random.usize(..size);
            let Some(item) = watched(probe, who) else { continue };
            let number = probe.ask(who, Question::Presence(vec![item]))?;
            asked.insert((who, number), intended_us);
        }
        probe.turn(schedule.wait_us(probe.clock.micros()).min(20_000))?;
        while let Some(told) = probe.news.events.pop_front() {
            match told.event {
                ClientEvent::Presences { query, items } => {
                    let is_right = matches!(items.as_slice(), [one] if one.state == PresenceState::Online);
                    if !is_right {
                        bail!("somebody who is there was said to be {items:?}");
                    }
                    if let Some(intended_us) = asked.remove(&(told.who, query)) {
                        latency.record_us(told.at_us.saturating_sub(intended_us));
                    }
                }
                ClientEvent::QueryFailed { refusal, .. } => bail!("a look-up was refused with {refusal}"),
                _ => {}
            }
        }
    }
    Ok(latency)
}

struct Seen {
    online: Latency,
    offline: Latency,
    typing: Latency,
}

/// One user watches the neighbour, whose connection is cut and who comes back and writes.
fn come_and_go(probe: &mut Probe) -> Result<Seen> {
    let mut seen = Seen { online: Latency::new()?, offline: Latency::new()?, typing: Latency::new()? };
    let Some(item) = watched(probe, 0) else { bail!("nobody to watch") };
    let watcher_name = probe.names.first().cloned();
    probe.ask(0, Question::Watch(vec![item]))?;
    let state = |told: &probe::Told| match (&told.event, told.who) {
        (ClientEvent::Presence(presence), 0) => Some((presence.state, told.at_us)),
        _ => None,
    };
    probe.wait_for("the first word", |told| {
        state(told).filter(|(state, _)| *state == PresenceState::Online)
    })?;
    for _ in 0..ROUNDS {
        let cut_us = probe.clock.micros();
        probe.generator.kill(1, &mut probe.news);
        let is_gone = |(state, _): &(PresenceState, u64)| matches!(state, PresenceState::LastSeen(_));
        let (_, at_us) = probe.wait_for("that somebody is gone", |told| state(told).filter(is_gone))?;
        seen.offline.record_us(at_us.saturating_sub(cut_us));
        let back_us = probe.clock.micros();
        probe.generator.start(1, Restored::default());
        let is_there = |(state, _): &(PresenceState, u64)| *state == PresenceState::Online;
        let (_, at_us) = probe.wait_for("that somebody is back", |told| state(told).filter(is_there))?;
        seen.online.record_us(at_us.saturating_sub(back_us));
        let Some(to) = watcher_name.clone() else { continue };
        probe.wait_for("the login", |told| {
            (told.who == 1 && matches!(told.event, ClientEvent::Synced)).then_some(())
        })?;
        for on in [true, false] {
            let (typed_us, now) = (probe.clock.micros(), probe.generator.now());
            if let Some(core) = probe.generator.core(1) {
                core.typing(&To::User(to.clone()), on, now);
                probe.generator.touch(1);
            }
            let at_us = probe.wait_for("that somebody writes, or stops", |told| {
                let says = matches!(&told.event, ClientEvent::Typing(typing) if typing.on == on);
                (told.who == 0 && says).then_some(told.at_us)
            })?;
            seen.typing.record_us(at_us.saturating_sub(typed_us));
        }
    }
    Ok(seen)
}
