//! A start is a take-over: prove that the own log takes chunks, seal what others wrote, write its tail as runs,
//! claim the vnodes, serve. Where an operator cut a log, its vnodes are joined again first. Every step may be
//! repeated after a crash.

use std::collections::{BTreeMap, BTreeSet};

use iris_store::{Change, Compared, LogEnd, LogInfo, Version};
use iris_tables::{Manifest, RunMeta, RunSet};
use iris_types::planted::{Bug, is_planted};
use iris_types::{Epoch, LogId, Position, RunName, Timestamp, VnodeId};
use iris_vnode::codec::Malformed;
use iris_vnode::rows;
use iris_vnode::streams::{Incoming, Outgoing};

use crate::call::{Mend, MendVnode, Outcome, Recover, StreamRows, Survey, Tail, Tenure, Work};
use crate::directory::{self, Entry};
use crate::hosted::Hosted;
use crate::worker::{Context, Phase, Worker};
use crate::{Output, StopReason};

/// Bytes of rows that a recovery holds in memory.
const RECOVER_BYTES_MAX: usize = iris_types::limits::RECOVER_BYTES_MAX;
/// A sealed log that nobody names and that is larger was not trimmed.
const TRIMMED_LOG_BYTES: u64 = iris_types::limits::TRIMMED_LOG_BYTES;

/// How far a start is, and what it has found.
#[derive(Debug, Default)]
pub(crate) struct Takeover {
    step: Step,
    /// What the directory says of the vnodes to take.
    entries: BTreeMap<VnodeId, (Version, Entry)>,
    /// Logs that other workers' vnodes name.
    foreign: BTreeSet<LogId>,
    to_seal: Vec<LogInfo>,
    ends: BTreeMap<LogId, LogEnd>,
    manifests: BTreeMap<VnodeId, Manifest>,
    garbage: Vec<RunName>,
    /// Logs that an operator cut.
    cut: BTreeSet<LogId>,
    /// Why the start is given up.
    refused: Option<Refused>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Creating,
    /// The first chunk, an empty one: a worker whose log is sealed may not claim anything.
    Proving,
    Surveying,
    Sealing,
    Recovering,
    /// After an operator cut a log.
    Mending,
    Checking,
    Claiming,
    LoadingStreams,
    /// The start is refused: the own log, which nobody needs, is sealed and trimmed before that is said.
    GivingUp,
}

/// Why a start is refused.
type Refused = String;

impl Takeover {
    pub(crate) fn has_log(&self) -> bool {
        self.step != Step::Creating
    }
}

impl Worker {
    pub(crate) fn begin_takeover(&mut self) {
        self.call(Work::CreateLog(self.log.id), Context::Takeover);
    }

    /// Something was committed: the first time that is the proof.
    pub(crate) fn after_commit(&mut self) {
        if let Phase::Starting(takeover) = &mut self.phase {
            if takeover.step == Step::Proving {
                takeover.step = Step::Surveying;
                self.call(Work::Survey, Context::Takeover);
            }
            return;
        }
        self.flush.is_wanted |= self.log_tail_bytes() > self.config.limits.log_tail_bytes_max / 2;
    }

    pub(crate) fn takeover_done(&mut self, outcome: Outcome) {
        let Phase::Starting(takeover) = std::mem::replace(&mut self.phase, Phase::Serving) else { return };
        let mut takeover = *takeover;
        if takeover.step == Step::GivingUp {
            return self.give_up(takeover, outcome);
        }
        let has_log = takeover.has_log();
        let next = self.takeover_step(&mut takeover, outcome);
        match next {
            Ok(true) => {}
            Ok(false) => self.phase = Phase::Starting(Box::new(takeover)),
            Err(why) if has_log => {
                (takeover.step, takeover.refused) = (Step::GivingUp, Some(why));
                self.phase = Phase::Starting(Box::new(takeover));
                self.call(Work::Seal(vec![self.log.id]), Context::Takeover);
            }
            Err(why) => self.stop(StopReason::StartRefused(why)),
        }
    }

