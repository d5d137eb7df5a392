//! Letters about messages that the queue gave up.

use runnel_engine::run::{Category, TaskFailure};
use runnel_engine::{RunId, TaskIx};
use runnel_entity::dead_letter;
use runnel_queue::TaskMessage;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;

use super::letter::{self, Kind, Status};
use crate::apply::Shell;
use crate::error::StoreError;
use crate::store::failed_to;

/// Owner of a message that does not say whose it is.
const NAMESPACE: &str = "default";

/// What of a message can be read.
pub(crate) enum Poison<'a> {
    /// A task message that was received too often.
    Task(&'a TaskMessage),
    /// No task message, for this reason.
    Unknown(String),
}

/// Keeps a letter about a message with what people need of it: the input of a task, never its completion token.
pub(crate) async fn keep(
    shell: &Shell,
    queue: &str,
    payload: &str,
    poison: Poison<'_>,
) -> Result<(), StoreError> {
    let now = shell.clock.now();
    let (kind, failure) = verdict(&poison);
    let (namespace, workflow, task, attempt) = match &poison {
        Poison::Task(message) => (
            message.namespace.as_str(),
            Some(message.workflow.clone()),
            Some(message.key.as_str()),
            Some(&message.at),
        ),
        Poison::Unknown(_) => (NAMESPACE, None, None, None),
    };
    let id = match attempt {
        Some(at) => letter::id_of_attempt(kind, RunId(at.run), TaskIx(at.task), at.attempt, now),
        None => letter::id_of_message(queue, payload, now),
    };
    let fingerprint = letter::fingerprint(
        workflow.as_deref().unwrap_or(queue),
        task.unwrap_or_default(),
        &failure,
    );
    let payload = match &poison {
        // the value itself is read when somebody looks at the letter
        Poison::Task(TaskMessage {
            input_ref: Some(reference),
            ..
        }) => reference.to_string(),
        Poison::Task(_) | Poison::Unknown(_) => letter::cut(payload),
    };
    let row = dead_letter::ActiveModel {
        id: Set(id),
        namespace: Set(namespace.to_owned()),
        kind: Set(kind as i16),
        status: Set(Status::Open as i16),
        at: Set(now.0),
        workflow: Set(workflow),
        run_id: Set(attempt.map(|at| at.run)),
        ix: Set(attempt.and_then(|at| i32::try_from(at.task).ok())),
        task: Set(task.map(str::to_owned)),
        attempt: Set(attempt.and_then(|at| i32::try_from(at.attempt).ok())),
        queue: Set(Some(queue.to_owned())),
        category: Set(if kind == Kind::QueueDlq { "INPUT" } else { "LOST" }.to_owned()),
        code: Set(failure.code.clone()),
        summary: Set(letter::summary(&failure.message)),
        failure: Set(serde_json::to_string(&failure).unwrap_or_default()),
        payload: Set(Some(payload)),
        fingerprint: Set(fingerprint),
        resolved_at: Set(None),
        resolved_by: Set(None),
        reason: Set(None),
    };
    let failed = failed_to("keep a dead letter");
    shell
        .store
        .tx("keep a dead letter", move |tx| {
            let row = row.clone();
            Box::pin(async move {
                let insert =
                    dead_letter::Entity::insert(row).on_conflict(OnConflict::new().do_nothing().to_owned());
                insert.exec_without_returning(tx).await.map(drop).map_err(failed)
            })
        })
        .await
}

/// What the letter says of the message.
fn verdict(poison: &Poison<'_>) -> (Kind, TaskFailure) {
    match poison {
        Poison::Task(_) => {
            let message = "the message was received too often without an end of the attempt";
            let failure = TaskFailure::new(Category::Lost, "MESSAGE_POISON", message, true);
            (Kind::MessagePoison, failure)
        }
        Poison::Unknown(problem) => {
            let failure = TaskFailure::new(Category::Input, "MESSAGE_UNREADABLE", problem.clone(), false);
            (Kind::QueueDlq, failure)
        }
    }
}
