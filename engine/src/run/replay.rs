//! The state that a run's history tells: every fact that its records determine, to be compared with what is stored.
//!
//! Left out on purpose, because the history does not repeat what is large or fleeting: inputs and outputs, signs of life of
//! a running attempt, and the alarms, which `check` derives from the columns that are compared here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::status_after;
use super::{Counts, Record, RecordKind, RunState, RunStatus, TaskFailure, TaskState, TaskStatus};
use crate::{Plan, TaskIx, Timestamp};

/// A replay in progress: records go in, in the order of their numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    status: RunStatus,
    is_paused: bool,
    created_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// Kind and code of the failure that ended the run.
    error: Option<Cause>,
    /// Known once the run has ended.
    has_tolerated_failures: bool,
    next_seq: i64,
    tasks: BTreeMap<TaskIx, Told>,
}

/// What the history tells of a task.
#[derive(Debug, Clone, PartialEq, Default)]
struct Told {
    key: String,
    status: Option<TaskStatus>,
    attempt: u32,
    retries: u32,
    losses: u32,
    ready_at: Option<Timestamp>,
    queued_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    worker: Option<String>,
    error: Option<Cause>,
}

/// Kind and code of a failure, as the history writes them.
type Cause = (String, String);

impl Default for Replay {
    fn default() -> Self {
        Self {
            status: RunStatus::Pending,
            is_paused: false,
            created_at: None,
            started_at: None,
            finished_at: None,
            error: None,
            has_tolerated_failures: false,
            next_seq: 1,
            tasks: BTreeMap::new(),
        }
    }
}

impl Replay {
    /// The replay of a whole history.
    #[must_use]
    pub fn of<'r>(records: impl IntoIterator<Item = &'r Record>) -> Self {
        let mut replay = Self::default();
        for record in records {
            replay.append(record);
        }
        replay
    }

    /// One more record.
    pub fn append(&mut self, record: &Record) {
        self.next_seq = record.seq.saturating_add(1);
        match record.task {
            Some(ix) => self.tasks.entry(ix).or_default().append(record),
            None => self.append_to_run(record),
        }
    }

    fn append_to_run(&mut self, record: &Record) {
        let ended = run_end(record.kind);
        if record.kind == RecordKind::RunCreated {
            self.created_at = Some(record.at);
        } else if record.kind == RecordKind::RunStarted {
            self.status = RunStatus::Running;
            self.started_at = Some(record.at);
        } else if record.kind == RecordKind::RunPaused {
            self.is_paused = true;
        } else if record.kind == RecordKind::RunResumed {
            self.is_paused = false;
        } else if record.kind == RecordKind::RunCancelRequested {
            self.is_paused = false;
            // a request that comes while handlers run leaves the outcome as it is
            if fact(record, "outcome").is_none() {
                self.status = RunStatus::Cancelling;
            }
        } else if record.kind == RecordKind::RunCompensating {
            self.status = RunStatus::Compensating;
        } else if record.kind == RecordKind::RunReopened {
            self.status = RunStatus::Running;
            self.finished_at = None;
        } else if let Some(status) = ended {
            self.status = status;
            self.is_paused = false;
            self.finished_at = Some(record.at);
            self.error = cause(record);
            self.has_tolerated_failures =
                fact(record, "hasToleratedFailures").and_then(Value::as_bool) == Some(true);
        }
    }

    /// Where the stored state differs from what the history tells, one sentence each; empty when they agree.
    #[must_use]
    pub fn differences(&self, plan: &Plan, state: &RunState) -> Vec<String> {
        let mut found = Found::default();
        found.compare("next_seq", self.next_seq, state.next_seq);
        found.compare("status", self.status, state.status);
        found.compare("is_paused", self.is_paused, state.is_paused);
        found.compare("started_at", self.started_at, state.started_at);
        found.compare("finished_at", self.finished_at, state.finished_at);
        if self.created_at.is_some() {
            found.compare("created_at", self.created_at, Some(state.context.created_at));
        }
        if state.status.is_terminal() {
            found.compare("error", self.error.clone(), state.error.as_ref().map(cause_of));
            found.compare(
                "has_tolerated_failures",
                self.has_tolerated_failures,
                state.has_tolerated_failures,
            );
        }
        let untold = Told::default();
        let mut counts = Counts::default();
        let mut items: BTreeMap<TaskIx, u32> = BTreeMap::new();
        for (at, task) in state.tasks.iter().enumerate() {
            let ix = TaskIx(u32::try_from(at).unwrap_or(u32::MAX));
            let told = self.tasks.get(&ix).unwrap_or(&untold);
            *counts.slot(told.status()) += 1;
            found.about = Some(ix);
            told.compare(task, &mut found);
            let has_history = told.status.is_some();
            if has_history && told.key != state.key(plan, ix) {
                found.compare("key", told.key.clone(), state.key(plan, ix));
            }
            if let Some(item) = &task.item {
                let index = items.entry(item.parent).or_default();
                found.compare("index", *index, item.index);
                *index += 1;
            }
        }
        found.about = None;
        found.compare("counts", counts, state.counts);
        if let Some(last) = self.tasks.keys().next_back()
            && last.at() >= state.tasks.len()
        {
            found.compare("tasks", last.at() + 1, state.tasks.len());
        }
        found.sentences
    }
}

