//! Reports: repeated, forged, late, through the queue, and what the relay holds back.

use std::sync::Arc;
use std::time::Duration;

use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_engine::{RunId, TaskIx};
use runnel_queue::embedded::{EmbeddedConfig, EmbeddedQueue};
use runnel_queue::{Outgoing, QueueName, Report, ReportBatch, TaskQueue};
use runnel_runtime::Orchestrator;
use runnel_runtime::view::PageRequest;

use crate::flow::DIAMOND;
use crate::harness::*;

#[tokio::test]
async fn each_report_delivered_three_times_starts_the_join_once() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        let mut executed = Vec::new();
        loop {
            orchestrator.settle().await;
            let tasks = fixture.take().await;
            if tasks.is_empty() {
                break;
            }
            for _ in 0..2 {
                orchestrator
                    .report(batch(tasks.iter().chain(&tasks).map(succeeded).collect()))
                    .await;
            }
            executed.extend(tasks);
        }
        assert_eq!(keys(&executed), ["a", "b", "c", "d"]);
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
        assert_sound(&orchestrator, run).await;
    }
}

#[tokio::test]
async fn parents_that_end_in_different_batches_start_the_join_once() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        start(&orchestrator, "diamond").await;
        orchestrator.settle().await;
        let a = fixture.take().await;
        orchestrator.report(batch(vec![succeeded(&a[0])])).await;
        orchestrator.settle().await;
        let parents = fixture.take().await;
        orchestrator.report(batch(vec![succeeded(&parents[0])])).await;
        orchestrator.settle().await;
        assert!(fixture.take().await.is_empty(), "one parent is missing");
        orchestrator.report(batch(vec![succeeded(&parents[1])])).await;
        orchestrator.settle().await;
        assert_eq!(keys(&fixture.take().await), ["d"]);
    }
}

#[tokio::test]
async fn parents_that_end_in_different_replicas_start_the_join_once() {
    for mut fixture in Fixture::all().await {
        let (one, two) = (fixture.start().await, fixture.start().await);
        publish(&one, DIAMOND).await;
        for _ in 0..10 {
            let run = start(&one, "diamond").await;
            one.settle().await;
            let a = fixture.take().await;
            two.report(batch(vec![succeeded(&a[0])])).await;
            two.settle().await;
            let parents = fixture.take().await;
            assert_eq!(keys(&parents), ["b", "c"]);
            tokio::join!(
                one.report(batch(vec![succeeded(&parents[0]), succeeded(&parents[0])])),
                two.report(batch(vec![succeeded(&parents[1])])),
            );
            one.settle().await;
            two.settle().await;
            let d = fixture.take().await;
            assert_eq!(keys(&d), ["d"]);
            one.report(batch(vec![succeeded(&d[0])])).await;
            assert_eq!(status(&two, run).await, RunStatus::Succeeded);
            assert_sound(&two, run).await;
        }
    }
}

#[tokio::test]
async fn a_forged_token_changes_nothing() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        orchestrator.settle().await;
        let mut task = fixture.take().await.remove(0);
        let before = view(&orchestrator, run).await.last_seq;
        task.at.attempt = 2;
        orchestrator.report(batch(vec![succeeded(&task)])).await;
        task.at.attempt = 1;
        task.at.token = format!("k1.{}", "0".repeat(64));
        orchestrator
            .report(batch(vec![
                succeeded(&task),
                Report::Heartbeat {
                    at: task.at.clone(),
                    progress: None,
                    checkpoint: None,
                },
            ]))
            .await;
        assert_eq!(view(&orchestrator, run).await.last_seq, before);
        assert_eq!(statuses(&orchestrator, run).await[0], TaskStatus::Queued);
        assert_eq!(
            orchestrator.unwanted(std::slice::from_ref(&task.at)).await.len(),
            1
        );
    }
}

#[tokio::test]
async fn reports_through_the_completion_queue_are_applied_and_deleted() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, "id: one\ntasks:\n  a: { type: job }\n").await;
        let run = start(&orchestrator, "one").await;
        orchestrator.settle().await;
        let task = fixture.take().await.remove(0);
        let name = QueueName::completions();
        let good = serde_json::to_string(&batch(vec![succeeded(&task)])).unwrap();
        let newer = serde_json::to_string(&ReportBatch {
            v: 99,
            ..batch(vec![])
        })
        .unwrap();
        let bodies = ["not a report".to_owned(), newer, good.clone(), good];
        let messages = bodies.map(|body| Outgoing {
            body,
            delay: Duration::ZERO,
            traceparent: None,
        });
        fixture.queue.send(&name, messages.to_vec()).await.unwrap();
        assert_eq!(ended(&orchestrator, run).await, RunStatus::Succeeded);
        orchestrator.stop(Duration::from_secs(5)).await;
        let depth = fixture.queue.depth(&name).await.unwrap();
        assert_eq!(
            depth.visible + depth.in_flight,
            2,
            "what cannot be read stays in the queue"
        );
    }
}

