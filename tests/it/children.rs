//! Child runs from end to end: outputs and failures go up, cancels go down, and each child is made once, whatever crashes.

use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::{CancelMode, Category, RecordKind, RunStatus, TaskStatus};
use runnel_runtime::query::window::Window;
use runnel_runtime::view::{RunFilter, RunOrder, RunView};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::sql;
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    the_outputs_of_a_child_go_up_and_it_inherits_priority_and_tags,
    the_failure_of_a_child_goes_up_and_a_retry_starts_another,
    a_child_that_cannot_start_fails_its_task_and_says_why,
    a_cancel_goes_down_to_the_last_child,
    an_end_that_the_parent_has_not_heard_of_survives_a_restart,
);

runnel_tests::on_stack!(
    sqlite_embedded_only,
    SqliteEmbedded,
    a_child_that_is_not_waited_for_outlives_its_parent,
    a_workflow_that_starts_itself_ends_at_the_limit,
    a_thousand_items_have_a_thousand_children,
    a_paused_parent_does_not_pause_its_child,
    a_cancel_that_overtakes_the_start_leaves_no_child_behind
);

runnel_tests::on_stack!(
    postgres_embedded_only,
    PostgresEmbedded,
    a_child_that_is_not_waited_for_outlives_its_parent,
    a_thousand_items_have_a_thousand_children,
    two_replicas_start_each_child_once
);

fn child() -> Value {
    json!({
        "version": 1, "id": "child", "inputs": { "n": { "type": "integer" } },
        "tasks": { "work": { "type": "scripted", "input": { "n": "${{ inputs.n }}" } } },
        "outputs": { "twice": "${{ tasks.work.output }}", "priority": "${{ run.priority }}" },
    })
}

fn parent(options: &Value) -> Value {
    let mut task = json!({ "type": "workflow", "input": { "workflow": "child", "inputs": { "n": 21 } } });
    if let (Some(task), Some(options)) = (task.as_object_mut(), options.as_object()) {
        task.extend(options.clone());
    }
    json!({
        "version": 1, "id": "parent", "priority": 77, "tags": ["red"],
        "tasks": { "c": task },
        "outputs": { "child": "${{ tasks.c.output }}" },
    })
}

async fn children(cluster: &Cluster, run: RunId) -> anyhow::Result<Vec<RunView>> {
    let filter = RunFilter {
        child_of: Some(run),
        ..RunFilter::default()
    };
    let window = Window::First {
        size: 200,
        after: None,
    };
    let page = cluster
        .orchestrator()
        .list_runs(&cluster.actor, filter, RunOrder::default(), window)
        .await?;
    Ok(page.items)
}

async fn until_child(cluster: &Cluster, run: RunId) -> anyhow::Result<RunView> {
    cluster.orchestrator().settle().await;
    let mut children = children(cluster, run).await?;
    children.pop().context("a child")
}

async fn errands(cluster: &Cluster) -> anyhow::Result<i64> {
    sql::number(cluster.database_url(), "SELECT count(*) FROM errand").await
}

async fn the_outputs_of_a_child_go_up_and_it_inherits_priority_and_tags(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&child().to_string()).await?;
    let run = cluster.launch(&parent(&json!({}))).await?;
    let held = worker.take(1).await?;
    let made = until_child(&cluster, run).await?;
    assert_eq!(
        (made.priority, made.tags.as_slice()),
        (77, &["red".to_owned()][..])
    );
    assert_eq!((made.depth, made.created_by.as_str()), (1, "test"));
    let waiting = cluster.task(run, "c").await?;
    assert_eq!(waiting.status, TaskStatus::Waiting);
    assert_eq!(
        made.parent.map(|parent| (parent.run, parent.attempt)),
        Some((run, 1))
    );

    worker.report(vec![succeeded(&held[0].at(), &json!(42))]).await?;
    worker.delete(&held).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    let outputs: Value = serde_json::from_str(ended.outputs.as_deref().unwrap_or("null"))?;
    assert_eq!(outputs, json!({ "child": { "twice": 42, "priority": 77 } }));
    cluster.orchestrator().settle().await;
    assert_eq!(errands(&cluster).await?, 0);
    cluster.finish().await
}

async fn the_failure_of_a_child_goes_up_and_a_retry_starts_another(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&child().to_string()).await?;
    let retry = json!({ "retry": { "limit": 1, "delay": "1m", "jitter": "none" } });
    let run = cluster.launch(&parent(&retry)).await?;
    for attempt in 1..=2 {
        let held = worker.take(1).await?;
        worker.report(vec![failed(&held[0].at(), false)]).await?;
        worker.delete(&held).await?;
        if attempt == 1 {
            cluster
                .until_task(run, "c", |task| task.status == TaskStatus::RetryWait)
                .await?;
            cluster.clock.advance(Duration::from_secs(61));
        }
    }
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    let children = children(&cluster, run).await?;
    assert_eq!(children.len(), 2);
    let error = ended.error.context("an error")?;
    assert_eq!(error.code, "CHILD_FAILED");
    assert!(
        children
            .iter()
            .any(|child| error.message.contains(&child.id.to_string())),
        "{}",
        error.message
    );
    cluster.finish().await
}

