//! Time as the engine sees it: a value that the shell passes in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment moved later by `by`; saturates at the end of time instead of wrapping.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long it is from `earlier` until here; zero when `earlier` is later (a clock that stepped back).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339, UTC, with microseconds.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        chrono::DateTime::from_timestamp_micros(self.0)
            .unwrap_or_default()
            .to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    }
}

/// What the shell drew for one call: the time, and the entropy for jitter and one-time marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock of the shell (or of the database, where the shell says so).
    pub now: Timestamp,
    /// 64 random bits; the same bits give the same decisions.
    pub entropy: u64,
}

/// Longest duration that is accepted: a leap year.
pub const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Reads `1h30m`, `250ms`, `2d`, a number of seconds (`0.5`), or ISO 8601 (`PT1H30M`, `P1D`); `None` for anything else or
/// longer than [`DURATION_MAX`].
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let duration = if let Some(iso) = text.strip_prefix('P') {
        parse_iso(iso)?
    } else if let Ok(seconds) = text.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        parse_units(
            text,
            &[
                ("ms", 1),
                ("s", 1_000),
                ("m", 60_000),
                ("h", 3_600_000),
                ("d", 86_400_000),
            ],
        )?
    };
    (duration <= DURATION_MAX).then_some(duration)
}

fn parse_iso(text: &str) -> Option<Duration> {
    let (days, time) = text.split_once('T').unwrap_or((text, ""));
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let days = if days.is_empty() {
        Duration::ZERO
    } else {
        parse_units(days, &[("D", 86_400_000), ("W", 604_800_000)])?
    };
    let units = [("S", 1_000), ("M", 60_000), ("H", 3_600_000)];
    let time = if time.is_empty() {
        Duration::ZERO
    } else {
        parse_units(time, &units)?
    };
    days.checked_add(time)
}

fn parse_units(text: &str, units: &[(&str, u64)]) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (_, unit_ms) = units.iter().find(|(name, _)| *name == &rest[..unit_end])?;
        #[expect(clippy::cast_precision_loss, reason = "unit sizes are far below 2^53")]
        let seconds = amount * (*unit_ms as f64) / 1_000.0;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = &rest[unit_end..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_accepted_form() {
        for (text, ms) in [
            ("10s", 10_000),
            ("250ms", 250),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("0.2", 200),
            ("3", 3_000),
            ("PT1H30M", 5_400_000),
            ("P1DT1S", 86_401_000),
            ("PT0.5S", 500),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "", "s", "10", "5x", "P", "PT", "-1s", "-1", "400d", "1e300", "1h30", "nan",
        ] {
            assert!(text == "10" || parse_duration(text).is_none(), "{text}");
        }
    }
}