    /// Gives back what the own log takes, so that a server that is started again and again does not fill the disk.
    /// It holds the proof and nothing else; should a claim have got through after all, there is nothing to replay.
    fn give_up(&mut self, takeover: Takeover, outcome: Outcome) {
        let end = match outcome {
            Outcome::Sealed(Ok(ends)) => ends.first().copied(),
            // Trimmed, or something failed: the reason to stop is the one before.
            _ => None,
        };
        if let Some(end) = end {
            self.phase = Phase::Starting(Box::new(takeover));
            let before = Position(end.last.0.saturating_add(1));
            return self.call(Work::Trim { log: self.log.id, before }, Context::Takeover);
        }
        self.stop(StopReason::StartRefused(takeover.refused.unwrap_or_default()));
    }

    /// Takes one result and starts the next step; true when the start is finished.
    fn takeover_step(&mut self, takeover: &mut Takeover, outcome: Outcome) -> Result<bool, Refused> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        match (takeover.step, outcome) {
            (Step::Creating, Outcome::Done(result)) => {
                result.map_err(|error| text(&error))?;
                takeover.step = Step::Proving;
                self.log.force(self.mono);
            }
            (Step::Surveying, Outcome::Survey(result)) => {
                self.surveyed(takeover, result.map_err(|error| text(&error))?)?;
            }
            (Step::Sealing, Outcome::Sealed(result)) => {
                self.sealed(takeover, &result.map_err(|error| text(&error))?)?;
            }
            (Step::Recovering, Outcome::Recovered(result)) => {
                self.recovered(takeover, &result.map_err(|error| text(&error))?);
                if takeover.names_cut().is_some() { self.mend(takeover) } else { self.host(takeover) }
            }
            (Step::Mending, Outcome::Recovered(result)) => {
                self.recovered(takeover, &result.map_err(|error| text(&error))?);
                self.host(takeover);
            }
            (Step::Checking, Outcome::Checked(result)) => {
                result.map_err(|error| text(&error))?;
                self.claim(takeover);
            }
            (Step::Claiming, Outcome::Compared(result)) => match result.map_err(|error| text(&error))? {
                Compared::Set => self.claimed(takeover),
                Compared::Conflict { key, .. } => {
                    return Err(format!("{key} was changed by somebody else during the start"));
                }
            },
            (Step::LoadingStreams, Outcome::Streams(result)) => {
                self.serve(takeover, result.map_err(|error| text(&error))?)?;
                return Ok(true);
            }
            (step, _) => return Err(format!("a wrong result in step {step:?}")),
        }
        Ok(false)
    }

    fn surveyed(&mut self, takeover: &mut Takeover, survey: Survey) -> Result<(), Refused> {
        let is_alone = self.config.placement.workers() == 1;
        takeover.cut = survey.cut;
        let total = survey.directory.len();
        for (key, value) in survey.directory {
            let malformed = |error: Malformed| format!("{key}: {error}");
            let entry = Entry::decode(value.bytes).map_err(malformed)?;
            let vnode = directory::vnode_of(&key).ok_or_else(|| format!("{key} names no vnode"))?;
            if u32::from(vnode.0) >= self.config.vnodes.get() {
                return Err(wrong_count(total, self.config.vnodes.get()));
            }
            if self.holds(vnode) {
                takeover.entries.insert(vnode, (value.version, entry));
            } else {
                takeover.foreign.insert(entry.log);
            }
        }
        if let Some(log) = takeover.names_cut().filter(|_| !is_alone) {
            return Err(format!(
                "log {log} was cut by an operator: start once with one worker, which joins its vnodes"
            ));
        }
        // A first start that ended early leaves all vnodes of a worker, or none.
        let held = self.config.vnodes.all().filter(|vnode| self.holds(*vnode)).count();
        if !takeover.entries.is_empty() && takeover.entries.len() != held {
            return Err(wrong_count(total, self.config.vnodes.get()));
        }
        if is_alone && total == 0 && !survey.runs.is_empty() {
            return Err("there are runs, but no directory that names them".to_owned());
        }
        let named: BTreeSet<LogId> = takeover.entries.values().map(|(_, entry)| entry.log).collect();
        if let Some(log) = named.iter().find(|log| survey.logs.iter().all(|info| info.log != **log)) {
            return Err(format!("the directory names log {log}, which does not exist"));
        }
        let own = self.log.id;
        let is_wanted = |info: &LogInfo| {
            let is_left = !info.sealed && is_alone || info.sealed && info.bytes > TRIMMED_LOG_BYTES;
            info.log != own && (named.contains(&info.log) || is_left && !takeover.foreign.contains(&info.log))
        };
        takeover.to_seal = survey.logs.into_iter().filter(is_wanted).collect();
        takeover.to_seal.sort_by_key(|info| info.log);
        let kept: BTreeSet<RunName> = takeover
            .entries
            .values()
            .flat_map(|(_, entry)| entry.manifest.runs())
            .map(|run| run.name)
            .collect();
        let strays = survey.runs.iter().filter(|run| self.holds(run.vnode) && !kept.contains(&run.name));
        takeover.garbage = strays.map(|run| run.name).collect();
        takeover.step = Step::Sealing;
        let logs = takeover.to_seal.iter().map(|info| info.log).collect();
        self.call(Work::Seal(logs), Context::Takeover);
        Ok(())
    }

    fn sealed(&mut self, takeover: &mut Takeover, ends: &[LogEnd]) -> Result<(), Refused> {
        takeover.ends = takeover.to_seal.iter().map(|info| info.log).zip(ends.iter().copied()).collect();
        let mut tails: BTreeMap<LogId, Vec<Tenure>> = BTreeMap::new();
        for (vnode, (_, entry)) in &takeover.entries {
            let last = takeover.ends.get(&entry.log).map_or(Position::ZERO, |end| end.last);
            // What lies between was in runs already; what came after is what the operator was told is lost.
            if entry.start > last && !takeover.cut.contains(&entry.log) {
                let (start, key) = (entry.start, directory::key(*vnode));
                return Err(format!("{key} starts at {start} of log {}, which ends at {last}", entry.log));
            }
            let age = entry.manifest.next_age();
            let tenure = Tenure { vnode: *vnode, epoch: entry.epoch, start: entry.start, age };
            if entry.start < last {
                tails.entry(entry.log).or_default().push(tenure);
            }
        }
        self.check_strays(takeover)?;
        self.trim_proofs(takeover);
        takeover.step = Step::Recovering;
        if is_planted(Bug::TailNotReplayed) {
            tails.clear();
        }
        let tails = tails.into_iter().map(|(log, tenures)| Tail { log, tenures }).collect();
        let names = self.names.branch();
        self.call(Work::Recover(Recover { tails, bytes_max: RECOVER_BYTES_MAX, names }), Context::Takeover);
        Ok(())
    }

    /// Whoever wrote more than the proof into a log had claimed its vnodes before, and whoever takes them over
    /// seals it first. So an open log with more, that no entry names, shows that the directory is an old one.
    fn check_strays(&self, takeover: &Takeover) -> Result<(), Refused> {
        let is_named = |log: LogId| takeover.entries.values().any(|(_, entry)| entry.log == log);
        for info in takeover.to_seal.iter().filter(|info| !info.sealed && !is_named(info.log)) {
            let last = takeover.ends.get(&info.log).map_or(Position::ZERO, |end| end.last);
            if last > Position(1) {
                return Err(format!(
                    "log {} holds more than the directory knows: it is an old copy",
                    info.log
                ));
            }
        }
        Ok(())
    }

    /// Starts that ended early leave logs with a proof or less. They go now and not when this start has succeeded:
    /// it may end early, too.
    fn trim_proofs(&mut self, takeover: &mut Takeover) {
        let named: BTreeSet<LogId> = takeover.entries.values().map(|(_, entry)| entry.log).collect();
        let is_proof = |log: &LogId, end: &LogEnd| {
            end.last <= Position(1) && !named.contains(log) && !takeover.foreign.contains(log)
        };
        let proofs: Vec<_> = takeover.ends.extract_if(.., |log, end| is_proof(log, end)).collect();
        for (log, end) in proofs {
            let before = Position(end.last.0.saturating_add(1));
            self.call(Work::Trim { log, before }, Context::Trim);
        }
    }

    fn recovered(&mut self, takeover: &mut Takeover, written: &[(VnodeId, RunMeta)]) {
        let mut added: BTreeMap<VnodeId, Vec<RunMeta>> = BTreeMap::new();
        for (vnode, meta) in written {
            added.entry(*vnode).or_default().push(*meta);
        }
        self.statistics.runs += written.len() as u64;
        let hosted: Vec<VnodeId> = self.config.vnodes.all().filter(|vnode| self.holds(*vnode)).collect();
        for vnode in hosted {
            let named = takeover.entries.get(&vnode).map(|(_, entry)| &entry.manifest);
            let old = takeover.manifests.get(&vnode).or(named).cloned().unwrap_or_default();
            let manifest = old.change(&[], added.remove(&vnode).unwrap_or_default());
            takeover.manifests.insert(vnode, manifest);
        }
    }

    fn mend(&mut self, takeover: &mut Takeover) {
        let vnode = |(vnode, manifest): (&VnodeId, &Manifest)| {
            let (_, entry) = takeover.entries.get(vnode)?;
            let end = takeover.ends.get(&entry.log).map_or(Position::ZERO, |end| end.last);
            Some(MendVnode {
                vnode: *vnode,
                runs: RunSet::open(manifest.clone()),
                log: entry.log,
                reached: entry.start.max(end),
                is_cut: takeover.cut.contains(&entry.log),
            })
        };
        let vnodes = takeover.manifests.iter().filter_map(vnode).collect();
        takeover.step = Step::Mending;
        let (count, names) = (self.config.vnodes, self.names.branch());
        self.call(Work::Mend(Mend { vnodes, count, names }), Context::Takeover);
    }

    /// Every run of the vnodes is written.
    fn host(&mut self, takeover: &mut Takeover) {
        let sets = |(vnode, manifest): (&VnodeId, &Manifest)| (*vnode, RunSet::open(manifest.clone()));
        let sets: BTreeMap<VnodeId, RunSet> = takeover.manifests.iter().map(sets).collect();
        for (vnode, runs) in &sets {
            let (epoch, version) = takeover.tenure(*vnode);
            let mut hosted = Hosted::new(*vnode, epoch, version, self.log.position, runs.clone());
            hosted.forgotten = takeover.forgotten(*vnode);
            if let Some(place) = self.vnodes.get_mut(usize::from(vnode.0)) {
                *place = Some(hosted);
            }
        }
        takeover.step = Step::Checking;
        self.call(Work::Check(sets.into_values().collect()), Context::Takeover);
    }

    fn claim(&mut self, takeover: &mut Takeover) {
        let (log, start) = (self.log.id, self.log.position);
        let change = |(vnode, manifest): (&VnodeId, &Manifest)| {
            let (epoch, _) = takeover.tenure(*vnode);
            let forgotten = takeover.forgotten(*vnode);
            let entry = Entry { epoch, log, start, forgotten, manifest: manifest.clone() };
            let expected = takeover.entries.get(vnode).map(|(version, _)| *version);
            Change { key: directory::key(*vnode), expected, bytes: entry.encode() }
        };
        let changes = takeover.manifests.iter().map(change).collect();
        takeover.step = Step::Claiming;
        self.call(Work::CompareAndSet(changes), Context::Takeover);
    }

    fn claimed(&mut self, takeover: &mut Takeover) {
        takeover.step = Step::LoadingStreams;
        let sets = self.vnodes.iter().flatten().map(|hosted| (hosted.id, hosted.runs.clone())).collect();
        self.call(Work::LoadStreams(sets), Context::Takeover);
    }

    fn serve(
        &mut self,
        takeover: &mut Takeover,
        streams: Vec<(VnodeId, Option<StreamRows>)>,
    ) -> Result<(), Refused> {
        let bytes = self.log.bytes;
        for (vnode, rows) in streams {
            let malformed = |error: Malformed| format!("streams of vnode {}: {error}", vnode.0);
            let Some(hosted) = self.hosted_mut(vnode) else { continue };
            hosted.start_bytes = bytes;
            let Some(rows) = rows else {
                hosted.is_damaged = true;
                continue;
            };
            let unconfirmed = load_streams(hosted, rows).map_err(malformed)?;
            unconfirmed.into_iter().for_each(|destination| self.resume_stream(vnode, destination));
            self.merging.look_at(vnode);
        }
        self.count_indexes();
        self.say(Output::Ready);
        for (log, end) in &takeover.ends {
            if !takeover.foreign.contains(log) {
                let before = Position(end.last.0.saturating_add(1));
                self.call(Work::Trim { log: *log, before }, Context::Trim);
            }
        }
        if !takeover.garbage.is_empty() {
            let names = std::mem::take(&mut takeover.garbage);
            self.drop_runs(names);
        }
        Ok(())
    }

    fn holds(&self, vnode: VnodeId) -> bool {
        self.config.placement.worker_of(vnode) == self.config.index
    }
}

