//! What a seed draws before it begins: the shape of the world, and which kinds of faults there are at all. A set
//! of faults that is always on would hide the bugs that need calm.

use std::fmt;

/// Drawn from a seed, printed with a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub users: u16,
    pub devices_per_user: u16,
    pub workers: u16,
    pub vnodes: u32,
    /// Only version 1 is offered by the server, by every device of even number.
    pub server_version_1: bool,
    pub devices_version_1: bool,
    /// Everything at rest is encrypted.
    pub sealed: bool,
    /// Milliseconds of traffic under faults.
    pub traffic_ms: u64,
    /// Milliseconds between two actions of one device, on average.
    pub pace_ms: u64,
    /// Sends of one action, at most.
    pub burst_max: u64,
    /// Bytes of a body, at most.
    pub body_bytes_max: usize,
    pub latency_ms_max: u64,
    pub disk_ms_max: u64,
    /// By how much longer the second worker's log takes.
    pub slow_log_ms_max: u64,
    /// Milliseconds between server crashes, on average; 0: none. The same for every other `_every_ms`.
    pub crash_every_ms: u64,
    pub cut_every_ms: u64,
    pub device_crash_every_ms: u64,
    pub disk_error_every_ms: u64,
    pub full_every_ms: u64,
    pub drain_every_ms: u64,
    pub clock_jump_every_ms: u64,
    pub revoke_every_ms: u64,
    /// A device ends another of its user.
    pub revoke_device_every_ms: u64,
    /// Days pass in one leap, so that things expire.
    pub days_every_ms: u64,
    /// A crash keeps what was written (the process died, not the machine).
    pub only_kills: bool,
    /// Of a hundred appends, so many are left in doubt.
    pub doubts_per_cent: u8,
    /// Frames between workers come again, out of order, or never.
    pub unruly_frames: bool,
    /// An event loop's inbox overflows: of a session's pushes only the last is kept.
    pub inbox_overflows: bool,
    /// Bounds so small that requests are refused as busy.
    pub gathered_bytes_max: usize,
    pub waiting_max: usize,
    pub stream_backlog_max: usize,
    /// Bounds so small that flushes, merges and evictions happen all the time.
    pub flush_bytes: usize,
    pub flush_interval_ms: u64,
    pub state_cache_bytes: usize,
    pub log_tail_bytes_max: u64,
    pub waits_for_recipient: bool,
    pub acknowledge_interval_ms: u64,
    pub window: usize,
    pub push_window_entries: u32,
    /// Milliseconds that reads may take longer than the rest: flushes and merges finish meanwhile.
    pub slow_read_ms_max: u64,
    /// Of a hundred actions of a device, so many concern groups, marks, flags, presence and the like; 0: there are no
    /// groups.
    pub social_per_cent: u8,
    /// Users block each other.
    pub blocks: bool,
    /// Users change what they let others know.
    pub settings: bool,
}

impl Options {
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x6f70_7469_6f6e_7321);
        let days = random.u8(..5) == 0;
        let revokes = !days && random.u8(..4) == 0;
        Self {
            users: random.u16(2..=6),
            devices_per_user: random.u16(1..=2),
            workers: random.u16(1..=2),
            vnodes: [1, 2, 4, 8, 8][random.usize(..5)],
            server_version_1: random.u8(..6) == 0,
            devices_version_1: random.bool(),
            sealed: random.u8(..4) == 0,
            traffic_ms: random.u64(4_000..=12_000),
            pace_ms: random.u64(60..=400),
            burst_max: random.u64(1..=6),
            body_bytes_max: [40, 40, 200, 2_000][random.usize(..4)],
            latency_ms_max: random.u64(1..=40),
            disk_ms_max: [1, 4, 20, 60, 400][random.usize(..5)],
            slow_log_ms_max: [0, 300][random.usize(..2)],
            crash_every_ms: often(&mut random, 3, 700..=4_000),
            cut_every_ms: often(&mut random, 2, 200..=3_000),
            device_crash_every_ms: often(&mut random, 2, 400..=3_000),
            disk_error_every_ms: often(&mut random, 1, 1_000..=5_000),
            full_every_ms: often(&mut random, 1, 2_000..=6_000),
            drain_every_ms: often(&mut random, 1, 2_000..=8_000),
            clock_jump_every_ms: if revokes { 0 } else { often(&mut random, 1, 500..=4_000) },
            revoke_every_ms: if revokes { random.u64(4_000..=12_000) } else { 0 },
            days_every_ms: if days { random.u64(2_000..=5_000) } else { 0 },
            only_kills: random.u8(..4) == 0,
            doubts_per_cent: [0, 0, 0, 10][random.usize(..4)],
            unruly_frames: random.bool(),
            inbox_overflows: random.u8(..3) == 0,
            gathered_bytes_max: [8_000, 20_000, 1_000_000, 1_000_000][random.usize(..4)],
            waiting_max: [12, 1_000, 1_000][random.usize(..3)],
            stream_backlog_max: [12, 1_000, 1_000][random.usize(..3)],
            flush_bytes: [600, 2_000, 8_000, 100_000][random.usize(..4)],
            flush_interval_ms: [200, 1_000, 5_000, 60_000][random.usize(..4)],
            state_cache_bytes: [0, 2_000, 20_000, 1_000_000][random.usize(..4)],
            log_tail_bytes_max: [8_000, 60_000, 1_000_000][random.usize(..3)],
            waits_for_recipient: random.bool(),
            acknowledge_interval_ms: [0, 20, 250][random.usize(..3)],
            window: [1, 4, 32][random.usize(..3)],
            push_window_entries: [2, 8, 4_096][random.usize(..3)],
            slow_read_ms_max: [0, 0, 600][random.usize(..3)],
            revoke_device_every_ms: often(&mut random, 3, 700..=4_000),
            social_per_cent: [0, 20, 40, 40, 60][random.usize(..5)],
            blocks: random.u8(..3) == 0,
            settings: random.u8(..3) == 0,
        }
    }
}

impl Options {
    /// Whether nothing that receipts tell may be left out: streams have room, and nothing expires.
    pub(crate) fn tells_everything(&self) -> bool {
        self.stream_backlog_max >= 1_000 && self.days_every_ms == 0
    }
}

/// On in `quarters` of four seeds.
fn often(random: &mut fastrand::Rng, quarters: u8, range: std::ops::RangeInclusive<u64>) -> u64 {
    let every_ms = random.u64(range);
    if random.u8(..4) < quarters { every_ms } else { 0 }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
