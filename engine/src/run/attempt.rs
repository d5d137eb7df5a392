//! Reports of workers: started, alive, succeeded, failed, lost. The first valid report of the current attempt wins.

use std::sync::Arc;

use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::{Category, Outcome, RecordKind, Stale, TaskFailure, TaskStatus, Timings};
use crate::{TaskIx, Timestamp};

/// What a heartbeat carries beside the sign of life.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub progress: Option<&'a Arc<str>>,
    pub checkpoint: Option<&'a Arc<str>>,
}

/// Most late reports of one task that the history keeps; a worker that repeats itself must not fill it.
const LATE_REPORTS_MAX: u32 = 3;

impl Machine<'_> {
    pub fn on_attempt_started(
        &mut self,
        ix: TaskIx,
        attempt: u32,
        worker: &Arc<str>,
        at: Timestamp,
    ) -> Outcome {
        if let Some(stale) = self.fence(ix, attempt) {
            return Outcome::Ignored(stale);
        }
        let task = self.task(ix);
        if task.status == TaskStatus::Queued {
            let started_at = self.within_attempt(ix, at);
            self.mark_running(ix, worker, started_at, None);
        } else if task.worker.as_ref() == Some(worker) {
            return Outcome::Ignored(Stale::AlreadyInForce);
        } else {
            // the queue delivered the message again; both may run, one report will be taken
            self.mark_running(ix, worker, self.now(), Some("REDELIVERED"));
        }
        Outcome::Applied
    }

    /// What a worker says of an attempt's progress replaces what it said before, and leaves no record: a beat is no transition.
    pub fn on_heartbeat(&mut self, ix: TaskIx, attempt: u32, worker: &Arc<str>, said: Said<'_>) -> Outcome {
        if let Some(stale) = self.fence(ix, attempt) {
            return Outcome::Ignored(stale);
        }
        let now = self.now();
        if self.task(ix).status == TaskStatus::Queued {
            // the report of the start was lost or is still on its way
            self.mark_running(ix, worker, now, None);
        }
        let task = self.task_mut(ix);
        task.heartbeat_at = Some(now);
        if let Some(progress) = said.progress {
            task.progress = Some(Arc::clone(progress));
        }
        if let Some(checkpoint) = said.checkpoint {
            task.checkpoint = Some(Arc::clone(checkpoint));
        }
        self.rearm(ix);
        Outcome::Applied
    }

    pub fn on_attempt_succeeded(
        &mut self,
        ix: TaskIx,
        attempt: u32,
        output: &Arc<str>,
        timings: &Timings,
    ) -> Outcome {
        if let Some(stale) = self.fence(ix, attempt) {
            return Outcome::Ignored(stale);
        }
        self.note_start(ix, timings);
        self.usage = timings.usage;
        if self.definition(ix).callback {
            // the worker has only set going what will call back
            self.await_callback(ix);
            return Outcome::Applied;
        }
        self.succeed(ix, Arc::clone(output));
        Outcome::Applied
    }

    pub fn on_attempt_failed(
        &mut self,
        ix: TaskIx,
        attempt: u32,
        failure: &TaskFailure,
        timings: &Timings,
    ) -> Outcome {
        if let Some(stale) = self.fence(ix, attempt) {
            return Outcome::Ignored(stale);
        }
        self.note_start(ix, timings);
        self.usage = timings.usage;
        self.fail_attempt(ix, failure.clone());
        Outcome::Applied
    }

    pub fn on_attempt_lost(&mut self, ix: TaskIx, attempt: u32, reason: &str) -> Outcome {
        if let Some(stale) = self.fence(ix, attempt) {
            return Outcome::Ignored(stale);
        }
        self.lose_attempt(ix, reason);
        Outcome::Applied
    }

    /// Loss of a worker is not the task's fault: it has its own counter, and the next attempt begins at once.
    pub fn lose_attempt(&mut self, ix: TaskIx, reason: &str) {
        self.task_record(RecordKind::AttemptLost, ix, Note::reason(reason));
        let task = self.task_mut(ix);
        task.losses = task.losses.saturating_add(1);
        let losses = task.losses;
        if self.is_ending() {
            self.cancel_task(ix, "RUN_CANCELLED");
        } else if losses <= self.definition(ix).max_losses {
            self.start(ix);
        } else {
            let message = format!("the worker was lost {losses} times");
            let failure = TaskFailure::new(Category::Lost, "LOST", message, false);
            self.give_up(ix, failure, "LOSSES_EXHAUSTED");
        }
    }

    /// Why a report of this attempt is not taken; `None` when it is.
    fn fence(&mut self, ix: TaskIx, attempt: u32) -> Option<Stale> {
        let Some(task) = self.state.tasks.get(ix.at()) else {
            return Some(Stale::OldAttempt);
        };
        if attempt == 0 || attempt > task.attempt {
            return Some(Stale::OldAttempt);
        }
        if attempt < task.attempt {
            self.note_late_report(ix, attempt);
            return Some(Stale::OldAttempt);
        }
        match task.status {
            TaskStatus::Queued | TaskStatus::Running => None,
            // the attempt has already failed or was lost
            TaskStatus::Blocked | TaskStatus::Ready | TaskStatus::Waiting | TaskStatus::RetryWait => {
                Some(Stale::OldAttempt)
            }
            TaskStatus::Succeeded
            | TaskStatus::Failed
            | TaskStatus::TimedOut
            | TaskStatus::Cancelled
            | TaskStatus::Skipped
            | TaskStatus::Cached => Some(Stale::TaskIsTerminal),
        }
    }

    fn note_late_report(&mut self, ix: TaskIx, attempt: u32) {
        let mut extra = TaskExtra::of(self.task(ix));
        if extra.late_reports >= LATE_REPORTS_MAX {
            return;
        }
        extra.late_reports += 1;
        self.task_mut(ix).extra = extra.store();
        let data = serde_json::json!({"reportedAttempt": attempt});
        self.task_record(
            RecordKind::LateReport,
            ix,
            Note {
                reason: Some("OLD_ATTEMPT"),
                ..Note::data(data)
            },
        );
    }

    /// A short attempt is only reported at its end: its start enters the history then.
    fn note_start(&mut self, ix: TaskIx, timings: &Timings) {
        if self.task(ix).status == TaskStatus::Queued {
            let started_at = self.within_attempt(ix, timings.started_at);
            self.mark_running(ix, &timings.worker, started_at, None);
        }
    }

    fn mark_running(&mut self, ix: TaskIx, worker: &Arc<str>, started_at: Timestamp, reason: Option<&str>) {
        let task = self.task_mut(ix);
        task.worker = Some(Arc::clone(worker));
        task.started_at = Some(started_at);
        task.heartbeat_at = None;
        self.set_status(ix, TaskStatus::Running);
        let note = Note {
            actor: Some(worker),
            reason,
            at: Some(started_at),
            ..Note::default()
        };
        self.task_record(RecordKind::TaskStarted, ix, note);
    }

    /// A worker's clock is believed where it fits between the dispatch and now; leases must not depend on one that is off.
    fn within_attempt(&self, ix: TaskIx, at: Timestamp) -> Timestamp {
        let queued_at = self.task(ix).queued_at.unwrap_or(at);
        if queued_at <= at && at <= self.now() {
            at
        } else {
            self.now()
        }
    }
}
