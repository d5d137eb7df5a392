//! A value that is kept apart is the same as any other to whoever looks: callbacks, dead letters, kept results, children, reruns,
//! overrides, the command line. And nothing deletes what somebody still refers to.

use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_queue::PayloadRef;
use runnel_queue::message::MESSAGE_BYTES_MAX;
use runnel_runtime::payload::PayloadText;
use runnel_runtime::rerun::{RerunFrom, RerunRequest};
use runnel_runtime::{DatabaseConfig, StartRequest, verify};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::stack::Stack;
use runnel_tests::{process, programs, sql};
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    a_value_that_no_message_could_carry_reaches_the_next_task,
    a_callback_in_a_large_input_reaches_its_worker,
);
macro_rules! on_both_databases {
    ($($scenario:ident),+ $(,)?) => {
        runnel_tests::on_stack!(sqlite_embedded_only, SqliteEmbedded, $($scenario),+);
        runnel_tests::on_stack!(postgres_embedded_only, PostgresEmbedded, $($scenario),+);
    };
}
on_both_databases!(
    a_dead_letter_of_a_large_input_shows_it_and_is_replayed_with_it,
    a_large_result_is_kept_for_later_runs,
    a_kept_result_keeps_its_value,
    a_child_is_given_a_large_input_and_gives_a_large_output,
    a_rerun_and_an_override_carry_large_values,
    a_value_that_is_claimed_while_it_is_collected_is_there_afterwards,
    the_checker_finds_references_to_what_is_not_kept,
    the_command_line_shows_the_whole_value
);

const LARGE: usize = 100_000;

async fn start(cluster: &Cluster, file: &Value, note: &str) -> anyhow::Result<RunId> {
    let workflow = cluster.publish(&file.to_string()).await?.workflow.key;
    let request = StartRequest {
        workflow,
        inputs: Map::from_iter([("note".to_owned(), json!(note))]),
        ..StartRequest::default()
    };
    Ok(cluster
        .orchestrator()
        .start_run(&cluster.actor, request)
        .await?
        .run
        .id)
}

/// Tasks that may read `inputs.note`.
fn noted(id: &str, tasks: Value, outputs: Value) -> Value {
    let mut file = workflow(id, tasks);
    file["inputs"] = json!({ "note": { "type": "string", "default": "" } });
    file["outputs"] = outputs;
    file
}

/// The value that a stored text stands for; it must be kept apart.
async fn value(cluster: &Cluster, text: Option<&std::sync::Arc<str>>) -> anyhow::Result<Value> {
    let text = text.context("a value")?;
    anyhow::ensure!(PayloadRef::is_text(text), "it stands in the row");
    match cluster.orchestrator().payload_text(text, u64::MAX).await? {
        PayloadText::Whole(text) => Ok(serde_json::from_str(&text)?),
        PayloadText::TooLarge(_) => anyhow::bail!("cut"),
    }
}

async fn a_value_that_no_message_could_carry_reaches_the_next_task(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let file = noted(
        "carried",
        json!({ "first": { "type": "scripted", "input": { "note": "${{ inputs.note }}" } } }),
        json!({ "same": "${{ inputs.note }}" }),
    );
    let note = "x".repeat(MESSAGE_BYTES_MAX + 1);
    let run = start(&cluster, &file, &note).await?;
    let held = worker.take(1).await?;
    let reference = held[0].message.input_ref.clone().context("a reference")?;
    assert_eq!(held[0].message.input.get(), "null");
    let sent: Value = serde_json::from_slice(&cluster.payloads.store.get(&reference).await?)?;
    assert_eq!(sent["note"], note);
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.delete(&held).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(value(&cluster, ended.outputs.as_ref()).await?["same"], note);
    cluster.finish().await
}

