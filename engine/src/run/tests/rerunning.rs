//! Rerun and override: good results stand, the rest is done again.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::Plan;
use crate::definition::{ForEach, Workflow};
use crate::run::testkit::{Driver, failure, root, task, workflow};
use crate::run::{
    CancelMode, Input, Keep, Outcome, RecordKind, RerunInput, RunStatus, Stale, TaskFailure, TaskStatus,
    kept_results,
};

fn rerun_failed(run: &mut Driver, key: Option<&str>) -> Outcome {
    run.feed(Input::Rerun(RerunInput::Failed {
        actor: "me".into(),
        reason: Some("fixed".into()),
        key: key.map(Arc::from),
    }))
}

fn rerun_tasks(run: &mut Driver, keys: &[&str]) -> Outcome {
    let tasks = keys.iter().map(|key| run.ix(key)).collect();
    run.feed(Input::Rerun(RerunInput::Tasks {
        tasks,
        actor: "me".into(),
        reason: None,
        key: None,
    }))
}

fn set(run: &mut Driver, key: &str, result: Result<Value, TaskFailure>) -> Outcome {
    let task = run.ix(key);
    run.feed(Input::Rerun(RerunInput::Override {
        task,
        result: result.map(|output| output.to_string().into()),
        actor: "me".into(),
        reason: None,
    }))
}

fn chain() -> Workflow {
    workflow(vec![root("a"), task("b", &["a"]), task("c", &["b"]), root("x")])
}

#[test]
fn a_rerun_of_what_failed_keeps_good_results() {
    let mut run = Driver::started(chain());
    run.succeed("a");
    run.succeed("x");
    run.fail("b");
    run.dispatched();
    assert_eq!(rerun_failed(&mut run, None), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::Running);
    assert_eq!(run.dispatched(), ["b"]);
    run.succeed("b");
    run.succeed("c");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert!(
        run.records
            .iter()
            .any(|r| r.kind == RecordKind::RunRerunRequested)
    );
}

#[test]
fn a_rerun_of_a_cancelled_run_does_what_was_cancelled() {
    let mut run = Driver::started(chain());
    run.succeed("x");
    run.feed(Input::CancelRequested {
        mode: CancelMode::Now,
        actor: "me".into(),
        reason: None,
    });
    run.dispatched();
    rerun_failed(&mut run, None);
    assert_eq!(run.dispatched(), ["a"]);
}

#[test]
fn the_same_rerun_is_carried_out_once() {
    let mut run = Driver::started(chain());
    run.fail("a");
    run.succeed("x");
    assert_eq!(rerun_failed(&mut run, Some("k1")), Outcome::Applied);
    assert_eq!(
        rerun_failed(&mut run, Some("k1")),
        Outcome::Ignored(Stale::AlreadyInForce)
    );
    assert!(matches!(rerun_failed(&mut run, Some("k2")), Outcome::Refused(_)));
}

#[test]
fn chosen_tasks_run_again_with_everything_downstream() {
    let mut run = Driver::started(chain());
    for key in ["a", "x", "b", "c"] {
        run.succeed(key);
    }
    run.dispatched();
    assert_eq!(rerun_tasks(&mut run, &["b"]), Outcome::Applied);
    assert_eq!(run.dispatched(), ["b"]);
    assert_eq!(
        (run.status("a"), run.status("c")),
        (TaskStatus::Succeeded, TaskStatus::Blocked)
    );
    run.succeed("b");
    run.succeed("c");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_run_that_has_not_ended_or_has_nothing_failed_is_not_rerun() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    assert!(matches!(rerun_failed(&mut run, None), Outcome::Refused(_)));
    run.succeed("a");
    assert!(matches!(rerun_failed(&mut run, None), Outcome::Refused(_)));
    assert!(matches!(rerun_tasks(&mut run, &[]), Outcome::Refused(_)));
}

#[test]
fn items_that_stand_are_not_made_anew_in_the_same_run() {
    let mut a = root("a");
    a.for_each = Some(ForEach {
        items: json!([1, 2]),
        ..ForEach::default()
    });
    let mut run = Driver::started(workflow(vec![a]));
    run.succeed("a[0]");
    run.succeed("a[1]");
    assert!(
        matches!(rerun_tasks(&mut run, &["a"]), Outcome::Refused(refusal) if refusal.message.contains("newRun"))
    );
}

#[test]
fn an_override_ends_a_task_whatever_it_does() {
    let mut run = Driver::started(chain());
    run.begin("a");
    assert_eq!(set(&mut run, "a", Ok(json!({"by": "hand"}))), Outcome::Applied);
    assert_eq!(run.status("a"), TaskStatus::Succeeded);
    assert!(run.dispatched().contains(&"b".to_owned()));
    assert_eq!(run.succeed("a"), Outcome::Ignored(Stale::TaskIsTerminal));
    assert_eq!(set(&mut run, "c", Err(failure("BY_HAND"))), Outcome::Applied);
    run.succeed("b");
    run.succeed("x");
    assert_eq!(run.run_status(), RunStatus::Failed);
}

