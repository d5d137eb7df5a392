//! Events and signals: what a waiting task takes, when, and what it leaves alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use serde_json::{Value, json};

use crate::definition::{ForEach, Task};
use crate::run::testkit::{Driver, task, workflow};
use crate::run::{
    CancelMode, Category, Command, Input, Outcome, RecordKind, RunStatus, Stale, TaskStatus, WaitCommand,
    WaitInput, WaitSubject,
};

fn wait<S: AsRef<str>>(key: &str, needs: &[S], input: Value) -> Task {
    Task {
        kind: "wait".into(),
        input,
        ..task(key, needs)
    }
}

fn waiting(input: Value) -> Driver {
    Driver::started(workflow(vec![wait::<&str>("w", &[], input)]))
}

fn event(driver: &mut Driver, key: &str, event: Value) -> Outcome {
    let task = driver.ix(key);
    let attempt = driver.state.tasks[task.at()].attempt;
    driver.feed(Input::Wait(WaitInput::Event {
        task,
        attempt,
        event: event.to_string().into(),
    }))
}

fn signal(driver: &mut Driver, name: &str, data: Value, id: Option<&str>) -> Outcome {
    driver.feed(Input::Wait(WaitInput::Signal {
        name: name.into(),
        data: data.to_string().into(),
        actor: "ana".into(),
        id: id.map(Arc::from),
    }))
}

