//! Alerts: a run or a task that takes longer than promised is noted once in the history. Nothing is stopped by it.
//!
//! An alert is noted when its alarm rings, or by the first input after it was due: also when nobody listened meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::{RecordKind, TaskStatus};
use crate::definition::Sla;
use crate::{TaskIx, Timestamp};

/// Which alerts the history has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SlaMissed {
    /// `start_within`.
    pub start: bool,
    /// `finish_within`.
    pub finish: bool,
}

impl SlaMissed {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// One promise that may still be broken.
struct Promise {
    limit: Duration,
    due: Timestamp,
    /// When it was kept, if it was.
    kept_at: Option<Timestamp>,
}

impl Promise {
    fn new(limit: Option<Duration>, from: Timestamp, kept_at: Option<Timestamp>) -> Option<Self> {
        limit.map(|limit| Self {
            limit,
            due: from.after(limit),
            kept_at,
        })
    }

    fn is_broken(&self, now: Timestamp) -> bool {
        self.kept_at.map_or(now >= self.due, |at| at > self.due)
    }

    fn note(&self, reason: &'static str) -> Note<'static> {
        let limit_ms = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        Note {
            reason: Some(reason),
            ..Note::data(json!({"limitMs": limit_ms, "dueAt": self.due.to_rfc3339()}))
        }
    }
}

/// The promises about start and end that are not noted as broken yet.
type Promises = (Option<Promise>, Option<Promise>);

impl Machine<'_> {
    /// When the next alert of the run is due.
    pub fn run_sla_due(&self) -> Option<Timestamp> {
        let (start, finish) = self.run_promises()?;
        earliest(start, finish)
    }

    /// Notes the alerts of the run that are due; whether there was one.
    pub fn note_run_sla(&mut self) -> bool {
        let Some((start, finish)) = self.run_promises() else {
            return false;
        };
        let now = self.now();
        let start = start.filter(|promise| promise.is_broken(now));
        let finish = finish.filter(|promise| promise.is_broken(now));
        if let Some(promise) = &start {
            self.state.extra.sla_missed.start = true;
            self.run_record(RecordKind::RunSlaMissed, promise.note("START_WITHIN"));
        }
        if let Some(promise) = &finish {
            self.state.extra.sla_missed.finish = true;
            self.run_record(RecordKind::RunSlaMissed, promise.note("FINISH_WITHIN"));
        }
        start.is_some() || finish.is_some()
    }

    fn run_promises(&self) -> Option<Promises> {
        let sla = self.plan.workflow().sla?;
        if self.state.status.is_terminal() {
            return None;
        }
        let missed = self.state.extra.sla_missed;
        let created_at = self.state.context.created_at;
        let from = self.state.extra.reopened_at.unwrap_or(created_at);
        let start = Promise::new(sla.start_within, created_at, self.state.started_at);
        let finish = Promise::new(sla.finish_within, from, None);
        Some((start.filter(|_| !missed.start), finish.filter(|_| !missed.finish)))
    }

    /// When the next alert of a task is due.
    pub fn task_sla_due(&self, ix: TaskIx) -> Option<Timestamp> {
        let sla = self.sla_of(ix)?;
        let (start, finish) = self.task_promises(ix, &sla, None)?;
        earliest(start, finish)
    }

    /// Notes the alerts of a task that are due, before it takes the status `next`.
    pub fn note_task_sla(&mut self, ix: TaskIx, next: Option<TaskStatus>) {
        let Some(sla) = self.sla_of(ix) else { return };
        let Some((start, finish)) = self.task_promises(ix, &sla, next) else {
            return;
        };
        let now = self.now();
        let start = start.filter(|promise| promise.is_broken(now));
        let finish = finish.filter(|promise| promise.is_broken(now));
        if start.is_none() && finish.is_none() {
            return;
        }
        let mut extra = TaskExtra::of(self.task(ix));
        extra.sla_missed.start |= start.is_some();
        extra.sla_missed.finish |= finish.is_some();
        self.task_mut(ix).extra = extra.store();
        for (promise, reason) in [(start, "START_WITHIN"), (finish, "FINISH_WITHIN")] {
            if let Some(promise) = promise {
                self.task_record(RecordKind::TaskSlaMissed, ix, promise.note(reason));
            }
        }
    }

    /// The alarm of a task that waits for its retry. That alarm is the only place which says when, so the moment moves
    /// aside while an alert is due earlier.
    pub fn retry_alarm(&mut self, ix: TaskIx, retry_at: Timestamp) -> Timestamp {
        let own = self
            .complete_by(ix)
            .map_or(retry_at, |complete_by| complete_by.min(retry_at));
        let Some(due) = self.task_sla_due(ix).filter(|due| *due < own) else {
            return own;
        };
        let mut extra = TaskExtra::of(self.task(ix));
        extra.retry_at = Some(own);
        self.task_mut(ix).extra = extra.store();
        due
    }

    /// When the next attempt of a task in `RETRY_WAIT` begins.
    pub fn retries_at(&self, ix: TaskIx) -> Option<Timestamp> {
        let task = self.task(ix);
        let aside = self.sla_of(ix).and_then(|_| TaskExtra::of(task).retry_at);
        aside.or(task.wake_at)
    }

    /// An alert rang.
    pub fn on_task_sla_due(&mut self, ix: TaskIx) {
        self.note_task_sla(ix, None);
        if self.task(ix).status != TaskStatus::RetryWait {
            return self.rearm(ix);
        }
        let mut extra = TaskExtra::of(self.task(ix));
        if let Some(retry_at) = extra.retry_at.take() {
            self.task_mut(ix).extra = extra.store();
            let alarm = self.retry_alarm(ix, retry_at);
            self.set_alarm(ix, Some(alarm));
        }
    }

    /// The items of a fan-out have no alerts of their own.
    fn sla_of(&self, ix: TaskIx) -> Option<Sla> {
        self.definition(ix).sla.filter(|_| !self.is_item(ix))
    }

    fn task_promises(&self, ix: TaskIx, sla: &Sla, next: Option<TaskStatus>) -> Option<Promises> {
        let task = self.task(ix);
        let ready_at = task.ready_at.filter(|_| !task.status.is_terminal())?;
        let missed = TaskExtra::of(task).sla_missed;
        let now = self.now();
        // a later attempt has started before
        let is_first = task.attempt <= 1 && task.retries == 0 && task.losses == 0;
        let is_open = is_first && matches!(task.status, TaskStatus::Ready | TaskStatus::Queued);
        let started_at = match next {
            None | Some(TaskStatus::Ready | TaskStatus::Queued) => None,
            Some(TaskStatus::Running) => task.started_at,
            Some(_) => Some(now),
        };
        let finished_at = next.filter(|next| next.is_terminal()).map(|_| now);
        let start = Promise::new(sla.start_within, ready_at, started_at);
        let finish = Promise::new(sla.finish_within, ready_at, finished_at);
        Some((
            start.filter(|_| is_open && !missed.start),
            finish.filter(|_| !missed.finish),
        ))
    }
}

/// What was kept needs no alarm.
fn earliest(start: Option<Promise>, finish: Option<Promise>) -> Option<Timestamp> {
    [start, finish]
        .into_iter()
        .flatten()
        .filter(|promise| promise.kept_at.is_none())
        .map(|promise| promise.due)
        .min()
}
