//! Why something does not run, and where time went, as the API tells it.

use std::time::Duration;

use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_engine::{RunId, TaskIx};
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    a_full_group_names_its_holders_and_the_place_in_the_line,
    rates_breakers_and_retries_name_their_time,
    a_pause_a_timer_upstreams_and_a_missing_worker_are_named,
    a_pending_run_names_its_group,
    the_reasons_of_many_tasks_cost_a_constant_number_of_statements,
    a_child_run_is_named_and_a_page_of_reasons_takes_few_statements,
    the_time_of_a_task_adds_up,
    reasons_are_computed_from_a_large_input,
);

const BLOCKERS: &str =
    "query($id: ID!, $key: String!) { run(id: $id) { task(key: $key) { status waitingFor blockers {
    __typename code message
    ... on ConcurrencyBlocker { group limit held position holders { run task } }
    ... on RateLimitBlocker { key at }
    ... on CircuitBlocker { key probeAt failures }
    ... on RetryBlocker { at attempt }
    ... on UpstreamBlocker { tasks { key status } }
    ... on NoWorkerBlocker { queue type queuedAt }
    ... on PausedBlocker { by reason }
    ... on TimerBlocker { wakeAt }
    ... on ChildRunBlocker { runId }
} } } }";

async fn blockers(client: &Client, run: &str, key: &str) -> anyhow::Result<Value> {
    let mut data = client.data(BLOCKERS, json!({ "id": run, "key": key })).await?;
    Ok(data["run"]["task"]["blockers"].take())
}

async fn start(client: &Client, file: &Value) -> anyhow::Result<String> {
    let key = client.publish(&file.to_string()).await?;
    client.start(json!({ "workflow": key })).await
}

async fn a_full_group_names_its_holders_and_the_place_in_the_line(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let task = json!({ "type": "scripted", "concurrency": { "group": "g", "limit": 1 } });
    let file = workflow("full", json!({ "t": task }));
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(start(&client, &file).await?);
        cluster.orchestrator().settle().await;
    }
    let found = blockers(&client, &runs[2], "t").await?;
    assert_eq!(found[0]["__typename"], "ConcurrencyBlocker", "{found:#}");
    assert_eq!(found[0]["group"], "task:g");
    assert_eq!((&found[0]["limit"], &found[0]["held"]), (&json!(1), &json!(1)));
    assert_eq!(found[0]["position"], 2);
    assert_eq!(found[0]["holders"], json!([{ "run": runs[0], "task": "t" }]));
    let of_run = client
        .data(
            "query($id: ID!) { run(id: $id) { blockers { code } } }",
            json!({ "id": runs[2] }),
        )
        .await?;
    assert_eq!(of_run["run"]["blockers"], json!([{ "code": "CONCURRENCY" }]));
    for _ in 0..3 {
        worker.succeed_next(1).await?;
        cluster.orchestrator().settle().await;
    }
    cluster.ends(id_of(&runs[2])?, RunStatus::Succeeded).await?;
    assert_eq!(blockers(&client, &runs[2], "t").await?, json!([]));
    cluster.finish().await
}

