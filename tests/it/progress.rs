//! Long work: progress that is visible while it happens, and checkpoints that the next attempt is given.

use runnel_engine::run::{RecordKind, RunStatus, TaskStatus};
use runnel_queue::{Progress, Report};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{Held, failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    progress_is_visible_while_it_happens_and_leaves_no_event,
    the_next_attempt_is_given_the_last_checkpoint,
);

fn beat(held: &Held, fraction: f64, checkpoint: &Value) -> Report {
    Report::Heartbeat {
        at: held.at(),
        progress: Some(Progress {
            fraction: Some(fraction),
            message: Some("page 7".to_owned()),
            ..Progress::default()
        }),
        checkpoint: to_raw_value(checkpoint).ok(),
    }
}

async fn progress_is_visible_while_it_happens_and_leaves_no_event(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster
        .launch(&workflow("long", json!({ "work": { "type": "scripted" } })))
        .await?;
    let held = worker.take(1).await?;
    for (fraction, page) in [(0.1, 1), (0.5, 7), (7.0, 8)] {
        worker
            .report(vec![beat(&held[0], fraction, &json!({ "page": page }))])
            .await?;
        let told = fraction.min(1.0);
        let seen = cluster
            .until_task(run, "work", |task| {
                task.progress.as_ref().and_then(|progress| progress.fraction) == Some(told)
            })
            .await?;
        assert_eq!(seen.status, TaskStatus::Running);
        assert_eq!(
            seen.checkpoint.as_deref(),
            Some(format!("{{\"page\":{page}}}").as_str())
        );
    }
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let kinds: Vec<RecordKind> = cluster
        .history(run)
        .await?
        .iter()
        .map(|event| event.record.kind)
        .collect();
    let starts = kinds
        .iter()
        .filter(|kind| **kind == RecordKind::TaskStarted)
        .count();
    assert_eq!((starts, kinds.len()), (1, 6), "{kinds:?}");
    cluster.finish().await
}

async fn the_next_attempt_is_given_the_last_checkpoint(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let retry = json!({ "limit": 1, "delay": "0s", "jitter": "none" });
    let task = json!({ "type": "scripted", "retry": retry });
    let run = cluster
        .launch(&workflow("resumed", json!({ "work": task })))
        .await?;
    let held = worker.take(1).await?;
    assert!(held[0].message.checkpoint.is_none());
    worker
        .report(vec![
            beat(&held[0], 0.3, &json!({ "page": 3 })),
            failed(&held[0].at(), true),
        ])
        .await?;
    worker.delete(&held).await?;
    let again = worker.take(1).await?;
    assert_eq!(again[0].message.at.attempt, 2);
    let given = again[0]
        .message
        .checkpoint
        .as_ref()
        .map(|checkpoint| checkpoint.get());
    assert_eq!(given, Some(r#"{"page":3}"#));
    // progress is the attempt's own; and both are in the rows, not only in memory
    cluster.restart().await?;
    let task = cluster.task(run, "work").await?;
    assert_eq!(task.progress, None);
    assert_eq!(task.checkpoint.as_deref(), Some(r#"{"page":3}"#));
    // the first attempt is over: what it says now is nobody's
    worker
        .report(vec![beat(&held[0], 0.9, &json!({ "page": 9 }))])
        .await?;
    worker.report(vec![succeeded(&again[0].at(), &json!(1))]).await?;
    worker.delete(&again).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(
        cluster.task(run, "work").await?.checkpoint.as_deref(),
        Some(r#"{"page":3}"#)
    );
    cluster.finish().await
}
