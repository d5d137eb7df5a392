//! Values too large for a row or a message: offloaded, fetched, shown, downloaded, collected.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_queue::PayloadRef;
use runnel_runtime::StartRequest;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::succeeded;
use runnel_tests::stack::Stack;
use runnel_worker::{BuiltinOptions, ControlChannel, HttpSink, Supplies};
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    a_large_value_passes_from_task_to_task_and_its_rows_hold_a_reference,
    what_no_run_refers_to_is_deleted_by_age_and_the_rest_stays,
);
runnel_tests::on_stack!(
    postgres_embedded_large,
    PostgresEmbedded,
    a_worker_without_the_store_uses_the_control_channel,
    a_large_list_is_fanned_out,
    large_values_are_shown_by_their_beginning_and_downloaded_whole
);

const LARGE: usize = 2_000_000;

/// A chain whose second task is given the whole output of the first.
fn chain() -> Value {
    let script = format!(
        "python3 -c \"import json,os; open(os.environ['RUNNEL_OUTPUT'],'w').write(json.dumps({{'text': 'x'*{LARGE}}}))\""
    );
    let second = "import json,sys\nprint(json.dumps({'length': len(inputs['text'])}))";
    let mut file = workflow(
        "large",
        json!({
            "make": { "run": script },
            "measure": {
                "needs": ["make"], "type": "python",
                "input": { "script": second, "args": { "text": "${{ tasks.make.output.text }}" } },
            },
        }),
    );
    file["inputs"] = json!({ "note": { "type": "string", "default": "" } });
    file["outputs"] = json!({ "length": "${{ tasks.measure.output.length }}", "all": "${{ tasks.make.output.text }}", "note": "${{ inputs.note }}" });
    file
}

async fn start(cluster: &Cluster, note: &str) -> anyhow::Result<runnel_engine::RunId> {
    let inputs = Map::from_iter([("note".to_owned(), json!(note))]);
    cluster.launch_source(&chain().to_string(), inputs).await
}

fn is_reference(text: Option<&Arc<str>>) -> bool {
    text.is_some_and(|text| PayloadRef::is_text(text))
}

async fn a_large_value_passes_from_task_to_task_and_its_rows_hold_a_reference(
    stack: Stack,
) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.add_worker("worker-1");
    let run = start(&cluster, &"n".repeat(100_000)).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert!(is_reference(Some(&ended.inputs)), "inputs stand in the row");
    assert!(is_reference(ended.outputs.as_ref()), "outputs stand in the row");
    assert!(is_reference(cluster.task(run, "make").await?.output.as_ref()));
    assert!(is_reference(cluster.task(run, "measure").await?.input.as_ref()));
    let outputs = ended.outputs.context("outputs")?;
    let found = cluster.orchestrator().payload_text(&outputs, u64::MAX).await?;
    let runnel_runtime::payload::PayloadText::Whole(text) = found else {
        anyhow::bail!("cut")
    };
    let outputs: Value = serde_json::from_str(&text)?;
    assert_eq!(outputs["length"], LARGE);
    assert_eq!(outputs["all"].as_str().map(str::len), Some(LARGE));
    assert_eq!(outputs["note"].as_str().map(str::len), Some(100_000));
    // another process knows the run from its rows alone
    cluster.restart().await?;
    assert_eq!(cluster.run(run).await?.status, RunStatus::Succeeded);
    cluster.finish().await
}

async fn what_no_run_refers_to_is_deleted_by_age_and_the_rest_stays(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster
        .launch(&workflow("kept", json!({ "first": { "type": "scripted" } })))
        .await?;
    let held = worker.take(1).await?;
    let large = json!("k".repeat(100_000));
    worker.report(vec![succeeded(&held[0].at(), &large)]).await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let store = &cluster.payloads.store;
    // what a worker wrote that died before its report
    let orphan = store.put("\"nobody's\"".into()).await?;
    let orchestrator = cluster.orchestrator();
    assert_eq!(orchestrator.collect_payloads().await?.deleted, 0, "it is young");
    cluster
        .clock
        .advance(cluster.payloads.keep + Duration::from_secs(60));
    let collected = orchestrator.collect_payloads().await?;
    assert_eq!((collected.deleted, collected.bytes), (1, orphan.bytes));
    assert!(store.find(&orphan.sha256).await?.is_none());
    let output = cluster.task(run, "first").await?.output.context("an output")?;
    let reference = PayloadRef::read(&output).context("a reference")?;
    assert!(
        store.find(&reference.sha256).await?.is_some(),
        "a run refers to it"
    );
    cluster.finish().await
}

