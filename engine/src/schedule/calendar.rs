//! The nominal times of a schedule: the next one, the one before.

use chrono::{DateTime, SubsecRound as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::wall::{self, Local};
use super::{EVERY_MIN, JITTER_MAX, Spec, When};
use crate::time::Timestamp;

/// Longest cron pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 128;

/// Pattern times that are looked at for one answer: at the end of daylight saving those of the second of two equal hours
/// stand for moments that have passed.
const STEPS_MAX: usize = 4_000;

/// A [`Spec`] that was checked and can be asked.
#[derive(Debug, Clone)]
pub struct Calendar {
    rule: Rule,
    start_at: Option<Timestamp>,
    end_at: Option<Timestamp>,
    jitter_us: i64,
}

#[derive(Debug, Clone)]
enum Rule {
    Cron {
        pattern: Box<Cron>,
        zone: Tz,
        /// The hour field is `*`: elapsed time.
        is_hourly: bool,
    },
    Every {
        every_us: i64,
        anchor: i64,
    },
    At(Timestamp),
}

impl Calendar {
    /// Checks a spec.
    ///
    /// # Errors
    /// One sentence: what is wrong, and what is allowed.
    pub fn new(spec: &Spec) -> Result<Self, String> {
        let rule = match &spec.when {
            When::Cron { expression, timezone } => cron(expression, timezone)?,
            When::Every { every_ms, anchor } => every(*every_ms, *anchor)?,
            When::At { at } => Rule::At(*at),
        };
        if let (Some(start), Some(end)) = (spec.start_at, spec.end_at)
            && end <= start
        {
            return Err("the end of the schedule is not after its start".to_owned());
        }
        if u128::from(spec.jitter_ms) > JITTER_MAX.as_millis() {
            return Err(format!(
                "a jitter of {} ms is longer than the limit of {} h",
                spec.jitter_ms,
                JITTER_MAX.as_secs() / 3_600
            ));
        }
        Ok(Self {
            rule,
            start_at: spec.start_at,
            end_at: spec.end_at,
            jitter_us: i64::try_from(spec.jitter_ms.saturating_mul(1_000)).unwrap_or(i64::MAX),
        })
    }

    /// The first nominal time after a moment; `None` when there is none any more.
    #[must_use]
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        // a nominal time at the start itself counts
        let from = self
            .start_at
            .map_or(at, |start| at.max(Timestamp(start.0.saturating_sub(1))));
        let next = match &self.rule {
            Rule::Cron {
                pattern,
                zone,
                is_hourly,
            } => next_cron(pattern, *zone, *is_hourly, from),
            Rule::Every { every_us, anchor } => {
                let steps = from
                    .0
                    .saturating_sub(*anchor)
                    .div_euclid(*every_us)
                    .checked_add(1)?;
                anchor.checked_add(steps.checked_mul(*every_us)?).map(Timestamp)
            }
            Rule::At(moment) => (*moment > from).then_some(*moment),
        }?;
        self.end_at.is_none_or(|end| next < end).then_some(next)
    }

    /// The last nominal time at or before a moment; `None` when there was none.
    #[must_use]
    pub fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        let until = self
            .end_at
            .map_or(at, |end| at.min(Timestamp(end.0.saturating_sub(1))));
        let last = match &self.rule {
            Rule::Cron {
                pattern,
                zone,
                is_hourly,
            } => last_cron(pattern, *zone, *is_hourly, until),
            Rule::Every { every_us, anchor } => {
                let steps = until.0.saturating_sub(*anchor).div_euclid(*every_us);
                anchor.checked_add(steps.checked_mul(*every_us)?).map(Timestamp)
            }
            Rule::At(moment) => (*moment <= until).then_some(*moment),
        }?;
        self.start_at.is_none_or(|start| last >= start).then_some(last)
    }

    /// Nominal times in `(after, until]`, oldest first, at most `max`.
    pub fn between(&self, after: Timestamp, until: Timestamp, max: usize) -> Vec<Timestamp> {
        let mut times = Vec::new();
        let mut at = after;
        while times.len() < max
            && let Some(next) = self.next_after(at).filter(|next| *next <= until)
        {
            times.push(next);
            at = next;
        }
        times
    }

    /// The zone of its wall clock; UTC where there is none.
    #[must_use]
    pub fn zone(&self) -> Tz {
        match &self.rule {
            Rule::Cron { zone, .. } => *zone,
            Rule::Every { .. } | Rule::At(_) => Tz::UTC,
        }
    }

    /// A moment on its wall clock with the offset, RFC 3339.
    #[must_use]
    pub fn local_text(&self, at: Timestamp) -> String {
        let time = DateTime::<Utc>::from_timestamp_micros(at.0).unwrap_or_default();
        time.with_timezone(&self.zone())
            .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }

    /// What it says, in English.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.rule {
            Rule::Cron { pattern, zone, .. } => {
                let text = pattern.describe();
                format!("{} ({zone})", text.trim_end_matches('.'))
            }
            Rule::Every { every_us, .. } => {
                let every = std::time::Duration::from_micros(every_us.unsigned_abs());
                format!("Every {}", crate::source::duration::write(every))
            }
            Rule::At(at) => format!("Once at {}", super::nominal_text(*at)),
        }
    }

    /// What daylight saving makes of a nominal time: moved out of a gap, or the first of two.
    pub(super) fn local_kind(&self, nominal: Timestamp) -> Local {
        let Rule::Cron {
            pattern,
            zone,
            is_hourly: false,
        } = &self.rule
        else {
            return Local::Once;
        };
        let at = DateTime::<Utc>::from_timestamp_micros(nominal.0).unwrap_or_default();
        let wall = wall::local(*zone, at).and_utc();
        if pattern.is_time_matching(&wall).unwrap_or(false) {
            return wall::resolve(*zone, wall.naive_utc()).1;
        }
        // the pattern does not name this time, so it stands for one that does not exist
        Local::Gap
    }

    /// Microseconds over which starts are spread.
    pub(super) fn jitter_us(&self) -> i64 {
        self.jitter_us
    }
}

