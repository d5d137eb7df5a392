//! Enums of the schema. Remote ones convert exhaustively, so that a new status breaks the build here first.

use async_graphql::Enum;
use runnel_engine::run;

/// Status of a run. New values may be added: treat an unknown one as not terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "run::RunStatus")]
pub(crate) enum RunStatus {
    /// Accepted; no task is ready yet.
    Pending,
    /// Tasks run, wait or are queued.
    Running,
    /// A cancel is in force; running attempts have their grace.
    Cancelling,
    /// The run did not succeed and succeeded tasks are being undone.
    Compensating,
    /// Ended well.
    Succeeded,
    /// Ended with a failure that was not tolerated.
    Failed,
    /// Ended by a cancel.
    Cancelled,
    /// Ended by the workflow's timeout.
    TimedOut,
    /// Ended and undone.
    Compensated,
    /// Ended, and undoing failed.
    CompensationFailed,
}

/// Status of a task. New values may be added: treat an unknown one as not terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "run::TaskStatus")]
pub(crate) enum TaskStatus {
    /// Waits for upstreams.
    Blocked,
    /// Eligible; waits for a slot, a worker or the end of a pause.
    Ready,
    /// Its message is on the way to a worker.
    Queued,
    /// A worker has said that it runs.
    Running,
    /// Waits for a timer, an event or a person; takes no worker.
    Waiting,
    /// Waits for the delay before its next attempt.
    RetryWait,
    /// Ended well.
    Succeeded,
    /// Ended with a failure.
    Failed,
    /// Ended by a timeout.
    TimedOut,
    /// Ended by a cancel.
    Cancelled,
    /// Never ran: its condition was false, or an upstream rules it out.
    Skipped,
    /// Took an earlier result.
    Cached,
}

/// What an event says has happened. New values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "run::RecordKind")]
pub(crate) enum EventKind {
    /// The run was accepted.
    RunCreated,
    /// The first tasks became ready.
    RunStarted,
    /// Nothing new starts until the run is resumed.
    RunPaused,
    /// The pause is over.
    RunResumed,
    /// Somebody asked for a cancel.
    RunCancelRequested,
    /// The run ended well.
    RunSucceeded,
    /// The run failed.
    RunFailed,
    /// The run ended by a cancel.
    RunCancelled,
    /// The run ended by its timeout.
    RunTimedOut,
    /// An operator's retry opened an ended run again.
    RunReopened,
    /// The upstreams allow the task.
    TaskReady,
    /// The task's message was put into the outbox.
    TaskQueued,
    /// A worker said that the attempt runs.
    TaskStarted,
    /// The task waits for a time, an event or a person.
    TaskWaiting,
    /// The task ended well.
    TaskSucceeded,
    /// The task failed for good.
    TaskFailed,
    /// The task ended by a timeout.
    TaskTimedOut,
    /// The task was cancelled.
    TaskCancelled,
    /// The task will not run.
    TaskSkipped,
    /// A fan-out made its items.
    TaskExpanded,
    /// An operator asked for another attempt.
    TaskRetryRequested,
    /// An operator asked to skip the task.
    TaskSkipRequested,
    /// One attempt failed.
    AttemptFailed,
    /// One attempt took too long.
    AttemptTimedOut,
    /// The worker of an attempt is gone.
    AttemptLost,
    /// The next attempt has its time.
    RetryScheduled,
    /// A report came too late and changed nothing.
    LateReport,
    /// The run gave up its start: its concurrency group was full.
    RunTurned,
    /// The run took longer than its `sla`; only an alert.
    RunSlaMissed,
    /// An operator asked to run tasks again.
    RunRerunRequested,
    /// Succeeded tasks begin to be undone.
    RunCompensating,
    /// The run ended and was undone.
    RunCompensated,
    /// The run ended, and undoing failed.
    RunCompensationFailed,
    /// The task took a kept result.
    TaskCached,
    /// The task took longer than its `sla`; only an alert.
    TaskSlaMissed,
    /// An operator set the result.
    TaskOverridden,
    /// One round of a loop ended; the next one follows.
    TaskRepeated,
    /// An operator changed the limits of a fan-out.
    FanoutLimitsChanged,
    /// The retries are used up.
    TaskExhausted,
    /// A dead letter was kept.
    DeadLettered,
    /// An event arrived that the task waited for.
    EventReceived,
    /// A signal was sent to the run.
    SignalReceived,
    /// A person decided on an approval.
    ApprovalDecided,
    /// Those who may approve were reminded.
    ApprovalReminded,
    /// Further people may approve.
    ApprovalEscalated,
    /// The callback token of the attempt was used.
    CallbackReceived,
    /// The child run was accepted.
    ChildStarted,
    /// The child run ended.
    ChildEnded,
}

