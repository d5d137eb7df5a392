//! The metrics of an orchestrator: what they are called and mean, and handles on those that many events touch.
//!
//! Labels have few values whatever users do: statuses are words of ours, task types and queues are capped, and a workflow has a
//! series of its own only where the operator asks for it ([`watch_workflows`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram,
};
use runnel_engine::run::{RecordKind, RunStatus};
use runnel_telemetry::LabelCap;
use tokio::time::Instant;

/// Task types and queues with series of their own; further ones are `other`.
const LABELS_MAX: usize = 200;

/// What stands for the workflows that nobody asked for.
const OTHER: &str = "other";

pub(crate) const RETRIES: &str = "runnel_apply_retries_total";
pub(crate) const QUARANTINED: &str = "runnel_apply_quarantined_total";
pub(crate) const RUNS: &str = "runnel_runs";
pub(crate) const TASKS: &str = "runnel_tasks";
pub(crate) const QUEUE_TASKS: &str = "runnel_queue_tasks";
pub(crate) const QUEUE_OLDEST: &str = "runnel_queue_oldest_age_seconds";
pub(crate) const QUEUE_MESSAGES: &str = "runnel_queue_messages";
pub(crate) const DEAD_MESSAGES: &str = "runnel_dead_letter_messages";
pub(crate) const OUTBOX_ROWS: &str = "runnel_outbox_rows";
pub(crate) const OUTBOX_OLDEST: &str = "runnel_outbox_oldest_age_seconds";
pub(crate) const DEAD_LETTERS: &str = "runnel_dead_letters_open";
pub(crate) const OVERDUE: &str = "runnel_alarm_overdue_seconds";
pub(crate) const CONNECTIONS: &str = "runnel_database_connections";
pub(crate) const CONNECTIONS_MAX: &str = "runnel_database_connections_max";
pub(crate) const WORKERS: &str = "runnel_workers";
pub(crate) const SLOTS: &str = "runnel_worker_slots_registered";
pub(crate) const APPLIER_WAITING: &str = "runnel_apply_waiting";
pub(crate) const MEASURED: &str = "runnel_measured_timestamp_seconds";

const RUNS_STARTED: &str = "runnel_runs_started_total";
const RUNS_ENDED: &str = "runnel_runs_ended_total";
const TASKS_ENDED: &str = "runnel_tasks_ended_total";
const BATCH_ITEMS: &str = "runnel_apply_batch_items";
const BATCH_SECONDS: &str = "runnel_apply_seconds";
const RECORDS: &str = "runnel_records_total";
const REPORTS: &str = "runnel_reports_total";
const FORGED: &str = "runnel_reports_forged_total";
const REPORT_SECONDS: &str = "runnel_report_seconds";
const SENT: &str = "runnel_relay_sent_total";
const FAILED: &str = "runnel_relay_failed_total";
const DISPATCH_SECONDS: &str = "runnel_dispatch_seconds";

/// Handles, looked up once.
pub(crate) static METERS: LazyLock<Meters> = LazyLock::new(Meters::new);

pub(crate) struct Meters {
    pub batch_items: Histogram,
    pub batch_seconds: Histogram,
    pub records: Counter,
    pub reports: Counter,
    pub forged: Counter,
    pub report_seconds: Histogram,
    pub sent: Counter,
    pub failed: Counter,
    pub dispatch_seconds: Histogram,
    kinds: LabelCap,
    queues: LabelCap,
    started: Mutex<HashMap<String, Counter>>,
    runs: Mutex<HashMap<(String, &'static str), Counter>>,
    tasks: Mutex<HashMap<String, HashMap<&'static str, Counter>>>,
}

impl Meters {
    fn new() -> Self {
        Self {
            batch_items: histogram!(BATCH_ITEMS),
            batch_seconds: histogram!(BATCH_SECONDS),
            records: counter!(RECORDS),
            reports: counter!(REPORTS),
            forged: counter!(FORGED),
            report_seconds: histogram!(REPORT_SECONDS),
            sent: counter!(SENT),
            failed: counter!(FAILED),
            dispatch_seconds: histogram!(DISPATCH_SECONDS),
            kinds: LabelCap::new(LABELS_MAX),
            queues: LabelCap::new(LABELS_MAX),
            started: Mutex::default(),
            runs: Mutex::default(),
            tasks: Mutex::default(),
        }
    }

