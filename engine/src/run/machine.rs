//! The hands of the state machine: every change of a status, alarm or history goes through here, so that counters, indices and rows stay equal.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::derived::Derived;
use super::{
    CancelMode, ChildCommand, Command, Effects, Record, RecordKind, RunState, RunStatus, TaskFailure,
    TaskState, TaskStatus, Usage,
};
use crate::{Moment, Plan, TaskIx, Timestamp};

/// Longest text of a failure in the history; the rest of it is only in the task.
const MESSAGE_CHARS_MAX: usize = 500;

/// One call of `advance` in progress.
pub(super) struct Machine<'a> {
    pub plan: &'a Plan,
    pub state: &'a mut RunState,
    pub moment: &'a Moment,
    pub effects: &'a mut Effects,
    /// Tasks that became terminal and whose downstreams have not heard of it yet.
    settled: VecDeque<TaskIx>,
    /// Items that became tasks in this call.
    pub expanded: u32,
    /// How child runs are cancelled in this call.
    pub cancel_mode: CancelMode,
    /// What the attempt took whose end is being worked off; the record of that end takes it.
    pub usage: Option<Usage>,
}

/// What a record says beside its kind and task.
#[derive(Default)]
pub(super) struct Note<'a> {
    pub actor: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub data: Option<Value>,
    pub at: Option<Timestamp>,
}

impl<'a> Note<'a> {
    pub fn reason(reason: &'a str) -> Self {
        Self {
            reason: Some(reason),
            ..Self::default()
        }
    }

    pub fn data(data: Value) -> Self {
        Self {
            data: Some(data),
            ..Self::default()
        }
    }

    /// What people need to see of a failure in the history; the whole of it is in the task.
    pub fn failure(failure: &TaskFailure) -> Self {
        let message: String = failure.message.chars().take(MESSAGE_CHARS_MAX).collect();
        Self::data(json!({"category": failure.category, "code": failure.code, "message": message}))
    }
}

/// Whether a record tells the end of an attempt that a worker reported.
fn ends_attempt(kind: RecordKind) -> bool {
    matches!(
        kind,
        RecordKind::TaskSucceeded
            | RecordKind::TaskFailed
            | RecordKind::AttemptFailed
            | RecordKind::AttemptTimedOut
            | RecordKind::TaskRepeated
            | RecordKind::TaskWaiting
    )
}

impl<'a> Machine<'a> {
    pub fn new(
        plan: &'a Plan,
        state: &'a mut RunState,
        moment: &'a Moment,
        effects: &'a mut Effects,
    ) -> Self {
        Self {
            plan,
            state,
            moment,
            effects,
            settled: VecDeque::new(),
            expanded: 0,
            cancel_mode: CancelMode::Graceful,
            usage: None,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.moment.now
    }

    pub fn task(&self, ix: TaskIx) -> &TaskState {
        &self.state.tasks[ix.at()]
    }

    /// For columns other than `status` and `wake_at`, which have their own setters.
    pub fn task_mut(&mut self, ix: TaskIx) -> &mut TaskState {
        self.effects.touched.push(ix);
        &mut self.state.tasks[ix.at()]
    }

    pub fn derived(&mut self) -> &mut Derived {
        &mut self.state.extra.derived
    }

    /// The definition of a task or of the fan-out it is an item of.
    pub fn definition(&self, ix: TaskIx) -> &'a crate::definition::Task {
        self.plan.task(self.task(ix).template)
    }

    pub fn is_item(&self, ix: TaskIx) -> bool {
        self.task(ix).item.is_some()
    }

    /// Entropy of one task in this call.
    pub fn entropy(&self, ix: TaskIx) -> u64 {
        mix(self.moment.entropy ^ mix(u64::from(ix.0)))
    }

    pub fn run_record(&mut self, kind: RecordKind, note: Note<'_>) {
        self.push_record(kind, None, note);
    }

    pub fn task_record(&mut self, kind: RecordKind, ix: TaskIx, note: Note<'_>) {
        self.push_record(kind, Some(ix), note);
    }

    fn push_record(&mut self, kind: RecordKind, ix: Option<TaskIx>, note: Note<'_>) {
        let attempt = ix.map(|ix| self.task(ix).attempt).filter(|attempt| *attempt > 0);
        self.effects.records.push(Record {
            seq: self.state.next_seq,
            kind,
            task: ix,
            key: ix.map(|ix| self.state.key(self.plan, ix)),
            attempt,
            at: note.at.unwrap_or(self.moment.now),
            actor: note.actor.map(str::to_owned),
            reason: note.reason.map(str::to_owned),
            data: note.data,
            usage: if ends_attempt(kind) {
                self.usage.take()
            } else {
                None
            },
        });
        self.state.next_seq += 1;
    }

    pub fn command(&mut self, command: Command) {
        self.effects.commands.push(command);
    }

