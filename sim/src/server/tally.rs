//! What servers have done, over all their lives.

use iris_worker::Statistics;

/// Summed over all lives, for the summary of a campaign.
#[derive(Clone, Debug, Default)]
pub struct ServerTally {
    pub starts: u64,
    pub crashes: u64,
    pub crashes_while_starting: u64,
    pub stops: u64,
    pub chunks: u64,
    pub sends: u64,
    pub duplicates: u64,
    pub flushes: u64,
    pub runs: u64,
    pub merges: u64,
    pub loads: u64,
    pub evictions: u64,
    pub forwards: u64,
    pub shortcuts: u64,
}

impl ServerTally {
    pub(super) fn take(&mut self, statistics: &Statistics) {
        self.chunks += statistics.chunks;
        self.sends += statistics.sends;
        self.duplicates += statistics.duplicates;
        self.flushes += statistics.flushes;
        self.runs += statistics.runs;
        self.merges += statistics.merges;
        self.loads += statistics.loads;
        self.evictions += statistics.evictions;
        self.forwards += statistics.forwards;
        self.shortcuts += statistics.shortcuts;
    }

    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.fields().into_iter().zip(other.clone().fields()) {
            *mine += *theirs;
        }
    }

    fn fields(&mut self) -> [&mut u64; 14] {
        [
            &mut self.starts,
            &mut self.crashes,
            &mut self.crashes_while_starting,
            &mut self.stops,
            &mut self.chunks,
            &mut self.sends,
            &mut self.duplicates,
            &mut self.flushes,
            &mut self.runs,
            &mut self.merges,
            &mut self.loads,
            &mut self.evictions,
            &mut self.forwards,
            &mut self.shortcuts,
        ]
    }
}
