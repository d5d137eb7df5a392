//! What operators do, and what one bad row does to others.

use runnel_engine::run::{CancelMode, RunStatus, TaskStatus};
use runnel_runtime::OperateError;

use crate::flow::DIAMOND;
use crate::harness::*;

#[tokio::test]
async fn a_cancelled_run_sends_nothing_more_and_refuses_late_reports() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        orchestrator.settle().await;
        let a = fixture.take().await;
        let cancelled = orchestrator
            .cancel_run(&actor(), run, CancelMode::Now, None)
            .await
            .unwrap();
        assert_eq!(cancelled.status, RunStatus::Cancelled);
        assert_eq!(orchestrator.unwanted(&[a[0].at.clone()]).await, [a[0].at.clone()]);
        orchestrator.report(batch(vec![succeeded(&a[0])])).await;
        orchestrator.settle().await;
        assert!(fixture.take().await.is_empty());
        assert_eq!(status(&orchestrator, run).await, RunStatus::Cancelled);
        let resumed = orchestrator.resume_run(&actor(), run).await;
        assert!(
            matches!(
                resumed,
                Err(OperateError::Conflict {
                    status: RunStatus::Cancelled,
                    ..
                })
            ),
            "{resumed:?}"
        );
    }
}

#[tokio::test]
async fn cancelling_takes_what_waits_for_a_worker_out_of_the_outbox() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, "id: rare\ntasks:\n  a: { type: exotic }\n").await;
        let run = start(&orchestrator, "rare").await;
        assert_eq!(fixture.number("SELECT count(*) FROM outbox").await, 1);
        orchestrator
            .cancel_run(&actor(), run, CancelMode::Now, None)
            .await
            .unwrap();
        assert_eq!(fixture.number("SELECT count(*) FROM outbox").await, 0);
    }
}

#[tokio::test]
async fn a_paused_run_accepts_reports_and_sends_nothing_until_it_is_resumed() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        orchestrator.settle().await;
        let a = fixture.take().await;
        assert!(
            orchestrator
                .pause_run(&actor(), run, None)
                .await
                .unwrap()
                .is_paused
        );
        assert!(
            orchestrator
                .pause_run(&actor(), run, None)
                .await
                .unwrap()
                .is_paused,
            "twice is once"
        );
        orchestrator.report(batch(vec![succeeded(&a[0])])).await;
        orchestrator.settle().await;
        assert!(fixture.take().await.is_empty());
        assert_eq!(task(&orchestrator, run, "a").await.status, TaskStatus::Succeeded);
        orchestrator.resume_run(&actor(), run).await.unwrap();
        assert_eq!(keys(&fixture.work(&orchestrator).await), ["b", "c", "d"]);
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
    }
}

#[tokio::test]
async fn a_failed_task_is_retried_by_hand_and_the_run_goes_on() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        orchestrator.settle().await;
        let a = fixture.take().await;
        orchestrator.report(batch(vec![failed(&a[0], false)])).await;
        assert_eq!(status(&orchestrator, run).await, RunStatus::Failed);
        let unknown = orchestrator.retry_task(&actor(), run, "nothing").await;
        assert!(matches!(unknown, Err(OperateError::UnknownTask { .. })));
        orchestrator.retry_task(&actor(), run, "a").await.unwrap();
        assert_eq!(keys(&fixture.work(&orchestrator).await), ["a", "b", "c", "d"]);
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
        assert_sound(&orchestrator, run).await;
    }
}

#[tokio::test]
async fn a_run_of_another_namespace_does_not_exist() {
    let mut fixture = Fixture::sqlite();
    let orchestrator = fixture.start().await;
    publish(&orchestrator, DIAMOND).await;
    let run = start(&orchestrator, "diamond").await;
    let mut stranger = actor();
    stranger.namespace = "other".into();
    let refused = orchestrator
        .cancel_run(&stranger, run, CancelMode::Now, None)
        .await;
    assert!(matches!(refused, Err(OperateError::UnknownRun)));
}

#[tokio::test]
async fn a_run_that_cannot_be_read_does_not_stop_the_others() {
    for mut fixture in Fixture::all().await {
        fixture.appliers = 1;
        let orchestrator = fixture.start().await;
        publish(&orchestrator, "id: one\ntasks:\n  a: { type: job }\n").await;
        let bad = start(&orchestrator, "one").await;
        let good = start(&orchestrator, "one").await;
        orchestrator.settle().await;
        let tasks = fixture.take().await;
        fixture
            .execute(&format!(
                "UPDATE run SET counts = 'x', version = version + 1 WHERE id = {}",
                fixture.literal(bad)
            ))
            .await;
        orchestrator
            .report(batch(tasks.iter().map(succeeded).collect()))
            .await;
        assert_eq!(status(&orchestrator, good).await, RunStatus::Succeeded);
    }
}