#[test]
fn a_failed_task_that_is_set_to_succeeded_lets_the_run_go_on() {
    let mut run = Driver::started(chain());
    run.fail("a");
    run.succeed("x");
    assert_eq!(run.run_status(), RunStatus::Failed);
    run.dispatched();
    assert_eq!(set(&mut run, "a", Ok(json!(1))), Outcome::Applied);
    assert_eq!(
        (run.run_status(), run.dispatched()),
        (RunStatus::Running, vec!["b".to_owned()])
    );
    run.succeed("b");
    run.succeed("c");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_cancelled_run_that_an_override_opens_is_not_done_without_what_its_end_cancelled() {
    let mut run = Driver::started(chain());
    run.feed(Input::CancelRequested {
        mode: CancelMode::Now,
        actor: "me".into(),
        reason: None,
    });
    assert_eq!(run.run_status(), RunStatus::Cancelled);
    run.dispatched();
    assert_eq!(set(&mut run, "a", Ok(json!(1))), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::Running);
    let mut sent = run.dispatched();
    sent.sort();
    assert_eq!(sent, ["b", "x"]);
    for key in ["x", "b", "c"] {
        run.succeed(key);
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn what_has_succeeded_is_not_overridden() {
    let mut run = Driver::started(chain());
    run.succeed("a");
    assert!(matches!(set(&mut run, "a", Ok(json!(1))), Outcome::Refused(_)));
    run.fail("b");
    assert!(matches!(
        set(&mut run, "b", Err(failure("X"))),
        Outcome::Refused(_)
    ));
}

fn kept(old: &Driver, new: Workflow, inputs: &Value, keep: Keep<'_>) -> Vec<String> {
    let plan = Plan::build(new).unwrap();
    let inputs: Map<String, Value> = inputs.as_object().cloned().unwrap();
    let kept = kept_results(&old.plan, &old.state, &plan, &inputs, keep);
    kept.into_iter()
        .map(|(_, ix)| plan.task(ix).key.clone())
        .collect()
}

#[test]
fn a_new_run_keeps_what_is_defined_as_before_and_reads_what_it_read() {
    let mut definition = chain();
    definition.tasks[3].input = json!("${{ inputs.n }}");
    let mut run = Driver::with_inputs(definition.clone(), json!({"n": 1, "m": 1}));
    run.start();
    for key in ["a", "x", "b"] {
        run.succeed(key);
    }
    run.fail("c");
    let same = json!({"n": 1, "m": 1});
    let chosen = ["a".to_owned()];
    let keep = |new: Workflow, inputs: &Value, keep| kept(&run, new, inputs, keep);
    assert_eq!(keep(definition.clone(), &same, Keep::Good), ["a", "x", "b"]);
    assert_eq!(keep(definition.clone(), &same, Keep::AllBut(&chosen)), ["x"]);
    assert_eq!(
        keep(definition.clone(), &json!({"n": 2, "m": 1}), Keep::Good),
        ["a", "b"]
    );
    assert_eq!(
        keep(definition.clone(), &json!({"n": 1, "m": 2}), Keep::Good),
        ["a", "x", "b"]
    );
    let mut changed = definition.clone();
    changed.tasks[0].input = json!({"other": true});
    assert_eq!(keep(changed, &same, Keep::Good), ["x"]);
    let mut changed = definition;
    changed.env.insert("A".to_owned(), json!("1"));
    assert!(keep(changed, &same, Keep::Good).is_empty());
}

#[test]
fn kept_results_outlast_a_run_that_waits_for_its_group() {
    let mut workflow = chain();
    workflow.concurrency = Some(crate::definition::Concurrency {
        group: None,
        limit: 1,
        on_conflict: crate::definition::OnConflict::Queue,
    });
    let mut run = Driver::new(workflow);
    let a = run.ix("a");
    run.state.keep_result(a, "1".into());
    run.start();
    // outputs that no expression reads stay in the database when a run is loaded again
    run.state.tasks[a.at()].output = None;
    run.feed(Input::Gate(crate::run::GateInput::RunAdmitted));
    assert_eq!(run.status("a"), TaskStatus::Cached);
}

#[test]
fn kept_results_are_there_from_the_beginning() {
    let mut run = Driver::new(chain());
    let (a, b) = (run.ix("a"), run.ix("b"));
    run.state.keep_result(a, "1".into());
    run.state.keep_result(b, "2".into());
    run.start();
    assert_eq!(
        (run.status("a"), run.status("b")),
        (TaskStatus::Cached, TaskStatus::Cached)
    );
    assert_eq!(run.dispatched(), ["x", "c"]);
    run.succeed("c");
    run.succeed("x");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}
