//! Alarms on a clock that the test moves.

use std::time::Duration;

use futures_util::future::join_all;
use runnel_engine::run::{RunStatus, TaskStatus};

use crate::harness::*;

#[tokio::test]
async fn a_retry_is_sent_when_its_delay_is_over_and_not_before() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        let source = "
id: again
tasks:
  a: { type: job, retry: { limit: 1, backoff: fixed, delay: 60s, jitter: none } }
";
        publish(&orchestrator, source).await;
        let run = start(&orchestrator, "again").await;
        orchestrator.settle().await;
        let first = fixture.take().await;
        orchestrator.report(batch(vec![failed(&first[0], true)])).await;
        assert_eq!(statuses(&orchestrator, run).await, [TaskStatus::RetryWait]);
        fixture.clock.advance(Duration::from_secs(59));
        orchestrator.settle().await;
        assert!(fixture.take().await.is_empty());
        fixture.clock.advance(Duration::from_secs(1));
        orchestrator.settle().await;
        let second = fixture.take().await;
        assert_eq!(second[0].at.attempt, 2);
        assert_eq!(second[0].idempotency_key, first[0].idempotency_key);
        orchestrator.report(batch(vec![succeeded(&first[0])])).await;
        assert_eq!(
            status(&orchestrator, run).await,
            RunStatus::Running,
            "a late report of the first attempt"
        );
        orchestrator.report(batch(vec![succeeded(&second[0])])).await;
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
    }
}

#[tokio::test]
async fn a_timer_survives_a_restart() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(
            &orchestrator,
            "id: nap\ntasks:\n  a: { type: wait, input: { for: 1h } }\n",
        )
        .await;
        let run = start(&orchestrator, "nap").await;
        orchestrator.settle().await;
        orchestrator.stop(Duration::from_secs(5)).await;
        fixture.clock.advance(Duration::from_secs(3_600));
        let orchestrator = fixture.start().await;
        orchestrator.settle().await;
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
    }
}

#[tokio::test]
async fn a_run_ends_at_its_timeout() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(
            &orchestrator,
            "id: slow\ntimeout: 1h\ntasks:\n  a: { type: job }\n",
        )
        .await;
        let run = start(&orchestrator, "slow").await;
        orchestrator.settle().await;
        assert_eq!(fixture.take().await.len(), 1);
        fixture.clock.advance(Duration::from_secs(3_601));
        orchestrator.settle().await;
        assert_eq!(ended(&orchestrator, run).await, RunStatus::TimedOut);
    }
}

#[tokio::test]
async fn runs_that_cannot_be_read_hide_no_later_alarm() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        for (key, time) in [("early", "1h"), ("late", "2h")] {
            let source = format!("id: {key}\ntasks:\n  a: {{ type: wait, input: {{ for: {time} }} }}\n");
            publish(&orchestrator, &source).await;
        }
        // more than one turn of the waker takes
        join_all((0..501).map(|_| start(&orchestrator, "early"))).await;
        let late = start(&orchestrator, "late").await;
        orchestrator.stop(Duration::from_secs(5)).await;
        let broken = format!(
            "UPDATE run SET counts = 'x' WHERE id <> {}",
            fixture.literal(late)
        );
        fixture.execute(&broken).await;
        fixture.clock.advance(Duration::from_secs(2 * 3_600));
        let orchestrator = fixture.start().await;
        orchestrator.settle().await;
        assert_eq!(status(&orchestrator, late).await, RunStatus::Succeeded);
    }
}
