//! Gates as the run sees them: it asks, waits as `READY`, holds while the attempt lives, and gives back in any way it ends.

use std::time::Duration;

use serde_json::json;

use crate::definition::{
    CachePolicy, Circuit, Concurrency, ForEach, OnConflict, OnExhausted, RateLimit, Task,
};
use crate::gate::GateRequest;
use crate::run::testkit::{Driver, retry, root, task, workflow};
use crate::run::{
    CancelMode, Category, Command, GateCommand, GateInput, Input, Outcome, RecordKind, RerunInput, RunStatus,
    Stale, TaskFailure, TaskStatus,
};
use crate::{TaskIx, Timestamp, Workflow};

fn limited(key: &str) -> Task {
    Task {
        concurrency: Some(Concurrency {
            group: None,
            limit: 1,
            on_conflict: OnConflict::Queue,
        }),
        ..root(key)
    }
}

fn guarded(key: &str) -> Task {
    Task {
        circuit: Some(Circuit {
            key: "api".into(),
            failures: 3,
            window: Duration::from_secs(60),
            cooldown: Duration::from_secs(30),
        }),
        ..root(key)
    }
}

/// What the run said to the gates since the last call.
fn said(run: &mut Driver) -> Vec<GateCommand> {
    std::mem::take(&mut run.commands)
        .into_iter()
        .filter_map(|command| match command {
            Command::Gate(command) => Some(command),
            Command::Dispatch { .. }
            | Command::Stop { .. }
            | Command::DeadLetter { .. }
            | Command::Wait(_)
            | Command::Child(_) => None,
        })
        .collect()
}

fn requests(said: &[GateCommand]) -> Vec<(TaskIx, u32)> {
    said.iter()
        .filter_map(|command| match command {
            GateCommand::Request { task, attempt, .. } => Some((*task, *attempt)),
            _ => None,
        })
        .collect()
}

fn releases(said: &[GateCommand]) -> Vec<(u32, Option<bool>)> {
    said.iter()
        .filter_map(|command| match command {
            GateCommand::Release { attempt, verdict, .. } => Some((*attempt, *verdict)),
            _ => None,
        })
        .collect()
}

fn request(said: &[GateCommand]) -> GateRequest {
    said.iter()
        .find_map(|command| match command {
            GateCommand::Request { request, .. } | GateCommand::RequestRun { request, .. } => {
                Some(request.as_ref().clone())
            }
            _ => None,
        })
        .unwrap()
}

fn admit(run: &mut Driver, key: &str) -> Outcome {
    let task = run.ix(key);
    let attempt = run.state.tasks[task.at()].attempt + 1;
    run.feed(Input::Gate(GateInput::Admitted { task, attempt }))
}

