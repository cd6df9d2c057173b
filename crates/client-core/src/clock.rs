//! The server's clock as the device knows it.

use iris_types::{Monotonic, Timestamp};

use crate::Now;

/// Follows the last time that the server told, on the clock that never jumps. Until then: the wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServerClock {
    told: Option<(Timestamp, Monotonic)>,
}

impl ServerClock {
    pub(crate) fn correct(&mut self, server_time: Timestamp, now: Now) {
        self.told = Some((server_time, now.monotonic));
    }

    pub(crate) fn read(&self, now: Now) -> Timestamp {
        match self.told {
            Some((server_time, at)) => server_time.plus_millis(now.monotonic.millis_since(at)),
            None => now.wall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_wins_and_jumps_of_the_wall_clock_do_not_matter() {
        let now = |wall, monotonic| Now { wall: Timestamp(wall), monotonic: Monotonic(monotonic) };
        let mut clock = ServerClock::default();
        assert_eq!(clock.read(now(5_000, 10)), Timestamp(5_000));
        clock.correct(Timestamp(9_000), now(5_000, 10));
        assert_eq!(clock.read(now(70, 25)), Timestamp(9_015));
    }
}
