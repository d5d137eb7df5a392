//! Waits for events and signals, end to end: what comes before and after the wait, and what a crash between leaves.

use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::run::{RecordKind, RunStatus, TaskStatus};
use runnel_engine::{RunId, Timestamp};
use runnel_runtime::trigger::InboundEvent;
use runnel_runtime::wait::{SignalRequest, WaitError};
use runnel_runtime::{Clock as _, OperateError};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::stack::Stack;
use sea_orm::ConnectionTrait as _;
use serde_json::{Map, Value, json};

runnel_tests::on_both_databases!(
    an_event_after_the_wait_began_ends_it,
    an_event_just_before_the_wait_is_found_by_its_look_back,
    an_event_before_the_look_back_is_not_found,
    an_event_that_a_crash_kept_from_delivery_is_delivered_after_the_start,
    a_wait_that_a_crash_kept_from_looking_back_looks_back_after_the_start,
    an_event_reaches_every_task_that_waits_for_it_and_no_other,
    a_wait_without_an_event_times_out,
    a_signal_before_the_wait_is_kept_and_one_after_it_is_taken,
    a_repeated_signal_is_one_signal,
    a_signal_to_a_finished_run_is_refused,
    signals_and_events_go_over_the_api,
    many_waits_hold_no_message_and_survive_a_restart,
);

fn shipped(order: u32) -> Value {
    json!({ "wait": {
        "type": "wait",
        "input": { "event": "order.shipped", "match": format!("event.data.order == {order}"), "timeout": "1h" },
    }})
}

async fn publish(cluster: &Cluster, id: &str, data: Value) -> anyhow::Result<()> {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/shop", "type": "order.shipped", "data": data,
    });
    let event = InboundEvent {
        id: id.to_owned(),
        source: "/shop".to_owned(),
        event_type: "order.shipped".to_owned(),
        subject: None,
        time: None,
        received_at: cluster.clock.now(),
        event,
    };
    cluster
        .orchestrator()
        .publish_events(&cluster.actor, vec![event])
        .await?;
    Ok(())
}

/// Runs one statement beside the orchestrator, as a crash at that point would have left the rows.
async fn execute(cluster: &Cluster, sql: &str) -> anyhow::Result<u64> {
    let db = sea_orm::Database::connect(cluster.database_url()).await?;
    let done = db.execute_unprepared(sql).await?.rows_affected();
    db.close().await?;
    Ok(done)
}

async fn output(cluster: &Cluster, run: RunId, key: &str) -> anyhow::Result<Value> {
    let task = cluster.task(run, key).await?;
    Ok(serde_json::from_str(
        task.output.as_deref().context("an output")?,
    )?)
}

async fn waiting(cluster: &Cluster, run: RunId, key: &str) -> anyhow::Result<()> {
    let task = cluster
        .until_task(run, key, |task| task.status == TaskStatus::Waiting)
        .await?;
    anyhow::ensure!(task.waiting_for.is_some());
    cluster.orchestrator().settle().await;
    Ok(())
}

async fn an_event_after_the_wait_began_ends_it(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let run = cluster.launch(&workflow("w", shipped(7))).await?;
    waiting(&cluster, run, "wait").await?;
    assert_eq!(cluster.task(run, "wait").await?.waiting_for, Some("EVENT"));
    publish(&cluster, "e1", json!({ "order": 6 })).await?;
    cluster.orchestrator().settle().await;
    assert_eq!(cluster.task(run, "wait").await?.status, TaskStatus::Waiting);
    publish(&cluster, "e2", json!({ "order": 7 })).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(output(&cluster, run, "wait").await?["id"], "e2");
    let history = cluster.history(run).await?;
    assert!(
        history
            .iter()
            .any(|event| event.record.kind == RecordKind::EventReceived)
    );
    cluster.finish().await
}

async fn an_event_just_before_the_wait_is_found_by_its_look_back(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    publish(&cluster, "e1", json!({ "order": 7 })).await?;
    publish(&cluster, "e2", json!({ "order": 8 })).await?;
    // delivered to nobody: only the look-back can find it
    cluster.orchestrator().settle().await;
    cluster.clock.advance(Duration::from_secs(599));
    let run = cluster.launch(&workflow("w", shipped(7))).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(output(&cluster, run, "wait").await?["id"], "e1");
    cluster.finish().await
}

async fn an_event_before_the_look_back_is_not_found(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    publish(&cluster, "e1", json!({ "order": 7 })).await?;
    cluster.orchestrator().settle().await;
    cluster.clock.advance(Duration::from_secs(601));
    let run = cluster.launch(&workflow("w", shipped(7))).await?;
    waiting(&cluster, run, "wait").await?;
    assert_eq!(cluster.task(run, "wait").await?.status, TaskStatus::Waiting);
    publish(&cluster, "e2", json!({ "order": 7 })).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(output(&cluster, run, "wait").await?["id"], "e2");
    cluster.finish().await
}

