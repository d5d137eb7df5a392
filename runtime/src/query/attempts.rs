//! The attempts of tasks, told from the history: what each waited for, where it ran and how it ended.

use std::collections::{BTreeMap, HashMap};

use runnel_engine::run::{Record, RecordKind, Usage};
use runnel_engine::{RunId, TaskIx, Timestamp};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::Reads;
use crate::actor::Actor;
use crate::error::StoreError;
use crate::view::convert::json;

/// Rows of history that are looked at: the newest.
const ROWS_MAX: usize = 2_000;

/// How an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the schema")]
pub enum AttemptStatus {
    Queued,
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Lost,
    Cancelled,
}

/// One attempt of a task.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct AttemptView {
    pub number: u32,
    pub status: AttemptStatus,
    pub worker: Option<String>,
    pub queued_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Code and sentence of its failure.
    pub failure: Option<(String, String)>,
    /// What it took, as far as its worker measured that.
    pub usage: Option<Usage>,
}

type Refs = (RunId, TaskIx);

/// One statement, whatever the number of tasks. The text of a row is searched for the tasks, and the records decide.
pub(super) async fn by_ref(
    reads: &Reads,
    actor: &Actor,
    refs: &[Refs],
) -> Result<HashMap<Refs, Vec<AttemptView>>, StoreError> {
    let backend = reads.store.backend();
    let (sign, search) = backend.pick(("$", "strpos"), ("?", "instr"));
    let mut values: Vec<Value> = vec![(&*actor.namespace).into()];
    let mut parts = Vec::new();
    for (run, ix) in refs {
        let mut bind = |value: Value| {
            values.push(value);
            format!("{sign}{}", values.len())
        };
        let (run, middle, end) = (
            bind(run.0.into()),
            bind(format!("\"t\":{},", ix.0).into()),
            bind(format!("\"t\":{}}}", ix.0).into()),
        );
        parts.push(format!(
            "(run_id = {run} AND ({search}(records, {middle}) > 0 OR {search}(records, {end}) > 0))"
        ));
    }
    if parts.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT run_id, records FROM event WHERE namespace = {sign}1 AND ({}) \
         ORDER BY run_id, first_seq DESC LIMIT {ROWS_MAX}",
        parts.join(" OR ")
    );
    let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    let rows: Vec<(Uuid, String)> = reads
        .store
        .rows("read the attempts of tasks", backend.statement(sql, values), read)
        .await?;
    let mut histories: HashMap<Refs, Vec<Record>> = refs.iter().map(|at| (*at, Vec::new())).collect();
    for (run, text) in rows.into_iter().rev() {
        for record in json::<Vec<Record>>("event", run, "records", &text)? {
            if let Some(history) = record.task.and_then(|ix| histories.get_mut(&(RunId(run), ix))) {
                history.push(record);
            }
        }
    }
    Ok(histories
        .into_iter()
        .map(|(at, history)| (at, told(history)))
        .collect())
}

/// The attempts that a history tells of, in order.
fn told(history: Vec<Record>) -> Vec<AttemptView> {
    let mut attempts: BTreeMap<u32, AttemptView> = BTreeMap::new();
    for record in history {
        let Some(number) = record.attempt else { continue };
        if record.kind == RecordKind::TaskQueued {
            attempts.insert(number, begun(number, record.at));
            continue;
        }
        let Some(attempt) = attempts.get_mut(&number) else {
            continue;
        };
        attempt.usage = attempt.usage.or(record.usage);
        let is_open = matches!(attempt.status, AttemptStatus::Queued | AttemptStatus::Running);
        if record.kind == RecordKind::TaskStarted && is_open {
            attempt.status = AttemptStatus::Running;
            attempt.started_at.get_or_insert(record.at);
            attempt.worker = record.actor;
        } else if let (Some(status), true) = (end_of(record.kind), is_open) {
            attempt.status = status;
            attempt.finished_at = Some(record.at);
            attempt.failure = failure_of(&record);
        }
    }
    attempts.into_values().collect()
}

fn begun(number: u32, at: Timestamp) -> AttemptView {
    AttemptView {
        number,
        status: AttemptStatus::Queued,
        worker: None,
        queued_at: Some(at),
        started_at: None,
        finished_at: None,
        failure: None,
        usage: None,
    }
}

/// How a record ends the attempt that it names; `None` when it does not.
fn end_of(kind: RecordKind) -> Option<AttemptStatus> {
    let ends = [
        (RecordKind::TaskSucceeded, AttemptStatus::Succeeded),
        (RecordKind::AttemptFailed, AttemptStatus::Failed),
        (RecordKind::TaskFailed, AttemptStatus::Failed),
        (RecordKind::AttemptTimedOut, AttemptStatus::TimedOut),
        (RecordKind::TaskTimedOut, AttemptStatus::TimedOut),
        (RecordKind::AttemptLost, AttemptStatus::Lost),
        (RecordKind::TaskCancelled, AttemptStatus::Cancelled),
        (RecordKind::TaskSkipped, AttemptStatus::Cancelled),
    ];
    let found = ends.into_iter().find(|(end, _)| *end == kind);
    found.map(|(_, status)| status)
}

fn failure_of(record: &Record) -> Option<(String, String)> {
    let data = record.data.as_ref()?;
    let text = |name: &str| data.get(name)?.as_str().map(str::to_owned);
    Some((text("code")?, text("message")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: i64, kind: RecordKind, attempt: u32) -> Record {
        Record {
            seq,
            kind,
            task: Some(TaskIx(0)),
            key: Some("a".to_owned()),
            attempt: Some(attempt),
            at: Timestamp(seq * 10),
            actor: (kind == RecordKind::TaskStarted).then(|| "worker-1".to_owned()),
            reason: None,
            data: (kind == RecordKind::AttemptFailed)
                .then(|| serde_json::json!({ "code": "EXIT_CODE", "message": "exit code 1" })),
            usage: (kind == RecordKind::AttemptFailed).then(|| Usage {
                cpu_us: Some(3_000),
                ..Usage::default()
            }),
        }
    }

    #[test]
    fn the_history_tells_each_attempt_from_its_message_to_its_end() {
        let attempts = told(vec![
            record(1, RecordKind::TaskQueued, 1),
            record(2, RecordKind::TaskStarted, 1),
            record(3, RecordKind::AttemptFailed, 1),
            record(4, RecordKind::RetryScheduled, 1),
            record(5, RecordKind::TaskQueued, 2),
            record(6, RecordKind::LateReport, 1),
            record(7, RecordKind::TaskStarted, 2),
        ]);
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[0].status, AttemptStatus::Failed);
        assert_eq!(
            attempts[0].failure.as_ref().map(|(code, _)| code.as_str()),
            Some("EXIT_CODE")
        );
        assert_eq!(attempts[0].finished_at, Some(Timestamp(30)));
        assert_eq!(attempts[0].usage.and_then(|usage| usage.cpu_us), Some(3_000));
        assert_eq!(attempts[1].usage, None);
        assert_eq!(attempts[1].status, AttemptStatus::Running);
        assert_eq!(attempts[1].worker.as_deref(), Some("worker-1"));
    }
}
