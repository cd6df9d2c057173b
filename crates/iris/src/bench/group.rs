//! `iris bench group`: messages to a group, all of whose members are connected.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use iris_client_core::{ClientEvent, NewGroup, NewMessage, Outcome, Question, Settled};
use iris_types::{ConversationId, GroupDescription, GroupTitle, MessageId, Policy, Seq, Target as To};
use serde_json::json;

use super::load;
use super::mark::Mark;
use super::probe::{self, Probe, Told};
use super::process;
use super::report::Report;
use super::schedule::Schedule;
use super::tally::Latency;
use super::target::Target;
use crate::cli::Load;

const MEMBERS: usize = 500;
/// Messages to the group in a second.
const RATE: f64 = 20.0;
/// Messages of one member on their way.
const WINDOW: usize = 64;
/// How long what is missing may take after the last message.
const PATIENCE_US: u64 = 30_000_000;

/// What one member has seen.
#[derive(Clone, Default)]
struct Seen {
    /// The last seq that came.
    last: Seq,
    messages: u64,
    sent: u64,
}

/// Everything that is counted.
struct Count {
    group: ConversationId,
    members: Vec<Seen>,
    /// When sends that are not settled were intended.
    intended: HashMap<(usize, u64), u64>,
    sent: u32,
    send_to_receive: Latency,
    send_to_ack: Latency,
    deliveries: u64,
    acked: u64,
    reordered: u64,
    duplicated: u64,
    failed: u64,
    /// What stands at each seq, as whoever saw it first says.
    order: BTreeMap<Seq, MessageId>,
    receipts: u64,
}

/// Sends to a group on schedule and waits until every member has everything.
pub(crate) fn group(load: &Load) -> Result<Report> {
    probe::check(load)?;
    let size = probe::size(load.members.or(load.connections), MEMBERS);
    let rate = load.rate.unwrap_or(RATE);
    let target = Target::open(load, "")?;
    let mut probe = Probe::new(target.access(load, WINDOW)?, size)?;
    probe.log_in()?;
    let group = create(&mut probe)?;
    let mut count = Count::new(group, size)?;
    let cpu =
        || Ok::<_, anyhow::Error>((process::cpu_us(target.pid())?, process::cpu_us(std::process::id())?));
    let before = cpu()?;
    talk(&mut probe, &mut count, load, rate)?;
    let after = cpu()?;
    let patience_us = probe.clock.micros() + PATIENCE_US;
    while count.missing() > 0 && probe.clock.micros() < patience_us {
        probe.turn(20_000)?;
        count.take_all(&mut probe);
    }
    let mut report = Report::new("group");
    let statistics = target.statistics()?;
    report
        .put("seconds", load.seconds)
        .put("members", size)
        .put("rate", rate)
        .put("body_bytes", load.body)
        .put("protocol", load.protocol)
        .put("refused", probe.news.refused)
        .put("errors", count.failed + probe.news.disconnects)
        .put("server_cpu_us_per_delivery", (after.0 - before.0) / count.deliveries.max(1))
        .put("generator_cpu_us_per_delivery", (after.1 - before.1) / count.deliveries.max(1));
    count.put(&mut report, load.seconds);
    load::put_storage(&mut report, &statistics);
    report.put("server", json!(statistics));
    drop(probe);
    load::put_surroundings(&mut report, &target, load, rate, size)?;
    Ok(report)
}

/// Random members write on schedule.
fn talk(probe: &mut Probe, count: &mut Count, load: &Load, rate: f64) -> Result<()> {
    let start_us = probe.clock.micros();
    let (mut schedule, until_us) = (Schedule::new(rate, start_us), start_us + load.seconds * 1_000_000);
    let (filling, size) = (vec![b'.'; load.body], probe.names.len());
    while probe.clock.micros() < until_us {
        while let Some(intended_us) = schedule.due(probe.clock.micros()) {
            let who = probe.random.usize(..size);
            let mark = Mark { intended_us, sender: u32::try_from(who)?, number: count.sent };
            let number = send(probe, who, count.group, mark, &filling)?;
            count.intended.insert((who, number), intended_us);
            count.sent += 1;
            if let Some(member) = count.members.get_mut(who) {
                member.sent += 1;
            }
        }
        probe.turn(schedule.wait_us(probe.clock.micros()).min(100_000))?;
        count.take_all(probe);
    }
    Ok(())
}