impl Told {
    fn status(&self) -> TaskStatus {
        self.status.unwrap_or(TaskStatus::Blocked)
    }

    fn append(&mut self, record: &Record) {
        if let Some(key) = &record.key
            && self.key != *key
        {
            self.key.clone_from(key);
        }
        if record.kind == RecordKind::TaskSlaMissed {
            // noted in passing, maybe in the name of an attempt whose own record is still to come
            return;
        }
        let status = status_after(record.kind);
        if record.kind == RecordKind::TaskRetryRequested {
            // a new generation: only the number that fences late reports goes on
            *self = Self {
                key: std::mem::take(&mut self.key),
                status,
                attempt: self.attempt,
                ..Self::default()
            };
            return;
        }
        if record.kind == RecordKind::TaskReady && record.reason.as_deref() == Some("RETRIES_EXHAUSTED") {
            // another round, in which everything is counted anew
            (self.retries, self.losses, self.ready_at) = (0, 0, None);
            (self.status, self.error) = (status, cause(record));
            return;
        }
        if self.ready_at.is_none() && is_eligible(record, status) {
            self.ready_at = Some(record.at);
        }
        self.note_attempt(record, status);
        if record.kind == RecordKind::TaskStarted {
            self.started_at = Some(record.at);
            self.worker.clone_from(&record.actor);
        } else if record.kind == RecordKind::AttemptLost {
            self.losses += 1;
        } else if record.kind == RecordKind::TaskRepeated {
            // the next round has retries of its own
            self.retries = 0;
            self.losses = 0;
            self.error = None;
        } else if record.kind == RecordKind::RetryScheduled {
            let retry = fact(record, "retry").and_then(Value::as_u64);
            self.retries = retry.and_then(|n| u32::try_from(n).ok()).unwrap_or(self.retries);
        } else if matches!(
            record.kind,
            RecordKind::AttemptFailed
                | RecordKind::AttemptTimedOut
                | RecordKind::TaskFailed
                | RecordKind::TaskTimedOut
        ) {
            self.error = cause(record);
        }
        let Some(status) = status else { return };
        self.status = Some(status);
        self.finished_at = status.is_terminal().then_some(record.at);
        if matches!(status, TaskStatus::Succeeded | TaskStatus::Cached) {
            self.error = None;
        }
    }

    /// A new attempt begins with its dispatch, or at once when it takes no worker.
    fn note_attempt(&mut self, record: &Record, status: Option<TaskStatus>) {
        let Some(attempt) = record.attempt.filter(|attempt| *attempt > self.attempt) else {
            return;
        };
        self.attempt = attempt;
        if status == Some(TaskStatus::Queued) {
            self.queued_at = Some(record.at);
            self.started_at = None;
            self.worker = None;
        } else {
            self.started_at = Some(record.at);
        }
    }

    fn compare(&self, task: &TaskState, found: &mut Found) {
        found.compare("status", self.status(), task.status);
        found.compare("attempt", self.attempt, task.attempt);
        found.compare("retries", self.retries, task.retries);
        found.compare("losses", self.losses, task.losses);
        found.compare("ready_at", self.ready_at, task.ready_at);
        found.compare("queued_at", self.queued_at, task.queued_at);
        found.compare("started_at", self.started_at, task.started_at);
        found.compare("finished_at", self.finished_at, task.finished_at);
        found.compare("worker", self.worker.as_deref(), task.worker.as_deref());
        found.compare("error", self.error.clone(), task.error.as_ref().map(cause_of));
    }
}

/// Differences so far.
#[derive(Default)]
struct Found {
    about: Option<TaskIx>,
    sentences: Vec<String>,
}