impl Takeover {
    /// The epoch that the claim begins and the version it leads to.
    fn tenure(&self, vnode: VnodeId) -> (Epoch, Version) {
        match self.entries.get(&vnode) {
            Some((version, entry)) => (Epoch(entry.epoch.0 + 1), Version(version.0 + 1)),
            None => (Epoch(1), Version(1)),
        }
    }

    /// A log that an operator cut and that vnodes were in last: what they hold of it may differ.
    fn names_cut(&self) -> Option<LogId> {
        let own = self.entries.values().map(|(_, entry)| entry.log);
        own.chain(self.foreign.iter().copied()).find(|log| self.cut.contains(log))
    }

    /// What the directory says of ids that nobody knows any more.
    fn forgotten(&self, vnode: VnodeId) -> Timestamp {
        self.entries.get(&vnode).map_or(Timestamp::default(), |(_, entry)| entry.forgotten)
    }
}

fn wrong_count(found: usize, configured: u32) -> Refused {
    format!("the directory has {found} vnodes, the configuration {configured}: the number is fixed for ever")
}

/// Gives the destinations of streams that are not confirmed.
fn load_streams(hosted: &mut Hosted, found: StreamRows) -> Result<Vec<VnodeId>, Malformed> {
    for (key, value) in found.watermarks {
        let source = rows::split_vnode_key(&key).ok_or(Malformed("watermark key"))?;
        let watermark = rows::read_watermark(value)?;
        hosted.incoming.insert(source, Incoming { watermark, ..Incoming::default() });
    }
    for (key, value) in found.outgoing {
        let destination = rows::split_vnode_key(&key).ok_or(Malformed("outgoing stream key"))?;
        let (last, confirmed) = rows::read_outgoing(value)?;
        hosted.outgoing.insert(destination, Outgoing::new(last, confirmed));
    }
    for (key, forward) in found.forwards {
        let (destination, position) = rows::split_stream_key(&key).ok_or(Malformed("stream key"))?;
        let outgoing = hosted.outgoing.get_mut(&destination).ok_or(Malformed("stream without a head"))?;
        if position > outgoing.confirmed {
            if position.0 != outgoing.confirmed.0 + outgoing.queue.len() as u64 + 1 {
                return Err(Malformed("stream: a forward is missing"));
            }
            outgoing.queue.push_back(forward);
        }
    }
    let mut unconfirmed = Vec::new();
    for (destination, outgoing) in &hosted.outgoing {
        if outgoing.queue.len() as u64 != outgoing.last.0 - outgoing.confirmed.0.min(outgoing.last.0) {
            return Err(Malformed("stream: forwards are missing"));
        }
        if !outgoing.queue.is_empty() {
            unconfirmed.push(*destination);
        }
    }
    unconfirmed.sort_unstable();
    Ok(unconfirmed)
}
