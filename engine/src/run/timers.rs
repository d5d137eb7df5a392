//! The alarm clock: what is due when, and what happens then.

use std::time::Duration;

use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::{Category, Command, Outcome, RecordKind, RunState, RunStatus, Stale, TaskFailure, TaskStatus};
use crate::{Plan, TaskIx, Timestamp};

/// How much longer than its timeout an attempt may stay unreported: the worker enforces the timeout, and its report needs time.
const TIMEOUT_GRACE: Duration = Duration::from_secs(10);
/// Longest silence of a running attempt that has no setting of its own. Workers send heartbeats every 10 s.
const LEASE: Duration = Duration::from_secs(60);
/// An alarm that rings this much too late means that nobody listened: the heartbeats of that time could not arrive either, and the
/// attempt gets another lease instead of a second worker beside the first.
const ALARM_DELAY_MAX: Duration = Duration::from_secs(20);
/// After this long in `QUEUED` the message may be lost: it is sent again, then after twice as long, and so on.
const REDISPATCH_AFTER: Duration = Duration::from_secs(600);
/// Doubling of the interval stops here (10 min × 2^8: almost two days).
const REDISPATCH_DOUBLINGS_MAX: u32 = 8;

/// What an alarm of a task means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    CompleteWithin,
    StartWithin,
    AttemptTimeout,
    Lease,
    Redispatch,
    Retry,
    Wait,
    Repeat,
    Expand,
    Sla,
}

impl RunState {
    /// When the workflow's timeout ends the run.
    pub(super) fn timeout_at(&self, plan: &Plan) -> Option<Timestamp> {
        let from = self.extra.reopened_at.or(self.started_at)?;
        plan.workflow().timeout.map(|limit| from.after(limit))
    }
}

