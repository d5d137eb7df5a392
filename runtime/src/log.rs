//! Log lines of attempts: stored in chunks as they are reported, at most a fixed number of lines an attempt.
//!
//! Guarantees: a chunk that is delivered again is not stored again, and what is stored counts towards the limit after a
//! restart too. Two replicas that store lines of one attempt may pass the limit by what each did not hear of.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_queue::{LogLine, LogStream};
use sea_orm::ConnectionTrait;
use sha2::{Digest, Sha256};

use crate::apply::{Column, Kind, OUTBOX_KEY, RowSet, Shell, source};
use crate::error::StoreError;
use crate::relay::AttemptKey;
use crate::store::failed_to;

/// Lines kept of one attempt; the next one says that the rest is dropped.
pub(crate) const LINES_MAX: usize = 10_000;

/// Attempts whose lines are counted in memory; beyond it the counts are read again.
const COUNTED_MAX: usize = 20_000;

const LOG_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("digest", Kind::Text),
    ("line_count", Kind::Int),
    ("lines", Kind::Text),
    ("created_at", Kind::Int),
];

/// Lines that were reported together.
#[derive(Debug)]
pub(crate) struct LogChunk {
    pub key: AttemptKey,
    pub lines: Vec<LogLine>,
}

/// A chunk as it is stored.
struct Row {
    key: AttemptKey,
    digest: String,
    line_count: i64,
    lines: String,
}

