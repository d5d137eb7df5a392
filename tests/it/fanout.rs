//! One task over many items: limits that change, items that are read and addressed, tolerance, batches, matrices, loops.

use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::{RecordKind, RunStatus, TaskStatus};
use runnel_queue::Outcome;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{Answer, EchoWorker, Held, ScriptedWorker, failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    limits_change_while_it_runs,
    a_narrower_tolerance_fails_it_at_once,
    items_are_paged_filtered_and_counted,
    items_are_addressed_by_key_and_by_position,
    two_items_with_one_key_fail_before_any_begins,
    failures_up_to_the_tolerance_are_forgiven,
    a_batch_is_one_item_and_the_last_may_be_shorter,
    a_matrix_runs_each_combination_that_is_left,
    each_item_repeats_for_itself,
);

/// A workflow of one task, `each`, with the given keys.
fn each(id: &str, more: Value) -> Value {
    let mut task = json!({ "type": "scripted", "input": { "item": "${{ each.item }}" } });
    if let (Value::Object(task), Value::Object(more)) = (&mut task, more) {
        task.extend(more);
    }
    workflow(id, json!({ "each": task }))
}

fn keys(held: &[Held]) -> Vec<&str> {
    held.iter().map(|held| held.message.key.as_str()).collect()
}

/// Everything that a worker is given while nothing else happens.
async fn given(cluster: &Cluster, worker: &ScriptedWorker) -> anyhow::Result<Vec<Held>> {
    cluster.orchestrator().settle().await;
    let held = worker.receive(100, Duration::ZERO).await?;
    worker.delete(&held).await?;
    Ok(held)
}

async fn succeed(cluster: &Cluster, worker: &ScriptedWorker, held: &[Held]) {
    let report = |held: &Held| succeeded(&held.at(), &held.message.key.as_str().into());
    let reports = held.iter().map(report).collect();
    cluster.orchestrator().report(worker.batch(reports)).await;
}

async fn fail(cluster: &Cluster, worker: &ScriptedWorker, held: &[Held]) {
    let reports = held.iter().map(|held| failed(&held.at(), false)).collect();
    cluster.orchestrator().report(worker.batch(reports)).await;
}

async fn output_of(cluster: &Cluster, run: RunId) -> anyhow::Result<Value> {
    let output = cluster.task(run, "each").await?.output;
    Ok(serde_json::from_str(&output.context("no output")?)?)
}

/// Changes the limits of `each`; answers the codes of what is refused.
async fn change_limits(client: &Client, run: RunId, limits: Value) -> anyhow::Result<Vec<String>> {
    let mut input = json!({ "run": run.to_string(), "task": "each" });
    if let (Value::Object(input), Value::Object(limits)) = (&mut input, limits) {
        input.extend(limits);
    }
    let payload = client
        .mutate("taskFanoutUpdate", input, "task { key status }")
        .await?;
    let errors = payload["userErrors"].as_array().context("no userErrors")?;
    Ok(errors.iter().map(|error| error["code"].to_string()).collect())
}

