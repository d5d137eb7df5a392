//! Compensation: what succeeded is undone, in reverse order, once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use crate::definition::{
    CompensateOn, Compensation, CompensationError, CompensationOrder, ForEach, OnExhausted, Task, Workflow,
};
use crate::run::testkit::{Driver, retry, root, task, workflow};
use crate::run::{CancelMode, Input, Outcome, RecordKind, RerunInput, RunStatus, TaskStatus};

/// Adds what undoes the task.
fn undoable(mut task: Task) -> Task {
    let mut own = root(&format!("{}.compensate", task.key));
    own.input = json!(format!("${{{{ tasks.{}.output }}}}", task.key));
    task.compensate = Some(Box::new(own));
    task
}

/// `stock → charge → ship`, where the first two can be undone.
fn order() -> Workflow {
    workflow(vec![
        undoable(root("stock")),
        undoable(task("charge", &["stock"])),
        task("ship", &["charge"]),
    ])
}

fn failed_order(definition: Workflow) -> Driver {
    let mut run = Driver::started(definition);
    run.succeed("stock");
    run.succeed("charge");
    run.dispatched();
    run.fail("ship");
    run
}

fn request(run: &mut Driver, key: &str) -> Outcome {
    let task = run.ix(key);
    run.feed(Input::TaskRetryRequested {
        task,
        actor: "me".into(),
    })
}

fn cancel(run: &mut Driver, mode: CancelMode) -> Outcome {
    run.feed(Input::CancelRequested {
        mode,
        actor: "me".into(),
        reason: None,
    })
}