/// A run that waits for an event; its processes have ended, and the event is there, delivered or not.
async fn crashed_with_an_event(
    cluster: &mut Cluster,
    delivered_at: Option<Timestamp>,
) -> anyhow::Result<RunId> {
    let run = cluster.launch(&workflow("w", shipped(7))).await?;
    waiting(cluster, run, "wait").await?;
    for replica in cluster.replicas.drain(..) {
        replica.stop(Duration::from_secs(10)).await;
    }
    let now = cluster.clock.now().0;
    let event = json!({ "id": "e1", "source": "/shop", "type": "order.shipped", "data": { "order": 7 } });
    let delivered_at = delivered_at.map_or("NULL".to_owned(), |at| at.0.to_string());
    let sql = format!(
        "INSERT INTO inbound_event (namespace, source, event_id, event_type, received_at, event, delivered_at) \
         VALUES ('default', '/shop', 'e1', 'order.shipped', {now}, '{event}', {delivered_at})"
    );
    assert_eq!(execute(cluster, &sql).await?, 1);
    Ok(run)
}

/// The wait committed first, then the event; the process died before it offered the event to anybody.
async fn an_event_that_a_crash_kept_from_delivery_is_delivered_after_the_start(
    stack: Stack,
) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let run = crashed_with_an_event(&mut cluster, None).await?;
    cluster.add_replica().await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

/// The event committed first and was offered to all there were, then the wait; the process died before it looked back.
async fn a_wait_that_a_crash_kept_from_looking_back_looks_back_after_the_start(
    stack: Stack,
) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let delivered_at = cluster.clock.now();
    let run = crashed_with_an_event(&mut cluster, Some(delivered_at)).await?;
    assert_eq!(execute(&cluster, "UPDATE wait SET must_look_back = 1").await?, 1);
    cluster.add_replica().await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn an_event_reaches_every_task_that_waits_for_it_and_no_other(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.add_replica().await?;
    let each = json!({ "each": {
        "type": "wait",
        "for_each": [1, 2, 3],
        "input": { "event": "order.shipped", "match": "event.data.order == each.item" },
    }});
    let mapped = cluster.launch(&workflow("mapped", each)).await?;
    let plain = cluster.launch(&workflow("plain", shipped(2))).await?;
    let other = json!({ "wait": { "type": "wait", "input": { "event": "order.returned" } } });
    let other = cluster.launch(&workflow("other", other)).await?;
    for (run, key) in [(mapped, "each[2]"), (plain, "wait"), (other, "wait")] {
        waiting(&cluster, run, key).await?;
    }
    for order in [3, 1, 2] {
        publish(&cluster, &format!("e{order}"), json!({ "order": order })).await?;
    }
    cluster.ends(plain, RunStatus::Succeeded).await?;
    cluster.ends(mapped, RunStatus::Succeeded).await?;
    let outputs = output(&cluster, mapped, "each").await?;
    let ids: Vec<&Value> = outputs
        .as_array()
        .context("a list")?
        .iter()
        .map(|e| &e["id"])
        .collect();
    assert_eq!(ids, ["e1", "e2", "e3"]);
    assert_eq!(cluster.run(other).await?.status, RunStatus::Running);
    cluster.finish().await
}

async fn a_wait_without_an_event_times_out(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let run = cluster.launch(&workflow("w", shipped(7))).await?;
    waiting(&cluster, run, "wait").await?;
    cluster.clock.advance(Duration::from_secs(3_601));
    cluster.ends(run, RunStatus::Failed).await?;
    let task = cluster.task(run, "wait").await?;
    assert_eq!(task.status, TaskStatus::TimedOut);
    assert_eq!(
        task.error.map(|error| error.code).as_deref(),
        Some("WAIT_TIMEOUT")
    );
    cluster.finish().await
}

fn gated() -> Value {
    json!({
        "first": { "type": "wait", "input": { "signal": "open" } },
        "second": { "type": "wait", "needs": ["first"], "input": { "signal": "go" } },
    })
}

fn signal(run: RunId, name: &str, data: Value, key: Option<&str>) -> SignalRequest {
    SignalRequest {
        run,
        name: name.to_owned(),
        data,
        idempotency_key: key.map(str::to_owned),
    }
}

async fn a_signal_before_the_wait_is_kept_and_one_after_it_is_taken(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let run = cluster.launch(&workflow("w", gated())).await?;
    waiting(&cluster, run, "first").await?;
    let actor = cluster.actor.clone();
    for n in 1..=2 {
        cluster
            .orchestrator()
            .send_signal(&actor, signal(run, "go", json!({ "n": n }), None))
            .await?;
    }
    cluster.restart().await?;
    cluster
        .orchestrator()
        .send_signal(&actor, signal(run, "open", Value::Null, None))
        .await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let taken = output(&cluster, run, "second").await?;
    assert_eq!((&taken["data"]["n"], &taken["by"]), (&json!(1), &json!("test")));
    cluster.finish().await
}

