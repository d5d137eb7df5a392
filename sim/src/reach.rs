//! What simulations come to: states and turns of runs that must all be reached, or a generator that has quietly stopped
//! making something would leave it untested.

use runnel_engine::Plan;
use runnel_engine::plan::Section;
use runnel_engine::run::{Record, RecordKind, RunState, RunStatus, TaskState, TaskStatus};
use runnel_runtime::offline::Change;
use serde_json::Value;

macro_rules! reaches {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Something that a simulation may come to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reach { $($(#[$doc])* $name),+ }

        impl Reach {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

reaches! {
    /// A child run was started.
    ChildStarted,
    /// One that nobody waits for.
    ChildFree,
    /// A parent heard of a good end.
    ChildSucceeded,
    /// A parent heard of a bad end.
    ChildFailed,
    /// A parent heard of a child that was cancelled by itself.
    ChildCancelled,
    /// A parent's end went down to a child.
    ChildCancelledDown,
    /// A child was made when nobody wanted it any more.
    ChildOrphaned,
    /// The limit of depth.
    ChildTooDeep,
    /// A child is the item of a fan-out.
    ChildOfFanOut,
    /// A wait for a span of time.
    WaitFor,
    /// A wait for a moment.
    WaitUntil,
    /// A wait for an event.
    WaitEvent,
    /// An event ended a wait.
    EventTaken,
    /// An event ended a wait that began after it.
    EventLookedBack,
    /// A wait for a signal.
    WaitSignal,
    /// A signal found a task that waited.
    SignalTaken,
    /// A task found a signal that was kept.
    SignalKept,
    /// A signal came again.
    SignalRepeated,
    /// Nothing came in time: the task failed.
    WaitTimedOut,
    /// The same: it was skipped.
    WaitSkipped,
    /// An approval was asked for.
    ApprovalAsked,
    /// A vote was not enough.
    VoteNotEnough,
    /// A vote did not count.
    VoteRefused,
    /// An approval was given.
    Approved,
    /// One was refused.
    Rejected,
    /// Nobody decided in time.
    ApprovalExpired,
    /// People were reminded.
    ApprovalReminded,
    /// Others were asked as well.
    ApprovalEscalated,
    /// A task waited for its callback.
    WaitCallback,
    /// A callback ended well.
    CallbackSucceeded,
    /// One reported a failure.
    CallbackFailed,
    /// One came before the worker's own report.
    CallbackEarly,
    /// A token was good no more.
    CallbackRefused,
    /// The holder of a token kept its attempt alive.
    CallbackAlive,
    /// Nobody used a token in time.
    CallbackTimedOut,
    /// A rollback began.
    Compensating,
    /// Of a failed run.
    CompensatingFailed,
    /// Of a cancelled run.
    CompensatingCancelled,
    /// Of a run that took too long.
    CompensatingTimedOut,
    /// A rollback succeeded.
    Compensated,
    /// A rollback failed.
    CompensationFailed,
    /// What had not run needed no undoing.
    NothingToUndo,
    /// A failure stopped it.
    CompensationHalted,
    /// A point of no return stopped it.
    PointOfNoReturn,
    /// An operator went on with a rollback.
    CompensationRetried,
    /// A run was paused while it was rolled back.
    CompensationPaused,
    /// A run was cancelled while it was rolled back.
    CompensationCancelled,
    /// A run was run again from its failures.
    RerunFailed,
    /// From chosen tasks.
    RerunTasks,
    /// As a new run that takes over results.
    RerunKept,
    /// An operator set a good result.
    OverriddenGood,
    /// A failure.
    OverriddenBad,
    /// A result of a run that had ended.
    OverriddenAfterTheEnd,
    /// An operator retried a task.
    Retried,
    /// An item of a fan-out.
    ItemRetried,
    /// A task of a run that had ended.
    Reopened,
    /// An operator skipped a task.
    SkippedByHand,
    /// A task became a dead letter.
    DeadLettered,
    /// One was replayed.
    LetterReplayed,
    /// Retries were used up, and the run waits for a person.
    ExhaustedPause,
    /// A fan-out over combinations.
    Matrix,
    /// A fan-out over lists of items.
    Batch,
    /// A fan-out without items.
    NoItems,
    /// Failures of items were forgiven.
    Tolerated,
    /// There were too many.
    ItemsFailed,
    /// An operator changed the limits of a fan-out.
    LimitsChanged,
    /// A loop went on.
    Repeated,
    /// A loop ended because its condition held.
    RepeatedUntil,
    /// A loop ended at its limit.
    RepeatLimit,
    /// A kept result was taken.
    Cached,
    /// A run waited for its group.
    RunQueued,
    /// A run was turned away.
    RunTurned,
    /// A run made room for a newer one.
    RunDisplaced,
    /// A task was turned away.
    TaskTurned,
    /// A task waited for its group.
    GroupFull,
    /// For its rate.
    RateFull,
    /// For its breaker.
    CircuitOpen,
    /// A handler of failed runs ran.
    OnFailure,
    /// After a timeout of the run.
    OnFailureTimedOut,
    /// A handler of succeeded runs ran.
    OnSuccess,
    /// A handler of all runs ran after success.
    FinallySucceeded,
    /// After a failure.
    FinallyFailed,
    /// After a cancel.
    FinallyCancelled,
    /// After a rollback.
    FinallyCompensated,
    /// A handler failed.
    HandlerFailed,
    /// A run was cancelled while its handlers ran.
    HandlerCancelled,
    /// A run was paused while its handlers ran.
    HandlerPaused,
    /// An attempt took too long.
    AttemptTimedOut,
    /// Nobody began an attempt in time.
    StartWithin,
    /// All attempts took too long.
    CompleteWithin,
    /// A lease ran out.
    LeaseExpired,
    /// Too many workers were lost.
    LossesExhausted,
    /// A run took too long.
    RunTimedOut,
    /// An alert of a task.
    TaskAlert,
    /// An alert of a run.
    RunAlert,
    /// A run was paused.
    Paused,
    /// While an attempt was in flight.
    PausedInFlight,
    /// While a task waited.
    PausedWaiting,
    /// A run was resumed.
    Resumed,
    /// A run was cancelled gracefully.
    CancelledGracefully,
    /// At once.
    CancelledNow,
    /// Before it had begun.
    CancelledPending,
    /// The grace was over before the attempts.
    GraceElapsed,
    /// A failure cancelled everything else.
    FailFast,
    /// A condition was false.
    ConditionFalse,
    /// A retry was scheduled.
    RetryScheduled,
    /// A message was sent again.
    Redispatched,
    /// A message was delivered again.
    Redelivered,
    /// A report came too late.
    LateReport,
    /// An output repeated a secret.
    SecretInOutput,
    /// A failure repeated one.
    SecretInFailure,
    /// A failure was tolerated and the run succeeded.
    SucceededAllTheSame,
}

/// How many there are.
pub const REACHES: usize = Reach::ALL.len();

/// How often each was reached.
#[derive(Debug, Clone, Copy)]
pub struct Counts([u32; REACHES]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; REACHES])
    }
}

impl Counts {
    /// It was reached once more.
    pub fn add(&mut self, reach: Reach) {
        self.0[reach as usize] += 1;
    }

    /// All that another simulation has reached.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// How often it was reached.
    #[must_use]
    pub fn of(&self, reach: Reach) -> u32 {
        self.0[reach as usize]
    }

    /// What was never reached.
    #[must_use]
    pub fn missing(&self) -> Vec<Reach> {
        let all = Reach::ALL.iter().copied();
        all.filter(|reach| self.of(*reach) == 0).collect()
    }
}

/// What a change of a run has come to.
#[must_use]
pub fn reached(change: &Change<'_>) -> Vec<Reach> {
    let plan = change.version.plan();
    let mut found = Vec::new();
    for record in change.records {
        found.extend(of_run(plan, change.state, change.records, record));
        found.extend(of_task(plan, change.state, record));
        found.extend(of_kind(record));
        found.extend(of_reason(record));
        found.extend(of_failure(record));
    }
    found
}

fn fact<'r>(record: &'r Record, name: &str) -> &'r str {
    let data = record.data.as_ref().and_then(|data| data.get(name));
    data.and_then(Value::as_str).unwrap_or_default()
}