fn cron(expression: &str, timezone: &str) -> Result<Rule, String> {
    let zone: Tz = timezone.parse().map_err(|_| {
        format!(
            "`{}` is not the name of a time zone such as Europe/Madrid",
            cut(timezone)
        )
    })?;
    let fields = expression.split_whitespace().count();
    if expression.len() > PATTERN_BYTES_MAX {
        return Err(format!(
            "the cron pattern is longer than {PATTERN_BYTES_MAX} bytes"
        ));
    }
    let is_nickname = expression.trim_start().starts_with('@');
    if !is_nickname && fields != 5 && fields != 6 {
        return Err(format!(
            "`{}` has {fields} fields; a cron pattern has 5, or 6 with seconds first",
            cut(expression)
        ));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    let pattern = parser
        .parse(expression)
        .map_err(|error| format!("`{}` is not a cron pattern: {error}", cut(expression)))?;
    let hour = expression.split_whitespace().nth(fields.saturating_sub(4));
    let is_hourly = if is_nickname {
        expression.trim().eq_ignore_ascii_case("@hourly")
    } else {
        matches!(hour, Some("*" | "*/1" | "?"))
    };
    // a pattern such as the 30th of February is a slip, and would otherwise be a schedule that silently never fires
    let epoch = DateTime::<Utc>::UNIX_EPOCH;
    if pattern.find_next_occurrence(&epoch, false).is_err() {
        return Err(format!("`{}` never comes", cut(expression)));
    }
    Ok(Rule::Cron {
        pattern: Box::new(pattern),
        zone,
        is_hourly,
    })
}

fn every(every_ms: u64, anchor: Timestamp) -> Result<Rule, String> {
    let longest = crate::source::duration::DURATION_MAX.as_millis();
    if u128::from(every_ms) < EVERY_MIN.as_millis() || u128::from(every_ms) > longest {
        return Err(format!(
            "an interval of {every_ms} ms is not between {} s and 366 days",
            EVERY_MIN.as_secs()
        ));
    }
    Ok(Rule::Every {
        every_us: i64::try_from(every_ms.saturating_mul(1_000)).unwrap_or(i64::MAX),
        anchor: anchor.0,
    })
}

fn next_cron(pattern: &Cron, zone: Tz, is_hourly: bool, after: Timestamp) -> Option<Timestamp> {
    let at = DateTime::from_timestamp_micros(after.0)?;
    let whole = at.trunc_subsecs(0);
    if is_hourly {
        let next = pattern
            .find_next_occurrence(&whole.with_timezone(&zone), false)
            .ok()?;
        return Some(Timestamp(next.timestamp_micros()));
    }
    // the wall clock as if it were UTC: the library sees no daylight saving, which is decided upon here
    let mut wall = wall::local(zone, whole).and_utc();
    for _ in 0..STEPS_MAX {
        wall = pattern.find_next_occurrence(&wall, false).ok()?;
        let (moment, _) = wall::resolve(zone, wall.naive_utc());
        if moment > at {
            return Some(Timestamp(moment.timestamp_micros()));
        }
    }
    None
}

fn last_cron(pattern: &Cron, zone: Tz, is_hourly: bool, until: Timestamp) -> Option<Timestamp> {
    let at = DateTime::from_timestamp_micros(until.0)?.trunc_subsecs(0);
    if is_hourly {
        let last = pattern
            .find_previous_occurrence(&at.with_timezone(&zone), true)
            .ok()?;
        return Some(Timestamp(last.timestamp_micros()));
    }
    // in the second of two equal hours, the later times of the first one have passed too
    let mut wall = (wall::local(zone, at) + wall::repeated(zone, at)).and_utc();
    for step in 0..STEPS_MAX {
        wall = pattern.find_previous_occurrence(&wall, step == 0).ok()?;
        let (moment, _) = wall::resolve(zone, wall.naive_utc());
        if moment <= at {
            return Some(Timestamp(moment.timestamp_micros()));
        }
    }
    None
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}
