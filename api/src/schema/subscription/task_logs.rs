//! `taskLogs`: the log of one task, from its first line to its last.

use async_graphql::{Context, Enum, ID, SimpleObject, Subscription};
use async_stream::stream;
use futures_util::Stream;
use runnel_engine::{RunId, TaskIx};
use runnel_runtime::feed::Topic;
use runnel_runtime::view::{LogView, Page, PageRequest};
use runnel_runtime::{Actor, Orchestrator};

use super::{PAGE, Resume};
use crate::auth::Permission;
use crate::error::{ApiError, Code};
use crate::schema::cursor::{Cursor, LogPlace};
use crate::schema::enums::LogStream;
use crate::schema::id;
use crate::schema::scalars::DateTime;
use crate::schema::session::open;

/// What a message of the `taskLogs` subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum LogMessageKind {
    /// First message: where the lines begin.
    Sync,
    /// Some lines of one attempt.
    Lines,
    /// The task has ended and everything was sent.
    End,
}

/// A message of the `taskLogs` subscription.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct LogMessage {
    /// What it is.
    kind: LogMessageKind,
    /// Place in the log: resume after it.
    cursor: String,
    /// The attempt that wrote the lines; null where there are none.
    attempt: Option<u32>,
    /// The lines, in order; none at the begin and at the end.
    lines: Vec<LogLine>,
}

/// One line of output of an attempt.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct LogLine {
    /// When, by the worker's clock.
    at: DateTime,
    /// From which stream.
    stream: LogStream,
    /// The text without its line end.
    text: String,
}

/// The log of one task.
#[derive(Debug, Default)]
pub(crate) struct LogSubscription;

#[Subscription]
impl LogSubscription {
    /// Log lines of a task, from the first on or after the cursor, as they arrive. Begins with `SYNC`, ends with `END`.
    async fn task_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the run.")] run: ID,
        #[graphql(desc = "Key of the task; an item of a fan-out as `clean[42]`.")] task: String,
        #[graphql(desc = "Only this attempt; all when null.")] attempt: Option<u32>,
        #[graphql(desc = "Resume after this cursor; from the first line when null.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<LogMessage, ApiError>> + use<>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let resume = Resume::of(ctx);
        let missing = || ApiError::new(Code::NotFound, "task does not exist");
        let run = id::parse_run(&run).ok_or_else(missing)?;
        let view = session.orchestrator.find_task(session.actor, run, &task).await;
        let view = view.map_err(|e| ApiError::store(&e))?.ok_or_else(missing)?;
        let (orchestrator, actor) = (session.orchestrator.clone(), session.actor.clone());
        let reader = Reader {
            orchestrator,
            actor,
            run,
            task: view.ix,
            attempt,
        };
        let after = LogPlace::after(resume.or(after).as_deref())?.map_or(0, |place| place.0);
        Ok(messages(reader, after, resume))
    }
}

struct Reader {
    orchestrator: Orchestrator,
    actor: Actor,
    run: RunId,
    task: TaskIx,
    attempt: Option<u32>,
}

impl Reader {
    /// Whether no line can follow those that are stored now.
    async fn is_over(&self) -> Result<bool, ApiError> {
        let task = self
            .orchestrator
            .find_task_at(&self.actor, self.run, self.task)
            .await;
        let task = task.map_err(|e| ApiError::store(&e))?;
        Ok(task.is_none_or(|task| {
            task.status.is_terminal() || self.attempt.is_some_and(|attempt| attempt < task.attempt)
        }))
    }

    async fn page(&self, at: i64) -> Result<Page<LogView>, ApiError> {
        let page = PageRequest {
            first: PAGE,
            after: Some(at),
        };
        let page = self
            .orchestrator
            .task_log(&self.actor, self.run, self.task, self.attempt, page)
            .await;
        page.map_err(|e| ApiError::store(&e))
    }
}

fn lines(chunk: LogView, resume: &Resume) -> LogMessage {
    let cursor = LogPlace(chunk.cursor).encode();
    resume.set_last(&cursor);
    let lines = chunk.lines.into_iter().map(|line| LogLine {
        at: DateTime(runnel_engine::Timestamp(line.at_us)),
        stream: line.stream.into(),
        text: line.text,
    });
    LogMessage {
        kind: LogMessageKind::Lines,
        cursor,
        attempt: Some(chunk.attempt),
        lines: lines.collect(),
    }
}

/// A message without lines.
fn bare(kind: LogMessageKind, at: i64, resume: &Resume) -> LogMessage {
    let cursor = LogPlace(at).encode();
    resume.set_last(&cursor);
    LogMessage {
        kind,
        cursor,
        attempt: None,
        lines: Vec::new(),
    }
}

fn messages(reader: Reader, after: i64, resume: Resume) -> impl Stream<Item = Result<LogMessage, ApiError>> {
    stream! {
        let mut news = reader.orchestrator.doorbell(Topic::Log(reader.run));
        let mut changes = reader.orchestrator.doorbell(Topic::Run(reader.run));
        let mut at = after;
        yield Ok(bare(LogMessageKind::Sync, at, &resume));
        loop {
            // asked before the lines are read: what was stored before the task ended is then read below
            let is_over = match reader.is_over().await {
                Ok(is_over) => is_over,
                Err(error) => {
                    yield Err(error);
                    return;
                }
            };
            loop {
                let page = match reader.page(at).await {
                    Ok(page) => page,
                    Err(error) => {
                        yield Err(error);
                        return;
                    }
                };
                for chunk in page.items {
                    at = chunk.cursor;
                    yield Ok(lines(chunk, &resume));
                }
                if !page.has_next {
                    break;
                }
            }
            if is_over {
                yield Ok(bare(LogMessageKind::End, at, &resume));
                return;
            }
            let is_running = tokio::select! {
                is_running = news.rung() => is_running,
                is_running = changes.rung() => is_running,
            };
            if !is_running {
                return;
            }
        }
    }
}
