//! Log lines of attempts: stored in chunks as they are reported, at most a fixed number of lines an attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use runnel_engine::{RunId, Timestamp};
use runnel_queue::{LogLine, LogStream};
use sea_orm::ConnectionTrait;

use crate::apply::{Column, Kind, RowSet, Shell, source};
use crate::error::StoreError;
use crate::relay::AttemptKey;
use crate::store::failed_to;

/// Lines kept of one attempt; the next one says that the rest is dropped.
pub(crate) const LINES_MAX: usize = 10_000;

/// Attempts whose lines are counted; beyond it the counts begin anew, which can only keep more lines.
const COUNTED_MAX: usize = 20_000;

const LOG_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("lines", Kind::Text),
    ("created_at", Kind::Int),
];

/// Lines that were reported together.
#[derive(Debug)]
pub(crate) struct LogChunk {
    pub key: AttemptKey,
    pub lines: Vec<LogLine>,
}

/// Counts the lines of running attempts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs {
    counts: Arc<Mutex<HashMap<AttemptKey, usize>>>,
}

impl Logs {
    /// Stores the chunks with one statement and rings for their runs.
    pub(crate) async fn save(
        &self,
        shell: &Shell,
        chunks: Vec<LogChunk>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut runs: Vec<RunId> = Vec::new();
        let mut kept = Vec::new();
        for mut chunk in chunks {
            self.cap(&mut chunk);
            if chunk.lines.is_empty() {
                continue;
            }
            let lines = serde_json::to_string(&chunk.lines).map_err(|e| StoreError::Corrupt {
                table: "task_log",
                problem: e.to_string(),
            })?;
            runs.push(chunk.key.run);
            kept.push((chunk.key, lines));
        }
        if kept.is_empty() {
            return Ok(());
        }
        let backend = shell.backend;
        let sql = format!(
            "INSERT INTO task_log(run_id, ix, attempt, lines, created_at) \
             SELECT c.run_id, c.ix, c.attempt, c.lines, c.created_at FROM {}",
            source(backend, LOG_NEW)
        );
        shell
            .store
            .tx("save log lines", move |tx| {
                let mut rows = RowSet::new(backend, LOG_NEW);
                for (key, lines) in &kept {
                    rows.id(key.run.0)
                        .int(key.task.0)
                        .int(key.attempt)
                        .text(lines)
                        .int(now.0);
                }
                let statement = rows.bind(backend, &sql, vec![]);
                Box::pin(async move {
                    tx.execute_raw(statement)
                        .await
                        .map_err(failed_to("save log lines"))?;
                    Ok(())
                })
            })
            .await?;
        runs.sort_unstable();
        runs.dedup();
        shell.announcer.ring_logs(runs);
        Ok(())
    }

    /// Cuts what is over the limit of the attempt and says so once.
    fn cap(&self, chunk: &mut LogChunk) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTED_MAX {
            counts.clear();
        }
        let count = counts.entry(chunk.key).or_default();
        let room = LINES_MAX.saturating_sub(*count);
        let is_over = chunk.lines.len() > room;
        let was_full = *count > LINES_MAX;
        *count += chunk.lines.len();
        if !is_over {
            return;
        }
        let at_us = chunk.lines[room.min(chunk.lines.len() - 1)].at_us;
        chunk.lines.truncate(room);
        if !was_full {
            *count = (*count).max(LINES_MAX + 1);
            let text = format!("more than {LINES_MAX} lines: the rest is not kept");
            chunk.lines.push(LogLine {
                at_us,
                stream: LogStream::System,
                text,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use runnel_engine::TaskIx;

    use super::*;

    fn chunk(count: usize) -> LogChunk {
        let key = AttemptKey {
            run: RunId(uuid::Uuid::nil()),
            task: TaskIx(0),
            attempt: 1,
        };
        let line = LogLine {
            at_us: 0,
            stream: LogStream::Stdout,
            text: "x".to_owned(),
        };
        LogChunk {
            key,
            lines: vec![line; count],
        }
    }

    #[test]
    fn lines_over_the_limit_are_dropped_and_that_is_said_once() {
        let logs = Logs::default();
        let kept = [LINES_MAX - 1, 3, 5, 0].map(|count| {
            let mut chunk = chunk(count);
            logs.cap(&mut chunk);
            chunk.lines.len()
        });
        assert_eq!(
            kept,
            [LINES_MAX - 1, 2, 0, 0],
            "one line and the note, then nothing"
        );
    }

    #[test]
    fn exactly_the_limit_is_kept_whole() {
        let logs = Logs::default();
        let mut all = chunk(LINES_MAX);
        logs.cap(&mut all);
        assert_eq!(all.lines.len(), LINES_MAX);
        let mut more = chunk(1);
        logs.cap(&mut more);
        assert_eq!(more.lines.len(), 1);
        assert_eq!(more.lines[0].stream, LogStream::System);
    }
}
