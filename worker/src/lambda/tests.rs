use std::sync::Mutex;

use async_trait::async_trait;
use runnel_queue::message::encode_task;
use runnel_queue::{AttemptRef, EmbeddedConfig, EmbeddedQueue, Outcome, Outgoing, QueueName, ReportBatch};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Recorder, completed, message};
use crate::{Handler, TaskContext, TaskError, typed};

/// Counts messages, beside what they carry.
#[derive(Default)]
struct Counter {
    batches: Mutex<Vec<ReportBatch>>,
    is_away: bool,
}

impl Counter {
    fn reports(&self) -> Vec<Report> {
        let batches = self.batches.lock().expect("not poisoned");
        batches.iter().flat_map(|batch| batch.reports.clone()).collect()
    }

    /// Messages that carry the end of an attempt.
    fn messages(&self) -> usize {
        let batches = self.batches.lock().expect("not poisoned");
        let has_end = |batch: &&ReportBatch| !completed(&batch.reports).is_empty();
        batches.iter().filter(has_end).count()
    }
}

#[async_trait]
impl ReportSink for Counter {
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>> {
        anyhow::ensure!(!self.is_away, "away");
        self.batches.lock().expect("not poisoned").push(batch);
        Ok(Vec::new())
    }
}

/// Hangs until it is dropped, whatever it is told.
struct Deaf;

#[async_trait]
impl Handler for Deaf {
    async fn execute(&self, _ctx: &TaskContext) -> Result<Value, TaskError> {
        std::future::pending().await
    }
}

/// Ends after as many milliseconds as its input says.
async fn slow(ms: u64, _ctx: TaskContext) -> Result<u64, TaskError> {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(ms)
}

/// Answers as many bytes as its input says.
async fn large(bytes: usize, _ctx: TaskContext) -> Result<String, TaskError> {
    Ok("x".repeat(bytes))
}

/// Ends as soon as it is told to stop.
async fn patient(_input: Value, ctx: TaskContext) -> Result<Value, TaskError> {
    ctx.cancelled.cancelled().await;
    Err(TaskError::internal("stopped"))
}

fn worker(sink: &Arc<Counter>) -> LambdaWorker {
    let handlers = Handlers::none()
        .register("slow", typed::function(slow))
        .register("large", typed::function(large))
        .register("patient", typed::function(patient))
        .register("deaf", Deaf);
    LambdaWorker::new(
        "fn",
        Arc::clone(sink) as Arc<dyn ReportSink>,
        handlers,
        Supplies::default(),
    )
}

fn record(id: &str, body: String) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(id.to_owned());
    record.receipt_handle = Some(id.to_owned());
    record.body = Some(body);
    record
}

fn task(number: u32, kind: &str, input: Value) -> SqsMessage {
    let body = encode_task(&message(kind, number, &input)).expect("encoded");
    record(&format!("m{number}"), body)
}

fn event(records: Vec<SqsMessage>) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = records;
    event
}

fn failures(response: &SqsBatchResponse) -> Vec<&str> {
    let failures = response.batch_item_failures.iter();
    failures.map(|failure| failure.item_identifier.as_str()).collect()
}

const PLENTY: Duration = Duration::from_secs(300);

#[tokio::test(start_paused = true)]
async fn a_batch_runs_at_once_and_is_reported_in_one_message() {
    let sink = Arc::new(Counter::default());
    let begun = Instant::now();
    let records = (0..100).map(|n| task(n, "slow", json!(1000))).collect();
    let response = worker(&sink).handle(event(records), PLENTY).await;
    assert!(failures(&response).is_empty());
    assert_eq!(completed(&sink.reports()).len(), 100);
    assert_eq!(sink.messages(), 1);
    assert!(
        begun.elapsed() < Duration::from_millis(1100),
        "one after the other"
    );
}

#[tokio::test(start_paused = true)]
async fn what_ends_early_does_not_wait_for_what_ends_late() {
    let sink = Arc::new(Counter::default());
    let records = vec![
        task(1, "slow", json!(10)),
        task(2, "slow", json!(20)),
        task(3, "slow", json!(60_000)),
    ];
    worker(&sink).handle(event(records), PLENTY).await;
    assert_eq!(sink.messages(), 2, "{:?}", sink.reports());
}