impl Found {
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, column: &str, told: T, stored: T) {
        if told != stored {
            let about = self
                .about
                .map_or_else(|| "the run".to_owned(), |ix| format!("task {}", ix.0));
            self.sentences.push(format!(
                "{about}: {column} is {stored:?}, its history says {told:?}"
            ));
        }
    }
}

/// The status that a record ends the run with.
fn run_end(kind: RecordKind) -> Option<RunStatus> {
    let ends = [
        (RecordKind::RunSucceeded, RunStatus::Succeeded),
        (RecordKind::RunFailed, RunStatus::Failed),
        (RecordKind::RunCancelled, RunStatus::Cancelled),
        (RecordKind::RunTimedOut, RunStatus::TimedOut),
        (RecordKind::RunCompensated, RunStatus::Compensated),
        (RecordKind::RunCompensationFailed, RunStatus::CompensationFailed),
    ];
    ends.into_iter()
        .find(|(end, _)| *end == kind)
        .map(|(_, status)| status)
}

/// Whether a record shows that the task's upstreams allowed it. A task that was skipped or cancelled while it waited for
/// them never was eligible, one whose condition was false was.
fn is_eligible(record: &Record, status: Option<TaskStatus>) -> bool {
    match status {
        Some(TaskStatus::Skipped) => record.reason.as_deref() == Some("CONDITION_FALSE"),
        Some(TaskStatus::Cancelled | TaskStatus::Blocked) => false,
        Some(
            TaskStatus::Ready
            | TaskStatus::Queued
            | TaskStatus::Running
            | TaskStatus::Waiting
            | TaskStatus::RetryWait
            | TaskStatus::Succeeded
            | TaskStatus::Failed
            | TaskStatus::TimedOut
            | TaskStatus::Cached,
        ) => true,
        None => matches!(
            record.kind,
            RecordKind::AttemptFailed | RecordKind::AttemptTimedOut
        ),
    }
}

fn fact<'r>(record: &'r Record, name: &str) -> Option<&'r Value> {
    record.data.as_ref()?.get(name)
}

fn cause(record: &Record) -> Option<Cause> {
    let text = |name| fact(record, name)?.as_str().map(str::to_owned);
    Some((text("category")?, text("code")?))
}

fn cause_of(failure: &TaskFailure) -> Cause {
    let category = serde_json::to_value(failure.category).unwrap_or_default();
    (
        category.as_str().unwrap_or_default().to_owned(),
        failure.code.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testkit::{Driver, root, task, workflow};

    fn differences(breaks: fn(&mut RunState)) -> Vec<String> {
        let mut run = Driver::started(workflow(vec![root("a"), task("b", &["a"])]));
        run.begin("a");
        run.succeed("a");
        run.fail("b");
        breaks(&mut run.state);
        Replay::of(&run.records).differences(&run.plan, &run.state)
    }

    #[test]
    fn an_untouched_state_is_what_its_history_tells() {
        assert_eq!(differences(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn each_changed_column_is_found_and_named() {
        type Break = fn(&mut RunState);
        const OTHER: Option<Timestamp> = Some(Timestamp(7));
        let breaks: [(&str, Break); 18] = [
            ("the run: status", |s| s.status = RunStatus::Cancelled),
            ("the run: is_paused", |s| s.is_paused = true),
            ("the run: next_seq", |s| s.next_seq += 1),
            ("the run: started_at", |s| s.started_at = OTHER),
            ("the run: finished_at", |s| s.finished_at = OTHER),
            ("the run: error", |s| s.error = None),
            ("the run: has_tolerated_failures", |s| {
                s.has_tolerated_failures = true
            }),
            ("the run: counts", |s| s.counts.failed += 1),
            ("task 0: status", |s| s.tasks[0].status = TaskStatus::Skipped),
            ("task 0: attempt", |s| s.tasks[0].attempt = 2),
            ("task 0: retries", |s| s.tasks[0].retries = 2),
            ("task 0: losses", |s| s.tasks[0].losses = 2),
            ("task 0: ready_at", |s| s.tasks[0].ready_at = None),
            ("task 0: queued_at", |s| s.tasks[0].queued_at = OTHER),
            ("task 0: started_at", |s| s.tasks[0].started_at = OTHER),
            ("task 0: finished_at", |s| s.tasks[0].finished_at = OTHER),
            ("task 0: worker", |s| s.tasks[0].worker = Some("w2".into())),
            ("task 1: error", |s| s.tasks[1].error = None),
        ];
        for (column, breaks) in breaks {
            let found = differences(breaks);
            assert!(
                found.len() == 1 && found[0].starts_with(column),
                "{column}: {found:?}"
            );
        }
    }
}
