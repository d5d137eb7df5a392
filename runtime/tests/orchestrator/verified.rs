//! The checker on what an orchestrator really writes, and on the same rows after somebody has changed them.

use std::time::Duration;

use runnel_engine::run::{CancelMode, RunStatus};
use runnel_runtime::{DatabaseConfig, VerifyReport, verify};
use sea_orm::{ConnectionTrait, Database};

use crate::harness::*;

const FLOW: &str = "
id: flow
tasks:
  a: { type: job }
  b: { type: job, needs: a, retry: 2 }
  c: { type: job, needs: a, continue_on_error: true }
  d: { type: pass, needs: { b: succeeded, c: done } }
  e: { type: job, needs: d, for_each: '${{ [1, 2, 3] }}' }
";

async fn check(fixture: &Fixture) -> VerifyReport {
    let config = DatabaseConfig {
        url: fixture.url.clone(),
        connections: 2,
        is_sqlite_relaxed: true,
    };
    verify(&config, None).await.unwrap()
}

/// Runs with every kind of end: succeeded with a retry and a tolerated failure, in flight, paused, cancelled, reopened.
async fn with_history(fixture: &mut Fixture) {
    let orchestrator = fixture.start().await;
    publish(&orchestrator, FLOW).await;
    let run = start(&orchestrator, "flow").await;
    let mut has_failed = false;
    loop {
        orchestrator.settle().await;
        let tasks = fixture.take().await;
        if tasks.is_empty() && status(&orchestrator, run).await.is_terminal() {
            break;
        }
        let reports = tasks.iter().map(|task| match task.key.as_str() {
            "b" if !std::mem::replace(&mut has_failed, true) => failed(task, true),
            "c" => failed(task, false),
            _ => succeeded(task),
        });
        let reports = reports.collect();
        orchestrator.report(batch(reports)).await;
        orchestrator.settle().await;
        fixture.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
    let cancelled = start(&orchestrator, "flow").await;
    orchestrator
        .cancel_run(&actor(), cancelled, CancelMode::Now, None)
        .await
        .unwrap();
    let paused = start(&orchestrator, "flow").await;
    orchestrator.pause_run(&actor(), paused, None).await.unwrap();
    let _in_flight = start(&orchestrator, "flow").await;
    let reopened = start(&orchestrator, "flow").await;
    orchestrator.settle().await;
    for task in fixture
        .take()
        .await
        .iter()
        .filter(|task| task.at.run == reopened.0)
    {
        orchestrator.report(batch(vec![failed(task, false)])).await;
    }
    orchestrator.settle().await;
    assert_eq!(status(&orchestrator, reopened).await, RunStatus::Failed);
    orchestrator.retry_task(&actor(), reopened, "a").await.unwrap();
    orchestrator.settle().await;
    orchestrator.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn what_an_orchestrator_writes_is_sound() {
    let mut fixture = Fixture::sqlite();
    with_history(&mut fixture).await;
    let report = check(&fixture).await;
    assert_eq!(report.problems, []);
    assert_eq!(report.checked_runs, 5);
}

#[tokio::test]
async fn a_changed_row_is_found() {
    let mut fixture = Fixture::sqlite();
    with_history(&mut fixture).await;
    let db = Database::connect(&fixture.url).await.unwrap();
    // each change, and the rule that must name it
    let changes = [
        ("UPDATE run SET counts = '{}'", "counts"),
        ("UPDATE run SET next_seq = next_seq + 1", "gapless"),
        ("UPDATE run SET wake_at = NULL", "alarm"),
        ("UPDATE task SET status = 11 WHERE status = 10", "replay"),
        (
            "UPDATE task SET attempt = attempt + 1 WHERE status = 2",
            "attempts",
        ),
        // nothing is decided of a task that waits for one which has not ended
        ("UPDATE task SET status = 1 WHERE status = 0", "state"),
        ("UPDATE run SET extra = 'x'", "state"),
        ("UPDATE event SET records = '[]' WHERE first_seq > 1", "events"),
        ("UPDATE workflow SET latest_version = 7", "versions"),
    ];
    for (change, rule) in changes {
        for table in ["run", "task", "event", "workflow"] {
            db.execute_unprepared(&format!("CREATE TABLE saved_{table} AS SELECT * FROM {table}"))
                .await
                .unwrap();
        }
        db.execute_unprepared(change).await.unwrap();
        let report = check(&fixture).await;
        assert!(
            report.problems.iter().any(|problem| problem.rule == rule),
            "{change}: {:?}",
            report.problems
        );
        for table in ["run", "task", "event", "workflow"] {
            for sql in [
                format!("DELETE FROM {table}"),
                format!("INSERT INTO {table} SELECT * FROM saved_{table}"),
                format!("DROP TABLE saved_{table}"),
            ] {
                db.execute_unprepared(&sql).await.unwrap();
            }
        }
    }
    assert_eq!(check(&fixture).await.problems, []);
}