/// A group of everybody, which everybody has heard of.
fn create(probe: &mut Probe) -> Result<ConversationId> {
    let size = probe.names.len();
    let members = probe.names.iter().skip(1).cloned().collect();
    let new = NewGroup {
        title: GroupTitle::new("Bench")?,
        description: GroupDescription::new("")?,
        policy: Policy::ADMINS_ADD,
        members,
    };
    let query = probe.ask(0, Question::CreateGroup(new))?;
    let (mut heard, mut group) = (0, None);
    probe.wait_for("the group", |told| {
        match &told.event {
            ClientEvent::GroupCreated { query: answered, group: made } if *answered == query => {
                group = Some(*made)
            }
            ClientEvent::Message { .. } => heard += 1,
            _ => {}
        }
        group.filter(|_| heard == size)
    })
}

fn send(probe: &mut Probe, who: usize, group: ConversationId, mark: Mark, filling: &[u8]) -> Result<u64> {
    let body = mark.body(filling).context("a body that is too short")?;
    let now = probe.generator.now();
    let Some(core) = probe.generator.core(who) else { bail!("member {who} is not there") };
    let number = core.send(NewMessage { to: To::Group(group), body, id: None, reference: None }, now)?;
    probe.generator.touch(who);
    Ok(number.0)
}

impl Count {
    fn new(group: ConversationId, size: usize) -> Result<Self> {
        Ok(Self {
            group,
            members: vec![Seen::default(); size],
            intended: HashMap::new(),
            sent: 0,
            send_to_receive: Latency::new()?,
            send_to_ack: Latency::new()?,
            deliveries: 0,
            acked: 0,
            reordered: 0,
            duplicated: 0,
            failed: 0,
            order: BTreeMap::new(),
            receipts: 0,
        })
    }

    fn take_all(&mut self, probe: &mut Probe) {
        while let Some(told) = probe.news.events.pop_front() {
            self.take(&told);
        }
    }

    fn take(&mut self, told: &Told) {
        let Told { who, event, at_us } = told;
        match event {
            ClientEvent::Message { message, .. } if message.conversation == self.group => {
                let Some(mark) = Mark::read(&message.body) else { return };
                let Some(member) = self.members.get_mut(*who) else { return };
                self.reordered += u64::from(message.seq < member.last);
                self.duplicated += u64::from(message.seq == member.last);
                // Every member has the same message at a seq.
                let id = self.order.entry(message.seq).or_insert(message.id);
                self.reordered += u64::from(*id != message.id);
                member.last = member.last.max(message.seq);
                member.messages += 1;
                self.deliveries += 1;
                self.send_to_receive.record_us(at_us.saturating_sub(mark.intended_us));
            }
            ClientEvent::GroupReceipt { .. } => self.receipts += 1,
            ClientEvent::Settled(Settled { number, outcome, .. }) => {
                let intended_us = self.intended.remove(&(*who, number.0)).unwrap_or(*at_us);
                match outcome {
                    Outcome::Sent { .. } => {
                        self.acked += 1;
                        self.send_to_ack.record_us(at_us.saturating_sub(intended_us));
                    }
                    _ => self.failed += 1,
                }
            }
            ClientEvent::Stopped(_) => self.failed += 1,
            _ => {}
        }
    }

    /// Messages that members should have seen and have not; everybody sees those of all others.
    fn missing(&self) -> u64 {
        let missing = |member: &Seen| (u64::from(self.sent) - member.sent).saturating_sub(member.messages);
        self.members.iter().map(missing).sum()
    }

    fn put(&self, report: &mut Report, seconds: u64) {
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let per_second = |count: u64| count as f64 / seconds.max(1) as f64;
        report
            .put("sent", self.sent)
            .put("acked", self.acked)
            .put("acked_per_second", per_second(self.acked))
            .put("deliveries", self.deliveries)
            .put("deliveries_per_second", per_second(self.deliveries))
            .put("send_to_ack_ms", self.send_to_ack.json())
            .put("send_to_receive_ms", self.send_to_receive.json())
            .put("group_receipts", self.receipts)
            .put("lost", self.missing())
            .put("duplicated", self.duplicated)
            .put("reordered", self.reordered);
    }
}