impl Machine<'_> {
    pub fn on_tick(&mut self) -> Outcome {
        let now = self.now();
        if self.run_deadline().is_some_and(|deadline| deadline <= now) {
            self.on_run_deadline();
            return Outcome::Applied;
        }
        let due: Vec<TaskIx> = self
            .state
            .extra
            .derived
            .alarms
            .range(..=(now, TaskIx(u32::MAX)))
            .map(|(_, ix)| *ix)
            .collect();
        let has_alert = self.note_run_sla();
        if due.is_empty() && !has_alert && self.state.wake_at.is_none_or(|at| at > now) {
            return Outcome::Ignored(Stale::NothingDue);
        }
        // with nothing due the stored alarm was an early one, and is set anew
        for ix in due {
            // an earlier one of this tick may have changed it
            if self.task(ix).wake_at.is_some_and(|wake_at| wake_at <= now) {
                self.on_due(ix);
            }
        }
        Outcome::Applied
    }

    /// When the run itself is due: end of its timeout, or of the grace of a cancel.
    pub fn run_deadline(&self) -> Option<Timestamp> {
        if self.state.extra.outcome.is_some() {
            return None;
        }
        match self.state.status {
            RunStatus::Cancelling => self.state.extra.cancel_deadline,
            RunStatus::Running => self.state.timeout_at(self.plan),
            RunStatus::Pending
            | RunStatus::Compensating
            | RunStatus::Succeeded
            | RunStatus::Failed
            | RunStatus::Cancelled
            | RunStatus::TimedOut
            | RunStatus::Compensated
            | RunStatus::CompensationFailed => None,
        }
    }

    fn on_run_deadline(&mut self) {
        if self.state.status == RunStatus::Cancelling {
            self.cancel_main("GRACE_ELAPSED");
            return;
        }
        self.state.error = Some(TaskFailure::new(
            Category::Timeout,
            "RUN_TIMEOUT",
            "the run took longer than its timeout",
            false,
        ));
        self.cancel_main("RUN_TIMED_OUT");
        self.conclude_main(RunStatus::TimedOut);
    }

    /// End of `complete_within`, which spans retries.
    pub fn complete_by(&self, ix: TaskIx) -> Option<Timestamp> {
        let limit = self.definition(ix).complete_within?;
        self.task(ix).ready_at.map(|ready_at| ready_at.after(limit))
    }

    /// Sets the task's alarm from its columns. Not for `RETRY_WAIT`, whose alarm is the only place that says when.
    pub fn rearm(&mut self, ix: TaskIx) {
        if self.task(ix).status != TaskStatus::RetryWait {
            let alarm = self.next_due(ix).map(|(at, _)| at);
            self.set_alarm(ix, alarm);
        }
    }

    fn next_due(&self, ix: TaskIx) -> Option<(Timestamp, Due)> {
        let task = self.task(ix);
        let definition = self.definition(ix);
        let own: [Option<(Timestamp, Due)>; 2] = match task.status {
            TaskStatus::Queued => {
                let start_by = definition
                    .start_within
                    .and_then(|limit| Some(task.queued_at?.after(limit)));
                let again = task
                    .queued_at
                    .map(|queued_at| redispatch_at(queued_at, TaskExtra::of(task).redispatches));
                [
                    start_by.map(|at| (at, Due::StartWithin)),
                    again.map(|at| (at, Due::Redispatch)),
                ]
            }
            TaskStatus::Running => {
                let started_at = task.started_at.unwrap_or(self.now());
                let timeout = definition
                    .timeout
                    .map(|limit| started_at.after(limit).after(TIMEOUT_GRACE));
                let lease = match task.heartbeat_at {
                    Some(heartbeat_at) => heartbeat_at
                        .max(started_at)
                        .after(definition.heartbeat.unwrap_or(LEASE)),
                    None => started_at.after(definition.heartbeat.unwrap_or(LEASE).max(LEASE)),
                };
                [
                    timeout.map(|at| (at, Due::AttemptTimeout)),
                    Some((lease, Due::Lease)),
                ]
            }
            TaskStatus::Waiting if self.repeats_at(ix).is_some() => {
                [self.repeats_at(ix).map(|at| (at, Due::Repeat)), None]
            }
            TaskStatus::Waiting if self.expands_at(ix).is_some() => {
                [self.expands_at(ix).map(|at| (at, Due::Expand)), None]
            }
            TaskStatus::Waiting if self.waits_for_child(ix) => {
                let started_at = task.started_at.unwrap_or(self.now());
                let timeout = definition.timeout.map(|limit| started_at.after(limit));
                [timeout.map(|at| (at, Due::AttemptTimeout)), None]
            }
            TaskStatus::Waiting => [self.wait_due(ix).map(|at| (at, Due::Wait)), None],
            TaskStatus::RetryWait => [self.retries_at(ix).map(|at| (at, Due::Retry)), None],
            TaskStatus::Ready => [None, None],
            TaskStatus::Blocked
            | TaskStatus::Succeeded
            | TaskStatus::Failed
            | TaskStatus::TimedOut
            | TaskStatus::Cancelled
            | TaskStatus::Skipped
            | TaskStatus::Cached => return None,
        };
        let complete_by = self.complete_by(ix).map(|at| (at, Due::CompleteWithin));
        let alert = self.task_sla_due(ix).map(|at| (at, Due::Sla));
        own.into_iter().chain([complete_by, alert]).flatten().min()
    }

    fn on_due(&mut self, ix: TaskIx) {
        let Some((at, due)) = self.next_due(ix) else {
            return self.set_alarm(ix, None);
        };
        if at > self.now() {
            return self.rearm(ix);
        }
        let timeout = |code: &str, message: &str, retryable| {
            TaskFailure::new(Category::Timeout, code, message, retryable)
        };
        match due {
            Due::CompleteWithin => {
                self.stop(ix);
                let message = "all attempts together took longer than allowed";
                self.give_up(ix, timeout("COMPLETE_WITHIN", message, false), "COMPLETE_WITHIN");
            }
            Due::StartWithin => {
                self.stop(ix);
                let message = "no worker took the task in time";
                self.give_up(ix, timeout("START_WITHIN", message, false), "START_WITHIN");
            }
            Due::AttemptTimeout => {
                self.stop(ix);
                self.fail_attempt(
                    ix,
                    timeout("TIMEOUT", "the attempt took longer than its timeout", true),
                );
            }
            Due::Lease if self.now().since(at) > ALARM_DELAY_MAX => {
                let now = self.now();
                self.task_mut(ix).heartbeat_at = Some(now);
                self.rearm(ix);
            }
            Due::Lease => {
                self.stop(ix);
                self.lose_attempt(ix, "LEASE_EXPIRED");
            }
            Due::Redispatch => self.dispatch_again(ix),
            Due::Retry => self.start(ix),
            Due::Wait => self.on_wait_due(ix),
            Due::Repeat => self.begin_round(ix),
            Due::Expand => self.expand_further(ix),
            Due::Sla => self.on_task_sla_due(ix),
        }
    }

    /// The same attempt once more: whoever reports first is taken.
    fn dispatch_again(&mut self, ix: TaskIx) {
        let mut extra = TaskExtra::of(self.task(ix));
        extra.redispatches = extra.redispatches.saturating_add(1);
        let task = self.task_mut(ix);
        task.extra = extra.store();
        let attempt = task.attempt;
        self.rearm(ix);
        if !self.state.is_paused {
            self.task_record(RecordKind::TaskQueued, ix, Note::reason("REDISPATCHED"));
            self.command(Command::Dispatch { task: ix, attempt });
        }
    }
}

/// 10, 30, 70, 150 … minutes after the first dispatch of the attempt.
fn redispatch_at(queued_at: Timestamp, redispatches: u32) -> Timestamp {
    let full = redispatches.saturating_sub(REDISPATCH_DOUBLINGS_MAX);
    let doublings = redispatches.min(REDISPATCH_DOUBLINGS_MAX);
    let units = (1_u32 << (doublings + 1)) - 1;
    let capped = (1_u32 << REDISPATCH_DOUBLINGS_MAX).saturating_mul(full);
    queued_at.after(REDISPATCH_AFTER.saturating_mul(units.saturating_add(capped)))
}
