//! Times as a person reads them, in the zone of their machine.

use iris_types::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};

/// A zone, and what time it is.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
    pub(super) now: Timestamp,
}

impl Calendar {
    /// In the machine's zone; UTC if it has none.
    pub(super) fn of_machine(now: Timestamp) -> Self {
        Self { zone: TimeZone::system(), now }
    }

    #[cfg(test)]
    pub(super) const fn utc(now: Timestamp) -> Self {
        Self { zone: TimeZone::UTC, now }
    }

    fn zoned(&self, at: Timestamp) -> Zoned {
        let millis = i64::try_from(at.0).unwrap_or_default();
        // A time that no calendar has is a server's mistake; it is shown as the beginning of all times.
        Instant::from_millisecond(millis).unwrap_or_default().to_zoned(self.zone.clone())
    }

    pub(super) fn day(&self, at: Timestamp) -> Date {
        self.zoned(at).date()
    }

    /// `21:04`.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        self.zoned(at).strftime("%H:%M").to_string()
    }

    /// `Today`, `Yesterday`, `Saturday, 28 November`, and the year if it is another.
    pub(super) fn day_name(&self, day: Date) -> String {
        let today = self.day(self.now);
        if day == today {
            "Today".to_owned()
        } else if Some(day) == today.yesterday().ok() {
            "Yesterday".to_owned()
        } else if day.year() == today.year() {
            day.strftime("%A, %-d %B").to_string()
        } else {
            day.strftime("%-d %B %Y").to_string()
        }
    }

    /// As short as a list needs it: the time today, a weekday this week, a date before.
    pub(super) fn short(&self, at: Timestamp) -> String {
        let (day, today) = (self.day(at), self.day(self.now));
        let days = today.since(day).map_or(0, |span| span.get_days());
        match days {
            0 => self.clock(at),
            1..=6 => day.strftime("%a").to_string(),
            _ => day.strftime("%d.%m.%y").to_string(),
        }
    }

    /// `5 minutes ago`, and so on.
    pub(super) fn ago(&self, at: Timestamp) -> String {
        let minutes = self.now.0.saturating_sub(at.0) / 60_000;
        match minutes {
            0 => "just now".to_owned(),
            1 => "a minute ago".to_owned(),
            2..=59 => format!("{minutes} minutes ago"),
            _ => {
                let name = match self.day_name(self.day(at)).as_str() {
                    "Today" => "today".to_owned(),
                    "Yesterday" => "yesterday".to_owned(),
                    name => name.to_owned(),
                };
                format!("{name} at {}", self.clock(at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_short_as_they_can_be() {
        // 2026-11-28 20:00 UTC, a Saturday.
        let now = 1_795_896_000_000;
        let calendar = Calendar::utc(Timestamp(now));
        let before = |minutes: u64| Timestamp(now - minutes * 60_000);
        let day = 24 * 60;
        for (minutes, short, ago) in [
            (0, "20:00", "just now"),
            (5, "19:55", "5 minutes ago"),
            (90, "18:30", "today at 18:30"),
            (day, "Fri", "yesterday at 20:00"),
            (6 * day, "Sun", "Sunday, 22 November at 20:00"),
            (400 * day, "24.10.25", "24 October 2025 at 20:00"),
        ] {
            assert_eq!(calendar.short(before(minutes)), short);
            assert_eq!(calendar.ago(before(minutes)), ago);
        }
        assert_eq!(calendar.day_name(calendar.day(before(0))), "Today");
        assert_eq!(calendar.clock(Timestamp(u64::MAX)), "00:00", "no time breaks it");
    }
}