#[test]
fn a_failed_run_undoes_what_succeeded_in_reverse_order() {
    let mut run = failed_order(order());
    assert_eq!(run.run_status(), RunStatus::Compensating);
    assert_eq!(run.dispatched(), ["charge.compensate"]);
    let input = run.state.tasks[run.ix("charge.compensate").at()].input.clone();
    assert_eq!(input.as_deref(), Some(r#"{"from":"charge"}"#));
    run.succeed("charge.compensate");
    assert_eq!(run.dispatched(), ["stock.compensate"]);
    run.succeed("stock.compensate");
    assert_eq!(run.run_status(), RunStatus::Compensated);
    assert_eq!(run.state.error.as_ref().unwrap().message, "ship: it failed");
    let kinds: Vec<RecordKind> = run.records.iter().map(|record| record.kind).collect();
    assert!(kinds.contains(&RecordKind::RunCompensating));
    assert_eq!(kinds.last(), Some(&RecordKind::RunCompensated));
}

#[test]
fn a_run_that_succeeds_undoes_nothing() {
    let mut run = Driver::started(order());
    for key in ["stock", "charge", "ship"] {
        run.succeed(key);
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(run.status("stock.compensate"), TaskStatus::Skipped);
}

#[test]
fn a_run_with_nothing_to_undo_ends_as_it_would() {
    let mut run = Driver::started(order());
    run.fail("stock");
    assert_eq!(run.run_status(), RunStatus::Failed);
    assert_eq!(run.status("charge.compensate"), TaskStatus::Skipped);
}

#[test]
fn only_the_outcomes_named_start_a_compensation() {
    for (on, want) in [
        (CompensateOn::Failed, RunStatus::Compensating),
        (CompensateOn::Cancelled, RunStatus::Failed),
    ] {
        let mut definition = order();
        definition.compensation = Some(Compensation {
            on: vec![on],
            ..Compensation::default()
        });
        assert_eq!(failed_order(definition).run_status(), want);
    }
}

#[test]
fn a_graceful_cancel_undoes_and_cancel_now_does_not() {
    for (mode, want) in [
        (CancelMode::Graceful, RunStatus::Compensating),
        (CancelMode::Now, RunStatus::Cancelled),
    ] {
        let mut run = Driver::started(order());
        run.succeed("stock");
        cancel(&mut run, mode);
        assert_eq!(run.run_status(), want);
    }
}

#[test]
fn a_run_that_took_too_long_is_undone() {
    let mut definition = order();
    definition.timeout = Some(Duration::from_secs(60));
    let mut run = Driver::started(definition);
    run.succeed("stock");
    run.dispatched();
    run.tick_after(Duration::from_secs(60));
    assert_eq!(run.dispatched(), ["stock.compensate"]);
    run.tick_after(Duration::from_secs(50));
    run.succeed("stock.compensate");
    assert_eq!(run.run_status(), RunStatus::Compensated);
}

#[test]
fn nothing_is_undone_at_or_before_a_point_of_no_return() {
    let mut tasks = vec![
        undoable(root("a")),
        undoable(task("b", &["a"])),
        undoable(task("c", &["b"])),
        undoable(root("other")),
        task("last", &["c", "other"]),
    ];
    tasks[1].point_of_no_return = true;
    let mut run = Driver::started(workflow(tasks));
    for key in ["a", "b", "c", "other"] {
        run.succeed(key);
    }
    run.dispatched();
    run.fail("last");
    assert_eq!(run.dispatched(), ["other.compensate", "c.compensate"]);
    run.succeed("other.compensate");
    run.succeed("c.compensate");
    for key in ["a.compensate", "b.compensate"] {
        assert_eq!(run.status(key), TaskStatus::Skipped);
    }
    assert_eq!(run.run_status(), RunStatus::Compensated);
}

#[test]
fn the_order_holds_across_tasks_without_a_compensation() {
    let tasks = vec![
        undoable(root("a")),
        task("plain", &["a"]),
        undoable(task("b", &["plain"])),
        task("last", &["b"]),
    ];
    let mut run = Driver::started(workflow(tasks));
    for key in ["a", "plain", "b"] {
        run.succeed(key);
    }
    run.dispatched();
    run.fail("last");
    assert_eq!(run.dispatched(), ["b.compensate"]);
    run.succeed("b.compensate");
    assert_eq!(run.dispatched(), ["a.compensate"]);
}

#[test]
fn in_parallel_everything_is_undone_at_once() {
    let mut definition = order();
    definition.compensation = Some(Compensation {
        order: CompensationOrder::Parallel,
        ..Compensation::default()
    });
    let mut run = failed_order(definition);
    assert_eq!(run.dispatched(), ["stock.compensate", "charge.compensate"]);
}

#[test]
fn a_compensation_that_fails_halts_the_others_or_not() {
    for (on_error, others) in [
        (CompensationError::Continue, vec!["stock.compensate"]),
        (CompensationError::Halt, vec![]),
    ] {
        let mut definition = order();
        definition.compensation = Some(Compensation {
            on_error,
            ..Compensation::default()
        });
        let mut run = failed_order(definition);
        run.dispatched();
        run.fail("charge.compensate");
        assert_eq!(run.dispatched(), others);
        if !others.is_empty() {
            run.succeed("stock.compensate");
        }
        assert_eq!(run.run_status(), RunStatus::CompensationFailed);
        let error = run.state.error.clone().unwrap();
        assert_eq!(error.code, "COMPENSATION_FAILED");
        assert_eq!(error.details.unwrap()["cause"]["message"], "ship: it failed");
    }
}

#[test]
fn a_compensation_has_its_own_retries() {
    let mut definition = order();
    definition.tasks[1].compensate.as_mut().unwrap().retry = retry(2);
    let mut run = failed_order(definition);
    run.fail("charge.compensate");
    assert_eq!(run.status("charge.compensate"), TaskStatus::RetryWait);
    run.tick_after(Duration::from_secs(1));
    run.succeed("charge.compensate");
    run.succeed("stock.compensate");
    assert_eq!(run.run_status(), RunStatus::Compensated);
}

#[test]
fn handlers_run_after_the_compensation_and_see_its_result() {
    let mut definition = order();
    definition.on_failure = vec![root("page")];
    definition.finally = vec![root("audit")];
    definition.finally[0].input = json!("${{ run.status }} ${{ run.failed_tasks }}");
    let mut run = failed_order(definition);
    assert_eq!(run.dispatched(), ["charge.compensate"]);
    assert_eq!(run.status("page"), TaskStatus::Blocked);
    run.succeed("charge.compensate");
    run.dispatched();
    run.succeed("stock.compensate");
    assert_eq!(run.dispatched(), ["page", "audit"]);
    let input = run.state.tasks[run.ix("audit").at()].input.clone();
    assert_eq!(input.as_deref(), Some(r#""COMPENSATED [\"ship\"]""#));
    run.succeed("page");
    run.succeed("audit");
    assert_eq!(run.run_status(), RunStatus::Compensated);
}

#[test]
fn a_compensation_can_be_paused_and_resumed() {
    let mut run = failed_order(order());
    run.feed(Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    });
    run.dispatched();
    run.succeed("charge.compensate");
    assert_eq!(run.status("stock.compensate"), TaskStatus::Ready);
    assert!(run.dispatched().is_empty());
    run.feed(Input::ResumeRequested { actor: "me".into() });
    assert_eq!(run.dispatched(), ["stock.compensate"]);
}

#[test]
fn a_graceful_cancel_is_refused_during_a_compensation_and_now_stops_it() {
    let mut run = failed_order(order());
    assert!(matches!(
        cancel(&mut run, CancelMode::Graceful),
        Outcome::Refused(_)
    ));
    assert_eq!(cancel(&mut run, CancelMode::Now), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::CompensationFailed);
    assert_eq!(run.status("stock.compensate"), TaskStatus::Cancelled);
}

#[test]
fn the_retry_of_a_failed_compensation_goes_on_with_the_rollback() {
    let mut definition = order();
    definition.compensation = Some(Compensation {
        on_error: CompensationError::Halt,
        ..Compensation::default()
    });
    let mut run = failed_order(definition);
    run.fail("charge.compensate");
    assert_eq!(run.run_status(), RunStatus::CompensationFailed);
    run.dispatched();
    assert_eq!(request(&mut run, "charge.compensate"), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::Compensating);
    assert_eq!(run.dispatched(), ["charge.compensate"]);
    assert_eq!(run.state.error.as_ref().unwrap().message, "ship: it failed");
    run.succeed("charge.compensate");
    assert_eq!(run.dispatched(), ["stock.compensate"]);
    run.succeed("stock.compensate");
    assert_eq!(run.run_status(), RunStatus::Compensated);
}

#[test]
fn an_exhausted_compensation_may_wait_for_a_person() {
    let mut definition = order();
    definition.tasks[1].compensate.as_mut().unwrap().on_exhausted = OnExhausted::Pause;
    let mut run = failed_order(definition);
    run.fail("charge.compensate");
    assert_eq!(
        (run.run_status(), run.state.is_paused),
        (RunStatus::Compensating, true)
    );
    run.dispatched();
    run.feed(Input::ResumeRequested { actor: "me".into() });
    assert_eq!(run.dispatched(), ["charge.compensate"]);
}

#[test]
fn a_retry_in_a_compensated_run_does_again_what_was_undone() {
    let mut run = failed_order(order());
    run.succeed("charge.compensate");
    run.succeed("stock.compensate");
    run.dispatched();
    assert_eq!(request(&mut run, "ship"), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::Running);
    assert_eq!(run.dispatched(), ["stock"]);
    for key in ["stock", "charge", "ship"] {
        run.succeed(key);
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_main_task_cannot_be_retried_while_the_run_is_being_compensated() {
    let mut run = failed_order(order());
    assert!(matches!(request(&mut run, "ship"), Outcome::Refused(_)));
    let refused = run.feed(Input::Rerun(RerunInput::Failed {
        actor: "me".into(),
        reason: None,
        key: None,
    }));
    assert!(matches!(refused, Outcome::Refused(_)));
}

#[test]
fn a_compensation_may_fan_out_over_the_output_of_its_task() {
    let mut definition = order();
    let own = definition.tasks[0].compensate.as_mut().unwrap();
    own.input = json!("${{ each.item }}");
    own.for_each = Some(ForEach {
        items: json!("${{ tasks.stock.output }}"),
        ..ForEach::default()
    });
    let mut run = Driver::started(definition);
    run.succeed_with("stock", json!(["x", "y"]));
    run.dispatched();
    run.fail("charge");
    assert_eq!(run.dispatched(), ["stock.compensate[0]", "stock.compensate[1]"]);
    run.succeed("stock.compensate[0]");
    run.succeed("stock.compensate[1]");
    assert_eq!(run.run_status(), RunStatus::Compensated);
}

#[test]
fn a_compensation_that_an_operator_skips_does_not_let_others_overtake() {
    let tasks = vec![
        undoable(root("a")),
        undoable(task("b", &["a"])),
        undoable(task("c", &["b"])),
        task("last", &["c"]),
    ];
    let mut run = Driver::started(workflow(tasks));
    for key in ["a", "b", "c"] {
        run.succeed(key);
    }
    run.fail("last");
    run.dispatched();
    let task = run.ix("b.compensate");
    run.feed(Input::TaskSkipRequested {
        task,
        actor: "me".into(),
        reason: None,
    });
    assert!(run.dispatched().is_empty(), "c is not undone yet");
    run.succeed("c.compensate");
    assert_eq!(run.dispatched(), ["a.compensate"]);
}

#[derive(Debug, Clone)]
struct Shape {
    needs: Vec<Index>,
    is_undoable: bool,
    is_last: bool,
    fails: bool,
    compensation_fails: u32,
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        prop::collection::vec(any::<Index>(), 0..4),
        prop::bool::weighted(0.7),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
        0_u32..3,
    )
        .prop_map(|(needs, is_undoable, is_last, fails, compensation_fails)| Shape {
            needs,
            is_undoable,
            is_last,
            fails,
            compensation_fails,
        })
}

fn build(shapes: &[Shape]) -> Workflow {
    let tasks = shapes.iter().enumerate().map(|(at, shape)| {
        let needs: BTreeSet<String> = shape
            .needs
            .iter()
            .filter(|_| at > 0)
            .map(|need| format!("t{}", need.index(at)))
            .collect();
        let mut made = task(&format!("t{at}"), &needs.into_iter().collect::<Vec<_>>());
        made.point_of_no_return = shape.is_last;
        if shape.is_undoable {
            made = undoable(made);
            if let Some(own) = made.compensate.as_mut() {
                own.retry = retry(3);
            }
        }
        made
    });
    workflow(tasks.collect())
}

/// Main tasks downstream of each, transitively.
fn descendants(run: &Driver) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for task in run.plan.workflow().tasks.iter().rev() {
        let own = found.entry(task.key.clone()).or_default().clone();
        for need in &task.needs {
            let above = found.entry(need.task.clone()).or_default();
            above.insert(task.key.clone());
            above.extend(own.iter().cloned());
        }
    }
    found
}

/// What must hold of a run that has ended: each compensation took place exactly where it had to, and in its order.
fn check_rollback(run: &Driver, shapes: &[Shape]) {
    let descendants = descendants(run);
    let succeeded = |key: &str| run.status(key) == TaskStatus::Succeeded;
    let ended = |key: &str| {
        let ix = run.ix(key);
        run.records
            .iter()
            .position(|r| r.task == Some(ix) && r.kind == RecordKind::TaskSucceeded)
    };
    let began = |key: &str| {
        let ix = run.ix(key);
        run.records
            .iter()
            .position(|r| r.task == Some(ix) && r.kind == RecordKind::TaskQueued)
    };
    let is_rolled_back = run.run_status() == RunStatus::Compensated;
    for task in &run.plan.workflow().tasks {
        let below = &descendants[&task.key];
        let is_final = std::iter::once(&task.key).chain(below).any(|key| {
            let at: usize = key[1..].parse().unwrap();
            shapes[at].is_last && succeeded(key)
        });
        if task.compensate.is_none() {
            continue;
        }
        let own = format!("{}.compensate", task.key);
        let wanted = succeeded(&task.key) && !is_final && run.run_status() != RunStatus::Succeeded;
        assert_eq!(succeeded(&own), wanted, "{} in {:?}", own, run.run_status());
        let times = run
            .records
            .iter()
            .filter(|r| r.task == Some(run.ix(&own)) && r.kind == RecordKind::TaskSucceeded);
        assert!(times.count() <= 1);
        if wanted {
            assert!(is_rolled_back);
            for after in below.iter().map(|key| format!("{key}.compensate")) {
                if run.plan.find(&after).is_some() && succeeded(&after) {
                    assert!(ended(&after) < began(&own), "{} before {}", own, after);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_that_succeeded_is_undone_once_after_all_that_depended_on_it(
        shapes in prop::collection::vec(shape(), 1..12),
        picks in prop::collection::vec((any::<Index>(), 0_u8..8), 200),
        is_graceful_cancel in any::<bool>(),
    ) {
        let mut run = Driver::started(build(&shapes));
        let mut open = run.dispatched();
        let mut failed: BTreeMap<String, u32> = BTreeMap::new();
        let mut picks = picks.into_iter();
        while !run.run_status().is_terminal() {
            let Some((pick, action)) = picks.next() else { break };
            if action == 0 && is_graceful_cancel && run.run_status() == RunStatus::Running {
                cancel(&mut run, CancelMode::Graceful);
            } else if action == 1 {
                run.restores = !run.restores;
                run.feed(Input::PauseRequested { actor: "me".into(), reason: None });
                run.feed(Input::ResumeRequested { actor: "me".into() });
            } else if open.is_empty() {
                run.tick_after(Duration::from_secs(1));
            } else {
                let key = open.swap_remove(pick.index(open.len()));
                let (owner, is_compensation) = match key.strip_suffix(".compensate") {
                    Some(owner) => (owner.to_owned(), true),
                    None => (key.clone(), false),
                };
                let shape = &shapes[owner[1..].parse::<usize>().unwrap()];
                let count = failed.entry(key.clone()).or_default();
                if (is_compensation && *count < shape.compensation_fails) || (!is_compensation && shape.fails) {
                    *count += 1;
                    run.fail(&key);
                } else {
                    run.succeed(&key);
                }
            }
            open.extend(run.dispatched());
        }
        prop_assume!(run.run_status().is_terminal());
        check_rollback(&run, &shapes);
    }
}