#[tokio::test]
async fn a_queue_holds_no_more_than_its_limit_and_everything_runs_once() {
    for mut fixture in Fixture::all().await {
        fixture.outstanding_max = 8;
        let orchestrator = fixture.start().await;
        let tasks: String = (0..60)
            .map(|n| format!("  t{n}: {{ type: job, priority: {} }}\n", n % 3))
            .collect();
        publish(&orchestrator, &format!("id: many\ntasks:\n{tasks}")).await;
        let run = start(&orchestrator, "many").await;
        let mut executed = Vec::new();
        loop {
            orchestrator.settle().await;
            let tasks = fixture.take().await;
            if tasks.is_empty() {
                break;
            }
            assert!(tasks.len() <= 8, "{} are out", tasks.len());
            orchestrator
                .report(batch(tasks.iter().map(succeeded).collect()))
                .await;
            executed.extend(tasks);
        }
        let mut all = keys(&executed);
        all.dedup();
        assert_eq!((executed.len(), all.len()), (60, 60));
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
        let priority = |task: &runnel_queue::TaskMessage| task.key[1..].parse::<u32>().unwrap() % 3;
        let backlog: Vec<u32> = executed[8..].iter().map(priority).collect();
        assert!(
            backlog.is_sorted_by(|a, b| a >= b),
            "highest priority first: {backlog:?}"
        );
    }
}

#[tokio::test]
async fn a_type_that_nobody_runs_waits_visibly_until_a_worker_comes() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, "id: rare\ntasks:\n  a: { type: exotic }\n").await;
        let run = start(&orchestrator, "rare").await;
        orchestrator.settle().await;
        assert!(fixture.take().await.is_empty());
        assert_eq!(task(&orchestrator, run, "a").await.waiting_for, Some("NO_WORKER"));
        let hello = Report::Hello {
            types: vec!["exotic".into()],
            queue: "default".into(),
            slots: 1,
        };
        orchestrator.report(batch(vec![hello])).await;
        orchestrator.settle().await;
        let tasks = fixture.take().await;
        assert_eq!(keys(&tasks), ["a"]);
        orchestrator.report(batch(vec![succeeded(&tasks[0])])).await;
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
    }
}

#[tokio::test]
async fn a_dead_letter_ends_its_attempt() {
    for mut fixture in Fixture::all().await {
        fixture.queue = Arc::new(EmbeddedQueue::new(EmbeddedConfig { max_receive_count: 1 }));
        fixture.poll_interval = Duration::from_millis(20);
        let orchestrator = fixture.start().await;
        publish(
            &orchestrator,
            "id: poison\ntasks:\n  a: { type: job, max_losses: 0 }\n",
        )
        .await;
        let run = start(&orchestrator, "poison").await;
        orchestrator.settle().await;
        // a worker receives it and dies
        let queue = QueueName("default".to_owned());
        let received = fixture
            .queue
            .receive(&queue, 1, Duration::ZERO, Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(received.len(), 1);
        let nothing = fixture
            .queue
            .receive(&queue, 1, Duration::ZERO, Duration::ZERO)
            .await
            .unwrap();
        assert!(nothing.is_empty());
        assert_eq!(ended(&orchestrator, run).await, RunStatus::Failed);
    }
}

#[tokio::test]
async fn log_lines_are_stored_once_in_order_and_counted_after_a_restart() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, "id: one\ntasks:\n  a: { type: job }\n").await;
        let run = start(&orchestrator, "one").await;
        orchestrator.settle().await;
        let at = fixture.take().await.remove(0).at;
        let line = |text: &str| runnel_queue::LogLine {
            at_us: NOON.0,
            stream: runnel_queue::LogStream::Stdout,
            text: text.to_owned(),
        };
        let log = |lines| Report::Log {
            at: at.clone(),
            lines,
        };
        let two = batch(vec![log(vec![line("one")]), log(vec![line("two")])]);
        orchestrator.report(two.clone()).await;
        orchestrator.report(two.clone()).await;
        assert_eq!(log_of(&orchestrator, run).await, ["one", "two"]);
        orchestrator.stop(Duration::from_secs(5)).await;

        // room for one line less than these, and for the note that says so
        let orchestrator = fixture.start().await;
        let many = batch(vec![log(vec![line("more"); 9_999])]);
        orchestrator.report(many).await;
        orchestrator.report(two).await;
        let lines = log_of(&orchestrator, run).await;
        assert_eq!(lines.len(), 10_001);
        assert_eq!(lines[10_000], "more than 10000 lines: the rest is not kept");
    }
}

async fn log_of(orchestrator: &Orchestrator, run: RunId) -> Vec<String> {
    let page = PageRequest {
        first: 10,
        after: None,
    };
    let chunks = orchestrator
        .task_log(&actor(), run, TaskIx(0), None, page)
        .await
        .unwrap();
    let lines = chunks.items.into_iter().flat_map(|chunk| chunk.lines);
    lines.map(|line| line.text).collect()
}