async fn limits_change_while_it_runs(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let items: Vec<u32> = (0..12).collect();
    let file = each(
        "limits",
        json!({ "for_each": { "items": items, "max_parallel": 2 } }),
    );
    let run = cluster.launch(&file).await?;
    let mut held = given(&cluster, &worker).await?;
    assert_eq!(keys(&held), ["each[0]", "each[1]"]);

    assert!(
        change_limits(&client, run, json!({ "maxParallel": 5 }))
            .await?
            .is_empty()
    );
    let more = given(&cluster, &worker).await?;
    assert_eq!(
        keys(&more),
        ["each[2]", "each[3]", "each[4]"],
        "more begin at once"
    );
    held.extend(more);

    assert!(
        change_limits(&client, run, json!({ "maxParallel": 2 }))
            .await?
            .is_empty()
    );
    succeed(&cluster, &worker, &held[..3]).await;
    assert!(
        given(&cluster, &worker).await?.is_empty(),
        "two are still in flight"
    );
    succeed(&cluster, &worker, &held[3..4]).await;
    assert_eq!(
        keys(&given(&cluster, &worker).await?),
        ["each[5]"],
        "one place is free"
    );

    // the same again changes nothing and says so to nobody
    assert!(
        change_limits(&client, run, json!({ "maxParallel": 2 }))
            .await?
            .is_empty()
    );
    let changes = cluster.history(run).await?;
    let changes = changes
        .iter()
        .filter(|event| event.record.kind == RecordKind::FanoutLimitsChanged);
    assert_eq!(changes.count(), 2);
    for refused in [
        json!({}),
        json!({ "maxParallel": 0 }),
        json!({ "tolerate": "101%" }),
    ] {
        assert_eq!(
            change_limits(&client, run, refused.clone()).await?.len(),
            1,
            "{refused}"
        );
    }

    cluster
        .orchestrator()
        .cancel_run(&cluster.actor, run, runnel_engine::run::CancelMode::Now, None)
        .await?;
    cluster.ends(run, RunStatus::Cancelled).await?;
    let late = change_limits(&client, run, json!({ "maxParallel": 9 })).await?;
    assert_eq!(late.len(), 1, "a fan-out that has ended keeps its limits");
    cluster.finish().await
}

async fn a_narrower_tolerance_fails_it_at_once(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let file = each(
        "narrower",
        json!({ "for_each": { "items": [1, 2, 3, 4], "tolerate": 2 } }),
    );
    let run = cluster.launch(&file).await?;
    let held = given(&cluster, &worker).await?;
    fail(&cluster, &worker, &held[..1]).await;
    assert_eq!(cluster.task(run, "each").await?.status, TaskStatus::Waiting);
    assert!(
        change_limits(&client, run, json!({ "tolerate": "24%" }))
            .await?
            .is_empty()
    );
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    assert_eq!(
        ended.error.map(|error| error.code),
        Some("ITEMS_FAILED".to_owned())
    );
    assert_eq!((ended.counts.failed, ended.counts.cancelled), (2, 3));
    cluster.finish().await
}

async fn items_are_paged_filtered_and_counted(stack: Stack) -> anyhow::Result<()> {
    const ITEMS: &str = "query($run: ID!, $first: Int!, $after: String, $filter: TaskFilter) { run(id: $run) { \
        task(key: \"each\") { itemCounts { total succeeded failed queued } \
        items(first: $first, after: $after, filter: $filter) { nodes { key status } \
        pageInfo { hasNextPage endCursor } totalCount { value } } } } }";
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let items: Vec<u32> = (0..25).collect();
    let file = each("paged", json!({ "for_each": { "items": items, "tolerate": 25 } }));
    let run = cluster.launch(&file).await?;
    let held = given(&cluster, &worker).await?;
    succeed(&cluster, &worker, &held[..10]).await;
    fail(&cluster, &worker, &held[10..13]).await;

    let page = async |after: Value, filter: Value| {
        let variables = json!({ "run": run.to_string(), "first": 10, "after": after, "filter": filter });
        let mut data = client.data(ITEMS, variables).await?;
        anyhow::Ok(data["run"]["task"].take())
    };
    let keys = |page: &Value| {
        let nodes = page["items"]["nodes"].as_array().cloned().unwrap_or_default();
        let keys = nodes
            .iter()
            .map(|node| node["key"].as_str().unwrap_or_default().to_owned());
        keys.collect::<Vec<_>>()
    };
    let mut seen = Vec::new();
    let mut after = Value::Null;
    for has_next in [true, true, false] {
        let page = page(after, Value::Null).await?;
        assert_eq!(page["items"]["pageInfo"]["hasNextPage"], has_next);
        assert_eq!(page["items"]["totalCount"]["value"], 25);
        assert_eq!(
            page["itemCounts"],
            json!({ "total": 25, "succeeded": 10, "failed": 3, "queued": 12 })
        );
        after = page["items"]["pageInfo"]["endCursor"].clone();
        seen.extend(keys(&page));
    }
    let all: Vec<String> = (0..25).map(|n| format!("each[{n}]")).collect();
    assert_eq!(seen, all, "in the order of the list, each once");

    let failures = page(Value::Null, json!({ "status": { "in": ["FAILED"] } })).await?;
    assert_eq!(keys(&failures), ["each[10]", "each[11]", "each[12]"]);
    assert_eq!(failures["items"]["totalCount"]["value"], 3);
    let named = page(
        Value::Null,
        json!({ "and": [{ "keyPrefix": "each[1" }, { "hasError": false }] }),
    )
    .await?;
    assert_eq!(keys(&named).first().map(String::as_str), Some("each[1]"));
    assert_eq!(named["items"]["totalCount"]["value"], 8, "1 and 13 to 19");

    succeed(&cluster, &worker, &held[13..]).await;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert!(ended.has_tolerated_failures);
    cluster.finish().await
}