/// Kind of a failure, chosen by what failed; decides about a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "run::Category")]
pub(crate) enum FailureCategory {
    /// The task's own work failed.
    User,
    /// It took too long.
    Timeout,
    /// The worker is gone.
    Lost,
    /// The other side asked to slow down.
    RateLimited,
    /// The other side could not be reached or answered that it cannot serve.
    Unavailable,
    /// An expression of the workflow failed.
    Expression,
    /// The task's input does not fit.
    Input,
    /// The other side refused the credentials.
    Unauthorised,
    /// A fault of Runnel itself.
    Internal,
}

/// How a run is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "run::CancelMode")]
pub(crate) enum CancelMode {
    /// Running attempts get the workflow's `cancel_grace`.
    Graceful,
    /// The run ends at once.
    Now,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "runnel_engine::Severity")]
pub(crate) enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted; look at it.
    Warning,
}

/// The form a workflow file was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "runnel_engine::source::Dialect")]
pub(crate) enum Dialect {
    /// Runnel's own format.
    V1,
    /// A list of tasks with `action_type`.
    Actions,
    /// Tasks with `command` or `callable`.
    Commands,
    /// `dag.nodes` with `handler`.
    Nodes,
}

/// How to read the text of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "runnel_engine::source::Format")]
pub(crate) enum SourceFormat {
    /// JSON when the first character that is not a blank is `{`, else YAML.
    Auto,
    /// YAML 1.2.
    Yaml,
    /// JSON.
    Json,
}

/// Where a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "runnel_queue::LogStream")]
pub(crate) enum LogStream {
    /// Standard output of a command.
    Stdout,
    /// Standard error of a command.
    Stderr,
    /// The worker or handler itself.
    System,
}

/// What runs are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(clippy::enum_variant_names, reason = "named as the fields of a run")]
pub(crate) enum RunOrderField {
    /// When the run was accepted.
    CreatedAt,
    /// When the first task became ready; runs that have not started count as later than all others. Not indexed.
    StartedAt,
    /// When the run ended; runs that have not ended count as later than all others. Not indexed.
    FinishedAt,
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum OrderDirection {
    /// Oldest or smallest first.
    Asc,
    /// Newest or largest first.
    Desc,
}

/// What the caller may do; the scopes of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::auth::Permission")]
pub(crate) enum Permission {
    /// `workflows:read`: read workflows and their versions.
    WorkflowsRead,
    /// `workflows:write`: publish workflows.
    WorkflowsWrite,
    /// `runs:read`: read runs, tasks, events and logs.
    RunsRead,
    /// `runs:operate`: start runs and operate on them.
    RunsOperate,
    /// `workers:report`: report on attempts.
    WorkersReport,
    /// `audit:read`: read the audit log.
    AuditRead,
    /// `namespaces:write`: make namespaces.
    NamespacesWrite,
    /// List, store and delete secrets; nobody may read their values.
    SecretsWrite,
}

/// What a start does when a run holds its idempotency key already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "runnel_runtime::OnConflict")]
pub(crate) enum OnConflict {
    /// Answers that run, whatever it was started with.
    ReturnExisting,
    /// Is refused, also when the request is the same.
    Fail,
    /// Cancels that run if it goes on, takes the key from it, and starts. The same request is a replay all the same.
    CancelExisting,
}