async fn a_callback_in_a_large_input_reaches_its_worker(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    cluster.add_worker("worker-1");
    let script = "import json, urllib.request\n\
        body = json.dumps({'size': len(inputs['note']), 'same': inputs['url'].endswith(inputs['token'])}).encode()\n\
        urllib.request.urlopen(urllib.request.Request(inputs['url'], data=body, method='POST'))\n";
    let args = json!({
        "note": "${{ inputs.note }}", "url": "${{ task.callback_url }}", "token": "${{ task.callback_token }}",
    });
    let task = json!({
        "type": "python", "callback": true, "timeout": "1h", "input": { "script": script, "args": args },
    });
    let file = noted(
        "called",
        json!({ "call": task }),
        json!({ "answer": "${{ tasks.call.output }}" }),
    );
    let run = start(&cluster, &file, &"n".repeat(LARGE)).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    let outputs: Value = serde_json::from_str(ended.outputs.as_deref().context("outputs")?)?;
    assert_eq!(outputs["answer"], json!({ "size": LARGE, "same": true }));
    let stored = value(&cluster, cluster.task(run, "call").await?.input.as_ref()).await?;
    let url = stored["args"]["url"].as_str().context("a mark")?;
    assert!(!url.contains(&client.base), "the token is in the store: {url}");
    cluster.finish().await
}

async fn a_dead_letter_of_a_large_input_shows_it_and_is_replayed_with_it(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let task = json!({ "type": "scripted", "input": { "note": "${{ inputs.note }}" }, "on_exhausted": "dead_letter" });
    let file = noted("import", json!({ "load": task }), json!({}));
    let run = start(&cluster, &file, &"d".repeat(LARGE)).await?;
    let held = worker.take(1).await?;
    let reference = held[0].message.input_ref.clone();
    worker.report(vec![failed(&held[0].at(), false)]).await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Failed).await?;
    let query = "{ deadLetters { nodes { id payload } } }";
    let data = client.data(query, json!({})).await?;
    let letter = &data["deadLetters"]["nodes"][0];
    let payload = letter["payload"].as_str().context("a payload")?;
    assert!(payload.starts_with("{\"note\":\"ddd"), "{}", &payload[..40]);
    assert_eq!(payload.len(), 64 << 10);
    let replay = "mutation($input: DeadLetterIdsInput!) { deadLetterReplay(input: $input) { matched } }";
    let input = json!({ "input": { "ids": [letter["id"]] } });
    client.data(replay, input).await?;
    let held = worker.take(1).await?;
    assert_eq!(held[0].message.at.attempt, 2);
    assert_eq!(held[0].message.input_ref, reference, "the same value");
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_large_result_is_kept_for_later_runs(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let task = json!({ "type": "scripted", "cache": { "key": "day", "ttl": "1h" } });
    let file = noted(
        "kept",
        json!({ "t": task }),
        json!({ "text": "${{ tasks.t.output }}" }),
    );
    let first = start(&cluster, &file, "").await?;
    let held = worker.take(1).await?;
    let output = json!("k".repeat(300_000));
    worker.report(vec![succeeded(&held[0].at(), &output)]).await?;
    worker.delete(&held).await?;
    cluster.ends(first, RunStatus::Succeeded).await?;
    let large = "SELECT count(*) FROM result_cache WHERE length(output) > 200";
    assert_eq!(
        sql::number(cluster.database_url(), large).await?,
        0,
        "it is in the row"
    );
    let second = start(&cluster, &file, "").await?;
    let ended = cluster.ends(second, RunStatus::Succeeded).await?;
    assert_eq!(cluster.task(second, "t").await?.status, TaskStatus::Cached);
    assert_eq!(value(&cluster, ended.outputs.as_ref()).await?["text"], output);
    let task = cluster.task(second, "t").await?;
    assert_eq!(value(&cluster, task.output.as_ref()).await?, output);
    cluster.finish().await
}