    /// Tells the worker, where there may be one, or the child run that the current attempt is no longer wanted.
    pub fn stop(&mut self, ix: TaskIx) {
        let task = self.task(ix);
        if self.waits_for_child(ix) {
            let (attempt, mode) = (task.attempt, self.cancel_mode);
            self.command(Command::Child(ChildCommand::Cancel {
                task: ix,
                attempt,
                mode,
            }));
        } else if matches!(task.status, TaskStatus::Queued | TaskStatus::Running) {
            let attempt = task.attempt;
            self.command(Command::Stop { task: ix, attempt });
        }
    }

    /// Changes a status and everything that is counted by it. A terminal status clears the alarm and wakes the downstreams.
    pub fn set_status(&mut self, ix: TaskIx, status: TaskStatus) {
        self.note_task_sla(ix, Some(status));
        let before = std::mem::replace(&mut self.task_mut(ix).status, status);
        *self.state.counts.slot(before) -= 1;
        *self.state.counts.slot(status) += 1;
        let is_in_flight = |status| matches!(status, TaskStatus::Queued | TaskStatus::Running);
        let derived = &mut self.state.extra.derived;
        match (is_in_flight(before), is_in_flight(status)) {
            (false, true) => derived.in_flight += 1,
            (true, false) => derived.in_flight -= 1,
            (true, true) | (false, false) => {}
        }
        if before == TaskStatus::Waiting && status != TaskStatus::Waiting {
            self.leave_wait(ix);
        }
        let derived = &mut self.state.extra.derived;
        if before == TaskStatus::Ready {
            derived.ready.remove(&ix);
        }
        if status == TaskStatus::Ready {
            derived.ready.insert(ix);
        }
        if before.is_terminal() != status.is_terminal() {
            self.count_open(ix, status);
        }
        if before != status && (before == TaskStatus::Blocked || status == TaskStatus::Blocked) {
            self.count_backlog(ix, status);
        }
        self.settle_gate(ix, before);
        if status.is_terminal() {
            self.task_mut(ix).finished_at = Some(self.moment.now);
            self.set_alarm(ix, None);
            self.settled.push_back(ix);
        } else {
            self.rearm(ix);
        }
    }

    fn count_open(&mut self, ix: TaskIx, status: TaskStatus) {
        if let Some(parent) = self.task(ix).item.as_ref().map(|item| item.parent) {
            let fanout = self.derived().fanouts.entry(parent).or_default();
            if status.is_terminal() {
                fanout.live -= 1;
            } else {
                fanout.live += 1;
            }
            return;
        }
        let slot = self.state.extra.derived.open_slot(self.plan, ix);
        if status.is_terminal() {
            *slot -= 1;
        } else {
            *slot += 1;
        }
    }

    fn count_backlog(&mut self, ix: TaskIx, status: TaskStatus) {
        let Some(parent) = self.task(ix).item.as_ref().map(|item| item.parent) else {
            return;
        };
        let backlog = &mut self.derived().fanouts.entry(parent).or_default().backlog;
        if status == TaskStatus::Blocked {
            backlog.insert(ix);
        } else {
            backlog.remove(&ix);
        }
    }

    pub fn set_alarm(&mut self, ix: TaskIx, at: Option<Timestamp>) {
        let before = self.task(ix).wake_at;
        if before == at {
            return;
        }
        self.task_mut(ix).wake_at = at;
        let alarms = &mut self.derived().alarms;
        if let Some(before) = before {
            alarms.remove(&(before, ix));
        }
        if let Some(at) = at {
            alarms.insert((at, ix));
        }
    }

    /// Whether new attempts may begin now.
    pub fn may_start(&self) -> bool {
        let is_handling = self.state.extra.outcome.is_some();
        match self.state.status {
            RunStatus::Running => !self.state.is_paused,
            // handlers of a gracefully cancelled run
            RunStatus::Cancelling => is_handling && !self.state.is_paused,
            RunStatus::Compensating => !self.state.is_paused,
            RunStatus::Pending
            | RunStatus::Succeeded
            | RunStatus::Failed
            | RunStatus::Cancelled
            | RunStatus::TimedOut
            | RunStatus::Compensated
            | RunStatus::CompensationFailed => false,
        }
    }

    /// The downstreams of this task were counted anew and need not hear of its end.
    pub fn forget_settled(&mut self, ix: TaskIx) {
        self.settled.retain(|settled| *settled != ix);
    }

    /// Works through everything that the input set off, ends the run if it is decided, and sets the run's alarm.
    pub fn settle_all(&mut self) {
        self.note_run_sla();
        loop {
            while let Some(ix) = self.settled.pop_front() {
                self.on_settled(ix);
            }
            self.finish_if_decided();
            if self.settled.is_empty() {
                break;
            }
        }
        self.state.wake_at = if self.state.status.is_terminal() {
            None
        } else {
            let first = self.state.extra.derived.alarms.first().map(|(at, _)| *at);
            [first, self.run_deadline(), self.run_sla_due()]
                .into_iter()
                .flatten()
                .min()
        };
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one draw of entropy becomes one per task.
pub(super) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