async fn items_are_addressed_by_key_and_by_position(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    // the key of the first is the position of the second
    let items = json!([{ "id": "1" }, { "id": "es-03" }, { "id": "a b" }]);
    let for_each = json!({ "items": items, "key": "${{ each.item.id }}", "tolerate": 3 });
    let run = cluster
        .launch(&each("keyed", json!({ "for_each": for_each })))
        .await?;
    let held = given(&cluster, &worker).await?;
    assert_eq!(keys(&held), ["each[1]", "each[es-03]", "each[a b]"]);
    for (address, key) in [
        ("each[es-03]", "each[es-03]"),
        ("each[2]", "each[a b]"),
        ("each[0]", "each[1]"),
        ("each[1]", "each[1]"),
    ] {
        assert_eq!(cluster.task(run, address).await?.key, key, "{address}");
    }
    let (orchestrator, actor) = (cluster.orchestrator(), &cluster.actor);
    for nobody in ["each[3]", "each[x]", "each[", "each[]", "other[0]"] {
        assert!(
            orchestrator.find_task(actor, run, nobody).await?.is_none(),
            "{nobody}"
        );
    }
    fail(&cluster, &worker, &held[1..2]).await;
    orchestrator.retry_task(actor, run, "each[es-03]").await?;
    let again = given(&cluster, &worker).await?;
    assert_eq!(
        (keys(&again), again[0].message.at.attempt),
        (vec!["each[es-03]"], 2)
    );
    orchestrator.skip_task(actor, run, "each[2]", None).await?;
    succeed(&cluster, &worker, &held[..1]).await;
    succeed(&cluster, &worker, &again).await;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(
        output_of(&cluster, run).await?,
        json!(["each[1]", "each[es-03]", null])
    );
    cluster.finish().await
}

async fn two_items_with_one_key_fail_before_any_begins(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let for_each =
        json!({ "items": [{ "id": "x" }, { "id": "y" }, { "id": "x" }], "key": "${{ each.item.id }}" });
    let run = cluster
        .launch(&each("twice", json!({ "for_each": for_each })))
        .await?;
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    let error = ended.error.context("no error")?;
    assert_eq!(error.code, "ITEM_KEY");
    assert!(
        error.message.contains("`x`") && error.message.contains('2'),
        "{}",
        error.message
    );
    assert!(given(&cluster, &worker).await?.is_empty());
    cluster.finish().await
}

