//! Durations as people write them: `90s`, `1h30m`, `2d`, or ISO 8601 `PT1H30M`.

use std::time::Duration;

/// Longest duration of any kind: timers are durable for up to 366 days.
pub(crate) const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);

const MS: u64 = 1;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// Reads a duration; `Err` says in one sentence what is wrong.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let millis = match text.strip_prefix('P') {
        Some(rest) => iso(rest),
        None => units(text),
    };
    let millis = millis.ok_or_else(|| format!("`{}` is not a duration", shorten(text)))?;
    let duration = Duration::from_millis(millis);
    if duration > DURATION_MAX {
        return Err(format!("`{}` is longer than 366 days", shorten(text)));
    }
    Ok(duration)
}

/// The shortest form that [`parse`] reads back: `90s`, `1500ms`, `2h`.
pub(crate) fn write(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let (unit, name) = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")]
        .into_iter()
        .find(|(unit, _)| millis % unit == 0)
        .unwrap_or((MS, "ms"));
    format!("{}{name}", millis / unit)
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

fn units(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = digits(rest)?;
        let (unit, after) = [("ms", MS), ("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", DAY)]
            .into_iter()
            .find_map(|(name, unit)| after.strip_prefix(name).map(|after| (unit, after)))?;
        // Largest unit first, each once: `30m1h` is more likely a slip than an intention.
        if unit >= smallest {
            return None;
        }
        smallest = unit;
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after;
    }
    Some(total)
}

fn iso(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None if text.is_empty() => return None,
        None => (text, ""),
    };
    let days = designators(date, &[('W', WEEK), ('D', DAY)])?;
    let hours = designators(time, &[('H', HOUR), ('M', MINUTE), ('S', SECOND)])?;
    days.checked_add(hours)
}

fn designators(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    for &(name, unit) in units {
        let Some((number, after)) = rest.split_once(name) else {
            continue;
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let (whole, nothing) = digits(whole)?;
        if !nothing.is_empty() || (!fraction.is_empty() && name != 'S') {
            return None;
        }
        total = total
            .checked_add(whole.checked_mul(unit)?)?
            .checked_add(thousandths(fraction)?)?;
        rest = after;
    }
    rest.is_empty().then_some(total)
}

fn thousandths(fraction: &str) -> Option<u64> {
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    padded.parse().ok()
}

fn digits(text: &str) -> Option<(u64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(length);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units_and_iso() {
        for (text, millis) in [
            ("250ms", 250),
            ("1h30m", 5_400_000),
            ("366d", 366 * DAY),
            ("PT15M", 900_000),
            ("P1DT2H", 26 * HOUR),
            ("PT1.5S", 1_500),
            ("P1W", WEEK),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "10",
            "5 parsecs",
            "30m1h",
            "-1s",
            "1.5h",
            "P",
            "PT",
            "PT5",
            "367d",
            "99999999999999999999s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for millis in [0, 1, 999, 1_000, 90_000, 3_600_000, DAY, 36 * HOUR] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse(&write(duration)), Ok(duration));
        }
    }
}
