//! What becomes of the nominal times that are due.

use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::calendar::Calendar;
use super::{BUFFER_MAX, CatchUp, ON_TIME, Overlap, Policy};
use crate::time::Timestamp;

/// Nominal times that are on time and start together at most; a schedule of every second that was not looked at for a
/// minute has 60.
const ON_TIME_MAX: usize = 100;

/// Missed nominal times that are counted one by one; beyond it the count says "at least".
const MISSED_COUNT_MAX: usize = 1_000;

/// How long a schedule with something in its buffer is left alone: the end of its run rings earlier, this only heals.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What is known of a schedule when it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Everything up to here has been decided upon.
    pub cursor: Timestamp,
    /// Nominal times that wait for a run to end, oldest first.
    pub buffered: Vec<Timestamp>,
    /// Runs of the schedule that have not ended.
    pub open_runs: usize,
    /// Runs in a row that did not succeed.
    pub failures: u32,
}

/// What becomes of one nominal time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its run starts.
    Fire,
    /// It waits for the run before it.
    Buffer,
    /// It has no run.
    Skip(SkipReason),
}

/// Why a nominal time has no run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// A run of the schedule goes on.
    Overlap,
    /// As many wait already as may.
    BufferFull,
    /// A newer one waits in its place.
    Replaced,
}

/// Nominal times that were missed and are not made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// The oldest one counted.
    pub first: Timestamp,
    /// The newest one.
    pub last: Timestamp,
    /// How many; with [`Self::is_more`] at least so many.
    pub count: usize,
    /// Whether there are more before the first.
    pub is_more: bool,
}

/// What is to be done about a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Nominal times and their verdicts, oldest first; those that were buffered before come first.
    pub verdicts: Vec<(Timestamp, Verdict)>,
    /// What was missed.
    pub missed: Option<Missed>,
    /// The new cursor.
    pub cursor: Timestamp,
    /// The new buffer.
    pub buffered: Vec<Timestamp>,
    /// The open runs are to be cancelled.
    pub cancels_open: bool,
    /// The schedule is to be paused: too many failures in a row.
    pub pauses: bool,
    /// When to look again; `None`: never by itself.
    pub next_at: Option<Timestamp>,
}