async fn failures_up_to_the_tolerance_are_forgiven(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    // 26 % of eight are two
    for (id, tolerate) in [("number", json!(2)), ("percent", json!("26%"))] {
        let items: Vec<u32> = (0..8).collect();
        let file = each(
            id,
            json!({ "for_each": { "items": items, "tolerate": tolerate } }),
        );
        let forgiven = cluster.launch(&file).await?;
        let held = given(&cluster, &worker).await?;
        fail(&cluster, &worker, &held[2..4]).await;
        succeed(&cluster, &worker, &held[..2]).await;
        succeed(&cluster, &worker, &held[4..]).await;
        let ended = cluster.ends(forgiven, RunStatus::Succeeded).await?;
        assert!(ended.has_tolerated_failures, "{id}");
        let output = output_of(&cluster, forgiven).await?;
        assert_eq!(
            output,
            json!([
                "each[0]", "each[1]", null, null, "each[4]", "each[5]", "each[6]", "each[7]"
            ]),
            "{id}"
        );

        let failing = cluster.launch(&file).await?;
        let held = given(&cluster, &worker).await?;
        fail(&cluster, &worker, &held[..3]).await;
        let ended = cluster.ends(failing, RunStatus::Failed).await?;
        assert_eq!(
            ended.error.map(|error| error.code),
            Some("ITEMS_FAILED".to_owned()),
            "{id}"
        );
        assert_eq!((ended.counts.failed, ended.counts.cancelled), (4, 5), "{id}");
    }
    cluster.finish().await
}

async fn a_batch_is_one_item_and_the_last_may_be_shorter(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let items: Vec<u32> = (0..10).collect();
    let file = each("batched", json!({ "for_each": { "items": items, "batch": 4 } }));
    let run = cluster.launch(&file).await?;
    let held = given(&cluster, &worker).await?;
    let inputs: Vec<&str> = held.iter().map(|held| held.message.input.get()).collect();
    assert_eq!(
        inputs,
        [
            r#"{"item":[0,1,2,3]}"#,
            r#"{"item":[4,5,6,7]}"#,
            r#"{"item":[8,9]}"#
        ]
    );
    succeed(&cluster, &worker, &held).await;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(
        output_of(&cluster, run).await?,
        json!(["each[0]", "each[1]", "each[2]"])
    );
    cluster.finish().await
}

async fn a_matrix_runs_each_combination_that_is_left(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let matrix = json!({
        "region": ["eu", "us"],
        "model": ["gbm", "mlp"],
        "exclude": [{ "region": "us", "model": "mlp" }],
        "include": [{ "region": "eu", "gpu": true }, { "region": "apac" }],
        "max_parallel": 3,
    });
    let input = json!({ "region": "${{ matrix.region }}" });
    let run = cluster
        .launch(&each("matrix", json!({ "matrix": matrix, "input": input })))
        .await?;
    let held = given(&cluster, &worker).await?;
    assert_eq!(
        keys(&held),
        ["each[eu-gbm-true]", "each[eu-mlp-true]", "each[us-gbm]"]
    );
    assert_eq!(held[2].message.input.get(), r#"{"region":"us"}"#);
    succeed(&cluster, &worker, &held[..1]).await;
    let last = given(&cluster, &worker).await?;
    assert_eq!(keys(&last), ["each[apac]"]);
    succeed(&cluster, &worker, &held[1..]).await;
    succeed(&cluster, &worker, &last).await;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(ended.counts.succeeded, 5);
    assert_eq!(
        cluster.task(run, "each[us-gbm]").await?.status,
        TaskStatus::Succeeded
    );
    cluster.finish().await
}

async fn each_item_repeats_for_itself(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let task = json!({
        "for_each": [1, 3, 2],
        "repeat": { "until": "each.previous.rounds == each.item", "max": 5 },
        "input": { "rounds": "${{ each.round + 1 }}" },
    });
    let answer: std::sync::Arc<Answer> = std::sync::Arc::new(|message: &runnel_queue::TaskMessage| {
        let input: Value = serde_json::from_str(message.input.get()).unwrap_or_default();
        Outcome::Output(to_raw_value(&input).unwrap_or_default())
    });
    let echo = EchoWorker::start_with(worker, answer);
    let run = cluster.launch(&each("loops", task)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    for (item, rounds) in [("each[0]", 1), ("each[1]", 3), ("each[2]", 2)] {
        assert_eq!(cluster.task(run, item).await?.attempt, rounds, "{item}");
    }
    assert_eq!(
        output_of(&cluster, run).await?,
        json!([{ "rounds": 1 }, { "rounds": 3 }, { "rounds": 2 }])
    );
    assert_eq!(echo.stop().await?.len(), 6);
    cluster.finish().await
}