/// Counts the stored lines of running attempts.
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
        if chunks.is_empty() {
            return Ok(());
        }
        let counts = self.counts_of(shell, &chunks).await?;
        let rows = rows(chunks, counts)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut runs: Vec<RunId> = rows.iter().map(|row| row.key.run).collect();
        let stored = insert(shell, rows, now).await?;
        let mut counts = self.counts();
        for (key, count) in stored {
            // an attempt that is not counted any more is read again
            if let Some(counted) = counts.get_mut(&key) {
                *counted += count;
            }
        }
        drop(counts);
        runs.sort_unstable();
        runs.dedup();
        shell.announcer.ring_logs(runs);
        Ok(())
    }

    /// How many lines of the attempts are stored; read from the table, with one statement, for those not heard of before.
    async fn counts_of(
        &self,
        shell: &Shell,
        chunks: &[LogChunk],
    ) -> Result<HashMap<AttemptKey, usize>, StoreError> {
        let keys: HashSet<AttemptKey> = chunks.iter().map(|chunk| chunk.key).collect();
        let mut known: HashMap<AttemptKey, usize> = {
            let counts = self.counts();
            let count = |key: &AttemptKey| Some((*key, *counts.get(key)?));
            keys.iter().filter_map(count).collect()
        };
        let missing: Vec<AttemptKey> = keys.into_iter().filter(|key| !known.contains_key(key)).collect();
        if !missing.is_empty() {
            let read = stored_lines(shell, &missing).await?;
            let mut counts = self.counts();
            if counts.len() >= COUNTED_MAX {
                counts.clear();
            }
            for key in missing {
                let count = read.get(&key).copied().unwrap_or(0);
                known.insert(key, *counts.entry(key).or_insert(count));
            }
        }
        Ok(known)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<AttemptKey, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows of what is to be kept of the chunks, each chunk once.
fn rows(chunks: Vec<LogChunk>, mut counts: HashMap<AttemptKey, usize>) -> Result<Vec<Row>, StoreError> {
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for mut chunk in chunks {
        let digest = hex::encode(Sha256::digest(json(&chunk.lines)?));
        if !seen.insert((chunk.key, digest.clone())) {
            continue;
        }
        let count = counts.entry(chunk.key).or_default();
        cap(&mut chunk, *count);
        *count += chunk.lines.len();
        if !chunk.lines.is_empty() {
            rows.push(Row {
                key: chunk.key,
                digest,
                line_count: i64::try_from(chunk.lines.len()).unwrap_or(i64::MAX),
                lines: json(&chunk.lines)?,
            });
        }
    }
    Ok(rows)
}

/// Cuts what is over the limit of the attempt and says so once. The note makes one line more than the limit, which tells
/// later that it is there.
fn cap(chunk: &mut LogChunk, count: usize) {
    let room = LINES_MAX.saturating_sub(count);
    if chunk.lines.len() <= room {
        return;
    }
    let at_us = chunk.lines[room].at_us;
    chunk.lines.truncate(room);
    if count <= LINES_MAX {
        chunk.lines.push(LogLine {
            at_us,
            stream: LogStream::System,
            text: format!("more than {LINES_MAX} lines: the rest is not kept"),
        });
    }
}

fn json(lines: &[LogLine]) -> Result<String, StoreError> {
    serde_json::to_string(lines).map_err(|e| StoreError::Corrupt {
        table: "task_log",
        problem: e.to_string(),
    })
}

/// Inserts the rows that are not there yet; answers how many lines of which attempts these were.
async fn insert(
    shell: &Shell,
    rows: Vec<Row>,
    now: Timestamp,
) -> Result<Vec<(AttemptKey, usize)>, StoreError> {
    let (backend, failed) = (shell.backend, failed_to("save log lines"));
    let sql = format!(
        "INSERT INTO task_log(run_id, ix, attempt, digest, line_count, lines, created_at) \
         SELECT c.run_id, c.ix, c.attempt, c.digest, c.line_count, c.lines, c.created_at FROM {} WHERE true \
         ON CONFLICT DO NOTHING RETURNING run_id, ix, attempt, line_count",
        source(backend, LOG_NEW)
    );
    let stored = shell
        .store
        .tx("save log lines", move |tx| {
            let mut set = RowSet::new(backend, LOG_NEW);
            for row in &rows {
                set.id(row.key.run.0).int(row.key.task.0).int(row.key.attempt);
                set.text(&row.digest)
                    .int(row.line_count)
                    .text(&row.lines)
                    .int(now.0);
            }
            let statement = set.bind(backend, &sql, vec![]);
            Box::pin(async move { tx.query_all_raw(statement).await.map_err(failed) })
        })
        .await?;
    let count = |row| counted(row, |row| row.try_get_by_index::<i32>(3).map(i64::from));
    stored.iter().map(|row| count(row).map_err(failed)).collect()
}

async fn stored_lines(shell: &Shell, keys: &[AttemptKey]) -> Result<HashMap<AttemptKey, usize>, StoreError> {
    let mut set = RowSet::new(shell.backend, OUTBOX_KEY);
    for key in keys {
        set.id(key.run.0).int(key.task.0).int(key.attempt);
    }
    let sql = format!(
        "SELECT l.run_id, l.ix, l.attempt, SUM(l.line_count) FROM {} JOIN task_log l ON l.run_id = c.run_id \
         AND l.ix = c.ix AND l.attempt = c.attempt GROUP BY l.run_id, l.ix, l.attempt",
        source(shell.backend, OUTBOX_KEY)
    );
    let count = |row: &sea_orm::QueryResult| counted(row, |row| row.try_get_by_index(3));
    let statement = set.bind(shell.backend, &sql, vec![]);
    let found = shell.store.rows("count log lines", statement, count).await?;
    Ok(found.into_iter().collect())
}

fn counted(
    row: &sea_orm::QueryResult,
    count: impl Fn(&sea_orm::QueryResult) -> Result<i64, sea_orm::DbErr>,
) -> Result<(AttemptKey, usize), sea_orm::DbErr> {
    let (task, attempt): (i32, i32) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
    let key = AttemptKey {
        run: RunId(row.try_get_by_index(0)?),
        task: TaskIx(u32::try_from(task).unwrap_or(u32::MAX)),
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
    };
    Ok((key, usize::try_from(count(row)?).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
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

    /// Lines that are kept of chunks of these lengths.
    fn kept(lengths: &[usize]) -> Vec<i64> {
        let chunks = lengths.iter().map(|count| chunk(*count)).collect();
        let rows = rows(chunks, HashMap::new()).expect("JSON");
        rows.iter().map(|row| row.line_count).collect()
    }

    #[test]
    fn lines_over_the_limit_are_dropped_and_that_is_said_once() {
        assert_eq!(
            kept(&[LINES_MAX - 1, 3, 5]),
            [9_999, 2],
            "one line and the note, then nothing"
        );
    }

    #[test]
    fn exactly_the_limit_is_kept_whole() {
        assert_eq!(kept(&[LINES_MAX, 1, 2]), [10_000, 1], "then the note alone");
    }

    #[test]
    fn a_chunk_is_kept_once() {
        assert_eq!(kept(&[3, 2, 3, 2]), [3, 2]);
    }
}
