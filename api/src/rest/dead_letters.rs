//! Aliases of dead letters.

use axum::extract::{Path, Query, Request};
use http::StatusCode;
use runnel_runtime::audit;
use runnel_runtime::dead_letters::{DeadLetterFilter, DeadLetterView, Kind, Resolved, Selection, Status};
use runnel_runtime::query::window::Window;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, Failure, detached, read_object};
use super::runs;
use crate::auth::Permission;
use crate::error::Code;
use crate::reply;
use crate::schema::cursor::{Cursor, first};
use crate::schema::dead_letter::DeadLetterId;
use crate::schema::id;

/// Letters of a page where the caller does not say.
const LIMIT: i32 = 50;

/// Which letters, and which page of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    status: Option<String>,
    workflow: Option<String>,
    run: Option<String>,
    code: Option<String>,
    fingerprint: Option<String>,
    limit: Option<i32>,
    after: Option<String>,
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Open => "OPEN",
        Status::Replayed => "REPLAYED",
        Status::Discarded => "DISCARDED",
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Task => "TASK",
        Kind::MessageUndeliverable => "MESSAGE_UNDELIVERABLE",
        Kind::MessagePoison => "MESSAGE_POISON",
        Kind::QueueDlq => "QUEUE_DLQ",
    }
}

fn shown(letter: &DeadLetterView) -> Value {
    json!({
        "id": id::dead_letter(letter.id).0,
        "kind": kind_name(letter.kind),
        "status": status_name(letter.status),
        "at": letter.at.to_rfc3339(),
        "workflow": letter.workflow,
        "run_id": letter.run.map(|run| id::run(run).0),
        "task": letter.task,
        "attempt": letter.attempt,
        "error": letter.failure,
        "payload": letter.payload,
        "fingerprint": letter.fingerprint,
        "resolved_at": letter.resolved_at.map(|at| at.to_rfc3339()),
        "resolved_by": letter.resolved_by,
        "reason": letter.reason,
    })
}

/// `GET /api/v1/dead-letters`: newest first; `status`, `workflow`, `run`, `code` and `fingerprint` narrow the list,
/// `limit` (1 to 200) and `after` page it; `next` continues a long one.
pub(super) async fn list(call: Call, Query(query): Query<ListQuery>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let after: Option<DeadLetterId> = Cursor::after(query.after.as_deref())?;
    let window = Window::First {
        size: first(query.limit.unwrap_or(LIMIT))?,
        after: after.map(|place| place.0),
    };
    let filter = filter_of(query)?;
    let page = orchestrator.list_dead_letters(&actor, &filter, window).await;
    let page = page.map_err(Failure::store)?;
    let last = page.items.last().filter(|_| page.has_next);
    let next = last.map(|letter| DeadLetterId(letter.id).encode());
    let letters: Vec<Value> = page.items.iter().map(shown).collect();
    Ok(reply::json(
        StatusCode::OK,
        &json!({ "dead_letters": letters, "next": next }),
    ))
}

fn filter_of(query: ListQuery) -> Result<DeadLetterFilter, Failure> {
    let status_in = match query.status {
        None => None,
        Some(names) => {
            let all = [Status::Open, Status::Replayed, Status::Discarded];
            let read = |name: &str| {
                let is_it = |status: &Status| status_name(*status).eq_ignore_ascii_case(name.trim());
                all.into_iter().find(is_it).ok_or_else(|| {
                    Failure::new(Code::BadUserInput, "`status` must be OPEN, REPLAYED or DISCARDED")
                })
            };
            Some(names.split(',').map(read).collect::<Result<Vec<_>, _>>()?)
        }
    };
    let run = match query.run {
        None => None,
        Some(text) => Some(id::parse_run(&text).ok_or_else(runs::no_run)?),
    };
    Ok(DeadLetterFilter {
        status_in,
        workflow: query.workflow,
        run,
        code: query.code,
        fingerprint: query.fingerprint,
        ..DeadLetterFilter::default()
    })
}

fn no_letter() -> Failure {
    Failure::new(Code::NotFound, "dead letter does not exist")
}

/// What came of one letter.
fn answer(resolved: &Resolved, id: Uuid) -> Answer {
    if let Some(refused) = resolved.unresolved.iter().find(|letter| letter.id == id) {
        return Err(Failure::new(Code::Conflict, refused.message.clone()));
    }
    let letter = resolved.letters.iter().find(|letter| letter.id == id);
    Ok(reply::json(StatusCode::OK, &shown(letter.ok_or_else(no_letter)?)))
}

/// `POST /api/v1/dead-letters/{id}/replay`: tries again what the letter is about, so that its run goes on.
pub(super) async fn replay(call: Call, Path(text): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let id = id::parse_dead_letter(&text).ok_or_else(no_letter)?;
    let these = Selection::Ids(vec![id]);
    let done = detached(async move { orchestrator.replay_dead_letters(&actor, &these, false).await }).await?;
    answer(&done.map_err(Failure::store)?, id)
}

/// `POST /api/v1/dead-letters/{id}/discard`. The body is `{reason}`.
pub(super) async fn discard(call: Call, Path(text): Path<String>, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let id = id::parse_dead_letter(&text).ok_or_else(no_letter)?;
    let (_, mut body) = read_object(request).await?;
    let Some(Value::String(reason)) = body.remove("reason") else {
        return Err(Failure::new(Code::BadUserInput, "`reason` must say why"));
    };
    audit::note_reason(Some(&reason));
    let these = Selection::Ids(vec![id]);
    let done = detached(async move {
        orchestrator
            .discard_dead_letters(&actor, &these, Some(reason), false)
            .await
    })
    .await?;
    answer(&done.map_err(Failure::store)?, id)
}