async fn a_kept_result_keeps_its_value(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let store = &cluster.payloads.store;
    let kept = store.put("\"of a run that is gone\"".into()).await?;
    let insert = format!(
        "INSERT INTO result_cache(namespace, key, output, run_id, kept_at, expires_at) \
         SELECT 'default', 'k', '{kept}', id, 0, 9223372036854775807 FROM run LIMIT 1"
    );
    // any run's id will do: nobody refers to the value but the kept result
    let run = cluster
        .launch(&workflow(
            "any",
            json!({ "a": { "type": "eval", "input": { "n": 1 } } }),
        ))
        .await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    sql::execute(cluster.database_url(), &insert).await?;
    let (orchestrator, day) = (
        cluster.orchestrator(),
        cluster.payloads.keep + Duration::from_secs(60),
    );
    cluster.clock.advance(day);
    assert_eq!(orchestrator.collect_payloads().await?.deleted, 0);
    assert!(store.find(&kept.sha256).await?.is_some());
    sql::execute(cluster.database_url(), "DELETE FROM result_cache").await?;
    assert_eq!(orchestrator.collect_payloads().await?.deleted, 1);
    assert!(store.find(&kept.sha256).await?.is_none());
    cluster.finish().await
}

async fn a_child_is_given_a_large_input_and_gives_a_large_output(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let child = noted(
        "child",
        json!({ "work": { "type": "eval", "input": { "twice": "${{ inputs.note + inputs.note }}" } } }),
        json!({ "twice": "${{ tasks.work.output.twice }}" }),
    );
    cluster.publish(&child.to_string()).await?;
    let call = json!({ "type": "workflow", "input": { "workflow": "child", "inputs": { "note": "${{ inputs.note }}" } } });
    let parent = noted(
        "parent",
        json!({ "c": call }),
        json!({ "size": "${{ size(tasks.c.output.twice) }}" }),
    );
    let run = start(&cluster, &parent, &"c".repeat(LARGE)).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(
        ended.outputs.as_deref(),
        Some(format!("{{\"size\":{}}}", 2 * LARGE).as_str())
    );
    let task = cluster.task(run, "c").await?;
    let input = value(&cluster, task.input.as_ref()).await?;
    assert_eq!(input["inputs"]["note"].as_str().map(str::len), Some(LARGE));
    let output = value(&cluster, task.output.as_ref()).await?;
    assert_eq!(output["twice"].as_str().map(str::len), Some(2 * LARGE));
    cluster.finish().await
}

async fn a_rerun_and_an_override_carry_large_values(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let tasks = json!({
        "load": { "type": "scripted" },
        "store": { "type": "scripted", "needs": ["load"], "input": { "size": "${{ size(tasks.load.output) }}" } },
    });
    let file = noted("import", tasks, json!({ "stored": "${{ tasks.store.output }}" }));
    let run = start(&cluster, &file, &"r".repeat(LARGE)).await?;
    for succeeds in [true, false] {
        let held = worker.take(1).await?;
        let at = held[0].at();
        let report = if succeeds {
            succeeded(&at, &json!("l".repeat(LARGE)))
        } else {
            failed(&at, false)
        };
        worker.report(vec![report]).await?;
        worker.delete(&held).await?;
    }
    cluster.ends(run, RunStatus::Failed).await?;
    // from the rows alone
    cluster.restart().await?;
    worker.hello().await?;
    let request = RerunRequest {
        is_new_run: true,
        ..RerunRequest::new(run, RerunFrom::Failed)
    };
    let orchestrator = cluster.orchestrator();
    let new = orchestrator.rerun_run(&cluster.actor, request).await?.run.id;
    let held = worker.take(1).await?;
    assert_eq!(
        held[0].message.input.get(),
        format!("{{\"size\":{LARGE}}}"),
        "the result was taken over"
    );
    assert_eq!(
        value(&cluster, cluster.task(new, "load").await?.output.as_ref()).await?,
        "l".repeat(LARGE)
    );
    worker.report(vec![failed(&held[0].at(), false)]).await?;
    worker.delete(&held).await?;
    cluster.ends(new, RunStatus::Failed).await?;
    let by_hand = json!("h".repeat(LARGE));
    orchestrator
        .override_task(&cluster.actor, new, "store", Ok(by_hand.to_string().into()), None)
        .await?;
    let ended = cluster.ends(new, RunStatus::Succeeded).await?;
    assert_eq!(value(&cluster, ended.outputs.as_ref()).await?["stored"], by_hand);
    assert_eq!(
        value(&cluster, Some(&ended.inputs)).await?["note"]
            .as_str()
            .map(str::len),
        Some(LARGE)
    );
    cluster.finish().await
}

