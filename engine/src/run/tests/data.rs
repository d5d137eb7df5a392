//! What attempts say of themselves, and what is taken of what they make.

use std::sync::Arc;

use serde_json::json;

use crate::run::testkit::{Driver, root, task, workflow};
use crate::run::{Category, Input, Outcome, RunStatus, Stale, TaskStatus, dispatch_payload};
use crate::{Moment, TaskIx};

fn beat(attempt: u32, progress: Option<&str>, checkpoint: Option<&str>) -> Input {
    Input::Heartbeat {
        task: TaskIx(0),
        attempt,
        worker: "w".into(),
        progress: progress.map(Arc::from),
        checkpoint: checkpoint.map(Arc::from),
    }
}

fn retried() -> Driver {
    let mut a = root("a");
    a.retry.limit = 1;
    Driver::started(workflow(vec![a]))
}

fn said(run: &Driver) -> (Option<&str>, Option<&str>) {
    let task = &run.state.tasks[0];
    (task.progress.as_deref(), task.checkpoint.as_deref())
}

#[test]
fn the_last_word_counts_and_leaves_no_record() {
    let mut run = retried();
    run.feed(beat(1, None, None));
    let records = run.records.len();
    assert_eq!(run.feed(beat(1, Some("0.1"), Some("1"))), Outcome::Applied);
    run.feed(beat(1, Some("0.2"), None));
    assert_eq!(
        said(&run),
        (Some("0.2"), Some("1")),
        "what is not said again stays"
    );
    assert_eq!(run.records.len(), records);
}

#[test]
fn the_next_attempt_is_given_the_checkpoint_and_begins_without_progress() {
    let mut run = retried();
    run.feed(beat(1, Some("0.5"), Some(r#"{"page":7}"#)));
    run.fail("a");
    run.tick_after(std::time::Duration::from_secs(1));
    assert_eq!(said(&run), (None, Some(r#"{"page":7}"#)));
    let moment = Moment {
        now: run.now,
        entropy: 1,
    };
    let message = dispatch_payload(&run.plan, &run.state, TaskIx(0), &moment).expect("a message");
    assert_eq!(message.checkpoint.as_deref(), Some(r#"{"page":7}"#));
}

#[test]
fn what_an_old_attempt_says_is_not_taken() {
    let mut run = retried();
    run.fail("a");
    run.tick_after(std::time::Duration::from_secs(1));
    let ignored = Outcome::Ignored(Stale::OldAttempt);
    assert_eq!(run.feed(beat(1, Some("0.9"), Some("9"))), ignored);
    assert_eq!(said(&run), (None, None));
}

#[test]
fn a_task_that_an_operator_retries_goes_on_from_its_checkpoint() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.feed(beat(1, Some("0.5"), Some("7")));
    run.fail("a");
    assert_eq!(run.run_status(), RunStatus::Failed);
    run.feed(Input::TaskRetryRequested {
        task: TaskIx(0),
        actor: "me".into(),
    });
    assert_eq!(said(&run), (None, Some("7")));
}

fn checked(schema: serde_json::Value) -> Driver {
    let mut a = root("a");
    a.retry.limit = 3;
    a.output_schema = Some(schema);
    Driver::started(workflow(vec![a, task("b", &["a"])]))
}

#[test]
fn an_output_that_its_schema_refuses_fails_the_task_without_a_retry() {
    let schema = json!({"type": "object", "required": ["total"], "properties": {"at": {"type": "string", "format": "date"}}});
    let mut run = checked(schema);
    run.succeed_with("a", json!({"at": "SECRET"}));
    assert_eq!(run.status("a"), TaskStatus::Failed);
    assert_eq!(run.status("b"), TaskStatus::Skipped);
    let error = run.state.tasks[0].error.clone().expect("a failure");
    assert_eq!(
        (error.category, error.code.as_str()),
        (Category::User, "OUTPUT_SCHEMA")
    );
    assert!(!error.retryable);
    assert!(
        error.message.contains("`output.total` is required"),
        "{}",
        error.message
    );
    assert!(
        error.message.contains("`output.at`") && !error.message.contains("SECRET"),
        "{}",
        error.message
    );
}

#[test]
fn an_output_that_its_schema_allows_is_taken() {
    let mut run = checked(json!({"required": ["total"]}));
    run.succeed_with("a", json!({"total": 1}));
    assert_eq!(run.status("a"), TaskStatus::Succeeded);
}
