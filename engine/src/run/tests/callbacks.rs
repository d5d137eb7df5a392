//! Callbacks: a task ends when the token of its attempt is used, once, before or after the worker's report.

use std::time::Duration;

use serde_json::{Value, json};

use crate::definition::{ForEach, Task};
use crate::run::testkit::{Driver, failure, retry, task, workflow};
use crate::run::{
    Command, Input, Outcome, RecordKind, RunStatus, Stale, TaskStatus, WaitCommand, WaitInput, WaitSubject,
    callback_token_mark, callback_url_mark, dispatch_payload,
};
use crate::{Moment, TaskIx};

fn called_back() -> Task {
    Task {
        callback: true,
        input: json!({"token": "${{ task.callback_token }}", "url": "${{ task.callback_url }}"}),
        ..task::<&str>("call", &[])
    }
}

fn started(task: Task) -> Driver {
    let mut run = Driver::new(workflow(vec![task]));
    run.restores = true;
    run.start();
    run
}

fn answer(run: &mut Driver, key: &str, attempt: u32, output: Value) -> Outcome {
    let task = run.ix(key);
    run.feed(Input::Wait(WaitInput::Callback {
        task,
        attempt,
        result: Ok(output.to_string().into()),
        actor: "callback".into(),
    }))
}

fn beat(run: &mut Driver, attempt: u32) -> Outcome {
    let task = run.ix("call");
    run.feed(Input::Wait(WaitInput::CallbackAlive { task, attempt }))
}

