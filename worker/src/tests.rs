use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use runnel_queue::{Depth, FailureCategory, LogStream, Outcome, Outgoing, Report, TaskQueue};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::testing::{Bench, completed, message};
use crate::{Failure, Handler, Handlers, TaskContext, TaskError};

/// What the test handlers count and wait for.
#[derive(Default)]
struct Shared {
    calls: AtomicU32,
    begun: Notify,
    go_on: Notify,
}

/// Behaves as its input says.
struct Obedient(Arc<Shared>);

#[async_trait]
impl Handler for Obedient {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        self.0.begun.notify_one();
        match ctx.text("do")?.unwrap_or("echo") {
            "echo" => Ok(ctx.input.clone()),
            "panic" => panic!("as told"),
            "hang" => std::future::pending().await,
            "wait" => {
                self.0.go_on.notified().await;
                Ok(Value::Null)
            }
            "leave" => {
                ctx.cancelled.cancelled().await;
                Ok(Value::Null)
            }
            "large" => Ok(Value::from("x".repeat(300 * 1024))),
            "log" => {
                for line in 0..200 {
                    ctx.log.line(LogStream::Stdout, format!("line {line}")).await;
                }
                Ok(Value::Null)
            }
            other => Err(TaskError::input(format!("what is {other}?"))),
        }
    }
}

fn bench() -> (Bench, Arc<Shared>) {
    let shared = Arc::new(Shared::default());
    (
        Bench::new(Handlers::none().register("test", Obedient(Arc::clone(&shared)))),
        shared,
    )
}

fn task(number: u32, what: &str) -> runnel_queue::TaskMessage {
    message("test", number, &json!({ "do": what }))
}

