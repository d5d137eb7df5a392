//! Every example runs to the end that `examples/index.json` states.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_engine::source::{Format, read};
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, repository_file};
use runnel_tests::process::{self, Process};
use runnel_tests::programs::workspace;
use runnel_tests::stack::Stack;
use serde_json::{Map, Value};

runnel_tests::on_each_stack!(examples_end_as_their_index_states);

fn index() -> anyhow::Result<Vec<Value>> {
    let index: Value = serde_json::from_str(&repository_file("examples/index.json")?)?;
    index["examples"]
        .as_array()
        .cloned()
        .context("a list of examples")
}

/// Starts the server that an example needs; its address is an input of the run.
async fn start_server(example: &Value, inputs: &mut Map<String, Value>) -> anyhow::Result<Option<Process>> {
    let Some(server) = example["server"].as_object() else {
        return Ok(None);
    };
    let words: Vec<&str> = server["command"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (program, arguments) = words.split_first().context("a command")?;
    let mut command = process::command(Path::new(program), arguments);
    command.current_dir(workspace().join("examples"));
    let server_process = Process::start(program, command)?;
    let address = server_process.client().await?.base;
    inputs.insert(
        server["input"]
            .as_str()
            .context("the name of an input")?
            .to_owned(),
        Value::from(address),
    );
    Ok(Some(server_process))
}

/// Sends the mutation of a step once its task waits, or its run is in the status.
async fn take_step(cluster: &Cluster, client: &Client, run: RunId, step: &Value) -> anyhow::Result<()> {
    if let Some(task) = step["when_waiting"].as_str() {
        cluster
            .until_task(run, task, |task| task.status == TaskStatus::Waiting)
            .await?;
    }
    if let Some(status) = step["when_run"].as_str() {
        let status: RunStatus = serde_json::from_value(status.into())?;
        cluster
            .until(run, "in the status of the step", |run| run.status == status)
            .await?;
    }
    let name = step["mutation"].as_str().context("a mutation")?;
    let input = step["input"]
        .to_string()
        .replace("$RUN", &format!("run_{}", run.0.simple()));
    let payload = client
        .mutate(name, serde_json::from_str(&input)?, "clientMutationId")
        .await?;
    anyhow::ensure!(payload["userErrors"] == Value::Array(Vec::new()), "{payload:#}");
    Ok(())
}

async fn examples_end_as_their_index_states(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.add_worker("worker-1");
    let client = cluster.serve().await?;
    for example in index()? {
        let file = example["file"].as_str().context("a file")?;
        let mut inputs = example["inputs"].as_object().cloned().unwrap_or_default();
        for (name, value) in example["secrets"].as_object().into_iter().flatten() {
            let value = value.as_str().context("a value")?;
            cluster
                .orchestrator()
                .set_secret(&cluster.actor, name, value)
                .await?;
        }
        let server = start_server(&example, &mut inputs).await?;
        let run = cluster
            .launch_source(&repository_file(format!("examples/{file}"))?, inputs)
            .await
            .context(file.to_owned())?;
        for step in example["steps"].as_array().into_iter().flatten() {
            take_step(&cluster, &client, run, step)
                .await
                .context(file.to_owned())?;
        }
        let expected: RunStatus = serde_json::from_value(example["status"].clone())?;
        let ended = cluster
            .ends(run, expected)
            .await
            .with_context(|| file.to_owned())?;
        for (key, expected) in example["tasks"].as_object().into_iter().flatten() {
            let status = serde_json::to_value(cluster.task(run, key).await?.status)?;
            assert_eq!(&status, expected, "{file}: {key}");
        }
        if let Some(expected) = example.get("outputs") {
            let outputs: Value = serde_json::from_str(ended.outputs.as_deref().unwrap_or("null"))?;
            assert_eq!(&outputs, expected, "{file}");
        }
        drop(server);
    }
    cluster.finish().await
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|kind| kind == "yaml" || kind == "yml")
        {
            files.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_example_is_valid_and_in_the_index() {
    let root = workspace().join("examples");
    let listed: HashSet<PathBuf> = index()
        .expect("an index")
        .iter()
        .filter_map(|example| Some(root.join(example["file"].as_str()?)))
        .collect();
    let mut files = Vec::new();
    collect(&root, &mut files).expect("examples");
    for file in files {
        let reading = read(&repository_file(&file).expect("a readable example"), Format::Auto);
        assert!(
            reading.workflow.is_some(),
            "{}: {:#?}",
            file.display(),
            reading.diagnostics
        );
        let is_foreign = file.starts_with(root.join("dialects"));
        // it needs the worker beside it: own_workers.rs runs both
        let has_own_worker = file.starts_with(root.join("worker"));
        assert!(
            is_foreign || has_own_worker || listed.contains(&file),
            "{} is not in examples/index.json",
            file.display()
        );
    }
}