fn output(run: &Driver, key: &str) -> Value {
    let text = run.state.tasks[run.ix(key).at()].output.as_deref();
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

#[test]
fn the_message_has_marks_and_no_token() {
    let run = started(called_back());
    let moment = Moment {
        now: run.now,
        entropy: 0,
    };
    let payload = dispatch_payload(&run.plan, &run.state, TaskIx(0), &moment).unwrap();
    assert_eq!(payload.callback_mark.len(), 16);
    let input: Value = serde_json::from_str(&payload.input).unwrap();
    assert_eq!(input["token"], callback_token_mark(&payload.callback_mark));
    assert_eq!(input["url"], callback_url_mark(&payload.callback_mark));
    let plain = started(task::<&str>("call", &[]));
    let payload = dispatch_payload(&plain.plan, &plain.state, TaskIx(0), &moment).unwrap();
    assert_eq!(payload.callback_mark, "");
}

#[test]
fn after_the_workers_report_the_task_waits_without_a_worker() {
    let mut run = started(called_back());
    run.begin("call");
    run.succeed_with("call", json!("set going"));
    assert_eq!(run.status("call"), TaskStatus::Waiting);
    assert_eq!(run.state.extra.derived.in_flight, 0);
    assert!(run.commands.iter().any(|command| matches!(
        command,
        Command::Wait(WaitCommand::Begin {
            attempt: 1,
            subject: WaitSubject::Callback,
            ..
        })
    )));
    assert_eq!(answer(&mut run, "call", 1, json!({"ok": true})), Outcome::Applied);
    assert_eq!(output(&run, "call"), json!({"ok": true}));
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert!(matches!(
        run.commands.last(),
        Some(Command::Wait(WaitCommand::End { .. }))
    ));
}

#[test]
fn a_callback_before_the_workers_report_ends_the_task_too() {
    for begins in [false, true] {
        let mut run = started(Task {
            callback: true,
            ..task::<&str>("call", &[])
        });
        if begins {
            run.begin("call");
        }
        assert_eq!(answer(&mut run, "call", 1, json!(5)), Outcome::Applied);
        assert_eq!(
            (run.status("call"), output(&run, "call")),
            (TaskStatus::Succeeded, json!(5))
        );
        assert_eq!(run.succeed("call"), Outcome::Ignored(Stale::RunIsTerminal));
        assert_eq!(output(&run, "call"), json!(5));
    }
}

#[test]
fn a_token_is_good_once() {
    let mut run = Driver::started(workflow(vec![called_back(), task("after", &["call"])]));
    run.succeed("call");
    assert_eq!(answer(&mut run, "call", 1, json!(1)), Outcome::Applied);
    for _ in 0..2 {
        assert!(matches!(
            answer(&mut run, "call", 1, json!(2)),
            Outcome::Refused(_)
        ));
    }
    assert!(matches!(beat(&mut run, 1), Outcome::Refused(_)));
    assert_eq!(output(&run, "call"), json!(1));
}

#[test]
fn a_failed_worker_and_a_failed_callback_are_retried_with_a_new_token() {
    let mut run = started(Task {
        retry: retry(2),
        ..called_back()
    });
    run.fail("call");
    assert_eq!(run.status("call"), TaskStatus::RetryWait);
    assert!(
        matches!(answer(&mut run, "call", 1, json!(1)), Outcome::Refused(_)),
        "the attempt is over"
    );
    let first = run.state.tasks[0].input.clone();
    run.tick_after(Duration::from_secs(1));
    assert_ne!(run.state.tasks[0].input, first, "a new attempt has new marks");
    run.succeed("call");
    let task = run.ix("call");
    let failed = run.feed(Input::Wait(WaitInput::Callback {
        task,
        attempt: 2,
        result: Err(failure("REMOTE")),
        actor: "callback".into(),
    }));
    assert_eq!(
        (failed, run.status("call")),
        (Outcome::Applied, TaskStatus::RetryWait)
    );
    run.tick_after(Duration::from_secs(1));
    run.succeed("call");
    assert!(matches!(
        answer(&mut run, "call", 2, json!(1)),
        Outcome::Refused(_)
    ));
    assert_eq!(answer(&mut run, "call", 3, json!(3)), Outcome::Applied);
}

#[test]
fn the_timeout_counts_from_the_start_of_the_attempt() {
    let mut run = started(Task {
        timeout: Some(Duration::from_secs(100)),
        ..called_back()
    });
    run.begin("call");
    run.now = run.now.after(Duration::from_secs(40));
    run.succeed("call");
    run.tick_after(Duration::from_secs(59));
    assert_eq!(run.status("call"), TaskStatus::Waiting);
    run.tick_after(Duration::from_secs(1));
    assert_eq!(run.status("call"), TaskStatus::TimedOut);
}

#[test]
fn heartbeats_keep_a_callback_alive_and_silence_ends_it() {
    let mut run = started(Task {
        heartbeat: Some(Duration::from_secs(30)),
        ..called_back()
    });
    assert_eq!(
        beat(&mut run, 1),
        Outcome::Ignored(Stale::NothingDue),
        "not begun yet"
    );
    run.succeed("call");
    for _ in 0..3 {
        run.tick_after(Duration::from_secs(29));
        assert_eq!(beat(&mut run, 1), Outcome::Applied);
    }
    run.tick_after(Duration::from_secs(30));
    assert_eq!(run.status("call"), TaskStatus::TimedOut);
    assert_eq!(run.state.tasks[0].error.clone().unwrap().code, "CALLBACK_SILENT");
}

#[test]
fn items_of_a_fan_out_have_a_token_each() {
    let mut run = started(Task {
        for_each: Some(ForEach {
            items: json!([1, 2]),
            ..ForEach::default()
        }),
        ..called_back()
    });
    run.succeed("call[0]");
    run.succeed("call[1]");
    assert_eq!(answer(&mut run, "call[1]", 1, json!("b")), Outcome::Applied);
    assert_eq!(answer(&mut run, "call[0]", 1, json!("a")), Outcome::Applied);
    assert_eq!(output(&run, "call"), json!(["a", "b"]));
    let received = run
        .records
        .iter()
        .filter(|r| r.kind == RecordKind::CallbackReceived);
    assert_eq!(received.count(), 2);
}

#[test]
fn a_token_of_a_task_that_is_not_called_back_opens_nothing() {
    let mut run = started(task::<&str>("call", &[]));
    assert!(matches!(
        answer(&mut run, "call", 1, json!(1)),
        Outcome::Refused(_)
    ));
    let nothing = run.feed(Input::Wait(WaitInput::Callback {
        task: TaskIx(99),
        attempt: 1,
        result: Ok("1".into()),
        actor: "callback".into(),
    }));
    assert!(matches!(nothing, Outcome::Refused(_)));
}
