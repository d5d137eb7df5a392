//! From the text of a foreign file to the end of its run: what the conversion writes must be what the expressions understand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use runnel_engine::run::{
    Command, Effects, Input, NewRun, RunContext, RunState, RunStatus, TaskStatus, Timings, advance, check,
};
use runnel_engine::source::{Format, read};
use runnel_engine::{Moment, Plan, RunId, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Runs a file with workers that give the outputs of `outputs`, by task key.
fn run(text: &str, inputs: Value, outputs: &BTreeMap<&str, Value>) -> (Plan, RunState) {
    let reading = read(text, Format::Auto);
    let workflow = reading
        .workflow
        .unwrap_or_else(|| panic!("{:?}", reading.diagnostics));
    let plan = Plan::build(workflow).unwrap();
    let now = Timestamp(0);
    let Value::Object(inputs) = inputs else {
        panic!("inputs are an object")
    };
    let context = RunContext {
        id: RunId(Uuid::nil()),
        inputs: Arc::new(inputs),
        vars: Arc::new(Map::new()),
        workflow_version: 1,
        priority: 50,
        created_at: now,
        created_by: "test".into(),
    };
    let mut moment = Moment { now, entropy: 1 };
    let mut state = RunState::new(
        &plan,
        NewRun {
            context,
            trigger: None,
        },
        &moment,
    );
    let mut pending = vec![Input::Started { actor: "test".into() }];
    while let Some(input) = pending.pop() {
        let mut effects = Effects::default();
        advance(&plan, &mut state, &input, &moment, &mut effects);
        assert_eq!(check(&plan, &state), Vec::<String>::new());
        for command in effects.commands {
            let Command::Dispatch { task, attempt } = command else {
                continue;
            };
            let key = state.key(&plan, task);
            let output = outputs.get(key.as_str()).cloned().unwrap_or_else(|| json!({}));
            let timings = Timings {
                worker: "w".into(),
                started_at: moment.now,
                finished_at: moment.now,
                ..Timings::default()
            };
            pending.push(Input::AttemptSucceeded {
                task,
                attempt,
                output: output.to_string().into(),
                timings,
            });
        }
        if pending.is_empty()
            && let Some(wake_at) = state.wake_at
        {
            moment.now = moment.now.max(wake_at);
            pending.push(Input::Tick);
        }
    }
    (plan, state)
}

fn status(plan: &Plan, state: &RunState, key: &str) -> TaskStatus {
    let ix = plan.find(key).unwrap_or_else(|| panic!("no task {key}"));
    state.tasks[ix.at()].status
}

fn input(plan: &Plan, state: &RunState, key: &str) -> Value {
    let task = &state.tasks[plan.find(key).unwrap().at()];
    serde_json::from_str(task.input.as_deref().unwrap()).unwrap()
}

const NODES: &str = r#"{ "name": "Enrich", "timeout_seconds": 60, "dag": { "nodes": [
  { "id": "start", "handler": "input", "dependencies": [], "config": { "user": { "id": 7 }, "flag": "FLAG" } },
  { "id": "is-yes", "handler": "decision", "dependencies": ["start"], "config": { "value_a": "{{ start.flag }}", "operator": "==", "value_b": "yes" } },
  { "id": "call", "handler": "call_external_service", "dependencies": ["is-yes"], "condition": "{{ is-yes.result }} == True", "config": { "url": "http://127.0.0.1:9/u/{{ start.user.id }}" },
    "retry_policy": { "max_attempts": 3, "initial_backoff_seconds": 1, "backoff_multiplier": 2, "max_backoff_seconds": 10 }, "timeout_seconds": 5 },
  { "id": "end", "handler": "output", "dependencies": ["call"], "config": { "body": "{{ call.body }}" } } ] } }"#;

#[test]
fn nodes_run_to_the_end_when_the_condition_holds() {
    let outputs = BTreeMap::from([(
        "call",
        json!({"status_code": 200, "headers": {}, "body": {"name": "Ada"}}),
    )]);
    let (plan, state) = run(&NODES.replace("FLAG", "yes"), json!({}), &outputs);
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.error);
    assert_eq!(
        input(&plan, &state, "call")["url"],
        json!("http://127.0.0.1:9/u/7")
    );
    assert_eq!(status(&plan, &state, "end"), TaskStatus::Succeeded);
}