fn of_run(plan: &Plan, state: &RunState, records: &[Record], record: &Record) -> Vec<Reach> {
    let mut found = Vec::new();
    match record.kind {
        RecordKind::RunCancelRequested => found.extend(of_cancel(plan, state, record)),
        RecordKind::RunPaused => found.extend(of_pause(state, record)),
        RecordKind::RunResumed => found.push(Reach::Resumed),
        RecordKind::RunTurned => found.push(Reach::RunTurned),
        RecordKind::RunTimedOut => found.push(Reach::RunTimedOut),
        RecordKind::RunSlaMissed => found.push(Reach::RunAlert),
        RecordKind::RunReopened => found.push(Reach::Reopened),
        RecordKind::RunSucceeded if state.has_tolerated_failures => found.push(Reach::SucceededAllTheSame),
        RecordKind::RunRerunRequested => found.push(match fact(record, "from") {
            "TASKS" => Reach::RerunTasks,
            _ => Reach::RerunFailed,
        }),
        RecordKind::RunCompensating => {
            found.push(Reach::Compensating);
            found.push(match fact(record, "outcome") {
                "CANCELLED" => Reach::CompensatingCancelled,
                "TIMED_OUT" => Reach::CompensatingTimedOut,
                _ => Reach::CompensatingFailed,
            });
        }
        RecordKind::RunCompensated => found.push(Reach::Compensated),
        RecordKind::RunCompensationFailed => found.push(Reach::CompensationFailed),
        RecordKind::TaskOverridden => {
            found.push(match fact(record, "result") {
                "SUCCEEDED" => Reach::OverriddenGood,
                _ => Reach::OverriddenBad,
            });
            let is_reopened = records.iter().any(|other| other.kind == RecordKind::RunReopened);
            found.extend(is_reopened.then_some(Reach::OverriddenAfterTheEnd));
        }
        _ => {}
    }
    found
}