async fn a_repeated_signal_is_one_signal(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({
        "one": { "type": "wait", "input": { "signal": "go" } },
        "two": { "type": "wait", "needs": ["one"], "input": { "signal": "go" } },
    });
    let run = cluster.launch(&workflow("w", tasks)).await?;
    waiting(&cluster, run, "one").await?;
    let orchestrator = cluster.orchestrator();
    let sent =
        |key: &'static str| orchestrator.send_signal(&cluster.actor, signal(run, "go", json!(1), Some(key)));
    assert!(!sent("a").await?.1);
    assert!(sent("a").await?.1);
    waiting(&cluster, run, "two").await?;
    assert!(!sent("b").await?.1);
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert!(
        sent("b").await?.1,
        "its sender may not have heard that it arrived"
    );
    cluster.finish().await
}

async fn a_signal_to_a_finished_run_is_refused(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({ "only": { "type": "pass", "input": {} } });
    let run = cluster.launch(&workflow("w", tasks)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let late = cluster
        .orchestrator()
        .send_signal(&cluster.actor, signal(run, "go", Value::Null, None))
        .await;
    assert!(
        matches!(
            late,
            Err(WaitError::Operate(OperateError::Conflict {
                status: RunStatus::Succeeded,
                ..
            }))
        ),
        "{late:?}"
    );
    let large = signal(run, "go", json!("x".repeat(40_000)), None);
    let large = cluster.orchestrator().send_signal(&cluster.actor, large).await;
    assert!(
        matches!(large, Err(WaitError::TooLarge { limit: 32_768, .. })),
        "{large:?}"
    );
    let nobody = signal(RunId(uuid::Uuid::nil()), "go", Value::Null, None);
    let nobody = cluster.orchestrator().send_signal(&cluster.actor, nobody).await;
    assert!(
        matches!(nobody, Err(WaitError::Operate(OperateError::UnknownRun))),
        "{nobody:?}"
    );
    cluster.finish().await
}

async fn signals_and_events_go_over_the_api(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let mut tasks = shipped(7);
    tasks["after"] = json!({ "type": "wait", "needs": ["wait"], "input": { "signal": "go" } });
    let run = cluster.launch(&workflow("w", tasks)).await?;
    waiting(&cluster, run, "wait").await?;
    let id = format!("run_{}", run.0.simple());
    let payload = client
        .mutate(
            "signalSend",
            json!({ "run": id, "name": "go", "data": { "n": 1 }, "idempotencyKey": "k" }),
            "run { id } isReplay",
        )
        .await?;
    assert_eq!(
        (&payload["run"]["id"], &payload["isReplay"]),
        (&json!(id), &json!(false)),
        "{payload:#}"
    );
    let event = json!({ "id": "e1", "source": "/shop", "type": "order.shipped", "data": { "order": 7 } });
    client
        .mutate("eventPublish", json!({ "events": [event] }), "clientMutationId")
        .await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(output(&cluster, run, "after").await?["data"], json!({ "n": 1 }));

    let answer = client
        .http
        .post(client.at(&format!("/api/v1/runs/{id}/signals/go")))
        .body("{}")
        .send()
        .await?;
    assert_eq!(answer.status(), 409, "{}", answer.text().await?);
    cluster.finish().await
}

/// Waiting costs a row and nothing else: no message is out, no statement is sent for it, and a restart changes nothing.
async fn many_waits_hold_no_message_and_survive_a_restart(stack: Stack) -> anyhow::Result<()> {
    const WAITS: u32 = 1_000;
    let mut cluster = Cluster::start(stack).await?;
    let file = json!({
        "version": 1,
        "id": "many",
        "tasks": { "each": {
            "type": "wait",
            "for_each": { "items": (0..WAITS).collect::<Vec<u32>>() },
            "input": { "event": "order.shipped", "match": "event.data.all || event.data.order == each.item" },
        }},
    });
    let run = cluster.launch_source(&file.to_string(), Map::new()).await?;
    cluster
        .until(run, "waiting", |run| run.counts.waiting == WAITS + 1)
        .await?;
    cluster.orchestrator().settle().await;
    assert_eq!(cluster.run(run).await?.wake_at, None, "nothing of it is polled");
    cluster.restart().await?;
    cluster.orchestrator().settle().await;
    let before = cluster.run(run).await?;
    assert_eq!(before.counts.waiting, WAITS + 1);
    publish(&cluster, "e1", json!({ "all": true })).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}