async fn rates_breakers_and_retries_name_their_time(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let circuit = json!({ "key": "c", "failures": 1, "window": "1m", "cooldown": "1h" });
    let tasks = json!({
        "paced": { "type": "scripted", "for_each": [1, 2], "rate_limit": { "key": "r", "limit": "1/h" } },
        "broken": { "type": "scripted", "circuit": circuit, "retry": { "limit": 1, "delay": "10m", "max_delay": "10m", "jitter": "none" } },
        "held": { "type": "scripted", "needs": { "gate": "succeeded" }, "circuit": circuit },
        "gate": { "type": "scripted" },
    });
    let run = start(&client, &workflow("times", tasks)).await?;
    let held = worker.take(3).await?;
    worker.delete(&held).await?;
    let find = |key: &str| held.iter().find(|one| one.message.key == key).map(|one| one.at());
    let (Some(broken), Some(gate)) = (find("broken"), find("gate")) else {
        anyhow::bail!("{held:?}")
    };
    worker.report(vec![failed(&broken, true)]).await?;
    cluster.orchestrator().settle().await;
    worker.report(vec![succeeded(&gate, &json!(1))]).await?;
    let id = id_of(&run)?;
    cluster
        .until_task(id, "held", |task| task.status == TaskStatus::Ready)
        .await?;
    cluster.orchestrator().settle().await;

    let found = blockers(&client, &run, "paced[1]").await?;
    assert_eq!(found[0]["__typename"], "RateLimitBlocker", "{found:#}");
    assert!(found[0]["at"].is_string());
    let found = blockers(&client, &run, "broken").await?;
    assert_eq!(found[0]["__typename"], "RetryBlocker", "{found:#}");
    assert_eq!(found[0]["attempt"], 2);
    let found = blockers(&client, &run, "held").await?;
    assert_eq!(found[0]["__typename"], "CircuitBlocker", "{found:#}");
    assert!(found[0]["probeAt"].is_string());
    let reset = client
        .mutate(
            "circuitReset",
            json!({ "key": "c" }),
            "circuit { key state failures }",
        )
        .await?;
    assert_eq!(
        reset["circuit"],
        json!({ "key": "c", "state": "CLOSED", "failures": 0 })
    );
    cluster
        .until_task(id, "held", |task| task.status == TaskStatus::Queued)
        .await?;
    let unknown = client
        .mutate("circuitReset", json!({ "key": "nope" }), "circuit { key }")
        .await?;
    assert_eq!(unknown["userErrors"][0]["code"], "INPUT_INVALID");
    cluster.finish().await
}

/// The runtime's id of a run.
fn id_of(run: &str) -> anyhow::Result<RunId> {
    let text = run.strip_prefix("run_").unwrap_or(run);
    Ok(RunId(text.parse()?))
}

async fn a_pause_a_timer_upstreams_and_a_missing_worker_are_named(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let tasks = json!({
        "timer": { "type": "wait", "input": { "for": "1h" } },
        "after": { "type": "pass", "needs": ["timer"] },
        "lonely": { "type": "nobody_runs_this" },
    });
    let run = start(&client, &workflow("named", tasks)).await?;
    cluster.orchestrator().settle().await;
    let kinds = async |key: &str| {
        let found = blockers(&client, &run, key).await?;
        let kinds: Vec<Value> = found
            .as_array()
            .into_iter()
            .flatten()
            .map(|blocker| blocker["__typename"].clone())
            .collect();
        anyhow::Ok((kinds, found))
    };
    let (kind, found) = kinds("timer").await?;
    assert_eq!(kind, [json!("TimerBlocker")], "{found:#}");
    let (kind, found) = kinds("after").await?;
    assert_eq!(kind, [json!("UpstreamBlocker")]);
    assert_eq!(
        found[0]["tasks"],
        json!([{ "key": "timer", "status": "WAITING" }])
    );
    let (kind, found) = kinds("lonely").await?;
    assert_eq!(kind, [json!("NoWorkerBlocker")]);
    assert_eq!(found[0]["type"], "nobody_runs_this");
    client
        .mutate("runPause", json!({ "id": run, "reason": "lunch" }), "run { id }")
        .await?;
    let (kind, found) = kinds("after").await?;
    assert_eq!(kind, [json!("UpstreamBlocker"), json!("PausedBlocker")]);
    assert_eq!(found[1]["reason"], "lunch");
    assert!(found[1]["by"].is_string());
    cluster.finish().await
}