fn of_cancel(plan: &Plan, state: &RunState, record: &Record) -> Vec<Reach> {
    let actor = record.actor.as_deref().unwrap_or_default();
    let is_late = !fact(record, "outcome").is_empty();
    let undoes = plan.section_tasks(Section::Compensation).next().is_some();
    let mut found = vec![match fact(record, "mode") {
        "NOW" => Reach::CancelledNow,
        _ => Reach::CancelledGracefully,
    }];
    for (is_so, reach) in [
        (actor.starts_with("run:"), Reach::ChildCancelledDown),
        (actor == "runnel", Reach::RunDisplaced),
        (state.started_at.is_none(), Reach::CancelledPending),
        (is_late, Reach::HandlerCancelled),
        (is_late && undoes, Reach::CompensationCancelled),
    ] {
        found.extend(is_so.then_some(reach));
    }
    found
}

fn of_pause(state: &RunState, record: &Record) -> Vec<Reach> {
    let any = |status: &[TaskStatus]| state.tasks.iter().any(|task| status.contains(&task.status));
    let is_undoing = state.status == RunStatus::Compensating && state.extra.compensation.is_none();
    let mut found = vec![Reach::Paused];
    for (is_so, reach) in [
        (
            any(&[TaskStatus::Queued, TaskStatus::Running]),
            Reach::PausedInFlight,
        ),
        (any(&[TaskStatus::Waiting]), Reach::PausedWaiting),
        (is_undoing, Reach::CompensationPaused),
        (state.extra.outcome.is_some() && !is_undoing, Reach::HandlerPaused),
        (
            record.reason.as_deref() == Some("RETRIES_EXHAUSTED"),
            Reach::ExhaustedPause,
        ),
    ] {
        found.extend(is_so.then_some(reach));
    }
    found
}

