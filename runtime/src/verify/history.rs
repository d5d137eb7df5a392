//! The history of a run, replayed: what it says in itself, and the state that it says the run must be in.

use std::collections::BTreeMap;

use runnel_engine::TaskIx;
use runnel_engine::run::{Record, RecordKind, Replay, RunStatus, TaskStatus, status_after};
use runnel_entity::event;

use super::Finding;

/// What the history says of a task.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaskHistory {
    pub status: TaskStatus,
    /// Highest attempt that was dispatched.
    pub attempt: u32,
}

/// A replay in progress.
#[derive(Debug, Default)]
pub(super) struct History {
    pub tasks: BTreeMap<TaskIx, TaskHistory>,
    /// The end of the run as the history tells it; `None` while it goes on.
    pub run_ended: Option<RunStatus>,
    pub last_seq: i64,
    /// Every fact that the records determine.
    pub told: Replay,
    place: (i64, i64),
    findings: Vec<Finding>,
}

impl History {
    /// One more row, in order of seq.
    pub(super) fn append(&mut self, row: &event::Model) {
        let place = (row.xid, row.position);
        if place <= self.place {
            self.find(
                None,
                "feed_order",
                format!("the feed tells events from {} too early", row.first_seq),
            );
        }
        self.place = place;
        let records: Vec<Record> = match serde_json::from_str(&row.records) {
            Ok(records) => records,
            Err(error) => {
                self.last_seq = row.last_seq;
                return self.find(
                    None,
                    "events",
                    format!("events from {} cannot be read: {error}", row.first_seq),
                );
            }
        };
        let (first, last) = (records.first().map(|r| r.seq), records.last().map(|r| r.seq));
        if (first, last) != (Some(row.first_seq), Some(row.last_seq)) {
            let said = format!("{} to {}", row.first_seq, row.last_seq);
            self.find(
                None,
                "events",
                format!("a row says that it holds {said}, but holds {first:?} to {last:?}"),
            );
        }
        for record in &records {
            self.replay(record);
        }
    }

    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    fn find(&mut self, task: Option<TaskIx>, rule: &'static str, message: String) {
        self.findings.push((task, rule, message));
    }

    fn replay(&mut self, record: &Record) {
        if record.seq != self.last_seq + 1 {
            self.find(
                record.task,
                "gapless",
                format!("event {} follows event {}", record.seq, self.last_seq),
            );
        }
        self.last_seq = record.seq;
        self.told.append(record);
        match status_after(record.kind) {
            Some(status) => self.replay_task(record, status),
            None => self.replay_run(record),
        }
    }

    fn replay_task(&mut self, record: &Record, status: TaskStatus) {
        let Some(ix) = record.task else {
            return self.find(None, "events", format!("event {} names no task", record.seq));
        };
        let before = self.tasks.get(&ix).copied();
        let mut attempt = before.map_or(0, |task| task.attempt);
        let is_reset = record.kind == RecordKind::TaskRetryRequested;
        // only an operator's retry makes a new generation of a task
        if before.is_some_and(|task| task.status.is_terminal()) && !is_reset {
            let message = format!(
                "event {} ({:?}) changes a task that has ended",
                record.seq, record.kind
            );
            self.find(Some(ix), "terminal_is_final", message);
        }
        if record.kind == RecordKind::TaskQueued {
            let queued = record.attempt.unwrap_or(0);
            let is_again = record.reason.as_deref() == Some("REDISPATCHED") && queued == attempt;
            if !is_again && queued != attempt + 1 {
                let message = format!(
                    "event {} dispatches attempt {queued} after attempt {attempt}",
                    record.seq
                );
                self.find(Some(ix), "attempts", message);
            }
            attempt = attempt.max(queued);
        }
        self.tasks.insert(ix, TaskHistory { status, attempt });
    }

