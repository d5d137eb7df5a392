//! Columns for people: no borders, so that `cut` and `awk` work and copies stay clean.

use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets::NOTHING};

/// A table as text. The last column takes what room is left.
pub fn render(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|title| title.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| format!("{}\n", line.trim())).collect()
}

/// The cell of a text; a dash where there is none.
pub fn cell(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

/// How long ago, in the largest unit that fits.
pub fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..86_400 => format!("{}h ago", seconds / 3_600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

/// How long something took or has been going on.
pub fn elapsed(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    let Some(from) = from else { return "-".to_owned() };
    span((to.unwrap_or(now) - from).num_milliseconds().max(0))
}

/// A length of time as the API writes it, `PT1.5S`; `None` for none at all.
pub fn length(iso: &str) -> Option<String> {
    let seconds: f64 = iso.strip_prefix("PT")?.strip_suffix('S')?.parse().ok()?;
    let millis = chrono::TimeDelta::from_std(std::time::Duration::try_from_secs_f64(seconds).ok()?).ok()?;
    match millis.num_milliseconds() {
        0 if seconds > 0.0 => Some("<1ms".to_owned()),
        0 => None,
        millis => Some(span(millis)),
    }
}

fn span(millis: i64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..60_000 => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{}m{:02}s", millis / 60_000, millis / 1_000 % 60),
        _ => format!("{}h{:02}m", millis / 3_600_000, millis / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn moment() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    #[test]
    fn an_age_is_told_in_the_largest_unit() {
        let now = moment();
        for (delta, expected) in [
            (5, "5s ago"),
            (119, "1m ago"),
            (7_200, "2h ago"),
            (200_000, "2d ago"),
            (-9, "0s ago"),
        ] {
            assert_eq!(age(now - TimeDelta::seconds(delta), now), expected);
        }
    }

    #[test]
    fn a_duration_keeps_what_matters_of_it() {
        let now = moment();
        for (millis, expected) in [
            (7, "7ms"),
            (1_250, "1.2s"),
            (61_000, "1m01s"),
            (3_720_000, "1h02m"),
        ] {
            assert_eq!(
                elapsed(Some(now), Some(now + TimeDelta::milliseconds(millis)), now),
                expected
            );
        }
        assert_eq!(elapsed(None, None, now), "-");
    }

    #[test]
    fn a_length_of_the_api_reads_like_any_other() {
        for (iso, expected) in [
            ("PT0S", None),
            ("PT0.000848S", Some("<1ms")),
            ("PT1.106537S", Some("1.1s")),
            ("PT3720S", Some("1h02m")),
            ("P1D", None),
        ] {
            assert_eq!(length(iso).as_deref(), expected, "{iso}");
        }
    }

    #[test]
    fn a_table_has_no_borders_and_no_trailing_blanks() {
        let text = render(&["id", "status"], [vec!["a".to_owned(), "FAILED".to_owned()]]);
        assert_eq!(text, "ID  STATUS\na   FAILED\n");
    }
}
