//! The alarm clock: `runtime::waker`, step by step.

use std::collections::BTreeSet;
use std::time::Duration;

use runnel_engine::run::Input;
use runnel_engine::{RunId, Timestamp};
use runnel_runtime::offline::Item;

use crate::defect::Defect;
use crate::world::{POLL_INTERVAL, World};

/// How long a run that could not be applied is left alone.
const QUARANTINE: Duration = Duration::from_secs(60);

impl World {
    /// When the waker has something to do; `None` while it waits for its ticks.
    pub(crate) fn waker_due(&self, at: usize) -> Option<i64> {
        let replica = &self.replicas[at];
        let waker = &replica.waker;
        if waker.ticking.is_empty() {
            return Some(if waker.is_rung { self.now } else { waker.until });
        }
        let is_answered = waker
            .ticking
            .iter()
            .all(|(_, _, ticket)| replica.replies.contains_key(ticket));
        is_answered.then_some(self.now)
    }

    /// One step: look for what is due, or hear what became of it.
    pub(crate) fn wake(&mut self, at: usize) {
        let now = self.clock(at);
        let ticking = std::mem::take(&mut self.replicas[at].waker.ticking);
        if ticking.is_empty() {
            // a new turn
            let waker = &mut self.replicas[at].waker;
            waker.next = i64::MAX;
            waker.is_rung = false;
            waker.ticked.clear();
        }
        for (alarm, run, ticket) in ticking {
            let is_applied = self.replicas[at].replies.remove(&ticket).flatten().is_some();
            let is_first = self.replicas[at].waker.ticked.insert((alarm, run));
            if !(is_applied && is_first) {
                self.replicas[at].waker.aside.insert(run, now.after(QUARANTINE));
            }
        }
        self.replicas[at].waker.aside.retain(|_, until| *until > now);
        let mut alarms = self.store.alarms(&self.replicas[at].waker.aside);
        if self.plot.defect == Some(Defect::EqualAlarmsSkipped) {
            self.skip_equal(at, now, &mut alarms);
        }
        let next = alarms.iter().map(|(alarm, _)| *alarm).find(|alarm| *alarm > now);
        let due: Vec<(Timestamp, RunId)> = alarms.into_iter().filter(|(alarm, _)| *alarm <= now).collect();
        if due.is_empty() {
            let waker = &mut self.replicas[at].waker;
            waker.next = waker.next.min(next.map_or(i64::MAX, |next| next.0));
            let pause = waker.next.saturating_sub(now.0).clamp(0, POLL_INTERVAL);
            waker.until = self.now + pause.max(1);
            return;
        }
        for (alarm, run) in due {
            let ticket = self.submit(at, Item::inputs(run, vec![Input::Tick]));
            self.replicas[at].waker.ticking.push((alarm, run, ticket));
        }
    }

    /// A defect: goes on after the latest alarm it has seen, as a cursor without a tie-breaker would.
    fn skip_equal(&mut self, at: usize, now: Timestamp, alarms: &mut Vec<(Timestamp, RunId)>) {
        let cursor = self.replicas[at].waker.cursor;
        let mut seen = BTreeSet::new();
        alarms.retain(|(alarm, _)| *alarm > cursor && seen.insert(*alarm));
        let latest = alarms
            .iter()
            .map(|(alarm, _)| *alarm)
            .filter(|alarm| *alarm <= now)
            .max();
        self.replicas[at].waker.cursor = latest.unwrap_or(cursor);
    }
}
