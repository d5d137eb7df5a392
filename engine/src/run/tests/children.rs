//! Child runs: asked for once an attempt, cancelled with their task, and taken only while they are waited for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::definition::{ForEach, Task};
use crate::run::testkit::{Driver, failure, retry, root, task, workflow};
use crate::run::{
    CancelMode, Category, ChildCommand, ChildInput, Command, Input, Outcome, RunStatus, Stale, TaskFailure,
    TaskStatus,
};
use crate::{RunId, TaskIx};

const CHILD: RunId = RunId(Uuid::max());

fn parent(input: Value) -> Task {
    Task {
        kind: "workflow".into(),
        input,
        ..root("c")
    }
}

fn waiting() -> Task {
    parent(json!({"workflow": "other", "inputs": {"a": "${{ 1 + 1 }}"}}))
}

fn asked(run: &mut Driver) -> Vec<ChildCommand> {
    std::mem::take(&mut run.commands)
        .into_iter()
        .filter_map(|command| match command {
            Command::Child(command) => Some(command),
            _ => None,
        })
        .collect()
}

fn begun(run: &mut Driver, attempt: u32) -> Outcome {
    run.feed(Input::Child(ChildInput::Started {
        task: TaskIx(0),
        attempt,
        child: CHILD,
    }))
}

