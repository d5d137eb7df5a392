//! Sizes that would overflow a stack or take minutes if something recursed or scanned. No times are asserted.

use serde_json::json;

use crate::Moment;
use crate::definition::{ForEach, Join, Task, Tolerate};
use crate::ids::TaskIx;
use crate::run::testkit::{Driver, root, task, workflow};
use crate::run::{Effects, Input, RunStatus, advance};

/// Feeds without the driver's checks, which are linear in the run.
fn feed(run: &mut Driver, input: &Input, effects: &mut Effects) {
    advance(
        &run.plan,
        &mut run.state,
        input,
        &Moment {
            now: run.now,
            entropy: 7,
        },
        effects,
    );
}

#[test]
fn a_chain_of_ten_thousand_passes_needs_no_stack() {
    let tasks = (0..10_000)
        .map(|n| Task {
            kind: "pass".into(),
            ..task(
                &format!("t{n}"),
                &if n == 0 {
                    vec![]
                } else {
                    vec![format!("t{}", n - 1)]
                },
            )
        })
        .collect();
    let mut run = Driver::new(workflow(tasks));
    feed(
        &mut run,
        &Input::Started { actor: "me".into() },
        &mut Effects::default(),
    );
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_failure_at_the_head_of_a_long_chain_skips_it_all() {
    let tasks = (0..10_000)
        .map(|n| {
            task(
                &format!("t{n}"),
                &if n == 0 {
                    vec![]
                } else {
                    vec![format!("t{}", n - 1)]
                },
            )
        })
        .collect();
    let mut run = Driver::new(workflow(tasks));
    let mut effects = Effects::default();
    feed(&mut run, &Input::Started { actor: "me".into() }, &mut effects);
    let failure = crate::run::testkit::failure("X");
    let timings = run.timings();
    feed(
        &mut run,
        &Input::AttemptFailed {
            task: TaskIx(0),
            attempt: 1,
            failure,
            timings,
        },
        &mut effects,
    );
    assert_eq!(run.state.counts.skipped, 9_999);
    assert_eq!(run.run_status(), RunStatus::Failed);
}

#[test]
fn a_join_over_thousands_starts_exactly_once() {
    let mut tasks: Vec<Task> = (0..5_000).map(|n| root(&format!("t{n}"))).collect();
    let keys: Vec<String> = tasks.iter().map(|task| task.key.clone()).collect();
    tasks.push(Task {
        join: Join::All,
        ..task("join", &keys)
    });
    let mut run = Driver::new(workflow(tasks));
    let mut effects = Effects::default();
    feed(&mut run, &Input::Started { actor: "me".into() }, &mut effects);
    assert_eq!(effects.commands.len(), 5_000);
    for ix in (0..5_000).rev().chain(0..5_000) {
        let timings = run.timings();
        feed(
            &mut run,
            &Input::AttemptSucceeded {
                task: TaskIx(ix),
                attempt: 1,
                output: "{}".into(),
                timings,
            },
            &mut effects,
        );
    }
    assert_eq!(effects.commands.len(), 5_001);
}

#[test]
fn a_hundred_thousand_items_complete_with_a_window_of_rows_in_flight() {
    let items: Vec<u32> = (0..100_000).collect();
    let for_each = ForEach {
        items: json!(items),
        key: None,
        max_parallel: None,
        tolerate: Tolerate::Count(0),
        ..ForEach::default()
    };
    let mut run = Driver::new(workflow(vec![Task {
        for_each: Some(for_each),
        ..root("f")
    }]));
    let mut effects = Effects::default();
    feed(&mut run, &Input::Started { actor: "me".into() }, &mut effects);
    assert_eq!(run.state.tasks.len(), 1_001);
    for ix in 1..=100_000 {
        let timings = run.timings();
        let input = Input::AttemptSucceeded {
            task: TaskIx(ix),
            attempt: 1,
            output: "1".into(),
            timings,
        };
        feed(&mut run, &input, &mut effects);
        assert!(run.state.counts.queued <= 1_000);
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(effects.commands.len(), 100_000);
    assert!(crate::run::check(&run.plan, &run.state).is_empty());
}

#[test]
fn items_that_need_no_worker_are_made_a_bounded_number_at_a_time() {
    let items: Vec<u32> = (0..10_000).collect();
    let for_each = ForEach {
        items: json!(items),
        ..ForEach::default()
    };
    let mut run = Driver::new(workflow(vec![Task {
        for_each: Some(for_each),
        kind: "pass".into(),
        ..root("f")
    }]));
    let mut calls = 0;
    let mut input = Input::Started { actor: "me".into() };
    while !run.run_status().is_terminal() {
        let before = run.state.tasks.len();
        feed(&mut run, &input, &mut Effects::default());
        assert!(run.state.tasks.len() - before <= 2_000);
        input = Input::Tick;
        calls += 1;
        assert!(calls < 10, "the alarm goes on with the rest");
    }
    assert_eq!(run.state.counts.succeeded, 10_001);
}

#[test]
fn items_that_need_no_worker_stop_soon_after_too_many_failed() {
    let items: Vec<u32> = (0..50_000).collect();
    let for_each = ForEach {
        items: json!(items),
        key: None,
        max_parallel: None,
        tolerate: Tolerate::Count(0),
        ..ForEach::default()
    };
    let input = json!({"simulate_failure": true});
    let tasks = vec![Task {
        for_each: Some(for_each),
        kind: "pass".into(),
        input,
        ..root("f")
    }];
    let mut run = Driver::new(workflow(tasks));
    feed(
        &mut run,
        &Input::Started { actor: "me".into() },
        &mut Effects::default(),
    );
    assert_eq!(run.run_status(), RunStatus::Failed);
    assert!(run.state.tasks.len() <= 1_001);
}