/// Values that a dead worker left are old enough to be deleted at the moment when a run begins to refer to them.
async fn a_value_that_is_claimed_while_it_is_collected_is_there_afterwards(
    stack: Stack,
) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let collector = cluster.add_replica().await?;
    let file = noted(
        "raced",
        json!({ "a": { "type": "eval", "input": { "n": 1 } } }),
        json!({ "note": "${{ inputs.note }}" }),
    );
    for round in 0..12 {
        let note = format!("{round}{}", "z".repeat(LARGE));
        let text = json!({ "note": note }).to_string();
        cluster.payloads.store.put(text.into()).await?;
        cluster
            .clock
            .advance(cluster.payloads.keep + Duration::from_secs(60));
        let (started, collected) = tokio::join!(start(&cluster, &file, &note), collector.collect_payloads());
        let run = started?;
        collected?;
        let ended = cluster.ends(run, RunStatus::Succeeded).await?;
        for text in [Some(&ended.inputs), ended.outputs.as_ref()] {
            let reference = PayloadRef::read(text.context("a value")?).context("a reference")?;
            let found = cluster.payloads.store.find(&reference.sha256).await?;
            assert!(found.is_some(), "round {round}: the value is gone");
        }
        // everything is old now, and referred to
        cluster
            .clock
            .advance(cluster.payloads.keep + Duration::from_secs(60));
        assert_eq!(collector.collect_payloads().await?.deleted, 0, "round {round}");
    }
    cluster.finish().await
}

async fn the_checker_finds_references_to_what_is_not_kept(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let file = noted(
        "checked",
        json!({ "a": { "type": "eval", "input": { "note": "${{ inputs.note }}" } } }),
        json!({}),
    );
    let run = start(&cluster, &file, &"v".repeat(LARGE)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let config = DatabaseConfig {
        url: cluster.database_url().to_owned(),
        connections: 2,
        is_sqlite_relaxed: false,
    };
    let store = &cluster.payloads.store;
    assert!(verify(&config, Some(store)).await?.is_sound());
    let url = cluster.database_url();
    sql::execute(url, "UPDATE payload_use SET sha256 = sha256 || 'x'").await?;
    let broken = verify(&config, None).await?.problems;
    // the inputs, and the output of the task
    assert!(broken.len() >= 2, "{broken:?}");
    assert!(
        broken.iter().all(|problem| problem.rule == "payload"),
        "{broken:?}"
    );
    assert!(broken.iter().any(|problem| problem.task.is_none()), "{broken:?}");
    assert!(broken.iter().any(|problem| problem.task.is_some()), "{broken:?}");
    sql::execute(url, "UPDATE payload_use SET sha256 = substr(sha256, 1, 64)").await?;
    assert!(verify(&config, Some(store)).await?.is_sound());
    let inputs = PayloadRef::read(&cluster.run(run).await?.inputs).context("a reference")?;
    store.delete(&inputs.sha256).await?;
    let broken = verify(&config, Some(store)).await?.problems;
    assert!(
        broken
            .iter()
            .any(|problem| problem.message.contains(&inputs.sha256)),
        "{broken:?}"
    );
    cluster.finish().await
}

async fn the_command_line_shows_the_whole_value(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let file = noted(
        "shown",
        json!({ "a": { "type": "eval", "input": { "n": 1 } } }),
        json!({ "note": "${{ inputs.note }}" }),
    );
    // above what an answer of the API carries
    let note = "s".repeat(2_000_000);
    let run = start(&cluster, &file, &note).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let program = programs::runnel()?;
    let arguments = ["show", &run.to_string(), "--server", &client.base, "-o", "json"];
    let ended = process::finish(process::command(&program, &arguments)).await?;
    anyhow::ensure!(ended.status.success(), "{}", ended.stderr);
    let shown: Value = serde_json::from_str(&ended.stdout)?;
    assert_eq!(shown["inputs"]["note"], note);
    assert_eq!(shown["outputs"]["note"], note);
    cluster.finish().await
}