async fn a_child_that_cannot_start_fails_its_task_and_says_why(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    cluster.publish(&child().to_string()).await?;
    let of = |input: Value| parent(&json!({ "input": input }));
    for (input, code, needle) in [
        (json!({ "workflow": "nobody" }), "UNKNOWN_WORKFLOW", "nobody"),
        (
            json!({ "workflow": "child", "version": 9, "inputs": { "n": 1 } }),
            "UNKNOWN_VERSION",
            "9",
        ),
        (
            json!({ "workflow": "child", "inputs": { "n": "many", "m": 1 } }),
            "INPUTS",
            "input `m`",
        ),
    ] {
        let run = cluster.launch(&of(input)).await?;
        let ended = cluster.ends(run, RunStatus::Failed).await?;
        let error = ended.error.context("an error")?;
        assert_eq!((error.category, error.code.as_str()), (Category::Input, code));
        assert!(error.message.contains(needle), "{}", error.message);
        if code == "INPUTS" {
            let details = error.details.context("details")?;
            assert_eq!(details["problems"].as_array().map(Vec::len), Some(2));
        }
        assert!(children(&cluster, run).await?.is_empty());
    }
    cluster.finish().await
}

async fn a_cancel_goes_down_to_the_last_child(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&child().to_string()).await?;
    let middle = json!({
        "version": 1, "id": "middle",
        "tasks": { "c": { "type": "workflow", "input": { "workflow": "child", "inputs": { "n": 1 } } } },
    });
    cluster.publish(&middle.to_string()).await?;
    for mode in [CancelMode::Now, CancelMode::Graceful] {
        let run = cluster
            .launch(&parent(&json!({ "input": { "workflow": "middle" } })))
            .await?;
        let held = worker.take(1).await?;
        let middle = until_child(&cluster, run).await?;
        let last = until_child(&cluster, middle.id).await?;
        assert_eq!(last.depth, 2);
        cluster
            .orchestrator()
            .cancel_run(&cluster.actor, run, mode, None)
            .await?;
        cluster.ends(run, RunStatus::Cancelled).await?;
        cluster.ends(middle.id, RunStatus::Cancelled).await?;
        cluster.ends(last.id, RunStatus::Cancelled).await?;
        worker.delete(&held).await?;
    }
    cluster.finish().await
}

/// From now on every new errand is held, as if by a process that is gone.
fn hold_errands(stack: Stack) -> &'static str {
    match stack {
        Stack::SqliteEmbedded => {
            "CREATE TRIGGER hold AFTER INSERT ON errand BEGIN \
             UPDATE errand SET leased_until = 9223372036854775807 WHERE run_id = NEW.run_id; END"
        }
        Stack::PostgresEmbedded | Stack::PostgresSqs => {
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN NEW.leased_until := 9223372036854775807; RETURN NEW; END'; \
             CREATE TRIGGER hold BEFORE INSERT ON errand FOR EACH ROW EXECUTE FUNCTION hold()"
        }
    }
}

/// The lease of the process that is gone is over.
fn release_errands(stack: Stack) -> &'static str {
    match stack {
        Stack::SqliteEmbedded => "DROP TRIGGER hold; UPDATE errand SET leased_until = 0",
        Stack::PostgresEmbedded | Stack::PostgresSqs => {
            "DROP TRIGGER hold ON errand; DROP FUNCTION hold(); UPDATE errand SET leased_until = 0"
        }
    }
}

async fn an_end_that_the_parent_has_not_heard_of_survives_a_restart(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&child().to_string()).await?;
    let run = cluster.launch(&parent(&json!({}))).await?;
    let held = worker.take(1).await?;
    let made = until_child(&cluster, run).await?;
    // the end of the child is committed, and whoever was to tell the parent is gone
    sql::execute(cluster.database_url(), hold_errands(stack)).await?;
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.delete(&held).await?;
    cluster.ends(made.id, RunStatus::Succeeded).await?;
    cluster.orchestrator().settle().await;
    assert_eq!(cluster.task(run, "c").await?.status, TaskStatus::Waiting);
    sql::execute(cluster.database_url(), release_errands(stack)).await?;
    cluster.restart().await?;
    cluster.ends(run, RunStatus::Succeeded).await?;

    // told a second time, it changes nothing
    cluster.orchestrator().settle().await;
    let again = "INSERT INTO errand (run_id, ix, attempt, kind, created_at, leased_until) \
                 SELECT id, 0, 0, 3, 0, 0 FROM run WHERE parent_run_id IS NOT NULL";
    sql::execute(cluster.database_url(), again).await?;
    cluster.orchestrator().settle().await;
    let history = cluster.history(run).await?;
    let heard = history
        .iter()
        .filter(|event| event.record.kind == RecordKind::ChildEnded);
    assert_eq!(heard.count(), 1);
    cluster.finish().await
}