    /// A run was made.
    pub(crate) fn run_started(&self, workflow: &str) {
        let workflow = workflow_label(workflow);
        let mut started = lock(&self.started);
        if let Some(counter) = started.get(workflow) {
            return counter.increment(1);
        }
        let counter = counter!(RUNS_STARTED, "workflow" => workflow.to_owned());
        counter.increment(1);
        started.insert(workflow.to_owned(), counter);
    }

    /// A run ended.
    pub(crate) fn run_ended(&self, workflow: &str, status: RunStatus) {
        let key = (workflow_label(workflow).to_owned(), run_status(status));
        let make = |(workflow, status): &(String, &'static str)| counter!(RUNS_ENDED, "workflow" => workflow.clone(), "status" => *status);
        let mut runs = lock(&self.runs);
        let counter = runs.entry(key).or_insert_with_key(make);
        counter.increment(1);
    }

    /// A task ended, if the record tells that.
    pub(crate) fn task_ended(&self, kind: &str, record: RecordKind) {
        let Some(status) = task_end(record) else { return };
        let mut tasks = lock(&self.tasks);
        if let Some(counter) = tasks.get(kind).and_then(|of| of.get(status)) {
            return counter.increment(1);
        }
        let kind = self.kinds.value(kind).to_owned();
        let counter = counter!(TASKS_ENDED, "type" => kind.clone(), "status" => status);
        counter.increment(1);
        tasks.entry(kind).or_default().insert(status, counter);
    }

    /// The label of a queue.
    pub(crate) fn queue<'q>(&self, queue: &'q str) -> &'q str {
        self.queues.value(queue)
    }

    /// A message was accepted by the queue service that follows from an input of then.
    pub(crate) fn dispatched(&self, since: Option<Instant>) {
        if let Some(since) = since {
            self.dispatch_seconds.record(since.elapsed().as_secs_f64());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Workflows with series of their own.
static WATCHED: OnceLock<BTreeSet<String>> = OnceLock::new();

/// Most workflows with series of their own.
pub const WATCHED_MAX: usize = 1_000;

/// Gives these workflows series of their own, up to [`WATCHED_MAX`]; all others share one. Once, before the first run.
pub fn watch_workflows(keys: impl IntoIterator<Item = String>) {
    // a second call comes too late: series have begun
    let _ = WATCHED.set(keys.into_iter().take(WATCHED_MAX).collect());
}

fn workflow_label(workflow: &str) -> &str {
    match WATCHED.get() {
        Some(watched) if watched.contains(workflow) => workflow,
        Some(_) | None => OTHER,
    }
}

pub(crate) fn run_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "pending",
        RunStatus::Running => "running",
        RunStatus::Cancelling => "cancelling",
        RunStatus::Compensating => "compensating",
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
        RunStatus::TimedOut => "timed_out",
        RunStatus::Compensated => "compensated",
        RunStatus::CompensationFailed => "compensation_failed",
    }
}

/// The status that a record ends a task with.
fn task_end(kind: RecordKind) -> Option<&'static str> {
    let ends = [
        (RecordKind::TaskSucceeded, "succeeded"),
        (RecordKind::TaskFailed, "failed"),
        (RecordKind::TaskTimedOut, "timed_out"),
        (RecordKind::TaskCancelled, "cancelled"),
        (RecordKind::TaskSkipped, "skipped"),
        (RecordKind::TaskCached, "cached"),
    ];
    let found = ends.into_iter().find(|(end, _)| *end == kind);
    found.map(|(_, status)| status)
}

/// Says what the metrics mean; once the recorder is there.
pub fn describe_metrics() {
    describe_counts();
    describe_times();
    describe_states();
}