fn failure(outcome: &Outcome) -> &Failure {
    match outcome {
        Outcome::Error(failure) => failure,
        Outcome::Output(output) => panic!("succeeded with {output}"),
        Outcome::OutputRef(reference) => panic!("succeeded with {reference}"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_task_is_reported_and_its_message_deleted() {
    let (bench, _) = bench();
    bench
        .send(&(0..100).map(|n| task(n, "echo")).collect::<Vec<_>>())
        .await;
    let worker = bench.start();
    let attempts = bench.sink.wait_for_completed(100).await;
    let reports = bench.finish(worker).await;
    assert!(matches!(&attempts[0].outcome, Outcome::Output(output) if output.get() == r#"{"do":"echo"}"#));
    assert!(attempts.iter().all(|a| a.started_us <= a.finished_us));
    assert!(matches!(reports.first(), Some(Report::Hello { slots: 4, .. })));
    assert!(matches!(reports.last(), Some(Report::Goodbye {})));
    assert_eq!(bench.depth().await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_attempt_only() {
    let (bench, _) = bench();
    bench.send(&[task(1, "panic"), task(2, "echo")]).await;
    let worker = bench.start();
    let attempts = bench.sink.wait_for_completed(2).await;
    bench.finish(worker).await;
    let panicked = attempts.iter().find(|a| a.at.task == 1).expect("reported");
    let failure = failure(&panicked.outcome);
    assert_eq!(
        (failure.category, failure.code.as_str()),
        (FailureCategory::Internal, "PANIC")
    );
    assert!(failure.message.contains("as told"));
    assert!(
        failure
            .traceback
            .as_deref()
            .is_some_and(|t| t.contains("tests.rs")),
        "{:?}",
        failure.traceback
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_is_received_than_there_are_slots() {
    let (bench, shared) = bench();
    bench
        .send(&(0..10).map(|n| task(n, "wait")).collect::<Vec<_>>())
        .await;
    let worker = bench.start();
    bench
        .sink
        .wait_for(|reports| {
            reports
                .iter()
                .filter(|r| matches!(r, Report::Started { .. }))
                .count()
                == 4
        })
        .await;
    assert_eq!(
        bench.depth().await,
        Depth {
            visible: 6,
            in_flight: 4,
            delayed: 0
        }
    );
    assert_eq!(shared.calls.load(Ordering::SeqCst), 4);
    for done in 1..=10 {
        shared.go_on.notify_one();
        bench.sink.wait_for_completed(done).await;
    }
    bench.finish(worker).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_retryable_and_drops_a_handler_that_hangs() {
    let (bench, _) = bench();
    let mut slow = task(1, "hang");
    slow.timeout_ms = Some(1500);
    bench.send(&[slow]).await;
    let worker = bench.start();
    let attempts = bench.sink.wait_for_completed(1).await;
    let reports = bench.finish(worker).await;
    let failure = failure(&attempts[0].outcome);
    assert_eq!(
        (failure.category, failure.retryable),
        (FailureCategory::Timeout, true)
    );
    assert!(
        reports.iter().any(|r| matches!(r, Report::Started { .. })),
        "a long attempt was not reported as started"
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_attempt_keeps_its_message_and_sends_heartbeats() {
    let (bench, shared) = bench();
    bench.send(&[task(1, "wait")]).await;
    let worker = bench.start();
    // thirty heartbeats are ten times the visibility
    let beats = |reports: &Vec<Report>| {
        reports
            .iter()
            .filter(|r| matches!(r, Report::Heartbeat { .. }))
            .count()
            >= 30
    };
    bench.sink.wait_for(beats).await;
    assert_eq!(
        shared.calls.load(Ordering::SeqCst),
        1,
        "the message became visible while it was worked on"
    );
    shared.go_on.notify_one();
    bench.sink.wait_for_completed(1).await;
    bench.finish(worker).await;
    assert_eq!(bench.depth().await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn an_unwanted_attempt_is_stopped_and_not_reported() {
    let (bench, _) = bench();
    let unwanted = task(1, "leave");
    bench.send(std::slice::from_ref(&unwanted)).await;
    let worker = bench.start();
    bench
        .sink
        .wait_for(|reports| reports.iter().any(|r| matches!(r, Report::Started { .. })))
        .await;
    bench
        .sink
        .unwanted
        .lock()
        .expect("not poisoned")
        .push(unwanted.at);
    bench
        .sink
        .wait_for(|reports| reports.iter().any(|r| matches!(r, Report::Heartbeat { .. })))
        .await;
    bench.send(&[task(2, "echo")]).await;
    bench.sink.wait_for_completed(1).await;
    let reports = bench.finish(worker).await;
    assert_eq!(
        completed(&reports).iter().map(|a| a.at.task).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(bench.depth().await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn a_completion_outlives_a_sink_that_refuses_for_a_while() {
    let (bench, _) = bench();
    bench.sink.refusals.store(8, Ordering::SeqCst);
    bench.send(&[task(1, "echo")]).await;
    let worker = bench.start();
    assert_eq!(bench.sink.wait_for_completed(1).await.len(), 1);
    bench.finish(worker).await;
    assert_eq!(bench.depth().await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn a_drained_attempt_is_handed_back() {
    let (bench, shared) = bench();
    bench.send(&[task(1, "hang")]).await;
    let worker = bench.start();
    shared.begun.notified().await;
    let reports = bench.finish(worker).await;
    assert!(completed(&reports).is_empty());
    assert!(
        reports
            .iter()
            .any(|r| matches!(r, Report::Returned { at, .. } if at.task == 1)),
        "{reports:?}"
    );
    assert_eq!(
        bench.depth().await,
        Depth {
            visible: 1,
            in_flight: 0,
            delayed: 0
        }
    );
}

#[tokio::test(start_paused = true)]
async fn running_attempts_may_end_within_the_grace() {
    let (bench, shared) = bench();
    bench.send(&[task(1, "wait"), task(2, "wait")]).await;
    let worker = bench.start();
    bench
        .sink
        .wait_for(|reports| {
            reports
                .iter()
                .filter(|r| matches!(r, Report::Started { .. }))
                .count()
                == 2
        })
        .await;
    bench.stop.cancel();
    bench.send(&[task(3, "echo")]).await;
    shared.go_on.notify_waiters();
    let reports = bench.finish(worker).await;
    assert_eq!(completed(&reports).len(), 2);
    assert_eq!(
        bench.depth().await.visible,
        1,
        "a message was received after the stop"
    );
}

#[tokio::test(start_paused = true)]
async fn messages_for_others_are_put_back_and_never_lost() {
    let (bench, _) = bench();
    let newer = r#"{"v":99}"#.to_owned();
    bench
        .send(&[message("alien", 1, &Value::Null), task(2, "echo")])
        .await;
    for body in [newer, "not JSON".to_owned()] {
        bench
            .queue
            .send(
                &Bench::name(),
                vec![Outgoing {
                    body,
                    delay: Duration::ZERO,
                    traceparent: None,
                }],
            )
            .await
            .expect("sent");
    }
    let worker = bench.start();
    bench.sink.wait_for_completed(1).await;
    let reports = bench.finish(worker).await;
    assert_eq!(completed(&reports).len(), 1);
    let depth = bench.depth().await;
    assert_eq!(depth.visible + depth.in_flight, 3, "{depth:?}");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_message_of_a_reported_attempt_is_deleted_without_running() {
    let (bench, shared) = bench();
    let worker = bench.start();
    bench.send(&[task(1, "echo")]).await;
    bench.sink.wait_for_completed(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.send(&[task(1, "echo"), task(2, "echo")]).await;
    bench.sink.wait_for_completed(2).await;
    let reports = bench.finish(worker).await;
    assert_eq!(
        (completed(&reports).len(), shared.calls.load(Ordering::SeqCst)),
        (2, 2)
    );
    assert_eq!(bench.depth().await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_succeed_is_refused_before_it_runs() {
    let (bench, shared) = bench();
    let mut late = task(1, "echo");
    late.deadline_us = Some(1);
    let mut secret = task(3, "echo");
    secret.secrets = vec!["NOT_CONFIGURED_ANYWHERE".to_owned()];
    bench
        .send(&[
            late,
            message("test", 2, &json!({ "simulate_failure": true })),
            secret,
        ])
        .await;
    let worker = bench.start();
    let attempts = bench.sink.wait_for_completed(3).await;
    bench.finish(worker).await;
    let mut seen: Vec<_> = attempts
        .iter()
        .map(|a| {
            (
                a.at.task,
                failure(&a.outcome).code.clone(),
                failure(&a.outcome).retryable,
            )
        })
        .collect();
    seen.sort();
    let expected = [
        (1, "DEADLINE_EXPIRED", false),
        (2, "SIMULATED", true),
        (3, "SECRET_NOT_FOUND", false),
    ];
    assert_eq!(
        seen,
        expected.map(|(task, code, retryable)| (task, code.to_owned(), retryable))
    );
    assert_eq!(shared.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_large_output_goes_to_the_payload_store() {
    let (mut bench, _) = bench();
    let store = runnel_queue::PayloadStore::in_memory();
    bench.config.supplies.payloads = Some(store.clone());
    bench.send(&[task(1, "large")]).await;
    let worker = bench.start();
    let attempts = bench.sink.wait_for_completed(1).await;
    bench.finish(worker).await;
    let Outcome::OutputRef(reference) = &attempts[0].outcome else {
        panic!("not stored apart: {:?}", attempts[0].outcome)
    };
    assert!(store.get(reference).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_large_output_that_cannot_be_put_away_fails_the_attempt_and_says_what_is_missing() {
    let (bench, _) = bench();
    bench.send(&[task(1, "large")]).await;
    let worker = bench.start();
    let attempts = bench.sink.wait_for_completed(1).await;
    bench.finish(worker).await;
    let failure = failure(&attempts[0].outcome);
    assert_eq!(failure.code, "PAYLOAD_UNREACHABLE");
    assert!(failure.message.contains("RUNNEL_PAYLOADS"), "{}", failure.message);
}