fn ended(run: &mut Driver, attempt: u32, status: RunStatus, error: Option<TaskFailure>) -> Outcome {
    run.feed(Input::Child(ChildInput::Ended {
        task: TaskIx(0),
        attempt,
        child: CHILD,
        status,
        outputs: (status == RunStatus::Succeeded).then(|| Arc::from(r#"{"x":7}"#)),
        error,
    }))
}

fn cancel(run: &mut Driver, mode: CancelMode) {
    run.feed(Input::CancelRequested {
        mode,
        actor: "me".into(),
        reason: None,
    });
}

#[test]
fn the_outputs_of_the_child_are_the_output_of_the_task() {
    let mut run = Driver::started(workflow(vec![waiting(), task("z", &["c"])]));
    run.restores = true;
    assert_eq!(run.status("c"), TaskStatus::Waiting);
    assert_eq!(
        asked(&mut run),
        [ChildCommand::Start {
            task: TaskIx(0),
            attempt: 1
        }]
    );
    let input: Value = serde_json::from_str(run.state.tasks[0].input.as_deref().unwrap()).unwrap();
    assert_eq!(
        input,
        json!({"workflow": "other", "version": null, "inputs": {"a": 2}, "wait": true})
    );
    assert_eq!(begun(&mut run, 1), Outcome::Applied);
    assert_eq!(begun(&mut run, 1), Outcome::Ignored(Stale::AlreadyInForce));
    assert_eq!(ended(&mut run, 1, RunStatus::Succeeded, None), Outcome::Applied);
    assert_eq!(run.state.tasks[0].output.as_deref(), Some(r#"{"x":7}"#));
    assert_eq!(
        ended(&mut run, 1, RunStatus::Failed, None),
        Outcome::Ignored(Stale::TaskIsTerminal)
    );
    assert_eq!(run.dispatched(), ["z"]);
}

#[test]
fn the_end_may_be_heard_before_the_start() {
    let mut run = Driver::started(workflow(vec![waiting()]));
    assert_eq!(ended(&mut run, 1, RunStatus::Succeeded, None), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert!(matches!(begun(&mut run, 1), Outcome::Ignored(_)));
}

#[test]
fn a_child_that_is_not_waited_for_is_a_result_at_once() {
    let mut run = Driver::started(workflow(vec![parent(json!({"id": "other", "wait": false}))]));
    begun(&mut run, 1);
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    let output: Value = serde_json::from_str(run.state.tasks[0].output.as_deref().unwrap()).unwrap();
    assert_eq!(output, json!({"run_id": CHILD}));
    asked(&mut run);
    cancel(&mut run, CancelMode::Now);
    assert!(asked(&mut run).is_empty());
}

#[test]
fn the_end_of_a_child_that_is_not_waited_for_means_that_it_has_started() {
    for status in [RunStatus::Succeeded, RunStatus::Failed] {
        let mut run = Driver::started(workflow(vec![parent(json!({"id": "other", "wait": false}))]));
        assert_eq!(ended(&mut run, 1, status, None), Outcome::Applied);
        assert_eq!(run.run_status(), RunStatus::Succeeded, "{status:?}");
        let output: Value = serde_json::from_str(run.state.tasks[0].output.as_deref().unwrap()).unwrap();
        assert_eq!(output, json!({"run_id": CHILD}));
        assert!(matches!(begun(&mut run, 1), Outcome::Ignored(_)));
    }
}

#[test]
fn the_failure_of_the_child_names_it() {
    let mut run = Driver::started(workflow(vec![waiting()]));
    let cause = TaskFailure::new(Category::Unavailable, "HTTP_503", "no answer", true);
    ended(&mut run, 1, RunStatus::Failed, Some(cause));
    let error = run.state.tasks[0].error.clone().unwrap();
    assert_eq!(
        (error.category, error.code.as_str()),
        (Category::Unavailable, "CHILD_FAILED")
    );
    assert!(
        error.message.contains(&CHILD.to_string()) && error.message.contains("other"),
        "{}",
        error.message
    );
    assert_eq!(error.details.unwrap()["run"], json!(CHILD));
}

#[test]
fn a_retry_asks_for_another_child_and_the_old_one_is_not_heard() {
    let mut run = Driver::started(workflow(vec![Task {
        retry: retry(1),
        ..waiting()
    }]));
    ended(&mut run, 1, RunStatus::Failed, Some(failure("X")));
    asked(&mut run);
    run.tick_after(Duration::from_secs(1));
    assert_eq!(
        asked(&mut run),
        [ChildCommand::Start {
            task: TaskIx(0),
            attempt: 2
        }]
    );
    assert!(matches!(
        ended(&mut run, 1, RunStatus::Succeeded, None),
        Outcome::Ignored(_)
    ));
    ended(&mut run, 2, RunStatus::Succeeded, None);
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_child_that_was_cancelled_is_not_retried() {
    let mut run = Driver::started(workflow(vec![Task {
        retry: retry(1),
        ..waiting()
    }]));
    ended(&mut run, 1, RunStatus::Cancelled, None);
    assert_eq!(run.status("c"), TaskStatus::Failed);
    assert_eq!(run.state.tasks[0].error.as_ref().unwrap().code, "CHILD_CANCELLED");
}

#[test]
fn a_refused_child_fails_the_task() {
    let mut run = Driver::started(workflow(vec![waiting()]));
    run.feed(Input::Child(ChildInput::Refused {
        task: TaskIx(0),
        attempt: 1,
        failure: TaskFailure::new(Category::Input, "UNKNOWN_WORKFLOW", "no `other`", false),
    }));
    assert_eq!(run.state.error.as_ref().unwrap().category, Category::Input);
}

#[test]
fn an_input_that_names_no_workflow_fails_the_task() {
    for input in [
        json!({"workflow": "${{ 5 }}"}),
        json!({"id": "x", "version": "${{ 0 }}"}),
        json!({"id": "x", "inputs": "${{ [1] }}"}),
        json!({"id": "x", "wait": "${{ 'no' }}"}),
    ] {
        let run = Driver::started(workflow(vec![parent(input.clone())]));
        assert_eq!(run.state.error.as_ref().unwrap().code, "INPUT", "{input}");
    }
}

#[test]
fn a_graceful_cancel_goes_down_and_waits_for_the_child() {
    let mut run = Driver::started(workflow(vec![waiting()]));
    asked(&mut run);
    cancel(&mut run, CancelMode::Graceful);
    let graceful = ChildCommand::Cancel {
        task: TaskIx(0),
        attempt: 1,
        mode: CancelMode::Graceful,
    };
    assert_eq!(asked(&mut run), [graceful]);
    assert_eq!(run.status("c"), TaskStatus::Waiting);
    ended(&mut run, 1, RunStatus::Cancelled, None);
    assert_eq!(
        (run.status("c"), run.run_status()),
        (TaskStatus::Cancelled, RunStatus::Cancelled)
    );
}

#[test]
fn a_cancel_now_goes_down_at_once() {
    let mut run = Driver::started(workflow(vec![waiting()]));
    asked(&mut run);
    cancel(&mut run, CancelMode::Now);
    assert!(matches!(
        asked(&mut run)[..],
        [ChildCommand::Cancel {
            mode: CancelMode::Now,
            ..
        }]
    ));
    assert_eq!(run.run_status(), RunStatus::Cancelled);
}

#[test]
fn the_grace_of_the_parent_ends_the_wait() {
    let mut run = Driver::started(workflow(vec![waiting()]));
    cancel(&mut run, CancelMode::Graceful);
    run.tick_after(Duration::from_secs(30));
    assert_eq!(run.run_status(), RunStatus::Cancelled);
}

#[test]
fn a_timeout_and_a_skip_cancel_the_child() {
    let mut run = Driver::started(workflow(vec![Task {
        timeout: Some(Duration::from_secs(60)),
        ..waiting()
    }]));
    run.restores = true;
    asked(&mut run);
    run.tick_after(Duration::from_secs(60));
    assert_eq!(run.status("c"), TaskStatus::TimedOut);
    assert!(matches!(asked(&mut run)[..], [ChildCommand::Cancel { .. }]));

    let mut run = Driver::started(workflow(vec![waiting(), root("other")]));
    asked(&mut run);
    run.feed(Input::TaskSkipRequested {
        task: TaskIx(0),
        actor: "me".into(),
        reason: None,
    });
    assert!(matches!(asked(&mut run)[..], [ChildCommand::Cancel { .. }]));
}

#[test]
fn a_paused_parent_takes_the_end_of_its_child() {
    let mut run = Driver::started(workflow(vec![waiting(), task("z", &["c"])]));
    run.feed(Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    });
    assert!(matches!(asked(&mut run)[..], [ChildCommand::Start { .. }]));
    ended(&mut run, 1, RunStatus::Succeeded, None);
    assert_eq!(
        (run.status("c"), run.status("z")),
        (TaskStatus::Succeeded, TaskStatus::Ready)
    );
}

#[test]
fn every_item_has_a_child_of_its_own() {
    let mut run = Driver::started(workflow(vec![Task {
        for_each: Some(ForEach {
            items: json!([1, 2, 3]),
            max_parallel: Some(2),
            ..ForEach::default()
        }),
        ..waiting()
    }]));
    assert_eq!(asked(&mut run).len(), 2);
    let end = |task| {
        Input::Child(ChildInput::Ended {
            task,
            attempt: 1,
            child: CHILD,
            status: RunStatus::Succeeded,
            outputs: None,
            error: None,
        })
    };
    for key in ["c[1]", "c[0]", "c[2]"] {
        let task = run.ix(key);
        run.feed(end(task));
    }
    assert_eq!(run.state.tasks[0].output.as_deref(), Some("[{},{},{}]"));
}

#[test]
fn nothing_is_heard_of_a_task_that_waits_for_no_child() {
    let mut run = Driver::started(workflow(vec![root("plain")]));
    assert!(matches!(begun(&mut run, 1), Outcome::Ignored(_)));
    let unknown = Input::Child(ChildInput::Started {
        task: TaskIx(99),
        attempt: 1,
        child: CHILD,
    });
    assert!(matches!(run.feed(unknown), Outcome::Ignored(_)));
}