async fn a_child_that_is_not_waited_for_outlives_its_parent(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&child().to_string()).await?;
    let input = json!({ "id": "child", "version": "latest", "inputs": { "n": 1 }, "wait": false });
    let run = cluster.launch(&parent(&json!({ "input": input }))).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    let made = until_child(&cluster, run).await?;
    let outputs: Value = serde_json::from_str(ended.outputs.as_deref().unwrap_or("null"))?;
    assert_eq!(outputs, json!({ "child": { "run_id": made.id } }));
    worker.succeed_next(1).await?;
    cluster.ends(made.id, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_workflow_that_starts_itself_ends_at_the_limit(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let again = json!({ "type": "workflow", "input": { "workflow": "again" } });
    let run = cluster.launch(&workflow("again", json!({ "c": again }))).await?;
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    let error = ended.error.context("an error")?;
    assert!(error.message.contains("at most 16 deep"), "{}", error.message);
    let runs = sql::number(cluster.database_url(), "SELECT count(*) FROM run").await?;
    assert_eq!(runs, 17);
    cluster.finish().await
}

async fn a_thousand_items_have_a_thousand_children(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let square = json!({
        "version": 1, "id": "child", "inputs": { "n": { "type": "integer" } },
        "tasks": { "square": { "type": "eval", "input": { "n": "${{ inputs.n * inputs.n }}" } } },
        "outputs": { "n": "${{ tasks.square.output.n }}" },
    });
    cluster.publish(&square.to_string()).await?;
    let items: Vec<u32> = (0..1_000).collect();
    let run = cluster
        .launch(&parent(&json!({
            "for_each": items,
            "input": { "workflow": "child", "inputs": { "n": "${{ each.item }}" } },
        })))
        .await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    let outputs: Value = serde_json::from_str(ended.outputs.as_deref().unwrap_or("null"))?;
    assert_eq!(outputs["child"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(outputs["child"][31], json!({ "n": 961 }));
    let runs = "SELECT count(*) FROM run WHERE parent_run_id IS NOT NULL";
    assert_eq!(sql::number(cluster.database_url(), runs).await?, 1_000);
    cluster.finish().await
}

async fn a_paused_parent_does_not_pause_its_child(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&child().to_string()).await?;
    let run = cluster.launch(&parent(&json!({}))).await?;
    cluster
        .orchestrator()
        .pause_run(&cluster.actor, run, None)
        .await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_cancel_that_overtakes_the_start_leaves_no_child_behind(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    cluster.publish(&child().to_string()).await?;
    let run = cluster.launch(&parent(&json!({}))).await?;
    cluster
        .orchestrator()
        .cancel_run(&cluster.actor, run, CancelMode::Now, None)
        .await?;
    cluster.ends(run, RunStatus::Cancelled).await?;
    cluster.orchestrator().settle().await;
    for child in children(&cluster, run).await? {
        assert_eq!(child.status, RunStatus::Cancelled);
    }
    // an errand that was done and is found again makes no child for a task that has ended
    let errand = "INSERT INTO errand (run_id, ix, attempt, kind, created_at, leased_until) \
                  SELECT run_id, ix, attempt, 0, 0, 0 FROM task WHERE kind = 'workflow'";
    let before = children(&cluster, run).await?.len();
    sql::execute(cluster.database_url(), errand).await?;
    cluster.orchestrator().settle().await;
    assert_eq!(children(&cluster, run).await?.len(), before);
    assert_eq!(errands(&cluster).await?, 0);
    cluster.finish().await
}

async fn two_replicas_start_each_child_once(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.add_replica().await?;
    cluster
        .publish(&workflow("child", json!({ "p": { "type": "pass" } })).to_string())
        .await?;
    let items: Vec<u32> = (0..300).collect();
    let run = cluster
        .launch_source(
            &parent(&json!({ "for_each": items, "input": { "workflow": "child" } })).to_string(),
            Map::new(),
        )
        .await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let runs = "SELECT count(*) FROM run WHERE parent_run_id IS NOT NULL";
    assert_eq!(sql::number(cluster.database_url(), runs).await?, 300);
    cluster.finish().await
}