/// When the run of a nominal time starts: later by the jitter, which depends on nothing but the schedule and the time, so
/// that every replica agrees. Never past the next nominal time: the order stays.
#[must_use]
pub fn due_at(calendar: &Calendar, schedule: Uuid, nominal: Timestamp) -> Timestamp {
    let spread = calendar.jitter_us();
    if spread <= 0 {
        return nominal;
    }
    let gap = calendar
        .next_after(nominal)
        .map_or(i64::MAX, |next| next.0.saturating_sub(nominal.0));
    let spread = spread.min(gap).max(1);
    let mut hash = Sha256::new();
    hash.update(schedule.as_bytes());
    hash.update(nominal.0.to_be_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    let offset = u64::from_be_bytes(bytes) % spread.unsigned_abs();
    Timestamp(nominal.0.saturating_add(i64::try_from(offset).unwrap_or(0)))
}

/// Decides upon everything that is due now. Deterministic; the caller stores the decision before it acts on it.
#[must_use]
pub fn decide(
    calendar: &Calendar,
    policy: &Policy,
    schedule: Uuid,
    situation: &Situation,
    now: Timestamp,
) -> Decision {
    if policy.pause_after.is_some_and(|most| situation.failures >= most) {
        return Decision {
            verdicts: Vec::new(),
            missed: None,
            cursor: situation.cursor,
            buffered: situation.buffered.clone(),
            cancels_open: false,
            pauses: true,
            next_at: None,
        };
    }
    let due = due(calendar, policy, schedule, situation.cursor, now);
    let mut turn = Turn {
        overlap: policy.overlap,
        open: situation.open_runs,
        buffered: situation.buffered.clone(),
        verdicts: Vec::new(),
    };
    turn.release();
    for nominal in &due.times {
        turn.take(*nominal);
    }
    let next_due = calendar
        .next_after(due.cursor)
        .map(|next| due_at(calendar, schedule, next));
    // what is waited for is the end of a run, which rings; looking again heals a bell that was not heard
    let again = (!turn.buffered.is_empty()).then(|| now.after(LOOK_AGAIN));
    Decision {
        cancels_open: policy.overlap == Overlap::CancelOther && !turn.buffered.is_empty(),
        next_at: [next_due, again].into_iter().flatten().min(),
        missed: due.missed,
        cursor: due.cursor,
        verdicts: turn.verdicts,
        buffered: turn.buffered,
        pauses: false,
    }
}

struct Due {
    /// Those to start, oldest first.
    times: Vec<Timestamp>,
    missed: Option<Missed>,
    cursor: Timestamp,
}

/// Walks back from now, so that a long absence costs no more than a short one.
fn due(calendar: &Calendar, policy: &Policy, schedule: Uuid, cursor: Timestamp, now: Timestamp) -> Due {
    let mut walk = Vec::new();
    let mut at = calendar.last_until(now);
    // of those whose nominal time has come, only the newest can still be waiting for its jitter
    if let Some(newest) = at
        && due_at(calendar, schedule, newest) > now
    {
        at = calendar.last_until(Timestamp(newest.0 - 1));
    }
    let newest = at.filter(|newest| *newest > cursor);
    let counted_max = MISSED_COUNT_MAX + policy.limit as usize + ON_TIME_MAX;
    while let Some(nominal) = at.filter(|nominal| *nominal > cursor)
        && walk.len() <= counted_max
    {
        walk.push(nominal);
        at = calendar.last_until(Timestamp(nominal.0 - 1));
    }
    let is_more = walk.len() > counted_max;
    walk.truncate(counted_max);
    let is_on_time = |nominal: &Timestamp| now.since(due_at(calendar, schedule, *nominal)) <= ON_TIME;
    let on_time = walk
        .iter()
        .take(ON_TIME_MAX)
        .take_while(|n| is_on_time(n))
        .count();
    let late = &walk[on_time..];
    let window = Duration::from_millis(policy.window_ms);
    let in_window = late
        .iter()
        .take_while(|nominal| now.since(**nominal) <= window)
        .count();
    let made_up = match policy.catch_up {
        CatchUp::None => 0,
        CatchUp::Latest => usize::from(on_time == 0).min(in_window),
        CatchUp::All => in_window.min(policy.limit as usize),
    };
    let lost = &late[made_up..];
    let missed = match (lost.last(), lost.first()) {
        (Some(first), Some(last)) => Some(Missed {
            first: *first,
            last: *last,
            count: lost.len(),
            is_more,
        }),
        _ => None,
    };
    let mut times: Vec<Timestamp> = walk[..on_time + made_up].to_vec();
    times.reverse();
    Due {
        times,
        missed,
        cursor: newest.unwrap_or(cursor),
    }
}

/// The nominal times of one decision, one after the other.
struct Turn {
    overlap: Overlap,
    open: usize,
    buffered: Vec<Timestamp>,
    verdicts: Vec<(Timestamp, Verdict)>,
}

impl Turn {
    /// What waited and may start now.
    fn release(&mut self) {
        if self.overlap == Overlap::Allow {
            for nominal in std::mem::take(&mut self.buffered) {
                self.fire(nominal);
            }
        } else if self.open == 0 && !self.buffered.is_empty() {
            let first = self.buffered.remove(0);
            self.fire(first);
        }
    }

    fn take(&mut self, nominal: Timestamp) {
        let is_free = self.open == 0 && self.buffered.is_empty();
        match self.overlap {
            Overlap::Allow => self.fire(nominal),
            _ if is_free => self.fire(nominal),
            Overlap::Skip => self.give(nominal, Verdict::Skip(SkipReason::Overlap)),
            Overlap::BufferOne => self.wait(nominal, 1),
            Overlap::BufferAll => self.wait(nominal, BUFFER_MAX),
            Overlap::CancelOther => {
                for older in std::mem::take(&mut self.buffered) {
                    self.give(older, Verdict::Skip(SkipReason::Replaced));
                }
                self.wait(nominal, 1);
            }
        }
    }

    fn wait(&mut self, nominal: Timestamp, most: usize) {
        if self.buffered.len() < most {
            self.buffered.push(nominal);
            self.give(nominal, Verdict::Buffer);
        } else {
            self.give(nominal, Verdict::Skip(SkipReason::BufferFull));
        }
    }

    fn fire(&mut self, nominal: Timestamp) {
        self.open += 1;
        self.give(nominal, Verdict::Fire);
    }

    fn give(&mut self, nominal: Timestamp, verdict: Verdict) {
        self.verdicts.push((nominal, verdict));
    }
}