fn describe_counts() {
    let counters = [
        (
            RUNS_STARTED,
            "Runs that were started, by workflow (those of --metrics-workflows, else `other`)",
        ),
        (RUNS_ENDED, "Runs that ended, by workflow and status"),
        (TASKS_ENDED, "Tasks that ended, by type and status"),
        (RECORDS, "Records of history that were committed"),
        (REPORTS, "Reports of workers that came in"),
        (FORGED, "Reports without a valid token, which change nothing"),
        (SENT, "Task messages that the queue service accepted"),
        (FAILED, "Task messages that were not accepted, and are sent again"),
        (
            RETRIES,
            "Batches that were applied again, by reason (lost_race, commit_unknown)",
        ),
        (
            QUARANTINED,
            "Runs that could not be applied, and were left as they are",
        ),
        (
            "runnel_reports_malformed_total",
            "Messages of the completion queue that nobody can read",
        ),
        (
            "runnel_dead_letters_total",
            "Messages that were taken from dead-letter queues",
        ),
        ("runnel_payloads_written_total", "Large values written"),
        ("runnel_payloads_read_total", "Large values read"),
        (
            "runnel_payloads_deleted_total",
            "Large values deleted because nothing refers to them",
        ),
        (
            "runnel_store_retries_total",
            "Transactions that were tried again, by action",
        ),
        (
            "runnel_audit_lost_total",
            "Rows of the audit log that could not be written, and were logged instead",
        ),
        (
            "runnel_webhook_refusals_total",
            "Deliveries to webhooks that were refused",
        ),
        (
            "runnel_trace_spans_exported_total",
            "Spans that the receiver took",
        ),
        (
            "runnel_trace_spans_dropped_total",
            "Spans that were dropped: the receiver is away or too slow",
        ),
    ];
    for (name, meaning) in counters {
        describe_counter!(name, Unit::Count, meaning);
    }
}

fn describe_times() {
    describe_histogram!(BATCH_ITEMS, Unit::Count, "Inputs of a batch");
    let times = [
        (
            BATCH_SECONDS,
            "From the begin of a batch to its commit and what follows from it",
        ),
        (
            REPORT_SECONDS,
            "From the receipt of reports to the commit of what they change",
        ),
        (
            DISPATCH_SECONDS,
            "From the input that makes a task ready (a completion, a start) to the acceptance of its message by the queue service",
        ),
    ];
    for (name, meaning) in times {
        describe_histogram!(name, Unit::Seconds, meaning);
    }
}

fn describe_states() {
    let counts = [
        (RUNS, "Runs that have not ended, by status"),
        (TASKS, "Tasks of runs that have not ended, by status"),
        (
            QUEUE_TASKS,
            "Attempts per task queue, by state (queued: dispatched and not begun; running)",
        ),
        (
            QUEUE_MESSAGES,
            "Messages at the queue service per task queue, by state (visible, in_flight, delayed)",
        ),
        (DEAD_MESSAGES, "Messages in the dead-letter queue of a task queue"),
        (OUTBOX_ROWS, "Messages that wait to be sent"),
        (DEAD_LETTERS, "Dead letters that nobody has replayed or discarded"),
        (
            CONNECTIONS,
            "Connections of the database pool, by state (idle, used)",
        ),
        (CONNECTIONS_MAX, "Most connections of the database pool"),
        (WORKERS, "Workers that said that they are there, per task queue"),
        (SLOTS, "Attempts that these workers run at once, per task queue"),
        (
            APPLIER_WAITING,
            "Inputs that wait for an applier or are being applied",
        ),
    ];
    for (name, meaning) in counts {
        describe_gauge!(name, Unit::Count, meaning);
    }
    let ages = [
        (
            QUEUE_OLDEST,
            "Age of the oldest attempt that was dispatched and has not begun, per task queue",
        ),
        (OUTBOX_OLDEST, "Age of the oldest message that waits to be sent"),
        (OVERDUE, "How late the earliest alarm of a run is"),
        (
            MEASURED,
            "When the states were last read from the database, in seconds since the epoch",
        ),
    ];
    for (name, meaning) in ages {
        describe_gauge!(name, Unit::Seconds, meaning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_workflows_share_one_series_unless_they_are_asked_for() {
        let labels = |keys: std::ops::Range<u32>| -> BTreeSet<String> {
            keys.map(|n| workflow_label(&format!("workflow-{n}")).to_owned())
                .collect()
        };
        assert_eq!(labels(0..1_000), BTreeSet::from(["other".to_owned()]));
        watch_workflows((0..3_000).map(|n| format!("workflow-{n}")));
        assert_eq!(labels(0..3_000).len(), WATCHED_MAX + 1);
    }

    #[test]
    fn task_types_beyond_the_limit_share_one_series() {
        let meters = Meters::new();
        for n in 0..2 * LABELS_MAX {
            meters.task_ended(&format!("type-{n}"), RecordKind::TaskSucceeded);
        }
        assert_eq!(lock(&meters.tasks).len(), LABELS_MAX + 1);
    }
}
