//! Schedules, read as their specification.

mod calendars;
mod decisions;

use super::{Calendar, Spec, When, parse_time};
use crate::time::Timestamp;

fn time(text: &str) -> Timestamp {
    parse_time(text).expect("a time")
}

fn spec(when: When) -> Spec {
    Spec {
        when,
        start_at: None,
        end_at: None,
        jitter_ms: 0,
    }
}

fn cron_spec(expression: &str, timezone: &str) -> Spec {
    spec(When::Cron {
        expression: expression.to_owned(),
        timezone: timezone.to_owned(),
    })
}

fn cron(expression: &str, timezone: &str) -> Calendar {
    Calendar::new(&cron_spec(expression, timezone)).expect("a calendar")
}

fn every(seconds: u64, anchor: &str) -> Calendar {
    let when = When::Every {
        every_ms: seconds * 1_000,
        anchor: time(anchor),
    };
    Calendar::new(&spec(when)).expect("a calendar")
}