#[test]
fn nodes_skip_what_follows_a_condition_that_does_not_hold() {
    let (plan, state) = run(&NODES.replace("FLAG", "no"), json!({}), &BTreeMap::new());
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.error);
    assert_eq!(status(&plan, &state, "call"), TaskStatus::Skipped);
}

#[test]
fn actions_run_to_the_end() {
    let text = r#"{ "name": "Nightly pipeline", "tasks": [
      { "name": "fetch", "action_type": "http_request", "action_payload": { "url": "http://127.0.0.1:9/x", "method": "GET" }, "dependencies": [] },
      { "name": "nap", "action_type": "sleep", "action_payload": { "duration": 0.2 }, "dependencies": ["fetch"] },
      { "name": "crunch", "action_type": "shell_command", "action_payload": { "command": "echo 1" }, "dependencies": ["nap"] } ] }"#;
    let (plan, state) = run(text, json!({}), &BTreeMap::new());
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.error);
    assert_eq!(input(&plan, &state, "crunch")["run"], json!("echo 1"));
    let nap = &state.tasks[plan.find("nap").unwrap().at()];
    assert_eq!(nap.finished_at, Some(Timestamp(200_000)));
}

#[test]
fn commands_run_to_the_end() {
    let text = "
id: etl
name: ETL
tasks:
  extract: {id: extract, name: Extract, command: 'echo ${HOME}', retries: 2, retry_delay_seconds: 1}
  load: {id: load, name: Load, callable: 'pkg.module:attr', dependencies: [extract], metadata: {table: t}}
";
    let (plan, state) = run(text, json!({}), &BTreeMap::new());
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.error);
    assert_eq!(input(&plan, &state, "extract")["run"], json!("echo ${HOME}"));
}

#[test]
fn a_v1_file_with_a_fanout_a_condition_and_outputs_runs_to_the_end() {
    let text = "
id: orders
inputs:
  ids: {type: array, default: [1, 2, 3]}
tasks:
  fetch:
    type: http
    for_each: {items: '${{ inputs.ids }}', max_parallel: 2}
    input: {url: 'http://127.0.0.1:9/o/${{ each.item }}'}
  total:
    type: eval
    needs: [fetch]
    input: {n: '${{ size(tasks.fetch.output) }}', first: '${{ tasks.fetch.output[0].body.price }}'}
  alert:
    needs: [total]
    if: ${{ tasks.total.output.n > 5 }}
    run: echo many
outputs:
  n: ${{ tasks.total.output.n }}
  alerted: ${{ tasks.alert.status == 'SUCCEEDED' }}
";
    let body = json!({"body": {"price": 9.5}});
    let outputs = BTreeMap::from([
        ("fetch[0]", body.clone()),
        ("fetch[1]", body.clone()),
        ("fetch[2]", body),
    ]);
    let (plan, state) = run(text, json!({"ids": [1, 2, 3]}), &outputs);
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.error);
    assert_eq!(status(&plan, &state, "alert"), TaskStatus::Skipped);
    assert_eq!(state.outputs.as_deref(), Some(r#"{"n":3,"alerted":false}"#));
}

#[test]
fn every_example_of_the_repository_builds_a_plan() {
    let mut folders = vec![std::path::PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples"
    ))];
    let mut built = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let is_workflow = matches!(
                path.extension().and_then(|e| e.to_str()),
                Some("yaml" | "yml" | "json")
            ) && path.file_name().is_some_and(|name| name != "index.json")
                && (text.contains("tasks") || text.contains("dag"));
            if is_workflow {
                let reading = read(&text, Format::Auto);
                let workflow = reading
                    .workflow
                    .unwrap_or_else(|| panic!("{}: {:?}", path.display(), reading.diagnostics));
                Plan::build(workflow).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                built += 1;
            }
        }
    }
    assert!(built >= 5, "only {built} examples found");
}