async fn a_pending_run_names_its_group(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let mut file = workflow("pending", json!({ "t": { "type": "scripted" } }));
    file["concurrency"] = json!(1);
    let first = start(&client, &file).await?;
    cluster.orchestrator().settle().await;
    let second = start(&client, &file).await?;
    cluster.orchestrator().settle().await;
    let query = "query($id: ID!) { run(id: $id) { status blockers { code
        ... on ConcurrencyBlocker { group holders { run task } } } task(key: \"t\") { blockers { code } } } }";
    let data = client.data(query, json!({ "id": second })).await?;
    assert_eq!(data["run"]["status"], "PENDING");
    assert_eq!(
        data["run"]["blockers"],
        json!([{ "code": "CONCURRENCY", "group": "run/pending", "holders": [{ "run": first, "task": null }] }])
    );
    assert_eq!(
        data["run"]["task"]["blockers"],
        json!([{ "code": "RUN_PENDING" }])
    );
    worker.succeed_next(1).await?;
    worker.succeed_next(1).await?;
    cluster.ends(id_of(&second)?, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn the_reasons_of_many_tasks_cost_a_constant_number_of_statements(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let items: Vec<u32> = (0..150).collect();
    let task = json!({ "type": "scripted", "for_each": items, "concurrency": { "group": "g", "limit": 1 } });
    let run = start(&client, &workflow("crowd", json!({ "t": task }))).await?;
    worker.take(1).await?;
    cluster.orchestrator().settle().await;
    let id = id_of(&run)?;
    let cost = async |count: u32| {
        let tasks: Vec<_> = (0..count).map(|ix| (id, TaskIx(ix))).collect();
        let before = cluster.orchestrator().read_statements();
        let found = cluster
            .orchestrator()
            .task_blockers(&cluster.actor, &tasks)
            .await?;
        assert_eq!(found.len(), tasks.len());
        anyhow::Ok(cluster.orchestrator().read_statements() - before)
    };
    let (few, many) = (cost(3).await?, cost(150).await?);
    assert!(many <= few, "{few} statements for 3 tasks, {many} for 150");
    assert!(many <= 10, "{many} statements");
    cluster.finish().await
}

async fn the_time_of_a_task_adds_up(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let task = json!({ "type": "scripted", "concurrency": { "group": "g", "limit": 1 } });
    let file = workflow("timed", json!({ "a": task, "b": task }));
    let run = start(&client, &file).await?;
    cluster.orchestrator().settle().await;
    let held = worker.take(1).await?;
    worker.delete(&held).await?;
    cluster.clock.advance(Duration::from_secs(100));
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.hello().await?;
    worker.succeed_next(1).await?;
    let id = id_of(&run)?;
    cluster.ends(id, RunStatus::Succeeded).await?;
    let query = "query($id: ID!) { run(id: $id) { timeSpent { waitingForSlot queued }
        b: task(key: \"b\") { timeSpent { blocked waitingForSlot queued running retryWait waiting } } } }";
    let data = client.data(query, json!({ "id": run })).await?;
    let seconds = |value: &Value| {
        let text = value.as_str().unwrap_or_default().trim_start_matches("PT");
        text.trim_end_matches('S').parse::<f64>().unwrap_or(-1.0)
    };
    let b = &data["run"]["b"]["timeSpent"];
    assert!(seconds(&b["waitingForSlot"]) >= 100.0, "{b:#}");
    assert!(seconds(&data["run"]["timeSpent"]["waitingForSlot"]) >= 100.0);
    assert!(
        seconds(&data["run"]["timeSpent"]["queued"]) >= 100.0,
        "a waited in the queue"
    );
    cluster.finish().await
}

async fn a_child_run_is_named_and_a_page_of_reasons_takes_few_statements(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster
        .serve_with(runnel_api::ApiConfig {
            loader_delay: Duration::from_millis(40),
            ..runnel_api::ApiConfig::default()
        })
        .await?;
    let _worker = cluster.scripted("w", &["scripted"]).await?;
    let below = workflow("below", json!({ "only": { "type": "scripted" } }));
    client.publish(&below.to_string()).await?;
    // 100 tasks of five kinds: a line, a breaker's question, a timer, a child run, an upstream that waits
    let mut tasks = serde_json::Map::new();
    for n in 0..20 {
        let slot = json!({ "group": "g", "limit": 1 });
        let circuit = json!({ "key": "c", "failures": 1, "window": "1m", "cooldown": "1h" });
        for (kind, task) in [
            ("line", json!({ "type": "scripted", "concurrency": slot })),
            ("guarded", json!({ "type": "scripted", "circuit": circuit })),
            ("timer", json!({ "type": "wait", "input": { "for": "1h" } })),
            (
                "child",
                json!({ "type": "workflow", "input": { "workflow": "below" } }),
            ),
            ("after", json!({ "type": "pass", "needs": [format!("timer{n}")] })),
        ] {
            tasks.insert(format!("{kind}{n}"), task);
        }
    }
    let run = start(&client, &workflow("mixed", Value::Object(tasks))).await?;
    cluster.orchestrator().settle().await;

    let found = blockers(&client, &run, "child7").await?;
    assert_eq!(found[0]["__typename"], "ChildRunBlocker", "{found:#}");
    let query = "query($id: ID!) { run(id: $id) { task(key: \"child7\") { childRun { id } } } }";
    let data = client.data(query, json!({ "id": run })).await?;
    assert!(found[0]["runId"].is_string(), "{found:#}");
    assert_eq!(found[0]["runId"], data["run"]["task"]["childRun"]["id"]);

    let page = "query($id: ID!) { run(id: $id) { tasks(first: 100) { nodes { key status blockers { code message } } } } }";
    let mut least = u64::MAX;
    for _ in 0..4 {
        let before = cluster.orchestrator().read_statements();
        let data = client.data(page, json!({ "id": run })).await?;
        least = least.min(cluster.orchestrator().read_statements() - before);
        let nodes = data["run"]["tasks"]["nodes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let blocked = nodes
            .iter()
            .filter(|task| task["blockers"][0]["code"].is_string());
        assert_eq!((nodes.len(), blocked.count()), (100, 100), "{data:#}");
    }
    assert!(least <= 12, "{least} statements");
    cluster.finish().await
}

async fn reasons_are_computed_from_a_large_input(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let size = "${{ size(inputs.note) }}";
    let circuit = json!({ "key": format!("c-{size}"), "failures": 1, "window": "1m", "cooldown": "1h" });
    let tasks = json!({
        "broken": { "type": "scripted", "circuit": circuit, "retry": { "limit": 1, "delay": "10m", "max_delay": "10m", "jitter": "none" } },
        "gate": { "type": "scripted" },
        "held": { "type": "scripted", "needs": ["gate"], "circuit": circuit },
        "never": { "type": "scripted", "if": "${{ size(inputs.note) < 100000 }}" },
        "paced": { "type": "scripted", "rate_limit": { "key": format!("r-{size}"), "limit": "1/h" } },
        "slot": {
            "type": "scripted",
            "if": "${{ size(inputs.note) == 100000 }}",
            "concurrency": { "group": format!("g-{size}"), "limit": 1 },
        },
    });
    let mut file = workflow("large", tasks);
    file["inputs"] = json!({ "note": { "type": "string" } });
    let key = client.publish(&file.to_string()).await?;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let inputs = json!({ "note": "x".repeat(100_000) });
        runs.push(client.start(json!({ "workflow": key, "inputs": inputs })).await?);
        cluster.orchestrator().settle().await;
    }
    let stored = cluster.run(id_of(&runs[1])?).await?.inputs;
    assert!(runnel_queue::PayloadRef::is_text(&stored), "it stands in the row");
    // of the first run all that may begin is out, of the second only what nothing limits
    let taken = worker.take(6).await?;
    worker.delete(&taken).await?;
    let first = id_of(&runs[0])?.0;
    let find = |key: &str| {
        let found = taken
            .iter()
            .find(|held| held.message.key == key && held.message.at.run == first);
        found.map(|held| held.at())
    };
    let (Some(broken), Some(gate)) = (find("broken"), find("gate")) else {
        anyhow::bail!("{taken:?}")
    };
    worker.report(vec![failed(&broken, true)]).await?;
    cluster.orchestrator().settle().await;
    worker.report(vec![succeeded(&gate, &json!(1))]).await?;
    cluster
        .until_task(id_of(&runs[0])?, "held", |task| task.status == TaskStatus::Ready)
        .await?;
    cluster.orchestrator().settle().await;

    let found = blockers(&client, &runs[1], "slot").await?;
    assert_eq!(found[0]["__typename"], "ConcurrencyBlocker", "{found:#}");
    assert_eq!(found[0]["group"], "task:g-100000");
    assert_eq!(found[0]["position"], 1);
    assert_eq!(found[0]["holders"], json!([{ "run": runs[0], "task": "slot" }]));
    let found = blockers(&client, &runs[1], "paced").await?;
    assert_eq!(found[0]["__typename"], "RateLimitBlocker", "{found:#}");
    assert_eq!(found[0]["key"], "r-100000");
    let found = blockers(&client, &runs[0], "held").await?;
    assert_eq!(found[0]["__typename"], "CircuitBlocker", "{found:#}");
    assert_eq!(found[0]["key"], "c-100000");
    let never = cluster.task(id_of(&runs[1])?, "never").await?;
    assert_eq!(never.status, TaskStatus::Skipped);
    assert_eq!(blockers(&client, &runs[1], "never").await?, json!([]));
    cluster.finish().await
}