async fn a_worker_without_the_store_uses_the_control_channel(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let http = HttpSink::new(&client.base, runnel_tests::cluster::WORKER_TOKEN)?;
    let channel: Arc<dyn ControlChannel> = Arc::new(http.clone());
    let supplies = Supplies {
        payloads: None,
        channel: Some(channel),
    };
    cluster.add_worker_from("worker-1", BuiltinOptions::default(), supplies);
    let run = start(&cluster, "").await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let output = cluster.task(run, "make").await?.output.context("an output")?;
    let reference = PayloadRef::read(&output).context("a reference")?;
    let stranger = runnel_queue::AttemptRef {
        run: run.0,
        task: 0,
        attempt: 1,
        token: "test.00".to_owned(),
    };
    assert!(
        http.payload(&stranger, &reference).await.is_err(),
        "given without a token"
    );
    assert!(http.secrets(&stranger, &[]).await.is_err());
    cluster.finish().await
}

async fn a_large_list_is_fanned_out(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let mut file = workflow(
        "wide",
        json!({
            "each": {
                "type": "eval", "for_each": { "items": "${{ inputs.items }}" },
                "input": { "size": "${{ size(each.item) }}" },
            },
        }),
    );
    file["inputs"] = json!({ "items": { "type": "array" } });
    file["outputs"] = json!({ "sizes": "${{ tasks.each.output }}" });
    let items: Vec<String> = (0..20).map(|n| "i".repeat(70_000 + n)).collect();
    let workflow = cluster.publish(&file.to_string()).await?.workflow.key;
    let request = StartRequest {
        workflow,
        inputs: Map::from_iter([("items".to_owned(), json!(items))]),
        ..StartRequest::default()
    };
    let actor = cluster.actor.clone();
    let run = cluster.orchestrator().start_run(&actor, request).await?.run.id;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    let outputs: Value = serde_json::from_str(ended.outputs.as_deref().context("outputs")?)?;
    assert_eq!(outputs["sizes"][19]["size"], 70_019);
    assert!(is_reference(cluster.task(run, "each").await?.input.as_ref()));
    assert_eq!(cluster.task(run, "each[7]").await?.status, TaskStatus::Succeeded);
    cluster.restart().await?;
    cluster.finish().await
}

async fn large_values_are_shown_by_their_beginning_and_downloaded_whole(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.add_worker("worker-1");
    let client = cluster.serve().await?;
    let run = start(&cluster, "small").await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let document = "query($id: ID!) { run(id: $id) { inputs outputs inputsPayload { inline isTruncated }
        task(key: \"make\") { output outputPayload(maxBytes: 10) { inline isTruncated bytes sha256 downloadUrl } } } }";
    let data = client.data(document, json!({ "id": run.0 })).await?;
    let (shown, task) = (&data["run"], &data["run"]["task"]);
    assert_eq!(shown["inputs"], json!({ "note": "small" }));
    assert_eq!(
        shown["inputsPayload"],
        json!({ "inline": "{\"note\":\"small\"}", "isTruncated": false })
    );
    // above the cap of an answer
    let place = &task["output"]["$payload"];
    let payload = &task["outputPayload"];
    assert_eq!(payload["isTruncated"], true);
    assert_eq!(payload["inline"].as_str().map(str::len), Some(10));
    assert_eq!(
        (&place["sha256"], &place["bytes"]),
        (
            &payload["sha256"],
            &json!(payload["bytes"].as_f64().map(|n| n as u64))
        )
    );
    let url = payload["downloadUrl"].as_str().context("an address")?;
    let answer = reqwest::get(format!("{}{url}", client.base))
        .await?
        .error_for_status()?;
    let body: Value = answer.json().await?;
    assert_eq!(body["text"].as_str().map(str::len), Some(LARGE));
    cluster.finish().await
}