fn of_task(plan: &Plan, state: &RunState, record: &Record) -> Vec<Reach> {
    let Some(task) = record.task.and_then(|ix| state.tasks.get(ix.at())) else {
        return Vec::new();
    };
    let definition = plan.task(task.template);
    let mut found = Vec::new();
    match record.kind {
        RecordKind::ChildStarted => {
            found.push(Reach::ChildStarted);
            let is_free = definition.input["wait"] == Value::Bool(false);
            found.extend(is_free.then_some(Reach::ChildFree));
            found.extend(task.item.is_some().then_some(Reach::ChildOfFanOut));
        }
        RecordKind::ChildEnded => found.push(match fact(record, "status") {
            "SUCCEEDED" => Reach::ChildSucceeded,
            "CANCELLED" => Reach::ChildCancelled,
            _ => Reach::ChildFailed,
        }),
        RecordKind::EventReceived if record.reason.is_none() => found.push(Reach::EventTaken),
        RecordKind::SignalReceived if record.reason.is_none() => found.push(Reach::SignalTaken),
        RecordKind::ApprovalDecided => found.push(match (fact(record, "decision"), task.status) {
            ("REJECT", _) => Reach::Rejected,
            (_, TaskStatus::Waiting) => Reach::VoteNotEnough,
            _ => Reach::Approved,
        }),
        RecordKind::CallbackReceived => found.extend(of_callback(task, record)),
        RecordKind::TaskExpanded => {
            let is_batch = definition
                .for_each
                .as_ref()
                .is_some_and(|each| each.batch.is_some());
            let is_empty = record.data.as_ref().is_some_and(|data| data["items"] == 0);
            for (is_so, reach) in [
                (definition.matrix.is_some(), Reach::Matrix),
                (is_batch, Reach::Batch),
                (is_empty, Reach::NoItems),
            ] {
                found.extend(is_so.then_some(reach));
            }
        }
        RecordKind::TaskWaiting if definition.input["until"].is_string() => found.push(Reach::WaitUntil),
        RecordKind::TaskSucceeded => {
            let is_loop = definition
                .repeat
                .as_ref()
                .is_some_and(|repeat| repeat.until.is_some());
            let is_fan_out =
                task.item.is_none() && (definition.for_each.is_some() || definition.matrix.is_some());
            found.extend(is_loop.then_some(Reach::RepeatedUntil));
            found.extend((is_fan_out && state.has_tolerated_failures).then_some(Reach::Tolerated));
            if definition.kind == "pass" {
                found.extend(of_handler(plan.section(task.template), state));
            }
        }
        RecordKind::TaskRetryRequested if record.actor.is_some() => {
            let is_undo = plan.section(task.template) == Section::Compensation;
            for (is_so, reach) in [
                (true, Reach::Retried),
                (task.item.is_some(), Reach::ItemRetried),
                (is_undo, Reach::CompensationRetried),
            ] {
                found.extend(is_so.then_some(reach));
            }
        }
        RecordKind::TaskCached if record.reason.is_none() => found.push(Reach::Cached),
        RecordKind::TaskQueued => found.extend(of_handler(plan.section(task.template), state)),
        RecordKind::TaskFailed if is_handler(plan.section(task.template)) => found.push(Reach::HandlerFailed),
        _ => {}
    }
    found
}

/// What one kind of record says by itself.
fn of_kind(record: &Record) -> Option<Reach> {
    Some(match record.kind {
        RecordKind::ApprovalReminded => Reach::ApprovalReminded,
        RecordKind::ApprovalEscalated => Reach::ApprovalEscalated,
        RecordKind::TaskRepeated => Reach::Repeated,
        RecordKind::FanoutLimitsChanged => Reach::LimitsChanged,
        RecordKind::DeadLettered => Reach::DeadLettered,
        RecordKind::TaskSlaMissed => Reach::TaskAlert,
        RecordKind::TaskSkipRequested => Reach::SkippedByHand,
        RecordKind::RetryScheduled => Reach::RetryScheduled,
        RecordKind::LateReport => Reach::LateReport,
        RecordKind::AttemptTimedOut => Reach::AttemptTimedOut,
        _ => return None,
    })
}

fn of_callback(task: &TaskState, record: &Record) -> Vec<Reach> {
    let is_error = record.data.as_ref().is_some_and(|data| data["isError"] == true);
    let has_waited = task.extra.as_deref().is_some_and(|extra| extra.contains("since"));
    let mut found = vec![if is_error {
        Reach::CallbackFailed
    } else {
        Reach::CallbackSucceeded
    }];
    found.extend((!has_waited).then_some(Reach::CallbackEarly));
    found
}