    fn replay_run(&mut self, record: &Record) {
        let ended = match record.kind {
            RecordKind::RunSucceeded => RunStatus::Succeeded,
            RecordKind::RunFailed => RunStatus::Failed,
            RecordKind::RunCancelled => RunStatus::Cancelled,
            RecordKind::RunTimedOut => RunStatus::TimedOut,
            RecordKind::RunCompensated => RunStatus::Compensated,
            RecordKind::RunCompensationFailed => RunStatus::CompensationFailed,
            RecordKind::RunReopened => {
                self.run_ended = None;
                return;
            }
            _ => return,
        };
        if self.run_ended.is_some() {
            self.find(
                None,
                "terminal_is_final",
                format!("event {} ends the run a second time", record.seq),
            );
        }
        self.run_ended = Some(ended);
    }
}

#[cfg(test)]
mod tests {
    use runnel_engine::Timestamp;

    use super::*;

    fn record(seq: i64, kind: RecordKind, attempt: Option<u32>) -> Record {
        let task = status_after(kind).map(|_| TaskIx(0));
        Record {
            seq,
            kind,
            task,
            key: None,
            attempt,
            at: Timestamp(0),
            actor: None,
            reason: None,
            data: None,
            usage: None,
        }
    }

    fn row(position: i64, records: &[Record]) -> event::Model {
        event::Model {
            position,
            run_id: uuid::Uuid::nil(),
            first_seq: records[0].seq,
            last_seq: records[records.len() - 1].seq,
            xid: 0,
            namespace: "default".to_owned(),
            at: 0,
            records: serde_json::to_string(records).expect("JSON"),
        }
    }

    /// The rules that rows of records break.
    fn broken(rows: &[&[Record]]) -> Vec<&'static str> {
        let mut history = History::default();
        for (position, records) in (1..).zip(rows) {
            history.append(&row(position, records));
        }
        history
            .take_findings()
            .into_iter()
            .map(|(_, rule, _)| rule)
            .collect()
    }

    use RecordKind::{RunCreated, RunReopened, RunSucceeded, TaskQueued, TaskRetryRequested, TaskSucceeded};

    #[test]
    fn a_sound_history_breaks_no_rule() {
        let rows: [&[Record]; 2] = [
            &[record(1, RunCreated, None), record(2, TaskQueued, Some(1))],
            &[
                record(3, TaskSucceeded, Some(1)),
                record(4, RunSucceeded, None),
                record(5, TaskRetryRequested, None),
                record(6, RunReopened, None),
                record(7, TaskQueued, Some(2)),
                record(8, TaskSucceeded, Some(2)),
                record(9, RunSucceeded, None),
            ],
        ];
        assert_eq!(broken(&rows), Vec::<&str>::new());
    }

    #[test]
    fn a_hole_is_found() {
        assert_eq!(
            broken(&[&[record(1, RunCreated, None)], &[record(3, TaskQueued, Some(1))]]),
            ["gapless"]
        );
    }

    #[test]
    fn a_second_completion_is_found() {
        let twice = [
            record(1, TaskSucceeded, Some(1)),
            record(2, TaskSucceeded, Some(1)),
        ];
        assert_eq!(broken(&[&twice]), ["terminal_is_final"]);
        assert_eq!(
            broken(&[&[record(1, RunSucceeded, None), record(2, RunSucceeded, None)]]),
            ["terminal_is_final"]
        );
    }

    #[test]
    fn a_skipped_and_a_repeated_attempt_are_found() {
        assert_eq!(broken(&[&[record(1, TaskQueued, Some(2))]]), ["attempts"]);
        assert_eq!(
            broken(&[&[record(1, TaskQueued, Some(1)), record(2, TaskQueued, Some(1))]]),
            ["attempts"]
        );
        let again = Record {
            reason: Some("REDISPATCHED".to_owned()),
            ..record(2, TaskQueued, Some(1))
        };
        assert_eq!(
            broken(&[&[record(1, TaskQueued, Some(1)), again]]),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn rows_out_of_feed_order_and_wrong_bounds_are_found() {
        let mut history = History::default();
        history.append(&row(2, &[record(1, RunCreated, None)]));
        history.append(&event::Model {
            last_seq: 7,
            ..row(1, &[record(2, TaskQueued, Some(1))])
        });
        let rules: Vec<_> = history
            .take_findings()
            .into_iter()
            .map(|(_, rule, _)| rule)
            .collect();
        assert_eq!(rules, ["feed_order", "events"]);
    }
}