#[test]
fn a_limited_task_is_ready_until_it_is_admitted() {
    let mut run = Driver::started(workflow(vec![limited("a"), task("b", &["a"])]));
    assert_eq!(run.status("a"), TaskStatus::Ready);
    let asked = said(&mut run);
    assert_eq!(requests(&asked), [(TaskIx(0), 1)]);
    assert_eq!(request(&asked).group.unwrap().name, "task/w/a");
    assert_eq!(admit(&mut run, "a"), Outcome::Applied);
    assert_eq!(run.status("a"), TaskStatus::Queued);
    assert!(said(&mut run).contains(&GateCommand::Taken {
        task: TaskIx(0),
        attempt: 1
    }));
    let again = Input::Gate(GateInput::Admitted {
        task: TaskIx(0),
        attempt: 1,
    });
    assert_eq!(
        run.feed(again),
        Outcome::Ignored(Stale::OldAttempt),
        "an answer counts once"
    );
    run.succeed("a");
    assert_eq!(releases(&said(&mut run)), [(1, Some(true))]);
    run.succeed("b");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn what_no_longer_asks_may_have_been_made_the_probe_and_lets_it_go() {
    type End = fn(&mut Driver);
    let ends: [(&str, End); 2] = [
        ("skip", |run| {
            drop(run.feed(Input::TaskSkipRequested {
                task: TaskIx(0),
                actor: "operator".into(),
                reason: None,
            }));
        }),
        ("cancel", |run| {
            drop(run.feed(Input::CancelRequested {
                mode: CancelMode::Now,
                actor: "operator".into(),
                reason: None,
            }));
        }),
    ];
    for (name, end) in ends {
        let mut run = Driver::started(workflow(vec![guarded("a")]));
        // the gates have decided, and their answer is on its way
        let asked = said(&mut run);
        let breaker = request(&asked).circuit.unwrap().key;
        end(&mut run);
        let release = GateCommand::Release {
            task: TaskIx(0),
            attempt: 1,
            circuit: Some(breaker),
            verdict: None,
        };
        assert!(said(&mut run).contains(&release), "{name}");
    }
}

#[test]
fn every_end_of_an_attempt_gives_back_what_it_held() {
    type End = fn(&mut Driver);
    let ends: [(&str, End, Option<bool>); 6] = [
        ("success", |run| drop(run.succeed("a")), Some(true)),
        ("failure", |run| drop(run.fail("a")), Some(false)),
        (
            "a wrong request",
            |run| {
                let wrong = TaskFailure::new(Category::Input, "BAD", "no", false);
                drop(run.fail_with("a", wrong));
            },
            None,
        ),
        (
            "loss",
            |run| {
                drop(run.feed(Input::AttemptLost {
                    task: TaskIx(0),
                    attempt: 1,
                    reason: "gone".into(),
                }));
            },
            None,
        ),
        (
            "cancel",
            |run| {
                drop(run.feed(Input::CancelRequested {
                    mode: CancelMode::Now,
                    actor: "me".into(),
                    reason: None,
                }));
            },
            None,
        ),
        (
            "skip",
            |run| {
                drop(run.feed(Input::TaskSkipRequested {
                    task: TaskIx(0),
                    actor: "me".into(),
                    reason: None,
                }));
            },
            None,
        ),
    ];
    for (name, end, verdict) in ends {
        let mut run = Driver::started(workflow(vec![guarded("a")]));
        admit(&mut run, "a");
        run.begin("a");
        said(&mut run);
        end(&mut run);
        assert_eq!(releases(&said(&mut run)), [(1, verdict)], "{name}");
    }
}

#[test]
fn a_retry_asks_again_and_holds_nothing_while_it_waits() {
    let mut run = Driver::started(workflow(vec![Task {
        retry: retry(2),
        ..guarded("a")
    }]));
    admit(&mut run, "a");
    said(&mut run);
    run.fail("a");
    assert_eq!(run.status("a"), TaskStatus::RetryWait);
    let now = said(&mut run);
    assert_eq!((releases(&now), requests(&now)), (vec![(1, Some(false))], vec![]));
    run.tick_after(Duration::from_secs(2));
    assert_eq!(run.status("a"), TaskStatus::Ready);
    assert_eq!(requests(&said(&mut run)), [(TaskIx(0), 2)]);
    admit(&mut run, "a");
    run.succeed("a");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_lost_attempt_gives_back_before_it_asks_again() {
    let mut run = Driver::started(workflow(vec![limited("a")]));
    admit(&mut run, "a");
    said(&mut run);
    run.feed(Input::AttemptLost {
        task: TaskIx(0),
        attempt: 1,
        reason: "gone".into(),
    });
    let now = said(&mut run);
    assert_eq!(releases(&now), [(1, None)]);
    assert_eq!(requests(&now), [(TaskIx(0), 2)]);
    assert_eq!(run.status("a"), TaskStatus::Ready);
}

#[test]
fn a_paused_run_steps_back_and_returns_to_its_old_place() {
    let mut run = Driver::started(workflow(vec![limited("a")]));
    let since = run.now;
    said(&mut run);
    run.feed(Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    });
    assert_eq!(releases(&said(&mut run)), [(1, None)]);
    assert_eq!(
        admit(&mut run, "a"),
        Outcome::Ignored(Stale::OldAttempt),
        "an answer that was on its way"
    );
    run.now = run.now.after(Duration::from_secs(60));
    run.feed(Input::ResumeRequested { actor: "me".into() });
    match said(&mut run).as_slice() {
        [
            GateCommand::Request {
                since: asked,
                attempt: 1,
                ..
            },
        ] => assert_eq!(*asked, since),
        other => panic!("{other:?}"),
    }
    admit(&mut run, "a");
    assert_eq!(run.status("a"), TaskStatus::Queued);
}

#[test]
fn a_full_group_skips_a_task_that_does_not_want_to_wait() {
    let mut run = Driver::started(workflow(vec![limited("a"), task("b", &["a"])]));
    said(&mut run);
    run.feed(Input::Gate(GateInput::Turned {
        task: TaskIx(0),
        attempt: 1,
    }));
    assert_eq!(
        (run.status("a"), run.status("b")),
        (TaskStatus::Skipped, TaskStatus::Skipped)
    );
    assert_eq!(releases(&said(&mut run)), [(1, None)]);
}

#[test]
fn each_item_of_a_fan_out_asks_and_the_fan_out_does_not() {
    let mut run = Driver::started(workflow(vec![Task {
        for_each: Some(ForEach {
            items: json!([1, 2, 3]),
            ..ForEach::default()
        }),
        ..limited("a")
    }]));
    assert_eq!(run.status("a"), TaskStatus::Waiting);
    assert_eq!(
        requests(&said(&mut run)),
        [(TaskIx(1), 1), (TaskIx(2), 1), (TaskIx(3), 1)]
    );
    for item in ["a[0]", "a[1]", "a[2]"] {
        admit(&mut run, item);
        run.succeed(item);
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_kept_result_stands_for_the_attempt() {
    let cached = Task {
        cache: Some(CachePolicy {
            key: Some("${{ inputs.n }}".into()),
            ttl: Duration::from_secs(60),
        }),
        ..root("a")
    };
    let start = |n: i64| {
        let mut run = Driver::with_inputs(workflow(vec![cached.clone(), task("b", &["a"])]), json!({"n": n}));
        run.start();
        let key = request(&said(&mut run)).cache.unwrap().key;
        (run, key)
    };
    let (mut first, key) = start(1);
    admit(&mut first, "a");
    first.succeed("a");
    let until = first.now.after(Duration::from_secs(60));
    let kept = GateCommand::Keep {
        task: TaskIx(0),
        key: key.clone(),
        until,
    };
    assert!(said(&mut first).contains(&kept));
    assert_ne!(start(2).1, key, "another key of the file is another key");
    let (mut second, same) = start(1);
    assert_eq!(same, key);
    second.feed(Input::Gate(GateInput::Cached {
        task: TaskIx(0),
        attempt: 1,
        output: "{\"from\":\"before\"}".into(),
        source: first.state.context.id,
        kept_at: Timestamp(5),
    }));
    assert_eq!(second.status("a"), TaskStatus::Cached);
    assert!(
        second
            .records
            .iter()
            .any(|record| record.kind == RecordKind::TaskCached)
    );
    second.succeed("b");
    assert_eq!(second.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_kept_result_ends_a_task_whose_time_was_over_before_the_answer() {
    let mut run = Driver::started(workflow(vec![Task {
        cache: Some(CachePolicy {
            key: None,
            ttl: Duration::from_secs(60),
        }),
        complete_within: Some(Duration::from_secs(15)),
        on_exhausted: OnExhausted::Pause,
        ..root("a")
    }]));
    run.tick_after(Duration::from_secs(16));
    assert_eq!((run.status("a"), run.state.is_paused), (TaskStatus::Ready, true));
    run.feed(Input::Gate(GateInput::Cached {
        task: TaskIx(0),
        attempt: 1,
        output: "1".into(),
        source: run.state.context.id,
        kept_at: Timestamp(5),
    }));
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(
        run.state.tasks[0].ready_at,
        Some(run.now),
        "the round in which it was ready began with the answer"
    );
}

#[test]
fn a_result_set_by_hand_is_not_kept_and_says_nothing_about_a_breaker() {
    let mut run = Driver::started(workflow(vec![Task {
        cache: Some(CachePolicy {
            key: None,
            ttl: Duration::from_secs(60),
        }),
        ..guarded("a")
    }]));
    admit(&mut run, "a");
    said(&mut run);
    run.feed(Input::Rerun(RerunInput::Override {
        task: TaskIx(0),
        result: Ok("7".into()),
        actor: "operator".into(),
        reason: None,
    }));
    assert_eq!(run.status("a"), TaskStatus::Succeeded);
    let said = said(&mut run);
    assert_eq!(releases(&said), [(1, None)]);
    assert!(
        !said
            .iter()
            .any(|command| matches!(command, GateCommand::Keep { .. }))
    );
}

#[test]
fn a_derived_cache_key_follows_the_input_and_the_definition() {
    let key = |input: serde_json::Value, kind: &str| {
        let mut run = Driver::started(workflow(vec![Task {
            kind: kind.into(),
            input,
            cache: Some(CachePolicy {
                key: None,
                ttl: Duration::from_secs(60),
            }),
            ..root("a")
        }]));
        request(&said(&mut run)).cache.unwrap().key
    };
    assert_eq!(key(json!({"x": 1}), "work"), key(json!({"x": 1}), "work"));
    assert_ne!(key(json!({"x": 1}), "work"), key(json!({"x": 2}), "work"));
    assert_ne!(key(json!({"x": 1}), "work"), key(json!({"x": 1}), "other"));
}

#[test]
fn names_of_gates_are_rendered_and_checked() {
    let rated = |key: &str| Task {
        rate_limit: Some(RateLimit {
            key: key.into(),
            count: 5,
            per: Duration::from_secs(1),
        }),
        ..root("a")
    };
    let mut run = Driver::with_inputs(
        workflow(vec![rated("api-${{ inputs.shop }}")]),
        json!({"shop": 7}),
    );
    run.start();
    assert_eq!(request(&said(&mut run)).rate.unwrap().key, "api-7");
    let long = "x".repeat(300);
    for (key, inputs, code) in [
        ("${{ inputs.shop }}", json!({"shop": null}), "GATE_KEY"),
        ("${{ inputs.shop }}", json!({"shop": long}), "GATE_KEY"),
        ("${{ inputs.nothing.at.all }}", json!({}), "EXPRESSION"),
    ] {
        let mut run = Driver::with_inputs(workflow(vec![rated(key)]), inputs);
        run.start();
        assert_eq!(run.status("a"), TaskStatus::Failed, "{key}");
        assert_eq!(run.state.tasks[0].error.as_ref().unwrap().code, code);
        assert!(said(&mut run).is_empty());
    }
}

fn limited_workflow() -> Workflow {
    Workflow {
        concurrency: Some(Concurrency {
            group: Some("g-${{ inputs.n }}".into()),
            limit: 1,
            on_conflict: OnConflict::Queue,
        }),
        ..workflow(vec![root("a")])
    }
}

#[test]
fn a_limited_run_is_pending_until_it_is_admitted() {
    let mut run = Driver::with_inputs(limited_workflow(), json!({"n": 1}));
    run.start();
    assert_eq!(run.run_status(), RunStatus::Pending);
    let asked = said(&mut run);
    assert_eq!(request(&asked).group.unwrap().name, "run:g-1");
    assert_eq!(run.feed(Input::Gate(GateInput::RunAdmitted)), Outcome::Applied);
    assert_eq!(said(&mut run), [GateCommand::TakenRun]);
    assert_eq!(
        run.feed(Input::Gate(GateInput::RunAdmitted)),
        Outcome::Ignored(Stale::AlreadyInForce)
    );
    run.succeed("a");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(said(&mut run), [GateCommand::ReleaseRun]);
}

#[test]
fn a_run_that_is_turned_away_or_cancelled_while_it_waits_ends_as_cancelled() {
    let cancel = Input::CancelRequested {
        mode: CancelMode::Graceful,
        actor: "me".into(),
        reason: None,
    };
    for (input, record) in [
        (Input::Gate(GateInput::RunTurned), RecordKind::RunTurned),
        (cancel, RecordKind::RunCancelRequested),
    ] {
        let mut run = Driver::with_inputs(limited_workflow(), json!({"n": 1}));
        run.start();
        said(&mut run);
        run.feed(input);
        assert_eq!(run.run_status(), RunStatus::Cancelled);
        assert!(run.records.iter().any(|found| found.kind == record));
        assert_eq!(said(&mut run), [GateCommand::ReleaseRun]);
    }
}

#[test]
fn a_kept_result_after_a_failed_attempt_leaves_no_error_behind() {
    let mut run = Driver::started(workflow(vec![Task {
        cache: Some(CachePolicy {
            key: None,
            ttl: Duration::from_secs(60),
        }),
        retry: retry(1),
        ..root("a")
    }]));
    run.feed(Input::Gate(GateInput::Admitted {
        task: TaskIx(0),
        attempt: 1,
    }));
    run.fail("a");
    run.tick_after(Duration::from_secs(1));
    run.feed(Input::Gate(GateInput::Cached {
        task: TaskIx(0),
        attempt: 2,
        output: "1".into(),
        source: run.state.context.id,
        kept_at: Timestamp(0),
    }));
    assert_eq!(run.status("a"), TaskStatus::Cached);
    assert_eq!(run.state.tasks[0].error, None);
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_run_that_is_turned_away_has_nothing_to_tidy_up() {
    let mut workflow = limited_workflow();
    workflow.finally = vec![root("tidy")];
    workflow.on_failure = vec![root("alert")];
    let mut run = Driver::with_inputs(workflow, json!({"n": 1}));
    run.start();
    run.feed(Input::Gate(GateInput::RunTurned));
    assert_eq!(run.run_status(), RunStatus::Cancelled);
    assert_eq!(run.status("tidy"), TaskStatus::Cancelled);
    assert!(run.dispatched().is_empty());
}

#[test]
fn a_run_whose_group_has_no_name_fails() {
    let mut run = Driver::with_inputs(limited_workflow(), json!({}));
    run.start();
    assert_eq!(run.run_status(), RunStatus::Failed);
    assert_eq!(run.state.error.as_ref().unwrap().category, Category::Expression);
}
