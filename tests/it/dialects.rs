//! Files of the other dialects publish, convert to valid v1, and run to their end against real servers.

use runnel_engine::run::RunStatus;
use runnel_engine::source::{Dialect, Format, read};
use runnel_tests::cluster::Cluster;
use runnel_tests::origin::Origin;
use runnel_tests::stack::Stack;
use runnel_worker::BuiltinOptions;
use runnel_worker::handlers::LlmEndpoint;
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    actions_run_to_the_end,
    commands_run_to_the_end,
    nodes_run_to_the_end,
    a_simulated_failure_fails
);

/// Publishes, checks the conversion, runs, and answers the outputs of the tasks by key.
async fn play(
    cluster: &Cluster,
    source: &str,
    dialect: Dialect,
    end: RunStatus,
) -> anyhow::Result<Map<String, Value>> {
    let reading = read(source, Format::Auto);
    assert_eq!(reading.dialect, dialect, "{:#?}", reading.diagnostics);
    let converted = reading.converted.unwrap_or_default();
    let again = read(&converted, Format::Yaml);
    assert_eq!(again.dialect, Dialect::V1);
    assert!(
        again.workflow.is_some(),
        "the conversion is not valid v1: {:#?}\n{converted}",
        again.diagnostics
    );

    let run = cluster.launch_source(source, Map::new()).await?;
    cluster.ends(run, end).await?;
    let output = |task: runnel_runtime::view::TaskView| {
        let output = task
            .output
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        (task.key, output)
    };
    Ok(cluster.tasks(run).await?.into_iter().map(output).collect())
}

async fn with_worker(stack: Stack) -> anyhow::Result<(Cluster, Origin)> {
    let mut cluster = Cluster::start(stack).await?;
    let origin = Origin::start().await?;
    let llm = LlmEndpoint {
        url: format!("{}/v1", origin.url()),
        api_key: None,
        model: Some("small".to_owned()),
    };
    cluster.add_worker_with(
        "worker-1",
        BuiltinOptions {
            llm: Some(llm),
            ..BuiltinOptions::default()
        },
    );
    Ok((cluster, origin))
}

async fn actions_run_to_the_end(stack: Stack) -> anyhow::Result<()> {
    let (cluster, origin) = with_worker(stack).await?;
    let source = json!({
        "name": "Data Pipeline",
        "description": "ETL workflow with parallel processing",
        "tasks": [
            { "name": "extract", "action_type": "http_request", "dependencies": [],
              "action_payload": { "url": format!("{}/data", origin.url()), "method": "GET" } },
            { "name": "trans form", "action_type": "python_script", "dependencies": ["extract"],
              "action_payload": { "script": "print('{\"rows\": 3}')" },
              "retry_policy": { "max_retries": 2, "backoff": "exponential" }, "timeout_seconds": 30 },
            { "name": "send", "action_type": "http_request", "dependencies": ["trans form"],
              "action_payload": { "url": format!("{}/sink", origin.url()), "method": "POST", "body_from_task": "trans form" } },
            { "name": "load", "action_type": "shell_command", "dependencies": ["trans form"],
              "action_payload": { "command": "echo loaded" } },
            { "name": "nap", "action_type": "sleep", "dependencies": ["load"], "action_payload": { "duration": 0.01 } },
        ],
    });
    let outputs = play(
        &cluster,
        &source.to_string(),
        Dialect::Actions,
        RunStatus::Succeeded,
    )
    .await?;
    assert_eq!(outputs["extract"]["status_code"], 200);
    assert_eq!(outputs["trans_form"]["rows"], 3);
    assert_eq!(outputs["load"]["exit_code"], 0);
    assert_eq!(
        outputs["send"]["body"]["json"]["rows"], 3,
        "{:#}",
        outputs["send"]
    );
    assert_eq!((origin.hits("/data"), origin.hits("/sink")), (1, 1));
    cluster.finish().await
}