fn is_handler(section: Section) -> bool {
    matches!(
        section,
        Section::OnFailure | Section::OnSuccess | Section::Finally
    )
}

fn of_handler(section: Section, state: &RunState) -> Vec<Reach> {
    let outcome = state.extra.outcome;
    let reach = match section {
        Section::Main | Section::Compensation => None,
        Section::OnSuccess => Some(Reach::OnSuccess),
        Section::OnFailure if outcome == Some(RunStatus::TimedOut) => Some(Reach::OnFailureTimedOut),
        Section::OnFailure => Some(Reach::OnFailure),
        Section::Finally if state.extra.compensation.is_some() => Some(Reach::FinallyCompensated),
        Section::Finally => match outcome {
            Some(RunStatus::Succeeded) => Some(Reach::FinallySucceeded),
            Some(RunStatus::Cancelled) => Some(Reach::FinallyCancelled),
            _ => Some(Reach::FinallyFailed),
        },
    };
    reach.into_iter().collect()
}

fn of_reason(record: &Record) -> Option<Reach> {
    let reason = record.reason.as_deref()?;
    Some(match (record.kind, reason) {
        (RecordKind::TaskWaiting, "TIMER") => Reach::WaitFor,
        (RecordKind::TaskWaiting, "EVENT") => Reach::WaitEvent,
        (RecordKind::TaskWaiting, "SIGNAL") => Reach::WaitSignal,
        (RecordKind::TaskWaiting, "APPROVAL") => Reach::ApprovalAsked,
        (RecordKind::TaskWaiting, "CALLBACK") => Reach::WaitCallback,
        (RecordKind::SignalReceived, "KEPT") => Reach::SignalKept,
        (RecordKind::TaskSkipped, "WAIT_TIMED_OUT") => Reach::WaitSkipped,
        (RecordKind::TaskSkipped, "NOTHING_TO_UNDO") => Reach::NothingToUndo,
        (RecordKind::TaskSkipped, "COMPENSATION_HALTED") => Reach::CompensationHalted,
        (RecordKind::TaskSkipped, "POINT_OF_NO_RETURN") => Reach::PointOfNoReturn,
        (RecordKind::TaskSkipped, "GROUP_FULL") => Reach::TaskTurned,
        (RecordKind::TaskSkipped, "CONDITION_FALSE") => Reach::ConditionFalse,
        (RecordKind::TaskCached, "KEPT") => Reach::RerunKept,
        (RecordKind::TaskQueued, "REDISPATCHED") => Reach::Redispatched,
        (RecordKind::TaskStarted, "REDELIVERED") => Reach::Redelivered,
        (RecordKind::TaskCancelled, "GRACE_ELAPSED") => Reach::GraceElapsed,
        (RecordKind::TaskCancelled, "FAIL_FAST") => Reach::FailFast,
        (RecordKind::AttemptLost, "LEASE_EXPIRED") => Reach::LeaseExpired,
        _ => return None,
    })
}

fn of_failure(record: &Record) -> Option<Reach> {
    Some(match (record.kind, fact(record, "code")) {
        (RecordKind::TaskTimedOut, "WAIT_TIMEOUT") => Reach::WaitTimedOut,
        (RecordKind::TaskTimedOut, "APPROVAL_EXPIRED") => Reach::ApprovalExpired,
        (RecordKind::TaskTimedOut, "START_WITHIN") => Reach::StartWithin,
        (RecordKind::TaskTimedOut, "COMPLETE_WITHIN") => Reach::CompleteWithin,
        (RecordKind::AttemptTimedOut, "CALLBACK_SILENT") => Reach::CallbackTimedOut,
        (RecordKind::TaskFailed, "LOST") => Reach::LossesExhausted,
        (RecordKind::TaskFailed, "ITEMS_FAILED") => Reach::ItemsFailed,
        (RecordKind::TaskFailed, "REPEAT_LIMIT") => Reach::RepeatLimit,
        _ => return None,
    })
}
