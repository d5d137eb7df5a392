//! Runs from start to end with the built-in handlers: what a workflow file promises happens.

use std::time::Duration;

use runnel_engine::run::{RecordKind, RunStatus, TaskStatus};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::origin::Origin;
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    a_run_goes_through_http_shell_python_and_eval_to_its_outputs,
    a_fan_out_keeps_the_order_of_its_items,
    a_retry_that_is_needed_happens_and_one_that_is_not_does_not,
    a_false_condition_skips_and_a_per_edge_need_goes_on,
    a_tolerated_failure_lets_the_run_succeed,
    an_attempt_over_its_timeout_is_killed,
    a_timer_waits_without_a_worker,
    a_run_over_its_timeout_ends_as_timed_out,
    a_failure_of_an_expression_fails_the_task,
);

async fn with_worker(stack: Stack) -> anyhow::Result<Cluster> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.add_worker("worker-1");
    Ok(cluster)
}

fn parsed(text: Option<&std::sync::Arc<str>>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

async fn a_run_goes_through_http_shell_python_and_eval_to_its_outputs(stack: Stack) -> anyhow::Result<()> {
    let cluster = with_worker(stack).await?;
    let origin = Origin::start().await?;
    let source = format!(
        r#"
version: 1
id: through
inputs:
  who: {{ type: string, default: "7" }}
tasks:
  fetch:
    type: http
    input: {{ url: "{}/u/${{{{ inputs.who }}}}" }}
  count:
    needs: [fetch]
    run: |
      printf '%s\n' "$NAME" >&2
      echo "{{\"length\": ${{#NAME}}}}"
    env: {{ NAME: "${{{{ tasks.fetch.output.body.name }}}}" }}
  double:
    needs: [count]
    type: python
    input:
      script: |
        import json, os
        print(json.dumps({{"doubled": 21 * 2}}))
  sum:
    needs: [count, double]
    type: eval
    input: {{ total: "${{{{ tasks.count.output.length + tasks.double.output.doubled }}}}" }}
outputs:
  total: ${{{{ tasks.sum.output.total }}}}
  name: ${{{{ tasks.fetch.output.body.name }}}}
  region: ${{{{ vars.region }}}}
"#,
        origin.url()
    );
    let inputs = Map::from_iter([("who".to_owned(), json!("42"))]);
    let run = cluster.launch_source(&source, inputs).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    let outputs = parsed(ended.outputs.as_ref());
    assert_eq!(
        outputs,
        json!({ "total": 7 + 42, "name": "user 42", "region": "eu" })
    );
    assert_eq!(origin.hits("/u/42"), 1);
    let fetched = parsed(cluster.task(run, "fetch").await?.output.as_ref());
    assert_eq!(fetched["status_code"], 200);
    cluster.finish().await
}

async fn a_fan_out_keeps_the_order_of_its_items(stack: Stack) -> anyhow::Result<()> {
    let cluster = with_worker(stack).await?;
    let tasks = json!({
        "list": { "type": "pass", "input": { "items": (0..25).collect::<Vec<u32>>() } },
        "each": {
            "needs": ["list"],
            "for_each": { "items": "${{ tasks.list.output.items }}", "max_parallel": 5 },
            "run": "echo \"{\\\"square\\\": $((N * N))}\"",
            "env": { "N": "${{ each.item }}" },
        },
        "last": {
            "needs": ["each"],
            "type": "eval",
            "input": {
                "size": "${{ size(tasks.each.output) }}",
                "squares": "${{ tasks.each.output.map(o, o.square) }}",
            },
        },
    });
    let run = cluster.launch(&workflow("fan-out", tasks)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let last = parsed(cluster.task(run, "last").await?.output.as_ref());
    assert_eq!(last["size"], 25);
    assert_eq!(
        last["squares"],
        json!((0..25).map(|n: u32| n * n).collect::<Vec<u32>>())
    );
    assert_eq!(cluster.task(run, "each[24]").await?.status, TaskStatus::Succeeded);
    cluster.finish().await
}

async fn a_retry_that_is_needed_happens_and_one_that_is_not_does_not(stack: Stack) -> anyhow::Result<()> {
    let cluster = with_worker(stack).await?;
    let origin = Origin::start().await?;
    let retry = json!({ "limit": 3, "backoff": "fixed", "delay": "50ms", "jitter": "none" });
    let tasks = json!({
        "flaky": { "type": "http", "input": { "url": format!("{}/flaky/two/2", origin.url()) }, "retry": retry },
        "never": { "run": "exit 3", "continue_on_error": true },
    });
    let run = cluster.launch(&workflow("retries", tasks)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(origin.hits("two"), 3);
    let flaky = cluster.task(run, "flaky").await?;
    assert_eq!((flaky.attempt, flaky.retries), (3, 2));
    let never = cluster.task(run, "never").await?;
    assert_eq!((never.attempt, never.status), (1, TaskStatus::Failed));
    let history = cluster.history(run).await?;
    let scheduled = history
        .iter()
        .filter(|event| event.record.kind == RecordKind::RetryScheduled)
        .count();
    assert_eq!(scheduled, 2);
    cluster.finish().await
}

async fn a_false_condition_skips_and_a_per_edge_need_goes_on(stack: Stack) -> anyhow::Result<()> {
    let cluster = with_worker(stack).await?;
    let tasks = json!({
        "decide": { "type": "pass", "input": { "big": false } },
        "big": { "needs": ["decide"], "if": "${{ tasks.decide.output.big }}", "run": "echo big" },
        "after_big": { "needs": ["big"], "run": "echo never" },
        "either": { "needs": { "big": ["succeeded", "skipped"] }, "run": "echo either" },
    });
    let run = cluster.launch(&workflow("conditions", tasks)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let statuses: Map<String, Value> = cluster
        .statuses(run)
        .await?
        .into_iter()
        .map(|(key, status)| (key, serde_json::to_value(status).unwrap_or_default()))
        .collect();
    let expected =
        json!({ "decide": "SUCCEEDED", "big": "SKIPPED", "after_big": "SKIPPED", "either": "SUCCEEDED" });
    assert_eq!(Value::Object(statuses), expected);
    cluster.finish().await
}

async fn a_tolerated_failure_lets_the_run_succeed(stack: Stack) -> anyhow::Result<()> {
    let cluster = with_worker(stack).await?;
    let tasks = json!({
        "fails": { "run": "echo no >&2; exit 4", "continue_on_error": true },
        "goes_on": { "needs": { "fails": "done" }, "run": "echo yes" },
    });
    let run = cluster.launch(&workflow("tolerated", tasks)).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert!(ended.has_tolerated_failures);
    assert_eq!(cluster.task(run, "goes_on").await?.status, TaskStatus::Succeeded);
    cluster.finish().await
}

async fn an_attempt_over_its_timeout_is_killed(stack: Stack) -> anyhow::Result<()> {
    let cluster = with_worker(stack).await?;
    // far longer than the test may take: it ends only because it is killed
    let tasks = json!({ "endless": { "run": "sleep 100000 & sleep 100000", "timeout": "300ms" } });
    let run = cluster.launch(&workflow("endless", tasks)).await?;
    cluster.ends(run, RunStatus::Failed).await?;
    let task = cluster.task(run, "endless").await?;
    assert_eq!(task.status, TaskStatus::TimedOut);
    cluster.finish().await
}

async fn a_timer_waits_without_a_worker(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({
        "nap": { "type": "wait", "input": { "for": "30d" } },
        "after": { "type": "pass", "needs": ["nap"], "input": {} },
    });
    let run = cluster.launch(&workflow("nap", tasks)).await?;
    let nap = cluster
        .until_task(run, "nap", |task| task.status == TaskStatus::Waiting)
        .await?;
    assert!(nap.wake_at.is_some());
    let sleeping = cluster.run(run).await?;
    assert!(
        sleeping.wake_at.is_some(),
        "a run that waits for a time says until when"
    );
    cluster.orchestrator().settle().await;
    assert!(!cluster.run(run).await?.status.is_terminal());
    cluster.clock.advance(Duration::from_secs(30 * 86_400 + 1));
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_run_over_its_timeout_ends_as_timed_out(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let mut file = workflow(
        "late",
        json!({ "nap": { "type": "wait", "input": { "for": "2h" } } }),
    );
    file["timeout"] = json!("1h");
    let run = cluster.launch(&file).await?;
    cluster
        .until_task(run, "nap", |task| task.status == TaskStatus::Waiting)
        .await?;
    cluster.clock.advance(Duration::from_secs(3_601));
    cluster.ends(run, RunStatus::TimedOut).await?;
    cluster.finish().await
}

async fn a_failure_of_an_expression_fails_the_task(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({
        "gives": { "type": "pass", "input": { "a": 1 } },
        "reads": { "type": "eval", "needs": ["gives"], "input": { "b": "${{ tasks.gives.output.missing.deeper }}" } },
    });
    let run = cluster.launch(&workflow("expression", tasks)).await?;
    cluster.ends(run, RunStatus::Failed).await?;
    let reads = cluster.task(run, "reads").await?;
    assert_eq!(
        reads.error.map(|error| error.category),
        Some(runnel_engine::run::Category::Expression)
    );
    cluster.finish().await
}