async fn commands_run_to_the_end(stack: Stack) -> anyhow::Result<()> {
    let (cluster, _origin) = with_worker(stack).await?;
    let as_map = r#"
id: sample
name: Sample DAG
tasks:
  task_a:
    id: task_a
    name: Echo A
    command: echo "A"
    retries: 1
    retry_delay_seconds: 3
    timeout_seconds: 30
  task_b:
    id: task_b
    name: Callable B
    callable: json:dumps
    dependencies: [task_a]
    retries: 2
    metadata:
      obj: "hello"
  task_c:
    id: task_c
    name: Echo C
    command: printf C
    dependencies: [task_a]
    timeout_seconds: 60
  task_d:
    id: task_d
    name: Done
    command: echo "done"
    dependencies: [task_b, task_c]
    retries: 0
"#;
    let outputs = play(&cluster, as_map, Dialect::Commands, RunStatus::Succeeded).await?;
    assert_eq!(outputs["task_a"]["stdout"].as_str().map(str::trim), Some("A"));
    assert_eq!(outputs["task_c"]["stdout"].as_str().map(str::trim), Some("C"));
    assert_eq!(outputs["task_d"]["exit_code"], 0);

    let as_list = json!({ "id": "listed", "name": "Demo", "tasks": [
        { "id": "one", "name": "One", "command": "echo 1" },
        { "id": "two", "name": "Two", "command": "echo 2", "dependencies": ["one"] },
    ] });
    let outputs = play(
        &cluster,
        &as_list.to_string(),
        Dialect::Commands,
        RunStatus::Succeeded,
    )
    .await?;
    assert_eq!(outputs["two"]["stdout"].as_str().map(str::trim), Some("2"));

    let readme = r#"{"id":"sample","name":"Demo","tasks":{"task_a":{"id":"task_a","name":"Task A","command":"echo A"}}}"#;
    play(&cluster, readme, Dialect::Commands, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn nodes_run_to_the_end(stack: Stack) -> anyhow::Result<()> {
    let (cluster, origin) = with_worker(stack).await?;
    let retry = json!({ "max_attempts": 3, "initial_backoff_seconds": 0.01, "backoff_multiplier": 2, "max_backoff_seconds": 1 });
    let source = json!({ "name": "Enrich", "timeout_seconds": 60, "dag": { "nodes": [
        { "id": "start", "handler": "input", "dependencies": [],
          "config": { "user": { "id": 7 }, "flag": "yes", "flag_count": 3 } },
        { "id": "is-yes", "handler": "decision", "dependencies": ["start"],
          "config": { "value_a": "{{ start.flag }}", "operator": "==", "value_b": "yes" } },
        { "id": "is.many", "handler": "decision", "dependencies": ["start"],
          "config": { "value_a": "{{ start.flag_count }}", "operator": ">", "value_b": 10 } },
        { "id": "call", "handler": "call_external_service", "dependencies": ["is-yes"],
          "condition": "{{ is-yes.result }} == True",
          "config": { "url": format!("{}/u/{{{{ start.user.id }}}}", origin.url()) }, "retry_policy": retry, "timeout_seconds": 5 },
        { "id": "never", "handler": "call_external_service", "dependencies": ["is.many"],
          "condition": "{{ is.many.result }} == True", "config": { "url": format!("{}/never", origin.url()) } },
        { "id": "flaky", "handler": "call_external_service", "dependencies": ["start"],
          "config": { "url": format!("{}/flaky/nodes/2", origin.url()) }, "retry_policy": retry },
        { "id": "ask", "handler": "call_llm", "dependencies": ["call"],
          "config": { "prompt": "Greet {{ call.body.name }}", "model": "small", "temperature": 0.1, "max_tokens": 20 } },
        { "id": "end", "handler": "output", "dependencies": ["call"],
          "config": { "body": "{{ call.body }}", "first": "{{ call.body.tags.0 }}", "text": "city {{ call.data.address.city }}" } },
    ] } });
    let outputs = play(
        &cluster,
        &source.to_string(),
        Dialect::Nodes,
        RunStatus::Succeeded,
    )
    .await?;
    assert_eq!(outputs["is_yes"]["result"], true);
    assert_eq!(outputs["is_many"]["result"], false);
    assert_eq!(outputs["end"]["body"]["name"], "user 7");
    assert_eq!(outputs["end"]["first"], "a");
    assert_eq!(outputs["end"]["text"], "city Bremen");
    assert_eq!(outputs["ask"]["response"], "you said: Greet user 7");
    assert_eq!(outputs["ask"]["result"], outputs["ask"]["response"]);
    assert_eq!(origin.prompts().len(), 1);
    assert_eq!(outputs["never"], Value::Null);
    assert_eq!((origin.hits("/never"), origin.hits("nodes")), (0, 3));
    cluster.finish().await
}

async fn a_simulated_failure_fails(stack: Stack) -> anyhow::Result<()> {
    let (cluster, origin) = with_worker(stack).await?;
    let source = json!({ "name": "Doomed", "dag": { "nodes": [
        { "id": "boom", "handler": "call_external_service", "dependencies": [],
          "config": { "url": origin.url(), "simulate_failure": true },
          "retry_policy": { "max_attempts": 1 } },
    ] } });
    let run = cluster.launch_source(&source.to_string(), Map::new()).await?;
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    assert_eq!(ended.error.map(|error| error.code).as_deref(), Some("SIMULATED"));
    cluster.finish().await
}