#[tokio::test(start_paused = true)]
async fn a_message_is_never_larger_than_the_queue_allows() {
    let sink = Arc::new(Counter::default());
    let records = (0..40).map(|n| task(n, "large", json!(60_000))).collect();
    let response = worker(&sink).handle(event(records), PLENTY).await;
    assert!(failures(&response).is_empty());
    assert_eq!(completed(&sink.reports()).len(), 40);
    assert_eq!(sink.messages(), 3);
    for batch in sink.batches.lock().expect("not poisoned").iter() {
        runnel_queue::message::encode_reports(batch).expect("it fits");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_enough_time_is_handed_back_and_its_message_is_done_with() {
    let sink = Arc::new(Counter::default());
    let records = vec![task(1, "patient", Value::Null), task(2, "slow", json!(5))];
    let response = worker(&sink)
        .handle(event(records), Duration::from_secs(60))
        .await;
    let returned = |report: &Report| matches!(report, Report::Returned { at, .. } if at.task == 1);
    assert!(sink.reports().iter().any(returned), "{:?}", sink.reports());
    assert!(
        failures(&response).is_empty(),
        "its successor has another message"
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_does_not_stop_is_handed_back_too_and_the_answer_is_in_time() {
    let sink = Arc::new(Counter::default());
    let begun = Instant::now();
    let records = vec![task(1, "deaf", Value::Null), task(2, "slow", json!(5))];
    let response = worker(&sink).handle(event(records), Duration::from_secs(9)).await;
    let returned = |report: &Report| matches!(report, Report::Returned { at, .. } if at.task == 1);
    assert!(sink.reports().iter().any(returned), "{:?}", sink.reports());
    assert!(failures(&response).is_empty());
    assert!(begun.elapsed() < Duration::from_secs(9));
    assert_eq!(completed(&sink.reports()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_reported_is_delivered_again() {
    let sink = Arc::new(Counter {
        is_away: true,
        ..Counter::default()
    });
    let records = vec![task(1, "slow", json!(1)), task(2, "slow", json!(1))];
    let response = worker(&sink).handle(event(records), PLENTY).await;
    assert_eq!(failures(&response), ["m1", "m2"]);
}

#[tokio::test(start_paused = true)]
async fn more_records_than_slots_wait_for_their_turn() {
    let sink = Arc::new(Counter::default());
    let records = (0..6).map(|n| task(n, "slow", json!(1000))).collect();
    let worker = worker(&sink).with_concurrency(2);
    let begun = Instant::now();
    assert!(failures(&worker.handle(event(records), PLENTY).await).is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(3));
    let records = (10..14).map(|n| task(n, "patient", Value::Null)).collect();
    let response = worker.handle(event(records), Duration::from_secs(30)).await;
    assert_eq!(failures(&response).len(), 2, "there was no room for them");
}

#[tokio::test(start_paused = true)]
async fn a_warm_function_does_not_run_a_reported_attempt_again() {
    let sink = Arc::new(Counter::default());
    let worker = worker(&sink);
    let twice = || {
        event(vec![
            task(1, "slow", json!(1)),
            record("again", task(1, "slow", json!(1)).body.unwrap_or_default()),
        ])
    };
    let response = worker.handle(twice(), PLENTY).await;
    assert!(failures(&response).is_empty(), "one report is enough for both");
    let response = worker.handle(twice(), PLENTY).await;
    assert!(failures(&response).is_empty());
    let ends = completed(&sink.reports());
    assert_eq!(ends.len(), 1);
    assert!(matches!(ends[0].outcome, Outcome::Output(_)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_executed_here_is_visible_again_when_that_helps() {
    let queue = Arc::new(EmbeddedQueue::new(EmbeddedConfig::default()));
    let name = QueueName("default".to_owned());
    let bodies = [
        json!({ "v": 99 }).to_string(),
        encode_task(&message("alien", 1, &Value::Null)).expect("encoded"),
        "no message".to_owned(),
    ];
    let outgoing = bodies.map(|body| Outgoing {
        body,
        delay: Duration::ZERO,
        traceparent: None,
    });
    queue.send(&name, outgoing.to_vec()).await.expect("sent");
    let long = Duration::from_secs(3600);
    let held = queue
        .receive(&name, 10, Duration::ZERO, long)
        .await
        .expect("received");
    let records = held.iter().map(|delivery| {
        let mut record = record(&delivery.receipt.0, delivery.body.clone());
        record.event_source_arn = Some("arn:aws:sqs:eu-west-1:000000000000:runnel-default".to_owned());
        record
    });
    let sink = Arc::new(Counter::default());
    let worker = worker(&sink).with_queue(Arc::clone(&queue) as Arc<dyn TaskQueue>, "runnel-");
    let response = worker.handle(event(records.collect()), PLENTY).await;
    assert_eq!(failures(&response).len(), 3);
    assert!(sink.reports().is_empty());
    let mut seen = Vec::new();
    for seconds in [6, 10, 585] {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let again = queue
            .receive(&name, 10, Duration::ZERO, long)
            .await
            .expect("received");
        seen.push(
            again
                .into_iter()
                .map(|delivery| delivery.body)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(seen[0], ["no message"]);
    assert!(seen[1].len() == 1 && seen[1][0].contains("alien"), "{seen:?}");
    assert!(seen[2].len() == 1 && seen[2][0].contains("99"), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_once_is_asked_again() {
    let sink = Recorder::new();
    sink.refusals.store(2, Ordering::SeqCst);
    let handlers = Handlers::none().register("slow", typed::function(slow));
    let worker = LambdaWorker::new(
        "fn",
        Arc::clone(&sink) as Arc<dyn ReportSink>,
        handlers,
        Supplies::default(),
    );
    let response = worker
        .handle(event(vec![task(1, "slow", json!(1))]), PLENTY)
        .await;
    assert!(failures(&response).is_empty());
    assert_eq!(completed(&sink.reports()).len(), 1);
}