fn output(driver: &Driver, key: &str) -> Value {
    let text = driver.state.tasks[driver.ix(key).at()].output.as_deref();
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// What the shell holds of waits after these commands.
fn held(driver: &Driver) -> BTreeSet<u32> {
    let mut held = BTreeSet::new();
    for command in &driver.commands {
        match command {
            Command::Wait(WaitCommand::Begin { task, .. }) => _ = held.insert(task.0),
            Command::Wait(WaitCommand::End { task }) => _ = held.remove(&task.0),
            _ => {}
        }
    }
    held
}

fn shipped(id: u32) -> Value {
    json!({"type": "shipped", "id": format!("e{id}"), "source": "/orders", "data": {"order": id}})
}

#[test]
fn an_event_ends_the_wait_and_is_its_output() {
    let mut run = waiting(json!({"event": "shipped"}));
    assert_eq!(run.status("w"), TaskStatus::Waiting);
    assert!(matches!(
        &run.commands[..],
        [Command::Wait(WaitCommand::Begin { attempt: 1, subject: WaitSubject::Event(kind, since), .. })]
            if &**kind == "shipped" && run.now.since(*since) == Duration::from_secs(600)
    ));
    assert_eq!(event(&mut run, "w", shipped(7)), Outcome::Applied);
    assert_eq!(output(&run, "w"), shipped(7));
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert!(held(&run).is_empty());
}

#[test]
fn the_look_back_of_the_file_is_used() {
    let run = waiting(json!({"event": "shipped", "look_back": "1h"}));
    assert!(matches!(
        &run.commands[..],
        [Command::Wait(WaitCommand::Begin { subject: WaitSubject::Event(_, since), .. })]
            if run.now.since(*since) == Duration::from_secs(3_600)
    ));
}

#[test]
fn an_event_that_does_not_match_changes_nothing() {
    let workflow = workflow(vec![wait::<&str>(
        "w",
        &[],
        json!({"event": "shipped", "match": "event.data.order == inputs.order"}),
    )]);
    let mut run = Driver::with_inputs(workflow, json!({"order": 2}));
    run.start();
    assert_eq!(
        event(&mut run, "w", shipped(1)),
        Outcome::Ignored(Stale::NothingDue)
    );
    assert_eq!(
        event(&mut run, "w", json!({"type": "returned"})),
        Outcome::Ignored(Stale::NothingDue)
    );
    assert_eq!(event(&mut run, "w", shipped(2)), Outcome::Applied);
    assert_eq!(
        event(&mut run, "w", shipped(2)),
        Outcome::Ignored(Stale::RunIsTerminal)
    );
}

#[test]
fn match_may_be_written_in_braces_and_reads_ancestors() {
    let first = Task {
        kind: "pass".into(),
        input: json!({"order": 5}),
        ..task::<&str>("first", &[])
    };
    let input = json!({"event": "shipped", "match": "${{ event.data.order == tasks.first.output.order }}"});
    let mut run = Driver::new(workflow(vec![first, wait("w", &["first"], input)]));
    run.restores = true;
    run.start();
    assert_eq!(
        event(&mut run, "w", shipped(4)),
        Outcome::Ignored(Stale::NothingDue)
    );
    assert_eq!(event(&mut run, "w", shipped(5)), Outcome::Applied);
}

#[test]
fn an_event_of_another_shape_is_told_of_three_times_and_fails_nothing() {
    let mut run = waiting(json!({"event": "shipped", "match": "event.data.order > 3"}));
    for at in 0..5 {
        let strange = json!({"type": "shipped", "data": {"something": at}});
        event(&mut run, "w", strange);
    }
    let told = run.records.iter().filter(|r| r.kind == RecordKind::EventReceived);
    assert_eq!(told.count(), 3);
    assert_eq!(run.status("w"), TaskStatus::Waiting);
    assert_eq!(event(&mut run, "w", shipped(4)), Outcome::Applied);
}

#[test]
fn a_wait_without_an_event_in_time_fails_is_skipped_or_goes_on() {
    for (on_timeout, status, ends) in [
        (json!(null), TaskStatus::TimedOut, RunStatus::Failed),
        (json!("skip"), TaskStatus::Skipped, RunStatus::Succeeded),
        (json!("succeed"), TaskStatus::Succeeded, RunStatus::Succeeded),
    ] {
        let mut run = waiting(json!({"event": "shipped", "timeout": "1h", "on_timeout": on_timeout}));
        run.tick_after(Duration::from_secs(3_599));
        assert_eq!(run.status("w"), TaskStatus::Waiting);
        run.tick_after(Duration::from_secs(1));
        assert_eq!(
            (run.status("w"), run.run_status()),
            (status, ends),
            "{on_timeout}"
        );
        assert!(held(&run).is_empty());
        if status == TaskStatus::TimedOut {
            let error = run.state.tasks[0].error.clone().unwrap();
            assert_eq!(
                (error.category, error.code.as_str()),
                (Category::Timeout, "WAIT_TIMEOUT")
            );
        }
    }
}

#[test]
fn however_a_wait_is_left_the_shell_hears_of_it() {
    for input in [
        Input::CancelRequested {
            mode: CancelMode::Graceful,
            actor: "me".into(),
            reason: None,
        },
        Input::CancelRequested {
            mode: CancelMode::Now,
            actor: "me".into(),
            reason: None,
        },
        Input::TaskSkipRequested {
            task: crate::TaskIx(0),
            actor: "me".into(),
            reason: None,
        },
    ] {
        for what in [json!({"event": "shipped"}), json!({"signal": "go"})] {
            let mut run = waiting(what);
            assert_eq!(held(&run).len(), 1);
            run.feed(input.clone());
            assert!(held(&run).is_empty(), "{input:?}");
            assert!(run.run_status().is_terminal());
        }
    }
}

#[test]
fn bad_names_and_times_fail_the_task_with_every_problem() {
    let workflow = workflow(vec![wait::<&str>(
        "w",
        &[],
        json!({"event": "${{ inputs.event }}", "timeout": "${{ inputs.timeout }}"}),
    )]);
    let mut run = Driver::with_inputs(workflow, json!({"event": "", "timeout": "soon"}));
    run.start();
    let error = run.state.tasks[0].error.clone().unwrap();
    assert_eq!(error.category, Category::Input);
    assert!(
        error.message.contains("`event` has 0 bytes") && error.message.contains("`timeout`"),
        "{error:?}"
    );
}

#[test]
fn the_items_of_a_fan_out_wait_each_for_their_own() {
    let mut each = wait::<&str>(
        "w",
        &[],
        json!({"event": "shipped", "match": "event.data.order == each.item"}),
    );
    each.for_each = Some(ForEach {
        items: json!([1, 2, 3]),
        ..ForEach::default()
    });
    let mut run = Driver::new(workflow(vec![each]));
    run.restores = true;
    run.start();
    assert_eq!(held(&run).len(), 3);
    for order in [2, 3, 1] {
        for key in ["w[0]", "w[1]", "w[2]"] {
            event(&mut run, key, shipped(order));
        }
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(output(&run, "w"), json!([shipped(1), shipped(2), shipped(3)]));
}

#[test]
fn a_signal_before_the_wait_is_kept_and_the_oldest_is_taken() {
    let mut run = Driver::new(workflow(vec![
        task::<&str>("first", &[]),
        wait("w", &["first"], json!({"signal": "go"})),
    ]));
    run.restores = true;
    run.start();
    assert_eq!(signal(&mut run, "go", json!({"n": 1}), None), Outcome::Applied);
    assert_eq!(signal(&mut run, "other", json!({"n": 2}), None), Outcome::Applied);
    assert_eq!(signal(&mut run, "go", json!({"n": 3}), None), Outcome::Applied);
    run.succeed("first");
    assert_eq!(output(&run, "w")["data"], json!({"n": 1}));
    assert_eq!(output(&run, "w")["by"], "ana");
    assert!(held(&run).is_empty());
    assert_eq!(run.state.extra.signals.len(), 2);
}

#[test]
fn a_kept_signal_that_does_not_match_stays_for_another_task() {
    let picky = json!({"signal": "go", "match": "event.data.n > 1"});
    let tasks = vec![
        task::<&str>("first", &[]),
        wait("picky", &["first"], picky),
        wait("any", &["picky"], json!({"signal": "go"})),
    ];
    let mut run = Driver::started(workflow(tasks));
    signal(&mut run, "go", json!({"n": 1}), None);
    signal(&mut run, "go", json!({"n": 2}), None);
    run.succeed("first");
    assert_eq!(output(&run, "picky")["data"]["n"], 2);
    assert_eq!(output(&run, "any")["data"]["n"], 1);
}

#[test]
fn the_task_that_waits_longest_takes_a_signal() {
    let tasks = vec![
        task::<&str>("first", &[]),
        wait::<&str>("early", &[], json!({"signal": "go"})),
        wait("late", &["first"], json!({"signal": "go"})),
    ];
    let mut run = Driver::new(workflow(tasks));
    run.restores = true;
    run.start();
    run.now = run.now.after(Duration::from_secs(1));
    run.succeed("first");
    signal(&mut run, "go", json!(1), None);
    assert_eq!(
        (run.status("early"), run.status("late")),
        (TaskStatus::Succeeded, TaskStatus::Waiting)
    );
    signal(&mut run, "go", json!(2), None);
    assert_eq!(output(&run, "late")["data"], 2);
}

#[test]
fn a_repeated_signal_is_one_signal_also_after_the_run() {
    let mut run = Driver::started(workflow(vec![
        task::<&str>("first", &[]),
        wait("w", &["first"], json!({"signal": "go"})),
    ]));
    assert_eq!(signal(&mut run, "go", json!(1), Some("k")), Outcome::Applied);
    assert_eq!(
        signal(&mut run, "go", json!(1), Some("k")),
        Outcome::Ignored(Stale::AlreadyInForce)
    );
    run.succeed("first");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(
        signal(&mut run, "go", json!(1), Some("k")),
        Outcome::Ignored(Stale::AlreadyInForce)
    );
    assert_eq!(
        signal(&mut run, "go", json!(1), Some("new")),
        Outcome::Ignored(Stale::RunIsTerminal)
    );
    assert_eq!(
        signal(&mut run, "go", json!(1), None),
        Outcome::Ignored(Stale::RunIsTerminal)
    );
}

#[test]
fn kept_signals_have_limits_that_the_refusal_names() {
    let mut run = Driver::started(workflow(vec![task::<&str>("first", &[])]));
    let refused = |outcome: Outcome, text: &str| match outcome {
        Outcome::Refused(refusal) => assert!(refusal.message.contains(text), "{refusal:?}"),
        other => panic!("{other:?}"),
    };
    refused(signal(&mut run, "", json!(1), None), "1 to 256");
    refused(signal(&mut run, "go", json!("x".repeat(40_000)), None), "32768");
    for _ in 0..4 {
        assert_eq!(
            signal(&mut run, "go", json!("x".repeat(32_000)), None),
            Outcome::Applied
        );
    }
    refused(signal(&mut run, "go", json!("x".repeat(32_000)), None), "131072");
    for _ in 4..100 {
        assert_eq!(signal(&mut run, "go", json!(1), None), Outcome::Applied);
    }
    refused(signal(&mut run, "go", json!(1), None), "100 signals");
}

#[test]
fn what_comes_while_the_run_is_paused_is_taken_and_nothing_starts() {
    let mut run = Driver::started(workflow(vec![
        wait::<&str>("w", &[], json!({"signal": "go"})),
        task("after", &["w"]),
    ]));
    run.feed(Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    });
    signal(&mut run, "go", json!(1), None);
    assert_eq!(
        (run.status("w"), run.status("after")),
        (TaskStatus::Succeeded, TaskStatus::Ready)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order of signals and of the begins of waits, each wait takes one signal and none is taken twice.
    #[test]
    fn each_signal_is_taken_once_whatever_the_order(order in prop::collection::vec(any::<bool>(), 1..24)) {
        let count = order.len();
        let mut tasks = Vec::new();
        for at in 0..count {
            tasks.push(task::<&str>(&format!("gate{at}"), &[]));
            let input = json!({"signal": "go"});
            tasks.push(wait(&format!("w{at}"), &[format!("gate{at}")], input));
        }
        let mut run = Driver::new(workflow(tasks));
        run.restores = true;
        run.start();
        let (mut sent, mut begun) = (0, 0);
        for is_signal in order.iter().chain(order.iter().map(|b| if *b { &false } else { &true })) {
            run.now = run.now.after(Duration::from_secs(1));
            if *is_signal {
                signal(&mut run, "go", json!(sent), None);
                sent += 1;
            } else {
                run.succeed(&format!("gate{begun}"));
                begun += 1;
            }
        }
        // both came equally often, so every wait has its signal, in the order in which they began
        prop_assert_eq!(run.run_status(), RunStatus::Succeeded);
        let taken: Vec<Value> = (0..count).map(|at| output(&run, &format!("w{at}"))["data"].clone()).collect();
        prop_assert_eq!(taken, (0..count).map(Value::from).collect::<Vec<_>>());
        prop_assert_eq!(run.state.extra.signals.len(), 0);
        prop_assert_eq!(held(&run).len(), 0);
    }
}
